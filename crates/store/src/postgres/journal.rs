//! The journal.
//!
//! Events are appended in batches, one batch at a time whatever the number of nodes: each batch takes a lock
//! of the database first and gives the lock back with its commit. So numbers are given out in the order of
//! commits, and a reader of a number sees every lower number, because a transaction is visible before its
//! locks are free. The lock also makes the look for duplicates exact without a unique index over all
//! partitions. The lock costs nothing that a commit to one disk would not cost anyway; the amount committed
//! at once matters.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, Seq, WorkspaceId};
use hookyard_core::model::{Event, NewEvent, Receipt};
use jiff::Timestamp;

use super::batches::Work;
use super::columns::{Columns, Json, Param, Text, count, paged, signed};
use super::database::{Conn, Database};
use super::journal_rows::{CHUNK_SIZE, COLUMNS, LOCK, event};
use super::{BATCH_MAX, PostgresStore};
use crate::checksum::Sum;
use crate::page::{self, Filling};
use crate::retention::ROW_OVERHEAD;
use crate::shares::level;
use crate::transfer::shape::id_hash;
use crate::{EVENTS_KNOWN_MAX, EventQuery, JournalStore, Page, Ready, StoreError};

/// The bytes of an event to read with [`COLUMNS`], without reading the event.
pub(super) const WEIGHT: &str = "octet_length(object) + octet_length(attributes)";

/// The number of its newest events among which a workspace finds repeats, at least: a share of
/// [`EVENTS_KNOWN_MAX`]. All nodes compute the share now and then from the number of each workspace's events.
/// The search covers whole partitions, [`PARTITIONS_KNOWN_MAX`] at most, so the actual number is larger by up
/// to one partition.
#[derive(Debug)]
pub(super) struct Share(AtomicI64);

impl Default for Share {
    fn default() -> Self {
        Self(AtomicI64::new(count(EVENTS_KNOWN_MAX)))
    }
}

impl Share {
    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Computes the share anew, for so many events of all workspaces.
    pub(super) async fn renew(&self, conn: &Conn, most: usize) -> Result<(), StoreError> {
        let sql = "SELECT sum(items)::int8 FROM journal_shares GROUP BY workspace_id";
        let mut counts = Vec::new();
        for row in conn.query(sql, &[]).await? {
            counts.push(row.unsigned(0)?);
        }
        let most = most as u64;
        self.0.store(signed(level(counts, most).unwrap_or(most)), Ordering::Relaxed);
        Ok(())
    }
}

/// In how many partitions a workspace finds repeats, at most: the newest partitions with events of the
/// workspace. Each has a million numbers or more, so a workspace with a few events in each partition finds
/// repeats among the newest eight million of all, at least. Without this bound a workspace's events could
/// make a publish look into every partition.
const PARTITIONS_KNOWN_MAX: i64 = 8;

#[async_trait]
impl JournalStore for PostgresStore {
    async fn append(
        &self,
        workspace: WorkspaceId,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.appends.submit(Publish { workspace, events, now }).await
    }

