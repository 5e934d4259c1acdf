//! `GET /v1/credentials/{id}`: get a credential.

use axum::response::Response;
use hookyard_core::model::Credential as CoreCredential;

use super::shape::Credential;
use super::shape::answer;
use crate::native::call::{Admin, Call};
use crate::native::paths;
use crate::problem::Problem;

/// Get a credential
#[utoipa::path(
    get,
    path = paths::CREDENTIAL,
    tag = "credentials",
    responses((status = 200, description = "The credential", body = Credential)),
)]
pub(super) async fn get_credential(call: Call<Admin, CoreCredential>) -> Result<Response, Problem> {
    let Call { app, target: credential, .. } = call;
    Ok(answer(&app, &credential))
}
