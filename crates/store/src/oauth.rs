use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::{Application, Grant, Scopes};
use jiff::Timestamp;

use crate::StoreError;

/// The most access tokens of a grant; a further one ends the oldest. A program that refreshes early has two
/// at a time; ten leave room for several workers with separate refreshes.
pub const ACCESS_TOKENS_MAX: usize = 10;

/// The most used refresh tokens of a grant that are remembered. An older used token is unknown at its reuse,
/// and ends nothing.
pub const USED_REFRESH_TOKENS_MAX: usize = 100;

/// The most device codes of an application that wait for a person. Anyone with the client id can ask for a
/// code.
pub const DEVICE_CODES_MAX: usize = 200;

/// How long a code is kept after its expiry, in milliseconds: a day, during which a reuse is recognised.
pub(crate) const CODE_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// The least time between two questions of a device, in milliseconds, and the growth after a question that
/// comes too early (RFC 8628, sections 3.2 and 3.5).
pub(crate) const POLL_INTERVAL_MS: i64 = 5_000;

/// SHA-256 of a code or token; the store keeps the hash alone.
pub type SecretHash = [u8; 32];

/// An authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The allowed scopes.
    pub scopes: Scopes,
    /// The credential of the approving person.
    pub approved_by: CredentialId,
    /// The address to which the person's browser was sent back with the code.
    pub redirect_uri: String,
    /// The PKCE challenge (S256) that the verifier must meet.
    pub challenge: Option<String>,
    /// The end of the code's life.
    pub expires_at: Timestamp,
}

/// A new pair of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTokens {
    /// Of the access token.
    pub access: SecretHash,
    /// The expiry of the access token.
    pub access_expires_at: Timestamp,
    /// Of the refresh token.
    pub refresh: SecretHash,
    /// The expiry of the refresh token; `None` for no end.
    pub refresh_expires_at: Option<Timestamp>,
}

/// The outcome of presenting a code or refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issue {
    /// The new tokens open the scopes of the grant.
    Issued(Grant),
    /// The application has no such code or token.
    Unknown,
    /// The code or token had expired.
    Expired,
    /// The code or token was used before. The presenter may have stolen the code or token, so the resulting
    /// grant is revoked.
    Reused,
}

/// A device's wish for a person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The asking application.
    pub application: ApplicationId,
    /// The scopes asked for.
    pub scopes: Scopes,
    /// The end of the time for the answer and for fetching the tokens.
    pub expires_at: Timestamp,
}

/// The answer to a polling device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// A person said yes: as for a code.
    Issue(Issue),
    /// Nobody has decided yet.
    Pending,
    /// Nobody has decided yet, and the device asked too early; the device must wait 5 seconds longer between
    /// questions from now on.
    TooSoon,
    /// A person said no.
    Denied,
}

/// Codes and tokens of OAuth2, kept as hashes only. A code or token belongs to one application and does not
/// exist for others.
#[async_trait]
pub trait OAuthStore: Send + Sync {
    /// Keeps a code. [`StoreError::NotFound`] when the application is gone.
    async fn add_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        code: Code,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes in the audit log that a person refused an application in a browser. Nothing else of the refusal
    /// is kept. [`StoreError::NotFound`] when the application is gone.
    async fn note_denial(
        &self,
        application: ApplicationId,
        scopes: Scopes,
    ) -> Result<(), StoreError>;

    /// The purpose of a code, used or not; `None` when the application has no such code. The purpose never
    /// changes; only the use does.
    async fn code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
    ) -> Result<Option<Code>, StoreError>;

    /// Turns a code into a grant with the first tokens, once.
    async fn redeem_code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError>;

    /// Turns a refresh token into the grant's next tokens, once.
    async fn rotate_tokens(
        &self,
        application: ApplicationId,
        refresh: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Issue, StoreError>;

    /// Keeps a device's code and the user code, which the person types. [`StoreError::Conflict`] when the
    /// user code is in use or [`DEVICE_CODES_MAX`] codes wait.
    async fn add_device_code(
        &self,
        device: SecretHash,
        user: SecretHash,
        code: DeviceCode,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The asking application and the scopes for a typed user code, while nobody has decided and the code has
    /// not expired.
    async fn waiting_device(
        &self,
        user: SecretHash,
        now: Timestamp,
    ) -> Result<Option<(Application, Scopes)>, StoreError>;

    /// Says yes for the owner of a credential, or no for `None`. `false` when there is nothing to
    /// decide any more.
    async fn decide_device(
        &self,
        user: SecretHash,
        approved_by: Option<CredentialId>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Asks on behalf of a device. A device with the person's yes gets a grant with the first tokens, once.
    async fn poll_device(
        &self,
        application: ApplicationId,
        device: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Poll, StoreError>;

    /// Ends the grant of an access or refresh token. `false` when the application has no such token.
    async fn revoke_token(
        &self,
        application: ApplicationId,
        token: SecretHash,
    ) -> Result<bool, StoreError>;
}
