//! `GET /v1/credentials`: pages of credentials.

use axum::Json;
use axum::response::{IntoResponse, Response};
use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_store::CredentialQuery;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::shape::Credential;
use crate::native::call::{Admin, Call};
use crate::native::page::{Page, PageSize};
use crate::native::{input, paths};
use crate::problem::Problem;

/// How many credentials of a page. Each has up to some five kilobytes.
const PAGE: PageSize = PageSize { default: 100, max: 200 };

/// Selects the credentials to list.
#[derive(Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Params {
    /// Given to the application with the given number; to no application unless said.
    #[param(nullable = false, minimum = 0, maximum = 2147483647)]
    application: Option<u32>,
    /// With a higher number than the given one.
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
    /// The path and query of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// List credentials
///
/// A page of the workspace's credentials, numbers ascending. Ended credentials are listed for another 90
/// days.
#[utoipa::path(
    get,
    path = paths::CREDENTIALS,
    tag = "credentials",
    responses((status = 200, description = "A page of credentials", body = CredentialPage)),
)]
pub(super) async fn list_credentials(call: Call<Admin, (), Params>) -> Result<Response, Problem> {
    let Call { app, caller: workspace, query: params, .. } = call;
    let limit = PAGE.limit(params.limit)?;
    let application = input::number_of("application", params.application)?;
    let after = input::number_of("after", params.after)?;
    let query = CredentialQuery {
        application: application.map(ApplicationId),
        after: after.map(CredentialId),
        limit: limit.and_one(),
    };
    let found = app.engine.of(workspace).credentials(query).await?;
    let page = Page::cut(found, limit);
    let now = app.engine.clock().now();
    let credentials = page.entries.iter().map(|found| Credential::new(found, now)).collect();
    let next = page.next(&app.link(&paths::CREDENTIALS), |last| Params {
        after: Some(last.id.0.unsigned_abs()),
        limit: Some(limit.get()),
        ..params
    });
    Ok(Json(CredentialPage { credentials, next }).into_response())
}
