//! Whether every accepted event is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use hookyard_core::id::EndpointId;

use crate::StoreError;
use crate::backlog::Again;
use crate::check::{Looking, Report};
use crate::ledger::{self, BLOCKS_MAX, CLOCKS_MS, Ledger, Problems};
use crate::postgres::columns::{Columns, from_json, signed};
use crate::postgres::database::Conn;

/// Rows of one page: a megabyte of usual bundles.
const PAGE: i64 = 2_000;

/// Chunks of one page: two megabytes when all are full.
const CHUNKS: i64 = 500;

/// Where a queue stands.
struct Position {
    cursor: i64,
    done: BTreeSet<i64>,
    again: Vec<Again>,
    /// The place after the last entry that was read.
    next: i64,
}

impl Position {
    fn is_again(&self, place: i64) -> bool {
        self.again.iter().any(|again| (signed(again.from)..signed(again.until)).contains(&place))
    }
}

type Queues = BTreeMap<EndpointId, Position>;

/// Compares attempts, dead letters and queues with the journal.
pub(super) async fn look(
    conn: &Conn,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("accounts", 0)?;
    let mut queues = queues(conn).await?;
    let discarded = discarded_to(conn).await?;
    let last = conn.one("SELECT coalesce(max(seq), 0) FROM journal", &[]).await?.unsigned(0)?;
    let (mut from, mut problems, mut holes) = (0, Problems::default(), BTreeSet::new());
    let mut first_pass = true;
    while from <= last || first_pass {
        let mut pass = Ledger::new(from, BLOCKS_MAX);
        attempts(conn, &queues, &mut pass).await?;
        letters(conn, &queues, &mut pass).await?;
        chunks(conn, &mut queues, &mut pass, &mut holes).await?;
        if first_pass {
            without_events(conn, report).await?;
        }
        journal(conn, &queues, &pass, (from, discarded), report, &mut problems).await?;
        from = pass.until();
        pass.finish(|seq| seq <= discarded, &mut problems);
        looking("accounts", report.accounts.matched)?;
        first_pass = false;
    }
    for (id, place) in holes {
        let problem = format!("endpoint {id}: the entry of its queue at place {place} is missing");
        report.find("queue_chunks", u64::try_from(place).ok(), problem);
    }
    problems.report(report);
    Ok(())
}

async fn queues(conn: &Conn) -> Result<Queues, StoreError> {
    let sql = "SELECT endpoint_id, cursor, done, again FROM queues WHERE endpoint_id > $1 \
               ORDER BY endpoint_id LIMIT $2";
    let (mut last, mut queues) = (i32::MIN, Queues::new());
    loop {
        let rows = conn.query(sql, &[&last, &PAGE]).await?;
        for row in &rows {
            last = row.get_as(0)?;
            let done: Vec<i64> = row.get_as(2)?;
            let position = Position {
                cursor: row.get_as(1)?,
                done: done.into_iter().collect(),
                again: from_json(&row.text(3)?)?,
                next: 0,
            };
            queues.insert(EndpointId(last), position);
        }
        if rows.is_empty() {
            return Ok(queues);
        }
    }
}

/// The last event whose attempts retention may have deleted; 0 while all attempts are there.
async fn discarded_to(conn: &Conn) -> Result<u64, StoreError> {
    let sql = "SELECT id, started_ms FROM attempts ORDER BY started_ms + 0, id LIMIT 1";
    let (first, oldest) = match conn.opt(sql, &[]).await? {
        Some(row) => (row.get_as::<i64>(0)?, row.get_as(1)?),
        None => (0, i64::MAX),
    };
    let used = conn.one("SELECT is_called FROM attempt_ids", &[]).await?.get_as::<bool>(0)?;
    if first == 1 || (first == 0 && !used) {
        return Ok(0);
    }
    // Among the oldest, the very first need not have the earliest start.
    let sql = "SELECT EXISTS (SELECT FROM attempts WHERE id = 1 AND started_ms + 0 <= $1)";
    let soon = oldest.saturating_add(CLOCKS_MS);
    if first > 0 && conn.one(sql, &[&soon]).await?.get_as::<bool>(0)? {
        return Ok(0);
    }
    let sql = "SELECT coalesce(max(seq), 0) FROM journal WHERE accepted_ms <= $1";
    conn.one(sql, &[&soon]).await?.unsigned(0)
}

