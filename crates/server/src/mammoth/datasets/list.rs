use axum::Json;
use hookyard_core::model::{Dataset, Scope};
use serde::Serialize;
use serde_json::Value;

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::folders::Tree;
use super::super::listing::Listing;
use super::super::query::Page;
use super::shape;

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
    let listing = Listing::read(&mut query);
    let kinds = query.words("source_type");
    call.checked(query)?;

    let reads = call.app.engine.of(place.workspace);
    let mut datasets = reads.datasets(place.project).await?;
    datasets.retain(|dataset| kinds.as_ref().is_none_or(|kinds| is_of(dataset, kinds)));
    let (shown, next) = listing.cut(&call, datasets);
    let tree = Tree::read(&reads, place.project).await?;
    let shown = shown.iter().map(|dataset| listing.fields.keep(shape::dataset(dataset, &tree)));
    let Page { limit, offset } = listing.page;
    Ok(Json(List { datasets: shown.collect(), limit, offset, next }))
}

/// Whether a dataset is of one of the kinds. A dataset is filled by a webhook or by nothing, and a dataset
/// of a webhook is shown as a `sketch`.
fn is_of(dataset: &Dataset, kinds: &[String]) -> bool {
    dataset.source.is_some()
        && kinds.iter().any(|kind| matches!(kind.as_str(), "webhook" | "sketch"))
}
