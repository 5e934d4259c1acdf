//! Datasets and dataset settings, and receiving into datasets.
//!
//! Deliveries are received in batches. A batch locks the datasets to fill before giving out row numbers. So
//! within a dataset the numbers follow the order of commits, whichever nodes the deliveries come through.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{
    BatchId, DatasetId, EndpointId, FolderId, ProjectId, SourceId, VersionId, WorkspaceId,
};
use hookyard_core::model::{
    Dataset, DatasetStats, KeptBody, KeptRequest, NewEvent, Receipt, Trashed, VersionsKept,
};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::batches::Work;
use super::columns::{Columns, Json, Param, Text, count, from_json, signed, small, to_json};
use super::database::{Conn, Database};
use super::receiving::{self, Kept};
use super::versions::{self, Open};
use super::{BATCH_MAX, PostgresStore, audit, folders, journal, journal_rows, projects, sources};
use crate::checksum::Sum;
use crate::folders::Tree;
use crate::shares::UNKNOWN;
use crate::vault::Vault;
use crate::{
    DatasetChange, DatasetQuery, DatasetStore, Entity, NewDataset, Ready, Received, StoreError,
};

/// Columns of a dataset, of the table `d`, before the columns of the source.
const COLUMNS: &str = "d.id, d.workspace_id, d.project_id, d.name, d.created_ms, d.updated_ms, \
                       d.rows, d.bytes, d.suspended, d.version_id, d.revision, d.folder_id, \
                       d.versions_kept, d.versions_bytes, d.columns, d.trashed_ms, d.trashed_path";

/// Where the source's columns begin.
const SOURCE: usize = 17;

#[async_trait]
impl DatasetStore for PostgresStore {
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        self.add(To::Source(source), cell, now).await
    }

    async fn append_row(
        &self,
        workspace: WorkspaceId,
        dataset: DatasetId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        self.add(To::Dataset(workspace, dataset), cell, now).await
    }

    async fn create_dataset(&self, new: NewDataset, now: Timestamp) -> Result<Dataset, StoreError> {
        let tx = self.db.begin().await?;
        if !projects::has_project(&tx, new.workspace, new.project).await? {
            return Err(StoreError::NotFound(Entity::Project));
        }
        if let Some(folder) = new.folder {
            folders::there(&tx, new.workspace, new.project, folder).await?;
        }
        let id = insert(&tx, &new, now).await?;
        let detail = json!({ "project": new.project, "name": new.name });
        audit::note(&tx, new.workspace, "dataset.create", id, &detail).await?;
        let made = find(&tx, &self.vault, new.workspace, id).await?;
        tx.commit().await?;
        made.ok_or(StoreError::NotFound(Entity::Dataset))
    }

    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError> {
        let project = Some(project);
        let all = DatasetQuery { project, limit: usize::MAX, ..DatasetQuery::default() };
        self.find_datasets(workspace, all).await
    }

    async fn find_datasets(
        &self,
        workspace: WorkspaceId,
        query: DatasetQuery,
    ) -> Result<Vec<Dataset>, StoreError> {
        let (sql, values) = list(workspace, query);
        let values: Vec<Param<'_>> = values.iter().map(|value| &**value as Param<'_>).collect();
        let rows = self.db.get().await?.query(&sql, &values).await?;
        rows.iter().map(|row| dataset(row, &self.vault)).collect()
    }

    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        let found = self.find_dataset(workspace, id).await?;
        Ok(found.filter(|dataset| dataset.project == project))
    }

    async fn find_dataset(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        find(&self.db.get().await?, &self.vault, workspace, id).await
    }

    async fn update_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
        change: DatasetChange,
    ) -> Result<Dataset, StoreError> {
        let tx = self.db.begin().await?;
        let mut open = versions::open(&tx, workspace, project, id).await?;
        let found = find(&tx, &self.vault, workspace, id).await?;
        let mut dataset = found.ok_or(StoreError::NotFound(Entity::Dataset))?;
        let DatasetChange { if_revision, name, folder, keep, columns } = change;
        if if_revision.is_some_and(|wanted| wanted != dataset.revision) {
            let message = format!("the dataset is at revision {} now", dataset.revision);
            return Err(StoreError::Conflict(message));
        }
        if let Some(folder) = folder {
            if let Some(folder) = folder {
                folders::there(&tx, workspace, project, folder).await?;
            }
            dataset.folder = folder;
            if let Some(trashed) = &mut dataset.trashed {
                let all = folders::list(&tx, workspace, project).await?;
                trashed.path = Tree::new(&all).names(folder);
            }
        }
        if let Some(keep) = keep {
            open.keep(keep);
            versions::write(&tx, [(id, open)]).await?;
            dataset.keep = keep;
        }
        if let Some(name) = name {
            let sql = "UPDATE sources SET name = $2 WHERE dataset_id = $1";
            tx.execute(sql, &[&id.0, &Text(&name)]).await?;
            dataset.name = name;
        }
        dataset.columns = columns.unwrap_or(dataset.columns);
        dataset.revision += 1;
        let detail = json!({ "project": project, "revision": dataset.revision });
        audit::note(&tx, workspace, "dataset.update", id, &detail).await?;
        save(&tx, &dataset).await?;
        let after = find(&tx, &self.vault, workspace, id).await?;
        tx.commit().await?;
        after.ok_or(StoreError::NotFound(Entity::Dataset))
    }

    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        let deleted = delete(&tx, workspace, project, id).await?;
        tx.commit().await?;
        Ok(deleted)
    }
}

