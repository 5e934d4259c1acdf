//! `POST /v1/datasets/{id}/rows`: add rows.

use crate::native::input::Nothing;
use crate::native::sent::UnreadBody;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_engine::receive::{Refusal, RowsForm, rows, weight};
use hookyard_engine::work::Share;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::budget::{Account, Full};
use crate::native::call::{Call, Data, Within, Write};
use crate::native::{input, paths};
use crate::problem::{Code, Problem};
use crate::turned::Turned;

/// Media types of a JSON value in each line.
const LINES: [&str; 3] = ["application/x-ndjson", "application/jsonl", "application/ndjson"];

/// The header with the name of an append, which is not added twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The longest name, in bytes. Usual names are UUIDs.
const NAME_BYTES_MAX: usize = 255;

/// Rows: an array of rows, or a single row.
#[derive(ToSchema)]
#[schema(value_type = Value)]
#[expect(dead_code, reason = "describes what is kept to the byte and never parsed into a value")]
pub(super) struct NewRows(Value);

/// The outcome of an append.
#[derive(Serialize, ToSchema)]
struct RowsAdded {
    /// The number of added rows; 0 for a repeated append.
    rows: usize,
    /// The number of the first row's batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_batch: Option<u64>,
    /// The number of the last row's batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_batch: Option<u64>,
    /// Whether rows with the same `idempotency-key` came before.
    duplicate: bool,
}

/// Add rows
///
/// Each is a batch of its own, kept to the byte, and on disk when this is answered; all are added or
/// none. `application/json` is an array of rows or a single row, `application/x-ndjson` has a row in
/// each line; at most 1,000 rows. The body may be compressed with gzip or deflate. What has the same
/// `idempotency-key` as rows of the last day is answered 200 and not added again.
#[utoipa::path(
    post,
    path = paths::ROWS,
    tag = "datasets",
    params(("idempotency-key" = Option<String>, Header,
            description = "A name for these rows, the same when they are sent again")),
    request_body(content(
        (NewRows = "application/json"),
        (NewRows = "application/x-ndjson"),
    )),
    responses(
        (status = 201, description = "They are added", body = RowsAdded),
        (status = 200, description = "They came before", body = RowsAdded),
    ),
)]
pub(super) async fn append_rows(
    call: Call<Within<Write<Data>>, CoreDataset, Nothing, UnreadBody>,
) -> Result<Response, Problem> {
    let Call { app, target: dataset, headers, body: UnreadBody(body), .. } = call;
    let form = form(&headers)?;
    let name = name(&headers)?;
    let bytes_max = app.settings.receive_bytes_max;
    let body = input::whole(body, bytes_max).await?;
    let read = || rows(&headers, &body, form, bytes_max);
    let share = Share::Calls(dataset.workspace);
    let rows = app.engine.work().run(share, weight(&headers, &body), read).await?;
    let rows = rows.map_err(|refusal| refused(&refusal))?;
    if headers.contains_key(header::CONTENT_ENCODING) {
        // The decoded rows are held beside the body.
        let decoded = rows.iter().map(Bytes::len).sum();
        Account::take_now(decoded).map_err(|Full| Problem::from(&Turned::Full))?;
    }
    drop(body);
    let added = app.engine.append_rows(dataset.workspace, dataset.id, rows, name).await?;
    let (status, body) = match added {
        Some(batches) => (
            StatusCode::CREATED,
            RowsAdded {
                rows: batches.len(),
                first_batch: batches.first().map(|batch| batch.0),
                last_batch: batches.last().map(|batch| batch.0),
                duplicate: false,
            },
        ),
        None => (
            StatusCode::OK,
            RowsAdded { rows: 0, first_batch: None, last_batch: None, duplicate: true },
        ),
    };
    Ok((status, Json(body)).into_response())
}

/// How the rows are written.
fn form(headers: &HeaderMap) -> Result<RowsForm, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.map_or("", |kind| kind.split(';').next().unwrap_or_default().trim());
    if LINES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Ok(RowsForm::Lines);
    }
    input::check_kind(headers, &[input::JSON, LINES[0]])?;
    Ok(RowsForm::Json)
}

fn name(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let name = value.to_str().map(str::trim).unwrap_or_default();
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) {
        let detail = format!("must have 1 to {NAME_BYTES_MAX} ASCII characters");
        return Err(Problem::of_field(Code::InvalidValue, IDEMPOTENCY_KEY, detail));
    }
    Ok(Some(name))
}

fn refused(refusal: &Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::TooLarge => Problem::new(Code::TooLarge, "the decoded body is too large"),
        Refusal::Coding(_) => {
            Problem::of_field(Code::UnsupportedMediaType, "content-encoding", detail)
        }
        _ => Problem::new(Code::MalformedBody, detail),
    }
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    vec![("NewRows", json!({"id": 1, "total": 12.5}))]
}
