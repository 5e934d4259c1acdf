//! The embedded backend: one SQLite file.
//!
//! One thread writes ([`writer`]). The thread takes all waiting transactions into one commit (group commit)
//! and answers once the commit is on disk. A few connections read ([`readers`]). Reads for every event
//! (endpoints, queues, sources, the newest events) are answered from memory ([`memory`]). The writer changes
//! the memory after each commit and before the answer.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::entropy::Entropy;
use rusqlite::{Connection, ErrorCode};

use crate::vault::Vault;
use crate::{Store, StoreError};

mod access;
mod acknowledged;
mod applications;
mod attempts;
mod audit;
mod catalog;
mod check;
mod checkpoint;
mod codec;
mod credentials;
mod customers;
mod dataset_rows;
mod datasets;
mod dead_letters;
mod deliveries;
mod event_types;
mod folders;
mod gaps;
mod inspection;
mod jobs;
mod journal;
mod keys;
mod landing;
pub(crate) mod leaving;
mod limits;
mod memory;
mod migrate;
mod next_ids;
mod oauth;
mod open;
mod pack;
mod places;
mod queue;
mod readers;
mod receiving;
mod recover;
mod rekey;
mod repeats;
mod replays;
mod retention;
mod rows;
mod serving;
mod sources;
mod span;
mod stored;
mod tenant_rows;
mod tenants;
mod trash;
mod tx;
mod versions;
mod weights;
mod writer;

pub use access::SqliteCredentials;
use acknowledged::{Acknowledged, Numbers, Said};
use memory::Memory;
use places::Places;
use readers::Readers;
use writer::Writer;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file; made when absent.
    pub path: PathBuf,
    /// The installation's encryption key.
    pub key: [u8; 32],
    /// Where nonces come from.
    pub entropy: Arc<dyn Entropy>,
}

/// The embedded store. One process may have it open at a time (but see [`SqliteCredentials`]).
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    memory: Arc<Memory>,
    vault: Arc<Vault>,
    entropy: Arc<dyn Entropy>,
    places: Arc<Places>,
}

impl SqliteStore {
    /// Opens the file, migrates to the newest format and rebuilds derived state. A file without some
    /// acknowledged record is refused; [`SqliteStore::accept_loss`] is the way on.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        let has_log = serving::has_log(&options.path);
        let mut conn = connect(&options.path)?;
        let unfinished = serving::is_unfinished(&conn)?;
        migrate::migrate(&mut conn)?;
        let vault = Arc::new(Vault::new(&options.key));
        let (memory, mut state) = recover::recover(&conn, &vault)?;
        let held = Numbers::before(state.ids, acknowledged::last_change(&conn)?);
        acknowledged::refuse_shorter(&options.path, held)?;
        let known = acknowledged::read(&options.path)?;
        if unfinished && !has_log && known == Said::Nothing {
            tracing::warn!(
                path = %options.path.display(),
                "the database is a copy of one that was being served. A copy that `.backup` made is \
                 whole; one that `cp` made lacks what was in the write-ahead log, and may be damaged: \
                 run `hookyard check`"
            );
        }
        state.acknowledged = Acknowledged::begin(&options.path, held);
        if let Err(error) = serving::begin(&conn) {
            tracing::warn!(%error, "a copy of the database without its write-ahead log would go unnoticed");
        }
        let memory = Arc::new(memory);
        let readers = Readers::open(&options.path)?;
        let writer = Writer::start(conn, Arc::clone(&memory), state)?;
        let places = Arc::default();
        Ok(Self { writer, readers, memory, vault, entropy: options.entropy, places })
    }
}

impl SqliteStore {
    /// Reads a little of a file without the key: an error says that the file is damaged, or not Hookyard's.
    pub fn look_at(path: &Path) -> Result<(), StoreError> {
        let conn = readers::open(path)?;
        migrate::look_at(&conn)?;
        let sql = "SELECT (SELECT count(*) FROM workspaces), (SELECT max(seq) FROM journal)";
        conn.query_row(sql, [], |_| Ok(())).map_err(failed)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn health(&self) -> Result<(), StoreError> {
        self.writer.probe().await
    }

    async fn failed(&self) -> String {
        self.writer.standing().failed().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.writer.close().await
    }
}

/// Opens a connection for writes.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let conn = Connection::open(path).map_err(failed)?;
    // Pages of deleted rows can be given back; SQLite accepts the setting only before the first table is
    // made.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
    // WAL with FULL: a commit is on disk at the return. The connection waits for a writer in another process
    // (the command line adding a credential).
    conn.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    conn.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    conn.pragma_update(None, "foreign_keys", "ON").map_err(failed)?;
    conn.busy_timeout(BUSY_WAIT).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Makes an absent file, for the owner only, whatever the process's mask; SQLite gives the files beside the
/// database the same mode. An existing file is not opened: closing the file would give up the locks of this
/// process.
fn make_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            Err(StoreError::Unavailable(format!("cannot make {}: {error}", path.display())))
        }
    }
}

/// How long a writer waits for a writer of another process: far longer than any transaction here, and shorter
/// than the limit for a stuck disk, so that callers hear the reason.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(8);

