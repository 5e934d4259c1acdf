//! `GET /v1/sources/{id}/rejections/{rejection}`: get a rejection.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::RejectionId;
use hookyard_core::model::{Header, RefusedRequest, Source, Source as CoreSource};
use hookyard_engine::receive::{MaskedRequest, masked};
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Rejection;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::native::sources::deliveries::DeliveryHeader;
use crate::problem::{Code, Problem};

/// A rejection with the refused request.
#[derive(Serialize, ToSchema)]
struct RejectionWithRequest<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    rejection: Rejection<'a>,
    /// The first request; absent when not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RefusedRequestBody>,
}

/// A refused request, as far as the server read the request.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedRequest)]
struct RefusedRequestBody {
    /// The request's path and query. Secrets are masked.
    target: String,
    /// The request's headers in order. Secrets are masked.
    #[schema(value_type = Vec<DeliveryHeader>)]
    headers: Vec<Header>,
    /// The bytes of the body as received; absent for an unread body.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The body as received, byte for byte, as base64; absent for an unread body and above 256 KiB.
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

/// Get a rejection
///
/// The rejection with the refused request, while kept. `POST /v1/sources/{id}/doctor` with the number
/// explains the fault of the request.
#[utoipa::path(
    get,
    path = paths::REJECTION,
    tag = "sources",
    responses((status = 200, description = "The rejection", body = RejectionWithRequest)),
)]
pub(super) async fn get_rejection(
    call: Call<Within<Read<Data>>, (Arc<CoreSource>, RejectionId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (source, number), .. } = call;
    let missing = || Problem::new(Code::NotFound, "no such rejection");
    let found = app.engine.rejection(source.spec.workspace, source.id, number).await?;
    let (line, request) = found.ok_or_else(missing)?;
    let body = RejectionWithRequest {
        rejection: Rejection::new(&line),
        request: request.map(|request| RefusedRequestBody::new(&source, &request)),
    };
    Ok(Json(body).into_response())
}
