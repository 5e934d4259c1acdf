//! The work of the writing thread.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::mpsc;

use super::super::acknowledged::{self, Numbers};
use super::super::memory::Memory;
use super::super::next_ids::NextIds;
use super::super::rows::count;
use super::super::tx::{Effect, Fault, State, Tx};
use super::super::{checkpoint, deliveries, recover, serving, versions};
use super::files::Files;
use super::{Job, Message, Reply, WAITING_MAX};
use crate::StoreError;
use crate::standing::{Pulse, Standing};

/// Jobs in one transaction: enough that many jobs share the commit's fsync, few enough that the first job
/// does not wait long for the last (about 10 us each).
const GROUP_MAX: usize = 512;

/// Bytes of bodies in one transaction: keeps the time to a commit and the WAL's growth bounded when
/// bodies are large.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// Journal rows and attempts between two checkpoints: a start must read so many again.
const CHECKPOINT_EVERY: u64 = 20_000;

/// Journal rows or attempts after a failed checkpoint before the next try: seconds under load, so a fault is
/// neither tried at each commit nor kept for long.
const CHECKPOINT_AGAIN: u64 = 1_000;

/// Bytes that a check writes, at least: a publish of some tens of kilobytes must have room when the answer is
/// yes. At most one check a second makes a trickle.
const PROBE_BYTES: usize = 64 << 10;

/// Checks between two copies of the write-ahead log: every ten seconds at most, since a copy is another
/// fsync.
const COPY_EVERY: u64 = 10;

/// The writing thread.
pub(super) struct Work {
    pub(super) conn: Connection,
    pub(super) files: Files,
    pub(super) memory: Arc<Memory>,
    pub(super) state: State,
    pub(super) waiting: mpsc::Receiver<Message>,
    /// Messages taken before their turn.
    pub(super) held: VecDeque<Message>,
    pub(super) standing: Standing,
    pub(super) pulse: Pulse,
    /// Whether the database failed since the last comparison with memory.
    pub(super) suspect: bool,
    /// Why the database lost the last transaction, if so.
    pub(super) faulty: Option<String>,
    /// Bytes of the largest transaction lost by the database since the last success.
    pub(super) lost_bytes: usize,
    /// The last checkpoint, when failed.
    pub(super) late: Option<Late>,
    /// Why the write-ahead log was not copied into the file, if so.
    pub(super) uncopied: Option<String>,
    /// The number of probes so far.
    pub(super) probes: u64,
}

/// A checkpoint that failed.
pub(super) struct Late {
    reason: String,
    /// Up to where the next waits.
    seq: u64,
    attempt: u64,
}

impl Work {
    pub(super) fn run(mut self) {
        // A crash of the writing thread must not leave a server that only refuses.
        let _crash = Crash(self.standing.clone());
        while let Some(message) = self.next() {
            let beating = self.pulse.begin();
            match message {
                Message::Job(job) => self.transact(job),
                Message::Checkpoint(done) => {
                    self.checkpoint();
                    self.copy();
                    let _ = done.send(());
                }
                Message::Probe(done) => {
                    let _ = done.send(self.probe());
                }
                Message::Close(done) => {
                    self.checkpoint();
                    self.end_serving();
                    // The connection goes first, so the file is closed when the caller hears.
                    self.close();
                    let _ = done.send(());
                    return;
                }
            }
            if self.is_checkpoint_due() {
                self.checkpoint();
            }
            drop(beating);
        }
        self.close();
    }

    /// Leaves a file that is whole without the log.
    fn end_serving(&self) {
        if self.standing.reason().is_some() {
            return;
        }
        if let Err(error) = serving::end(&self.conn) {
            tracing::warn!(%error, "the write-ahead log stays: copy it with the database");
        }
    }

    /// Closes the connection, which removes the write-ahead log by name. Where the files are not the opened
    /// files, another log would be removed: then the files stay open.
    fn close(mut self) {
        if self.files.lost().is_some() {
            let _ = ManuallyDrop::new(self.conn);
        }
    }

    fn is_checkpoint_due(&self) -> bool {
        let (ids, last) = (self.state.ids, self.state.checkpoint);
        let due = ids.seq - last.seq >= CHECKPOINT_EVERY
            || ids.attempt - last.attempt >= CHECKPOINT_EVERY;
        let again = |late: &Late| ids.seq >= late.seq || ids.attempt >= late.attempt;
        due && self.late.as_ref().is_none_or(again)
    }

