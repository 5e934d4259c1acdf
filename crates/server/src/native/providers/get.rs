//! `GET /v1/providers/{name}`: get a provider.

use crate::native::target::ProviderName;
use axum::Json;
use hookyard_core::provider::Scheme;
use serde::Serialize;
use utoipa::ToSchema;

use super::shape::Provider;
use crate::native::call::{Call, Data, Read, Within};
use crate::native::paths;
use crate::problem::{Code, Problem};

/// A provider with its scheme.
#[derive(Serialize, ToSchema)]
pub(super) struct ProviderDetail<'a> {
    #[serde(flatten)]
    provider: Provider<'a>,
    /// The scheme that proves the provider's requests; docs/reference/providers.md describes the members.
    #[schema(value_type = Object)]
    scheme: &'a Scheme,
}

/// Get a provider
#[utoipa::path(
    get,
    path = paths::PROVIDER,
    tag = "sources",
    responses((status = 200, description = "The provider", body = ProviderDetail)),
)]
pub(super) async fn get_provider(
    call: Call<Within<Read<Data>>, ProviderName>,
) -> Result<Json<ProviderDetail<'static>>, Problem> {
    let Call { target: ProviderName(name), .. } = call;
    let preset = hookyard_core::provider::preset(&name)
        .ok_or_else(|| Problem::new(Code::NotFound, "no such provider"))?;
    Ok(Json(ProviderDetail { provider: Provider::new(preset), scheme: &preset.scheme }))
}
