//! The receive path of sources (spec/mammoth.md sections 2 to 5).

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use hookyard_core::model::{Scope, Source};
use hookyard_engine::access;
use hookyard_engine::receive::{self, Head, Refusal, Standing};
use http::request::Parts;
use http::{Method, Request, StatusCode};

use crate::App;
use crate::mammoth::error::ApiError;
use crate::mammoth::{call, not_found, read_body};

mod answer;
mod cors;
#[cfg(test)]
mod tests;

use cors::Cors;

/// What the paths of sources take; the `Allow` header of all others.
const METHODS: &str = "GET, POST, OPTIONS, HEAD";

/// Clients put the documented path, its plural, or a whole path after another, so all of these are
/// one: the last segment is the key.
const PREFIXES: [&str; 3] = ["", "/api/v2", "/api/v1"];
const WORDS: [&str; 2] = ["webhook", "webhooks"];

pub(crate) fn router() -> Router<App> {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for word in WORDS {
            router = router.route(&format!("{prefix}/{word}/data/{{*rest}}"), any(deliver));
        }
    }
    // Whatever else is below these is refused in this API's form too.
    ["/webhook", "/webhooks", "/api/v1"].into_iter().fold(router, |router, prefix| {
        router
            .nest(prefix, Router::new().fallback(not_found))
            .route(&format!("{prefix}/"), any(not_found))
    })
}

/// One request on a source's URL. The checks are in the order of spec section 3: method, key,
/// origin, proof, then the body.
async fn deliver(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    if ![Method::GET, Method::POST, Method::OPTIONS, Method::HEAD].contains(&parts.method) {
        return Err(ApiError::allowed_are(METHODS));
    }
    let key = key(parts.uri.path()).ok_or_else(ApiError::not_found)?;
    let found = app.engine.source_by_key(key).await?;
    let source = found.ok_or_else(ApiError::not_found)?;
    let cors = Cors::judge(&source, &parts.headers);
    let answer = if cors.is_refused() {
        Err(ApiError::forbidden())
    } else if parts.method == Method::OPTIONS {
        Ok(cors::options(&parts.headers))
    } else {
        accept(&app, &source, &parts, body).await
    };
    // Also on refusals, so that a page can read why.
    let mut response = answer.into_response();
    cors.apply(response.headers_mut());
    Ok(response)
}

/// The last segment that is not empty.
fn key(path: &str) -> Option<&str> {
    path.rsplit('/').find(|segment| !segment.is_empty())
}

async fn accept(
    app: &App,
    source: &Source,
    parts: &Parts,
    body: Body,
) -> Result<Response, ApiError> {
    let query = parts.uri.query().unwrap_or_default();
    let head = Head { method: &parts.method, headers: &parts.headers, query };
    let standing = standing(app, source, head).await?;
    if standing == Standing::Unproven {
        return Err(ApiError::unauthorized());
    }
    let bytes_max = app.settings.receive_bytes_max;
    let body = match parts.method {
        Method::POST => read_body(&parts.headers, body, bytes_max).await?,
        _ => Bytes::new(),
    };
    let now = app.engine.clock().now();
    let cell = receive::read(source, standing, head, &body, bytes_max, now).map_err(refused)?;
    if parts.method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let rows = app.engine.receive(source, cell).await?;
    Ok(answer::accepted(source, &parts.method, rows))
}

/// What the caller has proved, by the source's secret or by a credential that may write data in the
/// source's workspace: unmodified clients can send nothing else.
async fn standing(app: &App, source: &Source, head: Head<'_>) -> Result<Standing, ApiError> {
    let standing = receive::standing(source, head);
    if standing == Standing::Proven {
        return Ok(standing);
    }
    let credential = match call::credential(app, head.headers).await {
        Ok(credential) => Some(credential),
        Err(access::Refusal::Failed(error)) => return Err(error.into()),
        // A source that takes anyone takes this caller, too.
        Err(refusal @ (access::Refusal::Disabled | access::Refusal::Address(_)))
            if standing == Standing::Unproven =>
        {
            return Err(refusal.into());
        }
        Err(_) => None,
    };
    let may_write = credential.is_some_and(|credential| {
        credential.workspace == source.spec.workspace && credential.scopes.has(Scope::DataWrite)
    });
    Ok(if may_write { Standing::Proven } else { standing })
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Malformed(reason) => ApiError::new(StatusCode::BAD_REQUEST, reason),
        Refusal::Unproven => ApiError::unauthorized(),
        Refusal::TooLarge => ApiError::too_large(),
        Refusal::Unsupported(reason) => ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason),
    }
}
