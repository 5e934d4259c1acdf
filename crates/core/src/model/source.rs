use jiff::Timestamp;

use super::{Secret, SourceOptions, SourceOptionsChange};
use crate::id::{DatasetId, ProjectId, SourceId, WorkspaceId};

/// What a delivery does to the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// Adds a row.
    Combine,
    /// Becomes the only row.
    #[default]
    Replace,
}

impl Mode {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Combine => "combine",
            Self::Replace => "replace",
        }
    }

    /// Reads the word, in any case (the v1 API wrote `Replace`).
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Combine, Self::Replace]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }
}

/// A source on its way into the store; its dataset is made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSource {
    /// The workspace that owns it.
    pub workspace: WorkspaceId,
    /// The project that it is in.
    pub project: ProjectId,
    /// Its name, which its dataset gets too.
    pub name: String,
    /// What its deliveries do.
    pub mode: Mode,
    /// The browser origins that may deliver, as submitted.
    pub origins: String,
    /// What a delivery must prove to know; `None` when it is open.
    pub secret: Option<Secret>,
    /// The last segment of its URL, the capability to deliver.
    pub key: String,
    /// The folder that its maker named, an opaque reference.
    pub folder: Option<String>,
    /// What only the native API can say.
    pub options: SourceOptions,
}

/// An inbound URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its number.
    pub id: SourceId,
    /// The dataset that it fills.
    pub dataset: DatasetId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it was made with.
    pub spec: NewSource,
}

/// A change of a source; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceChange {
    /// The new name; the dataset keeps its own.
    pub name: Option<String>,
    /// The new mode.
    pub mode: Option<Mode>,
    /// The new origins.
    pub origins: Option<String>,
    /// The new secret; `Some(None)` opens the source.
    pub secret: Option<Option<Secret>>,
    /// The new key; the present one opens nothing any more.
    pub key: Option<String>,
    /// What changes of the native settings.
    pub options: SourceOptionsChange,
}

impl NewSource {
    /// Makes the change.
    pub fn apply(&mut self, change: SourceChange) {
        let SourceChange { name, mode, origins, secret, key, options } = change;
        if let Some(name) = name {
            self.name = name;
        }
        if let Some(mode) = mode {
            self.mode = mode;
        }
        if let Some(origins) = origins {
            self.origins = origins;
        }
        if let Some(secret) = secret {
            self.secret = secret;
        }
        if let Some(key) = key {
            self.key = key;
        }
        self.options.apply(options);
    }
}
