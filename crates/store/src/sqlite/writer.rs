//! The one thread that writes.
//!
//! Publishing, settling and receiving are *grouped*: the thread takes all that are waiting, up to a
//! bound, runs them in one transaction and commits once. Everything else runs *alone*, in a
//! transaction of its own, and may fail halfway. Effects on memory happen after the commit and before
//! the answers, in the order of the jobs; so whoever was answered finds memory up to date.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hookyard_core::id::{DatasetId, SourceId};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::deliveries::{self, Chunk};
use super::keys::Keys;
use super::memory::Memory;
use super::repeats::Repeats;
use super::versions::{NewRow, Open};
use super::{checkpoint, failed, versions};
use crate::{Actor, StoreError};

/// Jobs that may wait. A full queue makes callers wait, which is what slows publishers down to the
/// speed of the disk; at 64 clients it is never near full.
const WAITING_MAX: usize = 8_192;

/// Jobs in one transaction: enough that the commit's fsync is shared widely, few enough that the first
/// of them does not wait long for the last (about 10 us each).
const GROUP_MAX: usize = 512;

/// Bytes of bodies in one transaction: keeps the time to a commit and the WAL's growth bounded when
/// bodies are large.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// Journal rows and attempts between two checkpoints: what a start has to read again.
const CHECKPOINT_EVERY: u64 = 20_000;

/// What the writing thread knows beyond the database.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ids: NextIds,
    pub(super) keys: Keys,
    /// The datasets that the open transaction changes.
    pub(super) open: HashMap<DatasetId, Open>,
    /// The rows that it adds, in the order of their numbers.
    pub(super) rows: Vec<NewRow>,
    /// What it keeps for inspection.
    pub(super) kept: BTreeMap<SourceId, Vec<Chunk>>,
    pub(super) repeats: Repeats,
    /// Up to where the last checkpoint counts.
    pub(super) checkpoint: NextIds,
    /// Whether rows wait to be deleted.
    pub(super) garbage: bool,
}

/// The numbers that come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NextIds {
    pub(super) seq: u64,
    pub(super) attempt: u64,
    pub(super) row: u64,
    /// Of what a delivery is known again by.
    pub(super) repeat: u64,
    /// Of deliveries that are kept for inspection.
    pub(super) delivery: u64,
    /// Of versions in the order in which they are replaced.
    pub(super) position: u64,
    /// Bytes of the events since the start, as retention counts them.
    pub(super) journal_bytes: u64,
    /// Bytes of the attempts since the start.
    pub(super) attempt_bytes: u64,
}

type Effect = Box<dyn FnOnce(&Memory) + Send>;
type Reply = Box<dyn FnOnce(Option<&str>) + Send>;
type Run = Box<dyn FnOnce(&mut Tx<'_>) -> Reply + Send>;

struct Job {
    run: Run,
    /// Bytes that it writes, roughly; `None` when it must run alone.
    bytes: Option<usize>,
}

enum Message {
    Job(Job),
    Checkpoint(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// An open transaction.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) state: &'a mut State,
    pub(super) memory: &'a Memory,
    effects: Vec<Effect>,
    /// Set by a job that failed halfway: nothing of the transaction may stay.
    broken: Option<String>,
}

impl Tx<'_> {
    /// Does this to memory once the transaction is committed.
    pub(super) fn after_commit(&mut self, effect: impl FnOnce(&Memory) + Send + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// Writes something harmless.
    pub(super) fn touch(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE checkpoint SET id = 1 WHERE id = 1";
        self.conn.prepare_cached(sql).and_then(|mut sql| sql.execute([])).map_err(failed)?;
        Ok(())
    }
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Message>,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        memory: Arc<Memory>,
        state: State,
    ) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let work = Work { conn, memory, state, waiting, held: None };
        std::thread::Builder::new()
            .name("hookyard-writer".to_owned())
            .spawn(move || work.run())
            .map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { jobs })
    }

    /// Runs a job in a transaction shared with others. It must not write before it is sure to
    /// succeed; a fault of the database (and only that) fails the whole group.
    pub(super) async fn grouped<T: Send + 'static>(
        &self,
        bytes: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Some(bytes), job).await
    }

    /// Runs a job in a transaction of its own, which is rolled back when the job fails.
    pub(super) async fn alone<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(None, job).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        bytes: Option<usize>,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let alone = bytes.is_none();
        // What runs in a group is too frequent to be anybody's deed, and has records of its own.
        let actor = if alone { Actor::current() } else { None };
        let run: Run = Box::new(move |tx| {
            let result = Actor::lend(actor, || job(tx));
            if let Err(error) = &result
                && (alone || !is_refusal(error))
            {
                tx.broken = Some(error.to_string());
            }
            Box::new(move |fault| {
                let _ = answer.send(match (result, fault) {
                    (Ok(_), Some(fault)) => Err(StoreError::Unavailable(fault.to_owned())),
                    (result, _) => result,
                });
            })
        });
        let message = Message::Job(Job { run, bytes });
        self.jobs.send(message).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Writes what is derived, and lets the file shrink by the pages that were given back.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.jobs.send(Message::Checkpoint(done)).await.map_err(|_| stopped())?;
        written.await.map_err(|_| stopped())
    }

    /// Writes what is derived and stops the thread.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (done, closed) = oneshot::channel();
        self.jobs.send(Message::Close(done)).await.map_err(|_| stopped())?;
        closed.await.map_err(|_| stopped())
    }
}

