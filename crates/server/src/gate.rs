//! The checks before a handler: the head must be within bounds, and the caller within rate limits. Each API
//! refuses in its own form.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONNECTION, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hookyard_engine::limits::{Reports, Standing};
use hookyard_store::Actor;

use crate::budget::{self, Full};
use crate::listener::Connection;
use crate::probes::{LIVEZ, READYZ};
use crate::problem::Problem;
use crate::turned::{HEADERS_MAX, Turned};
use crate::{App, inbound, mammoth, ultracart};

/// The separator of a name and its value and the end of the line, in bytes.
const HEADER_BYTES_EACH: usize = 4;

/// The quotas of the caller, with the rests, after draft 11 of the IETF's "RateLimit header fields for
/// HTTP". The three fields of drafts up to 6 are not sent: they describe a single limit, and a caller may
/// have four limits.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The answer to a refused request, in the form of the path's API.
pub(crate) fn refuse(path: &str, turned: &Turned) -> Response {
    let mut response = if ultracart::is_below(path) {
        ultracart::turned_away(path, turned)
    } else if mammoth::is_below(path) || inbound::is_below(path) {
        mammoth::error::ApiError::new(turned.status(), turned.to_string()).into_response()
    } else {
        Problem::from(turned).into_response()
    };
    let headers = response.headers_mut();
    if let Some(seconds) = turned.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if matches!(
        turned,
        Turned::Connections
            | Turned::Stalled
            | Turned::Full
            | Turned::Host
            | Turned::TransferCoding
    ) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Passes a request on, or answers the request.
pub(crate) async fn pass(State(app): State<App>, request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let connection: Option<Arc<Connection>> = request.extensions().get().cloned();
    let sound = match connection {
        Some(_) => check_framing(&request),
        // The request came over no network, and so past no proxy.
        None => Ok(()),
    };
    if let Err(turned) = sound.and_then(|()| check_head(&app, &request)) {
        return refuse(uri.path(), &turned);
    }
    let method = request.method().clone();
    let account = app.budget.account(Actor::current().and_then(|actor| actor.address));
    let response = Arc::clone(&account).scope(async {
        match app.engine.limiter().is_on() && !is_exempt(&request) {
            true => count(&app, uri.path(), request, next).await,
            false => next.run(request).await,
        }
    });
    let response = response.await;
    // Whatever the handler made of half a body.
    let failed = !response.status().is_success();
    if failed && connection.is_some_and(|connection| connection.has_stalled()) {
        return refuse(uri.path(), &Turned::Stalled);
    }
    if failed && account.was_refused() {
        return refuse(uri.path(), &Turned::Full);
    }
    let counted = budget::count(account, &method, response);
    counted.unwrap_or_else(|Full| refuse(uri.path(), &Turned::Full))
}

/// Refuses requests that a proxy in front may read differently (RFC 9112, sections 3.2 and 6.1).
fn check_framing(request: &Request) -> Result<(), Turned> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let is_host = |host: &HeaderValue| host.as_bytes().iter().all(|byte| is_of_a_host(*byte));
    let sound = match (hosts.next(), hosts.next()) {
        (None, _) => request.version() < Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    };
    if !sound {
        return Err(Turned::Host);
    }
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coded =
        codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some();
    if coded { Err(Turned::TransferCoding) } else { Ok(()) }
}

/// A byte of a name or an address, perhaps with a port (RFC 3986, section 3.2). The comma is left out,
/// because some servers join two headers with a comma.
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte)
}

fn check_head(app: &App, request: &Request) -> Result<(), Turned> {
    let bounds = &app.settings.bounds;
    let uri = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if uri > bounds.uri_bytes_max {
        return Err(Turned::Uri(bounds.uri_bytes_max));
    }
    let headers = request.headers();
    if headers.len() > HEADERS_MAX || bytes_of(headers) > bounds.header_bytes_max {
        return Err(Turned::Headers(bounds.header_bytes_max));
    }
    Ok(())
}

fn bytes_of(headers: &HeaderMap) -> usize {
    let bytes = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_BYTES_EACH
    };
    headers.iter().map(bytes).sum()
}

/// Probes must not fail because somebody else is too fast, and sources have limits of their own.
fn is_exempt(request: &Request) -> bool {
    let route = request.extensions().get().map_or("", MatchedPath::as_str);
    matches!(route, LIVEZ | READYZ) || inbound::is_delivery(route)
}

/// Counts the request against the limits of its address, and the handler against the limits of its
/// credential.
async fn count(app: &App, path: &str, request: Request, next: Next) -> Response {
    let reports = Reports::default();
    let address = Actor::current().and_then(|actor| actor.address);
    let answer = reports.scope(async {
        match app.engine.limiter().count_address(address).await {
            Ok(()) => next.run(request).await,
            Err(exceeded) => refuse(path, &Turned::Rate(exceeded)),
        }
    });
    let mut response = answer.await;
    tell(response.headers_mut(), &reports.take());
    response
}

/// Adds the limits and the rests to the headers.
fn tell(headers: &mut HeaderMap, standings: &[Standing]) {
    let (mut policy, mut limit) = (String::new(), String::new());
    for standing in standings {
        let Standing { subject, quota, remaining, reset } = standing;
        let comma = if policy.is_empty() { "" } else { ", " };
        let (subject, window) = (subject.as_str(), quota.window);
        let name = format!("{comma}\"{subject}-{}\"", window.as_str());
        let seconds = reset.as_secs() + u64::from(reset.subsec_nanos() > 0);
        // Writing to a string does not fail.
        let _ = write!(policy, "{name};q={};w={}", quota.turns, window.seconds());
        let _ = write!(limit, "{name};r={remaining};t={seconds}");
    }
    for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::try_from(value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
}
