use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};
use ipnet::IpNet;
use jiff::Timestamp;

use crate::StoreError;

/// The most credentials of a workspace that people made and that have not ended. Each is made by
/// hand or by a tool; far fewer are in use. Those of applications have bounds of their own.
pub const CREDENTIALS_MAX: usize = 1_000;

/// A credential on its way into the store; its secrets are hashed already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// How it is presented.
    pub kind: CredentialKind,
    /// What it may do.
    pub scopes: Scopes,
    /// SHA-256 of the key (a pair) or of the whole secret (the other kinds).
    pub lookup: [u8; 32],
    /// SHA-256 of a pair's secret.
    pub secret: Option<[u8; 32]>,
    /// What people know it by; may be empty.
    pub name: String,
    /// Now.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The addresses that it may be used from; any when there is none.
    pub allowed_ips: Vec<IpNet>,
    /// The application that it is given to.
    pub application: Option<ApplicationId>,
    /// The only project that it opens; `None` for the whole workspace.
    pub project: Option<ProjectId>,
}

impl NewCredential {
    /// One without a name, an end, or bounds.
    pub fn new(
        kind: CredentialKind,
        scopes: Scopes,
        lookup: [u8; 32],
        secret: Option<[u8; 32]>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            kind,
            scopes,
            lookup,
            secret,
            name: String::new(),
            created_at,
            expires_at: None,
            allowed_ips: Vec::new(),
            application: None,
            project: None,
        }
    }
}

/// A credential with the hash that a pair's caller has still to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The credential.
    pub credential: Credential,
    /// SHA-256 of a pair's secret; to be compared in constant time.
    pub secret: Option<[u8; 32]>,
}

/// Which credentials to list, numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CredentialQuery {
    /// Leave out those up to this number.
    pub after: Option<CredentialId>,
    /// Of this application alone; `None`: those that belong to none.
    pub application: Option<ApplicationId>,
    /// The most to return.
    pub limit: usize,
}

/// A change of a credential; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialChange {
    /// What people know it by.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Option<Scopes>,
    /// When it ends; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// The addresses that it may be used from.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

/// The hashes of a credential's successor, and when the old one ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// SHA-256 of the new key (a pair) or of the whole new secret (the other kinds).
    pub lookup: [u8; 32],
    /// SHA-256 of a pair's new secret.
    pub secret: Option<[u8; 32]>,
    /// When the old one ends, unless it ends sooner by itself.
    pub old_until: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Credentials, kept as hashes only. All of it may be called by another process than the one that
/// serves, and sees what another process did.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential to a workspace. [`StoreError::Conflict`] when it has [`CREDENTIALS_MAX`],
    /// [`StoreError::NotFound`] when there is no such workspace or project.
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError>;

    /// The credential with this lookup hash, ended or not; `None` when there is none.
    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError>;

    /// A number that grows whenever this process hears that another one took something away from a
    /// credential: what was read before is not to be believed any more. A backend on which nobody says
    /// so keeps it at 0, so nothing is to be believed for long.
    fn credentials_changed(&self) -> u64 {
        0
    }

    /// A page of a workspace's credentials, those that have ended included.
    async fn credentials(
        &self,
        workspace: WorkspaceId,
        query: CredentialQuery,
    ) -> Result<Vec<Credential>, StoreError>;

    /// A workspace's credential by its number; `None` when there is none.
    async fn credential_by_id(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError>;

    /// Changes a credential; what it is then. [`StoreError::NotFound`] when there is none,
    /// [`StoreError::Conflict`] when it was revoked.
    async fn change_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        change: CredentialChange,
    ) -> Result<Credential, StoreError>;

    /// Ends a credential for good; what it is then. Once is enough: the first moment stays.
    /// [`StoreError::NotFound`] when there is none.
    async fn revoke_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Timestamp,
    ) -> Result<Credential, StoreError>;

    /// Makes the successor of a credential: all is the same but its number and secret. The old one
    /// ends after a while. [`StoreError::NotFound`] when there is none, [`StoreError::Conflict`]
    /// when it has ended.
    async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        rotation: Rotation,
    ) -> Result<Credential, StoreError>;

    /// Notes when credentials were last used; an earlier moment than the one that is there changes
    /// nothing.
    async fn credentials_used(
        &self,
        uses: Vec<(CredentialId, Timestamp)>,
    ) -> Result<(), StoreError>;

    /// Forgets credentials that ended before a moment, at most `limit`; how many.
    async fn forget_credentials(
        &self,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError>;
}
