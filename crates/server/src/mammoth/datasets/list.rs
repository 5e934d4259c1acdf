use std::cmp::Ordering;

use axum::Json;
use hookyard_core::model::{Dataset, Scope};
use serde::Serialize;
use serde_json::Value;

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::fields::Fields;
use super::super::folders::Tree;
use super::super::query::SortKey;
use super::shape;

/// What a list holds when the caller names no limit, and at most.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

const SORT_FIELDS: [&str; 5] = ["id", "name", "created_at", "updated_at", "status"];

#[derive(Debug, Serialize)]
pub(in super::super) struct List {
    datasets: Vec<Value>,
    limit: usize,
    offset: u64,
    next: String,
}

/// One page of a project's datasets.
pub(in super::super) async fn list(call: Call) -> Result<Json<List>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref());
    let ids = query.ids("id");
    let names = query.words("name");
    let statuses = query.words("status");
    let kinds = query.words("source_type");
    let makers = query.words("created_by");
    let created = query.range("created_at");
    let updated = query.range("updated_at");
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let sort = query.sort(&SORT_FIELDS);
    call.checked(query)?;

    let store = call.app.engine.store();
    let mut datasets = store.datasets(place.workspace, place.project).await?;
    datasets.retain(|dataset| {
        ids.as_ref().is_none_or(|ids| ids.contains(&dataset.id.0.into()))
            && names.as_ref().is_none_or(|names| names.contains(&dataset.name))
            // A dataset has no other status: rows are there as soon as they are accepted.
            && statuses.as_ref().is_none_or(|statuses| statuses.iter().any(|word| word == "ready"))
            && kinds.as_ref().is_none_or(|kinds| is_of(dataset, kinds))
            // Nobody is remembered as the maker of a dataset.
            && makers.is_none()
            && created.has(dataset.created_at)
            && updated.has(dataset.updated_at)
    });
    datasets.sort_by(|left, right| order(&sort, left, right));
    let (shown, next) = page.cut(datasets);
    let tree = Tree::read(store, place.workspace, place.project).await?;
    Ok(Json(List {
        datasets: shown.iter().map(|dataset| fields.keep(shape::dataset(dataset, &tree))).collect(),
        limit: page.limit,
        offset: page.offset,
        next: next.map(|offset| call.page_at(offset)).unwrap_or_default(),
    }))
}

/// Whether a dataset is of one of these kinds: it is filled by a webhook or by nothing, and a webhook
/// is shown as a `sketch`.
fn is_of(dataset: &Dataset, kinds: &[String]) -> bool {
    dataset.source.is_some()
        && kinds.iter().any(|kind| matches!(kind.as_str(), "webhook" | "sketch"))
}

fn order(keys: &[SortKey], left: &Dataset, right: &Dataset) -> Ordering {
    let by_key = |key: &SortKey| {
        let order = match key.field.as_str() {
            "name" => left.name.cmp(&right.name),
            "created_at" => left.created_at.cmp(&right.created_at),
            "updated_at" => left.updated_at.cmp(&right.updated_at),
            "status" => Ordering::Equal,
            _ => left.id.cmp(&right.id),
        };
        if key.descending { order.reverse() } else { order }
    };
    let differing = keys.iter().map(by_key).find(|order| order.is_ne());
    differing.unwrap_or_else(|| left.id.cmp(&right.id))
}
