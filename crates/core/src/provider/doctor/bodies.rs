//! Bodies that a sender may have signed.

use std::borrow::Cow;

use crate::provider::request::Request;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How JSON is spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spacing {
    Kept,
    Compact,
    /// A space after each comma and colon, as Python writes it.
    Spaced,
    /// Each member on a line of its own, this many spaces further in.
    Lines(usize),
}

/// How characters in JSON are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    Kept,
    /// All that is not ASCII as `\uXXXX`.
    Ascii,
    /// No `\uXXXX` for what is printable.
    Plain,
    /// `\/` for a slash, as PHP writes it.
    Slashes,
}

/// Bodies like the one that came, each with words for what it is; the likely ones first. They are
/// made one at a time.
pub(super) fn candidates<'r>(
    request: &'r Request<'r>,
) -> impl Iterator<Item = (Cow<'r, [u8]>, String)> {
    let body = request.body;
    plain(body)
        .into_iter()
        .map(|(body, words)| (body, words.to_owned()))
        .chain(json(body))
        .chain(form(request))
}

fn plain(body: &[u8]) -> Vec<(Cow<'_, [u8]>, &'static str)> {
    let text = std::str::from_utf8(body).ok();
    let trimmed = body.trim_ascii_end();
    let mut found: Vec<(Cow<'_, [u8]>, &str)> = Vec::new();
    let mut add = |body: Cow<'static, [u8]>, words| found.push((body, words));
    if trimmed.len() < body.len() {
        add(trimmed.to_vec().into(), "without the white space at its end");
    }
    add([body, b"\n"].concat().into(), "with a line feed at its end");
    add([body, b"\r\n"].concat().into(), "with a line end at its end");
    match body.strip_prefix(MARK) {
        Some(bare) => add(bare.to_vec().into(), "without the byte order mark"),
        None => add([MARK, body].concat().into(), "with a byte order mark"),
    }
    if let Some(text) = text {
        let unix = text.replace("\r\n", "\n");
        if text.contains('\n') {
            add(unix.replace('\n', "\r\n").into_bytes().into(), "with CR LF at the ends of lines");
        }
        if unix.len() < text.len() {
            add(unix.into_bytes().into(), "with LF at the ends of lines");
        }
        let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        if let Some(latin) = latin.filter(|latin| latin.len() < text.len()) {
            add(latin.into(), "in the charset ISO-8859-1");
        }
    } else {
        let text: String = body.iter().map(|byte| char::from(*byte)).collect();
        add(text.into_bytes().into(), "in the charset UTF-8");
    }
    if !body.is_empty() {
        add(Cow::Borrowed(b""), "left out: the sender signed an empty one");
    }
    found
}

fn json(body: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, String)> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.starts_with(['{', '[']));
    let spacings = [
        (Spacing::Kept, "as it is spaced"),
        (Spacing::Compact, "without white space"),
        (Spacing::Spaced, "with a space after commas and colons"),
        (Spacing::Lines(2), "in lines indented by 2"),
        (Spacing::Lines(4), "in lines indented by 4"),
    ];
    let escapings = [
        (Escaping::Kept, ""),
        (Escaping::Ascii, " and all but ASCII escaped"),
        (Escaping::Plain, " and nothing printable escaped"),
        (Escaping::Slashes, " and slashes escaped"),
    ];
    text.into_iter().flat_map(move |text| {
        spacings.into_iter().flat_map(move |(spacing, spaced)| {
            escapings.into_iter().filter_map(move |(escaping, escaped)| {
                let written = rewrite(text, spacing, escaping)?;
                let words = format!("as JSON {spaced}{escaped}");
                (written != text).then(|| (Cow::Owned(written.into_bytes()), words))
            })
        })
    })
}

fn form<'r>(request: &'r Request<'r>) -> impl Iterator<Item = (Cow<'r, [u8]>, String)> {
    let text = std::str::from_utf8(request.body).ok().filter(|_| request.is_form());
    let pairs = [("+", "%20", "with %20 for spaces"), ("%20", "+", "with + for spaces")];
    text.into_iter().flat_map(move |text| {
        pairs.into_iter().filter(|(from, ..)| text.contains(from)).map(|(from, to, words)| {
            (Cow::Owned(text.replace(from, to).into_bytes()), words.to_owned())
        })
    })
}

