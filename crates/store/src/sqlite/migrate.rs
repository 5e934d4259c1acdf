//! Forward-only migrations.
//!
//! Each migration has a number and runs once, in a separate transaction. The file keeps a checksum of each
//! applied migration, so a file written by a changed or newer Hookyard is refused and not guessed at.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::failed;
use crate::StoreError;

/// Marks a SQLite file as Hookyard's: "hkyd".
const APPLICATION_ID: i32 = 0x686b_7964;

/// All migrations, oldest first; the place of the last migration is the format version.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_dead_letter_bytes.sql"),
    include_str!("migrations/0003_oauth.sql"),
    include_str!("migrations/0004_receiving.sql"),
    include_str!("migrations/0005_datasets.sql"),
    include_str!("migrations/0006_access.sql"),
    include_str!("migrations/0007_flow.sql"),
    include_str!("migrations/0008_audit.sql"),
    include_str!("migrations/0009_deliveries.sql"),
    include_str!("migrations/0010_landing.sql"),
    include_str!("migrations/0011_verification.sql"),
    include_str!("migrations/0012_credential_projects.sql"),
    include_str!("migrations/0013_limits.sql"),
    include_str!("migrations/0014_overlap.sql"),
    include_str!("migrations/0015_inspection.sql"),
    include_str!("migrations/0016_probe.sql"),
    include_str!("migrations/0017_key_workspaces.sql"),
    include_str!("migrations/0018_quotas.sql"),
    include_str!("migrations/0019_event_ids.sql"),
    include_str!("migrations/0020_checksums.sql"),
    include_str!("migrations/0021_trash.sql"),
    include_str!("migrations/0022_shares.sql"),
    include_str!("migrations/0023_customers.sql"),
];

/// Brings the file to the newest format.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    migrate_to(conn, MIGRATIONS)
}

/// Brings the file to an earlier format, as the Hookyard of the time did.
#[cfg(test)]
pub(super) fn migrate_to_format(conn: &mut Connection, format: usize) -> Result<(), StoreError> {
    migrate_to(conn, &MIGRATIONS[..format])
}

/// Brings the file to the format of the last migration in the list.
fn migrate_to(conn: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    refuse_foreign(conn)?;
    conn.execute_batch(
        "CREATE TABLE IF NOT EXISTS migrations (
             version  INTEGER PRIMARY KEY,
             checksum TEXT NOT NULL
         ) STRICT;",
    )
    .map_err(failed)?;
    let applied = applied(conn)?;
    if applied.len() > migrations.len() {
        return Err(StoreError::internal(format!(
            "the data is of format {}, this hookyard knows formats up to {}: run the newer one",
            applied.len(),
            migrations.len()
        )));
    }
    let mut applied = applied.into_iter();
    for (version, sql) in (1_i64..).zip(migrations) {
        match applied.next() {
            Some(known) if known == checksum(sql) => {}
            Some(_) => {
                return Err(StoreError::internal(format!(
                    "migration {version} of the data is not the one of this hookyard"
                )));
            }
            None => apply(conn, version, sql)?,
        }
    }
    Ok(())
}

/// Reads the applied migrations from one of Hookyard's files.
pub(super) fn look_at(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let id: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    if id != APPLICATION_ID {
        return Err(StoreError::internal("the file is a SQLite database of another program"));
    }
    applied(conn)
}

/// Refuses a file in any other format, reading only.
pub(super) fn refuse_other_format(conn: &Connection) -> Result<(), StoreError> {
    let (found, known) = (look_at(conn)?, MIGRATIONS.len());
    if found.len() != known {
        let advice = match found.len() < known {
            true => "start `hookyard serve` of this version on it once, and stop it",
            false => "use the newer hookyard that wrote it",
        };
        return Err(StoreError::Conflict(format!(
            "the data is of format {}, and this hookyard works with format {known}: {advice}",
            found.len(),
        )));
    }
    match found.iter().zip(MIGRATIONS).position(|(found, sql)| *found != checksum(sql)) {
        Some(place) => Err(StoreError::internal(format!(
            "migration {} of the data is not the one of this hookyard",
            place + 1
        ))),
        None => Ok(()),
    }
}

