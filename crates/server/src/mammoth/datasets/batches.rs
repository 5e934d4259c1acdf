use axum::Json;
use hookyard_core::id::BatchId;
use hookyard_core::model::{Batch, BatchState, Scope};
use hookyard_store::BatchQuery;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::call::{Call, Place};
use super::super::error::ApiError;
use super::super::query::{Page, Range, SortKey};

/// The default length of a list and, below, the most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

/// The most batches that a list may be asked for by id: as many as a page holds.
const IDS_MAX: usize = LIMIT_MAX;

/// Batches have one row each and are numbered in the order of arrival. All of these fields but the first
/// two leave batches in the order of numbers.
const SORT_FIELDS: [&str; 5] = ["id", "created_at", "name", "status", "row_count"];

#[derive(Debug, Serialize)]
pub(in super::super) struct List {
    batches: Vec<Value>,
    pending_batches: [Value; 0],
    limit: usize,
    offset: u64,
    next: String,
}

/// One page of a dataset's batches.
pub(in super::super) async fn batches(call: Call) -> Result<Json<List>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let mut ids = query.id_list("id", IDS_MAX);
    let statuses = query.words("status");
    let row_counts = query.ids("row_count");
    let created = query.range("created_at");
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let newest_first = newest_first(&query.sort(&SORT_FIELDS));
    call.checked(query)?;
    let states = statuses.as_deref().map(states);
    // A batch has one row; a state without batches selects none.
    if states == Some([false, false]) || row_counts.is_some_and(|counts| !counts.contains(&1)) {
        ids = Some(Vec::new());
    }
    let state = match states {
        Some([true, false]) => Some(BatchState::Active),
        Some([false, true]) => Some(BatchState::Suspended),
        _ => None,
    };
    let (shown, next) = match ids {
        Some(ids) => {
            let mut found = by_ids(&call, place, ids, newest_first).await?;
            found.retain(|batch| {
                state.is_none_or(|state| batch.state == state) && created.has(batch.received_at)
            });
            page.cut(found)
        }
        None => by_page(&call, place, page, Select { newest_first, state, created }).await?,
    };
    Ok(Json(List {
        batches: shown.iter().map(shape).collect(),
        pending_batches: [],
        limit: page.limit,
        offset: page.offset,
        next: next.map(|offset| call.page_at(offset)).unwrap_or_default(),
    }))
}

/// Whether these words select active batches, and whether suspended batches.
fn states(words: &[String]) -> [bool; 2] {
    ["active", "suspended"].map(|state| words.iter().any(|word| word == state))
}

/// The batches to list, and the order.
struct Select {
    newest_first: bool,
    state: Option<BatchState>,
    created: Range,
}

/// Reads one batch.
pub(in super::super) async fn batch(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let id = call.long_id("batch_id", 0)?;
    let found = by_ids(&call, place, vec![id], false).await?;
    let batch = found.first().ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({"batch": shape(batch)})))
}

async fn by_page(
    call: &Call,
    place: Place,
    page: Page,
    select: Select,
) -> Result<(Vec<Batch>, Option<u64>), ApiError> {
    let Select { newest_first, state, created } = select;
    let query = BatchQuery {
        state,
        after: None,
        from: created.from,
        until: created.until,
        newest_first,
        offset: page.offset,
        // One more entry than shown tells whether a next page exists.
        limit: page.limit + 1,
    };
    let reads = call.app.engine.of(place.workspace);
    let mut batches = reads.batches(place.project, call.dataset()?, query).await?;
    let more = page.limit > 0 && batches.len() > page.limit;
    batches.truncate(page.limit);
    Ok((batches, more.then(|| page.offset.saturating_add(page.limit as u64))))
}

async fn by_ids(
    call: &Call,
    place: Place,
    mut ids: Vec<i64>,
    newest_first: bool,
) -> Result<Vec<Batch>, ApiError> {
    let reads = call.app.engine.of(place.workspace);
    let dataset = call.dataset()?;
    if reads.dataset(place.project, dataset).await?.is_none() {
        return Err(ApiError::not_found());
    }
    ids.sort_unstable();
    if newest_first {
        ids.reverse();
    }
    let mut found = Vec::new();
    for id in ids.into_iter().filter_map(|id| u64::try_from(id).ok()) {
        found.extend(reads.batch(place.project, dataset, BatchId(id)).await?);
    }
    Ok(found)
}

fn newest_first(sort: &[SortKey]) -> bool {
    let decisive = sort.iter().find(|key| matches!(key.field.as_str(), "id" | "created_at"));
    decisive.is_some_and(|key| key.descending)
}

fn shape(batch: &Batch) -> Value {
    let Batch { id, received_at, state, bytes: _ } = batch;
    json!({
        "id": id,
        "name": format!("Batch {id}"),
        "state": match state {
            BatchState::Active => "active",
            BatchState::Suspended => "suspended",
        },
        "created_at": received_at,
        "description": {},
        "row_count": 1,
        "column_count": 1,
        "source": {"type": "webhook"},
    })
}
