//! `POST /v1/sources/{id}/verification/secrets`: add a secret of the provider.

use std::sync::Arc;

use axum::response::Response;
use hookyard_core::model::{Secret, Source as CoreSource};
use hookyard_core::provider::SECRETS_MAX;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::{Shown, shown};
use crate::native::call::{Call, Data, Within, Write};
use crate::native::input::Nothing;
use crate::native::paths;
use crate::native::sent::JsonBody;
use crate::problem::{Code, Problem};

/// A secret or public key to count from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewVerificationSecret {
    /// The secret or public key.
    #[schema(value_type = String, write_only, min_length = 1, max_length = 4096)]
    secret: Secret,
    /// The number of existing secrets to keep, newest first; 1 by default. 0 ends a rotation.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9)]
    keep: Option<usize>,
}

/// Add a secret of the provider
///
/// The new secret counts beside the newest existing secrets, until a secret is added with `keep` 0. No
/// delivery is lost while the provider changes its secret.
#[utoipa::path(
    post,
    path = paths::VERIFICATION_SECRETS,
    tag = "sources",
    responses((status = 200, description = "The verification", body = Shown)),
)]
pub(super) async fn add_verification_secret(
    call: Call<Within<Write<Data>>, Arc<CoreSource>, Nothing, JsonBody<NewVerificationSecret>>,
) -> Result<Response, Problem> {
    let Call { app, target: source, body: JsonBody(new), .. } = call;
    let keep = new.keep.unwrap_or(1);
    if keep >= SECRETS_MAX {
        let detail = format!("must be from 0 to {}", SECRETS_MAX - 1);
        return Err(Problem::of_field(Code::InvalidValue, "keep", detail));
    }
    let workspace = source.spec.workspace;
    let (id, secret) = (source.id, new.secret);
    shown(&*app.engine.add_verification_secret(workspace, id, secret, keep).await?)
}
