//! Reading requests: every value has a known name and lies within bounds, or the answer names the faulty
//! value.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use hookyard_core::body::without_mark;
use hookyard_core::json::not_json;
use hookyard_core::moment;
use hookyard_engine::endpoints::Patch;
use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::wrong_value;
use crate::body::{self, Unread};
use crate::problem::{Code, Problem};

/// The largest JSON body, in bytes. An endpoint with a long rule for every event type has less than
/// a tenth of it.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// The media type of JSON.
pub(super) const JSON: &str = "application/json";

/// The media type of a merge patch (RFC 7396).
pub(super) const MERGE_PATCH: &str = "application/merge-patch+json";

/// The query parameters of an operation without parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl IntoParams for Nothing {
    fn into_params(_place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

/// Reads a query string. Parameters unknown to `T` and repeated parameters are refused.
pub(super) fn query<T: DeserializeOwned>(raw: Option<&str>) -> Result<T, Problem> {
    let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
    let mut seen = HashSet::new();
    for (name, _) in pairs {
        if !seen.insert(name.clone()) {
            return Err(Problem::of_field(Code::InvalidValue, &name, "is there more than once"));
        }
    }
    let pairs = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(pairs).map_err(|error| refused(&error))
}

/// Reads a JSON body of an accepted media type.
pub(super) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    kinds: &[&str],
) -> Result<T, Problem> {
    check_kind(headers, kinds)?;
    parse(&whole(body, BODY_BYTES_MAX).await?)
}

/// Checks that the body has an accepted media type.
pub(super) fn check_kind(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.map_or("", |kind| kind.split(';').next().unwrap_or_default().trim());
    if !kinds.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        let detail = format!("send the body as {}", kinds.join(" or "));
        return Err(Problem::of_field(Code::UnsupportedMediaType, "content-type", detail));
    }
    Ok(())
}

/// Reads JSON. Members unknown to `T` are refused.
pub(super) fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Problem> {
    let bytes = without_mark(bytes);
    // Bad JSON is told apart first from good JSON with faulty values.
    serde_json::from_slice::<IgnoredAny>(bytes)
        .map_err(|error| Problem::new(Code::MalformedBody, not_json("the body", &error)))?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| refused(&error))?;
    Ok(value)
}

/// Reads a body to the end.
pub(super) async fn whole(body: Body, max: usize) -> Result<Bytes, Problem> {
    body::read(body, max).await.map_err(|unread| match unread {
        Unread::TooLarge => {
            let detail = format!("the body has more than the {max} bytes that are accepted");
            Problem::new(Code::TooLarge, detail)
        }
        Unread::Full => Problem::new(Code::Unavailable, Unread::Full.to_string()),
        Unread::Broken(error) => {
            let detail = format!("the body could not be read to its end: {error}");
            Problem::new(Code::MalformedBody, detail)
        }
    })
}

fn refused<E: Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    let (path, words) = (error.path().to_string(), error.inner().to_string());
    let (field, detail) = wrong_value::explain(&path, &words);
    // A body that is a single value of the wrong type has no field name.
    match field.as_str() {
        wrong_value::ROOT => Problem::new(Code::InvalidValue, detail),
        field => Problem::of_field(Code::InvalidValue, field, detail),
    }
}

/// The number in a path; `None` for a text that is no number of the kind.
pub(super) fn number<N: FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The revision in `if-match`; `None` without the header, or when the header accepts any revision.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let revision = quoted.and_then(|text| text.parse().ok());
    revision.map(Some).ok_or_else(|| {
        let detail = "must be the etag of an earlier answer, such as \"3\", or *";
        Problem::of_field(Code::InvalidValue, "if-match", detail)
    })
}

/// Reads a moment; for `deserialize_with`. A moment beyond the server's range becomes the last moment in
/// range.
pub(super) fn moment<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(reader)?;
    text.map(|text| {
        moment::timestamp(&text).ok_or_else(|| {
            let detail = "must be a moment as RFC 3339 writes it, such as 2026-11-21T10:00:00Z";
            D::Error::custom(detail)
        })
    })
    .transpose()
}

/// The same for a member of a merge patch.
pub(super) fn moment_field<'de, D: Deserializer<'de>>(
    reader: D,
) -> Result<Field<Timestamp>, D::Error> {
    Ok(moment(reader)?.map_or(Field::Null, Field::Value))
}

/// A number within its bounds.
pub(super) fn at_most<N: PartialOrd + Display + Copy>(
    field: &str,
    value: Option<N>,
    max: N,
) -> Result<Option<N>, Problem> {
    match value {
        Some(value) if value > max => {
            let detail = format!("must be at most {max}, not {value}");
            Err(Problem::of_field(Code::InvalidValue, field, detail))
        }
        value => Ok(value),
    }
}

/// The number of something, such as of a project, in a query.
pub(super) fn number_of(field: &str, value: Option<u32>) -> Result<Option<i32>, Problem> {
    let within = at_most(field, value, i32::MAX.unsigned_abs())?;
    Ok(within.and_then(|number| i32::try_from(number).ok()))
}

/// A JSON object. By itself a structure is read from a list of its members' values too.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object<T>(pub(super) T);

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A member of a merge patch (RFC 7396).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Field<T> {
    /// Not there: nothing changes.
    #[default]
    Absent,
    /// Null: back to the default.
    Null,
    /// The new value.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::deserialize(deserializer)?;
        Ok(value.map_or(Self::Null, Self::Value))
    }
}

