//! The writing thread when the database fails.

use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use hookyard_core::entropy::SystemEntropy;
use hookyard_core::model::{CredentialKind, Receipt, Scopes};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{Options, SqliteStore, connect, failed, recover};
use super::*;
use crate::contract::{self, WS};
use crate::vault::Vault;
use crate::{CredentialStore, JournalStore, NewCredential, QueueStore, SharedStore, Store};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    directory: TempDir,
    store: Arc<SqliteStore>,
}

type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Place {
    /// A store with a workspace, and an event in the workspace.
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Arc::new(open(&directory).unwrap());
        let new = contract::new_workspace(WS, "DEMO");
        crate::TenantStore::create_workspace(&*store, new).await.unwrap();
        store.append(WS, vec![contract::event(1, &[])], contract::at(0)).await.unwrap();
        Self { directory, store }
    }

    /// Another process that has the file open.
    fn other(&self) -> Connection {
        Connection::open(path(&self.directory)).unwrap()
    }

    fn run(&self, sql: &str) {
        self.other().execute_batch(sql).unwrap();
    }

    fn number(&self, sql: &str) -> i64 {
        self.other().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    async fn publish(&self, number: u64) -> Result<Vec<Receipt>, StoreError> {
        self.store.append(WS, vec![contract::event(number, &[])], contract::at(0)).await
    }

    /// Publishes so many events in one transaction.
    async fn publish_together(&self, numbers: &[u64]) -> Vec<Result<Vec<Receipt>, StoreError>> {
        let (go, wait) = mpsc::channel::<()>();
        let blocking = move |_: &mut Tx<'_>| Ok(wait.recv().is_ok());
        let mut blocked: Pending<'_, _> = Box::pin(self.store.writer.alone(blocking));
        begun(&mut blocked).await;
        let mut waiting: Vec<Pending<'_, _>> = Vec::new();
        for number in numbers {
            let mut publish: Pending<'_, _> = Box::pin(self.publish(*number));
            begun(&mut publish).await;
            waiting.push(publish);
        }
        go.send(()).unwrap();
        assert!(blocked.await.unwrap());
        let mut outcomes = Vec::new();
        for publish in waiting {
            outcomes.push(publish.await);
        }
        outcomes
    }

    async fn failed(&self) -> String {
        tokio::time::timeout(PATIENCE, self.store.failed()).await.unwrap()
    }

    /// The store, opened anew.
    async fn again(self) -> Self {
        let Self { directory, store } = self;
        let _ = store.close().await;
        drop(store);
        let store = Arc::new(open(&directory).unwrap());
        Self { directory, store }
    }
}

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("hookyard.db")
}

fn open(directory: &TempDir) -> Result<SqliteStore, StoreError> {
    let entropy = Arc::new(SystemEntropy);
    SqliteStore::open(Options { path: path(directory), key: [7; 32], entropy })
}

