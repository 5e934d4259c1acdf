//! Moments as RFC 3339 writes them: the one reader of all that is told when.
//!
//! The grammar is taken to the letter: four digits of the year, `T` between date and time, seconds, and
//! an offset of hours and minutes. What other programs add to it (a zone in brackets, an offset of
//! seconds, no separators) is refused, since the next reader may not know it.

use jiff::Timestamp;
use jiff::civil::Date;

/// Bytes from the year to the seconds.
const TO_SECONDS_BYTES: usize = "2026-11-21T10:00:00".len();

/// Digits of a second that are kept.
const NANO_DIGITS: usize = 9;

/// The longest moment, in bytes: far more digits of a second than any clock has.
const BYTES_MAX: usize = 100;

/// Seconds of a day without a leap second.
const DAY_SECONDS: i64 = 86_400;

/// A moment, from the year 0 to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Unix seconds.
    seconds: i64,
    nanos: u32,
    /// Whether `seconds` and `nanos` are all that was written: there were no further digits, and the
    /// second was no leap second.
    exact: bool,
}

impl Moment {
    /// Reads a moment; `None` when the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shape = bytes.len() > TO_SECONDS_BYTES
            && bytes.len() <= BYTES_MAX
            && matches!(bytes[10], b'T' | b't')
            && bytes[13] == b':'
            && bytes[16] == b':';
        if !shape {
            return None;
        }
        let days = days(date(text.get(..10)?)?);
        let [hour, minute, second] = [11, 14, 17].map(|at| digits(bytes.get(at..at + 2)?));
        let (hour, minute, second) = (hour?, minute?, second?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, offset) = fraction(&bytes[TO_SECONDS_BYTES..])?;
        let clock = hour * 3_600 + minute * 60 + second.min(59) - offset_seconds(offset)?;
        let seconds = days * DAY_SECONDS + clock;
        if second == 60 {
            return ends_month(seconds).then_some(Self {
                seconds,
                nanos: 999_999_999,
                exact: false,
            });
        }
        let kept = fraction.iter().take(NANO_DIGITS);
        let nanos = kept.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        let missing = NANO_DIGITS.saturating_sub(fraction.len());
        let nanos = (0..missing).fold(nanos, |sum, _| sum * 10);
        let exact = fraction.iter().skip(NANO_DIGITS).all(|digit| *digit == b'0');
        Some(Self { seconds, nanos, exact })
    }

    /// The moment as the server keeps moments, to the nanosecond. They end a day and two hours before
    /// the year 9999 does: what is later is the last one.
    pub fn timestamp(self) -> Timestamp {
        let nanos = i32::try_from(self.nanos).unwrap_or_default();
        Timestamp::new(self.seconds, nanos).unwrap_or(Timestamp::MAX)
    }

    /// Microseconds since 1970-01-01T00:00:00Z; `None` when these are not all that was written.
    pub fn microseconds(self) -> Option<i64> {
        let whole = self.exact && self.nanos.is_multiple_of(1_000);
        whole.then(|| self.seconds * 1_000_000 + i64::from(self.nanos / 1_000))
    }
}

/// The moment that a text writes, as the server keeps moments; `None` when it is none.
pub fn timestamp(text: &str) -> Option<Timestamp> {
    Moment::parse(text).map(Moment::timestamp)
}

/// A day as `YYYY-MM-DD`, and nothing else.
pub fn date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i16::try_from(digits(&bytes[..4])?).ok()?;
    let month = i8::try_from(digits(&bytes[5..7])?).ok()?;
    let day = i8::try_from(digits(&bytes[8..])?).ok()?;
    Date::new(year, month, day).ok()
}

/// Days since 1970-01-01.
pub fn days(day: Date) -> i64 {
    let since = day.since(jiff::civil::date(1970, 1, 1));
    since.map_or(0, |span| i64::from(span.get_days()))
}

fn digits(text: &[u8]) -> Option<i64> {
    let add = |sum: i64, digit: &u8| sum * 10 + i64::from(digit - b'0');
    text.iter().all(u8::is_ascii_digit).then(|| text.iter().fold(0, add))
}

/// The digits of a second's fraction, and what follows them.
fn fraction(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else { return Some((b"", rest)) };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then(|| rest.split_at(count))
}

