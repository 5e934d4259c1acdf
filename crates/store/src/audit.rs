use std::net::IpAddr;

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use jiff::Timestamp;

use crate::{ActorKind, StoreError};

/// One change that someone made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; a later one has a higher number.
    pub id: u64,
    /// When the request or command began that made it.
    pub at: Timestamp,
    /// The workspace that it was made in.
    pub workspace: WorkspaceId,
    /// What kind of actor made it.
    pub actor: ActorKind,
    /// The credential of the request.
    pub credential: Option<CredentialId>,
    /// The name that the credential had; empty when it had none.
    pub credential_name: String,
    /// The address that the request came from.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What was done, such as `endpoint.update`.
    pub action: String,
    /// The number or name of what it was done to.
    pub subject: String,
    /// What more there is to say, a JSON object. Never a secret.
    pub detail: String,
}

/// Which entries to read; all conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// With a higher number.
    pub after: Option<u64>,
    /// With a lower number.
    pub before: Option<u64>,
    /// Made at or after this moment.
    pub from: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
    /// Made with this credential.
    pub credential: Option<CredentialId>,
    /// This action, or, with a dot at its end, all that begin so.
    pub action: Option<String>,
    /// Done to the thing with this number or name.
    pub subject: Option<String>,
    /// From the highest number down.
    pub newest_first: bool,
    /// The most to return.
    pub limit: usize,
}

/// The record of who changed what. An entry is written in the transaction of its change whenever an
/// [`Actor`](crate::Actor) is at work; nothing changes one, and only retention deletes them.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// A workspace's entries, numbers ascending unless asked otherwise.
    async fn audit(
        &self,
        workspace: WorkspaceId,
        query: AuditQuery,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}