    async fn events(
        &self,
        workspace: WorkspaceId,
        query: EventQuery,
    ) -> Result<Page<Arc<Event>>, StoreError> {
        let order = if query.newest_first { "DESC" } else { "ASC" };
        // The index has events by type, so the first of each type are merged. Compared as a whole, the
        // columns leave the planner only the index: by the number alone the planner would look for a rare
        // type among the events of all.
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT first.seq FROM event_types t CROSS JOIN LATERAL ( \
             SELECT i.seq FROM journal i WHERE i.seq > $3 AND i.seq < $4 \
             AND (i.workspace_id, i.type_id, i.seq) > ($1, t.id, $3) \
             AND (i.workspace_id, i.type_id, i.seq) < ($1, t.id, $4) ORDER BY \
             i.workspace_id {order}, i.type_id {order}, i.seq {order} LIMIT $5) first \
             WHERE t.workspace_id = $1 AND ($2::int4 IS NULL OR t.id = $2) \
             ORDER BY first.seq {order} LIMIT $5) page JOIN journal j ON j.seq = page.seq"
        );
        let sql = paged(&sql, WEIGHT, &format!("seq {order}"));
        let event_type = query.event_type.map(|event_type| event_type.0);
        let after = query.after.map_or(0, |seq| signed(seq.0));
        let before = query.before.map_or(i64::MAX, |seq| signed(seq.0));
        let conn = self.db.get().await?;
        let limit = count(page::read_for(query.limit));
        let rows = conn.query(&sql, &[&workspace.0, &event_type, &after, &before, &limit]).await?;
        Filling::of(query.limit, rows.iter().map(|row| event(row, 0).map(Arc::new)))
    }

    async fn event(
        &self,
        workspace: WorkspaceId,
        id: &str,
        source: Option<&str>,
    ) -> Result<Option<Arc<Event>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM journal j WHERE j.id_hash = $1 AND j.workspace_id = $2 \
             AND j.event_id = $3 AND ($4::text IS NULL OR j.source = $4) \
             ORDER BY j.seq DESC LIMIT 1"
        );
        let conn = self.db.get().await?;
        let hash = id_hash(workspace, id);
        let row = conn.opt(&sql, &[&hash, &workspace.0, &Text(id), &source.map(Text)]).await?;
        row.map(|row| event(&row, 0).map(Arc::new)).transpose()
    }

    async fn events_by_seq(
        &self,
        workspace: WorkspaceId,
        seqs: &[Seq],
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM unnest($1::int8[]) WITH ORDINALITY AS asked (seq, place) \
             JOIN journal j ON j.seq = asked.seq WHERE j.workspace_id = $2 ORDER BY asked.place"
        );
        let seqs: Vec<i64> = seqs.iter().map(|seq| signed(seq.0)).collect();
        let rows = self.db.get().await?.query(&sql, &[&seqs, &workspace.0]).await?;
        rows.iter().map(|row| event(row, 0).map(Arc::new)).collect()
    }
}

/// One call's events.
#[derive(Debug)]
pub(super) struct Publish {
    pub(super) workspace: WorkspaceId,
    pub(super) events: Vec<NewEvent>,
    pub(super) now: Timestamp,
}

/// Appends.
#[derive(Debug)]
pub(super) struct Appending {
    pub(super) node: i64,
    pub(super) ready: Arc<Ready>,
    pub(super) share: Arc<Share>,
}

#[async_trait]
impl Work for Appending {
    type Job = Publish;
    type Answer = Vec<Receipt>;

    fn bytes(job: &Publish) -> usize {
        job.events.iter().map(|event| event.object.len()).sum()
    }

    async fn run(
        &self,
        database: &Database,
        jobs: &[Publish],
    ) -> Result<Vec<Result<Vec<Receipt>, StoreError>>, StoreError> {
        let conn = database.get().await?.within(BATCH_MAX);
        let Appended { receipts, touched } =
            append(&conn, (self.node, &self.share), jobs, false).await?;
        self.ready.mark(touched);
        let mut receipts = receipts.into_iter();
        Ok(jobs.iter().map(|job| Ok(receipts.by_ref().take(job.events.len()).collect())).collect())
    }
}

/// The outcome for some events.
pub(super) struct Appended {
    pub(super) receipts: Vec<Receipt>,
    /// The endpoints for this node to look at after the commit.
    pub(super) touched: Vec<EndpointId>,
}

