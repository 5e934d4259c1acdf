//! `multipart/form-data` (RFC 7578), from a body that is in memory already.
//!
//! Own parser: the body is bounded before it comes here and a part is either a short text or only
//! measured and hashed, so there is nothing to stream. What another reader might split elsewhere is
//! refused: a sender that is told so can mend it, and one whose data is lost cannot.

use memchr::memmem;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::FIELDS_MAX;
use super::disposition::Head;
use crate::body;

/// The longest head of one part: a few header lines with a file's name.
const PART_HEAD_BYTES_MAX: usize = 8 * 1024;

/// The longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What one part holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Part {
    /// A field's text.
    Text(String),
    /// What is kept of a file.
    File(File),
}

/// A file that came along: what it was, not its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct File {
    filename: String,
    content_type: Option<String>,
    size: usize,
    sha256: String,
}

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its structure is broken; the words say where.
    Broken(&'static str),
    /// A field's text is not UTF-8.
    NotUtf8,
}

/// The parts of a form, in order. `content_type` is the whole header value.
pub fn parse(content_type: &str, body: &[u8]) -> Result<Vec<(String, Part)>, Fault> {
    let boundary = body::parameter(content_type, "boundary")
        .filter(|boundary| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()))
        .ok_or(Fault::Broken("the content type has no usable boundary"))?;
    let line = format!("\n--{boundary}");
    let delimiter = memmem::Finder::new(line.as_bytes());
    let boundary = memmem::Finder::new(&line.as_bytes()[1..]);
    let mut rest = after_first(body, &boundary)?;
    let mut parts = Vec::new();
    loop {
        let (closing, rest_of_line) = match rest.strip_prefix(b"--") {
            Some(after) => (true, without_padding(after)),
            None => (false, without_padding(rest)),
        };
        if closing {
            check_epilogue(rest_of_line, &boundary)?;
            return Ok(parts);
        }
        if parts.len() == FIELDS_MAX {
            return Err(Fault::Broken("there are too many parts"));
        }
        let part = rest_of_line
            .strip_prefix(b"\r\n")
            .ok_or(Fault::Broken("a boundary does not end its line"))?;
        let end = delimiter.find(part).ok_or(Fault::Broken("the closing boundary is missing"))?;
        // A boundary may not be in what it bounds (RFC 2046, section 5.1.1), after whatever line end.
        let whole = part[..end]
            .strip_suffix(b"\r")
            .ok_or(Fault::Broken("a boundary follows a bare line feed"))?;
        parts.push(read_part(whole)?);
        rest = &part[end + line.len()..];
    }
}

/// What follows the first boundary. What stands before it is passed over, if it is whole lines.
fn after_first<'b>(body: &'b [u8], boundary: &memmem::Finder<'_>) -> Result<&'b [u8], Fault> {
    let at = boundary.find(body).ok_or(Fault::Broken("the first boundary is missing"))?;
    let begins_line = at == 0 || body[at - 1] == b'\n';
    match begins_line {
        true => Ok(&body[at + boundary.needle().len()..]),
        false => Err(Fault::Broken("the first boundary does not begin a line")),
    }
}

fn without_padding(line: &[u8]) -> &[u8] {
    let padding = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &line[padding..]
}

/// What follows the closing boundary is passed over, unless it has parts that would be lost with it.
fn check_epilogue(epilogue: &[u8], boundary: &memmem::Finder<'_>) -> Result<(), Fault> {
    if !matches!(epilogue, [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
        return Err(Fault::Broken("the closing boundary does not end its line"));
    }
    match boundary.find(epilogue) {
        Some(_) => Err(Fault::Broken("there is a boundary after the closing one")),
        None => Ok(()),
    }
}

fn read_part(part: &[u8]) -> Result<(String, Part), Fault> {
    let window = &part[..part.len().min(PART_HEAD_BYTES_MAX)];
    let end = memmem::find(window, b"\r\n\r\n")
        .ok_or(Fault::Broken("the headers of a part do not end, or are too long"))?;
    let head = std::str::from_utf8(&part[..end]).map_err(|_| Fault::NotUtf8)?;
    let content = &part[end + 4..];
    let Head { name, filename, content_type } = Head::read(head).map_err(Fault::Broken)?;
    let part = match filename {
        Some(filename) => Part::File(File {
            filename,
            content_type,
            size: content.len(),
            sha256: hex::encode(Sha256::digest(content)),
        }),
        None => Part::Text(String::from_utf8(content.to_vec()).map_err(|_| Fault::NotUtf8)?),
    };
    Ok((name, part))
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

    const NAMED: &str = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1";

    #[test]
    fn no_part_is_lost_beside_a_boundary() {
        for body in [
            format!("\n--xYz\r\n{NAMED}\r\n--xYz--\r\n"),
            format!("preamble\n--xYz\r\n{NAMED}\r\n--xYz--"),
            format!("--xYz\r\n{NAMED}\r\n--xYz-- \r\nepilogue"),
            format!("--xYz\r\n{NAMED}\r\n--xYz--\nepilogue"),
        ] {
            assert_eq!(parse(TYPE, body.as_bytes()).unwrap(), [text("a", "1")], "{body}");
        }
        let second = NAMED.replace("\"a\"", "\"b\"");
        for body in [
            format!(" --xYz\r\n{NAMED}\r\n--xYz\r\n{second}\r\n--xYz--"),
            format!("x--xYz\r\n{NAMED}\r\n--xYz\r\n{second}\r\n--xYz--"),
            format!("--xYz\r\n{NAMED}\n--xYz\r\n{second}\r\n--xYz--"),
            format!("--xYz\n{}\n--xYz--\n", NAMED.replace("\r\n", "\n")),
            format!("--xYz\r\n{}\r\n\r\nmore\r\n--xYz--", NAMED.replace("\r\n", "\n")),
            format!("--xYz\r\n{NAMED}\r\n--xYz--\r\n--xYz\r\n{second}\r\n--xYz--"),
            format!("--xYz\r\n{NAMED}\r\n--xYz--x"),
            format!("--xYz\r\n\r\n{NAMED}\r\n--xYz--"),
        ] {
            assert!(matches!(parse(TYPE, body.as_bytes()), Err(Fault::Broken(_))), "{body}");
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
        fn what_is_written_is_read(
            fields in prop::collection::vec(("[a-z;\\\\]{1,6}", "[a-z\\r\\n-]{0,12}"), 0..6),
            lead in prop::sample::select(&["", "\r\n", "\n", "lead\r\n"][..]),
        ) {
            let part = |(name, value): &(String, String)| {
                format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let body = format!("{lead}{}--xYz--\r\n", fields.iter().map(part).collect::<String>());
            let expected: Vec<_> = fields.iter().map(|(name, value)| text(name, value)).collect();
            prop_assert_eq!(parse(TYPE, body.as_bytes()).unwrap(), expected);
        }

        #[test]
        fn no_body_breaks_it(body in "(--xYz|\r\n|--|: |;|=|\"|\\\\|name|Content-Disposition|a){0,40}") {
            let _ = parse(TYPE, body.as_bytes());
        }
    }
}
