//! `PATCH /v1/credentials/{id}`: change a credential.

use axum::response::Response;
use hookyard_core::model::Credential as CoreCredential;

use super::change::CredentialPatch;
use super::shape::Credential;
use super::shape::answer;
use crate::native::call::{Call, Person};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::PatchBody;
use crate::problem::Problem;

/// Change a credential
///
/// A JSON merge patch (RFC 7396): an absent field stays, null restores the default, a list is replaced as
/// a whole. The change is in effect at once. Of itself a credential can change the name only.
#[utoipa::path(
    patch,
    path = paths::CREDENTIAL,
    tag = "credentials",
    responses(
        (status = 200, description = "The credential", body = Credential),
        (status = 409, description = "It was revoked, or it is the one that asks"),
    ),
)]
pub(super) async fn update_credential(
    call: Call<Person, CoreCredential, Nothing, PatchBody<CredentialPatch>>,
) -> Result<Response, Problem> {
    let Call {
        app,
        caller: workspace,
        target: CoreCredential { id, .. },
        body: PatchBody(patch),
        ..
    } = call;
    let credential = app.engine.change_credential(workspace, id, patch.change()?).await?;
    Ok(answer(&app, &credential))
}
