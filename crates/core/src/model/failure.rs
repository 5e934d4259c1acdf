//! What becomes of an endpoint that fails.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::QueueState;

/// What led Hookyard to disable an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledKind {
    /// The receiver answered 410: it is gone for good (RFC 9110 section 15.5.11).
    Gone,
    /// Nothing was taken for longer than the installation allows.
    Failing,
    /// One of the endpoint's own retry rules says so.
    Rule,
}

impl DisabledKind {
    /// The kind as the APIs and events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Rule => "rule",
        }
    }
}

/// Why Hookyard, and not its owner, disabled an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledReason {
    /// What led to it.
    pub kind: DisabledKind,
    /// When.
    pub at: Timestamp,
    /// The status of the last answer; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the log says about the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether an endpoint is tried, as operators of circuit breakers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// The last attempt was a success: everything is sent as it comes.
    Closed,
    /// The last attempt failed: nothing is sent before this moment.
    Open(Timestamp),
    /// The last attempt failed and the wait is over: the next attempt decides.
    HalfOpen,
}

impl QueueState {
    /// The circuit at a moment. It follows from the failures in a row and the next try.
    pub fn circuit(&self, now: Timestamp) -> Circuit {
        match self.retry_at {
            _ if self.failures == 0 => Circuit::Closed,
            Some(until) if until > now => Circuit::Open(until),
            _ => Circuit::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_circuit_follows_from_failures_and_the_next_try() {
        let now = Timestamp::from_second(1_000).unwrap();
        let later = Timestamp::from_second(1_001).unwrap();
        let state = |failures, retry_at| QueueState { failures, retry_at, ..Default::default() };
        assert_eq!(state(0, None).circuit(now), Circuit::Closed);
        assert_eq!(state(1, Some(later)).circuit(now), Circuit::Open(later));
        assert_eq!(state(1, Some(now)).circuit(now), Circuit::HalfOpen);
        assert_eq!(state(3, None).circuit(now), Circuit::HalfOpen);
    }

    #[test]
    fn reasons_read_back() {
        let at = Timestamp::from_second(1_000).unwrap();
        let reason =
            DisabledReason { kind: DisabledKind::Gone, at, status: Some(410), error: None };
        let text = serde_json::to_string(&reason).unwrap();
        assert!(text.contains(r#""kind":"gone""#), "{text}");
        assert_eq!(serde_json::from_str::<DisabledReason>(&text).unwrap(), reason);
    }
}
