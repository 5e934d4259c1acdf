//! Settings of a source that only the native API can change.

use std::sync::Arc;

use hookyard_core::id::{SourceId, WorkspaceId};
use hookyard_core::model::{
    Mode, Outgoing, Secret, Source, SourceChange, SourceOptions, SourceOptionsChange,
};
use hookyard_store::Entity;
use jiff::{SignedDuration, Timestamp};

use super::{check_name, check_origins};
use crate::{Engine, Error};

/// The longest time that a secret or a key counts after a rotation: long enough to change a sender
/// run by others, and too short for having two for good.
pub const OVERLAP_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest secret chosen by an owner, in bytes. Secrets of providers have at most a hundred
/// bytes.
pub const SECRET_BYTES_MAX: usize = 1_000;

/// A change of a source; `None` leaves the present value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourcePatch {
    /// The new name; the dataset keeps its name.
    pub name: Option<String>,
    /// The new mode.
    pub mode: Option<Mode>,
    /// The new origins.
    pub origins: Option<String>,
    /// The change of the secret.
    pub secret: Option<SecretChange>,
    /// The changes of the other settings.
    pub options: SourceOptionsChange,
}

/// A change of a source's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    /// Forgets the secret: the source is open.
    Open,
    /// Makes a secret, unless there is one.
    Secure,
    /// Sets the given secret.
    Set(Secret),
}

/// Checks a secret chosen by an owner.
pub(super) fn check_secret(secret: &Secret) -> Result<(), String> {
    let text = secret.expose();
    if !(1..=SECRET_BYTES_MAX).contains(&text.len()) {
        let bytes = text.len();
        return Err(format!("must have 1 to {SECRET_BYTES_MAX} bytes, and has {bytes}"));
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("must have no control characters".to_owned());
    }
    if text.trim() != text {
        return Err("must have no blanks around it: a header loses them on the way".to_owned());
    }
    Ok(())
}

/// Checks the settings; [`Error::Invalid`] names the member at fault.
pub(super) fn check_options(options: &SourceOptions) -> Result<(), Error> {
    options.check().map_err(|(field, message)| Error::invalid(field, message))
}

impl Engine {
    /// Checks the settings against the workspace's catalogue, too: a delivery of a type that nobody can
    /// publish would be stored and never sent on.
    pub(super) async fn check_source_options(
        &self,
        workspace: WorkspaceId,
        options: &SourceOptions,
    ) -> Result<(), Error> {
        check_options(options)?;
        let republish = options.republish.as_ref();
        let Some(name) = republish.and_then(|republish| republish.event_type.as_deref()) else {
            return Ok(());
        };
        let catalogue = self.store().catalogue(workspace).await?;
        let found = catalogue.find(name).map(drop);
        found.map_err(|unknown| Error::UnknownEventType {
            field: "republish.event_type".to_owned(),
            message: unknown.to_string(),
        })
    }

