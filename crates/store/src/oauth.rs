use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::{Application, Grant, Scopes};
use jiff::Timestamp;

use crate::StoreError;

/// The most access tokens of a grant; a further one ends the oldest. A program that refreshes before
/// it must has two at a time; ten leave room for several workers that each refresh.
pub const ACCESS_TOKENS_MAX: usize = 10;

/// The most refresh tokens of a grant that are remembered after they were used. One that is older is
/// unknown when it comes again, and ends nothing.
pub const USED_REFRESH_TOKENS_MAX: usize = 100;

/// The most device codes of an application that wait for a person. Anyone who knows the client id
/// can ask for one.
pub const DEVICE_CODES_MAX: usize = 200;

/// How long a code is kept after it expired, in milliseconds: a day, in which it is still recognised
/// when it comes again.
pub(crate) const CODE_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// The least time between two questions of a device, in milliseconds, and by how much it grows when
/// a device asks too early (RFC 8628, sections 3.2 and 3.5).
pub(crate) const POLL_INTERVAL_MS: i64 = 5_000;

/// SHA-256 of a code or token; nothing else of it is kept.
pub type SecretHash = [u8; 32];

/// An authorization code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What it allows.
    pub scopes: Scopes,
    /// The credential of the person who allowed it.
    pub approved_by: CredentialId,
    /// Where the person was sent back to with it.
    pub redirect_uri: String,
    /// The PKCE challenge (S256) that the verifier must meet.
    pub challenge: Option<String>,
    /// Until when it can be redeemed.
    pub expires_at: Timestamp,
}

/// A pair of tokens on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTokens {
    /// Of the access token.
    pub access: SecretHash,
    /// Until when that opens something.
    pub access_expires_at: Timestamp,
    /// Of the refresh token.
    pub refresh: SecretHash,
    /// Until when that can be used; `None` for no end.
    pub refresh_expires_at: Option<Timestamp>,
}

/// What came of a code or refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issue {
    /// The new tokens open what the grant allows.
    Issued(Grant),
    /// It is not one of the application's.
    Unknown,
    /// It came too late.
    Expired,
    /// It was used before: whoever has it now may not be whom it was given to, so the grant that
    /// came of it is revoked.
    Reused,
}

/// A device's wish for a person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The application that asks.
    pub application: ApplicationId,
    /// What for.
    pub scopes: Scopes,
    /// Until when it can be answered and fetched.
    pub expires_at: Timestamp,
}

/// What a polling device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll {
    /// A person said yes: as for a code.
    Issue(Issue),
    /// Nobody has decided yet.
    Pending,
    /// The same, and the device asked again too early; it has to wait 5 seconds longer between its
    /// questions from now on.
    TooSoon,
    /// A person said no.
    Denied,
}

/// Codes and tokens of OAuth2, kept as hashes only. Each is one application's; to others it is not
/// there.
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

    /// Notes in the audit log that a person said no to an application in a browser. Nothing else of it
    /// is kept. [`StoreError::NotFound`] when the application is gone.
    async fn note_denial(
        &self,
        application: ApplicationId,
        scopes: Scopes,
    ) -> Result<(), StoreError>;

    /// What a code was made for, used or not; `None` when the application has no such code. What a
    /// code is does not change, only whether it was used.
    async fn code(
        &self,
        application: ApplicationId,
        hash: SecretHash,
    ) -> Result<Option<Code>, StoreError>;

    /// Turns a code into a grant with its first tokens, once.
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

    /// Keeps a device's code and the code that its person types. [`StoreError::Conflict`] when the
    /// latter is in use or [`DEVICE_CODES_MAX`] wait.
    async fn add_device_code(
        &self,
        device: SecretHash,
        user: SecretHash,
        code: DeviceCode,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Who asks by the code that a person types, and what for, while nobody has decided it and it
    /// has not expired.
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

    /// Asks on behalf of a device; a yes is turned into a grant with its first tokens, once.
    async fn poll_device(
        &self,
        application: ApplicationId,
        device: SecretHash,
        tokens: NewTokens,
        now: Timestamp,
    ) -> Result<Poll, StoreError>;

    /// Ends the grant that a token belongs to, whether it is an access or a refresh token. `false`
    /// when the application has no such token.
    async fn revoke_token(
        &self,
        application: ApplicationId,
        token: SecretHash,
    ) -> Result<bool, StoreError>;
}
