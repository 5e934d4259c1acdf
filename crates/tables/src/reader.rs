use hookyard_core::id::BatchId;
use hookyard_core::model::{Dataset, Row};
use hookyard_core::table::Stamp;
use hookyard_store::{RowLimit, RowQuery, SharedStore, StoreError};

/// How many rows are in memory at a time: large enough that a page's fixed cost does not count, small
/// enough that several readers at once are nothing to worry about.
const PAGE: RowLimit = RowLimit { rows: 1_000, bytes: 1 << 20 };

/// Reads the rows of one version of a dataset in their order, page by page. A version that is
/// replaced meanwhile is read on; one that is no longer kept ends the reading with an error and not
/// early.
pub(crate) struct Reader {
    store: SharedStore,
    dataset: Dataset,
    query: RowQuery,
    last: Option<BatchId>,
    done: bool,
}

impl Reader {
    /// A reader of the rows that `query` names, up to a batch.
    pub(crate) fn new(
        store: SharedStore,
        dataset: Dataset,
        query: RowQuery,
        last: Option<BatchId>,
    ) -> Self {
        let query = RowQuery { version: query.version.or(Some(dataset.version)), ..query };
        Self { store, dataset, query, last, done: false }
    }

    /// The next rows, at least one; `None` at the end.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        while !self.done {
            let Dataset { workspace, project, id, .. } = self.dataset;
            let page = self.store.rows_after(workspace, project, id, self.query, PAGE).await?;
            self.query.after = page.next;
            self.done = page.next.is_none();
            let mut rows = page.rows;
            if let Some(last) = self.last {
                let within = rows.partition_point(|row| row.batch <= last);
                self.done |= within < rows.len();
                rows.truncate(within);
            }
            if let Some(damaged) = rows.iter().find(|row| row.damaged) {
                // What is left out of a file or a sum without a word would be a wrong answer.
                let advice = "delete its batch, or restore a backup";
                let problem = format!("row {} is damaged in the store: {advice}", damaged.batch);
                return Err(StoreError::internal(problem));
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

/// A row's place.
pub(crate) fn stamp(row: &Row) -> Stamp {
    Stamp { batch: row.batch, received_at: row.received_at }
}
