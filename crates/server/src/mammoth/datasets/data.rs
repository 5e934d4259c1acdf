use axum::Json;
use hookyard_core::id::{BatchId, DatasetId};
use hookyard_core::model::{Row, Scope};
use hookyard_store::{RowLimit, RowQuery};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::super::call::{Call, Place};
use super::super::error::{ApiError, Problem};
use super::super::query::Page;
use super::columns::{self, Column, Values};

/// Rows when the caller names no limit (spec section 7), and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// The same for the rows of one batch, of which there is one.
const BATCH_LIMIT_DEFAULT: usize = 50;
const BATCH_LIMIT_MAX: usize = 100;

/// The most bytes of cells in one answer, unless it is a single row. Cells may have megabytes each,
/// and an answer is in memory whole.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Serialize)]
pub(in super::super) struct Data {
    data: Rows,
    headers: Vec<&'static str>,
    limit: usize,
    offset: u64,
}

impl Data {
    fn new(rows: Vec<Row>, columns: Vec<Column>, page: Page) -> Self {
        Self {
            headers: columns::headers(&columns),
            data: Rows { first: page.offset.saturating_add(1), rows, columns },
            limit: page.limit,
            offset: page.offset,
        }
    }
}

/// The rows, each under its number in the dataset, which starts at 1.
#[derive(Debug)]
struct Rows {
    first: u64,
    rows: Vec<Row>,
    columns: Vec<Column>,
}

impl Serialize for Rows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.rows.len()))?;
        for (number, row) in (self.first..).zip(&self.rows) {
            let values = Values { columns: &self.columns, row };
            map.serialize_entry(&number.to_string(), &values)?;
        }
        map.end()
    }
}

/// Reads rows, oldest first.
pub(in super::super) async fn data(call: Call) -> Result<Json<Data>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let wanted = query.words("columns");
    call.checked(query)?;
    let columns = columns(&call, place, id, wanted).await?;
    let rows = rows(&call, place, id, page).await?;
    Ok(Json(Data::new(rows, columns, page)))
}

/// Reads the row of one batch.
pub(in super::super) async fn batch_data(call: Call) -> Result<Json<Data>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let batch = u64::try_from(call.long_id("batch_id", 0)?).map_err(|_| ApiError::not_found())?;
    let mut query = call.query();
    let page = query.page(BATCH_LIMIT_DEFAULT, BATCH_LIMIT_MAX);
    let wanted = query.words("columns");
    call.checked(query)?;
    let columns = columns(&call, place, id, wanted).await?;
    let store = call.app.engine.store();
    let found = store.batch(place.workspace, place.project, id, BatchId(batch)).await?;
    found.ok_or_else(ApiError::not_found)?;
    let after = batch.checked_sub(1).map(BatchId);
    let on = RowQuery { after, ..RowQuery::default() };
    let limit = RowLimit { rows: 1, bytes: BYTES_MAX };
    let mut read = store.rows_after(place.workspace, place.project, id, on, limit).await?;
    // A suspended batch has no row to be read, and then the next row is of another batch.
    read.rows.retain(|row| row.batch.0 == batch && page.offset == 0 && page.limit > 0);
    Ok(Json(Data::new(read.rows, columns, page)))
}

async fn columns(
    call: &Call,
    place: Place,
    id: DatasetId,
    wanted: Option<Vec<String>>,
) -> Result<Vec<Column>, ApiError> {
    let found = call.app.engine.store().dataset(place.workspace, place.project, id).await?;
    let dataset = found.ok_or_else(ApiError::not_found)?;
    let Some(wanted) = wanted else { return Ok(columns::all(&dataset.columns)) };
    columns::choose(&dataset, &wanted).map_err(|unknown| {
        let message = format!("The dataset has no column `{unknown}`");
        call.invalid(vec![Problem { message, key: "columns".to_owned(), source: "query" }])
    })
}

async fn rows(call: &Call, place: Place, id: DatasetId, page: Page) -> Result<Vec<Row>, ApiError> {
    let store = call.app.engine.store();
    let Place { workspace, project, .. } = place;
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
}
