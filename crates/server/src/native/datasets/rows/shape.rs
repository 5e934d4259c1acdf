//! `GET /v1/datasets/{id}/rows`: rows by cursor, time and conditions on JSON.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{BatchId, VersionId};
use hookyard_core::model::Dataset;
use hookyard_core::row_filter::Filter;
use hookyard_engine::datasets::{Found, Search};
use hookyard_store::{RowQuery, Seen};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::native::input;
use crate::native::page::{PageSize, next_page};
use crate::problem::{Code, Problem};

/// The number of rows in a page. A page is bounded in bytes, too.
const PAGE: PageSize = PageSize { default: 100, max: 1_000 };

/// The highest number of a batch or a version.
pub(super) const NUMBER_MAX: u64 = i64::MAX.unsigned_abs();

/// Parameters that select rows, with further parameters.
macro_rules! row_params {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Deserialize, IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            $($own)*
            /// Rows beyond this batch only, in the order of the page.
            #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
            after: Option<u64>,
            /// Oldest first, or newest first; `asc` unless said.
            #[param(nullable = false, inline)]
            order: Option<Order>,
            /// Rows accepted at or after this moment only.
            #[param(nullable = false)]
            #[serde(default, deserialize_with = "input::moment")]
            from: Option<Timestamp>,
            /// Rows accepted before this moment only.
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
            /// The conditions common to all lists of rows.
            pub(super) fn select(&self) -> Select {
                let Self { after, order, from, until, filter, limit, .. } = self;
                let (order, filter) = (*order, filter.clone());
                Select { version: None, after: *after, order, from: *from, until: *until, filter, limit: *limit }
            }
        }
    };
}

row_params! {
    /// Conditions on the listed rows; all conditions must hold.
    Params {
        /// Rows of this version; of the visible version by default. `next` names the version of the first
        /// page, so that a replacement between two pages does not mix versions.
        #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
        pub(super) version: Option<u64>,
    }
}

row_params! {
    /// Conditions on the listed rows of a version; all conditions must hold.
    VersionParams {}
}

/// The conditions common to all lists of rows; serialized, the query of a page.
#[derive(Serialize)]
pub(super) struct Select {
    /// The version, where the path does not name the version.
    version: Option<u64>,
    after: Option<u64>,
    order: Option<Order>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    #[serde(rename = "where")]
    filter: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize, Serialize, ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::native::datasets) enum Order {
    Asc,
    Desc,
}

/// Some rows of a version.
#[derive(ToSchema)]
#[cfg_attr(test, derive(Deserialize), serde(deny_unknown_fields))]
#[cfg_attr(not(test), expect(dead_code, reason = "describes what is written by hand"))]
pub(super) struct RowPage {
    /// The version of the rows.
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
    /// The number of the row's batch.
    batch: u64,
    /// When the row was accepted.
    received_at: Timestamp,
    /// The delivery as JSON, byte for byte as stored.
    cell: serde_json::Value,
}

pub(super) async fn search(
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
    let limit = PAGE.limit(select.limit)?.get();
    app.engine.note_listed(dataset.workspace, Seen::DatasetRows(dataset.id)).await;
    Ok(app.engine.search_rows(dataset, &Search { query, filter, limit }).await?)
}

impl Select {
    /// The conditions of the page behind a row.
    fn behind(self, version: Option<VersionId>, last: BatchId) -> Self {
        Self {
            version: version.map(|version| version.0),
            after: Some(last.0),
            order: self.order.filter(|order| *order == Order::Desc),
            ..self
        }
    }
}

/// The page as JSON, each cell to the byte. `version` is for the query of the next page.
pub(super) fn show(
    found: &Found,
    path: &str,
    select: Select,
    version: Option<VersionId>,
) -> Response {
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
        let next = serde_json::Value::from(next_page(path, &select.behind(version, next)));
        body.extend_from_slice(format!(r#","next":{next}"#).as_bytes());
    }
    body.push(b'}');
    ([(header::CONTENT_TYPE, input::JSON)], body).into_response()
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
            damaged: false,
        };
        let found =
            Found { version: VersionId(3), rows: vec![row.clone(), row], next: Some(BatchId(7)) };
        let filter = Some("$.a eq \"&\"".to_owned());
        let select = Select {
            version: None,
            after: None,
            order: Some(Order::Asc),
            from: None,
            until: None,
            filter,
            limit: Some(2),
        };
        let select = select.behind(Some(VersionId(3)), BatchId(7));
        let next = next_page("/rows", &select);
        assert_eq!(next, "/rows?version=3&after=7&where=%24.a+eq+%22%26%22&limit=2");
        let response = show(&found, "/rows", select, None);
        let body = axum::body::to_bytes(response.into_body(), 10_000);
        let body = futures_util::FutureExt::now_or_never(body).unwrap().unwrap();
        assert!(String::from_utf8_lossy(&body).contains("\"cell\":{\"a\" : 1.0}}"));
        let page: RowPage = serde_json::from_slice(&body).unwrap();
        assert_eq!((page.version, page.rows.len(), page.next.is_some()), (3, 2, true));
        assert_eq!((page.rows[0].batch, page.rows[0].received_at), (7, Timestamp::UNIX_EPOCH));
        assert_eq!(page.rows[0].cell["a"], 1.0);
    }
}
