//! `PUT /v1/sources/{id}/verification`: set how deliveries are proved.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::response::Response;
use hookyard_core::model::{Secret, Source as CoreSource};
use hookyard_core::provider::{Scheme, Verification};
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::{Shown, shown};
use crate::App;
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::{Code, Problem};

/// The verification of deliveries: a provider's scheme or the owner's own scheme.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct NewVerification {
    /// The provider's name, from `/v1/providers`.
    #[serde(default)]
    #[schema(max_length = 100)]
    provider: Option<String>,
    /// The owner's own scheme, instead of a provider's; docs/reference/providers.md describes the members.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    scheme: Option<Scheme>,
    /// The header of the signature or token, where not the provider's usual header.
    #[serde(default)]
    #[schema(max_length = 200)]
    header: Option<String>,
    /// How many seconds the signed timestamp may be from now, where not the provider's usual number.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 604800)]
    tolerance_seconds: Option<u32>,
    /// Further settings of the provider's scheme, such as PayPal's `webhook_id`.
    #[serde(default)]
    #[schema(required = false)]
    settings: BTreeMap<String, String>,
    /// The secrets or public keys, newest first; any of the secrets may sign. Without given secrets and
    /// with the same provider, existing secrets stay.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = false, write_only, max_items = 10)]
    secrets: Vec<Secret>,
    /// The secret of a handshake, for providers with handshake secrets.
    #[serde(default)]
    #[schema(value_type = Option<String>, write_only, max_length = 4096)]
    handshake_secret: Option<Secret>,
}

impl NewVerification {
    pub(in super::super) fn verification(self) -> Verification {
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

/// Refuses a scheme that signs the source's URL while the server does not know its URL to the letter.
/// `within` is the path of the verification in the body.
pub(in super::super) fn check_url_known(
    app: &App,
    wanted: &Verification,
    within: &str,
) -> Result<(), Problem> {
    let signs_url = wanted.verifier().is_some_and(|verifier| verifier.covers_url());
    if !signs_url || app.settings.public_url.is_some() {
        return Ok(());
    }
    let detail = "signs the URL: start the server with --public-url, so that it knows its own";
    let member = if wanted.provider.is_some() { "provider" } else { "scheme" };
    Err(Problem::of_field(Code::InvalidValue, &format!("{within}{member}"), detail))
}

/// Set how deliveries are proved
///
/// Deliveries must be proved so from then on, and in no other way: the source's own secret counts no
/// more.
#[utoipa::path(
    put,
    path = paths::VERIFICATION,
    tag = "sources",
    responses((status = 200, description = "The verification", body = Shown)),
)]
pub(super) async fn set_verification(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, Nothing, JsonBody<NewVerification>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, body: JsonBody(wanted), .. } = call;
    let wanted = wanted.verification();
    check_url_known(&app, &wanted, "")?;
    let workspace = source.spec.workspace;
    shown(&*app.engine.set_verification(workspace, source.id, Some(wanted)).await?)
}
