//! The receive path of sources (docs/spec/mammoth.md#key and the headings that follow).

use std::borrow::Cow;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use hookyard_core::model::{Cause, Scope, Source};
use hookyard_core::provider::Verification;
use hookyard_engine::receive::{self, Head, Incoming, ReceiveError, Refusal, Standing};
use hookyard_engine::work::Share;
use hookyard_engine::{Engine, access};
use http::header::ORIGIN;
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};

use crate::body::Unread;
use crate::budget::Account;
use crate::mammoth::error::ApiError;
use crate::mammoth::{call, not_found, read_body};
use crate::{App, peer, sandbox};

mod answer;
mod cors;
mod proof;
#[cfg(test)]
mod tests;

use cors::Cors;
use proof::{Proof, Refused};

/// The methods of sources' paths; the `Allow` header for all other methods.
const METHODS: &str = "GET, POST, OPTIONS, HEAD";

/// Clients put the documented path, its plural, or a whole path after another. All such paths are equal:
/// the last segment is the key.
const PREFIXES: [&str; 3] = ["", "/api/v2", "/api/v1"];
const WORDS: [&str; 2] = ["webhook", "webhooks"];

/// How the routes of sources end, and no others.
const DELIVERY: &str = "/data/{*rest}";

pub(crate) fn router() -> Router<App> {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for word in WORDS {
            router = router.route(&format!("{prefix}/{word}{DELIVERY}"), any(deliver));
        }
    }
    // Any other path below these prefixes is refused in this API's form, too.
    ["/webhook", "/webhooks", "/api/v1"].into_iter().fold(router, |router, prefix| {
        router
            .nest(prefix, Router::new().fallback(not_found))
            .route(&format!("{prefix}/"), any(not_found))
    })
}

/// Whether a route is a source's URL.
pub(crate) fn is_delivery(route: &str) -> bool {
    route.ends_with(DELIVERY)
}

