//! Reading parts of JSON text without building values from it.
//!
//! The text was validated at acceptance, so the code here only navigates: reads never pass the end, but not
//! every mistake is noticed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde_json::error::Category;

mod repeats;

pub(crate) use repeats::repeats;
pub use repeats::without_repeats;

/// The text is not valid JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored object is not valid json")]
pub struct Damaged;

/// The message for `subject`, a text that is not JSON, without the words of the parser.
pub fn not_json(subject: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => {
            format!(
                "{subject} is not JSON: the text ends too early, at line {line}, column {column}"
            )
        }
        _ => format!("{subject} is not JSON: look at line {line}, column {column}"),
    }
}

/// The offset of the first bracket that opens a level beyond `levels`; `None` when no part of the
/// text is nested so deep.
pub fn too_deep_at(json: &[u8], levels: usize) -> Option<usize> {
    // Most texts have fewer brackets in total. The count is fast.
    memchr::memchr2_iter(b'[', b'{', json).nth(levels)?;
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > levels {
                    return Some(at);
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// A position in JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The offset of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Skips blanks; the byte after them stays the next one.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Skips blanks and then the given byte, if next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Skips blanks and then the given byte.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Damaged> {
        if self.take(byte) { Ok(()) } else { Err(Damaged) }
    }

    /// Skips a string; returns the raw text between the quotes, with escapes.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Damaged> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(Damaged),
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    /// Skips an object's key and the colon after it. Keys are compared by these bytes: see [`exact`].
    pub(crate) fn key(&mut self) -> Result<Cow<'a, [u8]>, Damaged> {
        let raw = self.string()?;
        self.expect(b':')?;
        Ok(exact(raw))
    }

    /// Goes on to an offset that is not before the next byte.
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.at = self.at.max(at);
    }

    /// Skips a string; returns the text.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Damaged> {
        unescape(self.string()?)
    }

    /// Skips a value of any kind, however deep.
    pub(crate) fn skip_value(&mut self) -> Result<(), Damaged> {
        match self.peek().ok_or(Damaged)? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            _ => self.skip_scalar(),
        }
    }

    /// Skips a value of any kind; returns the text.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Damaged> {
        self.peek();
        let start = self.at;
        self.skip_value()?;
        Ok(&self.text[start..self.at])
    }

    /// Whether an object with members is next.
    pub(crate) fn at_members(&mut self) -> bool {
        if self.peek() != Some(b'{') {
            return false;
        }
        let start = self.at;
        self.at += 1;
        let members = self.peek() != Some(b'}');
        self.at = start;
        members
    }

    fn skip_nested(&mut self) -> Result<(), Damaged> {
        let mut open = 0_usize;
        loop {
            match self.text.get(self.at).ok_or(Damaged)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open = open.checked_sub(1).ok_or(Damaged)?,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
    }

    fn skip_scalar(&mut self) -> Result<(), Damaged> {
        let rest = &self.text[self.at..];
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        if length == 0 { Err(Damaged) } else { Ok(()) }
    }
}

/// The text of a string from what stands between its quotes.
pub(crate) fn unescape(raw: &[u8]) -> Result<Cow<'_, str>, Damaged> {
    if !raw.contains(&b'\\') {
        return std::str::from_utf8(raw).map(Cow::Borrowed).map_err(|_| Damaged);
    }
    let quoted = [b"\"", raw, b"\""].concat();
    serde_json::from_slice(&quoted).map(Cow::Owned).map_err(|_| Damaged)
}

/// The characters of a string from what stands between its quotes, as UTF-8. Half of a surrogate pair,
/// which JSON lets be alone and UTF-8 does not, is written as UTF-8 would write its number: so two
/// strings have the same bytes exactly when they are the same.
pub(crate) fn exact(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let quoted = [b"\"", raw, b"\""].concat();
    let mut reader = serde_json::Deserializer::from_slice(&quoted);
    match reader.deserialize_bytes(Exact) {
        Ok(bytes) => Cow::Owned(bytes),
        Err(_) => Cow::Borrowed(raw),
    }
}

