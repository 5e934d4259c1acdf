//! Query parameters, in all the spellings that the SDKs use (docs/spec/ultracart.md#parameters,
//! docs/spec/ultracart.md#trap-8).

use std::collections::HashMap;

use hookyard_engine::endpoints::{SortField, SortKey};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dates;
use super::error::ApiError;
use super::paging::Paging;

/// The largest page. The vendor's samples ask for 200 and stop at the first shorter page, so a
/// larger limit is refused rather than lowered (docs/spec/ultracart.md#trap-10).
const LIMIT_MAX: i32 = 200;

/// The page size when none is asked for.
const LIMIT_DEFAULT: i32 = 100;

/// The parameters of a request. A repeated parameter has the first value.
pub(super) struct Query(HashMap<String, String>);

impl Query {
    /// Reads the part of a URL after the question mark.
    pub(super) fn parse(raw: Option<&str>) -> Self {
        let mut values = HashMap::new();
        for (name, value) in form_urlencoded::parse(raw.unwrap_or_default().as_bytes()) {
            values.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(values)
    }

    /// A parameter's value. An empty value counts as absent, and so do the words that SDKs send for
    /// nothing.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!matches!(value.as_str(), "" | "None" | "null")).then_some(value)
    }

    /// A true or false parameter.
    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(ApiError::invalid(name, "must be true or false")),
        }
    }

    /// A whole number of 32 bits.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i32>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let value = text.trim().parse();
        value.map(Some).map_err(|_| ApiError::invalid(name, "must be a whole number"))
    }

    /// A date, read as the earliest moment meant.
    pub(super) fn start(&self, name: &str, zone: &TimeZone) -> Result<Option<Timestamp>, ApiError> {
        self.date(name, |text| dates::parse_start(text, zone))
    }

    /// A date, read as the latest moment meant.
    pub(super) fn end(&self, name: &str, zone: &TimeZone) -> Result<Option<Timestamp>, ApiError> {
        self.date(name, |text| dates::parse_end(text, zone))
    }

    fn date(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<Timestamp>,
    ) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let message = "must be a date such as 2026-01-31T10:00:00+00:00";
        parse(text).map(Some).ok_or_else(|| ApiError::invalid(name, message))
    }

    /// `_limit` and `_offset`.
    pub(super) fn paging(&self) -> Result<Paging, ApiError> {
        let limit = self.integer("_limit")?.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let message = format!("must be between 1 and {LIMIT_MAX}, and is {limit}");
            return Err(ApiError::invalid("_limit", message));
        }
        let offset = self.integer("_offset")?.unwrap_or_default();
        if offset < 0 {
            let message = format!("must not be negative, and is {offset}");
            return Err(ApiError::invalid("_offset", message));
        }
        Ok(Paging { limit, offset })
    }

    /// `_placeholders`.
    pub(super) fn placeholders(&self) -> Result<bool, ApiError> {
        Ok(self.boolean("_placeholders")?.unwrap_or_default())
    }

    /// `_sort`: the requested order, then the default order.
    pub(super) fn sort(&self) -> Result<Vec<SortKey>, ApiError> {
        let mut keys = Vec::new();
        for part in self.text("_sort").unwrap_or_default().split(',') {
            // An unencoded `+` arrives as a blank.
            let (descending, field) = match part.strip_prefix('-') {
                Some(field) => (true, field),
                None => (false, part.strip_prefix(['+', ' ']).unwrap_or(part)),
            };
            let field = match field.trim() {
                "" if !descending => continue,
                "webhook_url" => SortField::Url,
                "disabled" => SortField::Disabled,
                other => {
                    let message = format!("cannot sort by '{other}': use webhook_url or disabled");
                    return Err(ApiError::invalid("_sort", message));
                }
            };
            if !keys.iter().any(|key: &SortKey| key.field == field) {
                keys.push(SortKey { field, descending });
            }
        }
        for default in SortKey::DEFAULT {
            if !keys.iter().any(|key| key.field == default.field) {
                keys.push(default);
            }
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(raw: &str) -> Query {
        Query::parse(Some(raw))
    }

    #[test]
    fn words_for_nothing_are_nothing() {
        for raw in ["", "x", "x=", "x=None", "x=null"] {
            assert_eq!(query(raw).text("x"), None, "{raw}");
            assert_eq!(query(raw).boolean("x").unwrap(), None, "{raw}");
            assert_eq!(query(raw).integer("x").unwrap(), None, "{raw}");
        }
        assert_eq!(query("x=nullable").text("x"), Some("nullable"));
        assert_eq!(query("x=free+text+%26+more&x=2").text("x"), Some("free text & more"));
        assert_eq!(Query::parse(None).text("x"), None);
    }

    #[test]
    fn booleans_come_in_every_language() {
        for text in ["True", "true", "TRUE", "1"] {
            assert_eq!(query(&format!("x={text}")).boolean("x").unwrap(), Some(true), "{text}");
        }
        for text in ["False", "false", "0"] {
            assert_eq!(query(&format!("x={text}")).boolean("x").unwrap(), Some(false), "{text}");
        }
        for text in ["yes", "2", "-1"] {
            assert!(query(&format!("x={text}")).boolean("x").is_err(), "{text}");
        }
    }

    #[test]
    fn pages_have_1_to_200_entries() {
        let paging = |raw: &str| query(raw).paging();
        assert_eq!(paging("").unwrap(), Paging { limit: 100, offset: 0 });
        let full = Paging { limit: 200, offset: 7 };
        assert_eq!(paging("_limit=200&_offset=7").unwrap(), full);
        for raw in [
            "_limit=0",
            "_limit=-1",
            "_limit=201",
            "_limit=x",
            "_limit=1.5",
            "_limit=5000000000",
            "_offset=-1",
            "_offset=5000000000",
        ] {
            assert!(paging(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn sorting_reads_every_spelling() {
        let url = |descending| SortKey { field: SortField::Url, descending };
        let disabled = |descending| SortKey { field: SortField::Disabled, descending };
        for (raw, keys) in [
            ("", [url(false), disabled(false)]),
            ("_sort=null", [url(false), disabled(false)]),
            ("_sort=%2Bwebhook_url%2C-disabled", [url(false), disabled(true)]),
            ("_sort=+webhook_url", [url(false), disabled(false)]),
            ("_sort=webhook_url", [url(false), disabled(false)]),
            ("_sort=-webhook_url", [url(true), disabled(false)]),
            ("_sort=-disabled,", [disabled(true), url(false)]),
            ("_sort=-disabled,disabled", [disabled(true), url(false)]),
        ] {
            assert_eq!(query(raw).sort().unwrap(), keys, "{raw}");
        }
        for raw in ["_sort=%2Bnope", "_sort=-", "_sort=--disabled", "_sort=name"] {
            assert!(query(raw).sort().is_err(), "{raw}");
        }
    }

    #[test]
    fn dates_that_cannot_be_read_name_their_parameter() {
        let error = query("_since=soon").start("_since", &TimeZone::UTC).unwrap_err();
        assert!(error.to_string().starts_with("_since: "), "{error}");
        assert_eq!(query("_since=None").start("_since", &TimeZone::UTC).unwrap(), None);
    }
}
