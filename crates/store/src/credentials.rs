use async_trait::async_trait;
use hookyard_core::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};
use ipnet::{AddrParseError, IpNet};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::StoreError;
use crate::audit::{about_credential, changed};

/// The most credentials of a workspace, counting unended credentials made by people. People and tools make
/// few. The credentials of applications have separate bounds.
pub const CREDENTIALS_MAX: usize = 1_000;

/// A new credential; the secrets are hashed already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// The form in which callers present the credential.
    pub kind: CredentialKind,
    /// The permitted actions.
    pub scopes: Scopes,
    /// SHA-256 of the key (a pair) or of the whole secret (the other kinds).
    pub lookup: [u8; 32],
    /// SHA-256 of a pair's secret.
    pub secret: Option<[u8; 32]>,
    /// The name for people; may be empty.
    pub name: String,
    /// Now.
    pub created_at: Timestamp,
    /// The expiry, if any.
    pub expires_at: Option<Timestamp>,
    /// The addresses from which the credential may be used; any address when the list is empty.
    pub allowed_ips: Vec<IpNet>,
    /// The application that receives the credential.
    pub application: Option<ApplicationId>,
    /// The only project that the credential opens; `None` for the whole workspace.
    pub project: Option<ProjectId>,
}

impl NewCredential {
    /// A credential without a name, an end, or bounds.
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

/// A credential with the hash that a pair's caller must still match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredential {
    /// The credential.
    pub credential: Credential,
    /// SHA-256 of a pair's secret; to be compared in constant time.
    pub secret: Option<[u8; 32]>,
}

/// The credentials to list, numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CredentialQuery {
    /// Leave out credentials up to the number.
    pub after: Option<CredentialId>,
    /// Of the application alone; `None`: credentials without an application.
    pub application: Option<ApplicationId>,
    /// The most to return.
    pub limit: usize,
}

/// A change of a credential; `None` leaves the present value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CredentialChange {
    /// The name for people.
    pub name: Option<String>,
    /// The permitted actions.
    pub scopes: Option<Scopes>,
    /// The expiry; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// The addresses from which the credential may be used.
    pub allowed_ips: Option<Vec<IpNet>>,
    /// Whether the credential is disabled.
    pub disabled: Option<bool>,
}

/// The hashes of a credential's successor, and the end of the old credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// SHA-256 of the new key (a pair) or of the whole new secret (the other kinds).
    pub lookup: [u8; 32],
    /// SHA-256 of a pair's new secret.
    pub secret: Option<[u8; 32]>,
    /// The end of the old credential, unless its own expiry comes first.
    pub old_until: Timestamp,
    /// Now.
    pub now: Timestamp,
}

impl CredentialChange {
    /// The credential after the change, and the detail for the audit log. [`StoreError::Conflict`] when
    /// the credential was revoked.
    pub(crate) fn apply(
        self,
        mut credential: Credential,
    ) -> Result<(Credential, Value), StoreError> {
        if credential.revoked_at.is_some() {
            return Err(StoreError::Conflict("the credential was revoked".to_owned()));
        }
        let before = about_credential(&credential);
        let Self { name, scopes, expires_at, allowed_ips, disabled } = self;
        credential.name = name.unwrap_or(credential.name);
        credential.scopes = scopes.unwrap_or(credential.scopes);
        credential.expires_at = expires_at.unwrap_or(credential.expires_at);
        credential.allowed_ips = allowed_ips.unwrap_or(credential.allowed_ips);
        credential.disabled = disabled.unwrap_or(credential.disabled);
        let detail = changed(&before, &about_credential(&credential));
        Ok((credential, detail))
    }
}

/// The credential once revoked, and the detail for the audit log; `None` when the credential was revoked
/// before: the first moment stays.
pub(crate) fn revoked(credential: &Credential, now: Timestamp) -> Option<(Credential, Value)> {
    let detail = json!({ "name": credential.name });
    let ended = Credential { revoked_at: Some(whole(now)), ..credential.clone() };
    credential.revoked_at.is_none().then_some((ended, detail))
}

