//! Datasets and their rows.
//!
//! Deliveries are received in batches. A batch locks the datasets it fills, lowest number first,
//! before it gives out row numbers; so within a dataset the numbers follow the order of commits,
//! whichever nodes they come through. In replace mode the dataset's `floor` is raised to the new row,
//! which hides every earlier one at once; those are deleted at leisure.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Dataset, DatasetStats, Row as DataRow};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::batches::Work;
use super::columns::{Columns, Json, count, signed};
use super::database::{Conn, Database};
use super::{BATCH_MAX, PostgresStore, sources};
use crate::vault::Vault;
use crate::{BatchQuery, DatasetStore, Entity, Received, StoreError};

/// Replaced rows that are deleted within the transaction that replaced them. A source that was always
/// in replace mode has one; whatever is beyond waits for an idle moment.
const DELETED_AT_ONCE: i64 = 16;

/// Rows deleted in one statement at leisure.
const DELETED_IDLE: i64 = 2_000;

/// Columns that [`dataset`] reads, of the tables `d` and `s`.
fn columns() -> String {
    let source = sources::COLUMNS;
    format!(
        "d.id, d.workspace_id, d.project_id, d.name, d.created_ms, d.updated_ms, d.rows, d.bytes, \
         {source}"
    )
}

#[async_trait]
impl DatasetStore for PostgresStore {
    async fn receive(
        &self,
        source: SourceId,
        cell: Bytes,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        self.receives.submit(Delivery { source, cell, now }).await
    }

    async fn datasets(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Dataset>, StoreError> {
        let sql = format!(
            "SELECT {} FROM datasets d LEFT JOIN sources s ON s.dataset_id = d.id \
             WHERE d.workspace_id = $1 AND d.project_id = $2 ORDER BY d.id",
            columns()
        );
        let rows = self.db.get().await?.query(&sql, &[&workspace.0, &project.0]).await?;
        rows.iter().map(|row| dataset(row, &self.vault)).collect()
    }

    async fn dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        let sql = format!(
            "SELECT {} FROM datasets d LEFT JOIN sources s ON s.dataset_id = d.id \
             WHERE d.id = $1 AND d.workspace_id = $2 AND d.project_id = $3",
            columns()
        );
        let conn = self.db.get().await?;
        let row = conn.opt(&sql, &[&id.0, &workspace.0, &project.0]).await?;
        row.map(|row| dataset(&row, &self.vault)).transpose()
    }

