//! `GET /v1/datasets/{id}/rows`: rows by cursor, time and conditions on their JSON.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{BatchId, VersionId};
use hookyard_core::model::{Dataset, Scope};
use hookyard_core::row_filter::Filter;
use hookyard_engine::datasets::{Found, Search};
use hookyard_store::{RowQuery, Seen};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{DATASETS, dataset};
use crate::App;
use crate::native::input::{self, PathText};
use crate::problem::{Code, Problem};

/// Rows of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most rows of a page. It is bounded in bytes too.
const LIMIT_MAX: usize = 1_000;

/// The numbers of batches and versions that there can be.
const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

/// Parameters that select rows, with what else there is.
macro_rules! row_params {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($own)*
            /// Beyond this batch, in the order of the page.
            #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
            after: Option<u64>,
            /// Oldest first, or newest first; `asc` unless said.
            #[param(nullable = false, inline)]
            order: Option<Order>,
            /// Accepted at or after this moment.
            #[param(nullable = false)]
            #[serde(default, deserialize_with = "input::moment")]
            from: Option<Timestamp>,
            /// Accepted before this moment.
            #[param(nullable = false)]
            #[serde(default, deserialize_with = "input::moment")]
            until: Option<Timestamp>,
            /// Conditions on the cell, such as `$.total gt 10 and $.status in ["paid", "sent"]`.
            #[serde(rename = "where")]
            #[param(nullable = false, max_length = 4096)]
            filter: Option<String>,
            /// The most rows of the page; 100 unless said.
            #[param(nullable = false, minimum = 1, maximum = 1000)]
            limit: Option<usize>,
        }

        impl $name {
            fn select(self) -> Select {
                let Self { after, order, from, until, filter, limit, .. } = self;
                Select { after, order, from, until, filter, limit }
            }
        }
    };
}

row_params! {
    /// Which rows to list; all conditions must hold.
    Params {
        /// Of this version; of the one that is seen now unless said. `next` says with which one the
        /// page began, so that a replacement between two pages does not mix them.
        #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
        version: Option<u64>,
    }
}

row_params! {
    /// Which rows of a version to list; all conditions must hold.
    VersionParams {}
}

