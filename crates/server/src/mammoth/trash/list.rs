use std::cmp::Ordering;

use axum::Json;
use hookyard_core::model::{Dataset, Scope, Trashed};
use hookyard_engine::datasets::{TRASH_DAYS, purged_at};
use hookyard_store::DatasetQuery;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::call::Call;
use super::super::error::ApiError;
use super::super::folders::Resource;
use super::super::query::{Query, Range};
use super::{DATASET, KINDS};

/// Things in a page when the caller names no limit, and at most, as Mammoth has them.
const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 500;

/// Sort orders of the list; the first is the default.
const SORTS: [&str; 3] = ["trashed_at", "name", "size"];

/// The callers' word for datasets together with their views.
const DATA: &str = "data";

/// The most days of a filter: a hundred years.
const DAYS_MAX: u64 = 36_500;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A dataset in the trash.
struct Item {
    dataset: Dataset,
    trashed: Trashed,
}

/// The filters and the order of a list.
struct Select {
    /// Whether the kinds include datasets, and no filter asks for a user.
    any: bool,
    name: Option<String>,
    at: Range,
    /// Only datasets due for removal by this moment.
    purged_by: Timestamp,
    path: Option<Vec<String>>,
    sort: &'static str,
    ascending: bool,
}

impl Select {
    fn read(query: &mut Query, now: Timestamp) -> Self {
        let kinds = query.all("type");
        let kinds: Option<Vec<String>> = kinds.map(|kinds| {
            kinds.iter().flat_map(|kind| kind.split(',')).map(str::to_owned).collect()
        });
        let known = |kind: &String| kind == DATA || KINDS.contains(&kind.as_str());
        if kinds.as_ref().is_some_and(|kinds| !kinds.iter().all(known)) {
            query.problem("type", format!("Expected {}, {DATA}", KINDS.join(", ")));
        }
        let here = |kind: &String| kind == DATA || kind == DATASET;
        let of_kind = kinds.is_none_or(|kinds| kinds.iter().any(here));
        // The trash does not keep users; the audit log does.
        let by_anybody = query.all("trashed_by").is_none();
        let days = query.number("expiring_within_days", DAYS_MAX, DAYS_MAX);
        let days = SignedDuration::from_hours(24 * i64::try_from(days).unwrap_or_default());
        let path = query.all("folder_path");
        let path = if query.flag("folder_root") { Some(Vec::new()) } else { path };
        Self {
            any: of_kind && by_anybody,
            name: query.text("q").map(|text| text.trim().to_lowercase()),
            at: Range {
                from: query.moment("trashed_after"),
                until: query.moment("trashed_before"),
            },
            purged_by: now.checked_add(days).unwrap_or(Timestamp::MAX),
            path,
            sort: query.choice("sort", &SORTS),
            ascending: query.choice("order", &["desc", "asc"]) == "asc",
        }
    }

    fn wants(&self, item: &Item) -> bool {
        let Trashed { at, path } = &item.trashed;
        self.any
            && self.name.as_ref().is_none_or(|text| item.dataset.name.to_lowercase().contains(text))
            && self.at.has(*at)
            && purged_at(*at) <= self.purged_by
            && self.path.as_ref().is_none_or(|wanted| wanted == path)
    }

    fn order(&self, left: &Item, right: &Item) -> Ordering {
        let order = match self.sort {
            "name" => left.dataset.name.cmp(&right.dataset.name),
            "size" => left.dataset.stats.bytes.cmp(&right.dataset.stats.bytes),
            _ => left.trashed.at.cmp(&right.trashed.at),
        };
        let order = order.then(left.dataset.id.cmp(&right.dataset.id));
        if self.ascending { order } else { order.reverse() }
    }
}

/// One page of a project's trash.
pub(in super::super) async fn list(call: Call) -> Result<Json<Value>, ApiError> {
    let place = call.place(Scope::DataRead).await?;
    let now = call.app.engine.clock().now();
    let mut query = call.query();
    let select = Select::read(&mut query, now);
    let page = query.page(LIMIT_DEFAULT, LIMIT_MAX);
    if page.limit == 0 {
        query.problem("limit", "Expected `int` >= 1");
    }
    call.checked(query)?;

    let all = DatasetQuery {
        project: Some(place.project),
        trashed: true,
        limit: usize::MAX,
        ..DatasetQuery::default()
    };
    let found = call.app.engine.of(place.workspace).find_datasets(all).await?;
    let in_all = found.len();
    let mut items: Vec<Item> = found.into_iter().filter_map(item).collect();
    items.retain(|item| select.wants(item));
    items.sort_by(|left, right| select.order(left, right));
    let total = items.len();
    let bytes: u64 = items.iter().map(|item| item.dataset.stats.bytes).sum();
    let (shown, next) = page.cut(items);
    Ok(Json(json!({
        "items": shown.iter().map(|item| item.wire(now)).collect::<Vec<_>>(),
        "limit": page.limit,
        "offset": page.offset,
        "total": total,
        "dataset_count": total,
        "dataview_count": 0,
        "dashboard_count": 0,
        "automation_count": 0,
        "total_dataset_count": in_all,
        "total_dataview_count": 0,
        "total_dashboard_count": 0,
        "total_automation_count": 0,
        "total_size_in_bytes": bytes,
        "retention_days": TRASH_DAYS,
        "next": next.map(|offset| call.page_at(offset)),
    })))
}

fn item(mut dataset: Dataset) -> Option<Item> {
    let trashed = dataset.trashed.take()?;
    Some(Item { dataset, trashed })
}

impl Item {
    fn wire(&self, now: Timestamp) -> Value {
        let Self { dataset, trashed: Trashed { at, path } } = self;
        let left = purged_at(*at).as_millisecond().saturating_sub(now.as_millisecond());
        let bytes = dataset.stats.bytes;
        json!({
            "id": dataset.id,
            "type": DATASET,
            "name": dataset.name,
            "project_id": dataset.project,
            "dataset_id": null,
            "trashed_at": at,
            "trashed_by": null,
            // A day already begun counts.
            "days_until_purge": left.max(0).unsigned_abs().div_ceil(DAY_MS.unsigned_abs()),
            "cascade_trash_event_id": null,
            "folder_resource_id": dataset.folder.map(|folder| Resource::Folder(folder).number()),
            "original_folder_path": path,
            "task_count": null,
            "additional_info": {"size_in_bytes": bytes, "total_size_in_bytes": bytes},
            "is_context_match": false,
            "is_active_parent": false,
        })
    }
}