impl PostgresStore {
    /// Adds a row and no more.
    async fn add(&self, to: To, cell: Bytes, now: Timestamp) -> Result<Received, StoreError> {
        let (cell, event, repeat, request) = (Some(cell), None, None, None);
        let took = self.receives.submit(Delivery { to, cell, now, event, repeat, request }).await?;
        let batch = took.batch.ok_or_else(|| StoreError::internal("a row has no batch"))?;
        Ok(Received { batch, dataset: took.dataset })
    }
}

/// Removes a dataset with all contents. `false` when the dataset is absent.
pub(super) async fn delete(
    tx: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<bool, StoreError> {
    let seen = match versions::open(tx, workspace, project, id).await {
        Err(StoreError::NotFound(_)) => return Ok(false),
        open => open?.version(),
    };
    tx.execute("DELETE FROM sources WHERE dataset_id = $1", &[&id.0]).await?;
    let sql = "DELETE FROM datasets WHERE id = $1 RETURNING name";
    let name = tx.one(sql, &[&id.0]).await?.text(0)?;
    let detail = json!({ "project": project, "name": name });
    audit::note(tx, workspace, "dataset.delete", id, &detail).await?;
    let sql = "DELETE FROM dataset_versions WHERE dataset_id = $1 RETURNING id";
    for row in tx.query(sql, &[&id.0]).await? {
        versions::drop_version(tx, VersionId(row.unsigned(0)?)).await?;
    }
    versions::drop_version(tx, seen).await?;
    Ok(true)
}

/// Makes a dataset; the caller knows that the project and folder exist.
pub(super) async fn insert(
    tx: &Conn,
    new: &NewDataset,
    now: Timestamp,
) -> Result<DatasetId, StoreError> {
    let sql = "INSERT INTO datasets (workspace_id, project_id, name, folder_id, created_ms, \
               updated_ms, began_ms, version_id, versions_kept, versions_bytes) \
               VALUES ($1, $2, $3, $4, $5, $5, $5, nextval('row_ids'), $6, $7) RETURNING id";
    let row = tx
        .one(
            sql,
            &[
                &new.workspace.0,
                &new.project.0,
                &Text(&new.name),
                &new.folder.map(|folder| folder.0),
                &now.as_millisecond(),
                &small(new.keep.count),
                &signed(new.keep.bytes),
            ],
        )
        .await?;
    Ok(DatasetId(row.get_as(0)?))
}

async fn save(tx: &Conn, dataset: &Dataset) -> Result<(), StoreError> {
    let sql = "UPDATE datasets SET name = $2, folder_id = $3, versions_kept = $4, \
               versions_bytes = $5, columns = $6, revision = $7, trashed_path = $8 WHERE id = $1";
    let path = dataset.trashed.as_ref().map(|trashed| to_json(&trashed.path)).transpose()?;
    tx.execute(
        sql,
        &[
            &dataset.id.0,
            &Text(&dataset.name),
            &dataset.folder.map(|folder| folder.0),
            &small(dataset.keep.count),
            &signed(dataset.keep.bytes),
            &Text(&to_json(&dataset.columns)?),
            &small(dataset.revision),
            &path.as_deref().map(Text),
        ],
    )
    .await
    .map(drop)
}

/// The query as SQL with the values.
fn list(
    workspace: WorkspaceId,
    query: DatasetQuery,
) -> (String, Vec<Box<dyn ToSql + Sync + Send>>) {
    let DatasetQuery { project, folder, name, trashed, after, limit } = query;
    let trashed = if trashed { "IS NOT NULL" } else { "IS NULL" };
    let mut values: Vec<Box<dyn ToSql + Sync + Send>> = vec![Box::new(workspace.0)];
    let mut sql = format!(
        "SELECT {COLUMNS}, {} FROM datasets d LEFT JOIN sources s ON s.dataset_id = d.id \
         WHERE d.workspace_id = $1 AND d.trashed_ms {trashed}",
        sources::COLUMNS
    );
    let mut and = |condition: &str, value: Box<dyn ToSql + Sync + Send>| {
        values.push(value);
        let condition = condition.replace('?', &format!("${}", values.len()));
        // Writing to a string does not fail.
        let _ = write!(sql, " AND {condition}");
    };
    if let Some(project) = project {
        and("d.project_id = ?", Box::new(project.0));
    }
    if let Some(after) = after {
        and("d.id > ?", Box::new(after.0));
    }
    if let Some(folder) = folder {
        let folder = folder.map(|folder| folder.0);
        and("d.folder_id IS NOT DISTINCT FROM ?", Box::new(folder));
    }
    if let Some(name) = name {
        let escaped = super::columns::escape(&name).into_owned();
        and("strpos(lower(d.name COLLATE \"C\"), lower(? COLLATE \"C\")) > 0", Box::new(escaped));
    }
    values.push(Box::new(count(limit)));
    let _ = write!(sql, " ORDER BY d.id LIMIT ${}", values.len());
    (sql, values)
}

/// A workspace's dataset.
pub(super) async fn find(
    conn: &Conn,
    vault: &Vault,
    workspace: WorkspaceId,
    id: DatasetId,
) -> Result<Option<Dataset>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, {} FROM datasets d LEFT JOIN sources s ON s.dataset_id = d.id \
         WHERE d.id = $1 AND d.workspace_id = $2",
        sources::COLUMNS
    );
    let row = conn.opt(&sql, &[&id.0, &workspace.0]).await?;
    row.map(|row| dataset(&row, vault)).transpose()
}

