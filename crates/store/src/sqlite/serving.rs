//! Whether a file is a copy of one that a server was working on, without its write-ahead log.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::failed;
use crate::StoreError;

/// How long the end waits for those that still read: less than a server that stops is given.
const READERS_WAIT: Duration = Duration::from_secs(1);

/// The database's write-ahead log has something. To be asked before the database is opened, which
/// makes one.
pub(super) fn has_log(database: &Path) -> bool {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

/// Whether a server was working on the file as it is. `VACUUM INTO` makes another one of it, with
/// another version of the schema.
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

/// Notes in the file itself that a server works on it.
pub(super) fn begin(conn: &Connection) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO serving (id, schema) VALUES (1, ?1)";
    conn.execute(sql, [schema_version(conn)?]).map_err(failed)?;
    copy(conn, "PASSIVE")
}

/// Notes that the server is done, and leaves a file that is whole without its write-ahead log, as far
/// as nobody reads it.
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
