//! Whether each event, row and attempt is what was written. What they weigh is added up on the way.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use crate::StoreError;
use crate::check::{Checked, Looking, Report};
use crate::checksum;
use crate::postgres::columns::{Columns, paged};
use crate::postgres::database::Conn;
use crate::postgres::weights::JOURNAL_WEIGHT;
use crate::postgres::{attempts, dataset_rows, journal, journal_rows};
use crate::retention::ROW_OVERHEAD;

/// Records of one page at most; a page has a bound of bytes, too.
const PAGE: i64 = 2_000;

/// Records between two words about how far the check is: some seconds.
const SAY_EVERY: u64 = 100_000;

/// Records and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) bytes: i64,
    pub(super) items: i64,
}

impl Sum {
    fn add(&mut self, bytes: i64) {
        self.bytes += bytes;
        self.items += 1;
    }
}

/// What the records are, to be compared with the counters.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The events of each workspace in each partition, by the partition's first number.
    pub(super) events: BTreeMap<(i32, i64), Sum>,
    pub(super) attempts: Sum,
    /// Whether the very first attempt is there, so that no attempt was deleted.
    pub(super) first_attempt: bool,
    /// Of each version: visible rows, hidden ones, and the bytes of the visible ones.
    pub(super) versions: BTreeMap<i64, (i64, i64, i64)>,
    /// The highest number of an event.
    pub(super) last_event: i64,
}

/// Reads every record.
pub(super) async fn look(
    conn: &Conn,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<Held, StoreError> {
    let mut held = Held::default();
    events(conn, report, &mut held, looking).await?;
    rows(conn, report, &mut held, looking).await?;
    attempts(conn, report, &mut held, looking).await?;
    Ok(held)
}

/// Counts a record that was looked at.
fn count(
    (checked, report): (&mut Checked, &mut Report),
    (name, number): (&'static str, u64),
    has_checksum: bool,
    problem: Option<&str>,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    checked.records += 1;
    checked.without_checksum += u64::from(!has_checksum);
    if let Some(problem) = problem {
        checked.damaged += 1;
        report.find(name, Some(number), problem);
    }
    match checked.records.is_multiple_of(SAY_EVERY) {
        true => looking(name, checked.records),
        false => Ok(()),
    }
}

/// Whether the column has a checksum; a column that cannot be read has none.
fn has(row: &Row, column: usize) -> bool {
    row.get_as::<Option<i32>>(column).ok().flatten().is_some()
}

async fn events(
    conn: &Conn,
    report: &mut Report,
    held: &mut Held,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("journal", 0)?;
    let parts =
        conn.query("SELECT first FROM partitions WHERE kind = 0 ORDER BY first", &[]).await?;
    let parts = parts.iter().map(|row| row.get_as(0)).collect::<Result<Vec<i64>, _>>()?;
    let sql = format!(
        "SELECT {}, ({JOURNAL_WEIGHT} + {ROW_OVERHEAD})::int8 FROM journal j WHERE j.seq > $1 \
         ORDER BY j.seq LIMIT $2",
        journal_rows::COLUMNS
    );
    let sql = paged(&sql, journal::WEIGHT, "seq");
    let (mut last, mut checked) = (0, Checked::default());
    loop {
        let rows = conn.query(&sql, &[&last, &PAGE]).await?;
        for row in &rows {
            last = row.get_as(0)?;
            let event = journal_rows::event(row, 0)?;
            let part = parts.partition_point(|first| *first <= last).checked_sub(1);
            let part = part.and_then(|place| parts.get(place)).copied().unwrap_or_default();
            let sum = held.events.entry((row.get_as(1)?, part)).or_default();
            sum.add(row.get_as(10)?);
            let problem = event.damaged.then_some("the event is not what was published");
            let counted = (&mut checked, &mut *report);
            count(counted, ("journal", last.cast_unsigned()), has(row, 9), problem, looking)?;
        }
        if rows.is_empty() {
            held.last_event = last;
            report.events = checked;
            return Ok(());
        }
    }
}

async fn rows(
    conn: &Conn,
    report: &mut Report,
    held: &mut Held,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("rows", 0)?;
    let sql = "SELECT id, received_ms, suspended, cell, checksum, version_id, \
               octet_length(cell)::int8 AS bytes FROM rows WHERE (version_id, id) > ($1, $2) \
               ORDER BY version_id, id LIMIT $3";
    let sql = paged(sql, "bytes", "version_id, id");
    let (mut last, mut checked) = ((i64::MIN, i64::MIN), Checked::default());
    loop {
        let rows = conn.query(&sql, &[&last.0, &last.1, &PAGE]).await?;
        for row in &rows {
            last = (row.get_as(5)?, row.get_as(0)?);
            let (visible, hidden, bytes) = held.versions.entry(last.0).or_default();
            if row.get_as(2)? {
                *hidden += 1;
            } else {
                (*visible, *bytes) = (*visible + 1, *bytes + row.get_as::<i64>(6)?);
            }
            let damaged = dataset_rows::data_row(row)?.damaged;
            let problem = damaged.then_some("the row is not what was received");
            let counted = (&mut checked, &mut *report);
            count(counted, ("rows", last.1.cast_unsigned()), has(row, 4), problem, looking)?;
        }
        if rows.is_empty() {
            report.rows = checked;
            return Ok(());
        }
    }
}

async fn attempts(
    conn: &Conn,
    report: &mut Report,
    held: &mut Held,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("attempts", 0)?;
    let sql = format!(
        "SELECT {}, id, ({} + {ROW_OVERHEAD})::int8 AS weight, started_ms + 0 AS at FROM attempts \
         WHERE (started_ms + 0, id) > ($1, $2) ORDER BY started_ms + 0, id LIMIT $3",
        attempts::COLUMNS,
        attempts::WEIGHT
    );
    let sql = paged(&sql, attempts::READ, "at, id");
    let (mut last, mut checked) = ((i64::MIN, i64::MIN), Checked::default());
    loop {
        let rows = conn.query(&sql, &[&last.0, &last.1, &PAGE]).await?;
        for row in &rows {
            last = (row.get_as(25)?, row.get_as(23)?);
            held.attempts.add(row.get_as(24)?);
            held.first_attempt |= last.1 == 1;
            let damaged = match attempts::attempt(row) {
                Ok(attempt) => checksum::is_damaged(&attempt),
                // The row is here, so only its contents can be at fault.
                Err(_) => true,
            };
            let problem = damaged.then_some("the attempt is not what was recorded");
            let counted = (&mut checked, &mut *report);
            count(counted, ("attempts", last.1.cast_unsigned()), has(row, 22), problem, looking)?;
        }
        if rows.is_empty() {
            report.attempts = checked;
            return Ok(());
        }
    }
}