fn refuse_foreign(conn: &Connection) -> Result<(), StoreError> {
    let id: i32 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(StoreError::internal("the file is a SQLite database of another program"));
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)
}

fn applied(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement =
        conn.prepare("SELECT checksum FROM migrations ORDER BY version").map_err(failed)?;
    let rows = statement.query_map([], |row| row.get(0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn apply(conn: &mut Connection, version: i64, sql: &str) -> Result<(), StoreError> {
    let tx = conn.transaction().map_err(failed)?;
    tx.execute_batch(sql).map_err(failed)?;
    tx.execute(
        "INSERT INTO migrations (version, checksum) VALUES (?1, ?2)",
        params![version, checksum(sql)],
    )
    .map_err(failed)?;
    tx.pragma_update(None, "user_version", version).map_err(failed)?;
    tx.commit().map_err(failed)
}

fn checksum(sql: &str) -> String {
    hex::encode(Sha256::digest(sql.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::SqliteCredentials;
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = memory();
        migrate(&mut conn).unwrap();
        migrate(&mut conn).unwrap();
        assert_eq!(applied(&conn).unwrap().len(), MIGRATIONS.len());
    }

    #[test]
    fn letters_of_format_1_get_their_bytes() {
        let mut conn = memory();
        migrate_to(&mut conn, &MIGRATIONS[..1]).unwrap();
        conn.execute_batch(
            "INSERT INTO journal VALUES (7, 1, 22, 0, 'abc', '/shop', '', '{\"a\":\"é\"}', x'');
             INSERT INTO dead_letters VALUES (1, 7, 22, 0, 'A'), (2, 7, 22, 0, 'A'),
                 (2, 8, 22, 0, 'A');",
        )
        .unwrap();
        migrate(&mut conn).unwrap();
        let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let one = 3 + 5 + 10 + 64;
        assert_eq!(number("SELECT bytes FROM dead_letters WHERE endpoint_id = 1"), one);
        assert_eq!(number("SELECT bytes FROM retained WHERE kind = 2"), 2 * one);
        conn.execute("DELETE FROM dead_letters WHERE endpoint_id = 2", []).unwrap();
        assert_eq!(number("SELECT bytes FROM retained WHERE kind = 2"), one);
    }

    #[test]
    fn a_file_of_the_first_format_keeps_what_it_has() {
        let mut conn = memory();
        migrate_to(&mut conn, &MIGRATIONS[..1]).unwrap();
        let old = "INSERT INTO workspaces VALUES (1, 'DEMO', 'Demo');
                   INSERT INTO credentials (workspace_id, kind, scopes, lookup)
                   VALUES (1, 'token', 'admin', x'05');";
        conn.execute_batch(old).unwrap();
        migrate(&mut conn).unwrap();
        let read = "SELECT merchant, scopes FROM workspaces JOIN credentials ON workspace_id = 1";
        let read = conn.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(read, ("DEMO".to_owned(), "admin".to_owned()));
    }

    #[test]
    fn changed_newer_and_foreign_files_are_refused() {
        let mut changed = memory();
        migrate(&mut changed).unwrap();
        changed.execute("UPDATE migrations SET checksum = 'x'", []).unwrap();
        assert!(migrate(&mut changed).unwrap_err().to_string().contains("not the one"));

        let mut newer = memory();
        migrate(&mut newer).unwrap();
        newer.execute("INSERT INTO migrations VALUES (99, 'x')", []).unwrap();
        assert!(migrate(&mut newer).unwrap_err().to_string().contains("run the newer one"));

        let mut foreign = memory();
        foreign.execute("CREATE TABLE t (a)", []).unwrap();
        assert!(migrate(&mut foreign).unwrap_err().to_string().contains("another program"));
    }

    #[test]
    fn a_command_beside_a_server_changes_no_format() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        migrate_to_format(&mut Connection::open(&path).unwrap(), 3).unwrap();
        let refused = SqliteCredentials::open(&path);
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        let format = |expected: usize| {
            let found = applied(&Connection::open(&path).unwrap()).unwrap();
            assert_eq!(found.len(), expected);
        };
        format(3);
        SqliteCredentials::migrate(&path).unwrap();
        format(MIGRATIONS.len());
        SqliteCredentials::open(&path).unwrap();
    }
}
