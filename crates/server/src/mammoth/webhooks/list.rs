use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use hookyard_core::model::{Mode, Scope, Source};
use hookyard_store::Seen;
use serde::Serialize;

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::query::{Query, SortKey, compare};
use super::shape::{Fields, Webhook, uri};

/// What a list holds when the caller names no limit, and at most (docs/spec/mammoth.md#list).
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 100;

const SORT_FIELDS: [&str; 6] = ["id", "name", "ds_id", "mode", "uri", "origins"];

#[derive(Debug, Serialize)]
pub(in super::super) struct List {
    webhooks: Vec<Webhook>,
    limit: usize,
    offset: u64,
    next: String,
}

/// One page of a project's webhooks.
pub(in super::super) async fn list(call: Call) -> Result<Json<List>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let mut query = call.query();
    let fields = Fields::parse(query.text("fields").as_deref()).shown_to(place);
    let filter = Filter::read(&mut query);
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    let sort = query.sort(&SORT_FIELDS);
    call.checked(query)?;

    let mut sources = call.app.engine.of(place.workspace).sources(place.project).await?;
    sources.retain(|source| filter.admits(source));
    sources.sort_by(|left, right| order(&sort, left, right));
    let (shown, next) = page.cut(sources);
    if shown.iter().any(|source| fields.shows_secret(source)) {
        call.app.engine.note_listed(place.workspace, Seen::SourceSecrets).await;
    }
    Ok(Json(List {
        webhooks: shown.iter().map(|source| Webhook::new(source, fields)).collect(),
        limit: page.limit,
        offset: page.offset,
        next: next.map(|offset| call.page_at(offset)).unwrap_or_default(),
    }))
}

/// The webhooks to show: all conditions must hold, each by any value of the condition's list.
#[derive(Debug, Default)]
struct Filter {
    ids: Option<HashSet<i64>>,
    names: Option<Vec<String>>,
    datasets: Option<HashSet<i64>>,
    modes: Option<Vec<Mode>>,
}

impl Filter {
    fn read(query: &mut Query) -> Self {
        let modes = query.words("mode").and_then(|words| {
            let modes = words.iter().map(|word| Mode::parse(word)).collect::<Option<Vec<_>>>();
            if modes.is_none() {
                query.problem("mode", "Expected a comma-separated list of replace, combine");
            }
            modes
        });
        Self {
            ids: query.ids("id"),
            names: query.words("name"),
            datasets: query.ids("ds_id"),
            modes,
        }
    }

    fn admits(&self, source: &Source) -> bool {
        let Self { ids, names, datasets, modes } = self;
        ids.as_ref().is_none_or(|ids| ids.contains(&source.id.0.into()))
            && names.as_ref().is_none_or(|names| names.contains(&source.spec.name))
            && datasets.as_ref().is_none_or(|ids| ids.contains(&source.dataset.0.into()))
            && modes.as_ref().is_none_or(|modes| modes.contains(&source.spec.mode))
    }
}

/// Texts compare bytewise; webhooks equal by all keys are in the order of ids.
fn order(keys: &[SortKey], left: &Arc<Source>, right: &Arc<Source>) -> Ordering {
    compare(keys, |field| match field {
        "name" => left.spec.name.cmp(&right.spec.name),
        "ds_id" => left.dataset.cmp(&right.dataset),
        "mode" => left.spec.mode.as_str().cmp(right.spec.mode.as_str()),
        "uri" => uri(left).cmp(&uri(right)),
        "origins" => left.spec.origins.cmp(&right.spec.origins),
        _ => left.id.cmp(&right.id),
    })
}
