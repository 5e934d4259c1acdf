//! The logs of rejections, and the expiry of everything kept for inspection.

use std::collections::BTreeSet;
use std::sync::Arc;

use hookyard_core::entropy::Entropy;
use hookyard_core::id::{RejectionId, SourceId};
use hookyard_core::model::{
    Cause, LoggedRejection, NewRejection, RefusedRequest, Rejection, Source,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::{count, moment, signed, unsigned};
use super::tx::Tx;
use super::{deliveries, failed, landing};
use crate::vault::Vault;
use crate::{
    DELIVERIES_KEPT, Newest, REFUSED_KEPT, REJECTIONS_FOR, REJECTIONS_KEPT, StoreError, sealed,
};

/// Entries deleted in one transaction: some milliseconds of the writing thread.
const DELETED_AT_ONCE: i64 = 500;

/// Adds lines, and drops the surplus of the logs.
pub(super) fn log(
    tx: &mut Tx<'_>,
    vault: &Vault,
    entropy: &dyn Entropy,
    lines: Vec<LoggedRejection>,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO rejections (source_id, first_ms, last_ms, count, cause, detail, \
                  method, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let mut insert = tx.conn.prepare_cached(insert).map_err(failed)?;
    let mut sources = BTreeSet::new();
    for LoggedRejection { line, request } in lines {
        let row = params![
            line.source.0,
            line.first_at.as_millisecond(),
            line.last_at.as_millisecond(),
            signed(line.count),
            line.cause.as_str(),
            line.detail,
            line.method,
            line.address.map(|address| address.to_string()),
        ];
        insert.execute(row).map_err(failed)?;
        if let Some(request) = request {
            put_request(tx.conn, vault, entropy, tx.conn.last_insert_rowid(), &request)?;
        }
        sources.insert(line.source);
    }
    let delete = "DELETE FROM rejections WHERE source_id = ?1 AND id <= (SELECT id FROM rejections \
                  WHERE source_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    let forget = "UPDATE rejections SET request = NULL WHERE source_id = ?1 \
                  AND request IS NOT NULL AND id <= (SELECT id FROM rejections WHERE source_id = ?1 \
                  AND request IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?2)";
    let mut delete = tx.conn.prepare_cached(delete).map_err(failed)?;
    let mut forget = tx.conn.prepare_cached(forget).map_err(failed)?;
    for source in sources {
        delete.execute(params![source.0, signed(REJECTIONS_KEPT)]).map_err(failed)?;
        forget.execute(params![source.0, signed(REFUSED_KEPT)]).map_err(failed)?;
    }
    Ok(())
}

/// Keeps the first request of a line.
fn put_request(
    conn: &Connection,
    vault: &Vault,
    entropy: &dyn Entropy,
    id: i64,
    request: &RefusedRequest,
) -> Result<(), StoreError> {
    let text = request.to_secret().map_err(|error| StoreError::Internal(error.into()))?;
    let kept = vault.seal(entropy, &sealed::rejection(id), &text)?;
    let sql = "UPDATE rejections SET request = ?2 WHERE id = ?1";
    conn.execute(sql, params![id, kept]).map(drop).map_err(failed)
}

/// The columns for [`rejection`].
const COLUMNS: &str = "id, source_id, first_ms, last_ms, count, cause, detail, method, address, \
                       request IS NOT NULL";

/// A line of a source's log with the request.
pub(super) fn one(
    conn: &Connection,
    vault: &Vault,
    source: SourceId,
    id: RejectionId,
) -> Result<Option<(Rejection, Option<RefusedRequest>)>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, request FROM rejections WHERE id = ?1 AND source_id = ?2");
    let read = |row: &Row<'_>| Ok((rejection(row)?, row.get::<_, Option<Vec<u8>>>(10)?));
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let own = params![signed(id.0), source.0];
    let found = statement.query_row(own, read).optional().map_err(failed)?;
    let Some((line, kept)) = found else { return Ok(None) };
    let request = kept.map(|kept| {
        let text = vault.open(&sealed::rejection(signed(id.0)), &kept)?;
        RefusedRequest::from_secret(&text).map_err(|error| StoreError::Internal(error.into()))
    });
    Ok(Some((line, request.transpose()?)))
}

/// A page of a source's log.
pub(super) fn page(
    conn: &Connection,
    source: SourceId,
    page: Newest<RejectionId>,
) -> Result<Vec<Rejection>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rejections WHERE source_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let before = page.before.map_or(i64::MAX, |id| signed(id.0));
    let own = params![source.0, before, count(page.limit)];
    let rows = statement.query_map(own, rejection).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn rejection(row: &Row<'_>) -> rusqlite::Result<Rejection> {
    let cause: String = row.get(5)?;
    let address: Option<String> = row.get(8)?;
    let line = NewRejection {
        source: SourceId(row.get(1)?),
        first_at: moment(row.get(2)?),
        last_at: moment(row.get(3)?),
        count: unsigned(row, 4)?,
        // A migration that takes a cause off the list also rewrites the lines with the cause.
        cause: Cause::parse(&cause).ok_or(rusqlite::Error::InvalidQuery)?,
        detail: row.get(6)?,
        method: row.get(7)?,
        address: address.and_then(|text| text.parse().ok()),
    };
    Ok(Rejection { id: RejectionId(unsigned(row, 0)?), line, has_request: row.get(9)? })
}

/// Deletes a part of the overdue entries. Returns the number of entries.
pub(super) fn expire(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.state.repeats.sweep(tx.conn, now)?;
    let mut deleted = landing::forget(tx.conn, DELETED_AT_ONCE)?;
    for table in ["delivery_chunks", "rejections"] {
        let mut after = i32::MIN;
        while let Some(id) = next_source(tx.conn, table, after)? {
            let source = tx.memory.source(id);
            deleted += match table {
                "delivery_chunks" => expire_deliveries(tx.conn, id, source.as_ref(), now)?,
                _ => expire_rejections(tx.conn, id, source.as_ref(), now)?,
            };
            if deleted >= DELETED_AT_ONCE.cast_unsigned() {
                return Ok(deleted);
            }
            after = id.0;
        }
    }
    Ok(deleted)
}

/// The source with the next number that has entries in a table.
fn next_source(conn: &Connection, table: &str, after: i32) -> Result<Option<SourceId>, StoreError> {
    let sql = format!("SELECT min(source_id) FROM {table} WHERE source_id > ?1");
    let mut statement = conn.prepare_cached(&sql).map_err(failed)?;
    let next: Option<i32> = statement.query_row([after], |row| row.get(0)).map_err(failed)?;
    Ok(next.map(SourceId))
}

fn expire_deliveries(
    conn: &Connection,
    id: SourceId,
    source: Option<&Arc<Source>>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let age = source.map_or(0, |source| source.spec.options.inspection_seconds);
    let by_age = cutoff(now, SignedDuration::from_secs(age.into()));
    deliveries::expire(conn, id, by_age, DELIVERIES_KEPT, DELETED_AT_ONCE)
}

fn expire_rejections(
    conn: &Connection,
    id: SourceId,
    source: Option<&Arc<Source>>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let until = source.map_or(i64::MAX, |_| cutoff(now, REJECTIONS_FOR));
    // Refused requests, kept for the doctor, stay as long as deliveries kept for inspection.
    let age = source.map_or(0, |source| source.spec.options.inspection_seconds);
    let forget = "UPDATE rejections SET request = NULL WHERE source_id = ?1 \
                  AND request IS NOT NULL AND last_ms <= ?2";
    let by_age = cutoff(now, SignedDuration::from_secs(age.into()));
    let mut forget = conn.prepare_cached(forget).map_err(failed)?;
    forget.execute(params![id.0, by_age]).map_err(failed)?;
    // A log is short, so a scan is cheap.
    let sql = "DELETE FROM rejections WHERE id IN (SELECT id FROM rejections \
               WHERE source_id = ?1 AND last_ms <= ?2 ORDER BY id LIMIT ?3)";
    delete(conn, sql, id, until)
}

fn delete(conn: &Connection, sql: &str, id: SourceId, until: i64) -> Result<u64, StoreError> {
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    let deleted = delete.execute(params![id.0, until, DELETED_AT_ONCE]).map_err(failed)?;
    Ok(deleted as u64)
}

fn cutoff(now: Timestamp, age: SignedDuration) -> i64 {
    now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
}
