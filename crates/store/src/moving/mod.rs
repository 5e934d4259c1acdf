//! Moving an embedded store into PostgreSQL.
//!
//! The embedded store is only read, in one transaction, while its directory is locked. Each table goes over
//! in batches, in a fixed order; the database keeps the number of received rows in the transaction of each
//! batch. So a move can be killed at any point and goes on from there. In the end both sides are read once
//! more and compared, table by table.
//!
//! A move has an id, kept on both sides: in the database, and in a [`Mark`] beside the data. The mark is
//! written first. Servers refuse a database with an unfinished move. Everything but the move refuses a
//! directory with a mark.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hookyard_core::entropy::{self, Entropy};
use hookyard_core::model::Secret;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::StoreError;
use crate::postgres::arriving::{Arriving, PARTITIONED, State};
use crate::postgres::partitions::Range;
use crate::sqlite::leaving::Leaving;
use crate::transfer::line::Checksum;
use crate::transfer::plan::{self, Planned};
pub use mark::Mark;

mod mark;
#[cfg(test)]
mod tests;

/// Bytes of one batch: large enough that a commit and its round trips cost little in comparison, and small
/// enough that the three batches at a time (read, waiting, sent) take little memory.
const BATCH_BYTES: usize = 8 << 20;

/// Hexadecimal digits of a move's id: enough that no two moves share an id.
const ID_DIGITS: usize = 32;

/// The data to move, and the destination.
#[derive(Clone)]
pub struct Options {
    /// The file of the embedded store. The caller keeps servers away from the file.
    pub file: PathBuf,
    /// Where the [`Mark`] is, or is to be.
    pub mark: PathBuf,
    /// Where the database is: `postgres://user:password@host:port/name`.
    pub url: Secret,
    /// The installation's encryption key; the move leaves the key unchanged.
    pub key: [u8; 32],
    /// Where the move's id and nonces come from.
    pub entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The present step of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Rows are being copied.
    Copying {
        /// The table.
        table: &'a str,
        /// Rows copied so far.
        rows: u64,
        /// Rows to copy in all.
        of: u64,
    },
    /// A table is read on both sides and compared.
    Comparing {
        /// The table.
        table: &'a str,
        /// The table's rows.
        rows: u64,
    },
}

/// Hears of the progress. An error as the answer ends the move at the point.
pub type Heard<'a> = &'a mut (dyn FnMut(Progress<'_>) -> Result<(), StoreError> + Send);

/// A moved table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedTable {
    /// The table's name.
    pub name: String,
    /// The number of the table's rows.
    pub rows: u64,
    /// The sum of the hashes of the rows, in hexadecimal digits; the same on both sides.
    pub checksum: String,
}

/// The result of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The tables.
    pub tables: Vec<MovedTable>,
    /// Whether an earlier run had done everything.
    pub before: bool,
}

/// Moves an embedded store into an empty database, or continues a move begun there.
///
/// Fails when the store is of another format or opens with another key, when the database holds
/// anything else, when either is out of reach, and when the two sides differ in the end. Whatever
/// was copied stays, and the next run goes on from there.
pub async fn run(options: Options, heard: Heard<'_>) -> Result<Moved, StoreError> {
    run_in_batches(options, BATCH_BYTES, heard).await
}

async fn run_in_batches(
    options: Options,
    batch_bytes: usize,
    heard: Heard<'_>,
) -> Result<Moved, StoreError> {
    let Options { file, mark, url, key, entropy } = options;
    let source = blocking(move || Leaving::open(&file, &key)).await?;
    let target = Arriving::open(url.expose()).await?;
    let tables = plan::tables(&source.tables()?, &target.tables().await?)?;
    let sequences = plan::sequences(&target.sequences().await?)?;
    let known = Mark::read(&mark).map_err(|error| {
        StoreError::internal(format!("{} cannot be read: {error}", mark.display()))
    })?;
    let id = known.map_or_else(|| entropy::hex(&*entropy, ID_DIGITS), |mark| mark.id);
    let begun = Mark { id: id.clone(), finished: false };
    let done = Mark { id: id.clone(), finished: true };
    if target.begin(&id, &tables, || begun.write(&mark)).await? == State::Finished {
        noted(done.write(&mark))?;
        return moved(&target, true).await;
    }
    target.prove(&key, &entropy).await?;
    let ranges = ranges(&source)?;
    target.make_room(&ranges).await?;
    let last_event = source.last_event();
    let numbered = |(name, last)| Ok((name, source.last(&last)?));
    let numbers = sequences.into_iter().map(numbered).collect::<Result<Vec<_>, StoreError>>()?;
    let moving = Moving { source: Arc::new(Mutex::new(source)), target: &target, batch_bytes };
    for table in &tables {
        moving.copy(Arc::new(table.clone()), heard).await?;
    }
    let checksums = moving.compare_all(&tables, heard).await?;
    target.finish(&numbers, last_event, &checksums).await?;
    noted(done.write(&mark))?;
    moved(&target, false).await
}