/// A SQLite error in the contract's words.
fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::ReadOnly,
        ) => StoreError::Unavailable(error.to_string()),
        _ => StoreError::Internal(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::entropy::SystemEntropy;
    use hookyard_core::id::{DatasetId, EndpointId};
    use hookyard_core::model::{EndpointSettings, Mode, NewEvent, QueueState};
    use rusqlite::params;
    use tempfile::TempDir;

    use super::*;
    use crate::SharedStore;
    use crate::check::Report;
    use crate::contract::{self, Fixture};
    use crate::{AttemptQuery, Keep, Retention, RowLimit};

    struct Directory(TempDir);

    #[async_trait]
    impl Fixture for Directory {
        async fn open(&self) -> SharedStore {
            let path = self.0.path().join("hookyard.db");
            let entropy = Arc::new(SystemEntropy);
            Arc::new(SqliteStore::open(Options { path, key: [7; 32], entropy }).unwrap())
        }

        async fn check(&self) -> Option<Report> {
            let path = self.0.path().join("hookyard.db");
            let report = SqliteStore::check(&path, &[7; 32], &mut |_, _| Ok(()));
            Some(report.unwrap())
        }

        async fn tamper(&self, sql: &str) {
            let conn = Connection::open(self.0.path().join("hookyard.db")).unwrap();
            conn.execute_batch(sql).unwrap();
        }
    }

    fn directory() -> Directory {
        Directory(TempDir::new().unwrap())
    }

    contract::suite!(directory());

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn space_comes_back() {
        let place = directory();
        let store = contract::open(&place).await;
        let size = || place.0.path().join("hookyard.db").metadata().unwrap().len();
        let large = |number: u64| {
            let object = format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000));
            NewEvent { object: object.into(), ..contract::event(number, &[]) }
        };
        for from in (0..3_000).step_by(100) {
            let events = (from..from + 100).map(large).collect();
            store.append(contract::WS, events, contract::at(0)).await.unwrap();
        }
        store.close().await.unwrap();
        let full = size();
        assert!(full > 60_000_000, "{full}");

        let store = place.open().await;
        let age = Some(jiff::SignedDuration::from_secs(1));
        let journal = Keep { age, bytes: None };
        let keep = Retention { journal, ..Retention::default() };
        let mut rest = Some(store.expiry(keep, contract::at(10)).await.unwrap());
        let mut pages = 0;
        while let Some(expiry) = rest {
            let expired = store.expire(expiry).await.unwrap();
            assert!(expired.pages <= 256);
            pages += expired.pages;
            rest = expired.rest;
        }
        assert!(pages > 10_000, "{pages}");
        store.expiry(keep, contract::at(10)).await.unwrap();
        assert!(size() < full / 5, "{} of {full}", size());
    }

    #[tokio::test]
    async fn queues_of_format_1_go_on() {
        let place = directory();
        let mut conn = connect(&place.0.path().join("hookyard.db")).unwrap();
        migrate::migrate_to_format(&mut conn, 1).unwrap();
        let settings = EndpointSettings::to_url("https://x.test/");
        let settings = serde_json::to_string(&settings).unwrap();
        conn.execute_batch("INSERT INTO workspaces VALUES (1, 'DEMO', 'Demo')").unwrap();
        let event = "INSERT INTO journal VALUES (?1, 1, 22, 0, 'e' || ?1, 's', '', '{}', x'')";
        for seq in 1..=4 {
            conn.execute(event, [seq]).unwrap();
        }
        // Both have been refused their third event twice; the second has tried since the checkpoint.
        for id in [1, 2] {
            let sql = "INSERT INTO endpoints VALUES (?1, 1, 1, 0, ?2, '[]', NULL, NULL)";
            conn.execute(sql, params![id, settings]).unwrap();
            let sql = "INSERT INTO queues VALUES (?1, 2, 4, 3, 5000, 1000, 2, '[]', 4, 0)";
            conn.execute(sql, [id]).unwrap();
            let sql = "INSERT INTO queue_chunks VALUES (?1, 0, 4, 1, 4, ?2)";
            conn.execute(sql, params![id, codec::encode(1..=4)]).unwrap();
        }
        conn.execute_batch("UPDATE checkpoint SET seq = 4").unwrap();
        let sql = "INSERT INTO attempts VALUES (1, 2, 7000, 0, 0, 422, 0, 0, 0, 4, 3, 9000, 1, \
                   '00000000000000199D2A3B4C5D80011', ?1, ',22,', '[]', 'u', '[]', '[]', NULL, NULL)";
        conn.execute(sql, [codec::encode([3])]).unwrap();
        drop(conn);

        let store = place.open().await;
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        for (id, failures, refusals, retry) in [(1, 3, 2, 5), (2, 4, 3, 9)] {
            let lease = contract::claim(&store, EndpointId(id)).await;
            let head = store.head(&lease, contract::ALL).await.unwrap();
            let expected = QueueState {
                pending: 2,
                failures,
                retry_at: Some(at(retry)),
                failing_since: Some(at(1)),
                refusals,
                dead_letters: 0,
            };
            assert_eq!((head.state, head.held, head.entries.len()), (expected, 1, 2));
        }
        let query = AttemptQuery { limit: 9, ..AttemptQuery::default() };
        let attempts = store.attempts(contract::WS, EndpointId(2), query).await.unwrap().entries;
        assert!(attempts[0].record.entries.is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn stores_of_earlier_formats_are_read_back_and_go_on() {
        for packed in [
            &include_bytes!("fixtures/format-19.db.zst")[..],
            include_bytes!("fixtures/format-22.db.zst"),
        ] {
            let place = directory();
            let file = contract::earlier::unpacked(packed);
            std::fs::write(place.0.path().join("hookyard.db"), file).unwrap();
            contract::earlier::is_read_back_and_goes_on(place.open().await).await;
            contract::is_whole(&place).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_of_format_1_are_read() {
        let place = directory();
        let mut conn = connect(&place.0.path().join("hookyard.db")).unwrap();
        migrate::migrate_to_format(&mut conn, 1).unwrap();
        // Of the first dataset, two rows were replaced and one of them was not deleted yet.
        conn.execute_batch(
            r#"INSERT INTO workspaces VALUES (1, 'DEMO', 'Demo');
            INSERT INTO projects VALUES (1, 4, 'Main');
            INSERT INTO datasets VALUES (1, 1, 4, 'replaced', 5000, 7000, 2, 3, 21);
            INSERT INTO datasets VALUES (7, 1, 4, 'combined', 5000, 6000, 1, 7, 0);
            INSERT INTO rows VALUES (20, 1, 6000, 0, '"old"'), (21, 1, 7000, 0, '1'),
                (22, 7, 6000, 0, '{"a":1}'), (23, 1, 7000, 0, '22');
            INSERT INTO garbage VALUES (1, 21);"#,
        )
        .unwrap();
        drop(conn);

        let store = place.open().await;
        for (id, expected) in [(1, vec!["1", "22"]), (7, vec![r#"{"a":1}"#])] {
            let id = DatasetId(id);
            let dataset = store.dataset(contract::WS, contract::PROJECT, id).await.unwrap();
            assert_eq!(dataset.unwrap().stats.rows, expected.len() as u64);
            let all = RowLimit::NONE;
            let page = store.rows_at(contract::WS, contract::PROJECT, id, 0, all).await.unwrap();
            let cells: Vec<_> = page.rows.iter().map(|row| &row.cell[..]).collect();
            assert_eq!(cells, expected.iter().map(|cell| cell.as_bytes()).collect::<Vec<_>>());
            let versions = store.versions(contract::WS, contract::PROJECT, id).await.unwrap();
            assert_eq!(versions.len(), 1);
        }
        let added = store.append_row(contract::WS, DatasetId(7), "2".into(), contract::at(1));
        assert_eq!(added.await.unwrap().batch.0, 24);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_page_at_the_end_costs_what_one_at_the_start_does() {
        let place = directory();
        let store = contract::open(&place).await;
        let new = contract::new_source(Mode::Combine, "key");
        let source = store.create_source(new, contract::at(0)).await.unwrap();
        let receives = (0..20_000).map(|n: u32| {
            let store = Arc::clone(&store);
            let id = source.id;
            tokio::spawn(async move {
                store.receive(id, n.to_string().into(), contract::at(i64::from(n))).await
            })
        });
        let mut batches = Vec::new();
        for receive in receives.collect::<Vec<_>>() {
            batches.push(receive.await.unwrap().unwrap().batch);
        }
        batches.sort();
        store.close().await.unwrap();

        let conn = Connection::open(place.0.path().join("hookyard.db")).unwrap();
        let places = Places::default();
        let costs: Vec<_> = [0, 4_096, 19_900]
            .into_iter()
            .map(|offset| dataset_rows::costs(&conn, &places, source.dataset, offset, &batches))
            .collect();
        assert!(costs[0].0 > 100, "{costs:?}");
        for (by_cursor, by_offset) in &costs {
            assert!(by_cursor.abs_diff(costs[0].0) < 100, "{costs:?}");
            // Beyond the page itself, at most a step of the index.
            assert!(*by_offset < costs[0].1 + 5_000 * 20, "{costs:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn replaced_rows_leave_no_space_behind() {
        let place = directory();
        let store = contract::open(&place).await;
        let new = contract::new_source(Mode::Replace, "key");
        let source = store.create_source(new, contract::at(0)).await.unwrap();
        let cell = |n: u32| bytes::Bytes::from(format!("\"{}{n}\"", "x".repeat(50_000)));
        let size = || place.0.path().join("hookyard.db").metadata().unwrap().len();
        for n in 0..50 {
            store.receive(source.id, cell(n), contract::at(1)).await.unwrap();
        }
        store.expiry(Retention::default(), contract::at(1)).await.unwrap();
        let before = size();
        for n in 0..300 {
            store.receive(source.id, cell(n), contract::at(1)).await.unwrap();
        }
        store.close().await.unwrap();
        assert!(size() < before + 2_000_000, "{} after {before}", size());
    }
}
