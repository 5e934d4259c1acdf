//! Partitions of the tables that grow with time.
//!
//! Each partition has a range of the table's order. The journal and the rows are in the order of their
//! numbers; queues, cursors and pages name the numbers, so a number alone tells the place of the row.
//! Attempts are in the order of their start, the order of lists, and every request id tells the start. So
//! publishing, queues and the log look only into the partitions of the rows. A look into every partition (for
//! an event by its id, or the history of a type) takes one step into an index of each.
//!
//! Nodes make partitions in advance, one node at a time. A missing partition is no fault: the failed
//! statement ([`missing`]) is done once more after [`make`]. A default partition would have to be locked
//! against everybody for each new partition beside, and every request for a range without an end would look
//! into the default partition.
//!
//! New partitions are attached, without keeping anybody from the table; `discard` drops partitions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::columns::Columns;
use super::database::{Conn, NoPartition};
use crate::StoreError;

/// Partitions that a table is divided into, roughly. A statement costs some microseconds and a lock for each
/// partition, even for partitions not looked into, so there are to be few. Retention goes partition by
/// partition, so partitions are to be small. At 32, a month has one for each day.
///
/// Partitions get wider as the table grows. A store that keeps everything has 32 of the least width, and then
/// 32 more for each growth to some 2.7 times the size.
const PARTS: i64 = 32;

/// Partitions that exist before their first use. A node looks every ten seconds; the narrowest partition
/// lasts as long at a hundred thousand events a second.
const AHEAD: usize = 2;

/// Among how many rows of `retained` each partition's sum is spread.
pub(super) const SLOTS: i64 = 16;

/// Held while partitions are made or dropped, until the transaction's end: "hkyd" and 3.
const LOCK: &str = "SELECT pg_advisory_xact_lock(29818711113986051)";

/// The same, without waiting; the answer tells whether the lock was free.
const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock(29818711113986051)";

/// How long a maker or dropper of partitions waits for locks on tables. Making waits for other makers or for
/// an operator's VACUUM, and keeps nobody waiting meanwhile.
const PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

/// Numbers of rows in a table that has partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) table: &'static str,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// A table that grows with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// The kind's number in the tables `partitions` and `retained`.
    pub(super) id: i32,
    /// The table's name.
    pub(super) table: &'static str,
    /// The column of the table's order: the partitions' key.
    pub(super) key: &'static str,
    /// The order of an index of each partition, for finding the partition's first row.
    pub(super) order: &'static str,
    /// An expression: the last key given out, or the present key.
    last: &'static str,
    /// The least width of a partition. All borders are multiples of the least width, so such a partition fits
    /// between any two others.
    least: i64,
    /// The greatest width.
    most: i64,
    /// Whether keys leave no gap: then every key up to the last has a partition, or had one.
    dense: bool,
}

/// A million numbers are a gigabyte of usual events: too small to matter when nearly empty. A hundred million
/// events a day fill a partition of 128 million in a day and a third. The index of identities, with additions
/// at random, then has 3 GB, and still fits the memory of a server for such a load.
const LEAST: i64 = 1 << 20;
const MOST: i64 = 1 << 27;

/// Events, by number.
pub(super) const JOURNAL: Kind = Kind {
    id: 0,
    table: "journal",
    key: "seq",
    order: "seq",
    last: "(SELECT seq FROM sequencer)",
    least: LEAST,
    most: MOST,
    dense: true,
};

const HOUR_MS: i64 = 3_600_000;

/// Attempts, by start: a quarter of a day to a week.
pub(super) const ATTEMPTS: Kind = Kind {
    id: 1,
    table: "attempts",
    key: "started_ms",
    order: "started_ms + 0",
    last: "(extract(epoch FROM clock_timestamp()) * 1000)::int8",
    least: 6 * HOUR_MS,
    most: 7 * 24 * HOUR_MS,
    dense: false,
};

/// Rows of datasets, by number.
pub(super) const ROWS: Kind = Kind {
    id: 2,
    table: "rows",
    key: "id",
    order: "version_id, id",
    last: "(SELECT last_value FROM row_ids)",
    least: LEAST,
    most: MOST,
    dense: true,
};

/// Every partitioned table.
pub(super) const KINDS: [Kind; 3] = [JOURNAL, ATTEMPTS, ROWS];

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The partitioned table.
    pub(super) kind: Kind,
    /// The lowest key,
    pub(super) first: i64,
    /// and the end of the keys, exclusive.
    pub(super) until: i64,
    /// Whether all keys of the partition are given out or past.
    pub(super) closed: bool,
    /// Bytes of the partition's rows, as retention counts them.
    pub(super) bytes: u64,
    /// How many rows the partition has, as retention counts them.
    pub(super) items: u64,
}

impl Part {
    /// The name of the partition's table, as written in a statement.
    pub(super) fn name(&self) -> String {
        format!("\"{}_{}\"", self.kind.table, self.first)
    }
}

