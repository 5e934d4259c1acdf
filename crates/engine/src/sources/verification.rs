//! The verification of a source's deliveries: settings and secrets.

use std::sync::Arc;

use hookyard_core::id::{SourceId, WorkspaceId};
use hookyard_core::model::{Secret, Source, SourceChange, SourceOptionsChange};
use hookyard_core::provider::Verification;

use super::settings::check_options;
use crate::{Engine, Error};

impl Engine {
    /// Sets how a source's deliveries are proved; `None` goes back to the usual proof. Secrets not
    /// given stay, as long as the provider is the same. [`Error::Invalid`] names the member at
    /// fault.
    pub async fn set_verification(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        wanted: Option<Verification>,
    ) -> Result<Arc<Source>, Error> {
        let source = self.source(workspace, id).await?;
        let mut options = source.spec.options.clone();
        let present = options.verification.take();
        options.verification = wanted.map(|wanted| keep_secrets(wanted, present));
        check_options(&options)?;
        let verification = Some(options.verification);
        self.change_options(&source, SourceOptionsChange { verification, ..Default::default() })
            .await
    }

    /// Puts a secret before the present secrets, and keeps the newest `keep` of the present
    /// secrets: until the provider signs with the new secret, both count. [`Error::Invalid`] when
    /// the source has no verification.
    pub async fn add_verification_secret(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        secret: Secret,
        keep: usize,
    ) -> Result<Arc<Source>, Error> {
        let source = self.source(workspace, id).await?;
        let mut options = source.spec.options.clone();
        let Some(verification) = &mut options.verification else {
            let message = "the source has no verification: set one with PUT first";
            return Err(Error::invalid("secret", message));
        };
        verification.secrets.retain(|known| *known != secret);
        verification.secrets.truncate(keep);
        verification.secrets.insert(0, secret);
        check_options(&options)?;
        let verification = Some(options.verification);
        self.change_options(&source, SourceOptionsChange { verification, ..Default::default() })
            .await
    }

    /// Keeps the secret from a handshake, if the source has no secret yet. Returns whether the
    /// source has the secret now.
    pub async fn learn_secret(&self, source: &Source, secret: Secret) -> Result<bool, Error> {
        let learnt = Some(secret.clone());
        let change = SourceOptionsChange { learnt, ..Default::default() };
        let changed = self.change_options(source, change).await?;
        let verification = changed.spec.options.verification.as_ref();
        Ok(verification.is_some_and(|verification| verification.secrets.contains(&secret)))
    }

    async fn change_options(
        &self,
        source: &Source,
        options: SourceOptionsChange,
    ) -> Result<Arc<Source>, Error> {
        let change = SourceChange { options, ..SourceChange::default() };
        let (workspace, project) = (source.spec.workspace, source.spec.project);
        Ok(self.store().update_source(workspace, project, source.id, change).await?)
    }
}

fn keep_secrets(mut wanted: Verification, present: Option<Verification>) -> Verification {
    let Some(present) = present.filter(|present| present.provider == wanted.provider) else {
        return wanted;
    };
    if wanted.secrets.is_empty() {
        wanted.secrets = present.secrets;
    }
    if wanted.handshake_secret.is_none() {
        wanted.handshake_secret = present.handshake_secret;
    }
    wanted
}
