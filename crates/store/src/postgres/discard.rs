//! Dropping whole partitions.
//!
//! A partition goes in a short transaction. Meanwhile nobody queues anything, the few rows still awaited are
//! copied to a new partition of the same range, and the two partitions change places. So a pinned event is
//! never missing. Taking a partition out needs an exclusive lock on the table for some milliseconds, and
//! waits for readers no longer than [`PATIENCE`]. Publishers wait for as long, too. A reader in the way for
//! longer postpones the work to the next look. `DETACH CONCURRENTLY` would wait without hindering anybody,
//! but in two transactions: between the two, pinned events are in neither partition, and an interruption
//! leaves a half-detached partition behind.
//!
//! The table taken out is dropped later, when no reader uses the table any more: giving back the space of a
//! large file takes time.

use super::columns::{Columns, signed};
use super::database::{Conn, Database};
use super::journal_rows;
use super::partitions::{self, JOURNAL, Kind, Part};
use super::weights::{self, JOURNAL_WEIGHT};
use crate::StoreError;
use crate::retention::ROW_OVERHEAD;

/// How long publishers wait, once, while a partition is to go and somebody reads.
const PATIENCE: &str = "SET LOCAL lock_timeout = '100ms'";

/// How many pinned events are copied: some ten milliseconds.
const PINNED_MAX: i64 = 2_000;

/// Copying pays where the copy keeps less than this part of the events. The bound also keeps a partition with
/// only pinned events left from being copied again and again.
const PINNED_PART: u64 = 8;

/// The outcome for an expired partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discarded {
    /// The partition is gone, with so many rows and bytes; pinned events are kept.
    Gone { items: u64, bytes: u64 },
    /// A reader or another node's sweep has the partition in use: later.
    InUse,
    /// Too much of the partition is pinned: the rows go one by one.
    Pinned,
}

/// Drops a partition, but keeps the pinned events.
pub(super) async fn discard(db: &Database, part: &Part) -> Result<Discarded, StoreError> {
    // Asked without keeping anybody, as the answer is usually the same a moment later.
    if !few(part, &pinned(&db.get().await?, part).await?) {
        return Ok(Discarded::Pinned);
    }
    let tx = db.begin().await?;
    if !partitions::try_lock(&tx).await? {
        return Ok(Discarded::InUse);
    }
    if part.kind == JOURNAL {
        // The lock keeps others from queueing events that were not checked for pins.
        journal_rows::lock(&tx).await?;
    }
    // Another node may have been first.
    let now =
        partitions::list(&tx, part.kind).await?.into_iter().find(|now| now.first == part.first);
    let Some(part) = now.filter(|now| now.items == part.items) else {
        return Ok(Discarded::InUse);
    };
    let pinned = pinned(&tx, &part).await?;
    if !few(&part, &pinned) {
        return Ok(Discarded::Pinned);
    }
    let kept = keep(&tx, &part, &pinned).await?;
    tx.batch(PATIENCE).await?;
    match swap(&tx, &part, !pinned.is_empty()).await {
        Ok(()) => tx.commit().await?,
        Err(StoreError::Unavailable(reason)) => {
            tracing::debug!(partition = part.name(), reason, "a partition is in use for now");
            return Ok(Discarded::InUse);
        }
        Err(error) => return Err(error),
    }
    let (items, bytes) = (part.items.saturating_sub(kept.0), part.bytes.saturating_sub(kept.1));
    tracing::info!(partition = part.name(), items, bytes, kept = kept.0, "a partition was dropped");
    Ok(Discarded::Gone { items, bytes })
}

