//! Reading rows and batches, and changing batches.

use async_trait::async_trait;
use hookyard_core::id::{BatchId, DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{Batch, BatchState, Row as DataRow};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Param, count, signed};
use super::database::Conn;
use super::span::{earlier, later};
use super::versions::{self, Open};
use super::{PostgresStore, audit};
use crate::checksum;
use crate::places::{Places, STEP};
use crate::{
    BATCHES_CHANGED_MAX, BatchChange, BatchQuery, Entity, RowLimit, RowPage, RowQuery, RowStore,
    StoreError,
};

/// Rows that a read passes over, because suspended or out of the range of time: some milliseconds. The reader
/// goes on with the next page.
const PASSED_MAX: usize = 10_000;

/// The most rows that a statement examines.
const LOOKED_AT_MAX: usize = 2_000;

#[async_trait]
impl RowStore for PostgresStore {
    async fn rows_after(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: RowQuery,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        let tx = self.db.snapshot().await?;
        let seen = seen(&tx, workspace, project, dataset).await?;
        let version = match query.version {
            Some(version) if version != seen.version => {
                earlier_version(&tx, dataset, version).await?
            }
            _ => seen.version,
        };
        let page = page(&tx, version, &query, limit).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn rows_at(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        let tx = self.db.snapshot().await?;
        let Seen { version, edits, rows } = seen(&tx, workspace, project, dataset).await?;
        let after = match offset < rows {
            true => find_place(&tx, &self.places, version, edits, offset).await?,
            false => None,
        };
        let page = match after {
            Some(after) => {
                let after = Some(BatchId(after));
                page(&tx, version, &RowQuery { after, ..RowQuery::default() }, limit).await?
            }
            None => RowPage { version, rows: Vec::new(), next: None },
        };
        tx.commit().await?;
        Ok(page)
    }

    async fn batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError> {
        let tx = self.db.snapshot().await?;
        let seen = seen(&tx, workspace, project, dataset).await?;
        let page = batches(&tx, seen.version, query).await?;
        tx.commit().await?;
        Ok(page)
    }

    async fn batch(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError> {
        let tx = self.db.snapshot().await?;
        let seen = seen(&tx, workspace, project, dataset).await?;
        let found = find_batch(&tx, seen.version, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    async fn change_batches(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        changes: Vec<(BatchId, BatchChange)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if changes.len() > BATCHES_CHANGED_MAX {
            let message = format!("at most {BATCHES_CHANGED_MAX} batches can be changed at once");
            return Err(StoreError::Conflict(message));
        }
        let tx = self.db.begin().await?;
        let mut open = versions::open(&tx, workspace, project, dataset).await?;
        let named = |(id, change): &(BatchId, BatchChange)| {
            let change = change.as_str();
            json!({ "batch": id, "change": change })
        };
        let detail = json!({ "batches": changes.iter().map(named).collect::<Vec<_>>() });
        audit::note(&tx, workspace, "dataset.change_batches", dataset, &detail).await?;
        for (id, change) in changes {
            change_batch(&tx, &mut open, id, change, now).await?;
        }
        versions::write(&tx, [(dataset, open)]).await?;
        tx.commit().await
    }
}

/// The visible version of a dataset, with the counters of the version's rows.
struct Seen {
    version: VersionId,
    edits: u64,
    rows: u64,
}

async fn seen(
    conn: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    dataset: DatasetId,
) -> Result<Seen, StoreError> {
    let sql = "SELECT version_id, edits, rows FROM datasets \
               WHERE id = $1 AND workspace_id = $2 AND project_id = $3";
    let row = conn.opt(sql, &[&dataset.0, &workspace.0, &project.0]).await?;
    let row = row.ok_or(StoreError::NotFound(Entity::Dataset))?;
    let version = VersionId(row.unsigned(0)?);
    Ok(Seen { version, edits: row.unsigned(1)?, rows: row.unsigned(2)? })
}

async fn earlier_version(
    conn: &Conn,
    dataset: DatasetId,
    version: VersionId,
) -> Result<VersionId, StoreError> {
    let sql = "SELECT FROM dataset_versions WHERE id = $1 AND dataset_id = $2";
    let there = conn.opt(sql, &[&signed(version.0), &dataset.0]).await?;
    there.map(|_| version).ok_or(StoreError::NotFound(Entity::Version))
}

/// The number after which the rows from `offset` on begin; `None` when the dataset has fewer rows.
async fn find_place(
    conn: &Conn,
    places: &Places,
    version: VersionId,
    edits: u64,
    offset: u64,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT id FROM rows WHERE version_id = $1 AND id > $2 AND id NOT IN \
               (SELECT id FROM rows WHERE version_id = $1 AND id > $2 AND suspended) \
               ORDER BY id LIMIT 1 OFFSET $3";
    let (mut at, mut after) = places.nearest(version, edits, offset);
    after = after.max(version.0.saturating_sub(1));
    while at < offset {
        let step = STEP.min(offset - at);
        let row = [signed(version.0), signed(after), signed(step - 1)];
        let Some(found) = conn.opt(sql, &[&row[0], &row[1], &row[2]]).await? else {
            return Ok(None);
        };
        (at, after) = (at + step, found.unsigned(0)?);
        if step == STEP {
            places.remember(version, edits, at, after);
        }
    }
    Ok(Some(after))
}

/// Rows of a version, read piece by piece within the caller's snapshot.
async fn page(
    conn: &Conn,
    version: VersionId,
    query: &RowQuery,
    limit: RowLimit,
) -> Result<RowPage, StoreError> {
    let (mut low, mut high) = bounds(conn, version, query).await?;
    let order = if query.newest_first { "DESC" } else { "ASC" };
    // Only cells with room in the page are read: a row beyond the page shows that there are more.
    let sql = format!(
        "SELECT id, received_ms, wanted, CASE WHEN wanted THEN cell END, checksum FROM ( \
         SELECT *, coalesce(sum(CASE WHEN wanted THEN octet_length(cell) END) OVER (ORDER BY id \
         {order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM ( \
         SELECT id, received_ms, cell, checksum, NOT suspended AND ($4::int8 IS NULL OR received_ms >= $4) \
         AND ($5::int8 IS NULL OR received_ms < $5) AS wanted FROM rows WHERE version_id = $1 \
         AND id >= $2 AND id < $3 ORDER BY id {order} LIMIT $6) r) s \
         WHERE before <= $7::int8 ORDER BY id {order}"
    );
    let (from, until) = (query.from.map(millis), query.until.map(millis));
    let mut page = RowPage { version, rows: Vec::new(), next: None };
    let (mut bytes, mut passed, mut last) = (0_u64, 0_usize, None);
    loop {
        let room = limit.rows.max(1).saturating_sub(page.rows.len()).saturating_add(1);
        let piece = count(room.min(LOOKED_AT_MAX));
        let left = signed(limit.bytes.saturating_sub(bytes));
        let own = signed(version.0);
        let rows = conn.query(&sql, &[&own, &low, &high, &from, &until, &piece, &left]).await?;
        for row in &rows {
            if page.rows.len() >= limit.rows.max(1) || passed == PASSED_MAX {
                page.next = last;
                return Ok(page);
            }
            let id = row.unsigned(0)?;
            if row.get_as(2)? {
                let row = data_row(row)?;
                bytes = bytes.saturating_add(row.cell.len() as u64);
                if bytes > limit.bytes && !page.rows.is_empty() {
                    page.next = last;
                    return Ok(page);
                }
                page.rows.push(row);
            } else {
                passed += 1;
            }
            last = Some(BatchId(id));
            match query.newest_first {
                true => high = signed(id),
                false => low = signed(id) + 1,
            }
        }
        let cut = bytes >= limit.bytes;
        if rows.is_empty() || (count(rows.len()) < piece && !cut) {
            return Ok(page);
        }
    }
}

fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The lowest number to read, and the number above the highest. No number is below the version's own number,
/// so partitions filled before the version began are not searched.
async fn bounds(
    conn: &Conn,
    version: VersionId,
    query: &RowQuery,
) -> Result<(i64, i64), StoreError> {
    let low = match query.from {
        Some(from) => first_since(conn, version, earlier(from)).await?,
        None => signed(version.0),
    };
    let high = match query.until {
        Some(until) => first_since(conn, version, later(until)).await?,
        None => i64::MAX,
    };
    let after = query.after.map(|after| signed(after.0));
    Ok(match (after, query.newest_first) {
        (Some(after), false) => (low.max(after.saturating_add(1)), high),
        (Some(after), true) => (low, high.min(after)),
        (None, _) => (low, high),
    })
}

/// The first number of a version's rows accepted at or after `at`, as far as times follow the order of the
/// numbers.
async fn first_since(conn: &Conn, version: VersionId, at: Timestamp) -> Result<i64, StoreError> {
    let own = signed(version.0);
    let ends = "SELECT min(id), max(id) FROM rows WHERE version_id = $1 AND id >= $1";
    let ends = conn.one(ends, &[&own]).await?;
    let (Some(mut low), Some(highest)) =
        (ends.get_as::<Option<i64>>(0)?, ends.get_as::<Option<i64>>(1)?)
    else {
        return Ok(0);
    };
    let mut high = highest + 1;
    let sql =
        "SELECT id, received_ms FROM rows WHERE version_id = $1 AND id >= $2 ORDER BY id LIMIT 1";
    while low < high {
        let middle = low + (high - low) / 2;
        match conn.opt(sql, &[&own, &middle]).await? {
            Some(row) if row.get_as::<i64>(0)? < high && row.get_as::<i64>(1)? < millis(at) => {
                low = row.get_as::<i64>(0)? + 1;
            }
            _ => high = middle,
        }
    }
    Ok(low)
}

/// A row from its number, moment, anything, cell and checksum.
pub(super) fn data_row(row: &Row) -> Result<DataRow, StoreError> {
    let number = row.unsigned(0)?;
    let values = || {
        let (received_at, cell) = (row.moment(1)?, row.json(3)?);
        let read = DataRow { batch: BatchId(number), received_at, cell, damaged: false };
        Ok::<_, StoreError>((read, row.get_as::<Option<i32>>(4)?))
    };
    Ok(match values() {
        Ok((read, checksum)) => checksum::checked_row(read, checksum),
        Err(_) => checksum::damaged_row(number),
    })
}

/// The start of a query for [`batch`].
const BATCHES: &str = "SELECT id, received_ms, suspended, octet_length(cell)::int8 FROM rows";

async fn batches(
    conn: &Conn,
    version: VersionId,
    query: BatchQuery,
) -> Result<Vec<Batch>, StoreError> {
    let BatchQuery { state, after, from, until, newest_first, offset, limit } = query;
    let range = RowQuery { version: None, after, newest_first, from, until };
    let (low, high) = bounds(conn, version, &range).await?;
    let order = if newest_first { "DESC" } else { "ASC" };
    // Batches left out are passed over in an index, without a look at the rows.
    let state = match state {
        None => "",
        Some(BatchState::Suspended) => "AND suspended",
        Some(BatchState::Active) => {
            "AND id NOT IN (SELECT id FROM rows WHERE version_id = $1 AND id >= $2 \
             AND id < $3 AND suspended)"
        }
    };
    let time = match from.is_some() || until.is_some() {
        true => "AND received_ms >= $6 AND received_ms < $7",
        false => "",
    };
    let sql = format!(
        "SELECT batch.* FROM (SELECT id FROM rows WHERE version_id = $1 AND id >= $2 AND id < $3 \
         {state} {time} ORDER BY id {order} LIMIT $4 OFFSET $5) page CROSS JOIN LATERAL \
         ({BATCHES} WHERE version_id = $1 AND id = page.id OFFSET 0) batch ORDER BY batch.id {order}"
    );
    let (own, limit, offset) = (signed(version.0), count(limit), signed(offset));
    let from = from.map_or(i64::MIN, |from| from.as_millisecond());
    let until = until.map_or(i64::MAX, |until| until.as_millisecond());
    let values: [Param<'_>; 7] = [&own, &low, &high, &limit, &offset, &from, &until];
    let used = if time.is_empty() { 5 } else { 7 };
    let rows = conn.query(&sql, &values[..used]).await?;
    rows.iter().map(batch).collect()
}

async fn find_batch(
    conn: &Conn,
    version: VersionId,
    id: BatchId,
) -> Result<Option<Batch>, StoreError> {
    let sql = format!("{BATCHES} WHERE id = $1 AND version_id = $2");
    let row = conn.opt(&sql, &[&signed(id.0), &signed(version.0)]).await?;
    row.as_ref().map(batch).transpose()
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

async fn change_batch(
    tx: &Conn,
    open: &mut Open,
    id: BatchId,
    change: BatchChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = find_batch(tx, open.version(), id).await?;
    let Batch { state, bytes, .. } = found.ok_or(StoreError::NotFound(Entity::Batch))?;
    let (sql, becomes) = match (change, state) {
        (BatchChange::Suspend, BatchState::Active) => (
            "UPDATE rows SET suspended = true WHERE id = $1 AND version_id = $2",
            Some(BatchState::Suspended),
        ),
        (BatchChange::Restore, BatchState::Suspended) => (
            "UPDATE rows SET suspended = false WHERE id = $1 AND version_id = $2",
            Some(BatchState::Active),
        ),
        (BatchChange::Delete, _) => ("DELETE FROM rows WHERE id = $1 AND version_id = $2", None),
        (BatchChange::Suspend | BatchChange::Restore, _) => return Ok(()),
    };
    tx.execute(sql, &[&signed(id.0), &signed(open.version().0)]).await?;
    let stats = open.edit(now);
    stats.turn(state, becomes, bytes);
    Ok(())
}
