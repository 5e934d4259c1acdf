//! Partitions of the journal and of the attempts.
//!
//! Each has a range of numbers, so that a number alone says where its row is; numbers follow the time
//! of commit, so the oldest rows are in the partitions of the lowest numbers.

use super::arriving::Range;
use super::columns::Columns;
use super::database::Conn;
use crate::StoreError;

/// Numbers in one partition: at a thousand events a second, some four hours. Large enough that a
/// month of that has two hundred partitions, small enough that one is dropped long before the next
/// month is over.
const WIDTH: i64 = 1 << 24;

/// Partitions that are there before they are needed: the ones that a node makes when it looks once
/// every few seconds cannot be used up in between.
const AHEAD: i64 = 2;

/// Held while partitions are made or dropped: "hkyd" and 3.
const LOCK: &str = "SELECT pg_advisory_xact_lock(29818711113986051)";

/// A table and the statement that says its last number.
const TABLES: [(&str, &str); 2] =
    [("journal", "SELECT seq FROM sequencer"), ("attempts", "SELECT last_value FROM attempt_ids")];

/// Makes the partitions that will be needed next.
pub(super) async fn make(conn: Conn) -> Result<(), StoreError> {
    let mut missing = Vec::new();
    for (table, last) in TABLES {
        let current = conn.one(last, &[]).await?.get_as::<i64>(0)? / WIDTH;
        let sql = "SELECT to_regclass($1) IS NULL";
        for place in current..=current + AHEAD {
            if conn.one(sql, &[&format!("{table}_{place}")]).await?.get_as(0)? {
                missing.push((table, place));
            }
        }
    }
    add(conn, missing).await
}

/// Makes the partitions for rows with these numbers.
pub(super) async fn cover(conn: Conn, ranges: &[Range]) -> Result<(), StoreError> {
    let places = |range: &Range| {
        let table = range.table;
        (range.first / WIDTH..=range.last / WIDTH).map(move |place| (table, place))
    };
    add(conn, ranges.iter().flat_map(places).collect()).await
}

/// Makes those of these partitions that are not there.
async fn add(conn: Conn, missing: Vec<(&'static str, i64)>) -> Result<(), StoreError> {
    if missing.is_empty() {
        return Ok(());
    }
    let tx = conn.begin().await?;
    tx.query(LOCK, &[]).await?;
    for (table, place) in missing {
        let name = format!("{table}_{place}");
        let there = tx.one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await?;
        if there.get_as(0)? {
            continue;
        }
        // Made apart and attached, which does not keep anybody from the table.
        let (from, until) = (place * WIDTH, (place + 1) * WIDTH);
        tx.batch(&format!(
            "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS); \
             ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({until})"
        ))
        .await?;
    }
    tx.commit().await
}

/// Drops the partitions before the current ones that have no row left.
pub(super) async fn drop_empty(conn: &Conn) -> Result<(), StoreError> {
    for (table, last) in TABLES {
        let current = conn.one(last, &[]).await?.get_as::<i64>(0)? / WIDTH;
        let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                   WHERE i.inhparent = $1::text::regclass";
        for row in conn.query(sql, &[&table]).await? {
            let name: String = row.get_as(0)?;
            let place = name.rsplit('_').next().and_then(|place| place.parse::<i64>().ok());
            // The one before the current one may still get rows of a transaction that is under way.
            if place.is_some_and(|place| place < current - 1) {
                drop_if_empty(conn, table, &name).await?;
            }
        }
    }
    Ok(())
}

async fn drop_if_empty(conn: &Conn, table: &str, name: &str) -> Result<(), StoreError> {
    let row = conn.one(&format!("SELECT EXISTS (SELECT FROM {name})"), &[]).await?;
    if row.get_as(0)? {
        return Ok(());
    }
    // Detaching locks the table for a moment; whoever is in the way is not waited for long.
    let drop = format!(
        "BEGIN; SET LOCAL lock_timeout = '500ms'; ALTER TABLE {table} DETACH PARTITION {name}; \
         DROP TABLE {name}; COMMIT"
    );
    match conn.batch(&drop).await {
        Ok(()) => tracing::info!(partition = name, "an empty partition was dropped"),
        Err(error) => {
            conn.batch("ROLLBACK").await?;
            tracing::debug!(partition = name, %error, "a partition is in use, and stays for now");
        }
    }
    Ok(())
}
