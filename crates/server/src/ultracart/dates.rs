//! Dates in the form of UltraCart clients (docs/spec/ultracart.md#dates).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

/// The last nanosecond of a second.
const LAST_NANOSECOND: i32 = 999_999_999;

/// A moment in an answer: whole seconds and a numeric offset.
pub(super) fn format(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The earliest moment meant by a date in a query; `None` when the text is no date.
pub(super) fn parse_start(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    match parse(text, zone)? {
        Meaning::Moment(moment) => Some(moment),
        Meaning::Day(day) => Some(day.to_zoned(zone.clone()).ok()?.timestamp()),
    }
}

/// The latest moment meant by a date in a query. A bare date stands for the whole day. A moment in whole
/// seconds, the precision of answers, stands for the whole second.
pub(super) fn parse_end(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    match parse(text, zone)? {
        Meaning::Moment(moment) if moment.subsec_nanosecond() == 0 => {
            Some(moment.checked_add(i64::from(LAST_NANOSECOND).nanoseconds()).unwrap_or(moment))
        }
        Meaning::Moment(moment) => Some(moment),
        Meaning::Day(day) => {
            let next = day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp();
            next.checked_sub(1.nanosecond()).ok()
        }
    }
}

enum Meaning {
    Moment(Timestamp),
    Day(Date),
}

fn parse(text: &str, zone: &TimeZone) -> Option<Meaning> {
    // An unencoded `+` arrives as a blank.
    let text = match text.char_indices().skip(11).find(|(_, c)| *c == ' ') {
        Some((at, _)) => format!("{}+{}", &text[..at], &text[at + 1..]),
        None => text.to_owned(),
    };
    // Years far off would overflow once a zone or a day is added.
    let sane = |moment: &Timestamp| {
        let year = moment.to_zoned(TimeZone::UTC).year();
        (1..9_999).contains(&year)
    };
    if let Ok(moment) = text.parse::<Timestamp>() {
        return sane(&moment).then_some(Meaning::Moment(moment));
    }
    if text.len() == "2026-01-31".len() {
        return text.parse().ok().map(Meaning::Day);
    }
    // A date without an offset is in the time zone of the answers.
    let local = text.parse::<DateTime>().ok()?;
    let moment = local.round(Unit::Nanosecond).ok()?.to_zoned(zone.clone()).ok()?.timestamp();
    sane(&moment).then_some(Meaning::Moment(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(-4))
    }

    #[test]
    fn dates_are_written_with_whole_seconds_and_an_offset() {
        let moment: Timestamp = "2025-10-06T20:07:13.987Z".parse().unwrap();
        assert_eq!(format(moment, &TimeZone::UTC), "2025-10-06T20:07:13+00:00");
        assert_eq!(format(moment, &zone()), "2025-10-06T16:07:13-04:00");
    }

    #[test]
    fn every_form_that_clients_send_is_read() {
        for (text, moment) in [
            ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00 00:00", "2026-01-01T00:00:00Z"),
            ("2026-01-01T02:00:00 02:00", "2026-01-01T00:00:00Z"),
            ("2026-11-11T00:00:00.000-05:00", "2026-11-11T05:00:00Z"),
            ("2026-11-11T16:30:00.123456789Z", "2026-11-11T16:30:00.123456789Z"),
            ("2026-11-11T16:30:00", "2026-11-11T20:30:00Z"),
            ("2026-11-11 16:30:00+00:00", "2026-11-11T16:30:00Z"),
            ("2026-11-11", "2026-11-11T04:00:00Z"),
        ] {
            assert_eq!(parse_start(text, &zone()), Some(moment.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_end_takes_in_the_day_or_the_second() {
        for (text, moment) in [
            ("2026-01-31", "2026-02-01T03:59:59.999999999Z"),
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00.999999999Z"),
            ("2026-01-31T10:00:00.5Z", "2026-01-31T10:00:00.5Z"),
        ] {
            assert_eq!(parse_end(text, &zone()), Some(moment.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "yesterday",
            "2026-13-01",
            "2026-02-30T00:00:00Z",
            "12345",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00 x",
            "9999-12-31T23:59:59Z",
            "2026-01-éééééé é",
        ] {
            assert_eq!(parse_start(text, &zone()), None, "{text}");
            assert_eq!(parse_end(text, &zone()), None, "{text}");
        }
        assert_eq!(parse_end("9999-12-31", &zone()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            parse_start(&text, &zone());
            parse_end(&text, &zone());
        }

        #[test]
        fn what_is_written_is_read_back(second in 0_i64..200_000_000_000) {
            let moment = Timestamp::from_second(second).unwrap();
            let text = format(moment, &zone());
            proptest::prop_assert_eq!(parse_start(&text, &zone()), Some(moment));
            // A `+` that was not encoded.
            let utc = format(moment, &TimeZone::UTC).replace('+', " ");
            proptest::prop_assert_eq!(parse_start(&utc, &zone()), Some(moment));
        }
    }
}