impl Rotation {
    /// The successor to insert. [`StoreError::Conflict`] when the old credential has ended.
    pub(crate) fn successor(&self, old: &Credential) -> Result<NewCredential, StoreError> {
        let Self { lookup, secret, now, .. } = *self;
        if old.has_ended(now) {
            return Err(StoreError::Conflict("the credential has ended".to_owned()));
        }
        Ok(NewCredential {
            name: old.name.clone(),
            expires_at: old.expires_at,
            allowed_ips: old.allowed_ips.clone(),
            application: old.application,
            project: old.project,
            ..NewCredential::new(old.kind, old.scopes, lookup, secret, now)
        })
    }

    /// Both credentials once the successor is inserted, and the detail for the audit log.
    pub(crate) fn done(&self, old: Credential, successor: Credential) -> Rotated {
        let ends = old.expires_at.map_or(self.old_until, |at| at.min(self.old_until));
        let old = Credential { expires_at: Some(whole(ends)), ..old };
        let successor = Credential { disabled: old.disabled, ..successor };
        let detail = json!({ "successor": successor.id, "until": old.expires_at });
        Rotated { old, successor, detail }
    }
}

/// The outcome of a [`Rotation`]; a backend saves both credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotated {
    /// The old credential with its new end.
    pub(crate) old: Credential,
    /// The new credential.
    pub(crate) successor: Credential,
    /// The detail for the audit log.
    pub(crate) detail: Value,
}

/// Checks that a workspace with this many credentials may have another.
pub(crate) fn may_have_one_more(live: i64) -> Result<(), StoreError> {
    if usize::try_from(live).is_ok_and(|live| live < CREDENTIALS_MAX) {
        return Ok(());
    }
    Err(StoreError::Conflict(format!(
        "the workspace has {CREDENTIALS_MAX} credentials, the most that it may: revoke some first"
    )))
}

/// A moment as the store keeps moments: in whole milliseconds.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Reads scopes from their column. A scope unknown to this version grants nothing.
pub(crate) fn scopes(text: &str) -> Scopes {
    text.split(' ').filter_map(|scope| scope.parse().ok()).collect()
}

