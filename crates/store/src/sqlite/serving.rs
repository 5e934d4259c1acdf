//! Whether a file is a copy of a served file, without the write-ahead log.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::failed;
use crate::StoreError;

/// How long the end waits for active readers: less than the time for a server's stop.
const READERS_WAIT: Duration = Duration::from_secs(1);

/// Whether the database's write-ahead log has content. Ask before opening the database, since opening makes a
/// log.
pub(super) fn has_log(database: &Path) -> bool {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// Whether a server was at work on this very file. `VACUUM INTO` makes a different file, with another version
/// of the schema.
pub(super) fn is_unfinished(conn: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'serving')";
    if !conn.query_row(sql, [], |row| row.get(0)).map_err(failed)? {
        return Ok(false);
    }
    let sql = "SELECT schema FROM serving";
    let begun: Option<i64> =
        conn.query_row(sql, [], |row| row.get(0)).optional().map_err(failed)?;
    Ok(begun == Some(schema_version(conn)?))
}

/// Notes in the file that a server is at work.
pub(super) fn begin(conn: &Connection) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO serving (id, schema) VALUES (1, ?1)";
    conn.execute(sql, [schema_version(conn)?]).map_err(failed)?;
    copy(conn, "PASSIVE")
}

/// Notes that the server is done, and leaves a file that is whole without the write-ahead log, as far as no
/// reader is active.
pub(super) fn end(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(READERS_WAIT).map_err(failed)?;
    conn.execute("DELETE FROM serving", []).map_err(failed)?;
    copy(conn, "TRUNCATE")
}

fn copy(conn: &Connection, how: &str) -> Result<(), StoreError> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(())).map_err(failed)
}

fn schema_version(conn: &Connection) -> Result<i64, StoreError> {
    conn.query_row("PRAGMA schema_version", [], |row| row.get(0)).map_err(failed)
}
