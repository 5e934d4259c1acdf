use hookyard_core::id::{BatchId, VersionId};
use hookyard_core::model::{Dataset, Row};
use hookyard_core::row_filter::Filter;
use hookyard_store::{PAGE_BYTES_MAX, RowLimit, RowQuery};

use crate::work::Share;
use crate::{Engine, Error};

/// The most bytes of the cells returned by a search, but for a single larger row: an answer is in
/// memory whole.
pub const FOUND_BYTES_MAX: u64 = PAGE_BYTES_MAX as u64;

/// The most rows a search looks at: a second or so of work for large rows.
const SEARCHED_ROWS_MAX: usize = 20_000;

/// The most bytes of the cells a search looks at.
const SEARCHED_BYTES_MAX: u64 = 64 << 20;

/// The most pages a search reads, for datasets with most rows suspended or out of the range of
/// time.
const PAGES_MAX: usize = 100;

/// The size of a read, so that a search holds little memory and others get a turn.
const PAGE: RowLimit = RowLimit { rows: 1_000, bytes: 4 << 20 };

/// Which rows of a dataset to return.
#[derive(Debug, Clone)]
pub struct Search {
    /// Which rows to look at, and the row to start at.
    pub query: RowQuery,
    /// The filter for the cells.
    pub filter: Option<Filter>,
    /// The most rows to return, at least 1.
    pub limit: usize,
}

/// The result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The version of the rows.
    pub version: VersionId,
    /// The rows.
    pub rows: Vec<Row>,
    /// Where to search on; `None` when all was looked at. There may be no more rows.
    pub next: Option<BatchId>,
}

impl Engine {
    /// Searches rows of a dataset, in the order of their batches. A search does a bounded amount of
    /// work: the result may have few rows, or none, and a place to search on from.
    /// [`Error::NotFound`] when the wanted version is not kept any more.
    pub async fn search_rows(&self, dataset: &Dataset, search: &Search) -> Result<Found, Error> {
        let Dataset { id, workspace, project, .. } = *dataset;
        let mut query = search.query;
        let mut hits = Hits::default();
        for _ in 0..PAGES_MAX {
            let mut limit = PAGE;
            if search.filter.is_none() {
                limit.rows = limit.rows.min(search.limit - hits.rows.len());
            }
            let page = self.store().rows_after(workspace, project, id, query, limit).await?;
            query.version = Some(page.version);
            let bytes = page.rows.iter().map(|row| row.cell.len()).sum();
            let weight = if search.filter.is_some() { bytes } else { 0 };
            let (rows, next) = (page.rows, page.next);
            let look = || hits.take(rows, search);
            let taken = self.work().run(Share::Calls(workspace), weight, look).await?;
            query.after = match taken {
                Taken::All => next,
                Taken::UpTo(last) => Some(last),
            };
            let version = page.version;
            let ended = query.after.is_none();
            if ended || hits.is_full(search.limit) || matches!(taken, Taken::UpTo(_)) {
                return Ok(Found { version, rows: hits.rows, next: query.after });
            }
        }
        let version = query.version.unwrap_or(dataset.version);
        Ok(Found { version, rows: hits.rows, next: query.after })
    }
}

#[derive(Default)]
struct Hits {
    rows: Vec<Row>,
    bytes: u64,
    searched: usize,
    searched_bytes: u64,
}

/// How far a page was looked at.
enum Taken {
    All,
    /// Up to a batch.
    UpTo(BatchId),
}

impl Hits {
    fn is_full(&self, limit: usize) -> bool {
        self.rows.len() >= limit
            || self.searched >= SEARCHED_ROWS_MAX
            || self.searched_bytes >= SEARCHED_BYTES_MAX
    }

    fn take(&mut self, page: Vec<Row>, search: &Search) -> Taken {
        let mut last = None;
        let count = page.len();
        for (place, row) in page.into_iter().enumerate() {
            let (batch, bytes) = (row.batch, row.cell.len() as u64);
            self.searched += 1;
            self.searched_bytes += bytes;
            // A damaged row may match the search.
            let matches = |filter: &Filter| row.damaged || filter.matches(&row.cell);
            if search.filter.as_ref().is_none_or(matches) {
                if let Some(last) = last.or_else(|| self.rows.last().map(|row| row.batch))
                    && !self.rows.is_empty()
                    && self.bytes + bytes > FOUND_BYTES_MAX
                {
                    return Taken::UpTo(last);
                }
                self.bytes += bytes;
                self.rows.push(row);
                if self.rows.len() >= search.limit && place + 1 < count {
                    return Taken::UpTo(batch);
                }
            }
            last = Some(batch);
        }
        Taken::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn rows(cells: &[&str]) -> Vec<Row> {
        let row = |(batch, cell): (u64, &&str)| Row {
            batch: BatchId(batch),
            received_at: Timestamp::UNIX_EPOCH,
            cell: cell.as_bytes().to_vec().into(),
            damaged: false,
        };
        (1..).zip(cells).map(row).collect()
    }

    fn search(filter: Option<&str>, limit: usize) -> Search {
        let filter = filter.map(|text| Filter::parse(text).unwrap());
        Search { query: RowQuery::default(), filter, limit }
    }

    fn up_to(taken: &Taken) -> Option<u64> {
        match taken {
            Taken::All => None,
            Taken::UpTo(batch) => Some(batch.0),
        }
    }

    #[test]
    fn a_full_search_says_where_to_go_on() {
        let mut hits = Hits::default();
        let taken = hits.take(rows(&["1", "2", "3"]), &search(Some("$ ge 2"), 1));
        assert_eq!((up_to(&taken), hits.rows.len()), (Some(2), 1));
        let mut hits = Hits::default();
        let taken = hits.take(rows(&["1", "2", "3"]), &search(Some("$ ge 3"), 1));
        assert_eq!((up_to(&taken), hits.is_full(1)), (None, true));
        let mut hits = Hits::default();
        let taken = hits.take(rows(&["1", "2"]), &search(None, 5));
        assert_eq!((up_to(&taken), hits.is_full(5)), (None, false));
    }

    #[test]
    fn an_answer_is_bounded_in_bytes() {
        let large = format!("\"{}\"", "x".repeat(3 << 20));
        let mut hits = Hits::default();
        let taken = hits.take(rows(&[&large, "1", &large, "2"]), &search(None, 10));
        assert_eq!((up_to(&taken), hits.rows.len()), (Some(2), 2));
        let larger = format!("\"{}\"", "x".repeat(20 << 20));
        let mut hits = Hits::default();
        let taken = hits.take(rows(&[&larger]), &search(None, 10));
        assert_eq!((up_to(&taken), hits.rows.len()), (None, 1));
    }

    #[test]
    fn what_was_looked_at_is_bounded() {
        let mut hits = Hits { searched: SEARCHED_ROWS_MAX - 1, ..Hits::default() };
        hits.take(rows(&["1"]), &search(Some("$ eq 2"), 10));
        assert!(hits.is_full(10));
        let mut hits = Hits { searched_bytes: SEARCHED_BYTES_MAX - 1, ..Hits::default() };
        hits.take(rows(&["1"]), &search(Some("$ eq 2"), 10));
        assert!(hits.is_full(10));
    }
}
