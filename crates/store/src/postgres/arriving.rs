//! Taking in all there is in an embedded store.
//!
//! A batch of rows and the table's progress are one transaction, so a killed move goes on from the last
//! batch. Until the move is finished, no server may use the database.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use hookyard_core::entropy::Entropy;
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::columns::{Columns, signed};
use super::database::{Conn, Database, failed};
use super::partitions::{self, Range};
use super::weights::weigh_again;
use super::{migrate, prove};
use crate::StoreError;
use crate::transfer::line::Checksum;
use crate::transfer::plan::{New, Planned, Sequence, quoted};
use crate::vault::Vault;

/// Tables with partitions, and the columns that decide the partition.
pub(crate) const PARTITIONED: [(&str, &str); 3] =
    [("journal", "seq"), ("attempts", "started_ms"), ("rows", "id")];

/// Held by the moving process for the time of its connection: "hkyd" and 4.
const LOCK: &str = "SET lock_timeout = '30s'; SELECT pg_advisory_lock(29818711113986052); \
                    SET lock_timeout = 0";

/// The connection's first statement. Bytes must be written as sent.
const SESSION: &str = "SET bytea_output = 'hex'; SET jit = off";

/// A row when there is an unfinished move. Waits for a move that is just beginning.
const UNFINISHED: &str = "SELECT FROM moves WHERE NOT finished FOR SHARE";

/// Whether a server is at work.
const SERVED: &str = "SELECT EXISTS (SELECT FROM nodes WHERE until > clock_timestamp())";

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// There are rows to be copied or compared, maybe all of them.
    Unfinished,
    /// Everything is there.
    Finished,
}

/// A table as it was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) name: String,
    pub(crate) rows: u64,
    /// Of the rows, in whatever order, once they were compared.
    pub(crate) checksum: String,
}

/// Refuses a database with an unfinished move.
pub(super) async fn refuse_unfinished(conn: &Conn) -> Result<(), StoreError> {
    refuse(conn, UNFINISHED).await
}

/// The same in a transaction that changes nothing, and takes no lock.
pub(super) async fn refuse_half_moved(conn: &Conn) -> Result<(), StoreError> {
    refuse(conn, "SELECT FROM moves WHERE NOT finished").await
}

async fn refuse(conn: &Conn, unfinished: &str) -> Result<(), StoreError> {
    match conn.opt(unfinished, &[]).await? {
        Some(_) => Err(StoreError::Conflict(
            "a data directory is being moved into the database: run the same `hookyard migrate` \
             again to finish that, or use an empty database"
                .to_owned(),
        )),
        None => Ok(()),
    }
}

/// A database that takes in the contents of an embedded store.
pub(crate) struct Arriving {
    db: Database,
    client: Client,
    /// Moves what the client sends and gets.
    driver: JoinHandle<()>,
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.driver.abort();
        self.db.close();
    }
}

