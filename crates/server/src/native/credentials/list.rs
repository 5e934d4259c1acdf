//! `GET /v1/credentials`: pages of credentials.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::Scope;
use hookyard_engine::Error;
use hookyard_store::CredentialQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::CREDENTIALS;
use super::shape::Credential;
use crate::App;
use crate::native::{caller, input};
use crate::problem::Problem;

/// Credentials of a page that does not say.
const LIMIT_DEFAULT: usize = 100;

/// The most credentials of a page. Each has up to some five kilobytes.
const LIMIT_MAX: usize = 200;

/// Which credentials to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Given to the application with this number; to none unless said.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    application: Option<u32>,
    /// With a higher number than this.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    after: Option<u32>,
    /// The most credentials of the page; 100 unless said.
    #[param(nullable = false, minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// A page of credentials, numbers ascending.
#[derive(Serialize, ToSchema)]
pub(super) struct CredentialPage<'a> {
    credentials: Vec<Credential<'a>>,
    /// The path and query of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List credentials
///
/// A page of the workspace's credentials, numbers ascending. Those that have ended are listed for
/// another 90 days.
#[utoipa::path(
    get,
    path = CREDENTIALS,
    tag = "credentials",
    params(Params),
    responses((status = 200, description = "A page of credentials", body = CredentialPage)),
    security(("simple_key" = ["admin"])),
)]
pub(super) async fn list_credentials(
    State(app): State<App>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let workspace = caller::workspace(&app, &headers, Scope::Admin).await?;
    let params: Params = input::query(raw.as_deref())?;
    let limit = input::limit(params.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let application = input::number_of("application", params.application)?;
    let after = input::number_of("after", params.after)?;
    let query = CredentialQuery {
        application: application.map(ApplicationId),
        after: after.map(CredentialId),
        // One more than the page tells whether there is another.
        limit: limit + 1,
    };
    let found = app.engine.store().credentials(workspace, query).await.map_err(Error::from)?;
    let shown = &found[..found.len().min(limit)];
    let next = shown.last().filter(|_| found.len() > limit).map(|last| {
        let pairs = [
            ("application", params.application.map(|number| number.to_string())),
            ("after", Some(last.id.to_string())),
            ("limit", Some(limit.to_string())),
        ];
        input::next_page(CREDENTIALS, &pairs)
    });
    let now = app.engine.clock().now();
    let credentials = shown.iter().map(|credential| Credential::new(credential, now)).collect();
    Ok(Json(CredentialPage { credentials, next }).into_response())
}