/// Whether a statement failed because there was no partition for a row.
pub(super) fn missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Internal(cause) if cause.is::<NoPartition>())
}

/// Takes the right to make and drop partitions until the transaction's end, if free.
pub(super) async fn try_lock(tx: &Conn) -> Result<bool, StoreError> {
    tx.one(TRY_LOCK, &[]).await?.get_as(0)
}

/// All partitions of a table, lowest first.
pub(super) async fn list(conn: &Conn, kind: Kind) -> Result<Vec<Part>, StoreError> {
    let sql = format!(
        "SELECT p.first, p.until, p.until <= {last}, coalesce(sum(r.bytes), 0)::int8, \
         coalesce(sum(r.items), 0)::int8 FROM partitions p LEFT JOIN retained r \
         ON r.kind = p.kind AND r.first = p.first WHERE p.kind = $1 \
         GROUP BY p.first, p.until ORDER BY p.first",
        last = kind.last
    );
    let part = |row: &tokio_postgres::Row| {
        Ok(Part {
            kind,
            first: row.get_as(0)?,
            until: row.get_as(1)?,
            closed: row.get_as(2)?,
            // A batch across a border may have been counted for the other partition.
            bytes: u64::try_from(row.get_as::<i64>(3)?).unwrap_or(0),
            items: u64::try_from(row.get_as::<i64>(4)?).unwrap_or(0),
        })
    };
    conn.query(&sql, &[&kind.id]).await?.iter().map(part).collect()
}

/// Makes the next partitions, and the partitions for attempts started at other moments.
pub(super) async fn make(conn: Conn, moments: &[Timestamp]) -> Result<(), StoreError> {
    let mut short = false;
    for kind in KINDS {
        short |= !wanted(&conn, kind, moments).await?.is_empty();
    }
    if !short {
        return Ok(());
    }
    let tx = conn.begin().await?;
    tx.query(LOCK, &[]).await?;
    tx.batch(PATIENCE).await?;
    for kind in KINDS {
        // Another node may have made the partitions meanwhile.
        for (first, until) in wanted(&tx, kind, moments).await? {
            create(&tx, kind, first, until).await?;
        }
    }
    tx.commit().await
}

/// Makes the partitions for rows with the keys.
pub(super) async fn cover(conn: Conn, ranges: &[Range]) -> Result<(), StoreError> {
    let tx = conn.begin().await?;
    tx.query(LOCK, &[]).await?;
    for range in ranges {
        let Some(kind) = KINDS.into_iter().find(|kind| kind.table == range.table) else { continue };
        let mut there = there(&tx, kind).await?;
        let width = width(kind, range.last.saturating_sub(range.first));
        let mut at = range.first;
        while at <= range.last {
            let ((_, until), added) = add(kind, &mut there, at, width);
            if let Some((first, until)) = added {
                create(&tx, kind, first, until).await?;
            }
            at = until;
        }
    }
    tx.commit().await
}

/// The partitions of a kind: each end, by the beginning.
async fn there(conn: &Conn, kind: Kind) -> Result<BTreeMap<i64, i64>, StoreError> {
    let sql = "SELECT first, until FROM partitions WHERE kind = $1";
    let mut there = BTreeMap::new();
    for row in conn.query(sql, &[&kind.id]).await? {
        there.insert(row.get_as(0)?, row.get_as(1)?);
    }
    Ok(there)
}

/// The ranges of a kind to make into partitions.
async fn wanted(
    conn: &Conn,
    kind: Kind,
    moments: &[Timestamp],
) -> Result<Vec<(i64, i64)>, StoreError> {
    let last = conn.one(&format!("SELECT {}", kind.last), &[]).await?.get_as(0)?;
    let there = there(conn, kind).await?;
    let moments: Vec<_> = match kind == ATTEMPTS {
        true => moments.iter().map(|at| at.as_millisecond()).collect(),
        false => Vec::new(),
    };
    Ok(plan(kind, there, last, &moments))
}

/// The ranges to add to the partitions that are `there`, so that the last key has a partition, [`AHEAD`]
/// follow, and the other keys have partitions as well.
fn plan(kind: Kind, mut there: BTreeMap<i64, i64>, last: i64, others: &[i64]) -> Vec<(i64, i64)> {
    let lowest = there.first_key_value().map_or(0, |(first, _)| *first);
    let width = width(kind, last.saturating_sub(lowest));
    let mut new = Vec::new();
    for other in others {
        new.extend(add(kind, &mut there, *other, kind.least).1);
    }
    let end = there.last_key_value().map_or(0, |(_, until)| *until);
    let mut at = if kind.dense { end.min(last) } else { last };
    let mut ahead = 0;
    while ahead < AHEAD {
        let ((first, until), added) = add(kind, &mut there, at, width);
        new.extend(added);
        ahead += usize::from(first > last);
        at = until;
    }
    new
}