/// Marks the events that left a queue.
async fn attempts(conn: &Conn, queues: &Queues, pass: &mut Ledger) -> Result<(), StoreError> {
    let sql = "SELECT started_ms + 0, id, endpoint_id, advance, seqs, cardinality(entries) > 0 \
               FROM attempts WHERE (started_ms + 0, id) > ($1, $2) AND advance > 0 \
               ORDER BY started_ms + 0, id LIMIT $3";
    let mut last = (i64::MIN, i64::MIN);
    loop {
        let rows = conn.query(sql, &[&last.0, &last.1, &PAGE]).await?;
        for row in &rows {
            last = (row.get_as(0)?, row.get_as(1)?);
            let endpoint = EndpointId(row.get_as(2)?);
            if !queues.contains_key(&endpoint) {
                continue;
            }
            let seqs: Vec<i64> = row.get_as(4)?;
            let seqs: Vec<u64> = seqs.into_iter().map(i64::cast_unsigned).collect();
            for seq in ledger::leaving(&seqs, row.get_as(5)?, row.unsigned(3)?) {
                pass.left(endpoint, *seq);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Marks the dead letters.
async fn letters(conn: &Conn, queues: &Queues, pass: &mut Ledger) -> Result<(), StoreError> {
    let sql = "SELECT endpoint_id, seq FROM dead_letters WHERE (endpoint_id, seq) > ($1, $2) \
               ORDER BY endpoint_id, seq LIMIT $3";
    let mut last = (i32::MIN, i64::MIN);
    loop {
        let rows = conn.query(sql, &[&last.0, &last.1, &PAGE]).await?;
        for row in &rows {
            last = (row.get_as(0)?, row.get_as(1)?);
            if queues.contains_key(&EndpointId(last.0)) {
                pass.left(EndpointId(last.0), last.1.cast_unsigned());
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Marks the queued events, and finds places that no chunk has.
async fn chunks(
    conn: &Conn,
    queues: &mut Queues,
    pass: &mut Ledger,
    holes: &mut BTreeSet<(EndpointId, i64)>,
) -> Result<(), StoreError> {
    let sql = "SELECT endpoint_id, first, seqs FROM queue_chunks WHERE (endpoint_id, first) > ($1, $2) \
               ORDER BY endpoint_id, first LIMIT $3";
    for queue in queues.values_mut() {
        queue.next = queue.cursor;
    }
    let mut last = (i32::MIN, i64::MIN);
    loop {
        let rows = conn.query(sql, &[&last.0, &last.1, &CHUNKS]).await?;
        for row in &rows {
            last = (row.get_as(0)?, row.get_as(1)?);
            let (id, seqs) = (EndpointId(last.0), row.get_as::<Vec<i64>>(2)?);
            let Some(queue) = queues.get_mut(&id) else { continue };
            let end = last.1.saturating_add(signed(seqs.len() as u64));
            // The first chunk begins before the head; no other overlaps the one before.
            if last.1 > queue.next || (queue.next > queue.cursor && last.1 < queue.next) {
                holes.insert((id, queue.next));
            }
            for (place, seq) in (last.1..).zip(&seqs) {
                if place >= queue.cursor && !queue.done.contains(&place) {
                    pass.queued(id, seq.cast_unsigned(), queue.is_again(place));
                }
            }
            queue.next = queue.next.max(end);
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Finds queued events that are not in the journal.
async fn without_events(conn: &Conn, report: &mut Report) -> Result<(), StoreError> {
    let sql = "SELECT c.endpoint_id, n.seq FROM (
            SELECT endpoint_id, first, seqs FROM queue_chunks WHERE (endpoint_id, first) > ($1, $2)
                AND (endpoint_id, first) <= ($3, $4)
        ) c JOIN queues q ON q.endpoint_id = c.endpoint_id
        CROSS JOIN LATERAL unnest(c.seqs) WITH ORDINALITY AS n (seq, place)
        WHERE c.first + n.place - 1 >= q.cursor AND NOT (c.first + n.place - 1) = ANY(q.done)
        AND NOT EXISTS (SELECT FROM journal j WHERE j.seq = n.seq)";
    let ends = "SELECT endpoint_id, first FROM (SELECT endpoint_id, first FROM queue_chunks \
                WHERE (endpoint_id, first) > ($1, $2) ORDER BY endpoint_id, first LIMIT $3) c \
                ORDER BY endpoint_id DESC, first DESC LIMIT 1";
    let mut last = (i32::MIN, i64::MIN);
    while let Some(row) = conn.opt(ends, &[&last.0, &last.1, &CHUNKS]).await? {
        let end: (i32, i64) = (row.get_as(0)?, row.get_as(1)?);
        for row in conn.query(sql, &[&last.0, &last.1, &end.0, &end.1]).await? {
            let endpoint: i32 = row.get_as(0)?;
            let problem = format!("endpoint {endpoint} has it queued, and it is not there");
            report.find("journal", Some(row.unsigned(1)?), problem);
        }
        last = end;
    }
    Ok(())
}

/// Compares the events of a pass with the marks.
async fn journal(
    conn: &Conn,
    queues: &Queues,
    pass: &Ledger,
    (from, discarded): (u64, u64),
    report: &mut Report,
    problems: &mut Problems,
) -> Result<(), StoreError> {
    let sql = "SELECT seq, matched FROM journal WHERE seq >= $1 AND seq < $2 ORDER BY seq LIMIT $3";
    let (mut next, until) = (signed(from), signed(pass.until()));
    loop {
        let rows = conn.query(sql, &[&next, &until, &PAGE]).await?;
        for row in &rows {
            let (seq, matched) = (row.unsigned(0)?, row.get_as::<Vec<i32>>(1)?);
            for id in matched.into_iter().map(EndpointId) {
                if queues.contains_key(&id) {
                    pass.compare(id, seq, seq <= discarded, &mut report.accounts, problems);
                }
            }
            next = signed(seq) + 1;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}