    /// The next message; while there is none, waiting rows are deleted.
    fn next(&mut self) -> Option<Message> {
        if let Some(message) = self.held.pop_front() {
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
        if let Err(fault) = self.begin() {
            self.note(Some(&fault));
            refuse(group, &fault);
            self.refuse_waiting(&fault);
            return;
        }
        let bytes = group.iter().filter_map(|job| job.bytes).sum();
        let alone = group.iter().any(|job| job.bytes.is_none());
        let before = self.state.ids;
        let mut replies: Vec<Reply> = Vec::with_capacity(group.len());
        let outcome = self.run_group(group, &mut replies);
        let reason = match outcome {
            Ok(effects) => {
                self.acknowledge(alone);
                effects.into_iter().for_each(|effect| effect(&self.memory));
                self.note(None);
                None
            }
            Err(Fault { reason, doubtful }) => {
                self.roll_back(before);
                if doubtful {
                    self.lost(bytes, &reason);
                }
                Some(reason)
            }
        };
        replies.into_iter().for_each(|reply| reply(reason.as_deref()));
    }

    /// The jobs of the next transaction.
    fn group(&mut self, first: Job) -> Vec<Job> {
        let Some(mut bytes) = first.bytes else { return vec![first] };
        let mut group = vec![first];
        while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX && self.held.is_empty() {
            match self.waiting.try_recv() {
                Ok(Message::Job(job @ Job { bytes: Some(more), .. })) => {
                    bytes += more;
                    group.push(job);
                }
                Ok(message) => self.held.push_back(message),
                Err(_) => break,
            }
        }
        group
    }

    /// Begins a transaction, without which no job runs. After a fault of the database, the transaction first
    /// checks that the file still equals memory.
    fn begin(&mut self) -> Result<(), String> {
        if let Some(reason) = self.standing.reason() {
            return Err(reason.to_string());
        }
        if let Some(lost) = self.files.lost() {
            self.standing.fail(&lost);
            return Err(lost);
        }
        execute(&self.conn, "BEGIN IMMEDIATE").map_err(|error| match error.contains("locked") {
            true => format!("{error}: another process has held its lock for too long"),
            false => error,
        })?;
        if !self.suspect {
            return Ok(());
        }
        let fault = match recover::difference(&self.conn, self.state.ids) {
            Ok(None) => {
                self.suspect = false;
                return Ok(());
            }
            Ok(Some(difference)) => {
                let reason = format!(
                    "after a fault of the database its file is not what the server knows ({difference}); \
                     a start reads the file anew"
                );
                self.standing.fail(&reason);
                reason
            }
            Err(error) => error.to_string(),
        };
        self.end();
        Err(fault)
    }

    /// Refuses the waiting jobs: each job would only wait as long again.
    fn refuse_waiting(&mut self, fault: &str) {
        let mut waiting = std::mem::take(&mut self.held);
        waiting.extend(std::iter::from_fn(|| self.waiting.try_recv().ok()).take(WAITING_MAX));
        for message in waiting {
            match message {
                Message::Job(job) => refuse(vec![job], fault),
                other => self.held.push_back(other),
            }
        }
    }

    fn run_group(
        &mut self,
        group: Vec<Job>,
        replies: &mut Vec<Reply>,
    ) -> Result<Vec<Effect>, Fault> {
        let mut tx = Tx {
            conn: &self.conn,
            state: &mut self.state,
            memory: &self.memory,
            effects: Vec::new(),
            broken: None,
        };
        for job in group {
            let open = tx.is_open();
            replies.push((job.run)(open.then_some(&mut tx)));
        }
        if tx.is_open()
            && let Err(error) =
                versions::write_open(&mut tx).and_then(|()| deliveries::write(&mut tx))
        {
            tx.broken = Some(Fault::of_database(error.to_string()));
        }
        match tx.broken {
            Some(fault) => Err(fault),
            None => execute(&self.conn, "COMMIT").map_err(Fault::of_database).map(|()| tx.effects),
        }
    }

    /// Notes the committed numbers. Only a job that runs alone changes an owner's decisions.
    fn acknowledge(&mut self, alone: bool) {
        let State { ids, acknowledged: Some(acknowledged), .. } = &mut self.state else { return };
        let known = acknowledged.written().changes();
        // A number that cannot be read now is noted with the next change.
        let read = || acknowledged::last_change(&self.conn).unwrap_or(known);
        let changes = if alone { read() } else { known };
        acknowledged.write(Numbers::before(*ids, changes));
    }

    /// Restores memory to the state before a lost transaction.
    fn roll_back(&mut self, before: NextIds) {
        self.end();
        self.state.keys.truncate(before.seq);
        self.state.repeats.truncate(before.repeat);
        self.state.ids = before;
        self.state.open.clear();
        self.state.rows.clear();
        self.state.kept.clear();
    }

    /// Makes sure that no transaction is open: later work would be lost with the transaction.
    fn end(&mut self) {
        if !self.conn.is_autocommit()
            && let Err(error) = execute(&self.conn, "ROLLBACK")
        {
            self.standing.fail(&format!("a transaction could not be rolled back: {error}"));
        }
    }

    /// The database lost a transaction of so many bytes.
    fn lost(&mut self, bytes: usize, reason: &str) {
        self.suspect = true;
        self.lost_bytes = self.lost_bytes.max(bytes);
        self.note(Some(reason));
    }

    /// Logs once when the database begins to fail, and when the database is well again.
    fn note(&mut self, fault: Option<&str>) {
        match (fault, self.faulty.is_some()) {
            (Some(fault), false) => tracing::error!(fault, "a transaction failed"),
            (None, true) => tracing::info!("transactions are committed again"),
            _ => {}
        }
        self.faulty = fault.map(str::to_owned);
    }

    /// Whether a publish would be accepted. The probe's transaction takes the way of each publish and is as
    /// large as a publish, since a smaller transaction may still find room.
    fn probe(&mut self) -> Result<(), StoreError> {
        if self.late.is_some() {
            self.checkpoint();
        }
        self.probes += 1;
        if self.uncopied.is_some() || self.probes.is_multiple_of(COPY_EVERY) {
            self.copy();
        }
        self.write_page()?;
        if let Some(Late { reason, .. }) = &self.late {
            return Err(StoreError::Unavailable(format!("checkpoints fail: {reason}")));
        }
        match &self.uncopied {
            Some(reason) => Err(StoreError::Unavailable(format!(
                "the write-ahead log cannot be copied into the database: {reason}"
            ))),
            None => Ok(()),
        }
    }

    fn write_page(&mut self) -> Result<(), StoreError> {
        let bytes = self.lost_bytes.clamp(PROBE_BYTES, GROUP_BYTES_MAX);
        if let Err(fault) = self.begin() {
            self.note(Some(&fault));
            return Err(StoreError::Unavailable(fault));
        }
        let sql = "INSERT OR REPLACE INTO probe (id, filler) VALUES (1, randomblob(?1))";
        let write = self.conn.prepare_cached(sql).and_then(|mut sql| sql.execute([count(bytes)]));
        let done = write.map_err(|error| error.to_string());
        match done.and_then(|_| execute(&self.conn, "COMMIT")) {
            Ok(()) => {
                self.lost_bytes = 0;
                self.note(None);
                Ok(())
            }
            Err(reason) => {
                self.end();
                self.lost(bytes, &reason);
                Err(StoreError::Unavailable(reason))
            }
        }
    }

    fn checkpoint(&mut self) {
        if let Some(lost) = self.files.lost() {
            self.standing.fail(&lost);
        }
        if self.standing.reason().is_some() || (self.suspect && !self.is_sound()) {
            return;
        }
        let done = checkpoint::checkpoint(&mut self.conn, &self.memory, &mut self.state);
        self.end();
        self.late = done.err().map(|error| {
            // Nothing is lost: the next start reads more of the journal again.
            tracing::error!(%error, "checkpoint failed");
            self.suspect = true;
            let NextIds { seq, attempt, .. } = self.state.ids;
            let (seq, attempt) = (seq + CHECKPOINT_AGAIN, attempt + CHECKPOINT_AGAIN);
            Late { reason: error.to_string(), seq, attempt }
        });
    }

    /// Whether the file equals memory, checked in a transaction that changes nothing.
    fn is_sound(&mut self) -> bool {
        let begun = self.begin();
        self.end();
        if let Err(fault) = &begun {
            self.note(Some(fault));
        }
        begun.is_ok()
    }

    /// Copies the WAL into the file as far as readers allow; only a copy shortens the file. Each commit keeps
    /// the WAL short, so a copy is as little work as a commit's. A commit reports no failure to copy; this
    /// function does.
    fn copy(&mut self) {
        let copied = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        self.uncopied = copied.err().map(|error| {
            tracing::error!(%error, "the write-ahead log was not copied");
            error.to_string()
        });
    }

    fn collect_garbage(&mut self) {
        let beating = self.pulse.begin();
        match versions::collect_garbage(&mut self.conn) {
            Ok(more) => self.state.garbage = more,
            Err(error) => {
                tracing::error!(%error, "deleting replaced rows failed");
                self.state.garbage = false;
            }
        }
        self.end();
        drop(beating);
    }
}

/// Answers jobs that were not begun.
fn refuse(jobs: Vec<Job>, fault: &str) {
    jobs.into_iter().for_each(|job| (job.run)(None)(Some(fault)));
}

/// Reports a crash of the thread when dropped during a panic.
struct Crash(Standing);

impl Drop for Crash {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the thread that writes has crashed; a start reads the file anew");
        }
    }
}

fn execute(conn: &Connection, sql: &str) -> Result<(), String> {
    let run = conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    run.map(drop).map_err(|error| error.to_string())
}
