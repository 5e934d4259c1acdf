//! Making, changing and ending credentials.

use hookyard_core::entropy::Entropy;
use hookyard_core::id::{CredentialId, ProjectId, WorkspaceId};
use hookyard_core::model::{Credential, CredentialKind, Scopes};
use hookyard_store::{Actor, CredentialChange, CredentialStore, Entity, NewCredential, StoreError};
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::Secrets;
use crate::tenants::check_name;
use crate::{Engine, Error};

/// The most ranges of addresses of a credential: every office and every server of somebody large.
pub const ALLOWED_IPS_MAX: usize = 100;

/// How long the old secret is good after a rotation without a given overlap.
pub const OVERLAP_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The longest time that the old secret can be good after a rotation.
pub const OVERLAP_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The shortest time that the old secret stays good when a credential rotates itself: the caller
/// still has to hand out the new secret.
pub const OVERLAP_OF_ITSELF_MIN: SignedDuration = SignedDuration::from_hours(1);

/// The settings of a new credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialSpec {
    /// How callers present the credential.
    pub kind: CredentialKind,
    /// The operations allowed to the credential.
    pub scopes: Scopes,
    /// The name for people; may be empty.
    pub name: String,
    /// When the credential expires.
    pub expires_at: Option<Timestamp>,
    /// The addresses allowed to use the credential; empty allows any.
    pub allowed_ips: Vec<IpNet>,
    /// The only project open to the credential; `None` for the whole workspace.
    pub project: Option<ProjectId>,
}

/// Makes a credential; returns the number and, this only time, the secrets. [`Error::Invalid`]
/// names the unusable value.
pub async fn create<S: CredentialStore + ?Sized>(
    store: &S,
    entropy: &dyn Entropy,
    now: Timestamp,
    workspace: WorkspaceId,
    spec: CredentialSpec,
) -> Result<(CredentialId, Secrets), Error> {
    let CredentialSpec { kind, scopes, name, expires_at, allowed_ips, project } = spec;
    check_name("name", &name)?;
    check_scopes(scopes, project)?;
    check_end(expires_at, now)?;
    check_ips(&allowed_ips)?;
    let secrets = Secrets::new(kind, entropy);
    let new =
        NewCredential { name, expires_at, allowed_ips, project, ..secrets.hashed(scopes, now) };
    let made = store.create_credential(workspace, new).await;
    let made = made.map_err(|error| match error {
        StoreError::NotFound(Entity::Project) => {
            Error::invalid("project", "is none of the workspace's")
        }
        error => error.into(),
    });
    Ok((made?, secrets))
}

/// Makes the successor of a credential, and returns the secrets this only time. The old credential
/// is good for `overlap`.
pub async fn rotate<S: CredentialStore + ?Sized>(
    store: &S,
    entropy: &dyn Entropy,
    now: Timestamp,
    workspace: WorkspaceId,
    id: CredentialId,
    overlap: SignedDuration,
) -> Result<(Credential, Secrets), Error> {
    if overlap > OVERLAP_MAX || overlap.is_negative() {
        let most = OVERLAP_MAX.as_secs();
        return Err(Error::invalid("overlap_seconds", format!("must be 0 to {most}")));
    }
    let old = store.credential_by_id(workspace, id).await?;
    let old = old.ok_or(Error::NotFound(Entity::Credential))?;
    let secrets = Secrets::new(old.kind, entropy);
    let rotation = secrets.rotation(now + overlap, now);
    Ok((store.rotate_credential(workspace, id, rotation).await?, secrets))
}

/// A range of addresses, or a single address.
pub fn parse_net(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let one = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse().or_else(|_| one()).ok()
}

fn check_scopes(scopes: Scopes, project: Option<ProjectId>) -> Result<(), Error> {
    let message = match project {
        _ if scopes == Scopes::default() => "must name at least one scope",
        Some(_) if scopes.within(Scopes::of_a_project()) != scopes => {
            "must be of data_read and data_write: all else is the whole workspace's, and the \
             credential is for one project"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid("scopes", message))
}

fn check_end(end: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    match end {
        Some(end) if end <= now => Err(Error::invalid("expires_at", "must be in the future")),
        _ => Ok(()),
    }
}

fn check_ips(nets: &[IpNet]) -> Result<(), Error> {
    if nets.len() <= ALLOWED_IPS_MAX {
        return Ok(());
    }
    Err(Error::invalid("allowed_ips", format!("must have at most {ALLOWED_IPS_MAX} ranges")))
}

/// Whether a credential is the caller's.
fn is_asking(id: CredentialId) -> bool {
    let actor = Actor::current();
    actor.is_some_and(|actor| actor.credential().is_some_and(|(own, _)| own == id))
}

/// A caller could not mend a credential that had removed its own rights.
fn not_itself(id: CredentialId, what: &str) -> Result<(), Error> {
    if is_asking(id) {
        return Err(Error::Conflict(format!("a credential cannot {what} itself: use another one")));
    }
    Ok(())
}

impl Engine {
    /// Makes a credential, and returns the secrets this only time.
    pub async fn create_credential(
        &self,
        workspace: WorkspaceId,
        spec: CredentialSpec,
    ) -> Result<(Credential, Secrets), Error> {
        let (store, now) = (&*self.store, self.clock.now());
        let (id, secrets) = create(store, &*self.entropy, now, workspace, spec).await?;
        Ok((self.credential(workspace, id).await?, secrets))
    }

    /// A credential. [`Error::NotFound`] when the workspace has no such credential.
    pub async fn credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Credential, Error> {
        let found = self.store.credential_by_id(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Credential))
    }

    /// Changes a credential, in effect at once. [`Error::Conflict`] for a revoked credential, or
    /// when the caller's own credential would change in more than the name.
    pub async fn change_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        change: CredentialChange,
    ) -> Result<Credential, Error> {
        let CredentialChange { name, scopes, expires_at, allowed_ips, disabled } = &change;
        name.as_ref().map_or(Ok(()), |name| check_name("name", name))?;
        if let Some(scopes) = *scopes {
            check_scopes(scopes, self.credential(workspace, id).await?.project)?;
        }
        check_end(expires_at.flatten(), self.clock.now())?;
        allowed_ips.as_ref().map_or(Ok(()), |nets| check_ips(nets))?;
        if scopes.is_some() || expires_at.is_some() || allowed_ips.is_some() || disabled.is_some() {
            not_itself(id, "bound")?;
        }
        let changed = self.store.change_credential(workspace, id, change).await;
        self.access.forget(id);
        Ok(changed?)
    }

    /// Ends a credential for good, in effect at once. [`Error::Conflict`] for the caller's own
    /// credential.
    pub async fn revoke_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
    ) -> Result<Credential, Error> {
        not_itself(id, "revoke")?;
        let revoked = self.store.revoke_credential(workspace, id, self.clock.now()).await;
        self.access.forget(id);
        Ok(revoked?)
    }

    /// Makes the successor of a credential, and returns the secrets this only time.
    pub async fn rotate_credential(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        overlap: SignedDuration,
    ) -> Result<(Credential, Secrets), Error> {
        if overlap < OVERLAP_OF_ITSELF_MIN && is_asking(id) {
            let least = OVERLAP_OF_ITSELF_MIN.as_secs();
            let message = format!("must be {least} at least when a credential rotates itself");
            return Err(Error::invalid("overlap_seconds", message));
        }
        let (store, now) = (&*self.store, self.clock.now());
        let rotated = rotate(store, &*self.entropy, now, workspace, id, overlap).await;
        self.access.forget(id);
        rotated
    }
}
