use std::fmt;

use crate::moment::{self, Moment};

/// What the values of a column are. Kinds widen: [`Kind::join`] is the narrowest kind that holds the
/// values of both, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing but null so far.
    Null,
    /// `true` and `false`.
    Boolean,
    /// Whole numbers that a double holds, too: at most 2^53 from zero.
    Integer,
    /// Whole numbers of 64 bits, some of which no double holds.
    Long,
    /// Numbers whose digits a double keeps.
    Number,
    /// Numbers with digits that no double and no 64-bit integer keeps; as text.
    Decimal,
    /// Texts that are all days, such as `2026-01-31`.
    Date,
    /// Texts that are all moments of RFC 3339, to the microsecond.
    Timestamp,
    /// Texts, or scalars of several kinds; a scalar that is no text is the JSON text of it.
    String,
    /// Arrays, objects, or a mix of arrays, objects and scalars; as JSON text.
    Json,
}

/// 2^53: a double holds every whole number up to 2^53.
const DOUBLE_WHOLE_MAX: u64 = 1 << 53;

/// Any number with at most 15 digits survives the way through a double.
const DOUBLE_DIGITS: usize = 15;

/// Powers of ten far from where doubles end, either way.
const DOUBLE_EXPONENT: i64 = 290;

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Null,
        Self::Boolean,
        Self::Integer,
        Self::Long,
        Self::Number,
        Self::Decimal,
        Self::Date,
        Self::Timestamp,
        Self::String,
        Self::Json,
    ];

    /// The kind's word. The length of a whole number makes no difference to a reader.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer | Self::Long => "integer",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::String => "string",
            Self::Json => "json",
        }
    }

    /// The kind of a value, by the JSON text.
    pub fn of(json: &[u8]) -> Self {
        match json.first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => of_text(json.get(1..json.len().saturating_sub(1)).unwrap_or_default()),
            Some(b'[' | b'{') | None => Self::Json,
            Some(_) => of_number(json),
        }
    }

    /// The narrowest kind for the values of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        use Kind::{Decimal, Integer, Json, Long, Null, Number, String};
        match (self, other) {
            (one, same) if one == same => one,
            (Null, other) | (other, Null) => other,
            (Json, _) | (_, Json) => Json,
            (Integer, Long) | (Long, Integer) => Long,
            (Integer, Number) | (Number, Integer) => Number,
            (one, other) if one.is_numeric() && other.is_numeric() => Decimal,
            _ => String,
        }
    }

    /// Whether the kind is a kind of numbers.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Long | Self::Number | Self::Decimal)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn of_number(json: &[u8]) -> Kind {
    let text = std::str::from_utf8(json).unwrap_or_default();
    match text.parse::<i64>() {
        // A double has a negative zero, an integer has none.
        Ok(0) if text.starts_with('-') => Kind::Number,
        Ok(whole) if whole.unsigned_abs() <= DOUBLE_WHOLE_MAX => Kind::Integer,
        Ok(_) => Kind::Long,
        Err(_) if double_keeps(text) => Kind::Number,
        Err(_) => Kind::Decimal,
    }
}

/// Whether the double nearest to a number keeps all digits.
fn double_keeps(text: &str) -> bool {
    let Some(number) = Digits::read(text) else { return false };
    if number.digits.is_empty() {
        return true;
    }
    if number.digits.len() <= DOUBLE_DIGITS && number.exponent.abs() < DOUBLE_EXPONENT {
        return true;
    }
    let Some(double) = text.parse::<f64>().ok().filter(|double| double.is_finite()) else {
        return false;
    };
    Digits::read(&format!("{double:e}")) == Some(number)
}

/// A number as 0.DIGITS times a power of ten, without zeros at either end of the digits.
#[derive(PartialEq, Eq)]
struct Digits {
    digits: Vec<u8>,
    exponent: i64,
}