/// The JSON text with other spacing and escaping; everything else stays, the order of members too.
/// `None` when a string does not end.
fn rewrite(text: &str, spacing: Spacing, escaping: Escaping) -> Option<String> {
    let mut written = String::with_capacity(text.len() + text.len() / 4);
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = string_end(rest)?;
            write_string(&rest[..end], escaping, &mut written)?;
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if spacing == Spacing::Kept {
            written.push(c);
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if closes {
            depth = depth.checked_sub(1)?;
            if !written.ends_with(['{', '[']) {
                new_line(spacing, depth, &mut written);
            }
        }
        written.push(c);
        let empty = rest.trim_ascii_start().starts_with(['}', ']']);
        match c {
            '{' | '[' => {
                depth += 1;
                if !empty {
                    new_line(spacing, depth, &mut written);
                }
            }
            ',' if spacing == Spacing::Spaced => written.push(' '),
            ',' => new_line(spacing, depth, &mut written),
            ':' if spacing != Spacing::Compact => written.push(' '),
            _ => {}
        }
    }
    Some(written)
}

fn new_line(spacing: Spacing, depth: usize, written: &mut String) {
    if let Spacing::Lines(indent) = spacing {
        written.push('\n');
        written.extend(std::iter::repeat_n(' ', indent * depth));
    }
}

/// Where the string that the text starts with ends.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn write_string(string: &str, escaping: Escaping, written: &mut String) -> Option<()> {
    match escaping {
        Escaping::Kept => written.push_str(string),
        Escaping::Slashes => {
            written.push_str(&string.replace("\\/", "/").replace('/', "\\/"));
        }
        Escaping::Plain => {
            let plain: String = serde_json::from_str(string).ok()?;
            written.push_str(&serde_json::to_string(&plain).ok()?);
        }
        Escaping::Ascii => {
            let mut units = [0; 2];
            for c in string.chars() {
                if c.is_ascii() {
                    written.push(c);
                    continue;
                }
                for unit in c.encode_utf16(&mut units) {
                    written.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "{\"a\": [1,2, {}], \"u\":\"é/\\\"{\"}";

    #[test]
    fn json_is_spaced_in_each_way() {
        let spaced = |spacing| rewrite(TEXT, spacing, Escaping::Kept).unwrap();
        assert_eq!(spaced(Spacing::Kept), TEXT);
        assert_eq!(spaced(Spacing::Compact), "{\"a\":[1,2,{}],\"u\":\"é/\\\"{\"}");
        assert_eq!(spaced(Spacing::Spaced), "{\"a\": [1, 2, {}], \"u\": \"é/\\\"{\"}");
        let lines = "{\n  \"a\": [\n    1,\n    2,\n    {}\n  ],\n  \"u\": \"é/\\\"{\"\n}";
        assert_eq!(spaced(Spacing::Lines(2)), lines);
    }

    #[test]
    fn json_is_escaped_in_each_way() {
        let escaped = |text, escaping| rewrite(text, Spacing::Kept, escaping).unwrap();
        assert_eq!(escaped("[\"é😀\"]", Escaping::Ascii), "[\"\\u00e9\\ud83d\\ude00\"]");
        assert_eq!(escaped("[\"\\u00e9\\/\"]", Escaping::Plain), "[\"é/\"]");
        assert_eq!(escaped("[\"a/b\\/c\"]", Escaping::Slashes), "[\"a\\/b\\/c\"]");
    }

    #[test]
    fn broken_text_is_left_alone() {
        for text in ["{\"a", "}", "[\"\\"] {
            assert_eq!(rewrite(text, Spacing::Compact, Escaping::Kept), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn rewriting_keeps_the_meaning(keys in proptest::collection::btree_map("\\PC{0,6}", "\\PC{0,9}", 0..5)) {
            let value = serde_json::json!({ "m": keys, "l": [1, [], { "x": null }] });
            let text = serde_json::to_string_pretty(&value).unwrap();
            for spacing in [Spacing::Kept, Spacing::Compact, Spacing::Spaced, Spacing::Lines(4)] {
                for escaping in [Escaping::Kept, Escaping::Ascii, Escaping::Plain, Escaping::Slashes] {
                    let written = rewrite(&text, spacing, escaping).unwrap();
                    let read: serde_json::Value = serde_json::from_str(&written).unwrap();
                    prop_assert_eq!(&read, &value);
                }
            }
            let compact = rewrite(&text, Spacing::Compact, Escaping::Kept).unwrap();
            prop_assert_eq!(compact, value.to_string());
            let pretty = rewrite(&value.to_string(), Spacing::Lines(2), Escaping::Kept).unwrap();
            prop_assert_eq!(pretty, text);
        }

        #[test]
        fn any_text_is_taken(text in "[\\[\\]{}\",:\\\\a-c0-9é ]{0,40}") {
            let request = Request {
                method: &http::Method::POST, headers: &http::HeaderMap::new(), url: None, query: "",
                body: text.as_bytes(),
            };
            prop_assert!(candidates(&request).count() < 60);
        }
    }
}