fn trashed(row: &Row) -> Result<Option<Trashed>, StoreError> {
    let Some(at) = row.moment_if(15)? else { return Ok(None) };
    let path = row.text_if(16)?.as_deref().map(from_json).transpose()?.unwrap_or_default();
    Ok(Some(Trashed { at, path }))
}

fn dataset(row: &Row, vault: &Vault) -> Result<Dataset, StoreError> {
    let source = match row.get_as::<Option<i32>>(SOURCE)? {
        Some(_) => Some(Arc::new(sources::source(row, SOURCE, vault)?)),
        None => None,
    };
    Ok(Dataset {
        id: DatasetId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        project: ProjectId(row.get_as(2)?),
        name: row.text(3)?,
        created_at: row.moment(4)?,
        updated_at: row.moment(5)?,
        stats: DatasetStats {
            rows: row.unsigned(6)?,
            bytes: row.unsigned(7)?,
            suspended: row.unsigned(8)?,
        },
        version: VersionId(row.unsigned(9)?),
        revision: row.small(10)?,
        folder: row.get_as::<Option<i32>>(11)?.map(FolderId),
        keep: VersionsKept { count: row.small(12)?, bytes: row.unsigned(13)? },
        columns: from_json(&row.text(14)?)?,
        trashed: trashed(row)?,
        source,
    })
}

/// Where a row goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum To {
    /// The source's dataset, by the source's mode.
    Source(SourceId),
    /// To the rows of a workspace's dataset.
    Dataset(WorkspaceId, DatasetId),
}

