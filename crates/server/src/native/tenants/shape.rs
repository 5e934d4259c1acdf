//! `/v1/workspace` and `/v1/projects`: the tenant and the tenant's parts.

use hookyard_core::model::{Project as CoreProject, Workspace as CoreWorkspace};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct Workspace {
    /// The workspace's number, Mammoth's workspace id.
    id: i32,
    /// The workspace's merchant code, UltraCart's merchant id.
    merchant: String,
    /// The workspace's name for people.
    name: String,
}

/// A part of the workspace that groups sources and datasets.
#[derive(Serialize, ToSchema)]
pub(super) struct Project {
    /// The project's number within the workspace.
    id: i32,
    /// The project's name for people.
    name: String,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    /// The name for people.
    #[schema(min_length = 1, max_length = 100)]
    pub(super) name: String,
}

impl From<CoreWorkspace> for Workspace {
    fn from(workspace: CoreWorkspace) -> Self {
        let CoreWorkspace { id, merchant, name } = workspace;
        Self { id: id.0, merchant, name }
    }
}

impl From<CoreProject> for Project {
    fn from(project: CoreProject) -> Self {
        let CoreProject { id, name } = project;
        Self { id: id.0, name }
    }
}

/// Examples of the file's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    vec![("NewProject", json!({"name": "Shops"})), ("Rename", json!({"name": "All shops"}))]
}
