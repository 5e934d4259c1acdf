//! `multipart/form-data` (RFC 7578), from a body that is in memory already.
//!
//! Own parser: the body is bounded before it comes here and a part is either a short text or only
//! measured and hashed, so there is nothing to stream.

use std::borrow::Cow;

use memchr::memmem;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::fields::FIELDS_MAX;

/// The longest head of one part: a few header lines with a file's name.
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What one part holds.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Part {
    /// A field's text.
    Text(String),
    /// What is kept of a file.
    File(File),
}

/// A file that came along: what it was, not its bytes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct File {
    filename: String,
    content_type: Option<String>,
    size: usize,
    sha256: String,
}

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its structure is broken; the words say where.
    Broken(&'static str),
    /// A field's text is not UTF-8.
    NotUtf8,
}

/// The parts of a form, in order. `content_type` is the whole header value.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Vec<(String, Part)>, Fault> {
    let boundary = parameter(content_type, "boundary")
        .filter(|boundary| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()))
        .ok_or(Fault::Broken("the content type has no usable boundary"))?;
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let unended = Fault::Broken("the closing boundary is missing");
    let first = &delimiter.as_bytes()[2..];
    let mut rest = match body.strip_prefix(first) {
        Some(rest) => rest,
        None => {
            let start = finder.find(body).ok_or(Fault::Broken("the first boundary is missing"))?;
            &body[start + delimiter.len()..]
        }
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        if parts.len() == FIELDS_MAX {
            return Err(Fault::Broken("there are too many parts"));
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let part = rest[padding..]
            .strip_prefix(b"\r\n")
            .ok_or(Fault::Broken("a boundary does not end its line"))?;
        let end = finder.find(part).ok_or(unended)?;
        parts.push(read_part(&part[..end])?);
        rest = &part[end + delimiter.len()..];
    }
    Ok(parts)
}

fn read_part(part: &[u8]) -> Result<(String, Part), Fault> {
    let window = &part[..part.len().min(PART_HEAD_BYTES_MAX)];
    let end = memmem::find(window, b"\r\n\r\n")
        .ok_or(Fault::Broken("the headers of a part do not end, or are too long"))?;
    let head = std::str::from_utf8(&part[..end]).map_err(|_| Fault::NotUtf8)?;
    let content = &part[end + 4..];
    let disposition = header(head, "content-disposition").unwrap_or_default();
    let name = parameter(disposition, "name").ok_or(Fault::Broken("a part has no name"))?;
    let part = match parameter(disposition, "filename") {
        Some(filename) => Part::File(File {
            filename: filename.into_owned(),
            content_type: header(head, "content-type").map(str::to_owned),
            size: content.len(),
            sha256: hex::encode(Sha256::digest(content)),
        }),
        None => Part::Text(String::from_utf8(content.to_vec()).map_err(|_| Fault::NotUtf8)?),
    };
    Ok((name.into_owned(), part))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// A parameter of a header value such as `form-data; name="a"`. In quotes only `\"` is an escape:
/// browsers send the backslashes of file names as they are.
fn parameter<'a>(value: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (found, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted)?;
                (Cow::Owned(quoted[..end].replace("\\\"", "\"")), &quoted[end + 1..])
            }
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (Cow::Borrowed(after[..end].trim_end()), &after[end..])
            }
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = next.split_once(';')?.1;
    }
}

fn closing_quote(quoted: &str) -> Option<usize> {
    let bytes = quoted.as_bytes();
    (0..bytes.len()).find(|at| bytes[*at] == b'"' && (*at == 0 || bytes[at - 1] != b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=xYz";

    fn text(name: &str, value: &str) -> (String, Part) {
        (name.to_owned(), Part::Text(value.to_owned()))
    }

    #[test]
    fn texts_and_files_are_read() {
        let body = b"preamble\r\n--xYz \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\
            \r\n--xYz\r\ncontent-disposition: form-data; name=\"f\"; filename=\"C:\\x;\\\".txt\"\r\n\
            Content-Type: text/plain; charset=x\r\n\r\nHello, World!\
            \r\n--xYz\r\nContent-Disposition: form-data; name=plain\r\n\r\n\r\n--not it\
            \r\n--xYz--\r\nepilogue";
        let file = File {
            filename: "C:\\x;\".txt".to_owned(),
            content_type: Some("text/plain; charset=x".to_owned()),
            size: 13,
            sha256: "dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a362182986f".to_owned(),
        };
        let parts = parse(TYPE, body).unwrap();
        assert_eq!(parts[0], text("a", "one"));
        assert_eq!(parts[1], ("f".to_owned(), Part::File(file)));
        assert_eq!(parts[2], text("plain", "\r\n--not it"));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn boundaries_may_be_quoted_and_forms_empty() {
        let quoted = "multipart/form-data; charset=utf-8; boundary=\"a b\"";
        let body = b"--a b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n\r\n--a b--";
        assert_eq!(parse(quoted, body).unwrap(), [text("n", "")]);
        assert_eq!(parse(TYPE, b"--xYz--\r\n").unwrap(), []);
    }

    #[test]
    fn broken_forms_are_refused() {
        let named = "--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1";
        for body in [
            String::new(),
            "a=1".to_owned(),
            "--xYz".to_owned(),
            "--xYz\r\n".to_owned(),
            named.to_owned(),
            format!("{named}\r\n--xYz"),
            "--xYz\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xYz--".to_owned(),
            "--xYz\r\nno end\r\n--xYz--".to_owned(),
            format!("--xYz\r\nX: {}\r\n\r\n1\r\n--xYz--", "x".repeat(PART_HEAD_BYTES_MAX)),
        ] {
            assert!(matches!(parse(TYPE, body.as_bytes()), Err(Fault::Broken(_))), "{body}");
        }
        let body = b"--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--xYz--";
        assert_eq!(parse(TYPE, body), Err(Fault::NotUtf8));
        for content_type in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert!(matches!(parse(content_type, b"--\r\n"), Err(Fault::Broken(_))));
        }
    }

    #[test]
    fn parts_are_bounded() {
        let part = "\r\n--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        let form = |count: usize| format!("{}\r\n--xYz--", part.repeat(count));
        assert_eq!(parse(TYPE, form(FIELDS_MAX).as_bytes()).unwrap().len(), FIELDS_MAX);
        assert!(parse(TYPE, form(FIELDS_MAX + 1).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_body_breaks_it(body in "(--xYz|\r\n|--|: |;|=|\"|\\\\|name|Content-Disposition|a){0,40}") {
            let _ = parse(TYPE, body.as_bytes());
            let _ = parameter(&body, "name");
        }
    }
}
