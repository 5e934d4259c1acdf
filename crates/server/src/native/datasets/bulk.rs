//! `POST /v1/datasets/{id}/batches/change`: many batches at once.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::BatchId;
use hookyard_core::model::Dataset as CoreDataset;
use hookyard_engine::datasets::{BatchFilter, Changed};
use hookyard_store::{BATCHES_CHANGED_MAX, BatchChange};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::shape::State;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::sent::JsonBody;
use crate::native::{input, paths};
use crate::problem::{Code, Problem};

/// The change of the batches: `suspend` hides the rows, `restore` shows the rows again, `delete` removes
/// batches and rows.
#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
#[schema(as = BatchChange)]
enum ChangeBody {
    Suspend,
    Restore,
    Delete,
}

impl From<ChangeBody> for BatchChange {
    fn from(change: ChangeBody) -> Self {
        match change {
            ChangeBody::Suspend => Self::Suspend,
            ChangeBody::Restore => Self::Restore,
            ChangeBody::Delete => Self::Delete,
        }
    }
}

/// The batches to change, and the change. Either `ids` or `where`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchesChange {
    change: ChangeBody,
    /// The numbers of the batches, at most 1,000. Either all batches change or, when a batch is missing,
    /// none.
    #[schema(max_items = 1000)]
    ids: Option<Vec<u64>>,
    /// Conditions on the batches; `{}` selects all.
    #[serde(rename = "where")]
    filter: Option<BatchesFilter>,
}

/// Conditions on batches; all conditions must hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchesFilter {
    /// Batches in this state only.
    state: Option<State>,
    /// Batches accepted at or after this moment only.
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Batches accepted before this moment only.
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
}

/// The outcome of a change.
#[derive(Serialize, ToSchema)]
struct BatchesChanged {
    /// The number of changed batches. With `ids`, batches already in the wanted state count, too.
    changed: usize,
    /// Whether `where` selects more batches: repeat the request until `more` is false.
    more: bool,
}

/// Change many batches
///
/// Selects batches by `ids` or by `where`. A request with `where` changes the oldest 10,000 batches that
/// are not yet in the wanted state. The same request again goes on with the next batches, also after a
/// failure. Only batches of the visible version change.
#[utoipa::path(
    post,
    path = paths::BATCHES_CHANGE,
    tag = "datasets",
    responses((status = 200, description = "What was changed", body = BatchesChanged)),
)]
pub(super) async fn change_batches(
    call: Call<Within<Write<Data>>, CoreDataset, Nothing, JsonBody<BatchesChange>>,
) -> Result<Response, Problem> {
    let Call {
        app, target: dataset, body: JsonBody(BatchesChange { change, ids, filter }), ..
    } = call;
    let change = BatchChange::from(change);
    let Changed { count, more } = match (ids, filter) {
        (Some(ids), None) => {
            let count = ids.len();
            if count > BATCHES_CHANGED_MAX {
                let detail = format!("has {count} numbers, and at most {BATCHES_CHANGED_MAX} fit");
                return Err(Problem::of_field(Code::InvalidValue, "ids", detail));
            }
            let changes = ids.into_iter().map(|id| (BatchId(id), change)).collect();
            app.engine.change_batches(dataset.workspace, dataset.id, changes).await?;
            Changed { count, more: false }
        }
        (None, Some(BatchesFilter { state, from, until })) => {
            let filter = BatchFilter { state: state.map(State::into), from, until };
            app.engine.change_matching(dataset.workspace, &dataset, filter, change).await?
        }
        _ => {
            let detail = "give either `ids` or `where`";
            return Err(Problem::of_field(Code::InvalidValue, "ids", detail));
        }
    };
    Ok(Json(BatchesChanged { changed: count, more }).into_response())
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let change = json!({"change": "suspend", "where": {"until": "2026-11-01T00:00:00Z"}});
    vec![("BatchesChange", change)]
}
