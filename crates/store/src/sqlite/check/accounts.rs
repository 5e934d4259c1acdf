//! Whether every accepted event is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use hookyard_core::id::EndpointId;
use rusqlite::{Connection, params};

use super::counters::each;
use crate::StoreError;
use crate::backlog::Backlog;
use crate::check::{Looking, Report};
use crate::ledger::{self, BLOCKS_MAX, CLOCKS_MS, Ledger, Problems};
use crate::sqlite::memory::lock;
use crate::sqlite::rows::{signed, unsigned};
use crate::sqlite::{codec, failed, recover, stored};
use crate::vault::Vault;

/// The queues as a start rebuilds them.
type Queues = BTreeMap<EndpointId, Backlog>;

/// Compares attempts, dead letters and queues with the journal.
pub(super) fn look(
    conn: &Connection,
    vault: &Vault,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("accounts", 0)?;
    let memory = match recover::recover(conn, vault) {
        Ok((memory, _)) => memory,
        Err(error) => {
            let problem =
                format!("the queues cannot be rebuilt, so no event is accounted for: {error}");
            report.find("queues", None, problem);
            return Ok(());
        }
    };
    let queues = memory.queue_ids().into_iter();
    let queues: Queues =
        queues.filter_map(|id| memory.queue(id).map(|queue| (id, lock(&queue).clone()))).collect();
    drop(memory);
    let discarded = discarded_to(conn)?;
    let last = number(conn, "SELECT ifnull(max(seq), 0) FROM journal")?;
    let (mut from, mut problems) = (0, Problems::default());
    let mut holes = BTreeSet::new();
    while from <= last {
        looking("accounts", report.accounts.matched)?;
        let mut pass = Ledger::new(from, BLOCKS_MAX);
        attempts(conn, &queues, &mut pass, report)?;
        for (id, queue) in &queues {
            if let Some(place) = queued(conn, *id, queue, &mut pass)? {
                holes.insert((*id, place));
            }
        }
        journal(conn, &queues, &pass, (from, discarded), report, &mut problems)?;
        from = pass.until();
        pass.finish(|seq| seq <= discarded, &mut problems);
    }
    for (id, place) in holes {
        let problem =
            format!("endpoint {id}: the entries of its queue from place {place} on are missing");
        report.find("queue_chunks", Some(place), problem);
    }
    problems.report(report);
    Ok(())
}

/// The last event whose attempts retention may have deleted; 0 while all attempts are there.
fn discarded_to(conn: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT min(id), min(started_ms), (SELECT attempt_id FROM checkpoint) FROM attempts";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let (first, oldest, saved): (Option<i64>, Option<i64>, i64) =
        conn.query_row(sql, [], read).map_err(failed)?;
    if first == Some(1) || (first.is_none() && saved == 0) {
        return Ok(0);
    }
    let before = oldest.unwrap_or(i64::MAX).saturating_add(CLOCKS_MS);
    let sql = "SELECT ifnull(max(seq), 0) FROM journal WHERE accepted_ms <= ?1";
    conn.query_row(sql, [before], |row| unsigned(row, 0)).map_err(failed)
}

fn number(conn: &Connection, sql: &str) -> Result<u64, StoreError> {
    conn.query_row(sql, [], |row| unsigned(row, 0)).map_err(failed)
}

/// Marks the events that left a queue.
fn attempts(
    conn: &Connection,
    queues: &Queues,
    pass: &mut Ledger,
    report: &mut Report,
) -> Result<(), StoreError> {
    let sql = "SELECT endpoint_id, advance, seqs, entries IS NOT NULL FROM attempts \
               WHERE advance > 0 ORDER BY id";
    each(conn, sql, "attempts", report, |row, _| {
        let endpoint = EndpointId(row.get(0)?);
        if !queues.contains_key(&endpoint) {
            return Ok(());
        }
        let seqs = codec::decode(row.get_ref(2)?.as_blob()?).unwrap_or_default();
        for seq in ledger::leaving(&seqs, row.get(3)?, unsigned(row, 1)?) {
            pass.left(endpoint, *seq);
        }
        Ok(())
    })?;
    let sql = "SELECT endpoint_id, seq FROM dead_letters";
    each(conn, sql, "dead_letters", report, |row, _| {
        let endpoint = EndpointId(row.get(0)?);
        if queues.contains_key(&endpoint) {
            pass.left(endpoint, unsigned(row, 1)?);
        }
        Ok(())
    })
}

/// Marks the events of a queue; the place of the first missing entry.
fn queued(
    conn: &Connection,
    id: EndpointId,
    queue: &Backlog,
    pass: &mut Ledger,
) -> Result<Option<u64>, StoreError> {
    stored::entries(conn, id, queue, &mut |first, seqs| {
        for (place, seq) in (first..).zip(seqs).filter(|(place, _)| !queue.done().contains(place)) {
            let again =
                queue.again().iter().any(|again| (again.from..again.until).contains(&place));
            pass.queued(id, *seq, again);
        }
        Ok(())
    })
}

/// Compares the events of a pass with the marks.
fn journal(
    conn: &Connection,
    queues: &Queues,
    pass: &Ledger,
    (from, discarded): (u64, u64),
    report: &mut Report,
    problems: &mut Problems,
) -> Result<(), StoreError> {
    let sql = "SELECT seq, matched FROM journal WHERE seq >= ?1 AND seq < ?2 ORDER BY seq";
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query(params![signed(from), signed(pass.until())]).map_err(failed)?;
    // A page that cannot be read is in the report already.
    while let Ok(Some(row)) = rows.next() {
        let seq = unsigned(row, 0).map_err(failed)?;
        let matched = row.get_ref(1).map_err(failed)?;
        let matched = matched.as_blob().ok().and_then(|blob| codec::decode(blob).ok());
        let Some(matched) = matched else {
            report.find("journal", Some(seq), "the list of its endpoints cannot be read");
            continue;
        };
        for id in matched {
            let id = EndpointId(i32::try_from(id).unwrap_or(i32::MAX));
            if queues.contains_key(&id) {
                pass.compare(id, seq, seq <= discarded, &mut report.accounts, problems);
            }
        }
    }
    Ok(())
}