/// Whether a path is below the prefixes of sources.
pub(crate) fn is_below(path: &str) -> bool {
    ["/webhook", "/webhooks", "/api/v1"].into_iter().any(|prefix| {
        let rest = path.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// One request on a source's URL. The checks are in the order of docs/spec/mammoth.md#secret:
/// method, key, origin, then address and pace, proof, then the body.
async fn deliver(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let address = peer::caller(&request, &app.settings.trusted_proxies);
    let (parts, body) = request.into_parts();
    if ![Method::GET, Method::POST, Method::OPTIONS, Method::HEAD].contains(&parts.method) {
        return Err(ApiError::allowed_are(METHODS));
    }
    let key = key(parts.uri.path()).ok_or_else(ApiError::not_found)?;
    let found = app.engine.source_by_key(key).await?;
    let source = found.ok_or_else(ApiError::not_found)?;
    Account::is_about(source.spec.workspace);
    let cors = Cors::judge(&source, &parts.headers);
    let call = Call { app: &app, source: &source, parts: &parts, address };
    let answer = if cors.is_refused() {
        let origin = parts.headers.get(ORIGIN).map_or(Cow::Borrowed(""), shown);
        Err(call.refuse(Cause::Origin, &format!("from {origin}"), ApiError::forbidden(), None))
    } else if parts.method == Method::OPTIONS {
        let consent = proof::consent(&app, &source, &parts);
        let consent = consent.or_else(|| proof::usual_consent(&parts.headers));
        Ok(consent.unwrap_or_else(|| cors::options(&parts.headers)))
    } else {
        call.accept(body).await
    };
    // Refusals get the headers, too, so that a page can read the reason.
    let mut response = answer.into_response();
    cors.apply(response.headers_mut());
    sandbox::disarm(&parts.headers, response.headers_mut());
    Ok(response)
}

fn shown(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The last non-empty segment.
fn key(path: &str) -> Option<&str> {
    path.rsplit('/').find(|segment| !segment.is_empty())
}

/// A request to a source, without its body.
struct Call<'a> {
    app: &'a App,
    source: &'a Source,
    parts: &'a Parts,
    address: Option<IpAddr>,
}

impl Call<'_> {
    /// Notes the refused request in the source's log, with the answer. `body` is the part of the body that
    /// was read.
    fn refuse(
        &self,
        cause: Cause,
        detail: &str,
        error: ApiError,
        body: Option<&Bytes>,
    ) -> ApiError {
        let Self { app, source, parts, address } = self;
        let kept = || {
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
            receive::refused(source, &parts.headers, target.to_owned(), body)
        };
        app.engine.note_rejection(source, cause, detail, &parts.method, *address, kept);
        error
    }

    fn refused(&self, refusal: Refusal, body: Option<&Bytes>) -> ApiError {
        let (cause, detail) = (refusal.cause(), refusal.to_string());
        self.refuse(cause, &detail, answer::refused(refusal), body)
    }

    async fn accept(&self, body: Body) -> Result<Response, ApiError> {
        let Self { app, source, parts, address } = *self;
        if !Engine::is_allowed(source, address) {
            let from = address.map_or_else(|| "nowhere known".to_owned(), |a| a.to_string());
            return Err(self.refuse(
                Cause::Address,
                &format!("from {from}"),
                ApiError::forbidden(),
                None,
            ));
        }
        // Only accepted deliveries count against the limit. Deliveries above the limit are not read.
        if let Some(wait) = app.engine.delivery_wait(source) {
            return Err(self.refused(Refusal::TooFast(wait), None));
        }
        let bytes_max = app.settings.receive_bytes_max;
        let (standing, body, query) = match &source.spec.options.verification {
            Some(verification) => match self.judged(verification, body).await? {
                Proof::Answered(answer) => return Ok(answer),
                Proof::Delivery(body, query) => (Standing::Proven, body, query),
            },
            None => {
                let query = parts.uri.query().unwrap_or_default();
                let (standing, body) = self.usual(query, body).await?;
                (standing, body, Cow::Borrowed(query))
            }
        };
        let head = Head { method: &parts.method, headers: &parts.headers, query: &query };
        let now = app.engine.clock().now();
        let read = || receive::read(source, standing, head, &body, bytes_max, now);
        let share = Share::Deliveries(source.spec.workspace);
        let weight = receive::weight(&parts.headers, &body);
        let cell = app.engine.work().run(share, weight, read).await?;
        let cell = cell.map_err(|refusal| self.refused(refusal, Some(&body)))?;
        if parts.method == Method::HEAD {
            return Ok(StatusCode::OK.into_response());
        }
        // The decoded body is held beside the body. The gate answers where there is no room for both.
        let is_body =
            cell.as_ref().is_some_and(|cell| body.as_ptr_range().contains(&cell.as_ptr()));
        let decoded = cell.as_ref().filter(|_| !is_body).map_or(0, Bytes::len);
        if Account::take_now(decoded).is_err() {
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, Unread::Full.to_string()));
        }
        let incoming = Incoming { head, address, body: &body, cell };
        match app.engine.receive(source, incoming).await {
            Ok(rows) => Ok(answer::accepted(source, parts, rows)),
            Err(ReceiveError::Refused(refusal)) => Err(self.refused(refusal, Some(&body))),
            Err(ReceiveError::Other(error)) => Err(error.into()),
        }
    }

    /// The proof by the request's headers, and the request's body.
    async fn usual(&self, query: &str, body: Body) -> Result<(Standing, Bytes), ApiError> {
        let Self { app, source, parts, .. } = *self;
        let head = Head { method: &parts.method, headers: &parts.headers, query };
        let standing = standing(app, source, head).await?;
        if standing == Standing::Unproven {
            return Err(self.refused(Refusal::Unproven, None));
        }
        if parts.method != Method::POST {
            return Ok((standing, Bytes::new()));
        }
        let read = read_body(&parts.headers, body, app.settings.receive_bytes_max).await;
        Ok((standing, read.map_err(|error| self.unread(error))?))
    }

    /// The verdict of the source's verification on the request.
    async fn judged(&self, verification: &Verification, body: Body) -> Result<Proof<'_>, ApiError> {
        let judged = proof::judge(self.app, self.source, verification, self.parts, body).await;
        judged.map_err(|refused| match refused {
            Refused::Unproven(refusal, body) => {
                let detail = refusal.to_string();
                self.refuse(Cause::Proof, &detail, ApiError::unauthorized(), body.as_ref())
            }
            Refused::Unread(error) => self.unread(error),
            Refused::Failed(error) => error,
        })
    }

    /// Notes that a body was not read to the end.
    fn unread(&self, error: ApiError) -> ApiError {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                self.refuse(Cause::TooLarge, &Refusal::TooLarge.to_string(), error, None)
            }
            // The sender is not at fault.
            StatusCode::SERVICE_UNAVAILABLE => error,
            _ => self.refuse(Cause::Malformed, "the body did not arrive whole", error, None),
        }
    }
}

/// The caller's proof, by the source's secret or by a credential with the right to write data in the
/// source's workspace: unmodified clients can send nothing else.
async fn standing(app: &App, source: &Source, head: Head<'_>) -> Result<Standing, ApiError> {
    let standing = receive::standing(source, head, app.engine.clock().now());
    if standing == Standing::Proven {
        return Ok(standing);
    }
    let Some(presented) = call::presented(head.headers) else { return Ok(standing) };
    // A delivery counts against the source's limit, and not against the credential's.
    let credential = match app.engine.access().recognise(presented).await {
        Ok(credential) => Some(credential),
        Err(access::Refusal::Failed(error)) => return Err(error.into()),
        // An open source accepts this caller, too.
        Err(refusal @ (access::Refusal::Disabled | access::Refusal::Address(_)))
            if standing == Standing::Unproven =>
        {
            return Err(refusal.into());
        }
        Err(_) => None,
    };
    let may_write = credential.is_some_and(|credential| {
        credential.workspace == source.spec.workspace
            && credential.opens(source.spec.project)
            && credential.scopes.has(Scope::DataWrite)
    });
    Ok(if may_write { Standing::Proven } else { standing })
}
