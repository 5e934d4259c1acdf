use async_trait::async_trait;
use hookyard_core::id::{CredentialId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};

use crate::StoreError;

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
}

/// A credential with the hash that a pair's caller has still to match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The credential.
    pub credential: Credential,
    /// SHA-256 of a pair's secret; to be compared in constant time.
    pub secret: Option<[u8; 32]>,
}

/// Credentials, kept as hashes only.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential to a workspace. May be called by another process than the one that serves.
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError>;

    /// The credential with this lookup hash; `None` when there is none. Sees what another process
    /// added.
    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError>;
}
