use axum::Json;
use hookyard_core::id::DatasetId;
use hookyard_core::model::{Row, Scope};
use hookyard_store::{RowLimit, RowQuery};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use sha2::{Digest, Sha256};

use super::super::call::{Call, Place};
use super::super::error::{ApiError, Problem};
use super::super::query::Page;
use super::shape::COLUMN_ID;

/// Rows when the caller names no limit (spec section 7), and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// The most bytes of cells in one answer, unless it is a single row. Cells may have megabytes each,
/// and an answer is in memory whole.
const BYTES_MAX: u64 = 64 << 20;

/// The name of the last column.
const HASH: &str = "hash";

#[derive(Debug, Serialize)]
pub(in super::super) struct Data {
    data: Rows,
    headers: [&'static str; 2],
    limit: usize,
    offset: u64,
}

/// The rows, each under its number in the dataset, which starts at 1.
#[derive(Debug)]
struct Rows {
    first: u64,
    rows: Vec<Row>,
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.rows.len()))?;
        for (number, row) in (self.first..).zip(&self.rows) {
            let cell = String::from_utf8_lossy(&row.cell);
            map.serialize_entry(&number.to_string(), &[cell.as_ref(), &hash(&row.cell)])?;
        }
        map.end()
    }
}

/// A number that is the same for the same cell, always and everywhere.
fn hash(cell: &[u8]) -> String {
    let digest = Sha256::digest(cell);
    let head = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    head.to_string()
}

/// Reads rows, oldest first. The dataset has one column beside the hash, so `columns` has nothing
/// to choose.
pub(in super::super) async fn data(call: Call) -> Result<Json<Data>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    call.checked(query)?;
    let rows = rows(&call, place, id, page).await?;
    Ok(Json(Data {
        data: Rows { first: page.offset.saturating_add(1), rows },
        headers: [COLUMN_ID, HASH],
        limit: page.limit,
        offset: page.offset,
    }))
}

async fn rows(call: &Call, place: Place, id: DatasetId, page: Page) -> Result<Vec<Row>, ApiError> {
    let store = call.app.engine.store();
    let Place { workspace, project } = place;
    let mut limit = RowLimit { rows: page.limit.max(1), bytes: BYTES_MAX };
    let mut read = store.rows_at(workspace, project, id, page.offset, limit).await?;
    let mut rows = std::mem::take(&mut read.rows);
    // A page may be cut short for its size, or for many suspended rows; this tells which.
    while let (Some(next), true) = (read.next, rows.len() < page.limit) {
        limit.rows = page.limit - rows.len();
        let on = RowQuery { version: Some(read.version), after: Some(next), ..RowQuery::default() };
        read = store.rows_after(workspace, project, id, on, limit).await?;
        rows.append(&mut read.rows);
        let fitting = fitting(&rows, BYTES_MAX);
        if fitting < rows.len() {
            return Err(too_large(call, fitting));
        }
    }
    rows.truncate(page.limit);
    Ok(rows)
}

/// Refuses a page that would be too large, with the limit that would do. Cutting it short instead
/// would look like the end of the dataset.
fn too_large(call: &Call, fitting: usize) -> ApiError {
    let message = format!(
        "Expected `int` <= {fitting}: the rows here are large, and an answer holds {} MiB",
        BYTES_MAX >> 20
    );
    call.invalid(vec![Problem { message, key: "limit".to_owned(), source: "query" }])
}

/// How many of these rows, from the first on, fit into an answer; one always does.
fn fitting(rows: &[Row], bytes_max: u64) -> usize {
    let mut total = 0;
    let fits = |row: &&Row| {
        total += row.cell.len() as u64;
        total <= bytes_max
    };
    rows.iter().take_while(fits).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookyard_core::id::BatchId;
    use jiff::Timestamp;

    #[test]
    fn a_page_holds_what_fits_and_at_least_one_row() {
        let rows = [40, 60, 1].map(|bytes| Row {
            batch: BatchId(1),
            received_at: Timestamp::UNIX_EPOCH,
            cell: vec![b'1'; bytes].into(),
        });
        let counted = [101, 100, 99, 39].map(|bytes_max| fitting(&rows, bytes_max));
        assert_eq!(counted, [3, 2, 1, 1]);
    }

    #[test]
    fn hashes_are_stable() {
        // The first eight bytes of SHA-256 of nothing, e3b0c44298fc1c14, in decimal.
        assert_eq!(hash(b""), "16406829232824261652");
    }
}
