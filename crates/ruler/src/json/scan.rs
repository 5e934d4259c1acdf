//! The scanner: checks the syntax of JSON tokens and skips values, eight bytes at a step.
//!
//! Most of an event is fields that no rule names. Such fields must still be checked (a syntax error
//! anywhere refuses the event), so the speed of skipping is the speed of the library.

use super::JsonError;
use super::words::{first_byte, non_digits, string_specials};
use crate::limits::{MAX_DEPTH, MAX_KEY_CHARS, MAX_NUMBER_CHARS};

/// The text between the quotes of a string token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether the string holds backslash escapes and so must be decoded before use.
    pub(crate) escaped: bool,
}

/// A position in a JSON text.
///
/// Code off the hot path is a function of the bytes and the position, by value: a method without
/// inlining would force the position out of the register.
pub(crate) struct Scanner<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) pos: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Scanner { bytes, pos: 0 }
    }

    /// The next byte, or 0 at the end; a NUL is valid nowhere outside a string.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u8 {
        self.bytes.get(self.pos).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub(crate) fn fail<T>(&self, problem: &'static str) -> Result<T, JsonError> {
        Err(failure(self.bytes, self.pos, problem))
    }

    /// Skips white space and returns the next byte.
    #[inline(always)]
    pub(crate) fn next_token(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.pos = after_white_space(self.bytes, self.pos);
        self.peek()
    }

    #[inline(always)]
    fn word(&self) -> Option<u64> {
        let chunk = self.bytes.get(self.pos..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*chunk))
    }

    /// Reads the rest of a string whose opening quote has been consumed.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<Span, JsonError> {
        let start = self.pos;
        let mut escaped = false;
        loop {
            if let Some(word) = self.word() {
                let special = string_specials(word);
                if special == 0 {
                    self.pos += 8;
                    continue;
                }
                self.pos += first_byte(special);
            }
            match self.peek() {
                b'"' => {
                    let end = self.pos;
                    self.pos += 1;
                    return Ok(Span { start, end, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.pos = after_escape(self.bytes, self.pos)?;
                }
                0..0x20 => return self.fail("control character in a string"),
                _ => self.pos += 1,
            }
        }
    }

    /// Reads the key of a member and the next colon; `self` stands at the key.
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<Span, JsonError> {
        if self.next_token() != b'"' {
            return self.fail("expected a key in double quotes");
        }
        self.pos += 1;
        let key = self.string()?;
        if key.end - key.start > MAX_KEY_CHARS {
            check_key_length(self.bytes, key)?;
        }
        if self.next_token() != b':' {
            return self.fail("expected a colon after the key");
        }
        self.pos += 1;
        Ok(key)
    }

    /// Reads a number; `self` stands at the first byte. The text is `bytes[start..pos]`.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        if self.peek() == b'-' {
            self.pos += 1;
        }
        match self.peek() {
            b'0' => self.pos += 1,
            b'1'..=b'9' => {
                self.pos += 1;
                while self.peek().is_ascii_digit() {
                    self.pos += 1;
                }
            }
            _ => return self.fail("expected a digit"),
        }
        if self.peek() == b'.' {
            self.pos += 1;
            self.digits()?;
        }
        if self.peek() | 0x20 == b'e' {
            self.pos += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.pos += 1;
            }
            self.digits()?;
        }
        if self.pos - start > MAX_NUMBER_CHARS {
            return Err(JsonError::new(start, "number longer than 1,000 characters"));
        }
        Ok(())
    }

    /// At least a digit.
    #[inline(always)]
    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        while self.word().is_some_and(|word| non_digits(word) == 0) {
            self.pos += 8;
        }
        while self.peek().is_ascii_digit() {
            self.pos += 1;
        }
        if self.pos > start { Ok(()) } else { self.fail("expected a digit") }
    }

    /// Reads `true`, `false` or `null`.
    #[inline(always)]
    pub(crate) fn literal(&mut self) -> Result<(), JsonError> {
        let word: &[u8] = match self.peek() {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return self.fail("expected a value"),
        };
        if self.bytes.get(self.pos..self.pos + word.len()) != Some(word) {
            return self.fail("expected a value");
        }
        self.pos += word.len();
        Ok(())
    }

    /// Checks and skips one value below `depth` open containers.
    #[inline(always)]
    pub(crate) fn skip_value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.next_token() {
            b'{' | b'[' => {
                self.pos = after_container(self.bytes, self.pos, depth)?;
                Ok(())
            }
            _ => self.skip_scalar(),
        }
    }

    #[inline(always)]
    pub(crate) fn skip_scalar(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            b'"' => {
                self.pos += 1;
                self.string().map(|_| ())
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.literal(),
        }
    }

    /// Closes containers until a comma; true when the outermost container is closed.
    #[inline(always)]
    fn after_value(&mut self, open: &mut Containers) -> Result<bool, JsonError> {
        loop {
            let byte = self.next_token();
            if byte == b',' {
                self.pos += 1;
                if open.in_object {
                    self.key()?;
                }
                return Ok(false);
            }
            if byte != if open.in_object { b'}' } else { b']' } {
                return self.fail("expected a comma or the end of the object or array");
            }
            self.pos += 1;
            if open.pop() {
                return Ok(true);
            }
        }
    }
}

