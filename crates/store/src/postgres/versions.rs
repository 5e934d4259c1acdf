//! Versions of datasets, and a transaction's changes to them.
//!
//! A row belongs to a version, and a dataset names the visible version. So a replacement begins a version,
//! and a restoration changes the visible version. Neither touches a row. A transaction locks the datasets to
//! change, lowest number first, before reading the rows. [`Open`] gathers the changes to a dataset, written
//! once, before the commit.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hookyard_core::id::{DatasetId, ProjectId, VersionId, WorkspaceId};
use hookyard_core::model::{DatasetStats, Version, VersionsKept};
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Row;

use super::columns::{Columns, Param, moment, signed, small};
use super::database::Conn;
use super::{PostgresStore, audit};
use crate::{Entity, StoreError, VersionStore};

/// Rows deleted within the transaction that drops their version. A version of a source always in replace mode
/// has one row; further rows wait for an idle moment.
const DELETED_AT_ONCE: i64 = 16;

/// Rows deleted in one transaction at leisure.
const DELETED_IDLE: i64 = 2_000;

/// The columns for [`Open`], of the table `d`.
pub(super) const COLUMNS: &str = "d.id, d.version_id, d.began_ms, d.rows, d.suspended, d.bytes, \
                                  d.edits, d.updated_ms, d.versions_kept, d.versions_bytes";

/// The state of a dataset in an open transaction.
#[derive(Debug)]
pub(super) struct Open {
    /// The version to become visible.
    seen: Stored,
    /// The last change of the rows, for people.
    updated_ms: i64,
    keep: VersionsKept,
    /// Versions replaced in this transaction, oldest first.
    replaced: Vec<Replaced>,
    /// Whether versions may exceed the bound.
    trim: bool,
}

#[derive(Debug)]
struct Replaced {
    version: Stored,
    updated_ms: i64,
    replaced_ms: i64,
}

/// A version in the stored form.
#[derive(Debug, Clone, Copy)]
struct Stored {
    id: VersionId,
    began_ms: i64,
    stats: DatasetStats,
    /// Changes that move the places of rows.
    edits: u64,
}

impl Open {
    /// Reads the [`COLUMNS`], beginning with the column `at`; the caller's transaction has locked the row.
    pub(super) fn read(row: &Row, at: usize) -> Result<(DatasetId, Self), StoreError> {
        let open = Self {
            seen: stored(row, at + 1)?,
            updated_ms: row.get_as(at + 7)?,
            keep: VersionsKept { count: row.small(at + 8)?, bytes: row.unsigned(at + 9)? },
            replaced: Vec::new(),
            trim: false,
        };
        Ok((DatasetId(row.get_as(at)?), open))
    }

    /// The number of the version to become visible.
    pub(super) fn version(&self) -> VersionId {
        self.seen.id
    }

    /// Adds a row.
    pub(super) fn add(&mut self, bytes: usize, at: i64) {
        self.seen.stats.rows += 1;
        self.seen.stats.bytes += bytes as u64;
        self.updated_ms = at;
    }

    /// Begins a version.
    pub(super) fn begin(&mut self, id: VersionId, at: i64) {
        let stats = DatasetStats::default();
        self.replace(Stored { id, began_ms: at, stats, edits: 0 }, at);
    }

    /// The counters, for a change of the version's batches at `now`.
    pub(super) fn edit(&mut self, now: Timestamp) -> &mut DatasetStats {
        self.seen.edits += 1;
        self.updated_ms = now.as_millisecond();
        &mut self.seen.stats
    }

    /// Bounds the versions from now on.
    pub(super) fn keep(&mut self, keep: VersionsKept) {
        self.keep = keep;
        self.trim = true;
    }

    /// Shows another version from `at` on.
    fn replace(&mut self, other: Stored, at: i64) {
        let version = std::mem::replace(&mut self.seen, other);
        let updated_ms = std::mem::replace(&mut self.updated_ms, at);
        self.replaced.push(Replaced { version, updated_ms, replaced_ms: at });
        self.trim = true;
    }
}

/// Reads id, beginning, counters and edits.
fn stored(row: &Row, at: usize) -> Result<Stored, StoreError> {
    let stats = DatasetStats {
        rows: row.unsigned(at + 2)?,
        suspended: row.unsigned(at + 3)?,
        bytes: row.unsigned(at + 4)?,
    };
    Ok(Stored {
        id: VersionId(row.unsigned(at)?),
        began_ms: row.get_as(at + 1)?,
        stats,
        edits: row.unsigned(at + 5)?,
    })
}

