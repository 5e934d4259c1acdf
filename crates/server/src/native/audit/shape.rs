//! `/v1/audit`: the log of changes and their actors.

use hookyard_engine::Error;
use hookyard_store::{AuditEntry, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The largest journal number that every JSON reader reads exactly.
pub(super) const NUMBER_MAX: u64 = 1 << 53;

/// One change.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Entry<'a> {
    /// The entry's number; a later entry has a higher number.
    id: u64,
    /// When the causing request or command began.
    at: Timestamp,
    /// The actor: a `request` to an API, a `command` of the installation's operator, or the `system`.
    actor: &'static str,
    /// The number of the request's credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<i32>,
    /// The credential's name at the time.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    credential_name: &'a str,
    /// The address of the request's sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The request's `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// The action, such as `endpoint.update`.
    action: &'a str,
    /// The number or name of the changed thing.
    subject: &'a str,
    /// Further details: names of changed settings, never their values where these can be secrets.
    #[schema(value_type = Object)]
    detail: &'a RawValue,
}

impl<'a> Entry<'a> {
    pub(super) fn new(entry: &'a AuditEntry) -> Result<Self, Error> {
        let detail = serde_json::from_str(&entry.detail);
        Ok(Self {
            id: entry.id,
            at: entry.at,
            actor: entry.actor.as_str(),
            credential: entry.credential.map(|id| id.0),
            credential_name: &entry.credential_name,
            address: entry.address.map(|address| address.to_string()),
            request_id: entry.request_id.as_deref(),
            action: &entry.action,
            subject: &entry.subject,
            detail: detail
                .map_err(|error| Error::Internal(StoreError::Internal(Box::new(error))))?,
        })
    }
}

/// An entry of the audit log as an export has it: one line of JSON, without its end.
pub fn audit_line(entry: &AuditEntry) -> Result<String, Error> {
    serde_json::to_string(&Entry::new(entry)?)
        .map_err(|error| Error::Internal(StoreError::Internal(Box::new(error))))
}