fn offset_seconds(offset: &[u8]) -> Option<i64> {
    match offset {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let (hours, minutes) = (digits(hours)?, digits(&[*tens, *ones])?);
            let seconds = hours * 3_600 + minutes * 60;
            let signed = if *sign == b'-' { -seconds } else { seconds };
            (hours <= 23 && minutes <= 59).then_some(signed)
        }
        _ => None,
    }
}

/// Whether a second is the last one of a month, after which a leap second may be.
fn ends_month(seconds: i64) -> bool {
    let next = seconds + 1;
    let first = Timestamp::from_second(next).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).day());
    next % DAY_SECONDS == 0 && first.is_ok_and(|day| day == 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_rfc_3339_writes_is_read() {
        for (text, same) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21t10:00:00z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00.5+01:30", "2026-11-21T08:30:00.5Z"),
            ("2026-11-21T10:00:00-00:00", "2026-11-21T10:00:00Z"),
            ("2026-11-21T10:00:00-23:59", "2026-11-22T09:59:00Z"),
            ("2026-11-21T10:00:00.1234567891Z", "2026-11-21T10:00:00.123456789Z"),
            ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.87Z"),
            ("1990-12-31T23:59:60Z", "1990-12-31T23:59:59.999999999Z"),
            ("1990-12-31T15:59:60.5-08:00", "1990-12-31T23:59:59.999999999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ] {
            assert_eq!(timestamp(text), Some(same.parse().unwrap()), "{text}");
        }
        for late in ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(timestamp(late), Some(Timestamp::MAX), "{late}");
        }
        let last = Moment::parse("9999-12-31T23:59:59.999999Z").unwrap();
        assert_eq!(last.microseconds(), Some(253_402_300_799_999_999));
    }

    #[test]
    fn what_only_resembles_it_is_not() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T10:00Z",
            "2026-11-21T10:00:00",
            "2026-11-21 10:00:00Z",
            "20261121T100000Z",
            "2026-11-21T10:00:00Z[Europe/Paris]",
            "2026-11-21T10:00:00[Europe/Paris]",
            "2026-11-21T10:00:00+01:00:30",
            "2026-11-21T10:00:00+01",
            "2026-11-21T10:00:00+0100",
            "2026-11-21T10:00:00+24:00",
            "2026-11-21T10:00:00.Z",
            "2026-11-21T10:00:00,5Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-11-21T10:00:60Z",
            "2026-11-21T23:59:60Z",
            "2026-02-29T10:00:00Z",
            "+002026-11-21T10:00:00Z",
            "-001-11-21T10:00:00Z",
            " 2026-11-21T10:00:00Z",
            "2026-11-21T10:00:00Z ",
            "2026-11-21T1é:00:00Z",
            "2026-11-2éT10:00:00Z",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_not_lost_in_silence() {
        let microseconds = |text: &str| Moment::parse(text).unwrap().microseconds();
        assert_eq!(microseconds("1970-01-01T00:00:00.000001Z"), Some(1));
        assert_eq!(microseconds("1969-12-31T23:59:59.9Z"), Some(-100_000));
        assert_eq!(microseconds("1970-01-01T00:00:00.0000010000000Z"), Some(1));
        assert_eq!(microseconds("1970-01-01T00:00:00.0000001Z"), None);
        assert_eq!(microseconds("1970-01-01T00:00:00.0000000000001Z"), None);
        assert_eq!(microseconds("1990-12-31T23:59:60Z"), None);
    }

    proptest! {
        #[test]
        fn what_the_server_writes_is_read(micros in -62_167_219_200_000_000_i64..=253_402_207_200_000_000) {
            let moment = Timestamp::from_microsecond(micros).unwrap();
            let read = Moment::parse(&moment.to_string()).unwrap();
            prop_assert_eq!((read.timestamp(), read.microseconds()), (moment, Some(micros)));
        }

        #[test]
        fn any_text_is_read_or_not(text in "[0-9TtZz:.+ -]{0,40}|\\PC{0,30}") {
            if let Some(moment) = Moment::parse(&text) {
                let _ = (moment.timestamp(), moment.microseconds());
            }
        }
    }
}
