//! Repeated names in an object.
//!
//! JSON leaves open the value that counts (RFC 8259 section 4). Here the last value counts, as in nearly all
//! readers of JSON: rules, filters, columns, exports and keys take a text without members replaced by a later
//! member of the same name. Stored and sent text stays unchanged.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::{Damaged, Scanner, exact};

/// Up to so many members each is compared with each; above the limit members are sorted.
const COMPARED_MAX: usize = 16;

/// The text without members repeated later in the same object. Damaged text is left unchanged from the damage
/// on.
pub fn without_repeats(json: &[u8]) -> Cow<'_, [u8]> {
    let repeats = repeats(json);
    if repeats.is_empty() {
        return Cow::Borrowed(json);
    }
    let mut kept = Vec::with_capacity(json.len());
    let mut at = 0;
    for repeat in repeats {
        kept.extend_from_slice(&json[at..repeat.start]);
        at = repeat.end;
    }
    kept.extend_from_slice(&json[at..]);
    Cow::Owned(kept)
}

/// Where those members are, ascending: each from its name to the name of the next member. Of members
/// inside one of them nothing is said.
pub(crate) fn repeats(json: &[u8]) -> Vec<Range<usize>> {
    let scanner = Scanner::new(json);
    let mut search = Search { json, scanner, names: Vec::new(), found: Vec::new() };
    // What was found before the damage is known; whoever reads on finds the damage, too.
    let _ = search.run();
    let mut found = search.found;
    found.sort_unstable_by_key(|repeat| repeat.start);
    let mut end = 0;
    found.retain(|repeat| {
        let outside = repeat.start >= end;
        end = end.max(repeat.end);
        outside
    });
    found
}

struct Search<'a> {
    json: &'a [u8],
    scanner: Scanner<'a>,
    /// Where the names of the objects begin that are open, the outer ones first. Four bytes for each,
    /// since there may be millions: what is larger than four gigabytes is not searched.
    names: Vec<u32>,
    found: Vec<Range<usize>>,
}

impl Search<'_> {
    fn run(&mut self) -> Result<(), Damaged> {
        // For an object how many names there were before its own; nothing for an array.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut names_next = false;
        while let Some(byte) = self.scanner.peek() {
            match byte {
                b'"' => {
                    let start = self.scanner.at();
                    self.scanner.string()?;
                    if std::mem::take(&mut names_next) {
                        self.names.push(u32::try_from(start).map_err(|_| Damaged)?);
                    }
                    continue;
                }
                b'{' => open.push(Some(self.names.len())),
                b'[' => open.push(None),
                b'}' | b']' => {
                    if let Some(before) = open.pop().ok_or(Damaged)? {
                        self.close(before);
                    }
                }
                b',' | b':' => {}
                _ => {
                    self.scanner.skip_value()?;
                    continue;
                }
            }
            self.scanner.take(byte);
            let in_object = open.last().is_some_and(Option::is_some);
            names_next = in_object && matches!(byte, b'{' | b',');
        }
        Ok(())
    }

    /// Ends an object, given the number of names before the object's own.
    fn close(&mut self, before: usize) {
        let names = &self.names[before..];
        let mut note = |at: usize| {
            if let (Some(start), Some(end)) = (names.get(at), names.get(at + 1)) {
                self.found.push(*start as usize..*end as usize);
            }
        };
        let json = self.json;
        if names.len() <= COMPARED_MAX {
            for (at, name) in names.iter().enumerate() {
                let later = &names[at + 1..];
                if later.iter().any(|other| compare(json, *name, *other) == Ordering::Equal) {
                    note(at);
                }
            }
        } else {
            let mut sorted = names.to_vec();
            sorted.sort_unstable_by(|one, other| compare(json, *one, *other).then(one.cmp(other)));
            for pair in sorted.windows(2) {
                if compare(json, pair[0], pair[1]) == Ordering::Equal
                    && let Ok(at) = names.binary_search(&pair[0])
                {
                    note(at);
                }
            }
        }
        self.names.truncate(before);
    }
}

/// Compares the names at two places.
fn compare(json: &[u8], one: u32, other: u32) -> Ordering {
    let name = |at: u32| {
        let string = Scanner::new(&json[at as usize..]).string();
        exact(string.unwrap_or_default())
    };
    name(one).cmp(&name(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(json: &str) -> String {
        String::from_utf8(without_repeats(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn the_last_of_a_name_stays() {
        for (json, expected) in [
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":{"b":1},"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":{"b":1,"b":2},"c":{"b":3}, "a" : 4 }"#, r#"{"c":{"b":3}, "a" : 4 }"#),
            (r#"[{"a":1,"\u0061":[{"x":1,"x":2}]}]"#, r#"[{"\u0061":[{"x":2}]}]"#),
            (r#"{"":1,"b":"a","":2}"#, r#"{"b":"a","":2}"#),
            (r#"{"\ud800":1,"\ud801":2,"\uD800":3}"#, r#"{"\ud801":2,"\uD800":3}"#),
        ] {
            assert_eq!(kept(json), expected);
        }
        for same in [r#"{"a":"a","b":["a","a"],"c":{"a":1}}"#, "7", r#""a""#, "[]", "{}", ""] {
            assert!(matches!(without_repeats(same.as_bytes()), Cow::Borrowed(_)), "{same}");
        }
        let wide: Vec<_> = (0..1_000).map(|n| format!(r#""k{}":{n}"#, n % 400)).collect();
        let expected: Vec<_> = (600..1_000).map(|n| format!(r#""k{}":{n}"#, n % 400)).collect();
        assert_eq!(kept(&format!("{{{}}}", wide.join(","))), format!("{{{}}}", expected.join(",")));
    }

    proptest! {
        #[test]
        fn serde_reads_the_same(
            members in prop::collection::vec(("[ab]{0,2}", "[0-9]|\\{\"a\":1,\"b\":2,\"a\":3\\}|\\[\\{\"a\":1,\"a\":\"a\"\\}\\]"), 0..30),
        ) {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!(" \"{name}\" : {value} ")).collect();
            let json = format!("{{{}}}", members.join(","));
            let kept = kept(&json);
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(read(&kept), read(&json));
            prop_assert!(matches!(without_repeats(kept.as_bytes()), Cow::Borrowed(_)));
        }

        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..60)) {
            let _ = without_repeats(&junk);
        }
    }
}
