//! When endpoints were disabled, as ranges of journal numbers.

use hookyard_core::id::EndpointId;

use super::columns::{Columns, signed};
use super::database::Conn;
use super::journal;
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
pub(super) async fn note(
    tx: &Conn,
    endpoint: EndpointId,
    was_disabled: bool,
    is_disabled: bool,
) -> Result<(), StoreError> {
    if was_disabled == is_disabled {
        return Ok(());
    }
    // The number of the next event is known only while nobody appends.
    journal::lock(tx).await?;
    if was_disabled {
        let sql = "UPDATE endpoint_gaps SET until_seq = (SELECT seq + 1 FROM sequencer) \
                   WHERE endpoint_id = $1 AND until_seq IS NULL";
        tx.execute(sql, &[&endpoint.0]).await?;
        return Ok(());
    }
    let known = "SELECT count(*) FROM endpoint_gaps WHERE endpoint_id = $1";
    let known: i64 = tx.one(known, &[&endpoint.0]).await?.get_as(0)?;
    let sql = match known < GAPS_MAX {
        true => {
            "INSERT INTO endpoint_gaps (endpoint_id, first_seq) SELECT $1, seq + 1 FROM sequencer \
             ON CONFLICT (endpoint_id, first_seq) DO UPDATE SET until_seq = NULL"
        }
        false => {
            "UPDATE endpoint_gaps SET until_seq = NULL WHERE endpoint_id = $1 AND first_seq = \
             (SELECT max(first_seq) FROM endpoint_gaps WHERE endpoint_id = $1)"
        }
    };
    tx.execute(sql, &[&endpoint.0]).await?;
    Ok(())
}

/// The ranges of an endpoint that is enabled, oldest first, none overlapping another.
pub(super) async fn closed(
    conn: &Conn,
    endpoint: EndpointId,
    newest: u64,
) -> Result<Vec<Gap>, StoreError> {
    let sql = "SELECT first_seq, until_seq FROM endpoint_gaps WHERE endpoint_id = $1 \
               AND until_seq IS NOT NULL ORDER BY first_seq";
    let rows = conn.query(sql, &[&endpoint.0]).await?;
    let rows = rows.iter().map(|row| Ok((row.unsigned(0)?, row.unsigned(1)?)));
    let rows: Vec<(u64, u64)> = rows.collect::<Result<_, StoreError>>()?;
    let next = rows.iter().skip(1).map(|(first, _)| *first).chain([u64::MAX]);
    let gap = |((first, until), next): (&(u64, u64), u64)| {
        let last = (until.saturating_sub(1) + GRACE).min(next - 1).min(newest);
        Gap { first: *first, last }
    };
    Ok(rows.iter().zip(next).map(gap).collect())
}

/// Forgets a range; whether it was there.
pub(super) async fn forget(tx: &Conn, endpoint: EndpointId, gap: Gap) -> Result<bool, StoreError> {
    let sql = "DELETE FROM endpoint_gaps WHERE endpoint_id = $1 AND first_seq = $2 \
               AND until_seq IS NOT NULL";
    Ok(tx.execute(sql, &[&endpoint.0, &signed(gap.first)]).await? > 0)
}
