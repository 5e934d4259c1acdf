//! Forward-only migrations.
//!
//! Each migration has a number and runs once, in a separate transaction. A checksum of each finished
//! migration is kept. Nodes that start together wait for each other on a lock of the database.
//!
//! An older Hookyard may still be serving while a newer one migrates, so a migration only adds: tables,
//! columns with a default, indexes. Removals come one release later. So a newer database is not refused
//! outright: [`OLDEST`] says from which version on the database can be used.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::columns::Columns;
use super::database::Conn;
use crate::StoreError;

/// All migrations, oldest first; the place of the last migration is the format version.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_quotas.sql"),
    include_str!("migrations/0003_checksums.sql"),
    include_str!("migrations/0004_trash.sql"),
    include_str!("migrations/0005_enabled.sql"),
    include_str!("migrations/0006_shares.sql"),
    include_str!("migrations/0007_customers.sql"),
];

/// The oldest format whose Hookyard may serve beside this one; kept with each migration. Before format 7
/// endpoints had no customers: such a Hookyard would send each event to the endpoints of all customers.
const OLDEST: i32 = 7;

/// Held while migrating: "hkyd" and 1.
const LOCK: i64 = 0x686b_7964_0001;

/// How long a statement of a migration may take, and how long a node waits for another node's migration: an
/// index on the largest table takes minutes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// The newest format of the database, and the oldest format whose Hookyard may serve beside the newest.
pub(super) const NEWEST: &str =
    "SELECT version, oldest FROM migrations ORDER BY version DESC LIMIT 1";

/// Why this Hookyard must not go on with a database of a format, if so: a newer Hookyard has recorded a
/// format that this Hookyard would damage.
pub(super) fn outgrown(version: i32, oldest: i32) -> Option<String> {
    let known = MIGRATIONS.len();
    let outgrown = usize::try_from(oldest).unwrap_or(usize::MAX) > known;
    outgrown.then(|| {
        format!(
            "the database is of format {version}, this hookyard knows formats up to {known}: run the \
             newer one"
        )
    })
}

/// Brings the database to the newest format.
pub(super) async fn migrate(conn: Conn) -> Result<(), StoreError> {
    let conn = conn.within(PATIENCE);
    refuse_unfit(&conn).await?;
    let tx = conn.begin().await?;
    tx.query("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    tx.batch(
        "CREATE TABLE IF NOT EXISTS migrations (
             version  int PRIMARY KEY,
             checksum text NOT NULL,
             oldest   int NOT NULL
         )",
    )
    .await?;
    let applied = tx.query("SELECT checksum, oldest FROM migrations ORDER BY version", &[]).await?;
    for (place, row) in applied.iter().enumerate() {
        let (checksum, oldest): (String, i32) = (row.get_as(0)?, row.get_as(1)?);
        match MIGRATIONS.get(place) {
            Some(sql) if checksum == checksum_of(sql) => {}
            Some(_) => {
                return Err(StoreError::internal(format!(
                    "migration {} of the database is not the one of this hookyard",
                    place + 1
                )));
            }
            None => {
                let version = i32::try_from(applied.len()).unwrap_or(i32::MAX);
                if let Some(reason) = outgrown(version, oldest) {
                    return Err(StoreError::internal(reason));
                }
            }
        }
    }
    for (version, sql) in (1_i32..).zip(MIGRATIONS).skip(applied.len()) {
        tx.batch(sql).await?;
        let insert = "INSERT INTO migrations (version, checksum, oldest) VALUES ($1, $2, $3)";
        tx.execute(insert, &[&version, &checksum_of(sql), &OLDEST]).await?;
    }
    tx.commit().await
}

/// Refuses a database that is not of this format, for a process that changes nothing.
pub(super) async fn refuse_other_format(conn: &Conn) -> Result<(), StoreError> {
    let there = conn.one("SELECT to_regclass('migrations') IS NOT NULL", &[]).await?;
    let found: i64 = match there.get_as(0)? {
        true => conn.one("SELECT count(*) FROM migrations", &[]).await?.get_as(0)?,
        false => 0,
    };
    let known = MIGRATIONS.len();
    match usize::try_from(found) {
        Ok(found) if found == known => Ok(()),
        Ok(0) => Err(StoreError::internal(
            "the database has no tables of Hookyard: run `hookyard init`, or name another database",
        )),
        Ok(found) if found < known => Err(StoreError::internal(format!(
            "the database is of format {found}, this hookyard has format {known}: start the server \
             once, which brings the database to the new format"
        ))),
        _ => Err(StoreError::internal(format!(
            "the database is of format {found}, this hookyard knows formats up to {known}: run the \
             newer one"
        ))),
    }
}

/// A database in another encoding would change bodies.
async fn refuse_unfit(conn: &Conn) -> Result<(), StoreError> {
    let row = conn
        .one(
            "SELECT current_setting('server_encoding'), \
             current_setting('server_version_num')::int4, current_setting('server_version')",
            &[],
        )
        .await?;
    let (encoding, number, version): (String, i32, String) =
        (row.get_as(0)?, row.get_as(1)?, row.get_as(2)?);
    if encoding != "UTF8" {
        return Err(StoreError::internal(format!(
            "the database's encoding is {encoding}: make one with ENCODING 'UTF8'"
        )));
    }
    if number < 150_000 {
        return Err(StoreError::internal(format!(
            "the server is PostgreSQL {version}: 15 or later is needed"
        )));
    }
    Ok(())
}

fn checksum_of(sql: &str) -> String {
    hex::encode(Sha256::digest(sql.as_bytes()))
}
