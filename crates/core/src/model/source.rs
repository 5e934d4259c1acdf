use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Secret, SourceOptions, SourceOptionsChange};
use crate::id::{DatasetId, ProjectId, SourceId, WorkspaceId};

/// The effect of a delivery on the present rows.
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

/// A new source, before the store has a record; the source's dataset is made at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSource {
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The source's project.
    pub project: ProjectId,
    /// The name, also given to the dataset.
    pub name: String,
    /// The effect of deliveries.
    pub mode: Mode,
    /// The browser origins allowed to deliver, as submitted.
    pub origins: String,
    /// The secret behind each delivery's proof; `None` for an open source.
    pub secret: Option<Secret>,
    /// The last segment of the source's URL, the capability to deliver.
    pub key: String,
    /// The folder named by the source's maker, an opaque reference.
    pub folder: Option<String>,
    /// Settings of the native API alone.
    pub options: SourceOptions,
    /// The replaced secret and key, as long as both count.
    pub previous: Previous,
}

/// A replaced secret or key, still valid for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The secret or the key.
    pub value: Secret,
    /// When the validity ends.
    pub until: Timestamp,
}

impl Outgoing {
    /// Whether the secret or key still counts.
    pub fn counts(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// A source's secret and key before the rotation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Previous {
    /// The secret.
    pub secret: Option<Outgoing>,
    /// The key.
    pub key: Option<Outgoing>,
}

/// How [`Previous`] is written, to be encrypted.
#[derive(Serialize, Deserialize)]
struct Written {
    secret: Option<(String, Timestamp)>,
    key: Option<(String, Timestamp)>,
}

impl Previous {
    /// The secret and key as text, for encryption; `None` when there is neither.
    pub fn to_secret(&self) -> serde_json::Result<Option<Secret>> {
        if *self == Self::default() {
            return Ok(None);
        }
        let text = |outgoing: &Option<Outgoing>| {
            outgoing.as_ref().map(|it| (it.value.expose().to_owned(), it.until))
        };
        let written = Written { secret: text(&self.secret), key: text(&self.key) };
        serde_json::to_string(&written).map(|text| Some(Secret::new(text)))
    }

    /// Reads the text of [`Previous::to_secret`].
    pub fn from_secret(text: &Secret) -> serde_json::Result<Self> {
        let Written { secret, key } = serde_json::from_str(text.expose())?;
        let outgoing =
            |(value, until): (String, Timestamp)| Outgoing { value: Secret::new(value), until };
        Ok(Self { secret: secret.map(outgoing), key: key.map(outgoing) })
    }
}

/// An inbound URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The source's number.
    pub id: SourceId,
    /// The target dataset.
    pub dataset: DatasetId,
    /// When the source was made.
    pub created_at: Timestamp,
    /// The source's settings.
    pub spec: NewSource,
}

impl Source {
    /// The secrets valid now, the present secret first; none for an open source.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = &Secret> {
        let previous = self.spec.previous.secret.as_ref().filter(|it| it.counts(now));
        self.spec.secret.iter().chain(previous.map(|it| &it.value))
    }

    /// Whether a key opens the source now.
    pub fn opens_with(&self, key: &str, now: Timestamp) -> bool {
        let previous = self.spec.previous.key.as_ref().filter(|it| it.counts(now));
        self.spec.key == key || previous.is_some_and(|it| it.value.expose() == key)
    }
}

/// A change of a source; `None` keeps the old value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceChange {
    /// The new name; the dataset keeps its own name.
    pub name: Option<String>,
    /// The new mode.
    pub mode: Option<Mode>,
    /// The new origins.
    pub origins: Option<String>,
    /// The new secret; `Some(None)` opens the source.
    pub secret: Option<Option<Secret>>,
    /// The new key.
    pub key: Option<String>,
    /// The secret valid beside the present secret from now on. A new secret without a previous secret ends
    /// all older secrets.
    pub previous_secret: Option<Option<Outgoing>>,
    /// The key valid beside the present key from now on. A new key without a previous key ends all older
    /// keys.
    pub previous_key: Option<Option<Outgoing>>,
    /// The change of the native settings.
    pub options: SourceOptionsChange,
}

impl NewSource {
    /// Makes the change.
    pub fn apply(&mut self, change: SourceChange) {
        let SourceChange {
            name,
            mode,
            origins,
            secret,
            key,
            previous_secret,
            previous_key,
            options,
        } = change;
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
            self.previous.secret = None;
        }
        if let Some(key) = key {
            self.key = key;
            self.previous.key = None;
        }
        if let Some(previous) = previous_secret {
            self.previous.secret = previous;
        }
        if let Some(previous) = previous_key {
            self.previous.key = previous;
        }
        self.options.apply(options);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn source() -> Source {
        Source {
            id: SourceId(1),
            dataset: DatasetId(1),
            created_at: at(0),
            spec: NewSource {
                workspace: WorkspaceId(1),
                project: ProjectId(1),
                name: "s".to_owned(),
                mode: Mode::Combine,
                origins: "*".to_owned(),
                secret: Some(Secret::new("one")),
                key: "first".to_owned(),
                folder: None,
                options: SourceOptions::default(),
                previous: Previous::default(),
            },
        }
    }

    fn outgoing(value: &str, second: i64) -> Option<Option<Outgoing>> {
        Some(Some(Outgoing { value: Secret::new(value), until: at(second) }))
    }

    #[test]
    fn what_was_replaced_counts_until_its_end_and_no_longer() {
        let mut source = source();
        source.spec.apply(SourceChange {
            secret: Some(Some(Secret::new("two"))),
            previous_secret: outgoing("one", 10),
            key: Some("second".to_owned()),
            previous_key: outgoing("first", 20),
            ..SourceChange::default()
        });
        let secrets = |second| {
            source.secrets(at(second)).map(|it| it.expose().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(secrets(9), ["two", "one"]);
        assert_eq!(secrets(10), ["two"]);
        assert!(source.opens_with("first", at(19)) && source.opens_with("second", at(19)));
        assert!(!source.opens_with("first", at(20)) && source.opens_with("second", at(20)));
        let text = source.spec.previous.to_secret().unwrap().unwrap();
        assert_eq!(Previous::from_secret(&text).unwrap(), source.spec.previous);
    }

    #[test]
    fn a_rotation_without_an_overlap_ends_all_that_came_before() {
        let mut source = source();
        let previous_secret = outgoing("zero", 10);
        let previous_key = outgoing("zeroth", 10);
        let change = SourceChange { previous_secret, previous_key, ..SourceChange::default() };
        source.spec.apply(change);
        let secret = Some(Some(Secret::new("two")));
        let key = Some("second".to_owned());
        source.spec.apply(SourceChange { secret, key, ..SourceChange::default() });
        assert_eq!(source.spec.previous, Previous::default());
        assert_eq!(source.spec.previous.to_secret().unwrap(), None);
    }
}
