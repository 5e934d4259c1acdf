use serde::{Deserialize, Serialize};

use crate::id::{ProjectId, WorkspaceId};

/// The tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its number, Mammoth's workspace id.
    pub id: WorkspaceId,
    /// Its short upper-case code, UltraCart's merchant id. Unique in an installation.
    pub merchant: String,
    /// Its name for people.
    pub name: String,
}

/// A part of a workspace that groups sources and datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its number within the workspace.
    pub id: ProjectId,
    /// Its name for people.
    pub name: String,
}

/// How much a workspace may have and take; `None` is any amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkspaceQuotas {
    /// Endpoints.
    pub endpoints: Option<u64>,
    /// Event types.
    pub event_types: Option<u64>,
    /// Sources.
    pub sources: Option<u64>,
    /// Datasets, those of sources among them.
    pub datasets: Option<u64>,
    /// Events that are published, deliveries that are received and rows that are added, in an hour.
    pub events_hour: Option<u64>,
    /// Bytes of their bodies, in an hour.
    pub bytes_hour: Option<u64>,
    /// Bytes of the rows of its datasets, those of earlier versions among them.
    pub stored_bytes: Option<u64>,
}

/// How much of what is counted a workspace has.
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
    /// Bytes of the rows of its datasets.
    pub stored_bytes: u64,
}