/// Locks a project's dataset for the transaction.
pub(super) async fn open(
    tx: &Conn,
    workspace: WorkspaceId,
    project: ProjectId,
    dataset: DatasetId,
) -> Result<Open, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM datasets d WHERE d.id = $1 AND d.workspace_id = $2 \
         AND d.project_id = $3 FOR NO KEY UPDATE"
    );
    let row = tx.opt(&sql, &[&dataset.0, &workspace.0, &project.0]).await?;
    Open::read(&row.ok_or(StoreError::NotFound(Entity::Dataset))?, 0).map(|(_, open)| open)
}

/// Writes the transaction's changes to datasets, just before the commit.
pub(super) async fn write(
    tx: &Conn,
    datasets: impl IntoIterator<Item = (DatasetId, Open)>,
) -> Result<(), StoreError> {
    let datasets: BTreeMap<DatasetId, Open> = datasets.into_iter().collect();
    let all = || datasets.iter();
    let ids: Vec<_> = all().map(|(id, _)| id.0).collect();
    let versions: Vec<_> = all().map(|(_, open)| signed(open.seen.id.0)).collect();
    let begun: Vec<_> = all().map(|(_, open)| open.seen.began_ms).collect();
    let rows: Vec<_> = all().map(|(_, open)| signed(open.seen.stats.rows)).collect();
    let suspended: Vec<_> = all().map(|(_, open)| signed(open.seen.stats.suspended)).collect();
    let bytes: Vec<_> = all().map(|(_, open)| signed(open.seen.stats.bytes)).collect();
    let edits: Vec<_> = all().map(|(_, open)| signed(open.seen.edits)).collect();
    let updated: Vec<_> = all().map(|(_, open)| open.updated_ms).collect();
    let sql = "UPDATE datasets d SET version_id = n.version_id, began_ms = n.began_ms, \
               rows = n.rows, suspended = n.suspended, bytes = n.bytes, edits = n.edits, \
               updated_ms = n.updated_ms FROM unnest($1::int4[], $2::int8[], $3::int8[], \
               $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[]) AS n \
               (id, version_id, began_ms, rows, suspended, bytes, edits, updated_ms) \
               WHERE d.id = n.id";
    let values: [Param<'_>; 8] =
        [&ids, &versions, &begun, &rows, &suspended, &bytes, &edits, &updated];
    tx.execute(sql, &values).await?;
    for (dataset, open) in &datasets {
        // Of many replacements in one transaction, only the last are written at all.
        let kept = usize::try_from(open.keep.count).unwrap_or(usize::MAX);
        let dropped = open.replaced.len().saturating_sub(kept);
        for (place, replaced) in open.replaced.iter().enumerate() {
            if place < dropped || replaced.version.stats.batches() == 0 {
                drop_version(tx, replaced.version.id).await?;
            } else {
                close(tx, *dataset, replaced).await?;
            }
        }
        if open.trim {
            trim(tx, *dataset, open.keep).await?;
        }
    }
    Ok(())
}

async fn close(tx: &Conn, dataset: DatasetId, replaced: &Replaced) -> Result<(), StoreError> {
    let Replaced { version: Stored { id, began_ms, stats, edits }, updated_ms, replaced_ms } =
        replaced;
    let sql = "INSERT INTO dataset_versions (id, dataset_id, began_ms, updated_ms, replaced_ms, \
               rows, suspended, bytes, edits) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    tx.execute(
        sql,
        &[
            &signed(id.0),
            &dataset.0,
            began_ms,
            updated_ms,
            replaced_ms,
            &signed(stats.rows),
            &signed(stats.suspended),
            &signed(stats.bytes),
            &signed(*edits),
        ],
    )
    .await
    .map(drop)
}

/// Drops the versions beyond the number to keep.
async fn trim(tx: &Conn, dataset: DatasetId, keep: VersionsKept) -> Result<(), StoreError> {
    // The newest version stays whatever its bytes, unless no version is to be kept.
    let sql = "DELETE FROM dataset_versions WHERE id IN (SELECT id FROM ( \
               SELECT id, row_number() OVER w AS place, sum(bytes) OVER w AS total \
               FROM dataset_versions WHERE dataset_id = $1 WINDOW w AS (ORDER BY position DESC) \
               ) v WHERE v.place > $2::int8 OR (v.total > $3::int8 AND v.place > 1)) RETURNING id";
    let (most, bytes) = (i64::from(small(keep.count)), signed(keep.bytes));
    for row in tx.query(sql, &[&dataset.0, &most, &bytes]).await? {
        drop_version(tx, VersionId(row.unsigned(0)?)).await?;
    }
    Ok(())
}

