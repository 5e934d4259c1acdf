//! Who calls the native API: a simple key, a key pair or a bearer token, whichever is presented.

use axum::http::{HeaderMap, header};
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{Credential, Scope};

use crate::App;
use crate::problem::{Code, Problem};

/// The workspace of the caller, who must have this scope.
pub(crate) async fn workspace(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<WorkspaceId, Problem> {
    let Some(credential) = credential(app, headers).await? else {
        let detail = "send a known credential: `x-ultracart-simple-key`, `x-api-key` with \
                      `x-api-secret`, or `authorization: Bearer`";
        return Err(Problem::new(Code::Unauthenticated, detail));
    };
    if !credential.scopes.has(scope) {
        let detail = format!("the credential lacks the scope `{}`", scope.as_str());
        return Err(Problem::new(Code::MissingScope, detail));
    }
    Ok(credential.workspace)
}

async fn credential(app: &App, headers: &HeaderMap) -> Result<Option<Credential>, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("x-ultracart-simple-key") {
        return Ok(app.auth.simple(key.trim()).await?);
    }
    if let (Some(key), Some(secret)) = (text("x-api-key"), text("x-api-secret")) {
        return Ok(app.auth.pair(key, secret).await?);
    }
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match bearer {
        Some(token) => Ok(app.auth.token(token).await?),
        None => Ok(None),
    }
}
