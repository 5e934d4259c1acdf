//! Deleting old data: partition by partition where all of a partition may go, and row by row elsewhere.
//!
//! Rows go in slices, each slice in a separate transaction. One statement both asks whether an event may go
//! and deletes the event. So an event that moves from a queue to the dead letters is never seen in neither. A
//! closed partition that is a small part of the kept data waits until the whole partition may go ([`LAZY`]):
//! then the rows are never touched, and the space comes back at once.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::columns::{Columns, signed};
use super::database::Conn;
use super::discard::{self, Discarded};
use super::partitions::{self, ATTEMPTS, JOURNAL, Kind, Part};
use super::weights::{JOURNAL_WEIGHT, pinned};
use super::{PostgresStore, attempts, audit, dead_letters, journal_rows, replays, span};
use crate::retention::ROW_OVERHEAD;
use crate::{Expired, Expiry, Keep, Retention, RetentionStore, StoreError, Surplus, SurplusAge};

/// Numbers that a slice examines, and rows that a slice deletes: some milliseconds.
const SLICE: i64 = 1_000;

/// A partition waits until the whole partition may go when the partition is no more than this part of the
/// time or the bytes to keep. So no more than this part is kept beyond either limit. A partition is about a
/// 32nd.
const LAZY: u8 = 8;

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn expiry(&self, keep: Retention, now: Timestamp) -> Result<Expiry, StoreError> {
        let Retention { journal, attempts, dead_letters, audit } = keep;
        let conn = self.db.get().await?;
        let dead_letters = surplus_age(&conn, "dead_letters", dead_letters, now).await?;
        let audit = surplus_age(&conn, "audit", audit, now).await?;
        let awaited = replays::first_awaited(&conn).await?.unwrap_or(u64::MAX);
        let next = journal_rows::newest(&conn).await? + 1;
        Ok(Expiry {
            journal: surplus(&conn, JOURNAL, journal, awaited.min(next), now).await?,
            attempts: surplus(&conn, ATTEMPTS, attempts, u64::MAX, now).await?,
            dead_letters,
            audit,
        })
    }

    async fn expire(&self, expiry: Expiry) -> Result<Expired, StoreError> {
        let mut rest = expiry;
        let mut expired = Expired::default();
        if rest.dead_letters != SurplusAge::default() {
            // First, so that the events pinned by these rows go in the same sweep.
            let tx = self.db.begin().await?;
            expired.dead_letters =
                dead_letters::drop_surplus(&tx, &mut rest.dead_letters, SLICE.unsigned_abs())
                    .await?;
            tx.commit().await?;
        } else if rest.audit != SurplusAge::default() {
            let tx = self.db.begin().await?;
            expired.audit =
                audit::delete_surplus(&tx, &mut rest.audit, SLICE.unsigned_abs()).await?;
            tx.commit().await?;
        } else if let Some(events) = self.shrink(JOURNAL, &mut rest.journal).await? {
            expired.events = events;
        } else if let Some(attempts) = self.shrink(ATTEMPTS, &mut rest.attempts).await? {
            expired.attempts = attempts;
        } else {
            for kind in partitions::KINDS {
                discard::empty(&self.db, kind).await?;
                discard::clear(&self.db, kind).await?;
            }
            return Ok(expired);
        }
        expired.rest = Some(rest);
        Ok(expired)
    }
}

impl PostgresStore {
    /// Deletes the next partition, or the next slice of rows; how many rows. `None` when nothing more
    /// may go.
    async fn shrink(&self, kind: Kind, surplus: &mut Surplus) -> Result<Option<u64>, StoreError> {
        let conn = self.db.get().await?;
        let Some((start, end)) = window(&conn, kind, surplus).await? else { return Ok(None) };
        let parts = partitions::list(&conn, kind).await?;
        drop(conn);
        let part = parts.into_iter().find(|part| part.first <= start && start < part.until);
        let part = part.ok_or_else(|| StoreError::internal("a partition is not in the list"))?;
        if part.until <= end && goes_whole(&part, surplus) {
            match discard::discard(&self.db, &part).await? {
                Discarded::Gone { items, bytes } => {
                    surplus.bytes = surplus.bytes.saturating_sub(bytes);
                    surplus.from = part.until.cast_unsigned();
                    return Ok(Some(items));
                }
                Discarded::InUse => {
                    // Newer records must not go before this partition.
                    finish(surplus);
                    return Ok(Some(0));
                }
                Discarded::Pinned => {}
            }
        }
        let tx = self.db.begin().await?;
        if kind == JOURNAL {
            // The lock keeps others from queueing events that were not checked for pins.
            journal_rows::lock(&tx).await?;
        }
        let deleted = delete(&tx, &part, surplus, start, end.min(part.until)).await?;
        tx.commit().await?;
        Ok(Some(deleted))
    }
}

