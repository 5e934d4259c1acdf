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

/// What is to become of batches: `suspend` hides their rows, `restore` shows them again, `delete`
/// removes them with their rows.
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

/// Which batches to change, and how. Either `ids` or `where`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchesChange {
    change: ChangeBody,
    /// Their numbers, at most 1,000. All are changed or, when one is not there, none.
    #[schema(max_items = 1000)]
    ids: Option<Vec<u64>>,
    /// What they are; `{}` for all.
    #[serde(rename = "where")]
    filter: Option<BatchesFilter>,
}

/// What batches are; all conditions must hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchesFilter {
    /// In this state.
    state: Option<State>,
    /// Accepted at or after this moment.
    #[serde(default, deserialize_with = "input::moment")]
    from: Option<Timestamp>,
    /// Accepted before this moment.
    #[serde(default, deserialize_with = "input::moment")]
    until: Option<Timestamp>,
}

/// What was changed.
#[derive(Serialize, ToSchema)]
struct BatchesChanged {
    /// How many batches. With `ids` those count, too, that were as wanted already.
    changed: usize,
    /// Whether `where` selects more: send the same again until it is false.
    more: bool,
}

/// Change many batches
///
/// By their numbers, or by what they are: then the oldest 10,000 that are not as wanted already, and
/// the same request again goes on with the next, also after a failure. Only the version that is seen
/// is changed.
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
