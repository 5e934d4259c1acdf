//! Group commit: the wishes of many callers go to the database in one statement.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::database::Database;
use super::partitions;
use crate::StoreError;

/// Jobs that may wait. A full queue makes callers wait, and so slows publishers down to the speed of the
/// database (backpressure).
const WAITING_MAX: usize = 8_192;

/// Jobs in a statement: enough that the commit is shared widely, few enough that the first does not wait long
/// for the last.
const JOBS_MAX: usize = 512;

/// Bytes in a statement: bounds the memory of both sides when bodies are large.
const BYTES_MAX: usize = 8 << 20;

/// The execution of many jobs at once.
#[async_trait::async_trait]
pub(super) trait Work: Send + Sync + 'static {
    /// The wish of one caller.
    type Job: Send + Sync + 'static;
    /// The answer to the caller.
    type Answer: Send + 'static;

    /// Bytes that the job sends, roughly.
    fn bytes(job: &Self::Job) -> usize;

    /// Of two jobs with the same mark, the later waits for the next batch.
    fn mark(_: &Self::Job) -> Option<i32> {
        None
    }

    /// When the subject of the job happened, if rows are kept by time.
    fn at(_: &Self::Job) -> Option<Timestamp> {
        None
    }

    /// Does the jobs in one transaction. Answers each job, in order; an error concerns all jobs.
    async fn run(
        &self,
        database: &Database,
        jobs: &[Self::Job],
    ) -> Result<Vec<Result<Self::Answer, StoreError>>, StoreError>;
}

type Waiting<W> = (<W as Work>::Job, oneshot::Sender<Result<<W as Work>::Answer, StoreError>>);

/// The way to a task that works in batches: during one batch, the next gathers.
#[derive(Debug)]
pub(super) struct Batches<W: Work> {
    jobs: mpsc::Sender<Waiting<W>>,
}

impl<W: Work> Batches<W> {
    pub(super) fn start(database: Arc<Database>, work: W) -> Self {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Task { database, work, waiting, held: Vec::new() }.run());
        Self { jobs }
    }

    /// Has a job done, even if the caller does not wait for the answer.
    pub(super) async fn submit(&self, job: W::Job) -> Result<W::Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.jobs.send((job, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is stopping".to_owned())
}

struct Task<W: Work> {
    database: Arc<Database>,
    work: W,
    waiting: mpsc::Receiver<Waiting<W>>,
    /// Jobs for the next batch.
    held: Vec<Waiting<W>>,
}

impl<W: Work> Task<W> {
    async fn run(mut self) {
        loop {
            if self.held.is_empty() {
                let Some(first) = self.waiting.recv().await else { return };
                self.held.push(first);
            }
            let (jobs, answers): (Vec<_>, Vec<_>) = self.gather().into_iter().unzip();
            match self.run_once(&jobs).await {
                Ok(results) => {
                    for (answer, result) in answers.into_iter().zip(results) {
                        // A caller that went away needs no answer.
                        let _ = answer.send(result);
                    }
                }
                Err(error) => {
                    let again = |reason: &StoreError| match reason {
                        StoreError::Unavailable(reason) => StoreError::Unavailable(reason.clone()),
                        other => StoreError::internal(other.to_string()),
                    };
                    for answer in answers {
                        let _ = answer.send(Err(again(&error)));
                    }
                }
            }
        }
    }

    /// Does a batch of jobs; once more when the rows' partition was missing.
    async fn run_once(
        &self,
        jobs: &[W::Job],
    ) -> Result<Vec<Result<W::Answer, StoreError>>, StoreError> {
        let done = self.work.run(&self.database, jobs).await;
        match &done {
            Err(error) if partitions::missing(error) => {
                let moments: Vec<_> = jobs.iter().filter_map(W::at).collect();
                partitions::make(self.database.get().await?, &moments).await?;
                self.work.run(&self.database, jobs).await
            }
            _ => done,
        }
    }

    /// The jobs of the next batch.
    fn gather(&mut self) -> Vec<Waiting<W>> {
        let mut batch: Vec<Waiting<W>> = Vec::new();
        let mut marks = std::collections::HashSet::new();
        let (mut bytes, mut later) = (0, Vec::new());
        let mut held = std::mem::take(&mut self.held).into_iter();
        while batch.len() < JOBS_MAX && bytes < BYTES_MAX {
            let Some(next) = held.next().or_else(|| self.waiting.try_recv().ok()) else { break };
            if W::mark(&next.0).is_some_and(|mark| !marks.insert(mark)) {
                later.push(next);
                if later.len() == JOBS_MAX {
                    break;
                }
                continue;
            }
            bytes += W::bytes(&next.0);
            batch.push(next);
        }
        later.extend(held);
        self.held = later;
        batch
    }
}
