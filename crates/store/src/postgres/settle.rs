//! Recording attempts.

use async_trait::async_trait;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{NewAttempt, QueueState};
use jiff::Timestamp;
use std::sync::Arc;
use tokio_postgres::Row;

use super::attempts::Rows;
use super::batches::Work;
use super::columns::{Columns, signed, small};
use super::database::{Conn, Database};
use super::journal::CHUNK_ENTRIES;
use super::queue::{STATE, state};
use super::retention::ROW_OVERHEAD;
use super::{BATCH_MAX, PostgresStore, dead_letters};
use crate::{Lease, Ready, StoreError};

/// How many rows the sum of the attempts' bytes is spread over (see the table `retained`).
const SLOTS: i64 = 16;

/// An attempt under a lease.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) lease: Lease,
    pub(super) attempt: NewAttempt,
}

/// Settles.
#[derive(Debug)]
pub(super) struct Settling {
    pub(super) node: i64,
    pub(super) replays: Arc<Ready>,
}

#[async_trait]
impl Work for Settling {
    type Job = Settlement;
    type Answer = QueueState;

    fn bytes(job: &Settlement) -> usize {
        job.attempt.outcome.response.as_ref().map_or(0, String::len)
    }

    /// A row can be changed once in a statement.
    fn mark(job: &Settlement) -> Option<i32> {
        Some(job.lease.endpoint.0)
    }

    async fn run(
        &self,
        database: &Database,
        jobs: Vec<Settlement>,
    ) -> Result<Vec<Result<QueueState, StoreError>>, StoreError> {
        let conn = database.get().await?.within(BATCH_MAX);
        let mut answers: Vec<_> = jobs.iter().map(|_| Err(StoreError::LeaseLost)).collect();
        for row in settle(&conn, self.node, &jobs).await? {
            let place = usize::try_from(row.get_as::<i64>(0)? - 1).unwrap_or(usize::MAX);
            if row.get_as(1)? {
                self.replays.mark([jobs[place].lease.endpoint]);
            }
            answers[place] = state(&row, 2);
        }
        Ok(answers)
    }
}

/// Settles jobs of different endpoints. A row for each whose lease holds: its place, whether a slice
/// of a replay is delivered with it, and the queue's state.
async fn settle(conn: &Conn, node: i64, jobs: &[Settlement]) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "WITH input AS MATERIALIZED (
            SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int4[], $5::int4[],
                                 $6::int8[], $7::int8[]) WITH ORDINALITY
                AS t (endpoint_id, epoch, advance, failures, refusals, retry_ms, started_ms, n)
        ), moved AS (
            UPDATE queues q SET
                cursor = least(q.cursor + i.advance, greatest(q.cursor, (
                    SELECT c.first + cardinality(c.seqs) FROM queue_chunks c
                    WHERE c.endpoint_id = q.endpoint_id ORDER BY c.first DESC LIMIT 1))),
                failures = i.failures,
                refusals = CASE WHEN i.failures = 0 THEN 0 ELSE i.refusals END,
                retry_ms = CASE WHEN i.failures = 0 THEN NULL ELSE i.retry_ms END,
                since_ms = CASE WHEN i.failures > 0 THEN coalesce(q.since_ms, i.started_ms) END
            FROM input i WHERE q.endpoint_id = i.endpoint_id AND q.owner = $8 AND q.epoch = i.epoch
            RETURNING i.n, i.advance, q.*
        ), recorded AS (
            {record}
        ), delivered AS (
            DELETE FROM queue_chunks c USING moved q WHERE q.advance > 0
                AND c.endpoint_id = q.endpoint_id AND c.first > q.cursor - q.advance - $9::int8
                AND c.first + cardinality(c.seqs) <= q.cursor
        ), done AS (
            DELETE FROM requeued r USING moved q
            WHERE r.endpoint_id = q.endpoint_id AND r.until <= q.cursor
            RETURNING r.endpoint_id, r.replay_id
        ), weighed AS (
            UPDATE retained SET bytes = bytes + (SELECT coalesce(sum(weight), 0) FROM recorded)
            WHERE kind = 1 AND slot = $10
        )
        SELECT q.n, EXISTS (SELECT FROM done d
            WHERE d.endpoint_id = q.endpoint_id AND d.replay_id IS NOT NULL), {STATE}
        FROM moved q",
        record = Rows::insert(11, "moved")
    );
    let attempts = || jobs.iter().map(|job| &job.attempt);
    let rows = Rows::new(attempts())?;
    let endpoints: Vec<_> = jobs.iter().map(|job| job.lease.endpoint.0).collect();
    let epochs: Vec<_> = jobs.iter().map(|job| job.lease.epoch.cast_signed()).collect();
    let advances: Vec<_> = attempts().map(|attempt| i64::from(attempt.advance)).collect();
    let failures: Vec<_> = attempts().map(|attempt| small(attempt.failures)).collect();
    let refusals: Vec<_> = attempts().map(|attempt| small(attempt.refusals)).collect();
    let millis = |at: Timestamp| at.as_millisecond();
    let retries: Vec<_> = attempts().map(|attempt| attempt.retry_at.map(millis)).collect();
    let starts: Vec<_> = attempts().map(|attempt| millis(attempt.started_at)).collect();
    let slot = i32::try_from(node.rem_euclid(SLOTS)).unwrap_or_default();
    let mut values: Vec<super::columns::Param<'_>> = vec![
        &endpoints,
        &epochs,
        &advances,
        &failures,
        &refusals,
        &retries,
        &starts,
        &node,
        &CHUNK_ENTRIES,
        &slot,
    ];
    let overhead = signed(ROW_OVERHEAD);
    values.extend(rows.values());
    values.push(&overhead);
    conn.query(&sql, &values).await
}

impl PostgresStore {
    /// Settles an attempt whose events become dead letters, which is rare: in a transaction of its
    /// own, so that an event is a letter from the moment on at which it is queued no more.
    pub(super) async fn settle_and_park(
        &self,
        settlement: Settlement,
    ) -> Result<QueueState, StoreError> {
        let endpoint = settlement.lease.endpoint;
        let jobs = [settlement];
        let tx = self.db.begin().await?;
        let rows = settle(&tx, self.node, &jobs).await?;
        let row = rows.first().ok_or(StoreError::LeaseLost)?;
        let mut after = state(row, 2)?;
        let replayed: bool = row.get_as(1)?;
        after.dead_letters = dead_letters::park(&tx, endpoint, &jobs[0].attempt).await?;
        tx.commit().await?;
        self.mark_replayed(endpoint, replayed);
        Ok(after)
    }

    fn mark_replayed(&self, endpoint: EndpointId, replayed: bool) {
        if replayed {
            self.replays.mark([endpoint]);
        }
    }
}
