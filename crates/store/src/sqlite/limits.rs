//! Turns of callers' quotas.

use async_trait::async_trait;
use hookyard_core::model::Level;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::rows::count;
use super::tx::Tx;
use super::{SqliteStore, failed};
use crate::{LimitStore, StoreError, Take, Taken, Turns};

/// Bytes that a bucket writes, roughly.
const BUCKET_BYTES: usize = 64;

#[async_trait]
impl LimitStore for SqliteStore {
    async fn take_turns(&self, takes: Vec<Take>, now: Timestamp) -> Result<Turns, StoreError> {
        let now = now.as_microsecond();
        let bytes = takes.len() * BUCKET_BYTES;
        let job = move |tx: &mut Tx<'_>| {
            let taken = takes.iter().map(|take| take_from(tx, take, now));
            // This process is the only node.
            Ok(Turns { taken: taken.collect::<Result<_, _>>()?, nodes: 1 })
        };
        self.writer.grouped(bytes, job).await
    }

    async fn forget_buckets(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let now = now.as_microsecond();
        let job = move |tx: &mut Tx<'_>| {
            let sql = "DELETE FROM limit_buckets WHERE key IN \
                       (SELECT key FROM limit_buckets WHERE empty_us <= ?1 LIMIT ?2)";
            let gone = tx.conn.execute(sql, params![now, count(limit)]).map_err(failed)?;
            Ok(gone as u64)
        };
        self.writer.alone(job).await
    }
}

fn take_from(tx: &Tx<'_>, take: &Take, now: i64) -> Result<Taken, StoreError> {
    let Take { key, quota, owed, wanted } = take;
    let sql = "SELECT empty_us FROM limit_buckets WHERE key = ?1";
    let mut sql = tx.conn.prepare_cached(sql).map_err(failed)?;
    let level = sql.query_row([key], |row| row.get(0)).optional().map_err(failed)?;
    let level = level.map_or_else(Level::default, Level);
    let (granted, level) = quota.grant(level, *owed, *wanted, now);
    let sql = "INSERT INTO limit_buckets (key, empty_us) VALUES (?1, ?2) \
               ON CONFLICT (key) DO UPDATE SET empty_us = excluded.empty_us";
    let mut sql = tx.conn.prepare_cached(sql).map_err(failed)?;
    sql.execute(params![key, level.0]).map_err(failed)?;
    Ok(Taken { granted, level })
}
