//! `/v1/sources/{id}/rejections`: what a source did not take, and why.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::RejectionId;
use hookyard_core::model::{Cause, NewRejection, Rejection as CoreRejection, Scope};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::deliveries::{Params, next};
use super::source;
use crate::App;
use crate::native::input::{self, PathText};
use crate::problem::Problem;

/// A request that a source did not take, or several of the same cause that came soon after each
/// other.
#[derive(Serialize, ToSchema)]
struct Rejection<'a> {
    /// Its number.
    id: u64,
    #[schema(value_type = CauseBody)]
    cause: Cause,
    /// More about the first, for people.
    detail: &'a str,
    /// How many came.
    count: u64,
    /// When the first came.
    first_at: Timestamp,
    /// When the last came.
    last_at: Timestamp,
    /// The method of the first.
    method: &'a str,
    /// Who sent the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// Why a source did not do with a request what its sender wanted.
#[derive(Serialize, ToSchema)]
#[schema(as = RejectionCause)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "describes a type of the core crate, which knows no API")]
enum CauseBody {
    Origin,
    Address,
    RateLimited,
    Proof,
    TooLarge,
    Malformed,
    ContentCoding,
    NotText,
    EventType,
    Unmatchable,
    Loop,
    Repeat,
}

/// A page of a log of rejections, the newest first.
#[derive(Serialize, ToSchema)]
struct RejectionPage<'a> {
    rejections: Vec<Rejection<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<'a> Rejection<'a> {
    fn new(rejection: &'a CoreRejection) -> Self {
        let CoreRejection { id, line } = rejection;
        let NewRejection { source: _, first_at, last_at, count, cause, detail, method, address } =
            line;
        Self {
            id: id.0,
            cause: *cause,
            detail,
            count: *count,
            first_at: *first_at,
            last_at: *last_at,
            method,
            address: address.map(|address| address.to_string()),
        }
    }
}

/// List a source's rejections
///
/// What it did not take, and why, the newest first. Of many that come together the first ones are
/// shown and the others are counted.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/rejections",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number"), Params),
    responses((status = 200, description = "A page of rejections", body = RejectionPage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_rejections(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    let params: Params = input::query(raw.as_deref())?;
    let (limit, page) = params.page(RejectionId)?;
    let found = app.engine.rejections(source.spec.workspace, source.id, page).await?;
    let shown = &found[..found.len().min(limit)];
    let last = shown.last().filter(|_| found.len() > limit);
    let body = RejectionPage {
        rejections: shown.iter().map(Rejection::new).collect(),
        next: last.map(|last| next(&source.id.to_string(), "rejections", last.id.0, limit)),
    };
    Ok(Json(body).into_response())
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use super::*;

    #[test]
    fn every_cause_is_described() {
        let schema = serde_json::to_value(CauseBody::schema()).unwrap().to_string();
        for cause in Cause::ALL {
            assert!(schema.contains(&format!("\"{}\"", cause.as_str())), "{schema}");
        }
    }
}