/// Inserts and queues the new events of all jobs, and notes endpoints for which the events come too late
/// (`gaps`). Answers a row for each event in order: the event's number, how many endpoints matched, whether
/// the event is a duplicate. The first row also has the endpoints that this node is to look at. The owners of
/// other nodes' endpoints are told.
const APPEND: &str = "
WITH input AS MATERIALIZED (
    -- The events of all jobs. first is the place of the first event of the batch with the same identity.
    SELECT n, first, workspace_id, type_id, accepted_ms, id_hash, event_id, source, attributes,
           object, matched::int4[] AS matched, checksum, matched_at
    FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int8[], $5::int8[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $15::int4[], $16::int8[]) WITH ORDINALITY
        AS t (first, workspace_id, type_id, accepted_ms, id_hash, event_id, source, attributes,
              object, matched, checksum, matched_at, n)
), windows AS MATERIALIZED (
    -- The newest partitions of each workspace, for the search for repeats.
    SELECT s.workspace_id, s.first, p.until FROM (
        SELECT workspace_id, first, coalesce(sum(items) OVER (PARTITION BY workspace_id
            ORDER BY first DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS newer,
            row_number() OVER (PARTITION BY workspace_id ORDER BY first DESC) AS place
        FROM journal_shares WHERE workspace_id IN (SELECT workspace_id FROM input)
    ) s JOIN partitions p ON p.kind = 0 AND p.first = s.first
    WHERE s.newer < $12::int8 AND s.place <= $17::int8
), known AS MATERIALIZED (
    -- Repeats of events that the journal has already.
    SELECT i.n, d.seq, d.matched FROM input i CROSS JOIN LATERAL (
        SELECT e.seq, e.matched FROM windows w CROSS JOIN LATERAL (
            SELECT j.seq, cardinality(j.matched) AS matched FROM journal j
            -- Before a partition has statistics, all indexes look alike. The bounds of id_hash change no
            -- result, but make the index by id_hash the cheapest; the sum keeps the index by type out.
            WHERE j.id_hash = i.id_hash AND j.id_hash >= i.id_hash AND j.id_hash <= i.id_hash
                AND j.seq >= w.first AND j.seq < w.until
                AND j.workspace_id + 0 = i.workspace_id AND j.event_id = i.event_id
                AND j.source = i.source
            LIMIT 1
        ) e WHERE w.workspace_id = i.workspace_id LIMIT 1
    ) d WHERE i.first = i.n
), fresh AS MATERIALIZED (
    -- The new events, with the next numbers.
    SELECT i.*, (SELECT seq FROM sequencer) + row_number() OVER (ORDER BY i.n) AS seq
    FROM input i WHERE i.first = i.n AND NOT EXISTS (SELECT FROM known k WHERE k.n = i.n)
), appended AS (
    INSERT INTO journal (seq, workspace_id, type_id, accepted_ms, id_hash, event_id, source,
                         attributes, object, matched, checksum)
    SELECT seq, workspace_id, type_id, accepted_ms, id_hash, event_id, source, attributes, object,
           -- The checksum gets the number mixed in here, where the number is known.
           matched, checksum # (seq & 2147483647)::int4 FROM fresh
), numbered AS (
    UPDATE sequencer SET seq = seq + (SELECT count(*) FROM fresh)
), outdated AS MATERIALIZED (
    -- Events matched with an older version of the workspace: hardly ever any.
    SELECT f.workspace_id, f.matched_at, min(f.seq) AS first, max(f.seq) + 1 AS next
    FROM fresh f GROUP BY f.workspace_id, f.matched_at
    HAVING f.matched_at < (SELECT w.version FROM workspaces w WHERE w.id = f.workspace_id)
), late AS MATERIALIZED (
    -- The endpoints enabled since the match, and the range of events that each endpoint missed.
    SELECT e.id, min(o.first) AS first, max(o.next) AS next FROM outdated o CROSS JOIN LATERAL (
        SELECT id FROM endpoints WHERE workspace_id = o.workspace_id
            AND enabled_version > o.matched_at AND NOT disabled OFFSET 0) e
    GROUP BY e.id
), prolonged AS (
    -- The last range of such an endpoint gets longer.
    UPDATE endpoint_gaps g SET until_seq = l.next FROM late l
    WHERE g.endpoint_id = l.id AND g.until_seq < l.next AND g.first_seq = (
        SELECT max(a.first_seq) FROM endpoint_gaps a WHERE a.endpoint_id = l.id)
    RETURNING g.endpoint_id
), reopened AS (
    -- An endpoint without a range to prolong was recovered already, and gets a new range.
    INSERT INTO endpoint_gaps (endpoint_id, first_seq, until_seq)
    SELECT l.id, l.first, l.next FROM late l WHERE l.id NOT IN (SELECT endpoint_id FROM prolonged)
), weighed AS (
    -- The bytes and number of the new events, counted for the partition of the first, for retention.
    UPDATE retained r SET bytes = r.bytes + new.bytes, items = r.items + new.items FROM (
        SELECT min(seq) AS seq, count(*) AS items, sum(octet_length(event_id)
            + octet_length(source) + octet_length(attributes) + octet_length(object)
            + $13::int8) AS bytes FROM fresh) new
    WHERE r.kind = 0 AND r.slot = 0 AND r.first = (SELECT p.first FROM partitions p
        WHERE p.kind = 0 AND p.first <= new.seq ORDER BY p.first DESC LIMIT 1)
), shared AS (
    -- The same for each workspace and partition.
    INSERT INTO journal_shares AS s (workspace_id, first, bytes, items)
    SELECT f.workspace_id, p.first, sum(octet_length(f.event_id) + octet_length(f.source)
        + octet_length(f.attributes) + octet_length(f.object) + $13::int8), count(*)
    FROM partitions p JOIN fresh f ON f.seq >= p.first AND f.seq < p.until
    WHERE p.kind = 0 AND p.until > (SELECT seq FROM sequencer) GROUP BY f.workspace_id, p.first
    ON CONFLICT (workspace_id, first) DO UPDATE
        SET bytes = s.bytes + excluded.bytes, items = s.items + excluded.items
), placed AS MATERIALIZED (
    -- The new entries of each endpoint, and the place of the next entry: behind the last chunk.
    SELECT e.endpoint_id, e.seqs, q.owner, greatest(q.cursor, (
        SELECT c.first + cardinality(c.seqs) FROM queue_chunks c
        WHERE c.endpoint_id = e.endpoint_id ORDER BY c.first DESC LIMIT 1)) AS next
    FROM (
        SELECT m.endpoint_id, array_agg(f.seq ORDER BY f.seq) AS seqs
        FROM fresh f CROSS JOIN LATERAL unnest(f.matched) AS m (endpoint_id)
        GROUP BY m.endpoint_id
    ) e JOIN queues q ON q.endpoint_id = e.endpoint_id
), queued AS (
    -- The entries, in chunks of a bounded length.
    INSERT INTO queue_chunks (endpoint_id, first, seqs, lowest, highest)
    SELECT p.endpoint_id, p.next + s.at, p.seqs[s.at::int + 1 : s.at::int + $14::int], p.seqs[s.at::int + 1],
           p.seqs[least(s.at::int + $14::int, cardinality(p.seqs))]
    FROM placed p CROSS JOIN LATERAL generate_series(0, cardinality(p.seqs) - 1, $14::int) s (at)
), foreigners AS MATERIALIZED (
    -- The endpoints whose owner is another living node.
    SELECT p.endpoint_id, p.owner FROM placed p JOIN nodes o ON o.id = p.owner
    WHERE p.owner <> $11::int8 AND o.until > clock_timestamp()
), told AS MATERIALIZED (
    -- A notification for each owner and 600 endpoints: a payload has fewer than 8000 bytes.
    SELECT count(pg_notify('hookyard_' || owner, 'r' || ids)) FROM (
        SELECT owner, string_agg(endpoint_id::text, ',') AS ids FROM (
            SELECT owner, endpoint_id, row_number() OVER (PARTITION BY owner) / 600 AS part
            FROM foreigners) f GROUP BY owner, part) t
)
-- The answer, in the order of the input. The first row also has the endpoints of this node.
SELECT coalesce(f.seq, k.seq), coalesce(cardinality(f.matched), k.matched),
       f.seq IS NULL OR i.first <> i.n,
       CASE WHEN i.n = 1 THEN (SELECT array_agg(p.endpoint_id) FROM placed p
           WHERE p.endpoint_id NOT IN (SELECT endpoint_id FROM foreigners)) END,
       CASE WHEN i.n = 1 THEN (SELECT * FROM told) END
FROM input i LEFT JOIN fresh f ON f.n = i.first LEFT JOIN known k ON k.n = i.first
ORDER BY i.n";

/// Appends in a separate transaction, or in the caller's transaction with the journal's lock.
pub(super) async fn append(
    conn: &Conn,
    (node, share): (i64, &Share),
    jobs: &[Publish],
    within: bool,
) -> Result<Appended, StoreError> {
    let all = || jobs.iter().flat_map(|job| job.events.iter().map(move |event| (job, event)));
    let (mut firsts, mut places) = (Vec::new(), HashMap::new());
    for (n, (job, event)) in (1_i64..).zip(all()) {
        firsts.push(*places.entry((job.workspace, &*event.id, &*event.source)).or_insert(n));
    }
    let workspaces: Vec<_> = all().map(|(job, _)| job.workspace.0).collect();
    let types: Vec<_> = all().map(|(_, event)| event.event_type.0).collect();
    let accepted: Vec<_> = all().map(|(job, _)| job.now.as_millisecond()).collect();
    let hashes: Vec<_> = all().map(|(job, event)| id_hash(job.workspace, &event.id)).collect();
    let ids: Vec<_> = all().map(|(_, event)| Text(&event.id)).collect();
    let sources: Vec<_> = all().map(|(_, event)| Text(&event.source)).collect();
    let attributes: Vec<_> = all().map(|(_, event)| Text(&event.attributes)).collect();
    let objects: Vec<_> = all().map(|(_, event)| Json(&event.object)).collect();
    let matched: Vec<_> = all().map(|(_, event)| list(&event.matched)).collect();
    let sums: Vec<_> = all()
        .map(|(job, event)| Sum::of_new_event(job.workspace, event, job.now).unnumbered())
        .collect();
    let matched_at: Vec<_> = all().map(|(_, event)| version(event)).collect();
    let (overhead, share) = (signed(ROW_OVERHEAD), share.get());
    let values: [Param<'_>; 17] = [
        &firsts,
        &workspaces,
        &types,
        &accepted,
        &hashes,
        &ids,
        &sources,
        &attributes,
        &objects,
        &matched,
        &node,
        &share,
        &overhead,
        &CHUNK_SIZE,
        &sums,
        &matched_at,
        &PARTITIONS_KNOWN_MAX,
    ];
    let rows = match within {
        true => conn.query(APPEND, &values).await?,
        false => conn.transact(LOCK, APPEND, &values).await?,
    };
    let mut receipts = Vec::with_capacity(rows.len());
    for row in &rows {
        let matched = row.small(1)?;
        receipts.push(Receipt { seq: Seq(row.unsigned(0)?), matched, duplicate: row.get_as(2)? });
    }
    let touched = match rows.first() {
        Some(row) => row.get_as::<Option<Vec<i32>>>(3)?,
        None => None,
    };
    let touched = touched.into_iter().flatten().map(EndpointId).collect();
    Ok(Appended { receipts, touched })
}

/// The version of the workspace at the event's match.
fn version(event: &NewEvent) -> i64 {
    i64::try_from(event.matched_at).unwrap_or(i64::MAX)
}

/// Numbers as PostgreSQL writes a list: an array of arrays of different lengths cannot be sent.
fn list(endpoints: &[EndpointId]) -> String {
    let numbers: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
