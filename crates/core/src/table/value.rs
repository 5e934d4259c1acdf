use std::borrow::Cow;

use jiff::civil::Date;

use super::{Kind, kind};
use crate::json::unescape_lossy;
use crate::moment;

/// A value of a column's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// None, or null.
    Null,
    /// Of a boolean.
    Boolean(bool),
    /// Of an integer.
    Integer(i64),
    /// Of a number.
    Number(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Of a decimal its digits, of a string its text, of JSON its JSON text.
    Text(Cow<'a, str>),
}

/// A value that the kind does not hold: the row was not among those that the kind was inferred from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value does not fit its column")]
pub struct Misfit;

impl<'a> Value<'a> {
    /// Reads a leaf as a value of a kind.
    pub fn read(kind: Kind, json: Option<&'a [u8]>) -> Result<Self, Misfit> {
        let Some(json) = json.filter(|json| json.first() != Some(&b'n')) else {
            return Ok(Self::Null);
        };
        let value = match kind {
            Kind::Null => None,
            Kind::Boolean => boolean(json).map(Self::Boolean),
            Kind::Integer | Kind::Long => plain(json).parse().ok().map(Self::Integer),
            Kind::Number => plain(json).parse().ok().map(Self::Number),
            Kind::Decimal => {
                Kind::of(json).is_numeric().then(|| Self::Text(Cow::Borrowed(plain(json))))
            }
            Kind::Date => quoted(json).and_then(moment::date).and_then(days).map(Self::Date),
            Kind::Timestamp => quoted(json).and_then(kind::microseconds).map(Self::Timestamp),
            Kind::String | Kind::Json => Some(Self::Text(text(kind, json))),
        };
        value.ok_or(Misfit)
    }
}

/// A leaf as text: a string is what it says, JSON and everything else is as it was received.
pub fn text(kind: Kind, json: &[u8]) -> Cow<'_, str> {
    match json {
        [b'"', inner @ .., b'"'] if kind != Kind::Json => unescape_lossy(inner),
        _ => String::from_utf8_lossy(json),
    }
}

fn boolean(json: &[u8]) -> Option<bool> {
    match json {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

fn plain(json: &[u8]) -> &str {
    std::str::from_utf8(json).unwrap_or_default()
}

fn quoted(json: &[u8]) -> Option<&str> {
    plain(json).strip_prefix('"')?.strip_suffix('"')
}

/// Days since 1970-01-01; dates end long before 32 bits do.
fn days(day: Date) -> Option<i32> {
    i32::try_from(moment::days(day)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_by_their_kind() {
        let read = |kind, json: &'static str| Value::read(kind, Some(json.as_bytes()));
        let text = |text: &'static str| Ok(Value::Text(Cow::Borrowed(text)));
        assert_eq!(Value::read(Kind::Json, None), Ok(Value::Null));
        assert_eq!(read(Kind::Json, "null"), Ok(Value::Null));
        assert_eq!(read(Kind::Boolean, "true"), Ok(Value::Boolean(true)));
        assert_eq!(read(Kind::Long, "-9223372036854775808"), Ok(Value::Integer(i64::MIN)));
        assert_eq!(read(Kind::Number, "7"), Ok(Value::Number(7.0)));
        assert_eq!(read(Kind::Decimal, "0.10"), text("0.10"));
        assert_eq!(read(Kind::Date, r#""1970-02-01""#), Ok(Value::Date(31)));
        assert_eq!(read(Kind::Date, r#""1969-12-31""#), Ok(Value::Date(-1)));
        assert_eq!(read(Kind::Date, r#""9999-12-31""#), Ok(Value::Date(2_932_896)));
        let moment = read(Kind::Timestamp, r#""1970-01-01T01:00:00.5+01:00""#);
        assert_eq!(moment, Ok(Value::Timestamp(500_000)));
        assert_eq!(read(Kind::String, r#""a\n""#), text("a\n"));
        assert_eq!(read(Kind::String, "1.0"), text("1.0"));
        assert_eq!(read(Kind::Json, r#""a""#), text(r#""a""#));
        assert_eq!(read(Kind::String, r#""\ud800x""#), text("\u{fffd}x"));
        for (kind, json) in [
            (Kind::Boolean, "1"),
            (Kind::Integer, "1.5"),
            (Kind::Null, "1"),
            (Kind::Date, "20260101"),
            (Kind::Decimal, "\"1\""),
        ] {
            assert_eq!(read(kind, json), Err(Misfit), "{json} as {kind}");
        }
    }

    proptest! {
        #[test]
        fn a_wider_kind_takes_the_value(number in any::<i64>(), double in prop::num::f64::NORMAL, word in ".{0,9}") {
            let texts = [number.to_string(), format!("{double:?}"), serde_json::to_string(&word).unwrap(),
                "true".to_owned(), "[1]".to_owned(), "\"2026-01-01\"".to_owned()];
            for one in &texts {
                for other in &texts {
                    let kind = Kind::of(one.as_bytes()).join(Kind::of(other.as_bytes()));
                    prop_assert!(Value::read(kind, Some(one.as_bytes())).is_ok(), "{} as {}", one, kind);
                }
            }
        }

        #[test]
        fn an_integer_that_became_a_number_is_the_same(number in any::<i64>()) {
            let json = number.to_string();
            if Kind::of(json.as_bytes()).join(Kind::Number) == Kind::Number {
                let Ok(Value::Number(double)) = Value::read(Kind::Number, Some(json.as_bytes())) else { panic!() };
                prop_assert_eq!(format!("{double:.0}"), json);
            }
        }
    }
}
