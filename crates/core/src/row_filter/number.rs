use std::cmp::Ordering;

/// A decimal number of any size, exactly: 0.d1d2d3... times ten to the `exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// Without zeros at either end; none for zero.
    digits: Vec<u8>,
    /// Saturates: JSON may have exponents of any length, and then only signs and sizes that no
    /// program tells apart are lost.
    exponent: i64,
}

impl Number {
    /// Reads a JSON number; `None` when it is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let fraction = mantissa.get(point + 1..).unwrap_or_default();
        let mut digits = [&mantissa[..point], fraction].concat();
        if point == 0 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..zeros);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let exponent = exponent.saturating_add(places(point)).saturating_sub(places(zeros));
        Some(Self { negative, digits, exponent })
    }

    /// How far it is from zero.
    fn size(&self) -> (bool, i64, &[u8]) {
        (!self.digits.is_empty(), self.exponent, &self.digits)
    }
}

fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, digit: &u8| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    let size = digits.iter().fold(0, add);
    Some(if negative { -size } else { size })
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.size().cmp(&other.size()),
            (true, true) => other.size().cmp(&self.size()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn equal_numbers_have_many_spellings() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("-0", "0.00e5"),
            ("12.50", "1.25e+1"),
            ("0.10", "0.1"),
        ] {
            assert_eq!(number(left), number(right), "{left} {right}");
        }
    }

    #[test]
    fn sizes_are_exact() {
        let ascending = [
            "-1e999999999999999999999",
            "-12345678901234567891",
            "-12345678901234567890",
            "-1.5",
            "-1",
            "-0.1",
            "0",
            "1e-400",
            "0.3",
            "0.30000000000000001",
            "9",
            "10",
            "9007199254740993",
            "9007199254740993.5",
            "1e400",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(number(pair[0]).cmp(&number(pair[1])), Ordering::Less, "{pair:?}");
            assert_eq!(number(pair[1]).cmp(&number(pair[0])), Ordering::Greater, "{pair:?}");
        }
        for junk in ["", "-", ".5", "1e", "1e+", "0x1", "1.2.3", "e1"] {
            assert_eq!(Number::parse(junk.as_bytes()), None, "{junk}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(left: i64, right: i64) {
            let order = number(&left.to_string()).cmp(&number(&right.to_string()));
            prop_assert_eq!(order, left.cmp(&right));
        }

        #[test]
        fn junk_never_panics(bytes: Vec<u8>) {
            let _ = Number::parse(&bytes);
        }
    }
}
