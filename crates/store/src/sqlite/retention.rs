//! Deleting old records, in slices.
//!
//! A slice is a separate transaction, so a crash leaves the rows of later slices. Records that the next start
//! reads again (events and attempts after the last checkpoint) are never deleted. For the same reason, a
//! queue's entry whose event may be deleted is always in a stored chunk.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use async_trait::async_trait;
use hookyard_core::id::EndpointId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::memory::lock;
use super::rows::{count, signed, unsigned};
use super::span;
use super::tx::Tx;
use super::weights::{ATTEMPTS, JOURNAL, Kind, total};
use super::{SqliteStore, audit, codec, dead_letters, failed, replays};
use crate::retention::ROW_OVERHEAD;
use crate::{Expired, Expiry, Keep, Retention, RetentionStore, StoreError, Surplus, SurplusAge};

/// Numbers that a slice examines: some milliseconds of the writing thread.
const SLICE: u64 = 1_000;

/// Pages that a slice gives back: 1 MiB.
const PAGES: i64 = 256;

/// Free pages that stay in the file, at least: the need of a minute of publishing.
const FREE_PAGES_MIN: i64 = 1_024;

/// One free page in so many may stay beyond the minimum: with equal deletion and publication, giving pages
/// back and taking new pages would be wasted work.
const FREE_PART: i64 = 10;

/// The row in `retained` for the dead letters, kept up to date by triggers.
const DEAD_LETTERS: i64 = 2;

/// The same of the audit log.
const AUDIT: i64 = 3;

#[async_trait]
impl RetentionStore for SqliteStore {
    async fn expiry(&self, keep: Retention, now: Timestamp) -> Result<Expiry, StoreError> {
        let Retention { journal, attempts, dead_letters, audit } = keep;
        let read = move |conn: &Connection| {
            Ok(Expiry {
                dead_letters: surplus_age(conn, DEAD_LETTERS, dead_letters, now)?,
                audit: surplus_age(conn, AUDIT, audit, now)?,
                ..Expiry::default()
            })
        };
        let of_age = self.readers.read(read).await?;
        if [journal, attempts].iter().all(|keep| *keep == Keep::default()) {
            return Ok(of_age);
        }
        // Records newer than the last checkpoint stay, so a checkpoint comes first.
        self.writer.checkpoint().await?;
        let read = move |conn: &Connection| {
            let (seq, attempt) = checkpoint(conn)?;
            let replayed = replays::first_awaited(conn)?.unwrap_or(u64::MAX);
            Ok(Expiry {
                journal: surplus(conn, JOURNAL, journal, (seq + 1).min(replayed), now)?,
                attempts: surplus(conn, ATTEMPTS, attempts, attempt + 1, now)?,
                ..of_age
            })
        };
        self.readers.read(read).await
    }

    async fn expire(&self, expiry: Expiry) -> Result<Expired, StoreError> {
        self.writer.alone(move |tx| expire(tx, expiry)).await
    }
}

fn checkpoint(conn: &Connection) -> Result<(u64, u64), StoreError> {
    let read = |row: &Row<'_>| Ok((unsigned(row, 0)?, unsigned(row, 1)?));
    conn.query_row("SELECT seq, attempt_id FROM checkpoint", [], read).map_err(failed)
}

fn surplus(
    conn: &Connection,
    kind: Kind,
    keep: Keep,
    limit: u64,
    now: Timestamp,
) -> Result<Surplus, StoreError> {
    let below = match keep.age.and_then(|age| now.checked_sub(age).ok()) {
        Some(oldest) => span::first_since(conn, kind.timeline, oldest)?,
        None => 0,
    };
    let bytes = match keep.bytes {
        Some(most) => total(conn, kind.id)?.saturating_sub(most),
        None => 0,
    };
    Ok(Surplus { from: 0, below, bytes, limit })
}

fn surplus_age(
    conn: &Connection,
    kind: i64,
    keep: Keep,
    now: Timestamp,
) -> Result<SurplusAge, StoreError> {
    let before = keep.age.and_then(|age| now.checked_sub(age).ok());
    let bytes = match keep.bytes {
        Some(most) => total(conn, kind)?.saturating_sub(most),
        None => 0,
    };
    Ok(SurplusAge { before, bytes })
}

