//! `/v1/sources/{id}/rejections`: requests refused by a source, and the causes.

use hookyard_core::model::{Cause, NewRejection, Rejection as CoreRejection};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A request refused by a source, or several refused requests with the same cause in quick succession.
#[derive(Serialize, ToSchema)]
pub(super) struct Rejection<'a> {
    /// The rejection's number.
    id: u64,
    #[schema(value_type = CauseBody)]
    cause: Cause,
    /// More about the first, for people.
    detail: &'a str,
    /// How many came.
    count: u64,
    /// When the first came.
    first_at: Timestamp,
    /// When the last came.
    last_at: Timestamp,
    /// The method of the first.
    method: &'a str,
    /// The address of the first sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whether the first request is kept, to be shown and for the doctor.
    has_request: bool,
}

/// The reason why a source did not do as the sender of a request wanted.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectionCause)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
pub(super) enum CauseBody {
    Origin,
    Address,
    RateLimited,
    Proof,
    TooLarge,
    Malformed,
    ContentCoding,
    NotText,
    EventType,
    Unmatchable,
    Loop,
    Repeat,
}

impl<'a> Rejection<'a> {
    pub(super) fn new(rejection: &'a CoreRejection) -> Self {
        let CoreRejection { id, line, has_request } = rejection;
        let NewRejection { source: _, first_at, last_at, count, cause, detail, method, address } =
            line;
        Self {
            id: id.0,
            cause: *cause,
            detail,
            count: *count,
            first_at: *first_at,
            last_at: *last_at,
            method,
            address: address.map(|address| address.to_string()),
            has_request: *has_request,
        }
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn every_cause_is_described() {
        let schema = serde_json::to_value(CauseBody::schema()).unwrap().to_string();
        for cause in Cause::ALL {
            assert!(schema.contains(&format!("\"{}\"", cause.as_str())), "{schema}");
        }
    }
}
