use std::collections::HashMap;

use hookyard_core::id::{DatasetId, FolderId, ProjectId};
use hookyard_core::model::Folder;
use hookyard_engine::Reads;
use hookyard_store::{FOLDER_DEPTH_MAX, StoreError};
use serde_json::{Map, Value, json};

/// The prefix of a reference to a folder.
const FOLDER_LABEL: &str = "label_";

/// The kinds of resources. Clients say `folder` and `dataset`, too.
pub(in super::super) const FOLDER: &str = "label";
pub(in super::super) const DATASET: &str = "datasource";

/// The distance from a dataset's id to the dataset's resource id. A folder's resource id is the folder's
/// own id, an `i32`, and so never reaches this number.
const DATASET_RESOURCES_FROM: i64 = 1 << 31;

/// A thing in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Resource {
    Folder(FolderId),
    Dataset(DatasetId),
}

impl Resource {
    /// The resource with the given id.
    pub(in super::super) fn numbered(number: i64) -> Option<Self> {
        let dataset = number.checked_sub(DATASET_RESOURCES_FROM).filter(|id| *id > 0);
        match dataset {
            Some(id) => i32::try_from(id).ok().map(DatasetId).map(Self::Dataset),
            None => i32::try_from(number).ok().filter(|id| *id > 0).map(FolderId).map(Self::Folder),
        }
    }

    /// The resource's id.
    pub(in super::super) fn number(self) -> i64 {
        match self {
            Self::Folder(id) => id.0.into(),
            Self::Dataset(id) => DATASET_RESOURCES_FROM + i64::from(id.0),
        }
    }

    /// The id among resources of the same kind.
    pub(in super::super) fn object(self) -> i32 {
        match self {
            Self::Folder(id) => id.0,
            Self::Dataset(id) => id.0,
        }
    }

    /// The resource's kind.
    pub(in super::super) fn kind(self) -> &'static str {
        match self {
            Self::Folder(_) => FOLDER,
            Self::Dataset(_) => DATASET,
        }
    }
}

/// The kind meant by a caller's word.
pub(in super::super) fn kind(word: &str) -> Option<&'static str> {
    match word {
        FOLDER | "folder" => Some(FOLDER),
        DATASET | "dataset" => Some(DATASET),
        _ => None,
    }
}

/// The prefix of a reference to a dataset.
pub(super) const DATASET_LABEL: &str = "datasource_";

/// The folder of a reference, `label_` and a number; `None` for any other text.
pub(super) fn folder_label(text: &str) -> Option<FolderId> {
    number(text, FOLDER_LABEL).map(FolderId)
}

/// The number in a reference with the given prefix.
pub(super) fn number(text: &str, label: &str) -> Option<i32> {
    let digits = text.strip_prefix(label)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The places of a project, as named in resource paths.
#[derive(Debug)]
pub(in super::super) struct Tree {
    root: String,
    folders: HashMap<FolderId, (String, Option<FolderId>)>,
}

impl Tree {
    pub(in super::super) async fn read(
        reads: &Reads,
        project: ProjectId,
    ) -> Result<Self, StoreError> {
        let workspace = reads.id();
        let workspace_name = reads.workspace().await?.map(|found| found.name).unwrap_or_default();
        let projects = reads.projects().await?;
        let found = projects.into_iter().find(|found| found.id == project);
        let project_name = found.map(|found| found.name).unwrap_or_default();
        let folders = reads.folders(project).await?;
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
        // Folders form no ring, but a walk over a stored list must end whatever the list holds.
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
    fn resource_ids_name_folders_and_datasets_apart() {
        let resources = [1, i32::MAX]
            .map(|id| [Resource::Folder(FolderId(id)), Resource::Dataset(DatasetId(id))]);
        for resource in resources.concat() {
            assert_eq!(Resource::numbered(resource.number()), Some(resource));
        }
        for none in [0, -1, DATASET_RESOURCES_FROM, DATASET_RESOURCES_FROM * 2, i64::MIN, i64::MAX]
        {
            assert_eq!(Resource::numbered(none), None, "{none}");
        }
    }

    #[test]
    fn references_are_read() {
        assert_eq!(folder_label("label_12"), Some(FolderId(12)));
        for other in ["12", "label_", "label_x", "label_+1", "label_99999999999", "datasource_1"] {
            assert_eq!(folder_label(other), None, "{other}");
        }
        assert_eq!(number("datasource_7", DATASET_LABEL), Some(7));
    }
}
