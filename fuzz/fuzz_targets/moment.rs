//! Whatever a text is, the readers of moments and HTTP dates neither panic nor differ from another
//! reader where both know the text: `cargo +nightly fuzz run moment`.
#![no_main]

use hookyard_core::{http_date, moment};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = http_date::parse(text, Timestamp::UNIX_EPOCH);
    let Some(read) = moment::timestamp(text) else { return };
    // A leap second is the second before it to the other one, and it ends earlier than the year 9999.
    let leap = text.get(17..19) == Some("60");
    if let Ok(other) = text.parse::<Timestamp>() {
        assert!(leap || read == other, "{text}: {read} {other}");
    }
});
