//! Recording attempts.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{NewAttempt, QueueState};
use jiff::Timestamp;

use super::attempts::Rows;
use super::batches::Work;
use super::columns::{Columns, Param, signed, small, to_json};
use super::database::{Conn, Database};
use super::journal_rows::CHUNK_ENTRIES;
use super::queue_rows::{POSITION, backlog};
use super::{BATCH_MAX, dead_letters, partitions};
use crate::backlog::{Backlog, Settled};
use crate::retention::ROW_OVERHEAD;
use crate::{Lease, Ready, Recorded, StoreError};

/// An attempt under a lease.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) lease: Lease,
    pub(super) attempt: Arc<NewAttempt>,
    pub(super) recorded: Recorded,
}

/// Settles.
#[derive(Debug)]
pub(super) struct Settling {
    pub(super) node: i64,
    pub(super) replays: Arc<Ready>,
}

/// An endpoint's queue in an open transaction.
struct Open {
    epoch: u64,
    /// The place of the head before the attempts.
    cursor: u64,
    queue: Backlog,
}

#[async_trait]
impl Work for Settling {
    type Job = Settlement;
    type Answer = QueueState;

    fn bytes(job: &Settlement) -> usize {
        job.attempt.outcome.response.as_ref().map_or(0, String::len)
    }

    fn at(job: &Settlement) -> Option<Timestamp> {
        Some(job.attempt.started_at)
    }

    async fn run(
        &self,
        database: &Database,
        jobs: &[Settlement],
    ) -> Result<Vec<Result<QueueState, StoreError>>, StoreError> {
        let conn = database.get().await?.within(BATCH_MAX);
        let (tx, mut open) = lock(conn, self.node, jobs).await?;
        let recorded = recorded(&tx, jobs).await?;
        let mut answers = Vec::with_capacity(jobs.len());
        let (mut replayed, mut kept) = (Vec::new(), Vec::new());
        for job in jobs {
            let endpoint = job.lease.endpoint;
            if recorded.contains(job.attempt.request_id.as_str()) {
                // The listener for a slice's end may have missed the end.
                replayed.push(endpoint);
                answers.push(owned(&mut open, job).map(|open| open.queue.state()));
                continue;
            }
            let answer = apply(&mut open, job).map(|slice_is_done| {
                replayed.extend(slice_is_done.then_some(endpoint));
                kept.push(job);
                open[&endpoint].queue.state()
            });
            answers.push(answer);
        }
        if kept.is_empty() {
            tx.commit().await?;
            self.replays.mark(replayed);
            return Ok(answers);
        }
        // Before the attempts: so the inserts and the commit are one round trip.
        for (job, answer) in jobs.iter().zip(&mut answers) {
            if job.attempt.park
                && !recorded.contains(job.attempt.request_id.as_str())
                && let Ok(state) = answer
            {
                let letters = dead_letters::park(&tx, job.lease.endpoint, &job.attempt).await?;
                state.dead_letters = letters;
            }
        }
        write(tx, self.node, &open, &kept).await?;
        self.replays.mark(replayed);
        Ok(answers)
    }
}

/// Begins, and locks the queues of all jobs owned by the node, lowest number first.
async fn lock(
    conn: Conn,
    node: i64,
    jobs: &[Settlement],
) -> Result<(Conn, BTreeMap<EndpointId, Open>), StoreError> {
    let sql = format!(
        "SELECT q.endpoint_id, q.epoch, {POSITION} FROM queues q WHERE q.endpoint_id = ANY($1) \
         AND q.owner = $2 ORDER BY q.endpoint_id FOR UPDATE"
    );
    let ids: Vec<i32> = jobs.iter().map(|job| job.lease.endpoint.0).collect();
    let mut open = BTreeMap::new();
    let (tx, rows) = conn.begin_with(&sql, &[&ids, &node]).await?;
    for row in &rows {
        let queue = backlog(row, 2)?;
        let (epoch, cursor) = (row.unsigned(1)?, queue.cursor());
        open.insert(EndpointId(row.get_as(0)?), Open { epoch, cursor, queue });
    }
    Ok((tx, open))
}

/// The attempts already in the log. The transaction has the queues' locks, so an earlier transaction with the
/// same attempts has ended.
async fn recorded(tx: &Conn, jobs: &[Settlement]) -> Result<HashSet<String>, StoreError> {
    let mut recorded = HashSet::new();
    for job in jobs.iter().filter(|job| job.recorded == Recorded::Maybe) {
        let sql = "SELECT request_id FROM attempts WHERE endpoint_id = $1 AND started_ms = $2 \
                   AND request_id = $3";
        let (endpoint, id) = (job.lease.endpoint.0, job.attempt.request_id.as_str());
        let started = job.attempt.started_at.as_millisecond();
        let found = tx.opt(sql, &[&endpoint, &started, &id]).await?;
        recorded.extend(found.map(|_| id.to_owned()));
    }
    Ok(recorded)
}