/// Has a key be in a partition: the existing one, or a new partition of the width or the free part of the
/// width. Answers the partition, a second time if new.
fn add(
    kind: Kind,
    there: &mut BTreeMap<i64, i64>,
    key: i64,
    width: i64,
) -> ((i64, i64), Option<(i64, i64)>) {
    if let Some((first, until)) = there.range(..=key).next_back()
        && key < *until
    {
        return ((*first, *until), None);
    }
    let first = key.div_euclid(kind.least).saturating_mul(kind.least);
    let next = there.range(first..).next().map_or(i64::MAX, |(first, _)| *first);
    let part = (first, first.saturating_add(width).min(next));
    there.insert(part.0, part.1);
    (part, Some(part))
}

/// How wide a partition is to be where keys of so wide a range are kept.
fn width(kind: Kind, kept: i64) -> i64 {
    (kept / PARTS).clamp(kind.least, kind.most) / kind.least * kind.least
}

async fn create(tx: &Conn, kind: Kind, first: i64, until: i64) -> Result<(), StoreError> {
    let part = Part { kind, first, until, closed: false, bytes: 0, items: 0 };
    tx.batch(&format!("{}; {}", table(&part, &part.name()), attach(&part))).await?;
    let sql = "INSERT INTO partitions (kind, first, until) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&kind.id, &first, &until]).await?;
    let sql = "INSERT INTO retained (kind, first, slot) \
               SELECT $1, $2, generate_series(0, $3::int8 - 1)::int4";
    tx.execute(sql, &[&kind.id, &first, &SLOTS]).await?;
    tracing::debug!(partition = part.name(), first, until, "a partition was made");
    Ok(())
}

/// The statement that makes a partition's table. The table is made apart and attached, so that locks on the
/// new table concern nobody.
pub(super) fn table(part: &Part, name: &str) -> String {
    let whole = part.kind.table;
    format!(
        "CREATE TABLE {name} (LIKE {whole} INCLUDING DEFAULTS INCLUDING STORAGE \
         INCLUDING COMPRESSION)"
    )
}

/// The statement that attaches a partition, without waiting for readers and writers of the whole.
pub(super) fn attach(part: &Part) -> String {
    let Part { kind, first, until, .. } = part;
    let (whole, name) = (kind.table, part.name());
    format!(
        "ALTER TABLE {whole} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{until}')"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_get_wider_with_what_is_kept() {
        assert_eq!(width(JOURNAL, 0), LEAST);
        assert_eq!(width(JOURNAL, 64 * LEAST), 2 * LEAST);
        assert_eq!(width(JOURNAL, 95 * LEAST), 2 * LEAST, "borders are multiples of the least");
        assert_eq!(width(JOURNAL, i64::MAX), MOST);
        let days = |days: i64| days * 24 * HOUR_MS;
        assert_eq!(width(ATTEMPTS, days(32)), days(1));
        assert_eq!(width(ATTEMPTS, days(3_650)), days(7));
        assert_eq!(MOST % LEAST + ATTEMPTS.most % ATTEMPTS.least, 0);
    }

    #[test]
    fn a_store_that_keeps_everything_has_few_partitions() {
        // A million a day for ten years.
        let (mut there, mut last) = (BTreeMap::new(), 0);
        while last < 3_650_000_000 {
            there.extend(plan(JOURNAL, there.clone(), last, &[]));
            last += 1_000_000;
        }
        assert!((100..250).contains(&there.len()), "{}", there.len());
        let ends = there.values().copied();
        assert!(there.keys().copied().skip(1).eq(ends.take(there.len() - 1)), "there is a gap");
    }

    #[test]
    fn a_jump_is_covered_from_where_partitions_end() {
        let there = BTreeMap::from([(0, LEAST), (LEAST, 2 * LEAST)]);
        let new = plan(JOURNAL, there, 4 * LEAST, &[]);
        let firsts: Vec<_> = new.iter().map(|(first, _)| first / LEAST).collect();
        assert_eq!(firsts, [2, 3, 4, 5, 6]);
    }

    #[test]
    fn moments_far_away_get_partitions_of_their_own() {
        let day = 24 * HOUR_MS;
        let now = 20_600 * day + 5;
        let at = |at: i64| plan(ATTEMPTS, BTreeMap::new(), now, &[at]);
        let quarter = ATTEMPTS.least;
        assert_eq!(at(now).len(), 1 + AHEAD);
        assert_eq!(at(7)[0], (0, quarter));
        assert_eq!(at(-7)[0], (-quarter, 0));
        // A clock that is a year ahead takes nothing from what is needed now.
        let mut there: BTreeMap<_, _> = at(now + 365 * day).into_iter().collect();
        assert_eq!(there.len(), 2 + AHEAD);
        assert!(plan(ATTEMPTS, there.clone(), now, &[]).is_empty());
        for hour in 0..24 * 400 {
            there.extend(plan(ATTEMPTS, there.clone(), now + hour * HOUR_MS, &[]));
        }
        let mut end = i64::MIN;
        for (first, until) in there {
            assert!(first >= end && until > first, "they overlap");
            end = until;
        }
    }
}
