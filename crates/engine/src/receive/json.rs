//! JSON kept as received.

use std::ops::Range;

use hookyard_core::body;
use hookyard_core::json::too_deep_at;
use serde::de::IgnoredAny;

/// The deepest accepted nesting of arrays and objects. Readers of the rows recurse: Python's and
/// serde's limits are somewhat higher.
const NESTING_MAX: usize = 128;

/// The part of `bytes` with the JSON value, without byte order mark and outer whitespace. Otherwise
/// a text with the reason.
pub(super) fn locate(bytes: &[u8]) -> Result<Range<usize>, String> {
    let malformed =
        |reason: &str, byte: usize| format!("JSON is malformed: {reason} (byte {byte})");
    let text = std::str::from_utf8(bytes)
        .map_err(|error| malformed("invalid UTF-8", error.valid_up_to()))?;
    let start = text.len() - body::without_mark(bytes).len();
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    let start = text.len() - text[start..].trim_start_matches(is_blank).len();
    let end = text.trim_end_matches(is_blank).len().max(start);
    // `IgnoredAny` checks the grammar without building anything and without recursing.
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&text[start..end]) {
        let words = error.to_string();
        let reason = words.split_once(" at line ").map_or(words.as_str(), |(reason, _)| reason);
        return Err(malformed(reason, start + offset(&text[start..end], &error)));
    }
    match too_deep_at(&text.as_bytes()[start..end], NESTING_MAX) {
        Some(byte) => {
            let reason = format!("nested more than {NESTING_MAX} deep");
            Err(malformed(&reason, start + byte))
        }
        None => Ok(start..end),
    }
}

/// Where in the text an error is, in bytes.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let before: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn located(text: &str) -> Option<&str> {
        locate(text.as_bytes()).ok().map(|range| &text[range])
    }

    #[test]
    fn values_are_located_without_what_is_around_them() {
        for text in ["{}", "1", "\"x\"", "null", "[1.0, 1e400, 123456789012345678901234567890]"] {
            assert_eq!(located(text), Some(text));
            assert_eq!(located(&format!("\u{feff} \t\r\n{text}\n ")), Some(text));
        }
        assert_eq!(located(r#"{"a":1,"a":2,"\u00e9":"\ud800"}"#).map(str::len), Some(31));
    }

    #[test]
    fn what_is_no_json_is_not_located() {
        for text in [
            "",
            " ",
            "{bad",
            "NaN",
            "[Infinity]",
            "-Infinity",
            "{'a':1}",
            "[1,]",
            "01",
            "1 2",
            "\"\n\"",
            "tru",
            "{\"a\"}",
            "\u{feff}",
        ] {
            assert_eq!(located(text), None, "{text}");
        }
        assert!(locate(b"\"\xff\"").unwrap_err().contains("invalid UTF-8 (byte 1)"));
    }

    #[test]
    fn errors_name_the_byte() {
        let error = locate(b" {\n  bad}").unwrap_err();
        assert_eq!(error, "JSON is malformed: key must be a string (byte 5)");
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(located(&nested(NESTING_MAX)).is_some());
        assert!(located(&nested(NESTING_MAX + 1)).is_none());
        assert!(located(&nested(1_000_000)).is_none());
        let objects = format!("{}1{}", "{\"a\":".repeat(129), "}".repeat(129));
        assert!(located(&objects).is_none());
        // Brackets in strings count for nothing.
        assert!(located(&format!("\"\\\"{}\"", "[".repeat(500))).is_some());
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_located_whole(text in "\\PC*") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(located(&json), Some(json.as_str()));
            let reads = serde_json::from_str::<serde_json::Value>(text.trim()).is_ok();
            prop_assert!(!reads || located(text.trim()).is_some());
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = locate(&bytes);
        }
    }
}