/// The queue of a job, if the job's lease is the newest.
fn owned<'a>(
    open: &'a mut BTreeMap<EndpointId, Open>,
    job: &Settlement,
) -> Result<&'a mut Open, StoreError> {
    let open = open.get_mut(&job.lease.endpoint).filter(|open| open.epoch == job.lease.epoch);
    open.ok_or(StoreError::LeaseLost)
}

/// Applies an attempt to the queue. Returns whether the last entry of a replay's slice left.
fn apply(open: &mut BTreeMap<EndpointId, Open>, job: &Settlement) -> Result<bool, StoreError> {
    let queue = &mut owned(open, job)?.queue;
    let attempt = &job.attempt;
    if attempt.entries.last().is_some_and(|last| *last >= queue.window_end()) {
        return Err(StoreError::Conflict("an entry is behind the queue's window".to_owned()));
    }
    let leave = attempt.advance > 0;
    Ok(queue.settle(Settled {
        entries: &attempt.entries,
        count: if leave { attempt.advance.into() } else { attempt.events.len() as u64 },
        leave,
        failures: attempt.failures,
        refusals: attempt.refusals,
        retry_at: attempt.retry_at,
        at: attempt.started_at,
    }))
}

/// Writes the queues and the attempts, and commits.
async fn write(
    tx: Conn,
    node: i64,
    open: &BTreeMap<EndpointId, Open>,
    jobs: &[&Settlement],
) -> Result<(), StoreError> {
    let sql = format!(
        "WITH moved AS (
            -- The position and failures of each queue after the attempts.
            UPDATE queues q SET cursor = n.cursor, failures = n.failures, retry_ms = n.retry_ms,
                since_ms = n.since_ms, again = n.again, done = n.done::int8[], held = n.held
            FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int4[], $5::int8[], $6::int8[],
                        $7::text[], $8::text[], $9::text[])
                AS n (endpoint_id, before, cursor, failures, retry_ms, since_ms, again, done, held)
            WHERE q.endpoint_id = n.endpoint_id RETURNING q.endpoint_id, n.before, n.cursor
        ), delivered AS (
            -- Chunks wholly below the new cursor go.
            DELETE FROM queue_chunks c USING moved q WHERE c.endpoint_id = q.endpoint_id
                AND c.first > q.before - $10::int8 AND c.first + cardinality(c.seqs) <= q.cursor
        ), made AS (
            SELECT * FROM unnest($11::int4[]) WITH ORDINALITY AS m (endpoint_id, n)
        ), recorded AS (
            {}
        )
        -- The bytes and number of the attempts, counted for one partition, for retention.
        UPDATE retained r SET bytes = r.bytes + new.bytes, items = r.items + new.items FROM (
            SELECT max(started_ms) AS at, count(*) AS items, sum(weight) AS bytes
            FROM recorded) new
        WHERE r.kind = 1 AND r.slot = $12 AND r.first = (SELECT p.first FROM partitions p
            WHERE p.kind = 1 AND p.first <= new.at ORDER BY p.first DESC LIMIT 1)",
        Rows::insert(13, "made")
    );
    let all = || open.values().map(|open| &open.queue);
    let millis = |at: Timestamp| at.as_millisecond();
    let endpoints: Vec<_> = open.keys().map(|id| id.0).collect();
    let before: Vec<_> = open.values().map(|open| signed(open.cursor)).collect();
    let cursors: Vec<_> = all().map(|queue| signed(queue.cursor())).collect();
    let failures: Vec<_> = all().map(|queue| small(queue.failing().failures)).collect();
    let retries: Vec<_> = all().map(|queue| queue.failing().retry_at.map(millis)).collect();
    let since: Vec<_> = all().map(|queue| queue.failing().since.map(millis)).collect();
    let again = all().map(|queue| to_json(queue.again())).collect::<Result<Vec<_>, _>>()?;
    let done: Vec<_> = all().map(|queue| places(queue.done().iter().copied())).collect();
    let held = all().map(|queue| to_json(queue.held())).collect::<Result<Vec<_>, _>>()?;
    let made: Vec<_> = jobs.iter().map(|job| job.lease.endpoint.0).collect();
    let slot = i32::try_from(node.rem_euclid(partitions::SLOTS)).unwrap_or_default();
    let mut values: Vec<Param<'_>> = vec![
        &endpoints,
        &before,
        &cursors,
        &failures,
        &retries,
        &since,
        &again,
        &done,
        &held,
        &CHUNK_ENTRIES,
        &made,
        &slot,
    ];
    let rows = Rows::new(&jobs.iter().map(|job| (job.lease.endpoint, &*job.attempt)))?;
    let overhead = signed(ROW_OVERHEAD);
    values.extend(rows.values());
    values.push(&overhead);
    tx.commit_with(&sql, &values).await
}

/// Places as PostgreSQL writes a list.
fn places(places: impl Iterator<Item = u64>) -> String {
    let places: Vec<_> = places.map(|place| place.to_string()).collect();
    format!("{{{}}}", places.join(","))
}
