//! Reading parts of JSON text without building values from it.
//!
//! The text here was validated when it was accepted, so this only finds its way: it never reads past
//! the end, but it does not notice every mistake.

use std::borrow::Cow;

/// The text is not the JSON that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored object is not valid json")]
pub struct Damaged;

/// The offset of the first bracket that opens a level beyond `levels`; `None` when no part of the
/// text is nested so deep.
pub fn too_deep_at(json: &[u8], levels: usize) -> Option<usize> {
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

    /// Skips blanks and then this byte, if it is the next one.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Skips blanks and then this byte.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), Damaged> {
        if self.take(byte) { Ok(()) } else { Err(Damaged) }
    }

    /// Skips a string; what stood between the quotes, escapes and all.
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

    /// Skips an object's key and the colon after it.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, Damaged> {
        let raw = self.string()?;
        self.expect(b':')?;
        unescape(raw)
    }

    /// Skips a string; its text.
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

    /// Skips a value of any kind; its text.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Damaged> {
        self.peek();
        let start = self.at;
        self.skip_value()?;
        Ok(&self.text[start..self.at])
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

/// The value of a member of an object if it is there and a string. Looks no further than the member.
pub fn string_member<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    let mut scanner = Scanner::new(object);
    if !scanner.take(b'{') || scanner.peek()? == b'}' {
        return None;
    }
    loop {
        if scanner.key().ok()? != name {
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

    proptest! {
        #[test]
        fn junk_is_survived(junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ a1"#[..]), 0..40)) {
            let _ = string_member(&junk, "a");
            let _ = Scanner::new(&junk).skip_value();
        }
    }
}
