//! The secrets that sign an endpoint's deliveries.

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Secret, Signing};
use hookyard_core::signature::signer;
use hookyard_store::{Entity, StoreError};
use jiff::SignedDuration;

use super::patch::TRIES_MAX;
use crate::{Engine, Error};

/// How long a replaced secret goes on signing without a given overlap: a day, for a receiver whose
/// owner is asleep.
pub const OVERLAP_DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The longest a replaced secret goes on signing: a secret due for replacement should not live on
/// longer than a planned change takes.
pub const OVERLAP_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The secret to sign with from now on.
#[derive(Debug, Clone)]
pub enum NewSecret {
    /// A new `whsec_` secret.
    Symmetric,
    /// A new `whsk_` secret.
    Ed25519,
    /// A given secret.
    Given(Secret),
}

impl Engine {
    /// The secrets that sign an endpoint's deliveries.
    pub async fn signing(&self, workspace: WorkspaceId, id: EndpointId) -> Result<Signing, Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        Ok(endpoint.settings.options.signing.clone())
    }

    /// Signs with a new secret from now on, and for `overlap` with the present secret too, so that
    /// the receiver can change over without refusing a delivery. [`Error::Invalid`] names `secret`
    /// or `overlap`.
    pub async fn rotate_signing_secret(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        new: NewSecret,
        overlap: SignedDuration,
    ) -> Result<Signing, Error> {
        if overlap.is_negative() || overlap > OVERLAP_MAX {
            let message = format!("must be 0 to {} hours", OVERLAP_MAX.as_hours());
            return Err(Error::invalid("overlap", message));
        }
        let secret = match new {
            NewSecret::Symmetric => signer::generate_symmetric(self.entropy.as_ref()),
            NewSecret::Ed25519 => signer::generate_ed25519(self.entropy.as_ref()),
            NewSecret::Given(secret) => secret,
        };
        signer::check_secret(&secret)
            .map_err(|error| Error::invalid("secret", error.to_string()))?;
        let mut tries = 1;
        loop {
            match self.try_rotate(workspace, id, &secret, overlap).await {
                Err(Error::Conflict(_)) if tries < TRIES_MAX => tries += 1,
                other => return other,
            }
        }
    }

    async fn try_rotate(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        secret: &Secret,
        overlap: SignedDuration,
    ) -> Result<Signing, Error> {
        let before = self.store.endpoint(workspace, id).await?;
        let before = before.ok_or(StoreError::NotFound(Entity::Endpoint))?;
        let mut settings = before.settings.clone();
        settings.options.signing.rotate(secret.clone(), self.clock.now(), overlap);
        let subscriptions = before.subscriptions.clone();
        let revision = before.revision;
        let after =
            self.store.update_endpoint(workspace, id, revision, settings, subscriptions).await?;
        self.store.ready().mark([id]);
        Ok(after.settings.options.signing.clone())
    }
}
