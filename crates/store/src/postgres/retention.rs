//! Deleting what is old, in slices.
//!
//! A slice is a transaction of its own. Whether an event may go is asked and acted upon in one
//! statement, so there is no moment at which an event that moves from a queue to the dead letters is
//! in neither. Partitions of which nothing is left are dropped, which gives their space back at once.

use async_trait::async_trait;
use jiff::Timestamp;

use super::columns::{Columns, signed};
use super::database::Conn;
use super::span::{self, Timeline};
use super::{PostgresStore, attempts, audit, dead_letters, journal, partitions, replays};
use crate::{Expired, Expiry, Keep, Retention, RetentionStore, StoreError, Surplus, SurplusAge};

/// Numbers that one slice looks at: some milliseconds.
const SLICE: u64 = 1_000;

/// Bytes that a row takes beyond its texts, with its share of the indexes, roughly.
pub(super) const ROW_OVERHEAD: u64 = 64;

/// How many numbers the events of a chunk of live events span at most; the index `queue_chunks_wide`
/// has the others.
const CHUNK_SPAN: i64 = 16_384;

/// What is deleted by age and size.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Its rows in `retained`.
    id: i32,
    table: &'static str,
    number: &'static str,
    weight: &'static str,
    timeline: Timeline,
}

const JOURNAL: Kind = Kind {
    id: 0,
    table: "journal",
    number: "seq",
    weight: "octet_length(event_id) + octet_length(source) + octet_length(attributes) \
             + octet_length(object)",
    timeline: span::JOURNAL,
};

const ATTEMPTS: Kind = Kind {
    id: 1,
    table: "attempts",
    number: "id",
    weight: attempts::WEIGHT,
    timeline: Timeline {
        ends: "SELECT min(id), max(id) FROM attempts",
        row: "SELECT id, started_ms FROM attempts WHERE id >= $1 ORDER BY id LIMIT 1",
    },
};

/// Statements that weigh all rows anew, for those that did not come one by one.
pub(super) fn weigh_again() -> [String; 2] {
    [JOURNAL, ATTEMPTS].map(|Kind { id, table, weight, .. }| {
        format!(
            "UPDATE retained SET bytes = CASE slot WHEN 0 THEN (SELECT \
             coalesce(sum({weight} + {ROW_OVERHEAD}), 0) FROM {table}) ELSE 0 END WHERE kind = {id}"
        )
    })
}

#[async_trait]
impl RetentionStore for PostgresStore {
    async fn expiry(&self, keep: Retention, now: Timestamp) -> Result<Expiry, StoreError> {
        let Retention { journal, attempts, dead_letters, audit } = keep;
        let conn = self.db.get().await?;
        let dead_letters = surplus_age(&conn, "dead_letters", dead_letters, now).await?;
        let audit = surplus_age(&conn, "audit", audit, now).await?;
        let awaited = replays::first_awaited(&conn).await?.unwrap_or(u64::MAX);
        let next = journal::newest(&conn).await? + 1;
        Ok(Expiry {
            journal: surplus(&conn, JOURNAL, journal, awaited.min(next), now).await?,
            attempts: surplus(&conn, ATTEMPTS, attempts, u64::MAX, now).await?,
            dead_letters,
            audit,
        })
    }

    async fn expire(&self, expiry: Expiry) -> Result<Expired, StoreError> {
        let tx = self.db.begin().await?;
        let mut rest = expiry;
        let mut expired = Expired::default();
        if rest.dead_letters != SurplusAge::default() {
            // First, so that what they pinned goes in the same sweep.
            expired.dead_letters =
                dead_letters::drop_surplus(&tx, &mut rest.dead_letters, SLICE).await?;
        } else if rest.audit != SurplusAge::default() {
            expired.audit = audit::delete_surplus(&tx, &mut rest.audit, SLICE).await?;
        } else if let Some(window) = window(&tx, JOURNAL, &rest.journal).await? {
            // Nothing is queued meanwhile that was not asked about.
            journal::lock(&tx).await?;
            expired.events = delete(&tx, JOURNAL, &mut rest.journal, window).await?;
        } else if let Some(window) = window(&tx, ATTEMPTS, &rest.attempts).await? {
            expired.attempts = delete(&tx, ATTEMPTS, &mut rest.attempts, window).await?;
        } else {
            tx.commit().await?;
            partitions::drop_empty(&self.db.get().await?).await?;
            return Ok(expired);
        }
        tx.commit().await?;
        expired.rest = Some(rest);
        Ok(expired)
    }
}

