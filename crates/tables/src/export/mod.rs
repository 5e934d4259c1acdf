//! Exports: a dataset as a file, streamed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookyard_core::id::{BatchId, DatasetId, WorkspaceId};
use hookyard_core::model::{Dataset, Row};
use hookyard_core::table::csv::Formulas;
use hookyard_store::{RowLimit, RowQuery};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::reader::Reader;
use crate::shares::Full;
use crate::{Error, Schema, Tables};

#[cfg(feature = "analytics")]
mod parquet;
mod text;

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// One JSON value a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// What such files' names end in, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    /// Whether rows are flattened unless it is said: not where a line can be the very cell.
    pub fn flattens(self) -> bool {
        self != Self::Ndjson
    }
}

/// What is wanted of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The form of the file.
    pub format: Format,
    /// Whether cells become columns, or stay whole.
    pub flatten: bool,
    /// Only rows that were accepted at or after this moment.
    pub from: Option<Timestamp>,
    /// Only rows that were accepted before this moment.
    pub until: Option<Timestamp>,
    /// What CSV does to texts that a spreadsheet would run.
    pub formulas: Formulas,
}

/// A file on its way.
#[derive(Debug)]
pub struct Export {
    /// The dataset's name.
    pub name: String,
    /// The parts of the file in their order. An error is the last one: the file is not whole then.
    /// Dropping this stops the work.
    pub parts: mpsc::Receiver<Result<Bytes, Error>>,
}

/// How long a reader may take for a part, about a mebibyte, before an export ends: its place is then
/// somebody else's. Whoever takes less than 20 KB/s would be at the usual dataset for hours.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Turns rows into the bytes of a file.
trait Encoder: Send {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Error>;
    fn rows(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<(), Error>;
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Error>;
}

impl Tables {
    /// Begins an export of the rows that a dataset has now. Rows that are added meanwhile are not in
    /// it, rows that are deleted or suspended meanwhile may be; what replaces the dataset meanwhile
    /// makes no difference, unless the version is no longer kept: then the export breaks off.
    pub async fn export(
        &self,
        workspace: WorkspaceId,
        id: DatasetId,
        options: Options,
    ) -> Result<Export, Error> {
        if options.format == Format::Parquet && !crate::ANALYTICS {
            return Err(Error::NotBuilt("Parquet"));
        }
        let permit = self.exports.take(workspace).map_err(|full| match full {
            Full::Own => Error::Busy("as many exports of this workspace as may run at once are running; try again when one ends"),
            Full::All => Error::Busy("as many exports as may run at once are running; try again later"),
        })?;
        let dataset = self.dataset(workspace, id).await?;
        let name = dataset.name.clone();
        let version = Some(dataset.version);
        let query =
            RowQuery { version, from: options.from, until: options.until, ..RowQuery::default() };
        let (last, encoder) = if options.flatten {
            let schema = self.schema_of(dataset.clone()).await?;
            let last = schema.inference.seen().map(|seen| seen.last.batch);
            (last, encoder(options, Some(&schema))?)
        } else {
            (self.last_batch(&dataset).await?, encoder(options, None)?)
        };
        let reader =
            last.map(|last| Reader::new(Arc::clone(&self.store), dataset, query, Some(last)));
        // One part waits while the next is made.
        let (send, parts) = mpsc::channel(1);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = write(reader, encoder, &send).await {
                tracing::warn!(%error, "an export broke off");
                // Nobody may be reading.
                let _ = send.send_timeout(Err(error), STALL_MAX).await;
            }
        });
        Ok(Export { name, parts })
    }

    /// The newest batch with a visible row.
    async fn last_batch(&self, dataset: &Dataset) -> Result<Option<BatchId>, Error> {
        let version = Some(dataset.version);
        let mut query = RowQuery { version, newest_first: true, ..RowQuery::default() };
        let one = RowLimit { rows: 1, bytes: 1 };
        loop {
            let Dataset { workspace, project, id, .. } = *dataset;
            let page = self.store.rows_after(workspace, project, id, query, one).await?;
            match (page.rows.first(), page.next) {
                (Some(row), _) => return Ok(Some(row.batch)),
                (None, None) => return Ok(None),
                (None, next) => query.after = next,
            }
        }
    }
}

fn encoder(options: Options, schema: Option<&Schema>) -> Result<Box<dyn Encoder>, Error> {
    match options.format {
        Format::Csv => Ok(Box::new(text::Csv::new(schema, options.formulas))),
        Format::Ndjson => Ok(Box::new(text::Ndjson::new(schema))),
        #[cfg(feature = "analytics")]
        Format::Parquet => Ok(Box::new(parquet::Parquet::new(schema)?)),
        #[cfg(not(feature = "analytics"))]
        Format::Parquet => Err(Error::NotBuilt("Parquet")),
    }
}

/// Writes a file to its end, or until nobody wants it.
async fn write(
    reader: Option<Reader>,
    mut encoder: Box<dyn Encoder>,
    send: &mpsc::Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    let mut first = Vec::new();
    encoder.begin(&mut first)?;
    if !pass_on(first, send).await {
        return Ok(());
    }
    if let Some(mut reader) = reader {
        while let Some(rows) = reader.page().await? {
            let encode = move || {
                let mut out = Vec::new();
                encoder.rows(&rows, &mut out).map(|()| (encoder, out))
            };
            let (back, out) = tokio::task::spawn_blocking(encode).await??;
            encoder = back;
            if !pass_on(out, send).await {
                return Ok(());
            }
        }
    }
    let end = move || {
        let mut out = Vec::new();
        encoder.end(&mut out).map(|()| out)
    };
    let out = tokio::task::spawn_blocking(end).await??;
    pass_on(out, send).await;
    Ok(())
}

/// Hands a part to the reader; `false` when it is gone or has taken nothing for long.
async fn pass_on(part: Vec<u8>, send: &mpsc::Sender<Result<Bytes, Error>>) -> bool {
    // Looked at even when there is nothing to say, so that work for nobody ends.
    if part.is_empty() {
        return !send.is_closed();
    }
    send.send_timeout(Ok(part.into()), STALL_MAX).await.is_ok()
}

#[cfg(test)]
mod tests;
