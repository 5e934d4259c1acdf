//! `GET /v1/sources/{id}/verification`: get how deliveries are proved.

use std::sync::Arc;

use axum::response::Response;
use hookyard_core::model::Source as CoreSource;

use super::shape::{Shown, shown};
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// Get how deliveries are proved
///
/// 404 for a source without a verification, where the headers of deliveries are the proof.
#[utoipa::path(
    get,
    path = paths::VERIFICATION,
    tag = "sources",
    responses((status = 200, description = "The verification", body = Shown)),
)]
pub(super) async fn get_verification(
    call: Call<Within<Read<Data>>, Arc<CoreSource>>,
) -> Result<Response, Problem> {
    let Call { target: source, .. } = call;
    shown(&source)
}