/// An incoming delivery with the planned treatment.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) to: To,
    /// The row.
    pub(super) cell: Option<Bytes>,
    pub(super) now: Timestamp,
    /// The event to publish.
    pub(super) event: Option<NewEvent>,
    /// The mark for recognizing a repeat.
    pub(super) repeat: Option<[u8; 16]>,
    /// The request to keep for inspection.
    pub(super) request: Option<KeptRequest>,
}

/// The outcome of the delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub(super) dataset: DatasetId,
    pub(super) batch: Option<BatchId>,
    pub(super) event: Option<Receipt>,
    /// The delivery came before, and nothing was stored.
    pub(super) repeated: bool,
}

/// Receives.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) node: i64,
    pub(super) ready: Arc<Ready>,
    pub(super) share: Arc<journal::Share>,
}

#[async_trait]
impl Work for Receiving {
    type Job = Delivery;
    type Answer = Took;

    fn bytes(job: &Delivery) -> usize {
        let body = match job.request.as_ref().map(|request| &request.body) {
            Some(KeptBody::Own(body)) => body.len(),
            Some(KeptBody::Cell | KeptBody::None) | None => 0,
        };
        job.cell.as_ref().map_or(0, Bytes::len) + body
    }

    async fn run(
        &self,
        database: &Database,
        jobs: &[Delivery],
    ) -> Result<Vec<Result<Took, StoreError>>, StoreError> {
        let tx = database.get().await?.within(BATCH_MAX).begin().await?;
        if jobs.iter().any(|job| job.event.is_some()) {
            // Before anything else is locked, as everywhere.
            journal_rows::lock(&tx).await?;
        }
        let mut targets = targets(&tx, jobs).await?;
        let mut answers = place(&tx, &mut targets, jobs).await?;
        let touched = self.publish(&tx, &targets, jobs, &mut answers).await?;
        let kept: Vec<_> = jobs.iter().zip(&answers).filter_map(kept).collect();
        receiving::keep(&tx, &kept).await?;
        versions::write(&tx, targets.open).await?;
        tx.commit().await?;
        self.ready.mark(touched);
        Ok(answers)
    }
}

impl Receiving {
    /// Appends the events of the stored deliveries. Returns the endpoints to look at.
    async fn publish(
        &self,
        tx: &Conn,
        targets: &Targets,
        jobs: &[Delivery],
        answers: &mut [Result<Took, StoreError>],
    ) -> Result<Vec<EndpointId>, StoreError> {
        let (mut events, mut places) = (Vec::new(), Vec::new());
        for (n, (job, answer)) in jobs.iter().zip(answers.iter()).enumerate() {
            let Ok(Took { dataset, repeated: false, .. }) = answer else { continue };
            let workspace = targets.workspaces.get(dataset).copied();
            if let (Some(event), Some(workspace)) = (job.event.clone(), workspace) {
                events.push(journal::Publish { workspace, events: vec![event], now: job.now });
                places.push(n);
            }
        }
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let appended = journal::append(tx, (self.node, &self.share), &events, true).await?;
        for (n, receipt) in places.into_iter().zip(appended.receipts) {
            if let Ok(took) = &mut answers[n] {
                took.event = Some(receipt);
            }
        }
        Ok(appended.touched)
    }
}

/// The parts of a request to keep, if any.
fn kept<'a>((job, answer): (&'a Delivery, &Result<Took, StoreError>)) -> Option<Kept<'a>> {
    let (Some(request), Ok(took), To::Source(source)) = (&job.request, answer, job.to) else {
        return None;
    };
    let Took { batch, event, .. } = *took;
    (!took.repeated).then_some(Kept { source, request, batch, event, at: job.now })
}

