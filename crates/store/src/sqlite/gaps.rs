//! When endpoints were disabled, as ranges of journal numbers.

use hookyard_core::id::EndpointId;
use rusqlite::{Connection, params};

use super::failed;
use super::rows::{signed, unsigned};
use super::writer::Tx;
use crate::StoreError;

/// Ranges kept for one endpoint. When it was disabled more often, the last two become one: a recovery
/// then looks at more events, and still queues only those that were missed.
const GAPS_MAX: i64 = 100;

/// How many numbers a range goes on after the endpoint was enabled: what was matched just before that
/// may be committed just after it. The most events of one call are this many.
const GRACE: u64 = 10_000;

/// A range of events that an endpoint was disabled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// The first number.
    pub(super) first: u64,
    /// The last number that is to be looked at.
    pub(super) last: u64,
}

/// Notes that an endpoint is disabled from the next event on, or is not any more.
pub(super) fn note(
    tx: &Tx<'_>,
    endpoint: EndpointId,
    was_disabled: bool,
    is_disabled: bool,
) -> Result<(), StoreError> {
    let sql = match (was_disabled, is_disabled) {
        (false, true) => return open(tx, endpoint),
        (true, false) => {
            "UPDATE endpoint_gaps SET until_seq = ?2 WHERE endpoint_id = ?1 AND until_seq IS NULL"
        }
        (true, true) | (false, false) => return Ok(()),
    };
    tx.conn.execute(sql, params![endpoint.0, signed(tx.state.ids.seq)]).map_err(failed)?;
    Ok(())
}

fn open(tx: &Tx<'_>, endpoint: EndpointId) -> Result<(), StoreError> {
    let known = "SELECT count(*) FROM endpoint_gaps WHERE endpoint_id = ?1";
    let known: i64 = tx.conn.query_row(known, [endpoint.0], |row| row.get(0)).map_err(failed)?;
    if known < GAPS_MAX {
        let sql = "INSERT OR REPLACE INTO endpoint_gaps (endpoint_id, first_seq) VALUES (?1, ?2)";
        tx.conn.execute(sql, params![endpoint.0, signed(tx.state.ids.seq)]).map_err(failed)?;
        return Ok(());
    }
    let sql = "UPDATE endpoint_gaps SET until_seq = NULL WHERE endpoint_id = ?1 AND first_seq = \
               (SELECT max(first_seq) FROM endpoint_gaps WHERE endpoint_id = ?1)";
    tx.conn.execute(sql, [endpoint.0]).map_err(failed)?;
    Ok(())
}

/// The ranges of an endpoint that is enabled, oldest first, none overlapping another.
pub(super) fn closed(
    conn: &Connection,
    endpoint: EndpointId,
    newest: u64,
) -> Result<Vec<Gap>, StoreError> {
    let sql = "SELECT first_seq, until_seq FROM endpoint_gaps WHERE endpoint_id = ?1 \
               AND until_seq IS NOT NULL ORDER BY first_seq";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map([endpoint.0], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
        .map_err(failed)?;
    let rows: Vec<(u64, u64)> = rows.collect::<Result<_, _>>().map_err(failed)?;
    let next = rows.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
    let gap = |((first, until), next): (&(u64, u64), u64)| {
        let last = (until.saturating_sub(1) + GRACE).min(next - 1).min(newest);
        Gap { first: *first, last }
    };
    Ok(rows.iter().zip(next).map(gap).collect())
}

/// Forgets a range; whether it was there.
pub(super) fn forget(
    conn: &Connection,
    endpoint: EndpointId,
    gap: Gap,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM endpoint_gaps WHERE endpoint_id = ?1 AND first_seq = ?2 \
               AND until_seq IS NOT NULL";
    let deleted = conn.execute(sql, params![endpoint.0, signed(gap.first)]).map_err(failed)?;
    Ok(deleted > 0)
}
