//! `/v1/audit`: who changed what.

use hookyard_engine::Error;
use hookyard_store::{AuditEntry, StoreError};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// The most of a journal number that is read as JSON by everyone.
pub(super) const NUMBER_MAX: u64 = 1 << 53;

/// One change that someone made.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Entry<'a> {
    /// Its number; a later entry has a higher one.
    id: u64,
    /// When the request or command began that made it.
    at: Timestamp,
    /// Who: a `request` to an API, a `command` of whoever runs the installation, or the `system`.
    actor: &'static str,
    /// The number of the request's credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<i32>,
    /// The name that the credential had.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    credential_name: &'a str,
    /// The address that the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The request's `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// What was done, such as `endpoint.update`.
    action: &'a str,
    /// The number or name of what it was done to.
    subject: &'a str,
    /// What more there is to say: names of settings that changed, never their values where these can
    /// be secrets.
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