/// Adds the rows of deliveries that did not come before.
async fn place(
    tx: &Conn,
    targets: &mut Targets,
    jobs: &[Delivery],
) -> Result<Vec<Result<Took, StoreError>>, StoreError> {
    let named = |job: &Delivery| {
        let (dataset, _) = targets.of(job.to)?;
        Some((job.repeat?, targets.workspaces.get(&dataset).copied().unwrap_or(UNKNOWN)))
    };
    let names: BTreeMap<_, _> = jobs.iter().filter_map(named).collect();
    let newest = jobs.iter().map(|job| job.now).max().unwrap_or_default();
    let mut fresh = receiving::new_names(tx, &names, newest).await?;
    let sql = "SELECT nextval('row_ids') FROM generate_series(1, $1::int8)";
    let mut numbers = tx.query(sql, &[&count(jobs.len())]).await?.into_iter();
    let mut answers = Vec::with_capacity(jobs.len());
    let (mut ids, mut owners) = (Vec::new(), Vec::new());
    let (mut times, mut cells, mut sums) = (Vec::new(), Vec::new(), Vec::new());
    for job in jobs {
        let Some((dataset, replaces)) = targets.of(job.to) else {
            answers.push(Err(StoreError::NotFound(match job.to {
                To::Source(_) => Entity::Source,
                To::Dataset(..) => Entity::Dataset,
            })));
            continue;
        };
        let repeated = job.repeat.is_some_and(|name| !fresh.remove(&name));
        let mut took = Took { dataset, batch: None, event: None, repeated };
        if let (Some(cell), false, Some(open), Some(number)) =
            (&job.cell, repeated, targets.open.get_mut(&dataset), numbers.next())
        {
            let (id, at) = (number.get_as::<i64>(0)?, job.now.as_millisecond());
            if replaces {
                open.begin(VersionId(id.cast_unsigned()), at);
            }
            open.add(cell.len(), at);
            ids.push(id);
            owners.push(signed(open.version().0));
            times.push(at);
            cells.push(Json(cell));
            sums.push(Sum::of_row(at, cell).at(id.cast_unsigned()));
            took.batch = Some(BatchId(id.cast_unsigned()));
        }
        answers.push(Ok(took));
    }
    let sql = "INSERT INTO rows (id, version_id, received_ms, suspended, cell, checksum) \
               SELECT id, version_id, received_ms, false, cell, checksum FROM unnest($1::int8[], \
               $2::int8[], $3::int8[], $4::text[], $5::int4[]) \
               r (id, version_id, received_ms, cell, checksum)";
    tx.execute(sql, &[&ids, &owners, &times, &cells, &sums]).await?;
    Ok(answers)
}

/// The locked datasets of a batch, and the dataset that each source fills.
struct Targets {
    open: BTreeMap<DatasetId, Open>,
    /// A source's dataset, and whether deliveries of the source replace the present rows.
    sources: BTreeMap<SourceId, (DatasetId, bool)>,
    workspaces: BTreeMap<DatasetId, WorkspaceId>,
}

impl Targets {
    fn of(&self, to: To) -> Option<(DatasetId, bool)> {
        match to {
            To::Source(source) => self.sources.get(&source).copied(),
            To::Dataset(workspace, dataset) => {
                let own = self.workspaces.get(&dataset).filter(|own| **own == workspace);
                own.map(|_| (dataset, false))
            }
        }
    }
}

async fn targets(tx: &Conn, jobs: &[Delivery]) -> Result<Targets, StoreError> {
    let (mut sources, mut datasets) = (Vec::new(), Vec::new());
    for job in jobs {
        match job.to {
            To::Source(source) => sources.push(source.0),
            To::Dataset(_, dataset) => datasets.push(dataset.0),
        }
    }
    let sql = format!(
        "SELECT {}, d.workspace_id FROM datasets d WHERE d.id = ANY($1) OR d.id IN \
         (SELECT dataset_id FROM sources WHERE id = ANY($2)) ORDER BY d.id FOR NO KEY UPDATE",
        versions::COLUMNS
    );
    let mut open = BTreeMap::new();
    let mut workspaces = BTreeMap::new();
    for row in tx.query(&sql, &[&datasets, &sources]).await? {
        let (dataset, opened) = Open::read(&row, 0)?;
        open.insert(dataset, opened);
        workspaces.insert(dataset, WorkspaceId(row.get_as(10)?));
    }
    // The mode of each source now, after locking the datasets.
    let sql = "SELECT id, dataset_id, mode = 'replace' FROM sources WHERE id = ANY($1)";
    let mut fills = BTreeMap::new();
    for row in tx.query(sql, &[&sources]).await? {
        let dataset = DatasetId(row.get_as(1)?);
        if open.contains_key(&dataset) {
            fills.insert(SourceId(row.get_as(0)?), (dataset, row.get_as(2)?));
        }
    }
    Ok(Targets { open, sources: fills, workspaces })
}
