//! `/v1/sources/{id}/verification`: how deliveries to a source are proved.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hookyard_core::model::{Scope, Secret, Source};
use hookyard_core::provider::{Preset, SECRETS_MAX, Scheme, Verification};
use hookyard_store::Seen;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::source;
use crate::App;
use crate::native::input::{self, Nothing, PathText};
use crate::problem::{Code, Problem};

/// How deliveries shall be proved: by a provider's scheme or one of the owner's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVerification {
    /// The provider's name, one of `/v1/providers`.
    #[serde(default)]
    #[schema(max_length = 100)]
    provider: Option<String>,
    /// The owner's own scheme, instead of a provider's; docs/reference/providers.md describes its members.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    scheme: Option<Scheme>,
    /// The header of the signature or token, where it is not the provider's usual one.
    #[serde(default)]
    #[schema(max_length = 200)]
    header: Option<String>,
    /// How many seconds the signed timestamp may be from now, where not the provider's usual number.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604800)]
    tolerance_seconds: Option<u32>,
    /// What the provider's scheme asks for besides, such as PayPal's `webhook_id`.
    #[serde(default)]
    #[schema(required = false)]
    settings: BTreeMap<String, String>,
    /// The secrets or public keys, the newest first; any of them may have signed. Those that are
    /// there stay when none are given and the provider is the same.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false, write_only, max_items = 10)]
    secrets: Vec<Secret>,
    /// What a handshake must show, for providers with such a one.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, max_length = 4096)]
    handshake_secret: Option<Secret>,
}

/// How deliveries are proved. The secrets are not shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification)]
struct Shown<'a> {
    /// The provider; absent for a scheme of the owner's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    /// The scheme that is carried out, the provider's or the owner's own.
    #[schema(value_type = Object)]
    scheme: &'a Scheme,
    /// The header, where it is not the provider's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    /// The tolerance, where it is not the provider's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance_seconds: Option<u32>,
    /// What the scheme asks for besides.
    settings: &'a BTreeMap<String, String>,
    /// How many secrets or public keys there are. None means that a handshake will bring it.
    secrets: usize,
    /// Whether there is a handshake secret.
    handshake_secret: bool,
}

/// A secret or public key to count from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVerificationSecret {
    /// The secret or public key.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 4096)]
    secret: Secret,
    /// How many of those that are there stay, the newest of them; 1 unless said. 0 ends a rotation.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9)]
    keep: Option<usize>,
}

/// The secret that a handshake brought.
#[derive(Serialize, ToSchema)]
struct LearntSecret<'a> {
    /// The secret; absent while no handshake came.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// Get how deliveries are proved
///
/// 404 for a source that goes by the headers that its deliveries come with.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/verification",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 200, description = "The verification", body = Shown)),
    security(("simple_key" = ["data_read"])),
)]
pub(super) async fn get_verification(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataRead, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    shown(&source)
}

/// Set how deliveries are proved
///
/// Deliveries must be proved so from then on, and in no other way: the source's own secret counts no
/// more.
#[utoipa::path(
    put,
    path = "/v1/sources/{id}/verification",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    request_body = NewVerification,
    responses((status = 200, description = "The verification", body = Shown)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn set_verification(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let wanted: NewVerification = input::json(&headers, body, &[input::JSON]).await?;
    let wanted = wanted.verification();
    let signs_url = wanted.verifier().is_some_and(|verifier| verifier.covers_url());
    if signs_url && app.settings.public_url.is_none() {
        let detail = "signs the URL: start the server with --public-url, so that it knows its own";
        let member = if wanted.provider.is_some() { "provider" } else { "scheme" };
        return Err(Problem::of_field(Code::InvalidValue, member, detail));
    }
    let workspace = source.spec.workspace;
    shown(&*app.engine.set_verification(workspace, source.id, Some(wanted)).await?)
}

/// Go back to the usual proofs
///
/// The secrets of the verification are forgotten.
#[utoipa::path(
    delete,
    path = "/v1/sources/{id}/verification",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 204, description = "It is gone")),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn delete_verification(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    app.engine.set_verification(source.spec.workspace, source.id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add a secret of the provider
///
/// It counts beside the newest of those that are there, until one is added with `keep` 0: so no
/// delivery is lost while the provider changes its secret.
#[utoipa::path(
    post,
    path = "/v1/sources/{id}/verification/secrets",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    request_body = NewVerificationSecret,
    responses((status = 200, description = "The verification", body = Shown)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn add_verification_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let new: NewVerificationSecret = input::json(&headers, body, &[input::JSON]).await?;
    let keep = new.keep.unwrap_or(1);
    if keep >= SECRETS_MAX {
        let detail = format!("must be from 0 to {}", SECRETS_MAX - 1);
        return Err(Problem::of_field(Code::InvalidValue, "keep", detail));
    }
    let workspace = source.spec.workspace;
    let (id, secret) = (source.id, new.secret);
    shown(&*app.engine.add_verification_secret(workspace, id, secret, keep).await?)
}

/// Get the secret that a handshake brought
///
/// Some providers want it entered with them once. 404 for a source whose provider brings none.
#[utoipa::path(
    get,
    path = "/v1/sources/{id}/verification/learnt",
    tag = "sources",
    params(("id" = i32, Path, description = "The source's number")),
    responses((status = 200, description = "The secret", body = LearntSecret)),
    security(("simple_key" = ["data_write"])),
)]
pub(super) async fn get_learnt_secret(
    State(app): State<App>,
    PathText(id): PathText<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Whoever knows it can pass for the provider, so reading it is not for readers.
    let source = source(&app, &headers, Scope::DataWrite, &id).await?;
    input::query::<Nothing>(raw.as_deref())?;
    let verification = source.spec.options.verification.as_ref();
    let learns = |it: &&Verification| it.preset().is_some_and(Preset::learns);
    let Some(verification) = verification.filter(learns) else {
        return Err(Problem::new(Code::NotFound, "the source's provider brings no secret"));
    };
    let secret = verification.secrets.first().map(Secret::expose);
    app.engine.note_seen(source.spec.workspace, Seen::SourceSecret(source.id)).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(LearntSecret { secret })).into_response())
}

fn shown(source: &Source) -> Result<Response, Problem> {
    let none = || Problem::new(Code::NotFound, "the source has no verification of its own");
    let verification = source.spec.options.verification.as_ref().ok_or_else(none)?;
    let own = verification.scheme.as_ref();
    let scheme = own.or_else(|| verification.preset().map(|preset| &preset.scheme));
    let Verification { provider, header, tolerance_seconds, settings, secrets, .. } = verification;
    Ok(Json(Shown {
        provider: provider.as_deref(),
        scheme: scheme.ok_or_else(none)?,
        header: header.as_deref(),
        tolerance_seconds: *tolerance_seconds,
        settings,
        secrets: secrets.len(),
        handshake_secret: verification.handshake_secret.is_some(),
    })
    .into_response())
}

impl NewVerification {
    fn verification(self) -> Verification {
        let Self {
            provider,
            scheme,
            header,
            tolerance_seconds,
            settings,
            secrets,
            handshake_secret,
        } = self;
        Verification {
            provider,
            scheme,
            header,
            tolerance_seconds,
            settings,
            secrets,
            handshake_secret,
        }
    }
}

/// Examples of the schemas of this file, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let new = json!({"provider": "stripe", "secrets": ["whsec_of_the_provider"]});
    let secret = json!({"secret": "whsec_the_next", "keep": 1});
    vec![("NewVerification", new), ("NewVerificationSecret", secret)]
}
