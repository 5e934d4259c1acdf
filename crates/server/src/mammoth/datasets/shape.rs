//! How a dataset looks on the wire.

use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Dataset, Source};
use hookyard_store::{SharedStore, StoreError};
use serde_json::{Map, Value, json};

/// The id of the only column.
pub(super) const COLUMN_ID: &str = "column_1";
/// Its name for people.
const COLUMN_NAME: &str = "JSON";

/// The members to show; `None` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(Option<Vec<String>>);

impl Fields {
    /// Reads `fields`: a set (`__standard`, `__full`, `__min`) or names. The id is always shown.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self(None) };
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        if names.iter().any(|name| matches!(*name, "__standard" | "__full")) {
            return Self(None);
        }
        let least: &[&str] = if names.contains(&"__min") { &["name", "status"] } else { &[] };
        let kept = names.iter().chain(least).chain(&["id"]).map(|name| (*name).to_owned());
        Self(Some(kept.collect()))
    }

    /// Leaves only what is to be shown.
    pub(super) fn keep(&self, mut members: Map<String, Value>) -> Value {
        if let Self(Some(kept)) = self {
            members.retain(|name, _| kept.contains(name));
        }
        Value::Object(members)
    }
}

/// The names that resource paths are made of.
#[derive(Debug)]
pub(super) struct Names {
    workspace: (WorkspaceId, String),
    project: (ProjectId, String),
}

impl Names {
    pub(super) async fn read(
        store: &SharedStore,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Self, StoreError> {
        let of_workspace = store.workspace(workspace).await?.map(|found| found.name);
        let projects = store.projects(workspace).await?;
        let of_project =
            projects.into_iter().find(|found| found.id == project).map(|found| found.name);
        Ok(Self {
            workspace: (workspace, of_workspace.unwrap_or_default()),
            project: (project, of_project.unwrap_or_default()),
        })
    }

    fn path(&self, dataset: &Dataset) -> String {
        let (workspace, workspace_name) = &self.workspace;
        let (project, project_name) = &self.project;
        let (name, id) = (&dataset.name, dataset.id);
        format!(
            "/workspace:{workspace_name}:{workspace}/project:{project_name}:{project}\
             /datasource:{name}:{id}"
        )
    }
}

/// All members of a dataset.
pub(super) fn dataset(dataset: &Dataset, names: &Names) -> Map<String, Value> {
    let Dataset { id, workspace, project, name, created_at, updated_at, source, stats, .. } =
        dataset;
    let path = format!("/workspaces/{workspace}/projects/{project}/datasets/{id}");
    let members = json!({
        "id": id,
        "name": name,
        "created_at": created_at,
        "updated_at": updated_at,
        "created_by": null,
        "status": "ready",
        "status_info": {},
        "get_url": path,
        "data_url": format!("{path}/data"),
        "data_schema": [{"c_id": COLUMN_ID, "c_name": COLUMN_NAME, "c_type": "text"}],
        "stats": {
            "row_count": stats.rows,
            "column_count": 1,
            "batch_count": stats.batches(),
            "size": stats.bytes,
        },
        "sources": source.iter().map(|source| origin(source)).collect::<Vec<_>>(),
        "resource_path": names.path(dataset),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn origin(source: &Source) -> Value {
    let key = &source.spec.key;
    json!({"type": "sketch", "details": {
        "id": source.id,
        "key": key,
        "url": format!("/webhook/data/{key}"),
        "origins": source.spec.origins,
    }})
}
