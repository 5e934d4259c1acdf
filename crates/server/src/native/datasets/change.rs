//! From a body to a request to the engine.

use hookyard_core::id::{FolderId, ProjectId};
use hookyard_core::model::VersionsKept;
use hookyard_engine::datasets::{DatasetDraft, DatasetPatch as EnginePatch};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::native::input::{Field, Object};
use crate::problem::Problem;

/// A new dataset without a source. Absent members and nulls take the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDataset {
    /// A name for people.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// The dataset's project; the workspace's first project by default.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    pub(super) project: Option<i32>,
    /// The number of the dataset's folder; the top of the project by default.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    folder: Option<i32>,
    /// The earlier versions to keep.
    #[serde(default)]
    #[schema(value_type = Option<VersionsChange>)]
    versions: Field<Object<VersionsChange>>,
}

/// A change of a dataset: absent members stay, null restores the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetPatch {
    /// A name for people; the dataset's source gets the name, too.
    #[serde(default)]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255)]
    name: Field<String>,
    /// The number of the dataset's new folder; null for the top of the project.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 2147483647)]
    folder: Field<i32>,
    /// The earlier versions to keep. Versions beyond the new bounds are removed at once.
    #[serde(default)]
    #[schema(value_type = Option<VersionsChange>)]
    versions: Field<Object<VersionsChange>>,
}

/// The earlier versions to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct VersionsChange {
    /// The most earlier versions; 10 unless said.
    #[serde(default)]
    #[schema(value_type = Option<u32>, maximum = 100)]
    count: Field<u32>,
    /// The most bytes of the versions' cells together; 268435456 by default.
    #[serde(default)]
    #[schema(value_type = Option<u64>, maximum = 9223372036854775807_i64)]
    bytes: Field<u64>,
}

impl NewDataset {
    /// The draft for the engine, in this project.
    pub(super) fn draft(self, project: ProjectId) -> DatasetDraft {
        let Self { name, project: _, folder, versions } = self;
        let usual = VersionsKept::default();
        let keep = keep(versions, usual).unwrap_or(usual);
        DatasetDraft { project, name, folder: folder.map(FolderId), keep }
    }
}

impl DatasetPatch {
    /// The change for the engine, for a dataset with the given bounds on versions.
    pub(super) fn change(
        self,
        if_revision: Option<u32>,
        current: VersionsKept,
    ) -> Result<EnginePatch, Problem> {
        let Self { name, folder, versions } = self;
        let folder = match folder {
            Field::Absent => None,
            Field::Null => Some(None),
            Field::Value(folder) => Some(Some(FolderId(folder))),
        };
        let (name, keep) = (name.required("name")?, keep(versions, current));
        Ok(EnginePatch { if_revision, name, folder, keep, columns: None })
    }
}

fn keep(change: Field<Object<VersionsChange>>, current: VersionsKept) -> Option<VersionsKept> {
    let usual = VersionsKept::default();
    match change {
        Field::Absent => None,
        Field::Null => Some(usual),
        Field::Value(Object(VersionsChange { count, bytes })) => Some(VersionsKept {
            count: count.or_default(usual.count).unwrap_or(current.count),
            bytes: bytes.or_default(usual.bytes).unwrap_or(current.bytes),
        }),
    }
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![
        ("NewDataset", json!({"name": "Events of the shop", "versions": {"count": 3}})),
        ("DatasetPatch", json!({"name": "Orders", "folder": null, "versions": {"count": 30}})),
    ]
}
