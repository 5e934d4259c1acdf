//! The single writing thread.
//!
//! Publishing, settling and receiving are *grouped*: the thread takes all waiting jobs, up to a bound, runs
//! the jobs in one transaction and commits once (group commit). Everything else runs *alone*, in a separate
//! transaction, and may fail halfway. After the commit and before the answers, the highest numbers are noted
//! beside the database ([`acknowledged`](super::acknowledged)). Then the effects on memory happen, in the order of the jobs; so an
//! answered caller finds memory up to date.
//!
//! No job runs outside a transaction: where no transaction can be begun, or SQLite has given the transaction
//! up, the remaining jobs are refused. After a fault of the database the next transaction first compares the
//! file with memory; where the two differ, the store has failed for good ([`Standing`]).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::memory::Memory;
use super::tx::{Fault, State, Tx};
use crate::standing::{PULSE_TICK, Pulse, Standing};
use crate::{Actor, StoreError};

mod files;
#[cfg(test)]
mod tests;
mod work;

use files::Files;
use work::Work;

/// Jobs that may wait. A full queue makes callers wait, and so slows publishers down to the speed of the disk
/// (backpressure); at 64 clients the queue is never near full.
const WAITING_MAX: usize = 8_192;

type Reply = Box<dyn FnOnce(Option<&str>) + Send>;
/// Does the job, or nothing without a transaction. Only the reply answers.
type Run = Box<dyn FnOnce(Option<&mut Tx<'_>>) -> Reply + Send>;

struct Job {
    run: Run,
    /// Bytes to write, roughly; `None` when the job must run alone.
    bytes: Option<usize>,
}

enum Message {
    Job(Job),
    Checkpoint(oneshot::Sender<()>),
    Probe(oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Message>,
    standing: Standing,
}

impl Writer {
    pub(super) fn start(
        conn: Connection,
        memory: Arc<Memory>,
        state: State,
    ) -> Result<Self, StoreError> {
        Self::watched(conn, memory, state, PULSE_TICK)
    }

    /// The same, with a check of the thread's progress once in a `tick`.
    fn watched(
        conn: Connection,
        memory: Arc<Memory>,
        state: State,
        tick: Duration,
    ) -> Result<Self, StoreError> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let standing = Standing::default();
        let pulse = Pulse::watched(&standing, tick)?;
        let work = Work {
            files: Files::of(&conn),
            conn,
            memory,
            state,
            waiting,
            held: VecDeque::new(),
            standing: standing.clone(),
            pulse,
            suspect: false,
            faulty: None,
            lost_bytes: 0,
            late: None,
            uncopied: None,
            probes: 0,
        };
        std::thread::Builder::new()
            .name("hookyard-writer".to_owned())
            .spawn(move || work.run())
            .map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { jobs, standing })
    }

    /// How the thread is.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Runs a job in a shared transaction. The job must not write before success is sure; a fault of the
    /// database (and only such a fault) fails the whole group.
    pub(super) async fn grouped<T: Send + 'static>(
        &self,
        bytes: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Some(bytes), job).await
    }

    /// The same, and waits for the outcome however long the disk is stuck: for jobs that must not be repeated
    /// while the first may still succeed.
    pub(super) async fn grouped_to_the_end<T: Send + 'static>(
        &self,
        bytes: usize,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (message, answered) = message(Some(bytes), job);
        self.standing.refuse_failed()?;
        self.exchange(message, answered).await
    }

    /// Runs a job in a separate transaction, which is rolled back when the job fails.
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
        self.standing.refuse()?;
        let (message, answered) = message(bytes, job);
        tokio::select! {
            biased;
            done = self.exchange(message, answered) => done,
            unknown = self.standing.stuck() => Err(unknown),
        }
    }

    async fn exchange<T>(
        &self,
        message: Message,
        answered: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.jobs.send(message).await.map_err(|_| self.stopped())?;
        answered.await.map_err(|_| self.stopped())?
    }

    /// Whether a transaction of realistic size can be committed, and everything else needed goes well.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        self.standing.refuse()?;
        let (done, probed) = oneshot::channel();
        tokio::select! {
            biased;
            done = self.exchange(Message::Probe(done), probed) => done,
            unknown = self.standing.stuck() => Err(unknown),
        }
    }

    /// Writes derived state, and shrinks the file by the pages given back.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.jobs.send(Message::Checkpoint(done)).await.map_err(|_| self.stopped())?;
        written.await.map_err(|_| self.stopped())
    }

    /// Writes derived state and stops the thread.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (done, closed) = oneshot::channel();
        self.jobs.send(Message::Close(done)).await.map_err(|_| self.stopped())?;
        closed.await.map_err(|_| self.stopped())
    }

    /// Why the thread does not answer any more.
    fn stopped(&self) -> StoreError {
        let stopping = || StoreError::Unavailable("the store is stopping".to_owned());
        self.standing.refuse_failed().err().unwrap_or_else(stopping)
    }
}

/// A job for the writing thread, and the receiver of the outcome.
fn message<T: Send + 'static>(
    bytes: Option<usize>,
    job: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> (Message, oneshot::Receiver<Result<T, StoreError>>) {
    let (answer, answered) = oneshot::channel();
    let alone = bytes.is_none();
    // A grouped job is too frequent to be anybody's deed, and has separate records.
    let actor = if alone { Actor::current() } else { None };
    let run: Run = Box::new(move |tx| {
        let result = tx.map(|tx| {
            let result = Actor::lend(actor, || job(tx));
            if let Err(error) = &result
                && (alone || !is_refusal(error))
            {
                let doubtful = !is_refusal(error);
                tx.broken = Some(Fault { reason: error.to_string(), doubtful });
            }
            result
        });
        Box::new(move |fault| {
            let _ = answer.send(match (result, fault) {
                (Some(Ok(_)), Some(fault)) => Err(StoreError::Unavailable(fault.to_owned())),
                (Some(result), _) => result,
                (None, fault) => Err(not_run(fault)),
            });
        })
    });
    (Message::Job(Job { run, bytes }), answered)
}

/// The error for a caller whose job was not begun.
fn not_run(fault: Option<&str>) -> StoreError {
    let fault = fault.unwrap_or("there was no transaction");
    StoreError::Unavailable(format!("{fault}; nothing was written"))
}

/// Whether a job failed before the first write, because the job's object is absent.
fn is_refusal(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound(_) | StoreError::Conflict(_) | StoreError::LeaseLost)
}
