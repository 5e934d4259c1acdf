//! `GET /v1/providers`: list providers.

use axum::Json;
use hookyard_core::provider::presets;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Provider;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::Problem;

/// Providers with a scheme for sources.
#[derive(Serialize, ToSchema)]
pub(super) struct ProviderList<'a> {
    /// All providers, names ascending.
    providers: Vec<Provider<'a>>,
}

/// List providers
#[utoipa::path(
    get,
    path = paths::PROVIDERS,
    tag = "sources",
    responses((status = 200, description = "All providers", body = ProviderList)),
)]
pub(super) async fn list_providers(
    _call: Call<Within<Read<Data>>>,
) -> Result<Json<ProviderList<'static>>, Problem> {
    Ok(Json(ProviderList { providers: presets().iter().map(Provider::new).collect() }))
}