/// Deletes the rows of a version that is invisible for good, or leaves many rows to the next idle moment.
pub(super) async fn drop_version(tx: &Conn, version: VersionId) -> Result<(), StoreError> {
    if delete_rows(tx, signed(version.0), DELETED_AT_ONCE).await? == DELETED_AT_ONCE.cast_unsigned()
    {
        let sql = "INSERT INTO garbage (version_id) VALUES ($1) ON CONFLICT DO NOTHING";
        tx.execute(sql, &[&signed(version.0)]).await?;
    }
    Ok(())
}

async fn delete_rows(tx: &Conn, version: i64, limit: i64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM rows WHERE version_id = $1 AND id IN \
               (SELECT id FROM rows WHERE version_id = $1 AND id >= $1 ORDER BY id LIMIT $2)";
    tx.execute(sql, &[&version, &limit]).await
}

/// Deletes some rows that are invisible for good. Returns whether there were any.
pub(super) async fn collect_garbage(tx: Conn) -> Result<bool, StoreError> {
    let next = "SELECT version_id FROM garbage LIMIT 1 FOR UPDATE SKIP LOCKED";
    let found = tx.opt(next, &[]).await?;
    let there = found.is_some();
    if let Some(row) = found {
        let version = row.get_as(0)?;
        if delete_rows(&tx, version, DELETED_IDLE).await? < DELETED_IDLE.cast_unsigned() {
            tx.execute("DELETE FROM garbage WHERE version_id = $1", &[&version]).await?;
        }
    }
    tx.commit().await?;
    Ok(there)
}

#[async_trait]
impl VersionStore for PostgresStore {
    async fn versions(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
    ) -> Result<Vec<Version>, StoreError> {
        // A single statement, so that both results are of the same moment.
        let sql = "SELECT version_id, began_ms, rows, suspended, bytes, edits, updated_ms, \
                   NULL::int8, NULL::int8 AS position FROM datasets \
                   WHERE id = $1 AND workspace_id = $2 AND project_id = $3 UNION ALL \
                   SELECT v.id, v.began_ms, v.rows, v.suspended, v.bytes, v.edits, v.updated_ms, \
                   v.replaced_ms, v.position FROM dataset_versions v \
                   JOIN datasets d ON d.id = v.dataset_id \
                   WHERE d.id = $1 AND d.workspace_id = $2 AND d.project_id = $3 \
                   ORDER BY position DESC NULLS FIRST";
        let conn = self.db.get().await?;
        let rows = conn.query(sql, &[&dataset.0, &workspace.0, &project.0]).await?;
        if rows.is_empty() {
            return Err(StoreError::NotFound(Entity::Dataset));
        }
        let version = |row: &Row| {
            let Stored { id, began_ms, stats, edits: _ } = stored(row, 0)?;
            Ok(Version {
                id,
                began_at: moment(began_ms),
                updated_at: row.moment(6)?,
                replaced_at: row.moment_if(7)?,
                stats,
            })
        };
        rows.iter().map(version).collect()
    }

    async fn restore_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let tx = self.db.begin().await?;
        let mut open = open(&tx, workspace, project, dataset).await?;
        let detail = json!({ "version": version });
        audit::note(&tx, workspace, "dataset.restore_version", dataset, &detail).await?;
        if open.version() == version {
            return tx.commit().await;
        }
        let restored = take(&tx, dataset, version).await?;
        let restored = restored.ok_or(StoreError::NotFound(Entity::Version))?;
        open.replace(restored, now.as_millisecond());
        write(&tx, [(dataset, open)]).await?;
        tx.commit().await
    }

    async fn delete_version(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        dataset: DatasetId,
        version: VersionId,
    ) -> Result<bool, StoreError> {
        let tx = self.db.begin().await?;
        if open(&tx, workspace, project, dataset).await?.version() == version {
            let message = "the version is the one that is seen: it goes when it is replaced";
            return Err(StoreError::Conflict(message.to_owned()));
        }
        if take(&tx, dataset, version).await?.is_none() {
            return Ok(false);
        }
        let detail = json!({ "version": version });
        audit::note(&tx, workspace, "dataset.delete_version", dataset, &detail).await?;
        drop_version(&tx, version).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Takes an earlier version out of the list; `None` when there is no such version.
async fn take(
    tx: &Conn,
    dataset: DatasetId,
    version: VersionId,
) -> Result<Option<Stored>, StoreError> {
    let sql = "DELETE FROM dataset_versions WHERE id = $1 AND dataset_id = $2 \
               RETURNING id, began_ms, rows, suspended, bytes, edits";
    let row = tx.opt(sql, &[&signed(version.0), &dataset.0]).await?;
    row.map(|row| stored(&row, 0)).transpose()
}
