//! Decoding the escapes of a JSON string.

/// Appends the decoded text of a string token to `out`.
///
/// The scanner has checked the token, so a malformed escape cannot occur, and would be dropped. A
/// lone surrogate becomes `?`, as in the original.
pub(crate) fn decode(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        rest = decode_escape(escape, out);
    }
    out.extend_from_slice(rest);
}

/// Decodes the escape at the start of `text` and returns the rest.
fn decode_escape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let byte = match text.get(1) {
        Some(b'u') => return decode_unicode(text, out),
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(other) => *other,
        None => return &[],
    };
    out.push(byte);
    text.get(2..).unwrap_or_default()
}

fn decode_unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let first = unit(text).unwrap_or(0xd800);
    let rest = text.get(6..).unwrap_or_default();
    let second = if rest.starts_with(b"\\u") { unit(rest) } else { None };
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            push(char::from_u32(code).unwrap_or('?'));
            rest.get(6..).unwrap_or_default()
        }
        _ => {
            push(char::from_u32(first).unwrap_or('?'));
            rest
        }
    }
}

/// The code unit of the `\uXXXX` at the start of `text`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text.get(2..6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    fn decoded(raw: &str) -> String {
        let mut out = Vec::new();
        super::decode(raw.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decodes_escapes() {
        assert_eq!(decoded(r#"a\n\t\"\\\/\u00e9z"#), "a\n\t\"\\/\u{e9}z");
        assert_eq!(decoded(r"\ud83d\ude00"), "\u{1f600}");
    }

    #[test]
    fn a_lone_surrogate_is_a_question_mark() {
        assert_eq!(decoded(r"\ud800x"), "?x");
        assert_eq!(decoded(r"\udc00\ud83d\ude00"), "?\u{1f600}");
        assert_eq!(decoded(r"\ud800\ud800"), "??");
    }
}
