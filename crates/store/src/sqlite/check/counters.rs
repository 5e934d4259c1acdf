//! Whether counters and queues agree with the records.

use rusqlite::Connection;

use crate::StoreError;
use crate::check::{self, Looking, Report};
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

/// The same of the versions that are kept beside the visible ones.
const VERSIONS: &str = "
SELECT v.id, v.rows, v.suspended, v.bytes, n.rows, n.suspended, n.bytes
FROM dataset_versions v JOIN (
    SELECT v.id, count(r.id) - ifnull(sum(r.suspended), 0) AS rows,
           ifnull(sum(r.suspended), 0) AS suspended,
           ifnull(sum(iif(r.suspended, 0, ifnull(r.size, octet_length(r.cell)))), 0) AS bytes
    FROM dataset_versions v LEFT JOIN rows r ON r.version_id = v.id GROUP BY v.id
) n ON n.id = v.id
WHERE (v.rows, v.suspended, v.bytes) <> (n.rows, n.suspended, n.bytes)";

/// Bytes as retention counts them, up to the last checkpoint: what is said, and what the records are.
const RETAINED: &str = "
SELECT r.kind, r.bytes, n.bytes FROM retained r JOIN (
    SELECT 0 AS kind, ifnull(sum(octet_length(event_id) + octet_length(source)
        + octet_length(attributes) + octet_length(object) + 64), 0) AS bytes
    FROM journal WHERE seq <= (SELECT seq FROM checkpoint)
    UNION ALL SELECT 1, ifnull(sum(octet_length(seqs) + octet_length(url)
        + octet_length(request_headers) + octet_length(response_headers)
        + ifnull(octet_length(response), 0) + 64), 0)
    FROM attempts WHERE id <= (SELECT attempt_id FROM checkpoint)
    UNION ALL SELECT 2, ifnull(sum(bytes), 0) FROM dead_letters
    UNION ALL SELECT 3, ifnull(sum(bytes), 0) FROM audit
) n ON n.kind = r.kind WHERE r.bytes <> n.bytes";

/// The same of each workspace's events.
const SHARES: &str = "
SELECT workspace_id, sum(said), sum(held) FROM (
    SELECT workspace_id, bytes AS said, 0 AS held FROM journal_shares
    UNION ALL SELECT workspace_id, 0, octet_length(event_id) + octet_length(source)
        + octet_length(attributes) + octet_length(object) + 64
    FROM journal WHERE seq <= (SELECT seq FROM checkpoint)
) GROUP BY workspace_id HAVING sum(said) <> sum(held)";

/// What `retained` counts, by kind.
const KINDS: [&str; 4] = ["events", "attempts", "dead letters", "the audit log"];

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
    for (part, sql) in [("datasets", DATASETS), ("dataset_versions", VERSIONS)] {
        each(conn, sql, part, report, |row, report| {
            let number = |column| row.get::<_, i64>(column);
            let said = (number(1)?, number(2)?, number(3)?);
            let found = (number(4)?, number(5)?, number(6)?);
            report.find(part, unsigned(row, 0).ok(), check::rows_differ(said, found));
            Ok(())
        })?;
    }
    bytes(conn, report)?;
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

fn bytes(conn: &Connection, report: &mut Report) -> Result<(), StoreError> {
    each(conn, RETAINED, "retained", report, |row, report| {
        let kind = unsigned(row, 0)?;
        let what = usize::try_from(kind).ok().and_then(|kind| KINDS.get(kind).copied());
        let what = what.unwrap_or("records");
        report.find("retained", Some(kind), check::bytes_differ(what, row.get(1)?, row.get(2)?));
        Ok(())
    })?;
    each(conn, SHARES, "journal_shares", report, |row, report| {
        let workspace = unsigned(row, 0)?;
        let what = format!("events of workspace {workspace}");
        let problem = check::bytes_differ(&what, row.get(1)?, row.get(2)?);
        report.find("journal_shares", Some(workspace), problem);
        Ok(())
    })
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
pub(super) fn each(
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