struct Exact;

impl Visitor<'_> for Exact {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}

/// The text of a string from what stands between its quotes. Halves of surrogate pairs, which JSON
/// lets be alone and text does not, become U+FFFD, as does whatever else is no text.
pub(crate) fn unescape_lossy(raw: &[u8]) -> Cow<'_, str> {
    unescape(raw).unwrap_or_else(|Damaged| {
        let mut text = Vec::with_capacity(raw.len() + 2);
        text.push(b'"');
        let mut at = 0;
        while let Some(byte) = raw.get(at) {
            let escape = if *byte == b'\\' { escape_bytes(&raw[at..]) } else { 1 };
            let end = raw.len().min(at + escape);
            let piece = &raw[at..end];
            match piece {
                [b'\\', b'u', ..] if unescape(piece).is_err() => text.extend_from_slice(b"\\ufffd"),
                piece => text.extend_from_slice(piece),
            }
            at = end;
        }
        text.push(b'"');
        let text = String::from_utf8_lossy(&text).into_owned();
        Cow::Owned(serde_json::from_str(&text).unwrap_or(text))
    })
}

/// Bytes of the escape that a text begins with; a pair of surrogates is one.
fn escape_bytes(raw: &[u8]) -> usize {
    match raw {
        [b'\\', b'u', ..] if raw.get(6..8) == Some(b"\\u") => {
            let pair = raw.get(..12).is_some_and(|pair| unescape(pair).is_ok());
            let alone = raw.get(..6).is_some_and(|one| unescape(one).is_ok());
            if pair && !alone { 12 } else { 6 }
        }
        [b'\\', b'u', ..] => 6,
        _ => 2,
    }
}

/// The value of a member of an object if it is there and a string; of one that is there twice, the last.
pub fn string_member<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    match without_repeats(object) {
        Cow::Borrowed(object) => first_string_member(object, name),
        Cow::Owned(object) => first_string_member(&object, name).map(|it| it.into_owned().into()),
    }
}

fn first_string_member<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut scanner = Scanner::new(object);
    if !scanner.take(b'{') || scanner.peek()? == b'}' {
        return None;
    }
    loop {
        if *scanner.key().ok()? != *name.as_bytes() {
            scanner.skip_value().ok()?;
        } else if scanner.peek()? == b'"' {
            return unescape(scanner.string().ok()?).ok();
        } else {
            return None;
        }
        if !scanner.take(b',') {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn string_members_are_found_at_the_top_only() {
        let object = br#" { "a" : {"order_id":"inner"}, "n":[1,"]}"], "order_id" : "D\u002d1" } "#;
        assert_eq!(string_member(object, "order_id").as_deref(), Some("D-1"));
        assert_eq!(string_member(br#"{"\u006frder_id":"x"}"#, "order_id").as_deref(), Some("x"));
        let twice = br#"{"order_id":"x","\ud800":1,"order_id":"y"}"#;
        assert_eq!(string_member(twice, "order_id").as_deref(), Some("y"));
        for (object, why) in [
            (&br#"{"order_id":5}"#[..], "a number"),
            (br#"{"order_id":null}"#, "null"),
            (br#"{"a":"order_id"}"#, "a value"),
            (b"{}", "empty"),
            (b" [\"order_id\"]", "no object"),
            (b"", "nothing"),
        ] {
            assert_eq!(string_member(object, "order_id"), None, "{why}");
        }
    }

    #[test]
    fn strings_are_the_same_when_their_characters_are() {
        assert_eq!(exact(br"\u00e9\n"), exact("é\\n".as_bytes()));
        assert_eq!(exact(br"\ud83d\ude00"), "😀".as_bytes());
        assert_ne!(exact(br"\ud800"), exact(br"\ud801"));
        assert_eq!(exact(br"\ud800x"), exact(br"\uD800x"));
        assert_ne!(exact(br"\ud800"), exact("\u{fffd}".as_bytes()));
    }

    proptest! {
        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..40)) {
            let _ = string_member(&junk, "a");
            let _ = Scanner::new(&junk).skip_value();
        }
    }
}
