//! Filling templates in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cause::{Cause, Refusal};
use super::encoding::Encoding;
use super::pointer::Pointer;
use super::request::Sight;
use super::template::{Piece, Template};

/// The most fields of a form with signed fields, the same as for a delivery.
const FIELDS_MAX: usize = 10_000;

/// The escapes undone by HubSpot before signing; all others stay.
const HUBSPOT_ESCAPES: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// The MAC of some bytes in an encoding.
pub(super) type MacOf<'m> = &'m dyn Fn(Encoding, &[u8]) -> Option<String>;

/// The contents for a template.
pub(super) struct Filling<'a> {
    pub(super) sight: Sight<'a>,
    /// The timestamp as written.
    pub(super) stamp: Option<&'a str>,
    /// The settings of the source.
    pub(super) settings: &'a BTreeMap<String, String>,
    /// The MAC of a value; none while signatures are checked.
    pub(super) mac: Option<MacOf<'a>>,
}

impl<'a> Filling<'a> {
    /// The template's bytes in parts: a large body is not copied.
    pub(super) fn fill(&self, template: &'a Template) -> Result<Vec<Cow<'a, [u8]>>, Refusal> {
        template.0.iter().map(|piece| self.piece(piece)).collect()
    }

    /// The template's text; bytes other than UTF-8 are refused.
    pub(super) fn text(&self, template: &'a Template) -> Result<String, Refusal> {
        String::from_utf8(self.fill(template)?.concat())
            .map_err(|_| Refusal::new(Cause::UnreadableBody, "the body is not UTF-8"))
    }

    fn piece(&self, piece: &'a Piece) -> Result<Cow<'a, [u8]>, Refusal> {
        let request = self.sight.request;
        let bytes = match piece {
            Piece::Text(text) => Cow::Borrowed(text.as_bytes()),
            Piece::Body => Cow::Borrowed(request.body),
            Piece::Method => Cow::Borrowed(request.method.as_str().as_bytes()),
            Piece::Timestamp => {
                let missing = || Refusal::new(Cause::MissingTimestamp, "the timestamp is missing");
                Cow::Borrowed(self.stamp.ok_or_else(missing)?.as_bytes())
            }
            Piece::Url => Cow::Borrowed(self.url()?.as_bytes()),
            Piece::UrlDecoded => Cow::Owned(hubspot_decoded(self.url()?).into_bytes()),
            Piece::BodyCrc32 => Cow::Owned(crc32fast::hash(request.body).to_string().into_bytes()),
            Piece::SortedForm if request.is_form() => Cow::Owned(sorted_form(request.body)?),
            Piece::SortedForm => Cow::Borrowed(&b""[..]),
            Piece::Lines(names) => Cow::Owned(lines(names, request.body)?),
            Piece::Setting(name) => {
                let missing = || Refusal::new(Cause::NoSecret, format!("the setting `{name}`"));
                Cow::Borrowed(self.settings.get(name).ok_or_else(missing)?.as_bytes())
            }
            Piece::Mac(encoding, place) => {
                let missing = || Refusal::new(Cause::MissingPart, place.to_string());
                let value = self.sight.value(place).ok_or_else(missing)?;
                let mac = self.mac.and_then(|mac| mac(*encoding, value.as_bytes()));
                Cow::Owned(mac.ok_or_else(missing)?.into_bytes())
            }
            Piece::Value { place, optional } => match self.sight.value(place) {
                Some(Cow::Borrowed(value)) => Cow::Borrowed(value.as_bytes()),
                Some(Cow::Owned(value)) => Cow::Owned(value.into_bytes()),
                None if *optional => Cow::Borrowed(&b""[..]),
                None => return Err(Refusal::new(Cause::MissingPart, place.to_string())),
            },
        };
        Ok(bytes)
    }

    fn url(&self) -> Result<&'a str, Refusal> {
        let unknown = "set the server's public URL, for this scheme signs it";
        self.sight.request.url.ok_or_else(|| Refusal::new(Cause::UnknownUrl, unknown))
    }
}

/// The URL with HubSpot's escapes undone.
fn hubspot_decoded(url: &str) -> String {
    let mut decoded = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        decoded.push_str(before);
        let code = escape.get(1..3).unwrap_or_default();
        let known = HUBSPOT_ESCAPES.iter().find(|(hex, _)| hex.eq_ignore_ascii_case(code));
        match known {
            Some((_, plain)) => {
                decoded.push(*plain);
                rest = &escape[3..];
            }
            None => {
                decoded.push('%');
                rest = &escape[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// The names and values of an urlencoded form, sorted by name and then value, and joined; a field repeated
/// with the same value counts once.
fn sorted_form(body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut fields: Vec<_> = form_urlencoded::parse(body).take(FIELDS_MAX + 1).collect();
    if fields.len() > FIELDS_MAX {
        let detail = format!("the form has more than {FIELDS_MAX} fields");
        return Err(Refusal::new(Cause::UnreadableBody, detail));
    }
    fields.sort();
    fields.dedup();
    let mut joined = Vec::with_capacity(body.len());
    for (name, value) in fields {
        joined.extend_from_slice(name.as_bytes());
        joined.extend_from_slice(value.as_bytes());
    }
    Ok(joined)
}

/// For each present member, a line with the name and a line with the value.
fn lines(names: &[String], body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut joined = Vec::new();
    for name in names {
        if let Some(value) = Pointer::member(name).text(body) {
            for line in [name.as_str(), value.as_ref()] {
                joined.extend_from_slice(line.as_bytes());
                joined.push(b'\n');
            }
        }
    }
    if joined.is_empty() {
        return Err(Refusal::new(Cause::UnreadableBody, "none of the signed members is there"));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hubspots_escapes_are_undone() {
        let url = "https://e.x/a%2Fb?q=%3a%20%25%2&r=%é";
        assert_eq!(hubspot_decoded(url), "https://e.x/a/b?q=:%20%25%2&r=%é");
    }

    #[test]
    fn forms_are_sorted_and_repeats_count_once() {
        let joined = sorted_form(b"b=2&a=x+y&b=1&b=2&c=%C3%A9").unwrap();
        assert_eq!(joined, "ax yb1b2cé".as_bytes());
        assert!(sorted_form("a=1&".repeat(FIELDS_MAX).as_bytes()).is_ok());
        let flood: String = (0..=FIELDS_MAX).map(|n| format!("a={n}&")).collect();
        assert_eq!(sorted_form(flood.as_bytes()).unwrap_err().cause, Cause::UnreadableBody);
    }

    #[test]
    fn lines_are_of_the_members_that_are_there() {
        let names = ["Message".to_owned(), "Subject".to_owned(), "Type".to_owned()];
        let body = br#"{"Type":"Notification","Message":"a\nb"}"#;
        assert_eq!(lines(&names, body).unwrap(), b"Message\na\nb\nType\nNotification\n");
        assert_eq!(lines(&names, b"{}").unwrap_err().cause, Cause::UnreadableBody);
    }
}