/// The pinned events of a partition, at most one more than may be copied.
async fn pinned(conn: &Conn, part: &Part) -> Result<Vec<i64>, StoreError> {
    if part.kind != JOURNAL {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT DISTINCT seq FROM ({}) p LIMIT $3", weights::pinned());
    let rows = conn.query(&sql, &[&part.first, &part.until, &(PINNED_MAX + 1)]).await?;
    rows.iter().map(|row| row.get_as(0)).collect()
}

fn few(part: &Part, pinned: &[i64]) -> bool {
    let count = pinned.len() as u64;
    count <= PINNED_MAX.cast_unsigned() && count <= part.items / PINNED_PART
}

/// Copies the pinned events and counts them in place of the whole partition. Returns the number and bytes of
/// the copied events.
async fn keep(tx: &Conn, part: &Part, pinned: &[i64]) -> Result<(u64, u64), StoreError> {
    let Kind { id, key, .. } = part.kind;
    let kept = match pinned.is_empty() {
        true => (0, 0),
        false => {
            let (name, copy) = (part.name(), copy(part));
            tx.batch(&partitions::table(part, &copy)).await?;
            let sql = format!("INSERT INTO {copy} SELECT * FROM {name} WHERE {key} = ANY($1)");
            tx.execute(&sql, &[&pinned]).await?;
            let sql = format!(
                "SELECT count(*), coalesce(sum({} + {}), 0)::int8 FROM {copy}",
                JOURNAL_WEIGHT, ROW_OVERHEAD
            );
            let row = tx.one(&sql, &[]).await?;
            (row.unsigned(0)?, row.unsigned(1)?)
        }
    };
    if part.kind == JOURNAL {
        share_again(tx, part, !pinned.is_empty()).await?;
    }
    if pinned.is_empty() {
        for table in ["retained", "partitions"] {
            let sql = format!("DELETE FROM {table} WHERE kind = $1 AND first = $2");
            tx.execute(&sql, &[&id, &part.first]).await?;
        }
    } else {
        let sql = "UPDATE retained SET items = CASE slot WHEN 0 THEN $3::int8 ELSE 0 END, \
                   bytes = CASE slot WHEN 0 THEN $4::int8 ELSE 0 END WHERE kind = $1 AND first = $2";
        tx.execute(sql, &[&id, &part.first, &signed(kept.0), &signed(kept.1)]).await?;
    }
    Ok(kept)
}

/// Counts each workspace's part of the kept events.
async fn share_again(tx: &Conn, part: &Part, kept: bool) -> Result<(), StoreError> {
    let first = &part.first;
    tx.execute("DELETE FROM journal_shares WHERE first = $1", &[first]).await?;
    if kept {
        let sql = format!(
            "INSERT INTO journal_shares (workspace_id, first, bytes, items) \
             SELECT workspace_id, $1::int8, sum({} + {}), count(*) FROM {} GROUP BY workspace_id",
            JOURNAL_WEIGHT,
            ROW_OVERHEAD,
            copy(part)
        );
        tx.execute(&sql, &[first]).await?;
    }
    Ok(())
}

/// The name of the table that replaces the partition.
fn copy(part: &Part) -> String {
    format!("\"{}_{}_kept\"", part.kind.table, part.first)
}

/// The name of the table once detached.
fn gone(part: &Part) -> String {
    format!("\"{}_{}_gone\"", part.kind.table, part.first)
}

/// Takes a partition out, and puts the copy of the kept events in the partition's place.
async fn swap(tx: &Conn, part: &Part, kept: bool) -> Result<(), StoreError> {
    let (whole, name, gone) = (part.kind.table, part.name(), gone(part));
    tx.batch(&format!(
        "ALTER TABLE {whole} DETACH PARTITION {name}; ALTER TABLE {name} RENAME TO {gone}"
    ))
    .await?;
    if kept {
        let (copy, attach) = (copy(part), partitions::attach(part));
        tx.batch(&format!("ALTER TABLE {copy} RENAME TO {name}; {attach}")).await?;
    }
    Ok(())
}

/// Drops the closed partitions without any row left.
pub(super) async fn empty(db: &Database, kind: Kind) -> Result<(), StoreError> {
    let parts = partitions::list(&db.get().await?, kind).await?;
    let mut closed: Vec<_> = parts.into_iter().filter(|part| part.closed).collect();
    // The last partition may still get rows of a transaction under way.
    closed.pop();
    for part in closed {
        if looks_empty(db, &part).await? && !take_empty(db, &part).await? {
            tracing::debug!(partition = part.name(), "an empty partition is in use for now");
        }
    }
    Ok(())
}

/// Whether a partition has no rows and is still there: another node's sweep may have dropped it since
/// the list was read.
async fn looks_empty(db: &Database, part: &Part) -> Result<bool, StoreError> {
    let conn = db.get().await?;
    let there = conn.one("SELECT to_regclass($1) IS NOT NULL", &[&part.name()]).await?;
    if !there.get_as::<bool>(0)? {
        return Ok(false);
    }
    match is_empty(&conn, &part.name(), part.kind).await {
        // The partition went between the two questions. The next sweep finds any table that is missing for
        // good.
        Err(StoreError::Unavailable(reason)) => {
            tracing::debug!(partition = part.name(), reason, "a partition was not looked into");
            Ok(false)
        }
        found => found,
    }
}

/// Through the index, which forgets deleted rows before the table does.
async fn is_empty(conn: &Conn, name: &str, kind: Kind) -> Result<bool, StoreError> {
    let sql = format!("SELECT FROM {name} ORDER BY {} LIMIT 1", kind.order);
    Ok(conn.opt(&sql, &[]).await?.is_none())
}

/// Takes an empty partition out unless it is in use, or got a row meanwhile.
async fn take_empty(db: &Database, part: &Part) -> Result<bool, StoreError> {
    let tx = db.begin().await?;
    if !partitions::try_lock(&tx).await? {
        return Ok(false);
    }
    tx.batch(PATIENCE).await?;
    match swap(&tx, part, false).await {
        Ok(()) => {}
        Err(StoreError::Unavailable(_)) => return Ok(false),
        Err(error) => return Err(error),
    }
    if !is_empty(&tx, &gone(part), part.kind).await? {
        return Ok(false);
    }
    keep(&tx, part, &[]).await?;
    tx.commit().await?;
    tracing::info!(partition = part.name(), "an empty partition was dropped");
    Ok(true)
}

/// Drops detached tables, which gives the space back.
pub(super) async fn clear(db: &Database, kind: Kind) -> Result<(), StoreError> {
    let sql = "SELECT quote_ident(relname::text) FROM pg_class WHERE relkind = 'r' \
               AND relnamespace = quote_ident(current_schema())::regnamespace AND NOT relispartition \
               AND relname ~ ('^' || $1::text || '_-?[0-9]+_gone$')";
    let conn = db.get().await?;
    let names = conn.query(sql, &[&kind.table]).await?;
    for name in names.iter().map(|row| row.get_as::<String>(0)) {
        // Another node may have been first.
        conn.batch(&format!("DROP TABLE IF EXISTS {}", name?)).await?;
    }
    Ok(())
}
