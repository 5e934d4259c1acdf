//! Managing sources and datasets (docs/spec/mammoth.md#webhooks), and the native API's additions
//! ([`settings`]).

use std::sync::Arc;

use hookyard_core::entropy;
use hookyard_core::id::{DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{
    Mode, NewSource, Previous, Secret, Source, SourceChange, SourceOptions,
};
use hookyard_core::readable::is_readable;
use hookyard_store::Entity;

use crate::quotas::Counted;
use crate::{Engine, Error};

mod settings;
mod verification;

pub use settings::{OVERLAP_MAX, SECRET_BYTES_MAX, SecretChange, SourcePatch};

/// Characters of a key: 143 bits, the length in existing clients and the clients' examples.
pub const KEY_LENGTH: usize = 24;
/// Characters of a generated secret: 190 bits.
pub const SECRET_LENGTH: usize = 32;
/// The longest name, in characters.
pub const NAME_LENGTH_MAX: usize = 255;
/// The longest list of origins, in characters.
pub const ORIGINS_LENGTH_MAX: usize = 2048;
/// The name of an unnamed source.
pub const NAME_DEFAULT: &str = "Generic Webhook";
/// The origins of a source when nobody lists any: all.
pub const ORIGINS_DEFAULT: &str = "*";

/// The most digits of a folder's number.
const FOLDER_DIGITS_MAX: usize = 9;

/// A caller's settings for a new source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The name; blank for [`NAME_DEFAULT`].
    pub name: String,
    /// The effect of the source's deliveries.
    pub mode: Mode,
    /// The browser origins with the right to deliver.
    pub origins: String,
    /// Whether deliveries must prove to know a secret.
    pub is_secure: bool,
    /// The given secret, in place of a generated secret.
    pub secret: Option<Secret>,
    /// The folder to show the source in, `label_` and a number; only a reference.
    pub folder: Option<String>,
    /// Options of the native API alone.
    pub options: SourceOptions,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: NAME_DEFAULT.to_owned(),
            mode: Mode::default(),
            origins: ORIGINS_DEFAULT.to_owned(),
            is_secure: false,
            secret: None,
            folder: None,
            options: SourceOptions::default(),
        }
    }
}

/// A change of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The effect of the source's deliveries.
    Mode(Mode),
    /// The browser origins with the right to deliver.
    Origins(String),
    /// Whether deliveries must prove to know a secret. Turning the proof off forgets the secret;
    /// turning the proof on makes a secret unless there is one.
    IsSecure(bool),
}

/// Checks and tidies a name.
pub fn check_name(name: &str) -> Result<String, String> {
    check_text(name, NAME_LENGTH_MAX)?;
    if !is_readable(name) {
        return Err(
            "Expected `str` without control characters and ones that cannot be seen".to_owned()
        );
    }
    let name = name.trim();
    Ok(if name.is_empty() { NAME_DEFAULT } else { name }.to_owned())
}

/// Checks a list of origins. Entries without an origin are kept, and allow nobody.
pub fn check_origins(origins: &str) -> Result<(), String> {
    check_text(origins, ORIGINS_LENGTH_MAX)
}

/// Checks a reference to a folder.
pub fn check_folder(folder: &str) -> Result<(), String> {
    let digits = folder.strip_prefix("label_").unwrap_or_default();
    let sound = (1..=FOLDER_DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound {
        Ok(())
    } else {
        Err(format!("Expected `label_` and a number of at most {FOLDER_DIGITS_MAX} digits"))
    }
}

fn check_text(text: &str, length_max: usize) -> Result<(), String> {
    if text.chars().count() > length_max {
        return Err(format!("Expected `str` of length <= {length_max}"));
    }
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err("Expected `str` without control characters".to_owned());
    }
    Ok(())
}