/// The numbers of the rows in tables that have partitions.
fn ranges(source: &Leaving) -> Result<Vec<Range>, StoreError> {
    let mut ranges = Vec::new();
    for (table, column) in PARTITIONED {
        if let Some((first, last)) = source.range(table, column)? {
            ranges.push(Range { table, first, last });
        }
    }
    Ok(ranges)
}

fn noted(written: io::Result<()>) -> Result<(), StoreError> {
    written.map_err(|error| {
        StoreError::internal(format!(
            "everything is moved, but that cannot be noted beside the data: {error}"
        ))
    })
}

async fn moved(target: &Arriving, before: bool) -> Result<Moved, StoreError> {
    let tables = target.arrived().await?.into_iter();
    let tables = tables.map(|table| MovedTable {
        name: table.name,
        rows: table.rows,
        checksum: table.checksum,
    });
    Ok(Moved { tables: tables.collect(), before })
}

/// Runs blocking work on a thread that may block.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(job).await.map_err(|error| StoreError::Internal(error.into()))?
}

/// Rows on their way.
#[derive(Debug, Default)]
struct Batch {
    rows: u64,
    lines: Vec<u8>,
}

/// A move under way.
struct Moving<'a> {
    source: Arc<Mutex<Leaving>>,
    target: &'a Arriving,
    batch_bytes: usize,
}

impl Moving<'_> {
    /// Copies the missing rows of a table.
    async fn copy(&self, table: Arc<Planned>, heard: Heard<'_>) -> Result<(), StoreError> {
        let mut rows = self.target.rows(&table).await?;
        let (source, counted) = (Arc::clone(&self.source), Arc::clone(&table));
        let of = blocking(move || held(&source).count(&counted)).await?;
        if of > 0 {
            heard(Progress::Copying { table: &table.name, rows, of })?;
        }
        let (sender, mut batches) = mpsc::channel(1);
        let reading = self.read(Arc::clone(&table), rows, sender);
        while let Some(Batch { rows: more, lines }) = batches.recv().await {
            self.target.take(&table, more, Bytes::from(lines)).await?;
            rows += more;
            heard(Progress::Copying { table: &table.name, rows, of })?;
        }
        reading.await.map_err(|error| StoreError::Internal(error.into()))?
    }

    /// Reads a table on a separate thread, and waits while the batches are not taken.
    fn read(
        &self,
        table: Arc<Planned>,
        skip: u64,
        sender: mpsc::Sender<Batch>,
    ) -> JoinHandle<Result<(), StoreError>> {
        let (source, batch_bytes) = (Arc::clone(&self.source), self.batch_bytes);
        spawn_blocking(move || {
            let send = |batch: Batch| {
                let gone = |_| StoreError::Unavailable("the move has ended".to_owned());
                sender.blocking_send(batch).map_err(gone)
            };
            let mut batch = Batch::default();
            held(&source).lines(&table, skip, &mut |line| {
                batch.rows += 1;
                batch.lines.extend_from_slice(line);
                match batch.lines.len() < batch_bytes {
                    true => Ok(()),
                    false => send(std::mem::take(&mut batch)),
                }
            })?;
            if batch.rows > 0 { send(batch) } else { Ok(()) }
        })
    }

    /// Reads every table on both sides; both must have the same rows.
    async fn compare_all(
        &self,
        tables: &[Planned],
        heard: Heard<'_>,
    ) -> Result<Vec<(String, Checksum)>, StoreError> {
        let mut checksums = Vec::new();
        for table in tables {
            let checksum = self.compare(table).await?;
            if checksum.rows > 0 {
                heard(Progress::Comparing { table: &table.name, rows: checksum.rows })?;
            }
            checksums.push((table.name.clone(), checksum));
        }
        let source = Arc::clone(&self.source);
        match blocking(move || held(&source).is_unchanged()).await? {
            true => Ok(checksums),
            false => Err(StoreError::Conflict(
                "the data directory was changed while it was moved: run this again, with an empty \
                 database if it says then that the two sides differ"
                    .to_owned(),
            )),
        }
    }

    async fn compare(&self, table: &Planned) -> Result<Checksum, StoreError> {
        let (source, wanted) = (Arc::clone(&self.source), table.clone());
        let here = blocking(move || {
            let mut checksum = Checksum::default();
            held(&source).lines(&wanted, 0, &mut |line| {
                checksum.add(line);
                Ok(())
            })?;
            Ok(checksum)
        });
        let (here, there) = tokio::try_join!(here, self.target.checksum(table))?;
        if here == there {
            return Ok(here);
        }
        let name = &table.name;
        Err(StoreError::Conflict(format!(
            "the table {name} has {} rows with the checksum {here} in the data directory, and {} \
             with {there} in the database: one of them was changed. Begin again with an empty \
             database",
            here.rows, there.rows
        )))
    }
}

fn held(source: &Mutex<Leaving>) -> MutexGuard<'_, Leaving> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}