impl Arriving {
    /// Connects and brings the database to the newest format. Waits a little for another moving process: the
    /// process may have been killed, and the server has still to notice.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let db = Database::new(url)?;
        migrate::migrate(db.get().await?).await?;
        let (client, connection) = db.connect().await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the database ended");
            }
        });
        let arriving = Self { db, client, driver };
        arriving.run(SESSION).await?;
        match arriving.client.batch_execute(LOCK).await {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                Err(StoreError::Conflict(
                    "another `hookyard migrate` is at work on this database".to_owned(),
                ))
            }
            other => other.map(|()| arriving).map_err(|error| failed(&error)),
        }
    }

    /// The tables that there are.
    pub(crate) async fn tables(&self) -> Result<Vec<New>, StoreError> {
        let sql = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod) \
                   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                   WHERE c.relnamespace = current_schema()::regnamespace \
                   AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 \
                   AND NOT a.attisdropped ORDER BY c.relname, a.attnum";
        let mut tables: Vec<New> = Vec::new();
        for row in self.client.query(sql, &[]).await.map_err(|error| failed(&error))? {
            let (name, column): (String, (String, String)) =
                (row.get_as(0)?, (row.get_as(1)?, row.get_as(2)?));
            match tables.last_mut().filter(|table| table.name == name) {
                Some(table) => table.columns.push(column),
                None => tables.push(New { name, columns: vec![column] }),
            }
        }
        Ok(tables)
    }

    /// The sequences that there are.
    pub(crate) async fn sequences(&self) -> Result<Vec<Sequence>, StoreError> {
        let sql = "SELECT s.relname::text, t.relname::text, a.attname::text FROM pg_class s \
                   LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid \
                     AND d.deptype IN ('i', 'a') AND d.refobjsubid > 0 \
                   LEFT JOIN pg_class t ON t.oid = d.refobjid \
                   LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
                   WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace \
                   ORDER BY s.relname";
        let rows = self.client.query(sql, &[]).await.map_err(|error| failed(&error))?;
        let read = |row: &tokio_postgres::Row| {
            let of = row.get_as::<Option<String>>(1)?.zip(row.get_as::<Option<String>>(2)?);
            Ok(Sequence { name: row.get_as(0)?, of })
        };
        rows.iter().map(read).collect()
    }

    /// Begins the move with this id, or goes on with the move. A database with any other contents is refused.
    /// `note` is called before the database knows of a new move.
    pub(crate) async fn begin(
        &self,
        id: &str,
        tables: &[Planned],
        note: impl FnOnce() -> io::Result<()>,
    ) -> Result<State, StoreError> {
        let tx = self.db.begin().await?;
        // A server that starts now either is found below, or waits here and finds the move.
        tx.batch("LOCK TABLE moves IN EXCLUSIVE MODE").await?;
        if let Some(row) = tx.opt("SELECT origin, finished FROM moves", &[]).await? {
            let (origin, finished): (String, bool) = (row.get_as(0)?, row.get_as(1)?);
            return match (origin == id, finished) {
                (true, true) => Ok(State::Finished),
                (true, false) => Ok(State::Unfinished),
                (false, finished) => Err(other_move(finished)),
            };
        }
        self.refuse_used(&tx, tables).await?;
        tx.execute("INSERT INTO moves (id, origin, finished) VALUES (1, $1, false)", &[&id])
            .await?;
        note().map_err(|error| {
            StoreError::internal(format!("the move cannot be noted beside the data: {error}"))
        })?;
        tx.commit().await?;
        Ok(State::Unfinished)
    }

    async fn refuse_used(&self, tx: &Conn, tables: &[Planned]) -> Result<(), StoreError> {
        for table in tables {
            let sql = format!("SELECT EXISTS (SELECT FROM {})", quoted(&table.name));
            if tx.one(&sql, &[]).await?.get_as(0)? {
                return Err(StoreError::Conflict(format!(
                    "the database is not empty (there are {}): data is moved into an empty one only",
                    table.name
                )));
            }
        }
        match tx.one(SERVED, &[]).await?.get_as(0)? {
            true => Err(served()),
            false => Ok(()),
        }
    }

    /// Decides on the key for sealing secrets, or compares this key with the earlier choice.
    pub(crate) async fn prove(
        &self,
        key: &[u8; 32],
        entropy: &Arc<dyn Entropy>,
    ) -> Result<(), StoreError> {
        prove(self.db.begin().await?, &Vault::new(key), &**entropy).await
    }

    /// Makes the partitions for rows with these numbers.
    pub(crate) async fn make_room(&self, ranges: &[Range]) -> Result<(), StoreError> {
        partitions::cover(self.db.get().await?, ranges).await
    }

    /// How many rows of a table are there.
    pub(crate) async fn rows(&self, table: &Planned) -> Result<u64, StoreError> {
        let sql = "SELECT rows FROM moved_rows WHERE table_name = $1";
        let row = self.db.get().await?.opt(sql, &[&table.name]).await?;
        row.map_or(Ok(0), |row| row.unsigned(0))
    }

    /// Adds rows to a table.
    pub(crate) async fn take(
        &self,
        table: &Planned,
        rows: u64,
        lines: Bytes,
    ) -> Result<(), StoreError> {
        self.run("BEGIN").await?;
        let copied = self.copy(table, lines).await?;
        if copied != rows {
            return Err(StoreError::internal(format!(
                "{copied} rows arrived in {} of {rows} that were sent",
                table.name
            )));
        }
        let sql = "INSERT INTO moved_rows (table_name, rows) VALUES ($1, $2) \
                   ON CONFLICT (table_name) DO UPDATE SET rows = moved_rows.rows + excluded.rows";
        let done = self.client.execute(sql, &[&table.name, &signed(rows)]).await;
        done.map_err(|error| failed(&error))?;
        self.run("COMMIT").await
    }

    async fn copy(&self, table: &Planned, lines: Bytes) -> Result<u64, StoreError> {
        let sql = format!("COPY {} ({}) FROM STDIN", quoted(&table.name), names(table));
        let copy = async {
            let mut sink = pin!(self.client.copy_in(&sql).await?);
            sink.send(lines).await?;
            sink.finish().await
        };
        copy.await.map_err(|error| failed(&error))
    }

    /// The present contents of a table, as a checksum.
    pub(crate) async fn checksum(&self, table: &Planned) -> Result<Checksum, StoreError> {
        let sql = format!("COPY (SELECT {} FROM {}) TO STDOUT", names(table), quoted(&table.name));
        let read = async {
            let mut checksum = Checksum::default();
            let mut lines = pin!(self.client.copy_out(&sql).await?);
            while let Some(line) = lines.try_next().await? {
                checksum.add(&line);
            }
            Ok(checksum)
        };
        read.await.map_err(|error: tokio_postgres::Error| failed(&error))
    }

    /// Ends the move: sequences go on after `numbers`, events after `last_event`.
    pub(crate) async fn finish(
        &self,
        numbers: &[(String, i64)],
        last_event: i64,
        checksums: &[(String, Checksum)],
    ) -> Result<(), StoreError> {
        // Plans for unknown tables would be bad.
        self.run("ANALYZE").await?;
        let statements = async {
            self.client.batch_execute("BEGIN").await?;
            for (sequence, last) in numbers.iter().filter(|(_, last)| *last > 0) {
                let sql = "SELECT setval($1::text::regclass, $2)";
                self.client.execute(sql, &[sequence, last]).await?;
            }
            self.client.execute("UPDATE sequencer SET seq = $1", &[&last_event]).await?;
            for weighing in weigh_again() {
                self.client.batch_execute(&weighing).await?;
            }
            for (table, checksum) in checksums {
                let sql = "INSERT INTO moved_rows (table_name, rows, checksum) VALUES ($1, $2, $3) \
                           ON CONFLICT (table_name) DO UPDATE SET checksum = excluded.checksum";
                let values = (&signed(checksum.rows), &checksum.to_string());
                self.client.execute(sql, &[table, values.0, values.1]).await?;
            }
            self.client.batch_execute("UPDATE moves SET finished = true; COMMIT").await
        };
        statements.await.map_err(|error| failed(&error))
    }

    /// The tables of a move that is finished.
    pub(crate) async fn arrived(&self) -> Result<Vec<Arrived>, StoreError> {
        let sql =
            "SELECT table_name, rows, coalesce(checksum, '') FROM moved_rows ORDER BY table_name";
        let rows = self.db.get().await?.query(sql, &[]).await?;
        let read = |row: &tokio_postgres::Row| {
            Ok(Arrived { name: row.get_as(0)?, rows: row.unsigned(1)?, checksum: row.get_as(2)? })
        };
        rows.iter().map(read).collect()
    }

    async fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).await.map_err(|error| failed(&error))
    }
}

fn names(table: &Planned) -> String {
    let names: Vec<_> = table.columns.iter().map(|(column, _)| quoted(column)).collect();
    names.join(", ")
}

fn served() -> StoreError {
    StoreError::Conflict("a hookyard server uses the database: stop it first".to_owned())
}

fn other_move(finished: bool) -> StoreError {
    let reason = match finished {
        true => {
            "the database is not empty (another data directory was moved into it): data is moved \
             into an empty one only"
        }
        false => {
            "another data directory is being moved into the database, or this one was, and its mark \
             has been removed: use an empty database"
        }
    };
    StoreError::Conflict(reason.to_owned())
}
