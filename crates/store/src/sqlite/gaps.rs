//! When endpoints were disabled, as ranges of journal numbers.

use hookyard_core::id::EndpointId;
use rusqlite::{Connection, params};

use super::failed;
use super::rows::{signed, unsigned};
use super::tx::Tx;
use crate::StoreError;
use crate::gaps::{GAPS_MAX, Gap};

/// Notes that an endpoint is disabled from the next event on, or enabled again.
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

/// Prolongs the last range of an enabled endpoint: the events from `first` up to `next` were matched before
/// the endpoint was enabled.
pub(super) fn prolong(
    tx: &Tx<'_>,
    endpoint: EndpointId,
    first: u64,
    next: u64,
) -> Result<(), StoreError> {
    let sql = "UPDATE endpoint_gaps SET until_seq = ?2 WHERE endpoint_id = ?1 AND until_seq < ?2 \
               AND first_seq = (SELECT max(first_seq) FROM endpoint_gaps WHERE endpoint_id = ?1)";
    let row = params![endpoint.0, signed(next)];
    let prolonged = tx.conn.prepare_cached(sql).and_then(|mut update| update.execute(row));
    if prolonged.map_err(failed)? > 0 {
        return Ok(());
    }
    // The range was recovered already.
    let sql = "INSERT OR REPLACE INTO endpoint_gaps (endpoint_id, first_seq, until_seq) \
               VALUES (?1, ?2, ?3)";
    tx.conn.execute(sql, params![endpoint.0, signed(first), signed(next)]).map_err(failed)?;
    Ok(())
}

/// The ranges of an enabled endpoint, oldest first.
pub(super) fn closed(conn: &Connection, endpoint: EndpointId) -> Result<Vec<Gap>, StoreError> {
    let sql = "SELECT first_seq, until_seq FROM endpoint_gaps WHERE endpoint_id = ?1 \
               AND until_seq IS NOT NULL ORDER BY first_seq";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    let rows = statement
        .query_map([endpoint.0], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
        .map_err(failed)?;
    let rows: Vec<(u64, u64)> = rows.collect::<Result<_, _>>().map_err(failed)?;
    Ok(crate::gaps::closed(&rows))
}

/// Forgets a range, or only the examined part of a range prolonged meanwhile. Returns whether the range was
/// there.
pub(super) fn forget(
    conn: &Connection,
    endpoint: EndpointId,
    gap: Gap,
) -> Result<bool, StoreError> {
    let row = params![endpoint.0, signed(gap.first), signed(gap.until)];
    let whole = "DELETE FROM endpoint_gaps WHERE endpoint_id = ?1 AND first_seq = ?2 \
                 AND until_seq = ?3";
    let begun = "UPDATE endpoint_gaps SET first_seq = ?3 WHERE endpoint_id = ?1 AND first_seq = ?2 \
                 AND until_seq > ?3";
    let forgot = conn.execute(whole, row).map_err(failed)?;
    Ok(forgot > 0 || conn.execute(begun, row).map_err(failed)? > 0)
}