/// Whether all of a partition may go.
fn goes_whole(part: &Part, surplus: &Surplus) -> bool {
    let old = part.until <= signed(surplus.below);
    part.closed && part.items > 0 && (old || (surplus.bytes > 0 && part.bytes <= surplus.bytes))
}

/// Nothing more is to go.
fn finish(surplus: &mut Surplus) {
    surplus.bytes = 0;
    surplus.from = surplus.limit;
}

async fn surplus(
    conn: &Conn,
    kind: Kind,
    keep: Keep,
    limit: u64,
    now: Timestamp,
) -> Result<Surplus, StoreError> {
    if keep == Keep::default() {
        return Ok(Surplus { limit, ..Surplus::default() });
    }
    let parts = partitions::list(conn, kind).await?;
    let below = match keep.age.and_then(|age| Some((age, now.checked_sub(age).ok()?))) {
        Some((age, oldest)) => below(conn, &parts, kind, age, oldest).await?,
        None => 0,
    };
    let bytes = keep.bytes.map_or(0, |most| bytes_to_go(&parts, most));
    Ok(Surplus { from: 0, below, bytes, limit })
}

/// The lowest key that is not too old, or an earlier partition's border when the partition is soon old enough
/// to go whole.
async fn below(
    conn: &Conn,
    parts: &[Part],
    kind: Kind,
    age: SignedDuration,
    oldest: Timestamp,
) -> Result<u64, StoreError> {
    let below = match kind == JOURNAL {
        true => {
            let below = span::first_since(conn, span::JOURNAL, oldest).await?;
            // The first remaining row: all rows before are gone already.
            let next = conn.opt(span::JOURNAL.row, &[&signed(below)]).await?;
            next.map_or(Ok(below), |row| row.unsigned(0))?
        }
        false => oldest.as_millisecond().max(0).cast_unsigned(),
    };
    let within = |part: &&Part| part.first < signed(below) && signed(below) < part.until;
    let Some(part) = parts.iter().find(within).filter(|part| part.closed) else {
        return Ok(below);
    };
    let millis = match kind == JOURNAL {
        true => span::lasted(conn, part.first, part.until).await?,
        false => part.until - part.first,
    };
    let lazy = SignedDuration::from_millis(millis) <= age / i32::from(LAZY);
    Ok(if lazy { part.first.max(0).cast_unsigned() } else { below })
}

/// The bytes to go, or the bytes of whole partitions where the next partition is soon to go, too.
fn bytes_to_go(parts: &[Part], most: u64) -> u64 {
    let bytes = parts.iter().map(|part| part.bytes).sum::<u64>().saturating_sub(most);
    let mut whole = 0;
    for part in parts {
        if whole + part.bytes > bytes {
            let lazy = part.closed && part.bytes <= most / u64::from(LAZY);
            return if lazy { whole } else { bytes };
        }
        whole += part.bytes;
    }
    bytes
}

/// For a table in the order of time, small enough to be added up now and then.
async fn surplus_age(
    conn: &Conn,
    table: &str,
    keep: Keep,
    now: Timestamp,
) -> Result<SurplusAge, StoreError> {
    let before = keep.age.and_then(|age| now.checked_sub(age).ok());
    let bytes = match keep.bytes {
        Some(most) => {
            let sql = format!("SELECT coalesce(sum(bytes), 0)::int8 FROM {table}");
            conn.one(&sql, &[]).await?.unsigned(0)?.saturating_sub(most)
        }
        None => 0,
    };
    Ok(SurplusAge { before, bytes })
}

/// The keys that may go: the lowest, and the end, exclusive; `None` when nothing more may go.
async fn window(
    tx: &Conn,
    kind: Kind,
    surplus: &Surplus,
) -> Result<Option<(i64, i64)>, StoreError> {
    let end = if surplus.bytes > 0 { surplus.limit } else { surplus.below.min(surplus.limit) };
    if surplus.from >= end {
        return Ok(None);
    }
    let Kind { table, key, order, .. } = kind;
    let sql = format!(
        "SELECT {key} FROM {table} WHERE {key} >= $1 AND {order} >= $1 ORDER BY {order} LIMIT 1"
    );
    let Some(lowest) = tx.opt(&sql, &[&signed(surplus.from)]).await? else { return Ok(None) };
    let (lowest, end) = (lowest.get_as(0)?, signed(end));
    Ok((lowest < end).then_some((lowest, end)))
}

