//! Whether counters and queues agree with the records.

use rusqlite::Connection;

use crate::StoreError;
use crate::check::{Looking, Report};
use crate::sqlite::rows::{is_damage, signed, unsigned};
use crate::sqlite::{codec, failed};

/// Datasets whose counters differ from their rows: the number, and the count of each side.
const DATASETS: &str = "
SELECT d.id, d.rows, d.suspended, d.bytes, n.rows, n.suspended, n.bytes
FROM datasets d JOIN (
    SELECT d.id, count(r.id) - ifnull(sum(r.suspended), 0) AS rows,
           ifnull(sum(r.suspended), 0) AS suspended,
           ifnull(sum(iif(r.suspended, 0, ifnull(r.size, octet_length(r.cell)))), 0) AS bytes
    FROM datasets d LEFT JOIN rows r ON r.version_id = d.version_id GROUP BY d.id
) n ON n.id = d.id
WHERE (d.rows, d.suspended, d.bytes) <> (n.rows, n.suspended, n.bytes)";

/// Dead letters without an event; nobody can redeliver such a letter.
const LETTERS: &str = "
SELECT seq, endpoint_id FROM dead_letters d
WHERE NOT EXISTS (SELECT 1 FROM journal j WHERE j.seq = d.seq)";

/// Queues as of the last checkpoint.
const CHUNKS: &str = "
SELECT c.endpoint_id, c.first, c.seqs, q.cursor FROM queue_chunks c
JOIN queues q ON q.endpoint_id = c.endpoint_id ORDER BY c.endpoint_id, c.first";

/// Compares counters, dead letters and queues with the records.
pub(super) fn look(
    conn: &Connection,
    report: &mut Report,
    looking: Looking<'_>,
) -> Result<(), StoreError> {
    looking("datasets", 0)?;
    each(conn, DATASETS, "datasets", report, |row, report| {
        let number = |column| row.get::<_, i64>(column);
        let said = (number(1)?, number(2)?, number(3)?);
        let found = (number(4)?, number(5)?, number(6)?);
        let problem = format!(
            "the dataset says (rows, suspended, bytes) {said:?}, and its rows are {found:?}"
        );
        report.find("datasets", unsigned(row, 0).ok(), problem);
        Ok(())
    })?;
    looking("dead_letters", 0)?;
    each(conn, LETTERS, "dead_letters", report, |row, report| {
        let endpoint: i64 = row.get(1)?;
        let problem =
            format!("endpoint {endpoint} has a dead letter of an event that is not there");
        report.find("dead_letters", unsigned(row, 0).ok(), problem);
        Ok(())
    })?;
    looking("queues", 0)?;
    queues(conn, report)
}

fn queues(conn: &Connection, report: &mut Report) -> Result<(), StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE seq = ?1)";
    let mut there = conn.prepare(sql).map_err(failed)?;
    each(conn, CHUNKS, "queue_chunks", report, |row, report| {
        let (endpoint, first, cursor) =
            (row.get::<_, i64>(0)?, unsigned(row, 1)?, unsigned(row, 3)?);
        let Ok(seqs) = codec::decode(row.get_ref(2)?.as_blob()?) else {
            let problem = format!("endpoint {endpoint}: a part of its queue cannot be read");
            report.find("queue_chunks", Some(first), problem);
            return Ok(());
        };
        for (_, seq) in (first..).zip(seqs).filter(|(place, _)| *place >= cursor) {
            if !there.query_row([signed(seq)], |row| row.get::<_, bool>(0))? {
                let problem = format!("endpoint {endpoint} has it queued, and it is not there");
                report.find("journal", Some(seq), problem);
            }
        }
        Ok(())
    })
}

/// Runs a query to the end, or to the first unreadable place of the database.
fn each(
    conn: &Connection,
    sql: &str,
    part: &'static str,
    report: &mut Report,
    mut look: impl FnMut(&rusqlite::Row<'_>, &mut Report) -> rusqlite::Result<()>,
) -> Result<(), StoreError> {
    let mut statement = conn.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    loop {
        let looked = match rows.next() {
            Ok(Some(row)) => look(row, report),
            Ok(None) => return Ok(()),
            Err(error) => Err(error),
        };
        match looked {
            Ok(()) => {}
            Err(error) if is_damage(&error) => {
                report.find(part, None, format!("reading broke off: {error}"));
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        }
    }
}
