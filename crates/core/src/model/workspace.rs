use serde::{Deserialize, Serialize};

use crate::id::{ProjectId, WorkspaceId};

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The workspace's number, Mammoth's workspace id.
    pub id: WorkspaceId,
    /// The short upper-case code, UltraCart's merchant id. Unique in an installation.
    pub merchant: String,
    /// The name for people.
    pub name: String,
}

/// A part of a workspace: a group of sources and datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The project's number within the workspace.
    pub id: ProjectId,
    /// The name for people.
    pub name: String,
}

/// A value for each quota of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Quotas<T> {
    /// Endpoints.
    pub endpoints: T,
    /// Event types.
    pub event_types: T,
    /// Sources.
    pub sources: T,
    /// Datasets, including datasets of sources.
    pub datasets: T,
    /// Published events, received deliveries and added rows, in an hour.
    pub events_hour: T,
    /// Bytes of the bodies of events, deliveries and rows, in an hour.
    pub bytes_hour: T,
    /// Bytes of the rows of the workspace's datasets, earlier versions included.
    pub stored_bytes: T,
    /// Bytes of the workspace's events in the journal, counted as by retention.
    pub journal_bytes: T,
}

/// How much a workspace may have and take; `None` is any amount.
pub type WorkspaceQuotas = Quotas<Option<u64>>;

/// A workspace's settings of quotas.
pub type QuotaSettings = Quotas<QuotaSetting>;

/// The setting of a workspace's quota. As JSON the setting is null, a number or `"off"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Option<WrittenQuota>", into = "Option<WrittenQuota>")]
pub enum QuotaSetting {
    /// Nothing: the installation's default holds.
    #[default]
    Default,
    /// Any amount, whatever the default is.
    Off,
    /// So much.
    At(u64),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenQuota {
    Amount(u64),
    Word(String),
}

/// The word for any amount.
const OFF: &str = "off";

impl TryFrom<Option<WrittenQuota>> for QuotaSetting {
    type Error = String;

    fn try_from(written: Option<WrittenQuota>) -> Result<Self, String> {
        match written {
            None => Ok(Self::Default),
            Some(WrittenQuota::Amount(amount)) => Ok(Self::At(amount)),
            Some(WrittenQuota::Word(word)) if word == OFF => Ok(Self::Off),
            Some(WrittenQuota::Word(word)) => Err(format!("`{word}` is no quota")),
        }
    }
}

impl From<QuotaSetting> for Option<WrittenQuota> {
    fn from(setting: QuotaSetting) -> Self {
        match setting {
            QuotaSetting::Default => None,
            QuotaSetting::Off => Some(WrittenQuota::Word(OFF.to_owned())),
            QuotaSetting::At(amount) => Some(WrittenQuota::Amount(amount)),
        }
    }
}

impl QuotaSetting {
    /// The effective limit, given the default.
    pub fn or(self, default: Option<u64>) -> Option<u64> {
        match self {
            Self::Default => default,
            Self::Off => None,
            Self::At(amount) => Some(amount),
        }
    }
}

impl<T> Quotas<T> {
    /// Joins each quota of both sides into a single value.
    pub fn zip<U, V>(self, other: Quotas<U>, both: impl Fn(T, U) -> V) -> Quotas<V> {
        Quotas {
            endpoints: both(self.endpoints, other.endpoints),
            event_types: both(self.event_types, other.event_types),
            sources: both(self.sources, other.sources),
            datasets: both(self.datasets, other.datasets),
            events_hour: both(self.events_hour, other.events_hour),
            bytes_hour: both(self.bytes_hour, other.bytes_hour),
            stored_bytes: both(self.stored_bytes, other.stored_bytes),
            journal_bytes: both(self.journal_bytes, other.journal_bytes),
        }
    }

    /// Each value with the quota's name in the API.
    pub fn named(self) -> [(&'static str, T); 8] {
        [
            ("endpoints", self.endpoints),
            ("event_types", self.event_types),
            ("sources", self.sources),
            ("datasets", self.datasets),
            ("events_hour", self.events_hour),
            ("bytes_hour", self.bytes_hour),
            ("stored_bytes", self.stored_bytes),
            ("journal_bytes", self.journal_bytes),
        ]
    }

    /// The value of the quota with the given name; `None` for an unknown name.
    pub fn of_name(&mut self, name: &str) -> Option<&mut T> {
        Some(match name {
            "endpoints" => &mut self.endpoints,
            "event_types" => &mut self.event_types,
            "sources" => &mut self.sources,
            "datasets" => &mut self.datasets,
            "events_hour" => &mut self.events_hour,
            "bytes_hour" => &mut self.bytes_hour,
            "stored_bytes" => &mut self.stored_bytes,
            "journal_bytes" => &mut self.journal_bytes,
            _ => return None,
        })
    }
}

/// A workspace's usage of each quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkspaceUsage {
    /// Endpoints.
    pub endpoints: u64,
    /// Event types.
    pub event_types: u64,
    /// Sources.
    pub sources: u64,
    /// Datasets.
    pub datasets: u64,
    /// Bytes of the rows of the workspace's datasets.
    pub stored_bytes: u64,
    /// Bytes of the workspace's events in the journal.
    pub journal_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_quotas_is_read_as_it_was_written() {
        let settings = QuotaSettings {
            endpoints: QuotaSetting::At(3),
            sources: QuotaSetting::Off,
            ..QuotaSettings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert!(
            text.starts_with(r#"{"endpoints":3,"event_types":null,"sources":"off","#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<QuotaSettings>(&text).unwrap(), settings);
        // As it was written before there were defaults.
        let before = r#"{"endpoints":null,"bytes_hour":7}"#;
        let before: QuotaSettings = serde_json::from_str(before).unwrap();
        let expected =
            QuotaSettings { bytes_hour: QuotaSetting::At(7), ..QuotaSettings::default() };
        assert_eq!(before, expected);
        assert!(serde_json::from_str::<QuotaSettings>(r#"{"endpoints":"many"}"#).is_err());
    }

    #[test]
    fn a_workspaces_own_word_goes_before_the_default() {
        let settings = Quotas {
            endpoints: QuotaSetting::At(9),
            sources: QuotaSetting::Off,
            ..QuotaSettings::default()
        };
        let defaults = Quotas {
            endpoints: Some(1),
            sources: Some(2),
            datasets: Some(3),
            ..WorkspaceQuotas::default()
        };
        let quotas = settings.zip(defaults, QuotaSetting::or);
        assert_eq!((quotas.endpoints, quotas.sources, quotas.datasets), (Some(9), None, Some(3)));
        for (name, value) in quotas.named() {
            let (mut quotas, mut value) = (quotas, value);
            assert_eq!(quotas.of_name(name), Some(&mut value));
        }
    }
}
