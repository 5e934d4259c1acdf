//! Templates of signed texts and of answers to handshakes: text with parts of the request.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::encoding::Encoding;
use super::place::Place;

/// The longest template, in bytes: above the longest known, and still short enough to type.
const TEMPLATE_BYTES_MAX: usize = 1000;

/// Text with parts of the request in braces; a literal brace is doubled.
///
/// - `{body}`: the body's bytes as received.
/// - `{timestamp}`: the scheme's timestamp as written.
/// - `{method}`: the method, in capitals.
/// - `{url}`: the URL as called by the sender, with the query.
/// - `{url_decoded}`: the same, with HubSpot's set of escapes undone.
/// - `{sorted_form}`: the names and values of an urlencoded body, sorted and joined.
/// - `{body_crc32}`: the CRC-32 of the body, in decimal.
/// - `{lines:A,B}`: for each named member of a JSON body, a line with the name and a line with the value.
/// - `{setting:NAME}`: a setting of the source.
/// - `{mac_hex:PLACE}`, `{mac_base64:PLACE}`: the MAC of a value, in an answer.
/// - any [`Place`]: the value; with `?` after the place nothing when the value is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(pub(super) Vec<Piece>);

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Body,
    Timestamp,
    Method,
    Url,
    UrlDecoded,
    SortedForm,
    BodyCrc32,
    Lines(Vec<String>),
    Setting(String),
    Mac(Encoding, Place),
    Value { place: Place, optional: bool },
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// The template is too long.
    #[error("a template has at most 1000 bytes")]
    Long,
    /// A brace stands alone.
    #[error("a brace is open or closed alone; double it where it is meant as text")]
    Brace,
    /// A part is not known.
    #[error("`{{{0}}}` is no part of a request")]
    Part(String),
}

impl Template {
    /// Whether the URL is signed.
    pub fn covers_url(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Url | Piece::UrlDecoded))
    }

    /// Whether every byte of the body is signed.
    pub fn covers_body(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Body | Piece::BodyCrc32))
    }

    /// Whether something of the body is signed.
    pub(super) fn covers_anything(&self) -> bool {
        self.0.iter().any(|piece| match piece {
            Piece::Body | Piece::BodyCrc32 | Piece::SortedForm | Piece::Lines(_) => true,
            Piece::Value { place, .. } => !place.is_in_head(),
            _ => false,
        })
    }

    /// Whether the template has a MAC. Only answers may have a MAC.
    pub(super) fn has_mac(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Mac(..)))
    }

    /// The settings in use by the template.
    pub fn settings(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Setting(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl FromStr for Template {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(BadTemplate::Long);
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain.push_str(before);
            if brace.starts_with("{{") || brace.starts_with("}}") {
                plain.push_str(&brace[..1]);
                rest = &brace[2..];
                continue;
            }
            let (part, after) = brace
                .strip_prefix('{')
                .and_then(|inside| inside.split_once('}'))
                .ok_or(BadTemplate::Brace)?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::parse(part).ok_or_else(|| BadTemplate::Part(part.to_owned()))?);
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

impl Piece {
    fn parse(part: &str) -> Option<Self> {
        let piece = match part {
            "body" => Self::Body,
            "timestamp" => Self::Timestamp,
            "method" => Self::Method,
            "url" => Self::Url,
            "url_decoded" => Self::UrlDecoded,
            "sorted_form" => Self::SortedForm,
            "body_crc32" => Self::BodyCrc32,
            _ => return Self::parse_named(part),
        };
        Some(piece)
    }

    fn parse_named(part: &str) -> Option<Self> {
        if let Some(names) = part.strip_prefix("lines:") {
            let names: Vec<_> = names.split(',').map(str::to_owned).collect();
            return names.iter().all(|name| is_word(name)).then_some(Self::Lines(names));
        }
        if let Some(name) = part.strip_prefix("setting:") {
            return is_word(name).then(|| Self::Setting(name.to_owned()));
        }
        for (word, encoding) in [("mac_hex:", Encoding::Hex), ("mac_base64:", Encoding::Base64)] {
            if let Some(place) = part.strip_prefix(word) {
                return Some(Self::Mac(encoding, place.parse().ok()?));
            }
        }
        let (place, optional) = part.strip_suffix('?').map_or((part, false), |it| (it, true));
        Some(Self::Value { place: place.parse().ok()?, optional })
    }
}

/// Whether a text is a name without need of escapes.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Body => f.write_str("{body}"),
            Piece::Timestamp => f.write_str("{timestamp}"),
            Piece::Method => f.write_str("{method}"),
            Piece::Url => f.write_str("{url}"),
            Piece::UrlDecoded => f.write_str("{url_decoded}"),
            Piece::SortedForm => f.write_str("{sorted_form}"),
            Piece::BodyCrc32 => f.write_str("{body_crc32}"),
            Piece::Lines(names) => write!(f, "{{lines:{}}}", names.join(",")),
            Piece::Setting(name) => write!(f, "{{setting:{name}}}"),
            Piece::Mac(Encoding::Hex, place) => write!(f, "{{mac_hex:{place}}}"),
            Piece::Mac(_, place) => write!(f, "{{mac_base64:{place}}}"),
            Piece::Value { place, optional } => {
                write!(f, "{{{place}{}}}", if *optional { "?" } else { "" })
            }
        })
    }
}

impl TryFrom<String> for Template {
    type Error = BadTemplate;

    fn try_from(text: String) -> Result<Self, BadTemplate> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn templates_read_back_as_they_are_written() {
        for text in [
            "",
            "{body}",
            "v0:{timestamp}:{body}",
            "{method}{url_decoded}{body}{timestamp}",
            "{url}{sorted_form}",
            "{header:a}|{timestamp}|{setting:webhook_id}|{body_crc32}",
            "{item:/a?}:{item:/b}",
            "{lines:Message,MessageId}",
            "{{\"type\":1}}",
            "sha256={mac_base64:query:crc_token}{mac_hex:json:/payload/plainToken}",
        ] {
            assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "{",
            "}",
            "{body",
            "body}",
            "{}",
            "{bodies}",
            "{lines:}",
            "{lines:a b}",
            "{setting:}",
            "{mac_hex:x}",
            "{{{body",
        ] {
            assert!(text.parse::<Template>().is_err(), "{text}");
        }
        assert_eq!("x".repeat(1001).parse::<Template>(), Err(BadTemplate::Long));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[{}a-z:/?,_.]{0,40}") {
            if let Ok(template) = text.parse::<Template>() {
                prop_assert_eq!(template.to_string().parse::<Template>().unwrap(), template);
            }
        }

        #[test]
        fn doubled_braces_are_text(text in "[{}a-z]{1,20}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            let template: Template = doubled.parse().unwrap();
            prop_assert_eq!(template.0, vec![Piece::Text(text)]);
        }
    }
}
