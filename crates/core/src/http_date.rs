//! Dates in HTTP headers (RFC 9110 section 5.6.7): a recipient takes all three forms.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::tz::TimeZone;

/// The longest date, in bytes: above that of a Wednesday in September.
const BYTES_MAX: usize = 64;

/// How many years a year of two digits may be ahead before it is one of the century before.
const YEARS_AHEAD_MAX: i16 = 50;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Wrong days of the week are passed over: the date says all.
static FIXED: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// The moment of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or
/// `Sun Nov  6 08:49:37 1994`; `None` when it is none. `now` tells which century two digits mean.
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if text.len() > BYTES_MAX {
        return None;
    }
    if let Ok(at) = FIXED.parse_timestamp(text) {
        return Some(at);
    }
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let at = match *words.as_slice() {
        [weekday, date, time, zone] if weekday.ends_with(',') && is_gmt(zone) => {
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let year = full_year(two_digits(year)?, now)?;
            parts.next().is_none().then(|| civil(year, month, day, time))??
        }
        [weekday, month, day, time, year] if weekday.bytes().all(|b| b.is_ascii_alphabetic()) => {
            let year = (year.len() == 4).then(|| number(year))??;
            civil(year, month, day, time)?
        }
        _ => return None,
    };
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn is_gmt(zone: &str) -> bool {
    zone.eq_ignore_ascii_case("GMT") || zone.eq_ignore_ascii_case("UTC")
}

fn civil(year: i16, month: &str, day: &str, time: &str) -> Option<DateTime> {
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))? + 1;
    let mut parts = time.split(':').map(two_digits);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let day = i8::try_from(number(day)?).ok()?;
    let month = i8::try_from(month).ok()?;
    if parts.next().is_some() {
        return None;
    }
    // A leap second counts as the second before.
    DateTime::new(year, month, day, hour, minute, if second == 60 { 59 } else { second }, 0).ok()
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2).then(|| i8::try_from(number(text)?).ok())?
}

fn number(text: &str) -> Option<i16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The year that two digits mean: one that seems more than 50 years ahead is the last one in the past
/// that ends so.
fn full_year(digits: i8, now: Timestamp) -> Option<i16> {
    let this = now.to_zoned(TimeZone::UTC).year();
    let year = this.checked_sub(this.rem_euclid(100))?.checked_add(i16::from(digits))?;
    if year > this + YEARS_AHEAD_MAX { Some(year - 100) } else { Some(year) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        parse(text, "2026-11-21T10:00:00Z".parse().unwrap()).map(|at| at.to_string())
    }

    #[test]
    fn all_three_forms_are_read() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            // Wrong days and cases do no harm.
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "monday, 06-nov-94 08:49:37 gmt",
            "Sun Nov 06 08:49:37 1994",
        ] {
            assert_eq!(read(text).as_deref(), Some("1994-11-06T08:49:37Z"), "{text}");
        }
    }

    #[test]
    fn two_digits_of_a_year_are_near() {
        let year = |digits| read(&format!("Monday, 01-Jan-{digits} 00:00:00 GMT")).unwrap();
        assert!(year("26").starts_with("2026") && year("76").starts_with("2076"));
        assert!(year("77").starts_with("1977") && year("00").starts_with("2000"));
    }

    #[test]
    fn what_is_no_date_is_not() {
        for text in [
            "",
            "soon",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 EST",
            "Sunday, 31-Feb-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94",
            "Sun Foo  6 08:49:37 1994",
            "Sun Nov  6 25:49:37 1994",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "(Sun|Sunday|,| |06|-|Nov|94|08:49:37|GMT|1994|é){0,12}") {
            let _ = read(&text);
        }
    }
}