fn expire(tx: &mut Tx<'_>, expiry: Expiry) -> Result<Expired, StoreError> {
    let mut rest = expiry;
    let mut expired = Expired::default();
    if rest.dead_letters != SurplusAge::default() {
        // First, so that events pinned by letters go in the same sweep.
        expired.dead_letters = dead_letters::drop_surplus(tx, &mut rest.dead_letters, SLICE)?;
    } else if rest.audit != SurplusAge::default() {
        expired.audit = audit::delete_surplus(tx.conn, &mut rest.audit, SLICE)?;
    } else if let Some(window) = window(tx.conn, JOURNAL, &rest.journal)? {
        let pinned = pinned(tx, &window)?;
        expired.events = delete(tx.conn, JOURNAL, &mut rest.journal, &window, &pinned)?;
        forget_keys(tx.conn, &window)?;
        tx.after_commit(move |memory| memory.forget_recent(window.end));
    } else if let Some(window) = window(tx.conn, ATTEMPTS, &rest.attempts)? {
        expired.attempts =
            delete(tx.conn, ATTEMPTS, &mut rest.attempts, &window, &BTreeSet::new())?;
    } else {
        expired.pages = vacuum(tx.conn)?;
        if expired.pages == 0 {
            return Ok(expired);
        }
    }
    expired.rest = Some(rest);
    Ok(expired)
}

/// The next numbers to look at; `None` when nothing more may go.
fn window(
    conn: &Connection,
    kind: Kind,
    surplus: &Surplus,
) -> Result<Option<Range<u64>>, StoreError> {
    let end = if surplus.bytes > 0 { surplus.limit } else { surplus.below.min(surplus.limit) };
    if surplus.from >= end {
        return Ok(None);
    }
    let mut statement = conn.prepare_cached(kind.lowest).map_err(failed)?;
    let lowest: Option<i64> =
        statement.query_row([signed(surplus.from)], |row| row.get(0)).map_err(failed)?;
    let lowest = lowest.map(i64::cast_unsigned).filter(|lowest| *lowest < end);
    Ok(lowest.map(|lowest| lowest..end.min(lowest + SLICE)))
}

/// Deletes the expendable rows of a window. Returns the number of rows.
fn delete(
    conn: &Connection,
    kind: Kind,
    surplus: &mut Surplus,
    window: &Range<u64>,
    pinned: &BTreeSet<u64>,
) -> Result<u64, StoreError> {
    let (mut deleted, mut bytes) = (0, HashMap::new());
    let mut start = window.start;
    let mut delete = conn.prepare_cached(kind.delete).map_err(failed)?;
    for stop in pinned.iter().copied().chain([window.end]) {
        let end = expendable(conn, kind, surplus, start..stop, &mut bytes)?;
        deleted += delete.execute(params![signed(start), signed(end)]).map_err(failed)?;
        if end < stop {
            // This row and all later rows are young enough, and enough bytes have gone.
            surplus.bytes = 0;
            surplus.from = surplus.limit;
            break;
        }
        start = stop + 1;
        surplus.from = window.end;
    }
    let sql = "UPDATE retained SET bytes = max(bytes - ?2, 0) WHERE kind = ?1";
    conn.execute(sql, params![kind.id, signed(bytes.values().sum())]).map_err(failed)?;
    if kind.id == JOURNAL.id {
        let sql = "UPDATE journal_shares SET bytes = max(bytes - ?2, 0) WHERE workspace_id = ?1";
        let mut give_back = conn.prepare_cached(sql).map_err(failed)?;
        for (workspace, bytes) in bytes {
            give_back.execute(params![workspace, signed(bytes)]).map_err(failed)?;
        }
    }
    Ok(deleted as u64)
}

/// The end of a range's expendable rows, with the bytes added up by workspace.
fn expendable(
    conn: &Connection,
    kind: Kind,
    surplus: &mut Surplus,
    range: Range<u64>,
    bytes: &mut HashMap<i32, u64>,
) -> Result<u64, StoreError> {
    let mut statement = conn.prepare_cached(kind.sizes).map_err(failed)?;
    let mut rows =
        statement.query(params![signed(range.start), signed(range.end)]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let number = unsigned(row, 0).map_err(failed)?;
        if number >= surplus.below && surplus.bytes == 0 {
            return Ok(number);
        }
        let size = unsigned(row, 1).map_err(failed)? + ROW_OVERHEAD;
        surplus.bytes = surplus.bytes.saturating_sub(size);
        *bytes.entry(row.get(2).map_err(failed)?).or_default() += size;
    }
    Ok(range.end)
}