impl Digits {
    fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix('-').unwrap_or(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if !all.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let Some(first) = all.iter().position(|digit| *digit != b'0') else {
            return Some(Self { digits: Vec::new(), exponent: 0 });
        };
        let last = all.iter().rposition(|digit| *digit != b'0')?;
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(first).ok()?;
        Some(Self { digits: all[first..=last].to_vec(), exponent: point + i64::from(exponent) })
    }
}

fn of_text(text: &[u8]) -> Kind {
    let text = std::str::from_utf8(text).unwrap_or_default();
    if moment::date(text).is_some() {
        Kind::Date
    } else if microseconds(text).is_some() {
        Kind::Timestamp
    } else {
        Kind::String
    }
}

/// The microseconds since 1970 of a moment in RFC 3339; `None` unless whole microseconds hold the moment. A
/// leap second gives `None`: no clock here has a leap second.
pub(super) fn microseconds(text: &str) -> Option<i64> {
    Moment::parse(text)?.microseconds()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_text_has_its_kind() {
        for (json, kind) in [
            ("null", Kind::Null),
            ("true", Kind::Boolean),
            ("-7", Kind::Integer),
            ("9007199254740992", Kind::Integer),
            ("9007199254740993", Kind::Long),
            ("-9223372036854775808", Kind::Long),
            ("9223372036854775808", Kind::Decimal),
            ("20000000000000000000", Kind::Number),
            ("-0", Kind::Number),
            ("1.0", Kind::Number),
            ("0.0", Kind::Number),
            ("0e9999999999", Kind::Decimal),
            ("1e400", Kind::Decimal),
            ("1e-400", Kind::Decimal),
            ("1.50", Kind::Number),
            ("0.30000000000000004", Kind::Number),
            ("0.1234567890123456789", Kind::Decimal),
            ("1e308", Kind::Number),
            (r#""""#, Kind::String),
            (r#""2026-02-28""#, Kind::Date),
            (r#""2026-02-30""#, Kind::String),
            (r#""2026-02-28T10:11:12Z""#, Kind::Timestamp),
            (r#""2026-02-28T10:11:12.123456+05:30""#, Kind::Timestamp),
            (r#""2026-02-28T10:11:12.1234567Z""#, Kind::String),
            (r#""9999-12-31T23:59:59Z""#, Kind::Timestamp),
            (r#""2026-02-28t10:11:12z""#, Kind::Timestamp),
            (r#""2026-12-31T23:59:60Z""#, Kind::String),
            (r#""2026-02-28 10:11:12Z""#, Kind::String),
            (r#""2026-02-28T10:11:12""#, Kind::String),
            (r#""2026-02-28T10:11:12+05""#, Kind::String),
            (r#""20260228T101112+0530""#, Kind::String),
            (r#""2026-02-28T10:11:12Z[UTC]""#, Kind::String),
            ("[1]", Kind::Json),
            ("{}", Kind::Json),
        ] {
            assert_eq!(Kind::of(json.as_bytes()), kind, "{json}");
        }
    }

    fn kinds() -> impl Strategy<Value = Kind> {
        prop::sample::select(Kind::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn kinds_widen_whatever_the_order(a in kinds(), b in kinds(), c in kinds()) {
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(b).join(b), a.join(b));
            prop_assert_eq!(Kind::Null.join(a), a);
        }

        #[test]
        fn numbers_that_a_double_writes_are_kept_by_it(double in prop::num::f64::NORMAL) {
            let text = format!("{double:?}");
            prop_assert_ne!(Kind::of(text.as_bytes()), Kind::Decimal, "{}", text);
        }

        #[test]
        fn a_number_keeps_its_digits(whole in any::<u64>(), fraction in "[0-9]{0,20}") {
            let text = format!("{whole}.{fraction}5");
            let double: f64 = text.parse().unwrap();
            let back = Digits::read(&format!("{double:e}")) == Digits::read(&text);
            prop_assert_eq!(Kind::of(text.as_bytes()) == Kind::Number, back, "{}", text);
        }

        #[test]
        fn junk_has_a_kind(junk in ".{0,40}") {
            let _ = Kind::of(junk.as_bytes());
            let _ = Kind::of(format!("\"{junk}\"").as_bytes());
        }
    }
}
