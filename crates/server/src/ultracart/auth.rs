//! The caller's identity (docs/spec/ultracart.md#credentials).

use axum::extract::FromRequestParts;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{Credential, Scope};
use hookyard_engine::access::Presented;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::client::Client;
use super::error::ApiError;
use crate::App;

/// The header of the simple key.
const SIMPLE_KEY: HeaderName = HeaderName::from_static("x-ultracart-simple-key");

/// A caller with a valid credential.
pub(super) struct Caller {
    credential: Credential,
    pub(super) client: Client,
}

impl Caller {
    /// The credential itself.
    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The workspace of the credential, if the credential has the scope.
    pub(super) fn may(&self, scope: Scope) -> Result<WorkspaceId, ApiError> {
        if self.credential.scopes.has(scope) {
            Ok(self.credential.workspace)
        } else {
            Err(ApiError::forbidden(scope))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let presented = presented(&parts.headers).ok_or_else(|| {
            let message = "no credential: send a simple key in x-ultracart-simple-key or a token \
                           in Authorization: Bearer";
            ApiError::unauthorized(message)
        })?;
        let credential = app.engine.access().admit(presented).await.map_err(ApiError::refused)?;
        Ok(Self { credential, client: Client::from_headers(&parts.headers) })
    }
}

/// The deciding credential: the simple key if present, else the token. Several SDKs send an empty bearer
/// beside a key (docs/spec/ultracart.md#trap-5), so an empty credential counts as absent.
fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // An SDK can be told to put a word before the key.
    if let Some(key) = text(SIMPLE_KEY).split_ascii_whitespace().next_back() {
        return Some(Presented::Simple(key));
    }
    let mut words = text(AUTHORIZATION).split_ascii_whitespace();
    let token = match (words.next()?, words.next(), words.next()) {
        (scheme, Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => token,
        (bare, None, None) if !bare.eq_ignore_ascii_case("bearer") => bare,
        _ => return None,
    };
    Some(Presented::Token(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: Option<&'static str>, authorization: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert(SIMPLE_KEY, key.parse().unwrap());
        }
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_simple_key_decides_when_it_is_there() {
        for (key, authorization) in [
            ("k1", None),
            ("k1", Some("Bearer ")),
            ("k1", Some("Bearer t1")),
            ("SimpleKey k1", None),
            (" k1 ", None),
        ] {
            let headers = headers(Some(key), authorization);
            let found = presented(&headers);
            assert!(matches!(found, Some(Presented::Simple("k1"))), "{key}");
        }
    }

    #[test]
    fn else_the_token_with_or_without_its_scheme() {
        for (key, authorization) in [
            (None, "Bearer t1"),
            (None, "bearer t1"),
            (None, "t1"),
            (Some(""), "Bearer t1"),
            (Some(" "), "Bearer  t1 "),
        ] {
            let headers = headers(key, Some(authorization));
            let found = presented(&headers);
            assert!(matches!(found, Some(Presented::Token("t1"))), "{authorization}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        for authorization in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic dTpw")] {
            assert!(presented(&headers(None, authorization)).is_none(), "{authorization:?}");
            assert!(presented(&headers(Some(""), authorization)).is_none(), "{authorization:?}");
        }
    }
}
