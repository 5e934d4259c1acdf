//! `GET /v1/sources/{id}/deliveries/{delivery}`: get a delivery.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookyard_core::id::DeliveryId;
use hookyard_core::model::Source as CoreSource;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Delivery;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::{Code, Problem};

/// A delivery with its body.
#[derive(Serialize, ToSchema)]
struct DeliveryWithBody<'a> {
    #[serde(flatten)]
    #[schema(inline)]
    delivery: Delivery<'a>,
    /// The body as received, byte for byte, as base64; absent when the body was not kept or the row is
    /// gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

/// Get a delivery
///
/// The delivery with the body, byte for byte.
#[utoipa::path(
    get,
    path = paths::DELIVERY,
    tag = "sources",
    responses((status = 200, description = "The delivery", body = DeliveryWithBody)),
)]
pub(super) async fn get_delivery(
    call: Call<Within<Read<Data>>, (Arc<CoreSource>, DeliveryId)>,
) -> Result<Response, Problem> {
    let Call { app, target: (source, number), .. } = call;
    let missing = || Problem::new(Code::NotFound, "no such delivery");
    let found = app.engine.of(source.spec.workspace).delivery(source.id, number).await;
    let (delivery, body) = found?.ok_or_else(missing)?;
    let body = DeliveryWithBody {
        delivery: Delivery::new(&delivery),
        body_base64: body.map(|body| STANDARD.encode(body)),
    };
    Ok(Json(body).into_response())
}
