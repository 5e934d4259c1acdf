//! `/v1/sources/{id}/rejections`: what a source did not take, and why.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::RejectionId;
use hookyard_core::model::{
    Cause, Header, NewRejection, RefusedRequest, Rejection as CoreRejection, Scope, Source,
};
use hookyard_engine::receive::{MaskedRequest, masked};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::deliveries::{DeliveryHeader, Params, next};
use super::source;
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

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
    /// Whether the first request is kept, to be shown and for the doctor.
    has_request: bool,
}

/// A rejection with the request that was refused.
#[derive(Serialize, ToSchema)]
struct RejectionWithRequest<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    rejection: Rejection<'a>,
    /// The first request; absent when it is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RefusedRequestBody>,
}

/// A request that was refused, as far as it was read.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedRequest)]
struct RefusedRequestBody {
    /// Its path and query. Secrets are masked.
    target: String,
    /// Its headers in order. Secrets are masked.
    #[schema(value_type = Vec<DeliveryHeader>)]
    headers: Vec<Header>,
    /// The bytes of its body as it came; absent when it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Its body as it came, to the byte, as base64; absent when it was not read or has more than
    /// 256 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl RefusedRequestBody {
    fn new(source: &Source, request: &RefusedRequest) -> Self {
        let MaskedRequest { target, headers } = masked(source, request);
        let body_base64 = request.body.as_ref().map(|body| STANDARD.encode(body));
        Self { target, headers, bytes: request.bytes, body_base64 }
    }
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
        let CoreRejection { id, line, has_request } = rejection;
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
            has_request: *has_request,
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
    let (limit, mut page) = params.page(RejectionId)?;
    // One more than asked for tells whether there is a next page.
    page.limit += 1;
    let found = app.engine.rejections(source.spec.workspace, source.id, page).await?;
    let shown = &found[..found.len().min(limit)];
    let last = shown.last().filter(|_| found.len() > limit);
    let body = RejectionPage {
        rejections: shown.iter().map(Rejection::new).collect(),
        next: last.map(|last| next(&source.id.to_string(), "rejections", last.id.0, limit)),
    };
    Ok(Json(body).into_response())
}

/// Get a rejection
///
/// With the request that was refused, while it is kept. `POST /v1/sources/{id}/doctor` with its number
/// says what was wrong with it.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/rejections/{rejection}",
    tag = "sources",
    params(
        ("id" = i32, Path, description = "The source's number"),
        ("rejection" = i64, Path, description = "The rejection's number"),
    ),
    responses((status = 200, description = "The rejection", body = RejectionWithRequest)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_rejection(
    State(app): State<App>,
    PathText((id, rejection)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let missing = || Problem::new(Code::NotFound, "no such rejection");
    let number = input::number(&rejection).map(RejectionId).ok_or_else(missing)?;
    let found = app.engine.rejection(source.spec.workspace, source.id, number).await?;
    let (line, request) = found.ok_or_else(missing)?;
    let body = RejectionWithRequest {
        rejection: Rejection::new(&line),
        request: request.map(|request| RefusedRequestBody::new(&source, &request)),
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
