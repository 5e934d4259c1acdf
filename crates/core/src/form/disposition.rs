//! What the head of a part says of it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters of a part that a reader must agree on with every other one.
const KNOWN: [&str; 4] = ["name", "filename", "name*", "filename*"];

/// What the head of a part says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    /// The file's name; `None` for what is no file.
    pub(super) filename: Option<String>,
    pub(super) content_type: Option<String>,
}

impl Head {
    /// Reads the lines before a part's content. The error says what is wrong.
    pub(super) fn read(head: &str) -> Result<Self, &'static str> {
        let (mut disposition, mut content_type) = (None, None);
        for (name, value) in lines(head)? {
            if name.eq_ignore_ascii_case("content-disposition") {
                if disposition.replace(value).is_some() {
                    return Err("a part has two content-disposition headers");
                }
            } else if name.eq_ignore_ascii_case("content-type") {
                content_type.get_or_insert(value);
            }
        }
        let disposition = disposition.unwrap_or_default();
        let parameters = Parameters::read(&disposition)?;
        let name = parameters.text("name", "name*").ok_or("a part has no name")?;
        Ok(Self { name, filename: parameters.text("filename", "filename*"), content_type })
    }
}

/// The header lines; one that begins with a blank goes on the one before it (RFC 5322 section 2.2.3).
fn lines(head: &str) -> Result<Vec<(&str, String)>, &'static str> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for line in head.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err("the head of a part ends in a bare line feed");
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = lines.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            lines.push((name.trim(), value.trim().to_owned()));
        }
    }
    Ok(lines)
}

/// The parameters of a `Content-Disposition` that are known, as they are written.
#[derive(Debug, Default)]
struct Parameters<'v>([Option<Cow<'v, str>>; KNOWN.len()]);

impl<'v> Parameters<'v> {
    fn read(value: &'v str) -> Result<Self, &'static str> {
        let mut found = Self::default();
        let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
        loop {
            rest = rest.trim_start_matches([' ', '\t', ';']);
            if rest.is_empty() {
                return Ok(found);
            }
            let end = rest.find(['=', ';']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            let Some(after) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let (text, next) = value_of(after.trim_start())?;
            let known = KNOWN.iter().position(|known| key.trim().eq_ignore_ascii_case(known));
            if known.is_some_and(|place| found.0[place].replace(text).is_some()) {
                return Err("a part is named twice");
            }
            rest = next.find(';').map_or("", |at| &next[at..]);
        }
    }

    /// A parameter by its two names: the extended one counts where it can be decoded.
    fn text(&self, plain: &str, extended: &str) -> Option<String> {
        let find = |name| self.0[KNOWN.iter().position(|known| *known == name)?].as_deref();
        let (plain, extended): (Option<&str>, Option<&str>) = (find(plain), find(extended));
        let decoded = extended.and_then(decode_extended);
        decoded.or_else(|| plain.or(extended).map(str::to_owned))
    }
}

/// The value that a text begins with, and what follows it. In quotes only `\"` is an escape: browsers
/// send the backslashes of file names as they are.
fn value_of(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((Cow::Borrowed(text[..end].trim_end()), &text[end..]));
    };
    let quotes = quoted.match_indices('"').map(|(at, _)| at);
    let mut ends = quotes.filter(|at| !quoted[..*at].ends_with('\\') || is_over(&quoted[at + 1..]));
    let end = ends.next().ok_or("a name in a part's head has no closing quote")?;
    let inner = &quoted[..end];
    let plain = match inner.contains("\\\"") {
        true => Cow::Owned(inner.replace("\\\"", "\"")),
        false => Cow::Borrowed(inner),
    };
    Ok((plain, &quoted[end + 1..]))
}

/// Whether a value has ended before this text: nothing follows, or another parameter. So a name that
/// ends in a backslash is told from one with a quote in it, which senders write alike.
fn is_over(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '\t']);
    let Some(next) = text.strip_prefix(';') else { return text.is_empty() };
    let next = next.trim_start_matches([' ', '\t']);
    next.is_empty()
        || KNOWN.iter().any(|known| {
            let after = next.get(known.len()..).filter(|_| next.is_char_boundary(known.len()));
            let same = next.get(..known.len()).is_some_and(|key| key.eq_ignore_ascii_case(known));
            same && after.is_some_and(|after| after.trim_start().starts_with('='))
        })
}