/// What both have.
struct Select {
    after: Option<u64>,
    order: Option<Order>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    filter: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Order {
    Asc,
    Desc,
}

/// Some rows of a version.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what is written by hand"))]
pub(super) struct RowPage {
    /// The version that they are of.
    version: u64,
    rows: Vec<Row>,
    /// The path and query of the next page; absent on the last one. A page may have few rows, or
    /// none, and still a next one: each request looks at a bounded number of rows.
    #[schema(nullable = false)]
    next: Option<String>,
}

/// One accepted delivery.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what is written by hand"))]
pub(super) struct Row {
    /// The number of its batch.
    batch: u64,
    /// When it was accepted.
    received_at: Timestamp,
    /// The delivery as JSON, to the byte as it is stored.
    cell: serde_json::Value,
}

/// List rows
///
/// A page of a dataset's rows by the number of their batch, of suspended batches none.
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/rows",
    tag = "datasets",
    params(("id" = i32, Path, description = "The dataset's number"), Params),
    responses(
        (status = 200, description = "A page of rows", body = RowPage),
        (status = 404, description = "No such dataset, or the version is not kept any more"),
    ),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_rows(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    let params: Params = input::query(raw.as_deref())?;
    let version = input::at_most("version", params.version, NUMBER_MAX)?.map(VersionId);
    let select = params.select();
    let found = search(&app, &dataset, version, &select).await?;
    let path = format!("{DATASETS}/{}/rows", dataset.id);
    Ok(show(&found, &path, &select, Some(found.version)))
}

/// List rows of a version
///
/// A page of the rows of the version that is seen, or of an earlier one.
#[utoipa::path(
    get,
    path = "/v1/datasets/{id}/versions/{version}/rows",
    tag = "datasets",
    params(
        ("id" = i32, Path, description = "The dataset's number"),
        ("version" = u64, Path, description = "The version's number"),
        VersionParams,
    ),
    responses((status = 200, description = "A page of rows", body = RowPage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_version_rows(
    State(app): State<App>,
    PathText((id, version)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let dataset = dataset(&app, &headers, Scope::DataRead, &id).await?;
    let version = super::versions::version_id(&version)?;
    let select = input::query::<VersionParams>(raw.as_deref())?.select();
    let found = search(&app, &dataset, Some(version), &select).await?;
    let path = format!("{DATASETS}/{}/versions/{version}/rows", dataset.id);
    Ok(show(&found, &path, &select, None))
}

async fn search(
    app: &App,
    dataset: &Dataset,
    version: Option<VersionId>,
    select: &Select,
) -> Result<Found, Problem> {
    let filter = select
        .filter
        .as_deref()
        .map(Filter::parse)
        .transpose()
        .map_err(|error| Problem::of_field(Code::InvalidValue, "where", error.to_string()))?;
    let query = RowQuery {
        version,
        after: input::at_most("after", select.after, NUMBER_MAX)?.map(BatchId),
        newest_first: select.order == Some(Order::Desc),
        from: select.from,
        until: select.until,
    };
    let limit = input::limit(select.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    app.engine.note_listed(dataset.workspace, Seen::DatasetRows(dataset.id)).await;
    Ok(app.engine.search_rows(dataset, &Search { query, filter, limit }).await?)
}

/// The page as JSON, each cell to the byte.
fn show(found: &Found, path: &str, select: &Select, version: Option<VersionId>) -> Response {
    let cells: usize = found.rows.iter().map(|row| row.cell.len()).sum();
    // Around each cell are two numbers, a moment and four names.
    let mut body = Vec::with_capacity(cells + found.rows.len() * 100 + 1_000);
    body.extend_from_slice(format!(r#"{{"version":{},"rows":["#, found.version).as_bytes());
    for (place, row) in found.rows.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let (batch, at) = (row.batch, row.received_at);
        let head = format!(r#"{comma}{{"batch":{batch},"received_at":"{at}","cell":"#);
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&row.cell);
        body.push(b'}');
    }
    body.push(b']');
    if let Some(next) = found.next {
        let next = serde_json::Value::from(next_page(path, select, version, next));
        body.extend_from_slice(format!(r#","next":{next}"#).as_bytes());
    }
    body.push(b'}');
    ([(header::CONTENT_TYPE, input::JSON)], body).into_response()
}

fn next_page(path: &str, select: &Select, version: Option<VersionId>, last: BatchId) -> String {
    let newest_first = select.order == Some(Order::Desc);
    let pairs = [
        ("version", version.map(|version| version.to_string())),
        ("after", Some(last.to_string())),
        ("order", newest_first.then(|| "desc".to_owned())),
        ("from", select.from.map(|from| from.to_string())),
        ("until", select.until.map(|until| until.to_string())),
        ("where", select.filter.clone()),
        ("limit", select.limit.map(|limit| limit.to_string())),
    ];
    input::next_page(path, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_described() {
        let row = hookyard_core::model::Row {
            batch: BatchId(7),
            received_at: Timestamp::UNIX_EPOCH,
            cell: "{\"a\" : 1.0}".into(),
        };
        let found =
            Found { version: VersionId(3), rows: vec![row.clone(), row], next: Some(BatchId(7)) };
        let filter = Some("$.a eq \"&\"".to_owned());
        let select =
            Select { after: None, order: None, from: None, until: None, filter, limit: Some(2) };
        let next = next_page("/rows", &select, Some(VersionId(3)), BatchId(7));
        assert_eq!(next, "/rows?version=3&after=7&where=%24.a+eq+%22%26%22&limit=2");
        let response = show(&found, "/rows", &select, None);
        let body = axum::body::to_bytes(response.into_body(), 10_000);
        let body = futures_util::FutureExt::now_or_never(body).unwrap().unwrap();
        assert!(String::from_utf8_lossy(&body).contains("\"cell\":{\"a\" : 1.0}}"));
        let page: RowPage = serde_json::from_slice(&body).unwrap();
        assert_eq!((page.version, page.rows.len(), page.next.is_some()), (3, 2, true));
        assert_eq!((page.rows[0].batch, page.rows[0].received_at), (7, Timestamp::UNIX_EPOCH));
        assert_eq!(page.rows[0].cell["a"], 1.0);
    }
}