/// Deletes a slice of the expendable rows of a partition. Returns the number of rows.
async fn delete(
    tx: &Conn,
    part: &Part,
    surplus: &mut Surplus,
    start: i64,
    until: i64,
) -> Result<u64, StoreError> {
    let Kind { id, table, key, order, .. } = part.kind;
    // Of events, pinned events are asked for, so the range is bounded, too.
    let (number, weight, owner, pinned, until) = match part.kind == JOURNAL {
        true => (
            "seq",
            JOURNAL_WEIGHT,
            "workspace_id",
            pinned(),
            until.min(start.saturating_add(SLICE)),
        ),
        false => {
            let none = "SELECT NULL::int8 AS seq WHERE false".to_owned();
            ("id", attempts::WEIGHT, "NULL::int4", none, until)
        }
    };
    // A row goes when old enough, or while the earlier rows to go have less than the bytes to free.
    let sql = format!(
        "WITH pinned AS MATERIALIZED ({pinned}), sized AS MATERIALIZED ( \
           SELECT {key} AS key, {number} AS number, ({weight} + $5::int8) AS weight, \
           {owner} AS owner FROM {table} \
           WHERE {key} >= $1::int8 AND {key} < $2::int8 AND {order} >= $1 AND {order} < $2 \
           AND {key} NOT IN (SELECT seq FROM pinned) ORDER BY {order}, {number} LIMIT $8::int8 \
         ), summed AS MATERIALIZED ( \
           SELECT key, number, weight, owner, coalesce(sum(weight) OVER (ORDER BY key, number \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM sized \
         ), gone AS ( \
           DELETE FROM {table} t USING summed s WHERE t.{order} = s.key AND t.{number} = s.number \
           AND t.{key} >= $1 AND t.{key} < $2 AND (s.key < $3::int8 OR s.before < $4::int8) \
           RETURNING s.weight, s.owner \
         ), weighed AS ( \
           UPDATE retained SET items = items - (SELECT count(*) FROM gone), \
           bytes = bytes - coalesce((SELECT sum(weight) FROM gone), 0) \
           WHERE kind = $6::int4 AND first = $7::int8 AND slot = 0 \
         ), shared AS ( \
           UPDATE journal_shares s SET bytes = greatest(s.bytes - g.bytes, 0), \
           items = greatest(s.items - g.items, 0) \
           FROM (SELECT owner, sum(weight)::int8 AS bytes, count(*) AS items FROM gone \
             GROUP BY owner) g WHERE s.workspace_id = g.owner AND s.first = $7 \
         ) SELECT (SELECT count(*) FROM gone), \
           coalesce((SELECT sum(weight) FROM gone), 0)::int8, (SELECT count(*) FROM sized), \
           (SELECT max(key) FROM sized)"
    );
    let (below, bytes) = (signed(surplus.below), signed(surplus.bytes));
    let overhead = signed(ROW_OVERHEAD);
    let values: [super::columns::Param<'_>; 8] =
        [&start, &until, &below, &bytes, &overhead, &id, &part.first, &SLICE];
    let row = tx.one(&sql, &values).await?;
    let (deleted, freed, sized) = (row.unsigned(0)?, row.unsigned(1)?, row.unsigned(2)?);
    surplus.bytes = surplus.bytes.saturating_sub(freed);
    surplus.from = match row.get_as::<Option<i64>>(3)? {
        // Others of the same moment may be left.
        Some(last) if sized == SLICE.unsigned_abs() => last.max(0).cast_unsigned(),
        _ => until.max(0).cast_unsigned(),
    };
    if deleted < sized {
        // The first remaining partition and all later partitions are young enough, and enough bytes have
        // gone.
        finish(surplus);
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: &[u64]) -> Vec<Part> {
        let part = |(place, bytes): (i64, &u64)| Part {
            kind: JOURNAL,
            first: place,
            until: place + 1,
            closed: true,
            bytes: *bytes,
            items: 1,
        };
        (0..).zip(bytes).map(part).collect()
    }

    #[test]
    fn small_partitions_go_whole() {
        assert_eq!(bytes_to_go(&parts(&[10; 20]), 195), 0);
        assert_eq!(bytes_to_go(&parts(&[10; 20]), 190), 10);
        assert_eq!(bytes_to_go(&parts(&[10; 20]), 175), 20);
        assert_eq!(bytes_to_go(&parts(&[10; 20]), 500), 0);
        assert_eq!(bytes_to_go(&parts(&[10; 20]), 0), 200);
        // A large one goes row by row, and so does the one that is still written.
        assert_eq!(bytes_to_go(&parts(&[50, 10, 10]), 65), 5);
        let mut parts = parts(&[10; 20]);
        parts[0].closed = false;
        assert_eq!(bytes_to_go(&parts, 195), 5);
    }
}