impl Engine {
    /// Makes a source and its dataset. [`Error::Invalid`] names the member of the draft at fault by
    /// the name on the wire.
    pub async fn create_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        draft: Draft,
    ) -> Result<Arc<Source>, Error> {
        let Draft { name, mode, origins, is_secure, secret, folder, options } = draft;
        let at = |field: &'static str| move |message: String| Error::invalid(field, message);
        let name = check_name(&name).map_err(at("name"))?;
        check_origins(&origins).map_err(at("origins"))?;
        folder.as_deref().map_or(Ok(()), check_folder).map_err(at("folder_resource_id"))?;
        secret.as_ref().map_or(Ok(()), settings::check_secret).map_err(at("secret"))?;
        self.check_source_options(workspace, &options).await?;
        self.may_add(workspace, &[Counted::Sources, Counted::Datasets]).await?;
        let new = NewSource {
            workspace,
            project,
            name,
            mode,
            origins,
            secret: is_secure.then(|| secret.unwrap_or_else(|| self.new_secret())),
            key: self.new_key(),
            folder,
            options,
            previous: Previous::default(),
        };
        Ok(self.store().create_source(new, self.clock().now()).await?)
    }

    /// Applies changes in order, all or none. [`Error::Invalid`] names the change at fault by
    /// place: `patch[0].value`.
    pub async fn update_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
        changes: Vec<Change>,
    ) -> Result<Arc<Source>, Error> {
        let current = self.store().source(workspace, project, id).await?;
        let current = current.ok_or(Error::NotFound(Entity::Source))?;
        let mut change = SourceChange::default();
        for (place, wanted) in changes.into_iter().enumerate() {
            match wanted {
                Change::Mode(mode) => change.mode = Some(mode),
                Change::Origins(origins) => {
                    check_origins(&origins).map_err(|message| {
                        Error::invalid(format!("patch[{place}].value"), message)
                    })?;
                    change.origins = Some(origins);
                }
                Change::IsSecure(false) => change.secret = Some(None),
                Change::IsSecure(true) => {
                    let secret = change.secret.as_ref().unwrap_or(&current.spec.secret);
                    if secret.is_none() {
                        change.secret = Some(Some(self.new_secret()));
                    }
                }
            }
        }
        if change == SourceChange::default() {
            return Ok(current);
        }
        Ok(self.store().update_source(workspace, project, id, change).await?)
    }

    /// Removes a source; its dataset and rows stay. [`Error::NotFound`] when there is nothing to
    /// remove.
    pub async fn delete_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<(), Error> {
        let there = self.store().delete_source(workspace, project, id).await?;
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Source)) }
    }

    /// Removes a dataset with its rows and its source. [`Error::NotFound`] when there is nothing to
    /// remove.
    pub async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<(), Error> {
        let there = self.store().delete_dataset(workspace, project, id).await?;
        if there { Ok(()) } else { Err(Error::NotFound(Entity::Dataset)) }
    }

    fn new_key(&self) -> String {
        entropy::alphanumeric(self.entropy().as_ref(), KEY_LENGTH)
    }

    fn new_secret(&self) -> Secret {
        Secret::new(entropy::alphanumeric(self.entropy().as_ref(), SECRET_LENGTH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied_and_bounded() {
        assert_eq!(check_name("  a b "), Ok("a b".to_owned()));
        assert_eq!(check_name("   "), Ok(NAME_DEFAULT.to_owned()));
        assert!(check_name(&"é".repeat(NAME_LENGTH_MAX)).is_ok());
        assert!(check_name(&"é".repeat(NAME_LENGTH_MAX + 1)).is_err());
        assert!(check_name("a\n").is_err());
        assert!(check_name("\u{7f}").is_err());
        assert!(check_name("Or\u{200b}ders").is_err());
    }

    #[test]
    fn origins_are_bounded_and_otherwise_free() {
        assert!(check_origins("").is_ok());
        assert!(check_origins("no origin at all").is_ok());
        assert!(check_origins(&"x".repeat(ORIGINS_LENGTH_MAX + 1)).is_err());
        assert!(check_origins("*\r\nX: y").is_err());
    }

    #[test]
    fn folders_are_labels() {
        assert!(check_folder("label_1363").is_ok());
        for folder in ["", "label_", "label_x", "1363", "label_1234567890", "Label_1", "label_1 "] {
            assert!(check_folder(folder).is_err(), "{folder}");
        }
    }
}
