use std::collections::HashMap;

use hookyard_core::id::{FolderId, ProjectId, WorkspaceId};
use hookyard_core::model::Folder;
use hookyard_store::{FOLDER_DEPTH_MAX, SharedStore, StoreError};
use serde_json::{Map, Value, json};

/// What a reference to a folder begins with.
const FOLDER_LABEL: &str = "label_";

/// What a reference to a dataset begins with.
pub(super) const DATASET_LABEL: &str = "datasource_";

/// The folder that a reference names: `label_` and its number. `None` when it is no such reference.
pub(super) fn folder_label(text: &str) -> Option<FolderId> {
    number(text, FOLDER_LABEL).map(FolderId)
}

/// The number in a reference that begins so.
pub(super) fn number(text: &str, label: &str) -> Option<i32> {
    let digits = text.strip_prefix(label)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The places of a project, as resource paths name them.
#[derive(Debug)]
pub(in super::super) struct Tree {
    root: String,
    folders: HashMap<FolderId, (String, Option<FolderId>)>,
}

impl Tree {
    pub(in super::super) async fn read(
        store: &SharedStore,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Self, StoreError> {
        let workspace_name = store.workspace(workspace).await?.map(|found| found.name);
        let workspace_name = workspace_name.unwrap_or_default();
        let projects = store.projects(workspace).await?;
        let found = projects.into_iter().find(|found| found.id == project);
        let project_name = found.map(|found| found.name).unwrap_or_default();
        let folders = store.folders(workspace, project).await?;
        Ok(Self {
            root: format!(
                "/workspace:{workspace_name}:{workspace}/project:{project_name}:{project}"
            ),
            folders: folders
                .into_iter()
                .map(|folder| (folder.id, (folder.name, folder.parent)))
                .collect(),
        })
    }

    /// The path of a folder; of the project for none.
    pub(in super::super) fn path(&self, folder: Option<FolderId>) -> String {
        let mut labels = Vec::new();
        let mut next = folder;
        // There is no ring, but what reads a list must end whatever is in it.
        while let Some(id) = next.filter(|_| labels.len() < FOLDER_DEPTH_MAX) {
            let Some((name, parent)) = self.folders.get(&id) else { break };
            labels.push(format!("/label:{name}:{id}"));
            next = *parent;
        }
        labels.reverse();
        format!("{}{}", self.root, labels.concat())
    }
}

/// All members of a folder. One client reads `parent_id` as a text and another as a number, and a
/// number in a text is both.
pub(super) fn folder(folder: &Folder, tree: &Tree) -> Map<String, Value> {
    let Folder { id, workspace: _, project: _, name, parent, created_at, updated_at } = folder;
    let members = json!({
        "id": id,
        "name": name,
        "status": "ready",
        "created_at": created_at,
        "updated_at": updated_at,
        "resource_id": id,
        "created_by": null,
        "parent_id": parent.map(|parent| parent.to_string()),
        "resource_path": tree.path(Some(*id)),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        assert_eq!(folder_label("label_12"), Some(FolderId(12)));
        for other in ["12", "label_", "label_x", "label_+1", "label_99999999999", "datasource_1"] {
            assert_eq!(folder_label(other), None, "{other}");
        }
        assert_eq!(number("datasource_7", DATASET_LABEL), Some(7));
    }
}
