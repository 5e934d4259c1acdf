use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use hookyard_core::id::{BatchId, DatasetId, ProjectId};
use hookyard_core::model::{Row, Scope};
use hookyard_engine::Reads;
use hookyard_store::{RowLimit, RowPage, RowQuery, Seen, StoreError};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::json;

use super::super::call::{Call, Place};
use super::super::error::{ApiError, Problem};
use super::super::query::Page;
use super::columns::{self, Column, Values};

/// Rows when the caller names no limit (docs/spec/mammoth.md#reading-back), and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// The same for the rows of one batch, which has a single row.
const BATCH_LIMIT_DEFAULT: usize = 50;
const BATCH_LIMIT_MAX: usize = 100;

/// Bytes of cells read at a time. A page has as many rows as requested, and cells may have megabytes each:
/// a larger page is streamed, slice by slice.
const SLICE_BYTES_MAX: u64 = 1 << 20;

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

/// The rows, each under the row's number in the dataset, from 1.
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
pub(in super::super) async fn data(call: Call) -> Result<Response, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.dataset()?;
    let mut query = call.query();
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let wanted = query.words("columns");
    call.checked(query)?;
    let columns = columns(&call, place, id, wanted).await?;
    call.app.engine.note_listed(place.workspace, Seen::DatasetRows(id)).await;
    let reads = call.app.engine.of(place.workspace);
    let mut slices = Slices::new(reads, (place.project, id), page, columns);
    let first = slices.begin().await?;
    let kind = [(header::CONTENT_TYPE, "application/json")];
    if slices.ended {
        return Ok((kind, first).into_response());
    }
    let rest = stream::try_unfold(slices, Slices::go_on);
    let all = futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest);
    Ok((kind, Body::from_stream(all)).into_response())
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
    let reads = call.app.engine.of(place.workspace);
    let found = reads.batch(place.project, id, BatchId(batch)).await?;
    found.ok_or_else(ApiError::not_found)?;
    call.app.engine.note_listed(place.workspace, Seen::DatasetRows(id)).await;
    let after = batch.checked_sub(1).map(BatchId);
    let on = RowQuery { after, ..RowQuery::default() };
    let limit = RowLimit { rows: 1, bytes: SLICE_BYTES_MAX };
    let mut read = reads.rows_after(place.project, id, on, limit).await?;
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
    let found = call.app.engine.of(place.workspace).dataset(place.project, id).await?;
    let dataset = found.ok_or_else(ApiError::not_found)?;
    let Some(wanted) = wanted else { return Ok(columns::all(&dataset.columns)) };
    columns::choose(&dataset, &wanted).map_err(|unknown| {
        let message = format!("The dataset has no column `{unknown}`");
        call.invalid(vec![Problem { message, key: "columns".to_owned(), source: "query" }])
    })
}

/// An answer, made a slice at a time.
struct Slices {
    reads: Reads,
    project: ProjectId,
    dataset: DatasetId,
    page: Page,
    columns: Vec<Column>,
    /// Written rows.
    written: usize,
    /// Where to read on.
    next: Option<RowQuery>,
    ended: bool,
}

impl Slices {
    fn new(
        reads: Reads,
        (project, dataset): (ProjectId, DatasetId),
        page: Page,
        columns: Vec<Column>,
    ) -> Self {
        Self { reads, project, dataset, page, columns, written: 0, next: None, ended: false }
    }

    /// The beginning of a large answer, or a small answer whole.
    async fn begin(&mut self) -> Result<Bytes, StoreError> {
        let Self { project, dataset, page, .. } = *self;
        let limit = RowLimit { rows: page.limit.max(1), bytes: SLICE_BYTES_MAX };
        let read = self.reads.rows_at(project, dataset, page.offset, limit).await?;
        let mut out = br#"{"data":{"#.to_vec();
        self.write(&read, &mut out)?;
        self.fill(out).await
    }

    /// The next slice.
    async fn go_on(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let slice = self.fill(Vec::new()).await?;
        Ok(Some((slice, self)))
    }

    /// Reads on until a slice is full or the answer ends.
    async fn fill(&mut self, mut out: Vec<u8>) -> Result<Bytes, StoreError> {
        while (out.len() as u64) < SLICE_BYTES_MAX
            && let Some(query) = self.next.filter(|_| self.written < self.page.limit)
        {
            let rows = self.page.limit - self.written;
            let limit = RowLimit { rows, bytes: SLICE_BYTES_MAX };
            let read = self.reads.rows_after(self.project, self.dataset, query, limit).await?;
            self.write(&read, &mut out)?;
        }
        if self.next.is_none() || self.written >= self.page.limit {
            let headers = json!(columns::headers(&self.columns));
            let Page { limit, offset, .. } = self.page;
            let end = format!(r#"}},"headers":{headers},"limit":{limit},"offset":{offset}}}"#);
            out.extend_from_slice(end.as_bytes());
            self.ended = true;
        }
        Ok(out.into())
    }

    /// Writes rows, each under the row's number in the dataset, from 1.
    fn write(&mut self, read: &RowPage, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let left = self.page.limit.saturating_sub(self.written);
        for row in read.rows.iter().take(left) {
            let number = self.page.offset.saturating_add(1).saturating_add(self.written as u64);
            let comma = if self.written == 0 { "" } else { "," };
            out.extend_from_slice(format!(r#"{comma}"{number}":"#).as_bytes());
            self.write_row(row, out)?;
            self.written += 1;
        }
        let version = Some(read.version);
        self.next =
            read.next.map(|next| RowQuery { version, after: Some(next), ..RowQuery::default() });
        Ok(())
    }

    fn write_row(&self, row: &Row, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let values = Values { columns: &self.columns, row };
        serde_json::to_writer(out, &values).map_err(|error| StoreError::Internal(error.into()))
    }
}