async fn surplus(
    conn: &Conn,
    kind: Kind,
    keep: Keep,
    limit: u64,
    now: Timestamp,
) -> Result<Surplus, StoreError> {
    let below = match keep.age.and_then(|age| now.checked_sub(age).ok()) {
        Some(oldest) => span::first_since(conn, kind.timeline, oldest).await?,
        None => 0,
    };
    let bytes = match keep.bytes {
        Some(most) => {
            let sql = "SELECT sum(bytes)::int8 FROM retained WHERE kind = $1";
            conn.one(sql, &[&kind.id]).await?.unsigned(0)?.saturating_sub(most)
        }
        None => 0,
    };
    Ok(Surplus { from: 0, below, bytes, limit })
}

/// Of a table that is kept in the order of time. It is small enough to be added up now and then.
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

/// The next numbers to look at: the first, and the one after the last; `None` when nothing more may
/// go.
async fn window(
    tx: &Conn,
    kind: Kind,
    surplus: &Surplus,
) -> Result<Option<(i64, i64)>, StoreError> {
    let end = if surplus.bytes > 0 { surplus.limit } else { surplus.below.min(surplus.limit) };
    if surplus.from >= end {
        return Ok(None);
    }
    let Kind { table, number, .. } = kind;
    let sql =
        format!("SELECT {number} FROM {table} WHERE {number} >= $1 ORDER BY {number} LIMIT 1");
    let Some(lowest) = tx.opt(&sql, &[&signed(surplus.from)]).await? else { return Ok(None) };
    let lowest = lowest.unsigned(0)?;
    Ok((lowest < end).then(|| (signed(lowest), signed(end.min(lowest + SLICE)))))
}

/// Deletes what may go of a window; how many rows.
async fn delete(
    tx: &Conn,
    kind: Kind,
    surplus: &mut Surplus,
    (start, end): (i64, i64),
) -> Result<u64, StoreError> {
    let Kind { id, table, number, weight, .. } = kind;
    let pinned = match id == JOURNAL.id {
        true => format!(
            "SELECT seq FROM dead_letters WHERE seq >= $1 AND seq < $2 UNION ALL \
             SELECT seq FROM (SELECT endpoint_id, first, seqs FROM queue_chunks \
               WHERE lowest > $1 - {CHUNK_SPAN} AND lowest < $2 AND highest >= $1 \
               AND highest - lowest < {CHUNK_SPAN} \
               UNION ALL SELECT endpoint_id, first, seqs FROM queue_chunks \
               WHERE highest - lowest >= {CHUNK_SPAN} AND lowest < $2 AND highest >= $1) c \
             JOIN queues q ON q.endpoint_id = c.endpoint_id CROSS JOIN LATERAL \
             unnest(c.seqs[greatest(q.cursor - c.first, 0)::int + 1 : ]) seq \
             WHERE seq >= $1 AND seq < $2"
        ),
        false => "SELECT NULL::int8 AS seq WHERE false".to_owned(),
    };
    // A row goes when it is old enough, or while the rows before it that go have less than the bytes
    // that are to go.
    let sql = format!(
        "WITH pinned AS MATERIALIZED ({pinned}), sized AS MATERIALIZED ( \
           SELECT {number} AS number, ({weight} + $5::int8) AS weight FROM {table} \
           WHERE {number} >= $1::int8 AND {number} < $2::int8 AND {number} NOT IN (SELECT seq FROM pinned) \
         ), summed AS MATERIALIZED ( \
           SELECT number, weight, coalesce(sum(weight) OVER (ORDER BY number \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM sized \
         ), gone AS ( \
           DELETE FROM {table} USING summed WHERE {number} = number AND {number} >= $1 \
           AND {number} < $2 AND (number < $3::int8 OR before < $4::int8) RETURNING weight \
         ), weighed AS ( \
           UPDATE retained SET bytes = bytes - coalesce((SELECT sum(weight) FROM gone), 0) \
           WHERE kind = $6::int4 AND slot = 0 \
         ) SELECT (SELECT count(*) FROM gone), \
           coalesce((SELECT sum(weight) FROM gone), 0)::int8, (SELECT count(*) FROM sized)"
    );
    let (below, bytes) = (signed(surplus.below), signed(surplus.bytes));
    let row = tx.one(&sql, &[&start, &end, &below, &bytes, &signed(ROW_OVERHEAD), &id]).await?;
    let (deleted, freed, sized) = (row.unsigned(0)?, row.unsigned(1)?, row.unsigned(2)?);
    surplus.bytes = surplus.bytes.saturating_sub(freed);
    surplus.from = end.cast_unsigned();
    if deleted < sized {
        // The first that stays and all that follow are young enough, and enough bytes have gone.
        surplus.bytes = 0;
        surplus.from = surplus.limit;
    }
    Ok(deleted)
}
