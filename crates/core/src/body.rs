//! The first steps for every body: removal of the byte order mark, and notice of charsets other than UTF-8.

use std::borrow::Cow;

/// The byte order mark of UTF-8. Windows editors and some .NET clients put the mark before JSON and forms.
/// The mark is no part of the text (RFC 8259 section 8.1 lets a reader ignore the mark).
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Names of UTF-8 and its subsets, as values of `charset`.
const UTF8: [&str; 5] = ["utf-8", "utf8", "us-ascii", "ascii", "unicode-1-1-utf-8"];

/// Starts of the names of charsets with zero bytes inside letters.
const WIDE: [&str; 5] = ["utf-16", "utf16", "utf-32", "utf32", "ucs-"];

/// The bytes without a leading byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// The body's charset, if other than UTF-8, as named by the `Content-Type`. A name alone decides nothing:
/// many senders name a charset and send plain ASCII or UTF-8 all the same.
pub fn foreign_charset<'v>(content_type: &'v str, body: &[u8]) -> Option<Cow<'v, str>> {
    let charset = parameter(content_type, "charset")?;
    let lower = charset.to_ascii_lowercase();
    if UTF8.contains(&lower.as_str()) {
        return None;
    }
    let wide = WIDE.iter().any(|start| lower.starts_with(start));
    let foreign = std::str::from_utf8(body).is_err() || (wide && body.contains(&0));
    foreign.then_some(charset)
}

/// A media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A parameter of a header value such as `text/plain; charset=utf-8`, with the escapes of a quoted string
/// undone (RFC 9110 section 5.6.6). The first of two parameters with the same name counts.
pub fn parameter<'v>(value: &'v str, name: &str) -> Option<Cow<'v, str>> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        // Parameters without a value are skipped.
        let key = key.rsplit(';').next().unwrap_or_default();
        let (found, next) = token_or_quoted(after.trim_start())?;
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = next.split_once(';')?.1;
    }
}

/// The leading value of a text, and the rest of the text.
fn token_or_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((Cow::Borrowed(text[..end].trim_end()), &text[end..]));
    };
    let mut plain = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((Cow::Owned(plain), &quoted[at + 1..])),
            '\\' => plain.push(letters.next()?.1),
            letter => plain.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_mark_goes() {
        assert_eq!(without_mark(b"\xef\xbb\xbf{}"), b"{}");
        assert_eq!(without_mark(b"\xef\xbb\xbf\xef\xbb\xbf1"), b"\xef\xbb\xbf1");
        assert_eq!(without_mark(b"{}"), b"{}");
        assert_eq!(without_mark(b""), b"");
    }

    #[test]
    fn a_charset_is_foreign_when_the_bytes_say_so_too() {
        let foreign =
            |kind: &'static str, body: &[u8]| foreign_charset(kind, body).map(Cow::into_owned);
        let latin = "application/json; charset=ISO-8859-1";
        assert_eq!(foreign(latin, b"\"\xe9\"").as_deref(), Some("ISO-8859-1"));
        assert_eq!(foreign(latin, "\"é\"".as_bytes()), None);
        assert_eq!(foreign(latin, b"{}"), None);
        assert_eq!(foreign("text/plain; charset=utf-8", b"\xe9"), None);
        assert_eq!(foreign("text/plain", b"\xe9"), None);
        assert_eq!(foreign("a/b;charset=\"UTF-16LE\"", b"1\0").as_deref(), Some("UTF-16LE"));
        assert_eq!(foreign("a/b;charset=utf-16", b"{}"), None);
    }

    #[test]
    fn parameters_are_found_by_name() {
        let find = |value: &'static str, name: &str| parameter(value, name).map(Cow::into_owned);
        assert_eq!(find("a/b; x=1 ; Charset = utf-8", "charset").as_deref(), Some("utf-8"));
        assert_eq!(find(r#"a/b; x="a;charset=\"q"; charset=r"#, "charset").as_deref(), Some("r"));
        assert_eq!(find(r#"a/b; boundary="a\"b""#, "boundary").as_deref(), Some("a\"b"));
        assert_eq!(find("a/b; flag; charset=u", "charset").as_deref(), Some("u"));
        for none in ["a/b", "a/b; charset", "a/b; x=1", "a/b; charset=\"open"] {
            assert_eq!(find(none, "charset"), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read_or_not(value in "(a/b|;|=|\"|\\\\|charset| |é){0,20}") {
            let _ = parameter(&value, "charset");
            let _ = foreign_charset(&value, b"\xff");
        }
    }
}