/// The numbers of a window in some queue or dead letter.
fn pinned(tx: &Tx<'_>, window: &Range<u64>) -> Result<BTreeSet<u64>, StoreError> {
    let mut pinned = BTreeSet::new();
    let sql = "SELECT seq FROM dead_letters WHERE seq >= ?1 AND seq < ?2";
    let mut statement = tx.conn.prepare_cached(sql).map_err(failed)?;
    let bounds = params![signed(window.start), signed(window.end)];
    for seq in statement.query_map(bounds, |row| unsigned(row, 0)).map_err(failed)? {
        pinned.insert(seq.map_err(failed)?);
    }
    let sql =
        "SELECT endpoint_id, first, seqs FROM queue_chunks WHERE lowest < ?2 AND highest >= ?1";
    let mut statement = tx.conn.prepare_cached(sql).map_err(failed)?;
    let bounds = params![signed(window.start), signed(window.end)];
    let mut chunks = statement.query(bounds).map_err(failed)?;
    while let Some(chunk) = chunks.next().map_err(failed)? {
        let endpoint = EndpointId(chunk.get(0).map_err(failed)?);
        let Some(queue) = tx.memory.queue(endpoint) else { continue };
        let cursor = lock(&queue).cursor();
        let first = unsigned(chunk, 1).map_err(failed)?;
        let blob = chunk.get_ref(2).map_err(failed)?.as_blob().map_err(|e| failed(e.into()))?;
        let delivered = usize::try_from(cursor.saturating_sub(first)).unwrap_or(usize::MAX);
        let queued = codec::decode(blob)?.into_iter().skip(delivered);
        pinned.extend(queued.filter(|seq| window.contains(seq)));
    }
    Ok(pinned)
}

/// Forgets the runs of identities without any event left.
fn forget_keys(conn: &Connection, window: &Range<u64>) -> Result<(), StoreError> {
    let sql = "DELETE FROM event_keys WHERE first_seq < ?2 \
               AND first_seq + length(hashes) / ?3 > ?1 \
               AND NOT EXISTS (SELECT 1 FROM journal WHERE seq >= first_seq \
               AND seq < first_seq + length(hashes) / ?3) RETURNING first_seq";
    let row = params![signed(window.start), signed(window.end), count(super::keys::KEY_BYTES)];
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    let runs = delete.query_map(row, |row| row.get::<_, i64>(0)).map_err(failed)?;
    let sql = "DELETE FROM event_ids WHERE part = ?1 AND first_seq = ?2";
    let mut delete = conn.prepare_cached(sql).map_err(failed)?;
    for run in runs.collect::<Result<Vec<_>, _>>().map_err(failed)? {
        for part in 0..super::keys::PARTS {
            delete.execute(params![part, run]).map_err(failed)?;
        }
    }
    Ok(())
}

/// Gives back pages that are free for good. Returns the number of pages.
fn vacuum(conn: &Connection) -> Result<u64, StoreError> {
    let number = |pragma: &str| {
        let read = |row: &Row<'_>| row.get::<_, i64>(0);
        conn.query_row(pragma, [], read).optional().map_err(failed).map(Option::unwrap_or_default)
    };
    let free = number("PRAGMA freelist_count")?;
    let kept = FREE_PAGES_MIN.max(number("PRAGMA page_count")? / FREE_PART);
    let pages = (free - kept).min(PAGES);
    if pages <= 0 {
        return Ok(0);
    }
    let mut statement =
        conn.prepare(&format!("PRAGMA incremental_vacuum({pages})")).map_err(failed)?;
    let mut steps = statement.query([]).map_err(failed)?;
    while steps.next().map_err(failed)?.is_some() {}
    let given = free - number("PRAGMA freelist_count")?;
    Ok(given.max(0).cast_unsigned())
}
