//! Where in a request a value is.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::pointer::Pointer;

/// Where in a request a value is, written as `kind:name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// `header:NAME`: a header, each of its values if it is repeated.
    Header(String),
    /// `header:NAME|OTHER`: the first header, or the second where the first is missing, for senders
    /// that use two families of names.
    HeaderOr(String, String),
    /// `header:NAME-*`: all headers whose names start so, for senders that number them.
    HeaderFamily(String),
    /// `query:NAME`: a parameter of the URL, decoded.
    Query(String),
    /// `form:NAME`: a field of a form in the body, urlencoded or multipart, decoded.
    Form(String),
    /// `json:/POINTER`: a string, number or boolean in a JSON body (RFC 6901).
    Json(Pointer),
    /// `item:/POINTER`: the same in one item of a body that signs each item by itself.
    Item(Pointer),
    /// `claim:NAME`: a claim of the signed token.
    Claim(String),
    /// `bearer`: the token of `Authorization: Bearer`.
    Bearer,
    /// `basic`: user, colon and password of `Authorization: Basic`, decoded.
    Basic,
}

/// Why a text names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no place: give `header:NAME`, `header:NAME|OTHER`, `query:NAME`, `form:NAME`, \
     `json:/POINTER`, `item:/POINTER`, `claim:NAME`, `bearer` or `basic`"
)]
pub struct NoPlace(String);

impl Place {
    /// Whether the value is there before the body is read.
    pub fn is_in_head(&self) -> bool {
        !matches!(self, Self::Form(_) | Self::Json(_) | Self::Item(_))
    }

    /// The same place under another header's name; places that are no header stay.
    pub(super) fn renamed(&self, header: &HeaderName) -> Self {
        match self {
            Self::Header(_) | Self::HeaderOr(..) | Self::HeaderFamily(_) => {
                Self::Header(header.as_str().to_owned())
            }
            other => other.clone(),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let wrong = || NoPlace(text.to_owned());
        let Some((kind, name)) = text.split_once(':') else {
            return match text {
                "bearer" => Ok(Self::Bearer),
                "basic" => Ok(Self::Basic),
                _ => Err(wrong()),
            };
        };
        let pointer = || Pointer::parse(name).ok_or_else(wrong);
        match kind {
            "header" => header(name).ok_or_else(wrong),
            "query" if !name.is_empty() => Ok(Self::Query(name.to_owned())),
            // A brace would end the place in a template.
            "form" if !name.is_empty() && !name.contains(['{', '}']) => {
                Ok(Self::Form(name.to_owned()))
            }
            "claim" if !name.is_empty() => Ok(Self::Claim(name.to_owned())),
            "json" => Ok(Self::Json(pointer()?)),
            "item" => Ok(Self::Item(pointer()?)),
            _ => Err(wrong()),
        }
    }
}

fn header(name: &str) -> Option<Place> {
    if let Some((first, second)) = name.split_once('|') {
        let lower = |name: &str| Some(HeaderName::from_bytes(name.as_bytes()).ok()?.to_string());
        // `|` may stand in a header's name, and never does.
        let alone = !second.contains('|');
        return alone.then(|| Some(Place::HeaderOr(lower(first)?, lower(second)?)))?;
    }
    let (stem, family) = name.strip_suffix('*').map_or((name, false), |stem| (stem, true));
    let lower = HeaderName::from_bytes(stem.as_bytes()).ok()?.as_str().to_owned();
    // A family without its hyphen would take in strangers: `x-*` is all that is not standard.
    match family {
        true if lower.ends_with('-') && lower.len() > 3 => Some(Place::HeaderFamily(lower)),
        true => None,
        false => Some(Place::Header(lower)),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::HeaderOr(first, second) => write!(f, "header:{first}|{second}"),
            Self::HeaderFamily(stem) => write!(f, "header:{stem}*"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Form(name) => write!(f, "form:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
            Self::Item(pointer) => write!(f, "item:{pointer}"),
            Self::Claim(name) => write!(f, "claim:{name}"),
            Self::Bearer => f.write_str("bearer"),
            Self::Basic => f.write_str("basic"),
        }
    }
}

impl TryFrom<String> for Place {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_read_back_as_they_are_written() {
        for text in [
            "header:x-signature",
            "header:x-docusign-signature-*",
            "header:svix-id|webhook-id",
            "query:hub.challenge",
            "form:signature",
            "json:/a/0/b~1c",
            "item:/additionalData/hmacSignature",
            "claim:iat",
            "bearer",
            "basic",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        let mixed: Place = "header:X-Signature".parse().unwrap();
        assert_eq!(mixed, Place::Header("x-signature".to_owned()));
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "",
            "header",
            "header:",
            "header:a b",
            "header:*",
            "header:x-*",
            "header:sig*",
            "header:a|",
            "header:|a",
            "header:a|b|c",
            "query:",
            "json:a",
            "json:/~2",
            "form:",
            "form:{",
            "Bearer",
            "claim:",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(header|query|form|json|item|claim|bearer)?:?[ -~]{0,20}") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
            }
        }
    }
}
