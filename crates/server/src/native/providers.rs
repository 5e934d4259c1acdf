//! `/v1/providers`: whose schemes sources can go by.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use hookyard_core::model::Scope;
use hookyard_core::provider::{Evidence, Preset, Scheme, presets};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller;
use super::input::{self, Nothing, PathText};
use crate::App;
use crate::problem::{Code, Problem};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_providers)).routes(routes!(get_provider))
}

/// Whose schemes sources can go by.
#[derive(Serialize, ToSchema)]
struct ProviderList<'a> {
    /// All of them, names ascending.
    providers: Vec<Provider<'a>>,
}

/// A provider of webhooks.
#[derive(Serialize, ToSchema)]
struct Provider<'a> {
    /// Its name in settings.
    name: &'a str,
    /// Its name for people.
    title: &'a str,
    /// What to enter as the secret, and where it is found.
    secret: &'a str,
    /// What else its user must know.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    /// What is done with the key: `token`, `hmac-sha256` and so on.
    algorithm: &'a str,
    /// The handshakes that are answered, by the provider's names for them.
    handshakes: Vec<&'a str>,
    /// Whether a handshake must show a secret of its own.
    handshake_secret: bool,
    /// Whether a handshake brings the secret.
    learns: bool,
    /// Whether the server must know its public URL.
    signs_url: bool,
    /// Settings that must be given.
    settings: Vec<&'a str>,
    /// Whether repeats are recognised by an id of the provider's.
    delivery_id: bool,
    /// Whether the vendor's documentation was seen to say the same.
    confirmed: bool,
    /// Where that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<&'a str>,
}

/// A provider with its scheme.
#[derive(Serialize, ToSchema)]
struct ProviderDetail<'a> {
    #[serde(flatten)]
    provider: Provider<'a>,
    /// How its requests are proved; docs/reference/providers.md describes the members.
    #[schema(value_type = Object)]
    scheme: &'a Scheme,
}

/// List providers
#[utoipa::path(
    get,
    path = "/v1/providers",
    tag = "sources",
    responses((status = 200, description = "All providers", body = ProviderList)),
    security(("simple_key" = ["data_read"])),
)]
async fn list_providers(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Json<ProviderList<'static>>, Problem> {
    caller::reach(&app, &headers, Scope::DataRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    Ok(Json(ProviderList { providers: presets().iter().map(Provider::new).collect() }))
}

/// Get a provider
#[utoipa::path(
    get,
    path = "/v1/providers/{name}",
    tag = "sources",
    params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "The provider", body = ProviderDetail)),
    security(("simple_key" = ["data_read"])),
)]
async fn get_provider(
    State(app): State<App>,
    PathText(name): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Json<ProviderDetail<'static>>, Problem> {
    caller::reach(&app, &headers, Scope::DataRead).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let preset = hookyard_core::provider::preset(&name)
        .ok_or_else(|| Problem::new(Code::NotFound, "no such provider"))?;
    Ok(Json(ProviderDetail { provider: Provider::new(preset), scheme: &preset.scheme }))
}

impl<'a> Provider<'a> {
    fn new(preset: &'a Preset) -> Self {
        let documentation = match &preset.evidence {
            Evidence::Vendor(url) => Some(url.as_str()),
            Evidence::PublicSource | Evidence::NoVendor | Evidence::General => None,
        };
        let signed = preset.scheme.signed.as_ref();
        Self {
            name: &preset.name,
            title: &preset.title,
            secret: &preset.secret,
            note: preset.note.as_deref(),
            algorithm: preset.scheme.algorithm.as_str(),
            handshakes: preset.handshakes.iter().map(|it| it.name.as_str()).collect(),
            handshake_secret: preset.asks_handshake_secret(),
            learns: preset.learns(),
            signs_url: preset.scheme.covers_url(),
            settings: signed.map(|signed| signed.settings().collect()).unwrap_or_default(),
            delivery_id: !preset.delivery_id_at.is_empty(),
            confirmed: documentation.is_some(),
            documentation,
        }
    }
}
