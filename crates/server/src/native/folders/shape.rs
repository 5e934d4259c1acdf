//! `/v1/folders`: where people look for datasets.

use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder as CoreFolder;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A part of a project that groups datasets and other folders.
#[derive(Serialize, ToSchema)]
pub(super) struct Folder<'a> {
    /// The folder's number.
    id: i32,
    /// The number of the folder's project.
    project: i32,
    name: &'a str,
    /// The number of the parent folder; absent at the top of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<i32>,
    created_at: Timestamp,
    /// When the folder's name or place last changed.
    updated_at: Timestamp,
}

impl<'a> Folder<'a> {
    pub(super) fn new(folder: &'a CoreFolder) -> Self {
        let CoreFolder { id, workspace: _, project, name, parent, created_at, updated_at } = folder;
        Self {
            id: id.0,
            project: project.0,
            name,
            parent: parent.map(|parent| parent.0),
            created_at: *created_at,
            updated_at: *updated_at,
        }
    }
}

/// Examples of the file's schemas, by name, made as answers are made.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    let folder = CoreFolder {
        id: FolderId(2),
        workspace: WorkspaceId(1),
        project: ProjectId(1),
        name: "Shop".to_owned(),
        parent: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    vec![
        ("Folder", json!(Folder::new(&folder))),
        ("NewFolder", json!({"name": "Shop"})),
        ("FolderPatch", json!({"name": "Old shop", "parent": null})),
    ]
}
