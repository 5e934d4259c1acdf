//! Whether each event, row and attempt reads as written.

use hookyard_core::id::WorkspaceId;
use rusqlite::{Connection, Row};

use crate::StoreError;
use crate::check::{Checked, Looking, Report};
use crate::checksum;
use crate::sqlite::rows::{is_damage, unsigned};
use crate::sqlite::{attempts, dataset_rows, failed, journal};

/// Records between two words about how far the check is: a second or less.
const SAY_EVERY: u64 = 100_000;

/// The finding about a row of a table: whether the row has a checksum, and the fault, if any.
type Look = fn(&Row<'_>) -> rusqlite::Result<(bool, Option<&'static str>)>;

/// Reads every record.
pub(super) fn look(
    conn: &Connection,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM journal ORDER BY seq", journal::COLUMNS);
    report.events = table(conn, report, looking, ("journal", &sql), event)?;
    let sql =
        "SELECT id, received_ms, suspended, cell, size, packed, checksum FROM rows ORDER BY id";
    report.rows = table(conn, report, looking, ("rows", sql), row)?;
    let sql = format!("SELECT id, {} FROM attempts ORDER BY id", attempts::COLUMNS);
    report.attempts = table(conn, report, looking, ("attempts", &sql), attempt)?;
    Ok(())
}

fn table(
    conn: &Connection,
    report: &mut Report,
    looking: Looking<'_>,
    (name, sql): (&'static str, &str),
    look: Look,
) -> Result<Checked, StoreError> {
    looking(name, 0)?;
    let mut checked = Checked::default();
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if is_damage(&error) => {
                // Records behind the fault cannot be reached from here.
                report.find(name, None, format!("reading broke off: {error}"));
                break;
            }
            Err(error) => return Err(failed(error)),
        };
        checked.records += 1;
        let (has_checksum, problem) = look(row).map_err(failed)?;
        checked.without_checksum += u64::from(!has_checksum);
        if let Some(problem) = problem {
            checked.damaged += 1;
            report.find(name, unsigned(row, 0).ok(), problem);
        }
        if checked.records.is_multiple_of(SAY_EVERY) {
            looking(name, checked.records)?;
        }
    }
    Ok(checked)
}

fn has(row: &Row<'_>, column: usize) -> bool {
    row.get_ref(column).is_ok_and(|value| value != rusqlite::types::ValueRef::Null)
}

fn event(row: &Row<'_>) -> rusqlite::Result<(bool, Option<&'static str>)> {
    let event = journal::event(row, WorkspaceId(0))?;
    Ok((has(row, 9), event.damaged.then_some("the event is not what was published")))
}

fn row(row: &Row<'_>) -> rusqlite::Result<(bool, Option<&'static str>)> {
    let damaged = dataset_rows::data_row(row)?.damaged;
    Ok((has(row, 6), damaged.then_some("the row is not what was received")))
}

fn attempt(row: &Row<'_>) -> rusqlite::Result<(bool, Option<&'static str>)> {
    let damaged = match attempts::attempt_from(row, 1) {
        Ok(attempt) => checksum::is_damaged(&attempt),
        // The row is here, so only its content can be at fault.
        Err(_) => true,
    };
    Ok((has(row, 23), damaged.then_some("the attempt is not what was recorded")))
}
