//! Finds a value in JSON text by the path, without building the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The most steps of a path; senders nest identifiers two or three deep.
const STEPS_MAX: usize = 10;

/// A path in JSON (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a path; `None` for texts without a path's form or with more than ten steps.
    pub fn parse(text: &str) -> Option<Self> {
        let steps = text.strip_prefix('/')?.split('/').map(unescape).collect::<Option<Vec<_>>>()?;
        (steps.len() <= STEPS_MAX).then_some(Self(steps))
    }

    /// The path of a member of the outermost object.
    pub(super) fn member(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// The text of the value at the path. Of a name repeated in an object, the last value counts, as in
    /// nearly all readers of JSON.
    pub(super) fn find<'a>(&self, json: &'a [u8]) -> Option<&'a str> {
        let whole = std::str::from_utf8(json).ok()?;
        self.0.iter().try_fold(whole, |text, step| {
            let mut reader = serde_json::Deserializer::from_str(text);
            Step(step).deserialize(&mut reader).ok()?.map(RawValue::get)
        })
    }

    /// The value at the path as text: a string without quotes, a number or boolean as written. `None` for
    /// null, arrays and objects.
    pub(super) fn text<'a>(&self, json: &'a [u8]) -> Option<Cow<'a, str>> {
        let raw = self.find(json)?;
        match raw.as_bytes().first()? {
            b'"' => {
                let plain = &raw[1..raw.len() - 1];
                let escaped = plain.contains('\\');
                Some(if escaped { serde_json::from_str(raw).ok()? } else { Cow::Borrowed(plain) })
            }
            b'{' | b'[' | b'n' => None,
            _ => Some(Cow::Borrowed(raw)),
        }
    }

    /// The items of the array at the path, each as text. An empty path means the whole body. At most `most`
    /// items; `None` for other values and longer arrays.
    pub(super) fn items<'a>(&self, json: &'a [u8], most: usize) -> Option<Vec<&'a str>> {
        let items: Vec<&RawValue> = serde_json::from_str(self.find(json)?).ok()?;
        (items.len() <= most).then(|| items.into_iter().map(RawValue::get).collect())
    }
}

fn unescape(step: &str) -> Option<String> {
    let mut plain = String::with_capacity(step.len());
    let mut rest = step.chars();
    while let Some(c) = rest.next() {
        plain.push(match c {
            '~' => match rest.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            // Braces would end the place in a template.
            '{' | '}' => return None,
            c => c,
        });
    }
    Some(plain)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

/// A step into a value: the member of an object or the item of an array.
struct Step<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(Name(self.0))? {
            if wanted {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0.parse::<usize>().ok();
        let mut found = None;
        let mut at = 0;
        loop {
            if Some(at) == wanted {
                found = items.next_element()?;
                if found.is_none() {
                    return Ok(None);
                }
            } else if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            at += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a name equals the given name.
struct Name<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    // A name may be no text: half of a surrogate pair is let be alone.
    fn visit_bytes<E>(self, name: &[u8]) -> Result<bool, E> {
        Ok(name == self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn text(pointer: &str, json: &str) -> Option<String> {
        Some(Pointer::parse(pointer)?.text(json.as_bytes())?.into_owned())
    }

    #[test]
    fn values_are_found_as_they_are_written() {
        let json = r#" {"a":{"b/c":[1,{"d":"x\u00e9"}],"n":1.50},"t":true,"z":null,"a~":"q"} "#;
        assert_eq!(text("/a/b~1c/1/d", json).as_deref(), Some("xé"));
        assert_eq!(text("/a/n", json).as_deref(), Some("1.50"));
        assert_eq!(text("/t", json).as_deref(), Some("true"));
        assert_eq!(text("/a~0", json).as_deref(), Some("q"));
        for absent in ["/z", "/a", "/a/b~1c", "/a/b~1c/2", "/a/b~1c/x", "/t/x", "/nope"] {
            assert_eq!(text(absent, json), None, "{absent}");
        }
    }

    #[test]
    fn the_last_of_a_repeated_name_counts() {
        assert_eq!(text("/a", r#"{"a":1,"a":2}"#).as_deref(), Some("2"));
        let odd = r#"{"\ud800":1,"\u0061":{"a":0},"\u0061":{"a":3}}"#;
        assert_eq!(text("/a/a", odd).as_deref(), Some("3"));
    }

    #[test]
    fn what_is_no_json_has_no_values() {
        for broken in ["", "{", "{\"a\":", "nope", "[1", "{\"a\" 1}"] {
            assert_eq!(text("/a", broken), None, "{broken}");
        }
        assert_eq!(Pointer::parse("/a").unwrap().text(b"{\"a\":\"\xff\"}"), None);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(text("/a", &deep), None);
    }

    #[test]
    fn items_are_bounded() {
        let pointer = Pointer::parse("/l").unwrap();
        assert_eq!(pointer.items(br#"{"l":[1,{"a":2}]}"#, 2).unwrap(), ["1", r#"{"a":2}"#]);
        assert_eq!(pointer.items(br#"{"l":[1,2,3]}"#, 2), None);
        assert_eq!(pointer.items(br#"{"l":{}}"#, 2), None);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_tree_has(keys in proptest::collection::vec("[a-c]", 1..4), value in "\\PC{0,8}") {
            let json = keys.iter().rev().fold(Value::String(value.clone()), |inner, key| {
                serde_json::json!({ "other": [1, 2], key.as_str(): inner })
            });
            let pointer = Pointer::parse(&format!("/{}", keys.join("/"))).unwrap();
            let json = json.to_string();
            let found = pointer.text(json.as_bytes());
            prop_assert_eq!(found.as_deref(), Some(value.as_str()));
        }

        #[test]
        fn any_text_is_searched_or_not(pointer in "/[a-z0-9/~]{0,8}", json in "[\\[\\]{}\",:a-c0-9 ]{0,40}") {
            if let Some(pointer) = Pointer::parse(&pointer) {
                let _ = pointer.text(json.as_bytes());
            }
        }
    }
}