/// Whether a job failed before it wrote anything: it was about something that is not there.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound(_) | StoreError::Conflict(_) | StoreError::LeaseLost)
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is stopping".to_owned())
}

/// The writing thread.
struct Work {
    conn: Connection,
    memory: Arc<Memory>,
    state: State,
    waiting: mpsc::Receiver<Message>,
    /// A message that was taken but did not fit the last group.
    held: Option<Message>,
}

impl Work {
    fn run(mut self) {
        while let Some(message) = self.next() {
            match message {
                Message::Job(job) => self.transact(job),
                Message::Checkpoint(done) => {
                    self.checkpoint();
                    self.truncate();
                    let _ = done.send(());
                }
                Message::Close(done) => {
                    self.checkpoint();
                    // The connection goes first, so that its file is closed when the caller hears.
                    drop(self.conn);
                    let _ = done.send(());
                    return;
                }
            }
            if self.state.ids.seq - self.state.checkpoint.seq >= CHECKPOINT_EVERY
                || self.state.ids.attempt - self.state.checkpoint.attempt >= CHECKPOINT_EVERY
            {
                self.checkpoint();
            }
        }
    }

    /// The next message; while there is none, rows that wait to be deleted are.
    fn next(&mut self) -> Option<Message> {
        if let Some(message) = self.held.take() {
            return Some(message);
        }
        while self.state.garbage {
            match self.waiting.try_recv() {
                Ok(message) => return Some(message),
                Err(mpsc::error::TryRecvError::Empty) => self.collect_garbage(),
                Err(mpsc::error::TryRecvError::Disconnected) => return None,
            }
        }
        self.waiting.blocking_recv()
    }

    fn transact(&mut self, first: Job) {
        let group = self.group(first);
        let before = self.state.ids;
        let mut replies: Vec<Reply> = Vec::with_capacity(group.len());
        let outcome = self.run_group(group, &mut replies);
        let fault = match outcome {
            Ok(effects) => {
                effects.into_iter().for_each(|effect| effect(&self.memory));
                None
            }
            Err(fault) => {
                self.roll_back(before, &fault);
                Some(fault)
            }
        };
        replies.into_iter().for_each(|reply| reply(fault.as_deref()));
    }

    /// The jobs of the next transaction.
    fn group(&mut self, first: Job) -> Vec<Job> {
        let Some(mut bytes) = first.bytes else { return vec![first] };
        let mut group = vec![first];
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
            match self.waiting.try_recv() {
                Ok(Message::Job(job @ Job { bytes: Some(more), .. })) => {
                    bytes += more;
                    group.push(job);
                }
                Ok(message) => {
                    self.held = Some(message);
                    break;
                }
                Err(_) => break,
            }
        }
        group
    }

    fn run_group(
        &mut self,
        group: Vec<Job>,
        replies: &mut Vec<Reply>,
    ) -> Result<Vec<Effect>, String> {
        let begun = execute(&self.conn, "BEGIN IMMEDIATE");
        let mut tx = Tx {
            conn: &self.conn,
            state: &mut self.state,
            memory: &self.memory,
            effects: Vec::new(),
            broken: begun.err(),
        };
        // Every job runs, so that every caller gets an answer, even in a transaction that is lost.
        replies.extend(group.into_iter().map(|job| (job.run)(&mut tx)));
        if tx.broken.is_none()
            && let Err(error) =
                versions::write_open(&mut tx).and_then(|()| deliveries::write(&mut tx))
        {
            tx.broken = Some(error.to_string());
        }
        match tx.broken {
            Some(fault) => Err(fault),
            None => execute(&self.conn, "COMMIT").map(|()| tx.effects),
        }
    }

    fn roll_back(&mut self, before: NextIds, fault: &str) {
        tracing::debug!(fault, "transaction rolled back");
        if !self.conn.is_autocommit()
            && let Err(error) = execute(&self.conn, "ROLLBACK")
        {
            tracing::error!(error, "rollback failed");
        }
        self.state.keys.truncate(before.seq);
        self.state.repeats.truncate(before.repeat);
        self.state.ids = before;
        self.state.open.clear();
        self.state.rows.clear();
        self.state.kept.clear();
    }

    fn checkpoint(&mut self) {
        if let Err(error) = checkpoint::checkpoint(&mut self.conn, &self.memory, &mut self.state) {
            // Nothing is lost: the next start reads more of the journal again.
            tracing::error!(%error, "checkpoint failed");
        }
    }

    /// Copies the WAL into the file as far as readers allow; only that makes the file shorter. The
    /// WAL is kept short by each commit, so this is as little work as any of them may be.
    fn truncate(&mut self) {
        let copied = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = copied {
            tracing::warn!(%error, "the write-ahead log was not copied");
        }
    }

    fn collect_garbage(&mut self) {
        match versions::collect_garbage(&mut self.conn) {
            Ok(more) => self.state.garbage = more,
            Err(error) => {
                tracing::error!(%error, "deleting replaced rows failed");
                self.state.garbage = false;
            }
        }
    }
}

fn execute(conn: &Connection, sql: &str) -> Result<(), String> {
    let run = conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    run.map(drop).map_err(|error| error.to_string())
}
