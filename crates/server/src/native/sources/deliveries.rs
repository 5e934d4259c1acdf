//! `/v1/sources/{id}/deliveries`: what came, for inspection.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::DeliveryId;
use hookyard_core::model::{Delivery as CoreDelivery, Header, Scope};
use hookyard_engine::Error;
use hookyard_store::Newest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{SOURCES, source};
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// Entries of a page that does not say.
const LIMIT_DEFAULT: usize = 50;

/// The most entries of a page. Headers have at most 32 KiB, and rarely more than two.
const LIMIT_MAX: usize = 100;

/// Which page to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// What comes after the entry with this number in the list.
    #[param(nullable = false, minimum = 0, maximum = 9223372036854775807_i64)]
    before: Option<u64>,
    /// The most entries of the page; 50 unless said.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

impl Params {
    /// The page to ask the store for.
    pub(super) fn page<Id>(&self, id: impl Fn(u64) -> Id) -> Result<(usize, Newest<Id>), Problem> {
        let limit = input::limit(self.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
        let before = input::at_most("before", self.before, i64::MAX.unsigned_abs())?;
        Ok((limit, Newest { before: before.map(id), limit }))
    }
}

/// The path and query of the page after the entry with a number.
pub(super) fn next(source: &str, list: &str, last: u64, limit: usize) -> String {
    let pairs = [("before", Some(last.to_string())), ("limit", Some(limit.to_string()))];
    input::next_page(&format!("{SOURCES}/{source}/{list}"), &pairs)
}

/// A request that came to a source and was accepted.
#[derive(Serialize, ToSchema)]
struct Delivery<'a> {
    /// Its number.
    id: u64,
    /// When it was accepted.
    received_at: Timestamp,
    /// The batch that it became; absent when there was nothing to store.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u64>,
    /// The journal number of the event that was published of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<u64>,
    method: &'a str,
    /// The query without the question mark. Secrets are masked.
    query: &'a str,
    /// The headers in order. Secrets are masked.
    #[schema(value_type = Vec<DeliveryHeader>)]
    headers: &'a [Header],
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The bytes of its body as it came.
    bytes: u64,
}

/// A header as it came.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryHeader {
    name: String,
    value: String,
}

/// A delivery with its body.
#[derive(Serialize, ToSchema)]
struct DeliveryWithBody<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    delivery: Delivery<'a>,
    /// Its body as it came, to the byte, as base64; absent when it was not kept or its row is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// A page of deliveries, the newest first.
#[derive(Serialize, ToSchema)]
struct DeliveryPage<'a> {
    deliveries: Vec<Delivery<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<'a> Delivery<'a> {
    fn new(delivery: &'a CoreDelivery) -> Self {
        let CoreDelivery { id, received_at, batch, event, method, query, headers, address, bytes } =
            delivery;
        Self {
            id: id.0,
            received_at: *received_at,
            batch: batch.map(|batch| batch.0),
            event: event.map(|seq| seq.0),
            method,
            query,
            headers,
            address: address.map(|address| address.to_string()),
            bytes: *bytes,
        }
    }
}

/// List a source's deliveries
///
/// What was accepted and is kept for inspection, the newest first, without bodies.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/deliveries",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number"), Params),
    responses((status = 200, description = "A page of deliveries", body = DeliveryPage)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn list_deliveries(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    let params: Params = input::query(raw.as_deref())?;
    let (limit, page) = params.page(DeliveryId)?;
    let found = app.engine.store().deliveries(source.spec.workspace, source.id, page).await;
    let found = found.map_err(Error::from)?;
    let last = found.entries.last().filter(|_| found.more);
    let body = DeliveryPage {
        deliveries: found.entries.iter().map(Delivery::new).collect(),
        next: last.map(|last| next(&source.id.to_string(), "deliveries", last.id.0, limit)),
    };
    Ok(Json(body).into_response())
}

/// Get a delivery
///
/// With its body to the byte.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/deliveries/{delivery}",
    tag = "sources",
    params(
        ("id" = i32, Path, description = "The source's number"),
        ("delivery" = i64, Path, description = "The delivery's number"),
    ),
    responses((status = 200, description = "The delivery", body = DeliveryWithBody)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_delivery(
    State(app): State<App>,
    PathText((id, delivery)): PathText<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let missing = || Problem::new(Code::NotFound, "no such delivery");
    let number = input::number(&delivery).map(DeliveryId).ok_or_else(missing)?;
    let found = app.engine.store().delivery(source.spec.workspace, source.id, number).await;
    let (delivery, body) = found.map_err(Error::from)?.ok_or_else(missing)?;
    let body = DeliveryWithBody {
        delivery: Delivery::new(&delivery),
        body_base64: body.map(|body| STANDARD.encode(body)),
    };
    Ok(Json(body).into_response())
}
