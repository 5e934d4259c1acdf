//! Numbers: a test for comparable numbers, and the order-preserving key of a comparable number.

use std::fmt::{self, Write as _};

/// No shortest decimal form of a double has more significant digits.
const MAX_SIGNIFICANT: u32 = 17;

/// Every decimal with at most 15 digits survives the way to a (normal) double and back.
const ALWAYS_EXACT: u32 = 15;

/// Powers of ten exact as a double.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A comparable number, as bits with the unsigned order of the numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Number(u64);

impl Number {
    pub(crate) const LOWEST: Number = Number::from_finite(f64::MIN);
    pub(crate) const HIGHEST: Number = Number::from_finite(f64::MAX);

    const fn from_finite(value: f64) -> Self {
        // Minus zero is zero: adding zero turns minus zero into zero.
        let bits = (value + 0.0).to_bits();
        Number(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
    }

    fn to_f64(self) -> f64 {
        f64::from_bits(if self.0 >> 63 == 1 { self.0 & !(1 << 63) } else { !self.0 })
    }

    /// The order-preserving key.
    pub(crate) fn key(self) -> u64 {
        self.0
    }

    /// Reads a JSON number; `None` for a number without a comparison: the exact decimal value is
    /// not the shortest decimal of any finite double.
    pub(crate) fn parse(text: &[u8]) -> Option<Number> {
        let decimal = Decimal::read(text)?;
        if decimal.digits == 0 {
            return Some(Number::from_finite(0.0));
        }
        decimal.to_double(text).map(Number::from_finite)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_f64();
        if value == 0.0 || (1e-5..1e17).contains(&value.abs()) {
            write!(f, "{value}")
        } else {
            write!(f, "{value:e}")
        }
    }
}

/// `digits * 10^exponent`, where `digits` has no trailing zeros.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: u64,
    count: u32,
    exponent: i64,
}

impl Decimal {
    /// `None` when there are more significant digits than a double can ask for.
    fn read(text: &[u8]) -> Option<Decimal> {
        let negative = text.first() == Some(&b'-');
        let mut decimal = Decimal { negative, digits: 0, count: 0, exponent: 0 };
        let mut zeros = 0; // since the last significant digit
        let mut places = 0; // after the point
        let mut seen_point = false;
        let mut rest = text.get(usize::from(negative)..)?.iter();
        while let Some(&byte) = rest.next() {
            match byte {
                b'.' => seen_point = true,
                b'0'..=b'9' => {
                    places += i64::from(seen_point);
                    if byte == b'0' {
                        zeros += u32::from(decimal.count > 0);
                    } else {
                        decimal.push(zeros, byte - b'0')?;
                        zeros = 0;
                    }
                }
                _ => {
                    decimal.exponent = read_exponent(rest.as_slice());
                    break;
                }
            }
        }
        decimal.exponent += i64::from(zeros) - places;
        Some(decimal)
    }

    #[inline]
    fn push(&mut self, zeros: u32, digit: u8) -> Option<()> {
        self.count += zeros + 1;
        if self.count > MAX_SIGNIFICANT {
            return None;
        }
        for _ in 0..zeros {
            self.digits *= 10;
        }
        self.digits = self.digits * 10 + u64::from(digit);
        Some(())
    }

    fn to_double(&self, text: &[u8]) -> Option<f64> {
        if self.count <= ALWAYS_EXACT
            && let Some(power) = POWERS.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)
        {
            return Some(self.exact(*power));
        }
        let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        let in_normal_range = (1e-290..1e290).contains(&value.abs());
        let comparable = if self.count <= ALWAYS_EXACT && in_normal_range {
            true
        } else {
            value.is_finite() && value != 0.0 && self.is_shortest_of(value)
        };
        comparable.then_some(value)
    }

    /// A single, correctly rounded operation on two exact operands.
    #[expect(clippy::cast_precision_loss, reason = "15 digits fit a double exactly")]
    fn exact(&self, power: f64) -> f64 {
        let digits = self.digits as f64;
        let value = if self.exponent < 0 { digits / power } else { digits * power };
        if self.negative { -value } else { value }
    }

    fn is_shortest_of(&self, value: f64) -> bool {
        let mut shortest = Shortest { bytes: [0; 32], len: 0 };
        if write!(shortest, "{value:e}").is_err() {
            return false;
        }
        let text = shortest.bytes.get(..shortest.len).unwrap_or_default();
        Decimal::read(text).is_some_and(|other| other == *self)
    }
}

/// Exponents saturate: past a few hundred, all exponents mean infinity or nothing.
fn read_exponent(text: &[u8]) -> i64 {
    const HUGE: i64 = 1 << 40;
    let negative = text.first() == Some(&b'-');
    let mut exponent = 0_i64;
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(HUGE);
    }
    if negative { -exponent } else { exponent }
}

/// A place on the stack to print a double; `{:e}` takes 24 bytes at most.
struct Shortest {
    bytes: [u8; 32],
    len: usize,
}

impl fmt::Write for Shortest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Option<Number> {
        Number::parse(text.as_bytes())
    }

    #[test]
    fn spellings_of_one_value_are_equal() {
        for text in ["5.0", "5e0", "50e-1", "0.5E1", "500e-2", "5.000000000000000000000"] {
            assert_eq!(number(text), number("5"), "{text}");
        }
        assert_eq!(number("-0"), number("0"));
        assert_eq!(number("0e99999999999"), number("0"));
        assert_eq!(number("100000000000000000000000e-23"), number("1"));
    }

    #[test]
    fn what_no_double_prints_is_not_comparable() {
        for text in [
            "0.30000000000000001",
            "9007199254740993",
            "1e309",
            "-1e309",
            "1e-400",
            "12345678901234567890123",
            "1e99999999999",
            "1e-99999999999",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
        for text in ["0.3", "9007199254740992", "1e308", "1e23", "5e-324", "1.7976931348623157e308"]
        {
            assert!(number(text).is_some(), "{text}");
        }
    }

    #[test]
    fn the_key_keeps_the_order() {
        let ordered = ["-1e300", "-2", "-1.5", "-1e-9", "0", "1e-300", "0.1", "1", "1.5", "1e22"];
        let keys: Vec<_> = ordered.iter().map(|text| number(text).unwrap()).collect();
        assert!(keys.is_sorted());
        assert_eq!(keys[1].to_string(), "-2");
    }

    #[test]
    fn agrees_with_the_general_method() {
        let mut state = 42_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = f64::from_bits(state);
            if value.is_finite() {
                let parsed = number(&format!("{value:e}")).expect("a shortest form");
                assert_eq!(parsed, Number::from_finite(value));
                assert_eq!(parsed.to_f64(), value);
            }
            let short = format!("{}.{:06}", state >> 44, state & 0xfffff);
            let value: f64 = short.parse().unwrap();
            assert_eq!(number(&short), Some(Number::from_finite(value)), "{short}");
        }
    }
}
