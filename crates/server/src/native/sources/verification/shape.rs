//! `/v1/sources/{id}/verification`: how deliveries to a source are proved.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::model::Source;
use hookyard_core::provider::{Scheme, Verification};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::problem::{Code, Problem};

/// How deliveries are proved. The secrets are not shown.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification)]
pub(super) struct Shown<'a> {
    /// The provider; absent for a scheme of the owner's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    /// The scheme in use, the provider's or the owner's own.
    #[schema(value_type = Object)]
    scheme: &'a Scheme,
    /// The header, where not the provider's usual header.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a str>,
    /// The tolerance, where not the provider's usual tolerance.
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance_seconds: Option<u32>,
    /// Further settings of the scheme.
    settings: &'a BTreeMap<String, String>,
    /// The number of secrets or public keys. With 0, a handshake will bring the secret.
    secrets: usize,
    /// Whether there is a handshake secret.
    handshake_secret: bool,
}

pub(super) fn shown(source: &Source) -> Result<Response, Problem> {
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

/// Examples of the file's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    let new = json!({"provider": "stripe", "secrets": ["whsec_of_the_provider"]});
    let secret = json!({"secret": "whsec_the_next", "keep": 1});
    vec![("NewVerification", new), ("NewVerificationSecret", secret)]
}
