//! Parameters in the path.

use axum::extract::{FromRequestParts, Path};
use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_engine::Error;
use hookyard_store::Entity;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::{ApiError, Subject};
use crate::App;

/// The parameters as texts, decoded.
pub(super) struct PathTexts<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for PathTexts<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, app).await {
            Ok(Path(texts)) => Ok(Self(texts)),
            Err(_) => Err(ApiError::invalid("path", "must be valid UTF-8 once decoded")),
        }
    }
}

/// The number of a webhook. `verb` says what is to be done with the webhook. An endpoint of one of the
/// workspace's customers is no webhook: the API knows no customers, and shows and changes none of theirs.
pub(super) async fn webhook_oid(
    app: &App,
    workspace: WorkspaceId,
    text: &str,
    verb: &'static str,
) -> Result<EndpointId, ApiError> {
    let message = "must be a whole number of 32 bits";
    let id = text.parse().map_err(|_| ApiError::invalid("webhookOid", message))?;
    let failed = |error| ApiError::from_engine(error, Subject::webhook(verb));
    let found = app.engine.of(workspace).endpoint(id).await;
    let found = found.map_err(|error| failed(error.into()))?;
    if found.is_some_and(|endpoint| endpoint.customer.is_some()) {
        return Err(failed(Error::NotFound(Entity::Endpoint)));
    }
    Ok(id)
}
