//! Requests to sources with a provider's verification: handshakes are answered, and proved deliveries pass
//! with the body already read.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookyard_core::model::Source;
use hookyard_core::provider::{
    Answer, Cause, Handshaken, Judged, Refusal, Request, Verification, Verifier,
};
use hookyard_engine::work::Share;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::METHODS;
use crate::App;
use crate::mammoth::error::ApiError;
use crate::mammoth::read_body;

/// The outcome of a request.
pub(super) enum Proof<'p> {
    /// The request was a handshake, and has this answer.
    Answered(Response),
    /// A proved delivery: the body, and the query without secrets.
    Delivery(Bytes, Cow<'p, str>),
}

/// Why a request is not taken.
pub(super) enum Refused {
    /// The request is not proved. The reason and the part of the body already read are for the source's
    /// owner, never for the sender.
    Unproven(Refusal, Option<Bytes>),
    /// The body was not read to the end.
    Unread(ApiError),
    /// A failure unrelated to the request.
    Failed(ApiError),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Unproven(refusal, None)
    }
}

/// Judges a request of any method but OPTIONS. A body is read only as far as necessary: all of a delivery
/// with a signature, at most a handshake's size, or nothing.
pub(super) async fn judge<'p>(
    app: &App,
    source: &Source,
    verification: &Verification,
    parts: &'p Parts,
    body: Body,
) -> Result<Proof<'p>, Refused> {
    let verifier = verifier(verification)?;
    let url = public_url(app, parts);
    let head = head(parts, url.as_deref());
    if let Some(answered) = verifier.handshake_in_head(&head) {
        return Ok(Proof::Answered(answer(app, source, answered?).await?));
    }
    let bytes_max = app.settings.receive_bytes_max;
    let body = match verifier.reads(&head, bytes_max) {
        0 => Bytes::new(),
        most if most == bytes_max => {
            read_body(&parts.headers, body, most).await.map_err(Refused::Unread)?
        }
        // Whoever sends more than a handshake without a signature has proved nothing.
        most => read_body(&parts.headers, body, most).await.map_err(|_| unsigned())?,
    };
    let now = app.engine.clock().now();
    let judge = || verifier.judge(&Request { body: &body, ..head }, now);
    let share = Share::Deliveries(source.spec.workspace);
    let judged = app.engine.work().run(share, body.len(), judge).await;
    let judged = judged.map_err(|error| Refused::Failed(error.into()))?;
    match judged.map_err(|refusal| Refused::Unproven(refusal, Some(body.clone())))? {
        Judged::Delivery => Ok(Proof::Delivery(body, without_secrets(&verifier, parts))),
        Judged::Handshake(handshaken) => {
            Ok(Proof::Answered(answer(app, source, handshaken).await?))
        }
    }
}

/// The answer to an OPTIONS by which a provider asks for consent; `None` for any other OPTIONS.
pub(super) fn consent(app: &App, source: &Source, parts: &Parts) -> Option<Response> {
    let verifier = source.spec.options.verification.as_ref()?.verifier()?;
    let url = public_url(app, parts);
    match verifier.handshake_in_head(&head(parts, url.as_deref()))? {
        Ok(Handshaken::Answer(answer)) => Some(respond(answer)),
        Ok(Handshaken::Learn(..)) | Err(_) => None,
    }
}

/// The consent to a sender of CloudEvents on request (CloudEvents HTTP webhook, section 4). Sources give
/// consent whatever their proof, because only permitted senders know the URL.
pub(super) fn usual_consent(headers: &HeaderMap) -> Option<Response> {
    let sender = headers.get("webhook-request-origin")?.clone();
    let mut given = HeaderMap::new();
    given.insert("webhook-allowed-origin", sender);
    given.insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    given.insert(header::ALLOW, HeaderValue::from_static(METHODS));
    Some((StatusCode::OK, given).into_response())
}

/// The answer to an accepted delivery by the provider's rule.
pub(super) fn accepted(source: &Source) -> Option<Response> {
    source.spec.options.verification.as_ref()?.preset()?.accepted().map(respond)
}

fn verifier(verification: &Verification) -> Result<Verifier<'_>, Refusal> {
    // A provider unknown to this version proves nothing.
    verification.verifier().ok_or_else(|| Refusal {
        cause: Cause::NoSecret,
        detail: "the provider is not known to this version".to_owned(),
        skew_seconds: None,
    })
}

fn unsigned() -> Refusal {
    Refusal {
        cause: Cause::MissingSignature,
        detail: "there is no signature, and the body is too long for a handshake".to_owned(),
        skew_seconds: None,
    }
}

/// The URL as called by the sender: the server's public URL with the received path and query.
fn public_url(app: &App, parts: &Parts) -> Option<String> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    Some(format!("{}{target}", app.settings.public_url.as_ref()?))
}

fn head<'a>(parts: &'a Parts, url: Option<&'a str>) -> Request<'a> {
    let query = parts.uri.query().unwrap_or_default();
    Request { method: &parts.method, headers: &parts.headers, url, query, body: b"" }
}

async fn answer(app: &App, source: &Source, handshaken: Handshaken) -> Result<Response, Refused> {
    match handshaken {
        Handshaken::Answer(answer) => Ok(respond(answer)),
        Handshaken::Learn(secret, answer) => {
            let learnt = app.engine.learn_secret(source, secret).await;
            let learnt = learnt.map_err(|error| Refused::Failed(error.into()))?;
            if learnt { Ok(respond(answer)) } else { Err(unsigned().into()) }
        }
    }
}

fn respond(answer: Answer) -> Response {
    let Answer { status, content_type, body, headers } = answer;
    let mut all = HeaderMap::new();
    all.extend(headers);
    if let Some(kind) = content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        all.insert(header::CONTENT_TYPE, kind);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if body.is_empty() {
        return (status, all).into_response();
    }
    (status, all, body).into_response()
}

/// The query without the parameters that carry a secret, because secrets are no data.
fn without_secrets<'p>(verifier: &Verifier<'_>, parts: &'p Parts) -> Cow<'p, str> {
    let query = parts.uri.query().unwrap_or_default();
    let names: Vec<_> = verifier.secret_parameters().collect();
    if names.is_empty() {
        return Cow::Borrowed(query);
    }
    let is_secret = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name);
        name.is_some_and(|name| names.contains(&name.as_ref()))
    };
    let kept: Vec<_> = query.split('&').filter(|pair| !is_secret(pair)).collect();
    Cow::Owned(kept.join("&"))
}