impl<T> Field<T> {
    /// The change of a value that is never absent.
    pub(super) fn or_default(self, default: T) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Null => Some(default),
            Self::Value(value) => Some(value),
        }
    }

    /// The value; without a value none.
    pub(super) fn or_none(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// The change of a value that may be absent.
    pub(super) fn patch(self) -> Patch<T> {
        match self {
            Self::Absent => Patch::Keep,
            Self::Null => Patch::Clear,
            Self::Value(value) => Patch::Set(value),
        }
    }

    /// The change of a value that cannot be removed.
    pub(super) fn required(self, field: &str) -> Result<Option<T>, Problem> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => Err(Problem::of_field(Code::InvalidValue, field, "cannot be taken away")),
            Self::Value(value) => Ok(Some(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::EndpointId;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Known {
        limit: Option<u32>,
        #[serde(default)]
        name: Field<String>,
        #[serde(default)]
        inner: Vec<Inner>,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        size: u8,
    }

    fn fault<T>(result: Result<T, Problem>) -> (Code, Option<String>) {
        let problem = result.err().unwrap();
        (problem.code, problem.field)
    }

    #[test]
    fn queries_name_what_is_wrong() {
        for (raw, field) in
            [("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("nope=1", "nope"), ("=", "")]
        {
            let expected = (Code::InvalidValue, Some(field.to_owned()));
            assert_eq!(fault(query::<Known>(Some(raw))), expected, "{raw}");
        }
        assert_eq!(query::<Known>(None).unwrap().limit, None);
        assert!(query::<Nothing>(Some("x=1")).is_err());
    }

    async fn read(text: &str) -> Result<Known, Problem> {
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            "Application/JSON; charset=utf-8".parse().unwrap(),
        )]);
        json(&headers, Body::from(text.to_owned()), &[JSON]).await
    }

    #[tokio::test]
    async fn bodies_name_what_is_wrong() {
        for (text, field) in [
            (r#"{"limit":"x"}"#, "limit"),
            (r#"{"nope":1}"#, "nope"),
            (r#"{"inner":[{"size":1},{"size":256}]}"#, "inner[1].size"),
            (r#"{"inner":[{"sice":1}]}"#, "inner[0].sice"),
        ] {
            let expected = (Code::InvalidValue, Some(field.to_owned()));
            assert_eq!(fault(read(text).await), expected, "{text}");
        }
        let detail = read(r#"{"nope":1}"#).await.unwrap_err().detail;
        assert!(detail.contains("`limit`") && detail.contains("`inner`"), "{detail}");
        for text in ["", "{", "nul", "{} {}"] {
            assert_eq!(fault(read(text).await).0, Code::MalformedBody, "{text}");
        }
        assert_eq!(fault(read("[]").await).0, Code::InvalidValue);
        let large = "x".repeat(BODY_BYTES_MAX + 1);
        assert_eq!(fault(read(&large).await).0, Code::TooLarge);
        let untyped = json::<Known>(&HeaderMap::new(), Body::from("{}"), &[JSON]).await;
        assert_eq!(fault(untyped).0, Code::UnsupportedMediaType);
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_passed_over() {
        assert_eq!(read("\u{feff}{\"limit\":1}").await.unwrap().limit, Some(1));
    }

    #[derive(Deserialize, Debug)]
    struct Bounds {
        #[serde(default, deserialize_with = "moment")]
        until: Option<Timestamp>,
        #[serde(default, deserialize_with = "moment_field")]
        ends: Field<Timestamp>,
    }

    #[test]
    fn moments_are_those_of_rfc_3339() {
        let text = "9999-12-31T23:59:59Z";
        let read: Bounds = query(Some(&format!("until={text}"))).unwrap();
        assert_eq!((read.until, read.ends), (Some(Timestamp::MAX), Field::Absent));
        let read: Bounds = parse(format!(r#"{{"ends":"{text}"}}"#).as_bytes()).unwrap();
        assert_eq!(read.ends, Field::Value(Timestamp::MAX));
        let read: Bounds = parse(br#"{"ends":null,"until":null}"#).unwrap();
        assert_eq!((read.until, read.ends), (None, Field::Null));
        for wrong in ["until=20261121T100000Z", "until=", "until=2026-11-21"] {
            assert_eq!(fault(query::<Bounds>(Some(wrong))).1.as_deref(), Some("until"), "{wrong}");
        }
        let wrong = parse::<Bounds>(br#"{"ends":"2026-11-21 10:00:00Z"}"#);
        assert_eq!(fault(wrong).1.as_deref(), Some("ends"));
    }

    #[tokio::test]
    async fn null_and_absent_differ() {
        assert_eq!(read("{}").await.unwrap().name, Field::Absent);
        assert_eq!(read(r#"{"name":null}"#).await.unwrap().name, Field::Null);
        let given = read(r#"{"name":"x"}"#).await.unwrap().name;
        assert_eq!(given, Field::Value("x".to_owned()));
    }

    #[test]
    fn revisions_come_quoted() {
        let read = |text: &str| {
            if_match(&HeaderMap::from_iter([(header::IF_MATCH, text.parse().unwrap())]))
        };
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read("*").unwrap(), None);
        assert_eq!(read("\"3\"").unwrap(), Some(3));
        for wrong in ["3", "W/\"3\"", "\"3\", \"4\"", "\"x\"", "\"\"", ""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_out_of_range_are_nobodys() {
        assert_eq!(number("7"), Some(EndpointId(7)));
        for text in ["", "-1", "+1", "x", "2147483648", "1.0", "99999999999999999999"] {
            assert_eq!(number::<EndpointId>(text), None, "{text}");
        }
    }
}