/// A value of RFC 8187, `UTF-8'en'a%20b`; `None` when it is none or in a charset that is not known.
fn decode_extended(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(encoded).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(disposition: &str) -> (String, Option<String>) {
        let head = Head::read(&format!("Content-Disposition: {disposition}")).unwrap();
        (head.name, head.filename)
    }

    #[test]
    fn names_are_read_as_senders_write_them() {
        for (disposition, name, filename) in [
            (r#"form-data; name="a""#, "a", None),
            (r"form-data; name=a ; filename = b.txt", "a", Some("b.txt")),
            (r#"form-data;name="a";filename="""#, "a", Some("")),
            (r#"form-data; NAME="a"; FileName="C:\x;\".txt""#, "a", Some(r#"C:\x;".txt"#)),
            (r#"form-data; name="a\""#, r"a\", None),
            (r#"form-data; name="a\"; filename="b\" "#, r"a\", Some(r"b\")),
            (r#"form-data; name="a\"; b""#, r#"a"; b"#, None),
            (r#"form-data; name="a\\""#, r"a\\", None),
            (r#"form-data; filename="a;name=b"; name="c""#, "c", Some("a;name=b")),
            (r#"form-data; flag; name="a""#, "a", None),
            (r#"form-data; name="a"; filename*=UTF-8''a%20%e2%82%ac"#, "a", Some("a €")),
            (r#"form-data; name="a"; filename="x"; filename*=UTF-8''y"#, "a", Some("y")),
            (r#"form-data; name="a"; filename="x"; filename*=KOI8-R''y"#, "a", Some("x")),
            (r#"form-data; name="a"; filename*=iso-8859-1'de'%E9"#, "a", Some("é")),
            (r#"form-data; name="a"; filename*=plain"#, "a", Some("plain")),
            (r"form-data; name*=UTF-8''%C3%A9", "é", None),
        ] {
            let expected = (name.to_owned(), filename.map(str::to_owned));
            assert_eq!(read(disposition), expected, "{disposition}");
        }
    }

    #[test]
    fn heads_may_be_folded() {
        let head = "content-disposition : form-data;\r\n\tname=\"a\";\r\n  filename=\"b\"\r\n\
                    Content-Type: text/plain;\r\n charset=x";
        let head = Head::read(head).unwrap();
        assert_eq!((head.name.as_str(), head.filename.as_deref()), ("a", Some("b")));
        assert_eq!(head.content_type.as_deref(), Some("text/plain; charset=x"));
    }

    #[test]
    fn what_readers_would_not_agree_on_is_refused() {
        for head in [
            "",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; filename=\"a\"",
            "Content-Disposition: form-data; name=\"a",
            "Content-Disposition: form-data; name=\"a\"; name=\"b\"",
            "Content-Disposition: form-data; name=\"a\"; filename=x; FILENAME=y",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
            "Content-Disposition: form-data; name=\"a\"\n\nvalue",
        ] {
            assert!(Head::read(head).is_err(), "{head}");
        }
    }

    proptest! {
        #[test]
        fn no_head_breaks_it(head in "(Content-Disposition: |;|=|\"|\\\\|\\*|name|filename|'|%|\n| |é|a){0,30}") {
            let _ = Head::read(&head);
        }

        #[test]
        fn a_quoted_name_comes_back(name in "[a-z;= é\"]{0,12}") {
            let quoted = format!("form-data; name=\"{}\"", name.replace('"', "\\\""));
            prop_assert_eq!(read(&quoted).0, name);
        }
    }
}
