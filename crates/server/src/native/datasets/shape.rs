//! How datasets, batches and versions look on the wire.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{BatchId, DatasetId, FolderId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{
    Batch as CoreBatch, BatchState, Columns, Dataset as CoreDataset, DatasetStats,
    Version as CoreVersion, VersionsKept,
};
use hookyard_engine::datasets::purged_at;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Rows in the order of acceptance, with the settings of the dataset.
#[derive(Serialize, ToSchema)]
pub(super) struct Dataset<'a> {
    /// The dataset's number.
    id: i32,
    /// The number of the dataset's project.
    project: i32,
    name: &'a str,
    /// The number of the dataset's folder; absent at the top of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<i32>,
    /// The number of the source that fills the dataset; absent without a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<i32>,
    created_at: Timestamp,
    /// When the dataset's rows last changed.
    updated_at: Timestamp,
    /// Counts the changes of the dataset's settings, from 1.
    revision: u32,
    /// The number of the version visible to readers.
    version: u64,
    #[serde(flatten)]
    stats: Stats,
    versions: Kept,
    /// The stay in the trash; absent for a dataset outside of the trash.
    #[serde(skip_serializing_if = "Option::is_none")]
    trashed: Option<InTrash>,
}

/// A dataset's stay in the trash.
#[derive(Serialize, ToSchema)]
#[schema(as = Trashed)]
struct InTrash {
    /// When the dataset went to the trash.
    at: Timestamp,
    /// When Hookyard removes the dataset for good, unless somebody restores the dataset before.
    until: Timestamp,
}

/// The counters of a dataset or a version.
#[derive(Serialize, ToSchema)]
pub(super) struct Stats {
    /// Rows, without the rows of suspended batches.
    rows: u64,
    /// Bytes of the rows' cells.
    bytes: u64,
    /// Batches whose row is hidden until the batch is restored.
    suspended: u64,
}

/// The earlier versions to keep when rows are replaced: the newest versions, up to both bounds. The newest
/// earlier version is kept whatever its size, unless `count` is 0.
#[derive(Serialize, ToSchema)]
#[schema(as = VersionsKept)]
struct Kept {
    /// The most earlier versions.
    #[schema(maximum = 100)]
    count: u32,
    /// The most bytes of the versions' cells together.
    bytes: u64,
}

/// One accepted delivery: one row.
#[derive(Serialize, ToSchema)]
pub(super) struct Batch {
    /// The batch's number. Later batches have higher numbers.
    id: u64,
    /// When the batch was accepted.
    received_at: Timestamp,
    state: State,
    /// Bytes of the batch's cell.
    bytes: u64,
}

/// Whether a batch counts.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
#[schema(as = BatchState)]
pub(super) enum State {
    /// The batch's row is visible.
    Active,
    /// The batch's row is hidden until the batch is restored.
    Suspended,
}

/// The rows of a dataset between one replacement and the next.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    /// The version's number.
    id: u64,
    /// When the version's first row was accepted, or the dataset was made.
    began_at: Timestamp,
    /// When the version's rows last changed, or the version was restored.
    updated_at: Timestamp,
    /// When another version took the version's place; absent for the visible version.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_at: Option<Timestamp>,
    #[serde(flatten)]
    stats: Stats,
}

impl<'a> Dataset<'a> {
    pub(super) fn new(dataset: &'a CoreDataset) -> Self {
        let CoreDataset {
            id,
            workspace: _,
            project,
            name,
            folder,
            revision,
            created_at,
            updated_at,
            source,
            version,
            stats,
            keep: VersionsKept { count, bytes },
            columns: _,
            trashed,
        } = dataset;
        Self {
            id: id.0,
            project: project.0,
            name,
            folder: folder.map(|folder| folder.0),
            source: source.as_ref().map(|source| source.id.0),
            created_at: *created_at,
            updated_at: *updated_at,
            revision: *revision,
            version: version.0,
            stats: (*stats).into(),
            versions: Kept { count: *count, bytes: *bytes },
            trashed: trashed.as_ref().map(|it| InTrash { at: it.at, until: purged_at(it.at) }),
        }
    }
}

impl From<DatasetStats> for Stats {
    fn from(stats: DatasetStats) -> Self {
        let DatasetStats { rows, bytes, suspended } = stats;
        Self { rows, bytes, suspended }
    }
}

impl From<&CoreBatch> for Batch {
    fn from(batch: &CoreBatch) -> Self {
        let CoreBatch { id, received_at, state, bytes } = *batch;
        Self { id: id.0, received_at, state: state.into(), bytes }
    }
}

impl From<BatchState> for State {
    fn from(state: BatchState) -> Self {
        match state {
            BatchState::Active => Self::Active,
            BatchState::Suspended => Self::Suspended,
        }
    }
}

impl From<State> for BatchState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Suspended => Self::Suspended,
        }
    }
}

impl From<&CoreVersion> for Version {
    fn from(version: &CoreVersion) -> Self {
        let CoreVersion { id, began_at, updated_at, replaced_at, stats } = *version;
        Self { id: id.0, began_at, updated_at, replaced_at, stats: stats.into() }
    }
}

/// The answer with one dataset, and the revision as a validator.
pub(super) fn answer(status: StatusCode, dataset: &CoreDataset) -> Response {
    let etag = [(header::ETAG, format!("\"{}\"", dataset.revision))];
    (status, etag, Json(Dataset::new(dataset))).into_response()
}

/// Examples of the file's schemas, by name, made as answers are made.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let stats = DatasetStats { rows: 1, bytes: 17, suspended: 0 };
    let dataset = CoreDataset {
        id: DatasetId(4),
        workspace: WorkspaceId(1),
        project: ProjectId(1),
        name: "Orders".to_owned(),
        folder: Some(FolderId(2)),
        revision: 1,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        source: None,
        version: VersionId(4711),
        stats,
        keep: VersionsKept::default(),
        columns: Columns::default(),
        trashed: None,
    };
    let batch = CoreBatch {
        id: BatchId(4711),
        received_at: Timestamp::UNIX_EPOCH,
        state: BatchState::Active,
        bytes: 17,
    };
    let version = CoreVersion {
        id: VersionId(4711),
        began_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        replaced_at: Some(Timestamp::UNIX_EPOCH),
        stats,
    };
    vec![
        ("Dataset", json!(Dataset::new(&dataset))),
        ("Batch", json!(Batch::from(&batch))),
        ("Version", json!(Version::from(&version))),
    ]
}
