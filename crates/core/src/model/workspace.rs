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