/// Writes address ranges for their column.
pub(crate) fn nets_text(nets: &[IpNet]) -> String {
    let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

/// Reads address ranges from their column. A damaged range is an error: without the range, the credential
/// could be open to every address.
pub(crate) fn nets(text: &str) -> Result<Vec<IpNet>, AddrParseError> {
    text.split_ascii_whitespace().map(str::parse).collect()
}

/// Credentials, kept as hashes only. A process beside the serving one may call all methods, and each call
/// sees the changes of other processes.
#[async_trait]
pub trait CredentialStore: Send + Sync {
    /// Adds a credential to a workspace. [`StoreError::Conflict`] when the workspace has [`CREDENTIALS_MAX`],
    /// [`StoreError::NotFound`] when there is no such workspace or project.
    async fn create_credential(
        &self,
        workspace: WorkspaceId,
        new: NewCredential,
    ) -> Result<CredentialId, StoreError>;

    /// The credential with this lookup hash, ended or not; `None` when absent.
    async fn credential(
        &self,
        kind: CredentialKind,
        lookup: [u8; 32],
    ) -> Result<Option<StoredCredential>, StoreError>;

    /// A number that grows whenever this process hears that another process took a right away from a
    /// credential: credentials read before are then outdated. A backend without such news keeps the number at
    /// 0, so callers may trust a read credential for a short time only.
    fn credentials_changed(&self) -> u64 {
        0
    }

    /// A page of a workspace's credentials, ended credentials included.
    async fn credentials(
        &self,
        workspace: WorkspaceId,
        query: CredentialQuery,
    ) -> Result<Vec<Credential>, StoreError>;

    /// A workspace's credential by number; `None` when absent.
    async fn credential_by_id(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Option<Credential>, StoreError>;

    /// Changes a credential and returns the changed credential. [`StoreError::NotFound`] when absent,
    /// [`StoreError::Conflict`] when revoked.
    async fn change_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        change: CredentialChange,
    ) -> Result<Credential, StoreError>;

    /// Ends a credential for good and returns the credential. The moment of the first call stays.
    /// [`StoreError::NotFound`] when absent.
    async fn revoke_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Timestamp,
    ) -> Result<Credential, StoreError>;

    /// Makes the successor of a credential, alike in all but number and secret. The old credential ends after
    /// a while. [`StoreError::NotFound`] when absent, [`StoreError::Conflict`] when ended.
    async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        rotation: Rotation,
    ) -> Result<Credential, StoreError>;

    /// Notes the last use of credentials; a moment earlier than the stored moment changes nothing.
    async fn credentials_used(
        &self,
        uses: Vec<(CredentialId, Timestamp)>,
    ) -> Result<(), StoreError>;

    /// Forgets credentials that ended before a moment, at most `limit`. Returns the number forgotten.
    async fn forget_credentials(
        &self,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential {
            id: CredentialId(1),
            workspace: WorkspaceId(1),
            kind: CredentialKind::Token,
            scopes: Scopes::default(),
            name: "CI".to_owned(),
            created_at: Some(at(0)),
            expires_at: None,
            allowed_ips: vec!["10.0.0.0/8".parse().unwrap()],
            last_used_at: None,
            revoked_at: None,
            disabled: true,
            application: None,
            project: Some(ProjectId(4)),
        }
    }

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn rotation(old_until: Timestamp) -> Rotation {
        Rotation { lookup: [1; 32], secret: None, old_until, now: at(1_000) }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let change = CredentialChange { name: Some("Build".to_owned()), ..Default::default() };
        let (changed, detail) = change.clone().apply(credential()).unwrap();
        assert_eq!(changed, Credential { name: "Build".to_owned(), ..credential() });
        assert_eq!(detail, json!({ "changed": ["name"] }));
        let gone = Credential { revoked_at: Some(at(5)), ..credential() };
        assert!(matches!(change.apply(gone), Err(StoreError::Conflict(_))));
    }

    #[test]
    fn a_credential_is_revoked_once() {
        let now = Timestamp::from_microsecond(7_500).unwrap();
        let (ended, _) = revoked(&credential(), now).unwrap();
        assert_eq!(ended.revoked_at, Some(at(7)));
        assert!(revoked(&ended, at(9)).is_none());
    }

    #[test]
    fn a_successor_takes_all_but_the_number_and_the_secret() {
        let rotation = rotation(at(5_000));
        let new = rotation.successor(&credential()).unwrap();
        assert_eq!((new.name.as_str(), new.project), ("CI", Some(ProjectId(4))));
        assert_eq!((new.allowed_ips, new.lookup), (credential().allowed_ips, [1; 32]));
        let inserted = Credential { id: CredentialId(2), disabled: false, ..credential() };
        let done = rotation.done(credential(), inserted);
        assert_eq!(done.old.expires_at, Some(at(5_000)));
        assert_eq!((done.successor.disabled, done.successor.expires_at), (true, None));
    }

    #[test]
    fn a_rotation_never_lengthens_a_life() {
        let old = Credential { expires_at: Some(at(2_000)), ..credential() };
        assert_eq!(rotation(at(5_000)).done(old, credential()).old.expires_at, Some(at(2_000)));
        let ended = Credential { expires_at: Some(at(1_000)), ..credential() };
        assert!(matches!(rotation(at(5_000)).successor(&ended), Err(StoreError::Conflict(_))));
    }

    #[test]
    fn a_damaged_address_range_is_not_passed_over() {
        let stored = nets_text(&credential().allowed_ips);
        assert_eq!(nets(&stored).unwrap(), credential().allowed_ips);
        assert!(nets("10.0.0.0/8 10.0.0.0/99").is_err());
    }

    #[test]
    fn the_credentials_of_a_workspace_are_bounded() {
        let most = i64::try_from(CREDENTIALS_MAX).unwrap();
        assert!(may_have_one_more(most - 1).is_ok());
        assert!(may_have_one_more(most).is_err());
    }
}