    async fn delete_dataset(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        let sql = "SELECT FROM datasets WHERE id = $1 AND workspace_id = $2 AND project_id = $3 \
                   FOR UPDATE";
        if tx.opt(sql, &[&id.0, &workspace.0, &project.0]).await?.is_none() {
            return Ok(false);
        }
        tx.execute("DELETE FROM sources WHERE dataset_id = $1", &[&id.0]).await?;
        tx.execute("DELETE FROM datasets WHERE id = $1", &[&id.0]).await?;
        let sql = "INSERT INTO garbage (dataset_id, below) VALUES ($1, nextval('row_ids')) \
                   ON CONFLICT (dataset_id) DO UPDATE SET below = excluded.below";
        tx.execute(sql, &[&id.0]).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn rows(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<DataRow>, StoreError> {
        let conn = self.db.get().await?;
        let floor = floor(&conn, workspace, project, dataset).await?;
        let sql = "SELECT id, received_ms, cell FROM rows WHERE dataset_id = $1 AND id >= $2 \
                   AND NOT suspended ORDER BY id LIMIT $3 OFFSET $4";
        let page = conn.query(sql, &[&dataset.0, &floor, &count(limit), &signed(offset)]).await?;
        page.iter().map(data_row).collect()
    }

    async fn batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError> {
        let conn = self.db.get().await?;
        let floor = floor(&conn, workspace, project, dataset).await?;
        let order = if query.newest_first { "DESC" } else { "ASC" };
        let sql = format!("{BATCHES} ORDER BY id {order} LIMIT $3 OFFSET $4");
        let (limit, offset) = (count(query.limit), signed(query.offset));
        let page = conn.query(&sql, &[&dataset.0, &floor, &limit, &offset]).await?;
        page.iter().map(batch).collect()
    }

    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError> {
        let conn = self.db.get().await?;
        let floor = floor(&conn, workspace, project, dataset).await?;
        let sql = format!("{BATCHES} AND id = $3");
        let row = conn.opt(&sql, &[&dataset.0, &floor, &signed(id.0)]).await?;
        row.as_ref().map(batch).transpose()
    }
}

/// What [`batch`] reads, of the dataset $1 from its floor $2 on.
const BATCHES: &str = "SELECT id, received_ms, suspended, octet_length(cell)::int8 FROM rows \
                       WHERE dataset_id = $1 AND id >= $2";

/// One delivery of a source.
#[derive(Debug)]
pub(super) struct Delivery {
    source: SourceId,
    cell: Bytes,
    now: Timestamp,
}

/// Receives.
#[derive(Debug)]
pub(super) struct Receiving;

#[async_trait]
impl Work for Receiving {
    type Job = Delivery;
    type Answer = Received;

    fn bytes(job: &Delivery) -> usize {
        job.cell.len()
    }

    async fn run(
        &self,
        database: &Database,
        jobs: Vec<Delivery>,
    ) -> Result<Vec<Result<Received, StoreError>>, StoreError> {
        let sources: Vec<_> = jobs.iter().map(|job| job.source.0).collect();
        let times: Vec<_> = jobs.iter().map(|job| job.now.as_millisecond()).collect();
        let cells: Vec<_> = jobs.iter().map(|job| Json(&job.cell)).collect();
        let numbers: Vec<_> = sources.iter().map(ToString::to_string).collect();
        let lock = format!(
            "SELECT FROM datasets d JOIN sources s ON s.dataset_id = d.id WHERE s.id IN ({}) \
             ORDER BY d.id FOR UPDATE OF d",
            numbers.join(",")
        );
        let conn = database.get().await?.within(BATCH_MAX);
        let values: [super::columns::Param<'_>; 4] = [&sources, &times, &cells, &DELETED_AT_ONCE];
        let gone = || Err(StoreError::NotFound(Entity::Source));
        let mut answers: Vec<_> = jobs.iter().map(|_| gone()).collect();
        for row in conn.transact(&lock, RECEIVE, &values).await? {
            let place = usize::try_from(row.get_as::<i64>(0)? - 1).unwrap_or(usize::MAX);
            let (batch, dataset) = (BatchId(row.unsigned(1)?), DatasetId(row.get_as(2)?));
            answers[place] = Ok(Received { batch, dataset });
        }
        Ok(answers)
    }
}

/// Inserts the rows of all deliveries whose source is there, by its mode at this moment, but for those
/// that a later one of the same statement replaces.
const RECEIVE: &str = "
WITH placed AS MATERIALIZED (
    SELECT i.n, s.dataset_id, s.mode = 'replace' AS replaces, i.received_ms, i.cell
    FROM unnest($1::int4[], $2::int8[], $3::text[]) WITH ORDINALITY
        AS i (source_id, received_ms, cell, n)
    JOIN sources s ON s.id = i.source_id ORDER BY i.n
), numbered AS MATERIALIZED (
    SELECT p.*, nextval('row_ids') AS id FROM placed p
), added AS MATERIALIZED (
    SELECT dataset_id, replaces, max(id) AS last, count(*) AS rows,
           sum(octet_length(cell)) AS bytes,
           (array_agg(octet_length(cell) ORDER BY n DESC))[1] AS last_bytes,
           (array_agg(received_ms ORDER BY n DESC))[1] AS updated_ms
    FROM numbered GROUP BY dataset_id, replaces
), inserted AS (
    INSERT INTO rows (id, dataset_id, received_ms, suspended, cell)
    SELECT n.id, n.dataset_id, n.received_ms, false, n.cell FROM numbered n
    JOIN added a ON a.dataset_id = n.dataset_id WHERE n.id = a.last OR NOT n.replaces
    ORDER BY n.id
), counted AS (
    UPDATE datasets d SET
        rows = CASE WHEN a.replaces THEN 1 ELSE d.rows + a.rows END,
        bytes = CASE WHEN a.replaces THEN a.last_bytes ELSE d.bytes + a.bytes END,
        floor = CASE WHEN a.replaces THEN a.last ELSE d.floor END,
        updated_ms = a.updated_ms
    FROM added a WHERE d.id = a.dataset_id
), hidden AS MATERIALIZED (
    SELECT a.dataset_id, a.last, r.id FROM added a CROSS JOIN LATERAL (
        SELECT id FROM rows WHERE dataset_id = a.dataset_id AND id < a.last ORDER BY id LIMIT $4
    ) r WHERE a.replaces
), discarded AS (
    DELETE FROM rows WHERE id IN (SELECT id FROM hidden)
), postponed AS (
    INSERT INTO garbage (dataset_id, below)
    SELECT dataset_id, last FROM hidden GROUP BY dataset_id, last HAVING count(*) = $4
    ON CONFLICT (dataset_id) DO UPDATE SET below = excluded.below
)
SELECT n, id, dataset_id FROM numbered";

/// Deletes some rows that are invisible for good; whether there are more.
pub(super) async fn collect_garbage(tx: Conn) -> Result<bool, StoreError> {
    let next = "SELECT dataset_id, below FROM garbage LIMIT 1 FOR UPDATE SKIP LOCKED";
    let Some(row) = tx.opt(next, &[]).await? else { return Ok(false) };
    let (dataset, below): (i32, i64) = (row.get_as(0)?, row.get_as(1)?);
    let sql = "DELETE FROM rows WHERE id IN (SELECT id FROM rows WHERE dataset_id = $1 \
               AND id < $2 ORDER BY id LIMIT $3)";
    let deleted = tx.execute(sql, &[&dataset, &below, &DELETED_IDLE]).await?;
    if deleted < DELETED_IDLE.cast_unsigned() {
        tx.execute("DELETE FROM garbage WHERE dataset_id = $1", &[&dataset]).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// The number from which on a dataset's rows are visible.
async fn floor(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    id: DatasetId,
) -> Result<i64, StoreError> {
    let sql = "SELECT floor FROM datasets WHERE id = $1 AND workspace_id = $2 AND project_id = $3";
    let row = conn.opt(sql, &[&id.0, &workspace.0, &project.0]).await?;
    row.ok_or(StoreError::NotFound(Entity::Dataset))?.get_as(0)
}

fn dataset(row: &Row, vault: &Vault) -> Result<Dataset, StoreError> {
    let source = match row.get_as::<Option<i32>>(8)? {
        Some(_) => Some(Arc::new(sources::source(row, 8, vault)?)),
        None => None,
    };
    Ok(Dataset {
        id: DatasetId(row.get_as(0)?),
        workspace: WorkspaceId(row.get_as(1)?),
        project: ProjectId(row.get_as(2)?),
        name: row.text(3)?,
        created_at: row.moment(4)?,
        updated_at: row.moment(5)?,
        source,
        stats: DatasetStats { rows: row.unsigned(6)?, bytes: row.unsigned(7)? },
    })
}

fn data_row(row: &Row) -> Result<DataRow, StoreError> {
    Ok(DataRow {
        batch: BatchId(row.unsigned(0)?),
        received_at: row.moment(1)?,
        cell: row.json(2)?,
    })
}

fn batch(row: &Row) -> Result<Batch, StoreError> {
    let suspended: bool = row.get_as(2)?;
    Ok(Batch {
        id: BatchId(row.unsigned(0)?),
        received_at: row.moment(1)?,
        state: if suspended { BatchState::Suspended } else { BatchState::Active },
        bytes: row.unsigned(3)?,
    })
}
