//! What an endpoint's owner wants done about an answer that is no success.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most retry rules of an endpoint: one for every status that anyone is likely to treat apart,
/// and few enough to be read for every failed attempt.
pub const RETRY_RULES_MAX: usize = 20;

/// The largest `after` of a retry rule. With the usual schedule that many failures take four days.
pub const RETRY_RULE_AFTER_MAX: u32 = 100;

/// The statuses that a rule may name: whatever is an answer and no success.
const STATUSES: RangeInclusive<u16> = 300..=599;

/// What to do about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAction {
    /// Try the same events again by the usual schedule, for as long as the endpoint is enabled.
    Retry,
    /// Take the answer as final: the events of the bundle are not sent again.
    Drop,
    /// Disable the endpoint.
    Disable,
    /// Take the events to be at fault: halve the bundle until the offender is alone, and park it.
    Park,
}

/// A run of statuses, written `404` or `500-599`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// Whether a status is one of these.
    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

/// A range as it comes: a number is a range of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u16),
    Text(String),
}

impl TryFrom<Written> for StatusRange {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(status) => status.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |text: &str| text.parse().ok().filter(|status| STATUSES.contains(status));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(format!(
                "`{text}` is no status: write one from 300 to 599, or a range such as 500-599"
            )),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl From<StatusRange> for String {
    fn from(range: StatusRange) -> Self {
        range.to_string()
    }
}

/// One retry rule. Of the rules of an endpoint the first that names the status counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// The statuses that it is about.
    pub status: StatusRange,
    /// What to do.
    pub action: RetryAction,
    /// How many failures it takes: failures in a row for `drop` and `disable` (1 when absent),
    /// refusals of an event alone for `park` (10 when absent). Until then the bundle is tried again
    /// by the usual schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u32>,
}

/// Checks an endpoint's retry rules; the answer says what is wrong and where.
pub fn check_retry_rules(rules: &[RetryRule]) -> Result<(), String> {
    if rules.len() > RETRY_RULES_MAX {
        return Err(format!("has {} rules, at most {RETRY_RULES_MAX} are kept", rules.len()));
    }
    for (index, rule) in rules.iter().enumerate() {
        match rule.after {
            Some(_) if rule.action == RetryAction::Retry => {
                return Err(format!("[{index}].after has no meaning for the action retry"));
            }
            Some(after) if !(1..=RETRY_RULE_AFTER_MAX).contains(&after) => {
                return Err(format!(
                    "[{index}].after must be from 1 to {RETRY_RULE_AFTER_MAX}, and is {after}"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<RetryRule, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn rules_read_and_write() {
        let one = rule(r#"{"status":404,"action":"drop","after":3}"#).unwrap();
        assert!(one.status.contains(404) && !one.status.contains(405));
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"status":"404","action":"drop","after":3}"#);
        let many = rule(r#"{"status":"500-599","action":"retry"}"#).unwrap();
        assert!(many.status.contains(500) && many.status.contains(599));
        assert_eq!(rule(&serde_json::to_string(&many).unwrap()).unwrap(), many);
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for status in ["200", "600", "5xx", "500-", "599-500", "200-599", "", "-"] {
            let text = format!(r#"{{"status":"{status}","action":"retry"}}"#);
            let error = rule(&text).unwrap_err().to_string();
            assert!(error.contains("is no status"), "{status}: {error}");
        }
        assert!(rule(r#"{"status":404,"action":"explode"}"#).is_err());
        assert!(rule(r#"{"status":404,"action":"drop","afterwards":1}"#).is_err());
    }

    #[test]
    fn lists_are_bounded() {
        let one = rule(r#"{"status":404,"action":"drop"}"#).unwrap();
        assert!(check_retry_rules(&[one; RETRY_RULES_MAX]).is_ok());
        assert!(check_retry_rules(&[one; RETRY_RULES_MAX + 1]).is_err());
        for (after, fits) in [(0, false), (1, true), (100, true), (101, false)] {
            let rules = [one, RetryRule { after: Some(after), ..one }];
            assert_eq!(check_retry_rules(&rules).is_ok(), fits, "{after}");
        }
        let retry = RetryRule { action: RetryAction::Retry, after: Some(1), ..one };
        assert!(check_retry_rules(&[retry]).unwrap_err().starts_with("[0].after"));
    }
}