/// Checks the object or array at `pos`, below `depth` open ones, and returns the position after the
/// container.
fn after_container(bytes: &[u8], pos: usize, depth: usize) -> Result<usize, JsonError> {
    let mut scanner = Scanner { bytes, pos };
    let mut open = Containers::new(depth);
    loop {
        // At a value.
        match scanner.next_token() {
            b'{' => {
                scanner.pos += 1;
                open.push(true, scanner.pos)?;
                if scanner.next_token() != b'}' {
                    scanner.key()?;
                    continue;
                }
            }
            b'[' => {
                scanner.pos += 1;
                open.push(false, scanner.pos)?;
                if scanner.next_token() != b']' {
                    continue;
                }
            }
            _ => scanner.skip_scalar()?,
        }
        if scanner.after_value(&mut open)? {
            return Ok(scanner.pos);
        }
    }
}

#[cold]
fn failure(bytes: &[u8], pos: usize, problem: &'static str) -> JsonError {
    JsonError::new(pos, if pos >= bytes.len() { "text ends too early" } else { problem })
}

#[inline(never)]
fn after_white_space(bytes: &[u8], pos: usize) -> usize {
    let rest = bytes.get(pos..).unwrap_or_default();
    pos + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The position after the escape that starts at `pos`.
#[inline(never)]
fn after_escape(bytes: &[u8], pos: usize) -> Result<usize, JsonError> {
    match bytes.get(pos + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(pos + 2),
        Some(b'u') => {
            let digits = bytes.get(pos + 2..pos + 6).unwrap_or_default();
            if digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit) {
                return Ok(pos + 6);
            }
            Err(failure(bytes, pos, "expected four hexadecimal digits after \\u"))
        }
        _ => Err(failure(bytes, pos, "unknown escape in a string")),
    }
}

#[cold]
fn check_key_length(bytes: &[u8], key: Span) -> Result<(), JsonError> {
    let text = bytes.get(key.start..key.end).unwrap_or_default();
    match std::str::from_utf8(text).map(|text| text.chars().count()) {
        Ok(0..=MAX_KEY_CHARS) => Ok(()),
        Ok(_) => Err(JsonError::new(key.start, "key longer than 50,000 characters")),
        Err(_) => Err(JsonError::new(key.start, "text is not UTF-8")),
    }
}

/// The kinds of the open containers, one bit each.
struct Containers {
    in_object: bool,
    level: usize,
    limit: usize,
    bits: [u64; MAX_DEPTH / 64 + 1],
}

impl Containers {
    fn new(depth: usize) -> Self {
        Containers {
            in_object: false,
            level: 0,
            limit: MAX_DEPTH.saturating_sub(depth),
            bits: [0; MAX_DEPTH / 64 + 1],
        }
    }

    #[inline(always)]
    fn push(&mut self, object: bool, pos: usize) -> Result<(), JsonError> {
        if self.level >= self.limit {
            return Err(JsonError::new(pos, "nested deeper than 1,000 levels"));
        }
        if let Some(word) = self.bits.get_mut(self.level / 64) {
            let bit = 1 << (self.level % 64);
            *word = if object { *word | bit } else { *word & !bit };
        }
        self.level += 1;
        self.in_object = object;
        Ok(())
    }

    /// Leaves the innermost container; true when none is left.
    #[inline(always)]
    fn pop(&mut self) -> bool {
        self.level -= 1;
        if self.level == 0 {
            return true;
        }
        let outer = self.level - 1;
        let word = self.bits.get(outer / 64).copied().unwrap_or(0);
        self.in_object = word >> (outer % 64) & 1 == 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skips(text: &str) -> bool {
        let mut scanner = Scanner::new(text.as_bytes());
        scanner.skip_value(0).is_ok() && scanner.next_token() == 0 && scanner.pos == text.len()
    }

    #[test]
    fn accepts_json() {
        for text in [
            "0",
            "-0",
            "12345678901234567890",
            "1.5e+10",
            "0.0E-0",
            r#""""#,
            r#""\u00e9\n\\\"/""#,
            r#"{"a":[1,{"b":null},[],{}],"c":"longer than eight bytes"}"#,
            " [ true , false ] ",
            "\"caf\u{e9} \u{1f600}\"",
        ] {
            assert!(skips(text), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "01",
            "+1",
            ".5",
            "5.",
            "1e",
            "--1",
            "nul",
            "tru",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1}",
            "{\"a\":1]",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"tab\there\"",
            "\"open",
            "NaN",
            "[1 2]",
            "{\"a\" 1}",
            "\u{0}",
        ] {
            assert!(!skips(text), "{text}");
        }
    }

    #[test]
    fn finds_the_special_byte_at_each_place_of_a_word() {
        for before in 0..20 {
            let text = format!("{}\"", "\u{7f}".repeat(before));
            let span = Scanner::new(text.as_bytes()).string().unwrap();
            assert_eq!(span.end, before);
            let text = format!("{}\u{1f}\"", "!".repeat(before));
            assert_eq!(Scanner::new(text.as_bytes()).string().unwrap_err().offset(), before);
        }
    }

    #[test]
    fn nests_to_the_limit_and_no_deeper() {
        let nest = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(skips(&nest(MAX_DEPTH)));
        assert!(!skips(&nest(MAX_DEPTH + 1)));
    }

    #[test]
    fn bounds_numbers() {
        assert!(skips(&"1".repeat(MAX_NUMBER_CHARS)));
        assert!(!skips(&"1".repeat(MAX_NUMBER_CHARS + 1)));
    }
}