    /// A source of any project. [`Error::NotFound`] when the workspace has no such source.
    pub async fn source(&self, workspace: WorkspaceId, id: SourceId) -> Result<Arc<Source>, Error> {
        let found = self.store().workspace_source(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Source))
    }

    /// Changes a source, wholly or not at all. [`Error::Invalid`] names the member of the patch at
    /// fault.
    pub async fn patch_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        patch: SourcePatch,
    ) -> Result<Arc<Source>, Error> {
        let current = self.source(workspace, id).await?;
        let SourcePatch { name, mode, origins, secret, options } = patch;
        let at = |field: &'static str| move |message: String| Error::invalid(field, message);
        let name = name.as_deref().map(check_name).transpose().map_err(at("name"))?;
        origins.as_deref().map_or(Ok(()), check_origins).map_err(at("origins"))?;
        let secret = match secret {
            None => None,
            Some(SecretChange::Open) => Some(None),
            Some(SecretChange::Secure) if current.spec.secret.is_some() => None,
            Some(SecretChange::Secure) => Some(Some(self.new_secret())),
            Some(SecretChange::Set(secret)) => {
                check_secret(&secret).map_err(at("secret"))?;
                Some(Some(secret))
            }
        };
        let mut wanted = current.spec.options.clone();
        wanted.apply(options.clone());
        // A type that was removed since must not stand in the way of other changes.
        match options.republish {
            Some(Some(_)) => self.check_source_options(workspace, &wanted).await?,
            Some(None) | None => check_options(&wanted)?,
        }
        let change =
            SourceChange { name, mode, origins, secret, options, ..SourceChange::default() };
        self.change(&current, change).await
    }

    /// Gives a source another key: the present URL is answered 404 once the overlap is over, and
    /// the URL of an earlier rotation at once. [`Error::Invalid`] for an overlap beyond
    /// [`OVERLAP_MAX`].
    pub async fn rotate_source_key(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        overlap: SignedDuration,
    ) -> Result<Arc<Source>, Error> {
        let current = self.source(workspace, id).await?;
        let until = self.end_of(overlap)?;
        let present = Secret::new(current.spec.key.as_str());
        let change = SourceChange {
            key: Some(self.new_key()),
            previous_key: Some(until.map(|until| Outgoing { value: present, until })),
            ..SourceChange::default()
        };
        self.change(&current, change).await
    }

    /// The end of a key or secret rotated now; `None` for at once.
    fn end_of(&self, overlap: SignedDuration) -> Result<Option<Timestamp>, Error> {
        if overlap.is_negative() || overlap > OVERLAP_MAX {
            let message = format!("must be 0 to {}", OVERLAP_MAX.as_secs());
            return Err(Error::invalid("overlap_seconds", message));
        }
        Ok((!overlap.is_zero()).then(|| self.clock().now() + overlap))
    }

    /// Ends a rotated key, whatever is left of the overlap.
    pub async fn end_previous_key(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Arc<Source>, Error> {
        let current = self.source(workspace, id).await?;
        let change = SourceChange { previous_key: Some(None), ..SourceChange::default() };
        self.change(&current, change).await
    }

    /// Ends a rotated secret, whatever is left of the overlap.
    pub async fn end_previous_secret(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Arc<Source>, Error> {
        let current = self.source(workspace, id).await?;
        let change = SourceChange { previous_secret: Some(None), ..SourceChange::default() };
        self.change(&current, change).await
    }

    /// Gives a source another secret, the given or a generated secret. The present secret proves
    /// until the overlap is over; the secret of an earlier rotation proves no more. A formerly open
    /// source asks for the secret from then on. [`Error::Invalid`] for an overlap beyond
    /// [`OVERLAP_MAX`].
    pub async fn rotate_source_secret(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
        secret: Option<Secret>,
        overlap: SignedDuration,
    ) -> Result<Arc<Source>, Error> {
        let current = self.source(workspace, id).await?;
        if let Some(secret) = &secret {
            check_secret(secret).map_err(|message| Error::invalid("secret", message))?;
        }
        let secret = secret.unwrap_or_else(|| self.new_secret());
        let until = self.end_of(overlap)?;
        let present = current.spec.secret.clone();
        let outgoing = until.zip(present).map(|(until, value)| Outgoing { value, until });
        let change = SourceChange {
            secret: Some(Some(secret)),
            previous_secret: Some(outgoing),
            ..SourceChange::default()
        };
        self.change(&current, change).await
    }

    async fn change(&self, source: &Source, change: SourceChange) -> Result<Arc<Source>, Error> {
        let (workspace, project) = (source.spec.workspace, source.spec.project);
        Ok(self.store().update_source(workspace, project, source.id, change).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_secrets_are_bounded() {
        let check = |text: &str| check_secret(&Secret::new(text));
        assert!(check("x").is_ok());
        assert!(check(&"x".repeat(SECRET_BYTES_MAX)).is_ok());
        assert!(check("ключ").is_ok());
        for wrong in ["", "a\nb", " lead", "trail ", &"x".repeat(SECRET_BYTES_MAX + 1)] {
            assert!(check(wrong).is_err());
        }
    }
}
