//! Parameters in the path.

use axum::extract::{FromRequestParts, Path};
use hookyard_core::id::EndpointId;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
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

/// The number of a webhook.
pub(super) fn webhook_oid(text: &str) -> Result<EndpointId, ApiError> {
    let message = "must be a whole number of 32 bits";
    text.parse().map_err(|_| ApiError::invalid("webhookOid", message))
}
