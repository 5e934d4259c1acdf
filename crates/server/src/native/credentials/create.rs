//! `POST /v1/credentials`: make a credential.

use axum::response::Response;

use super::change::NewCredential;
use super::shape;
use super::shape::MadeCredential;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::Problem;

/// Make a credential
///
/// The credential's secrets are in the answer and nowhere else. The credential of an application may not
/// create credentials, whatever its scopes are.
#[utoipa::path(
    post,
    path = paths::CREDENTIALS,
    tag = "credentials",
    responses(
        (status = 201, description = "The credential with its secrets", body = MadeCredential, headers(
            ("location" = String, description = "Its path"),
        )),
        (status = 409, description = "The workspace has as many as it may"),
    ),
)]
pub(super) async fn create_credential(
    call: Call<Person, (), Nothing, JsonBody<NewCredential>>,
) -> Result<Response, Problem> {
    let Call { app, caller: workspace, body: JsonBody(new), .. } = call;
    let (credential, secrets) = app.engine.create_credential(workspace, new.spec()?).await?;
    Ok(shape::made(&app, &credential, &secrets))
}