async fn begun<T>(future: &mut Pending<'_, T>) {
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    assert!(first.is_pending());
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Err(StoreError::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// A fault after which SQLite gives the transaction up by itself, as on a full disk or a failed read: the
/// fault comes with the event of the number.
fn poison(number: u64) -> String {
    let id = contract::event(number, &[]).id;
    format!(
        "CREATE TRIGGER poison BEFORE INSERT ON journal WHEN NEW.event_id = '{id}' \
         BEGIN SELECT RAISE(ROLLBACK, 'injected'); END"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_job_runs_while_another_process_has_the_lock_and_all_that_wait_are_answered() {
    let place = Place::new().await;
    let briefly = |tx: &mut Tx<'_>| tx.conn.busy_timeout(Duration::ZERO).map_err(failed);
    place.store.writer.alone(briefly).await.unwrap();
    let other = place.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = Arc::new(std::sync::atomic::AtomicU32::new(0));
    for bytes in [None, Some(1)] {
        let ran = Arc::clone(&ran);
        let job = move |_: &mut Tx<'_>| {
            ran.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        let refused = place.store.writer.submit(bytes, job).await;
        let reason = reason(refused);
        assert!(reason.contains("locked") && reason.contains("nothing was written"), "{reason}");
    }
    assert_eq!(ran.load(std::sync::atomic::Ordering::Relaxed), 0);
    other.execute_batch("ROLLBACK").unwrap();
    let receipts = place.publish(2).await.unwrap();
    assert_eq!(receipts[0].seq.0, 2);
    assert_eq!(place.number("SELECT max(seq) FROM journal"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_transaction_that_sqlite_gave_up_is_not_committed_by_itself() {
    let place = Place::new().await;
    place.run(&poison(3));
    for outcome in place.publish_together(&[2, 3, 4, 5]).await {
        assert!(outcome.is_err(), "{outcome:?}");
    }
    assert_eq!(place.number("SELECT count(*) FROM journal"), 1);
    // The numbers given out are free again, in memory as in the file.
    place.run("DROP TRIGGER poison");
    let outcomes = place.publish_together(&[4, 5]).await;
    let seqs: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap()[0].seq.0).collect();
    assert_eq!(seqs, [2, 3]);
    let place = place.again().await;
    assert_eq!(place.number("SELECT count(*) FROM journal"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_beside_a_job_that_runs_alone_leaves_nothing_behind() {
    let place = Place::new().await;
    let trigger = |when: &str| {
        format!(
            "CREATE TRIGGER poison {when} INSERT ON credentials \
             BEGIN SELECT RAISE(ROLLBACK, 'injected'); END"
        )
    };
    let made = || {
        let (kind, scopes) = (CredentialKind::Token, Scopes::all());
        let new = NewCredential::new(kind, scopes, [9; 32], None, contract::at(0));
        place.store.create_credential(WS, new)
    };
    for when in ["BEFORE", "AFTER"] {
        place.run(&trigger(when));
        assert!(made().await.is_err());
        place.run("DROP TRIGGER poison");
        assert_eq!(place.number("SELECT count(*) FROM credentials WHERE kind = 'token'"), 0);
        assert_eq!(place.number("SELECT count(*) FROM audit WHERE action LIKE 'cred%'"), 0);
    }
    made().await.unwrap();
    assert_eq!(place.publish(2).await.unwrap()[0].seq.0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_file_is_not_what_memory_says_fails_for_good_and_starts_anew() {
    let place = Place::new().await;
    let shared: SharedStore = Arc::clone(&place.store) as _;
    let endpoint = contract::endpoint(&shared).await.id;
    let queued = vec![contract::event(2, &[endpoint])];
    place.store.append(WS, queued, contract::at(0)).await.unwrap();
    // As an autocommitted row of a lost transaction was.
    place.run(
        "INSERT INTO journal SELECT 3, workspace_id, type_id, accepted_ms, 'ghost', source, \
               attributes, object, matched, NULL FROM journal WHERE seq = 1",
    );
    let first = place.publish(3).await;
    assert!(matches!(first, Err(StoreError::Internal(_))), "{first:?}");
    let second = reason(place.publish(4).await);
    assert!(second.contains("the file ends at 3, memory at 2"), "{second}");
    assert!(place.failed().await.contains("the file ends at 3, memory at 2"));
    for refused in [
        reason(place.publish(5).await),
        reason(place.store.health().await),
        reason(
            place
                .store
                .settle(
                    &contract::claim(&shared, endpoint).await,
                    contract::delivered(&[hookyard_core::id::Seq(2)], contract::at(1)),
                )
                .await,
        ),
    ] {
        assert!(refused.contains("has failed"), "{refused}");
    }
    // Nothing of memory is written over the file when the process ends.
    let place = place.again().await;
    assert_eq!(place.number("SELECT seq FROM checkpoint"), 0);
    assert_eq!(place.publish(6).await.unwrap()[0].seq.0, 4);
    place.store.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_the_file_has_lost_are_noticed_after_a_fault() {
    let place = Place::new().await;
    place.publish(2).await.unwrap();
    place.run("DELETE FROM journal WHERE seq = 2");
    place.run(&poison(3));
    assert!(place.publish(3).await.is_err());
    assert!(place.publish(4).await.is_err());
    assert!(place.failed().await.contains("the file ends at 1, memory at 2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_thread_is_said() {
    let place = Place::new().await;
    let crash = place.store.writer.alone(|_| -> Result<(), StoreError> { panic!("a bug") }).await;
    assert!(crash.is_err());
    assert!(place.failed().await.contains("crashed"));
    assert!(reason(place.publish(2).await).contains("crashed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_that_fail_are_not_tried_at_each_commit_and_lose_nothing() {
    let place = Place::new().await;
    place.run(
        "CREATE TABLE tried (at INTEGER);
         CREATE TRIGGER fault BEFORE UPDATE OF seq ON checkpoint
             BEGIN SELECT RAISE(ABORT, 'injected'); END",
    );
    for from in (0..24_000).step_by(1_000) {
        let events = (from..from + 1_000).map(|number| contract::event(10 + number, &[])).collect();
        place.store.append(WS, events, contract::at(0)).await.unwrap();
    }
    assert_eq!(place.number("SELECT seq FROM checkpoint"), 0);
    place.run("DROP TRIGGER fault");
    let place = place.again().await;
    assert_eq!(place.number("SELECT seq FROM checkpoint"), 24_001);
    assert_eq!(place.publish(9).await.unwrap()[0].seq.0, 24_002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_answered_while_the_disk_is_stuck_and_outcomes_are_waited_for() {
    let place = Place::new().await;
    let (memory, state) = recover::recover(&place.other(), &Vault::new(&[7; 32])).unwrap();
    let conn = connect(&path(&place.directory)).unwrap();
    let tick = Duration::from_millis(5);
    let writer = Writer::watched(conn, Arc::new(memory), state, tick).unwrap();
    let (go, wait) = mpsc::channel::<()>();
    // Stands for an fsync without a return.
    let blocking = writer.grouped(1, move |_| Ok(wait.recv().is_ok()));
    let mut stuck: Pending<'_, _> = Box::pin(blocking);
    let mut behind: Pending<'_, _> = Box::pin(writer.grouped(1, |_| Ok(true)));
    let mut to_the_end: Pending<'_, _> = Box::pin(writer.grouped_to_the_end(1, |_| Ok(7)));
    begun(&mut stuck).await;
    begun(&mut behind).await;
    begun(&mut to_the_end).await;
    for waiting in [stuck, behind] {
        let reason = reason(tokio::time::timeout(PATIENCE, waiting).await.unwrap());
        assert!(reason.contains("is not known"), "{reason}");
    }
    let refused = reason(writer.alone(|_| Ok(())).await);
    assert!(refused.contains("nothing was written"), "{refused}");
    go.send(()).unwrap();
    assert_eq!(to_the_end.await.unwrap(), 7);
    let well = async {
        while writer.alone(|_| Ok(())).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, well).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_checkpoint_or_write_a_page_is_not_healthy() {
    let place = Place::new().await;
    place.store.health().await.unwrap();
    place.run(
        "CREATE TRIGGER fault BEFORE UPDATE OF seq ON checkpoint
             BEGIN SELECT RAISE(ABORT, 'injected'); END",
    );
    place.store.writer.checkpoint().await.unwrap();
    for _ in 0..2 {
        let reason = reason(place.store.health().await);
        assert!(reason.contains("checkpoints fail: ") && reason.contains("injected"), "{reason}");
    }
    place.run("DROP TRIGGER fault");
    place.store.health().await.unwrap();
    assert_eq!(place.number("SELECT seq FROM checkpoint"), 1);

    place.run(
        "CREATE TRIGGER full BEFORE INSERT ON probe BEGIN SELECT RAISE(ROLLBACK, 'injected'); END",
    );
    assert!(reason(place.store.health().await).contains("injected"));
    place.run("DROP TRIGGER full");
    place.store.health().await.unwrap();
    assert_eq!(place.publish(2).await.unwrap()[0].seq.0, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_writes_as_much_as_the_transaction_that_was_lost() {
    let place = Place::new().await;
    let written = || place.number("SELECT length(filler) FROM probe");
    place.store.health().await.unwrap();
    assert_eq!(written(), 64 << 10);
    place.run(&poison(2));
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(500_000));
    let large = hookyard_core::model::NewEvent { object: large.into(), ..contract::event(2, &[]) };
    assert!(place.store.append(WS, vec![large], contract::at(0)).await.is_err());
    place.run("DROP TRIGGER poison");
    place.store.health().await.unwrap();
    assert_eq!(written(), 500_008);
    place.store.health().await.unwrap();
    assert_eq!(written(), 64 << 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_into_files_that_nobody_will_find() {
    for name in ["hookyard.db", "hookyard.db-wal"] {
        for replaced in [false, true] {
            let place = Place::new().await;
            place.publish(2).await.unwrap();
            let file = place.directory.path().join(name);
            let elsewhere = place.directory.path().join("elsewhere");
            std::fs::rename(&file, &elsewhere).unwrap();
            if replaced {
                std::fs::copy(&elsewhere, &file).unwrap();
            }
            let reason = reason(place.publish(3).await);
            let said = if replaced { "was replaced" } else { "was removed" };
            assert!(reason.contains(name) && reason.contains(said), "{reason}");
            assert!(place.failed().await.contains(said));
            assert!(place.store.health().await.is_err());
            // Somebody else's files have the names now.
            let _ = place.store.close().await;
            assert_eq!(file.exists(), replaced);
        }
    }
}
