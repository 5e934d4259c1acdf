//! The form of a delivery's request, apart from its body (docs/spec/ultracart.md#algorithm,
//! docs/spec/conventions.md#standard-webhooks).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookyard_core::cloudevents;
use hookyard_core::id::{RequestId, Seq};
use hookyard_core::model::{
    AuthKind, Catalogue, CustomHeader, Endpoint, EndpointOptions, EndpointSettings, Event, Header,
    NativeAuth, OAuth2Client, PayloadFormat, Secret,
};
use hookyard_core::signature::signer::Signer;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use url::Url;

use super::api_user::ApiUser;
use super::coding::{Coding, coding};
use super::outgoing::Outgoing;
use super::trace::Trace;
use crate::{hops, net};

/// A compressed bundle really is text: base64 (docs/spec/ultracart.md#compressed-bodies).
const COMPRESSED: &str = "text/plain; charset=US-ASCII";
/// The attempt, in the requests that UltraCart's receivers know.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ultracart-request-id");
/// The attempt, in all other requests.
const ATTEMPT_ID: HeaderName = HeaderName::from_static("webhook-attempt-id");
/// The name of the event's type, where the body does not say.
const EVENT_TYPE: HeaderName = HeaderName::from_static("webhook-event-type");
/// For receivers whose server swallows `Authorization` (docs/spec/ultracart.md#trap-16). No scheme
/// word.
const BASIC: HeaderName = HeaderName::from_static("x-authorization-basic");

/// The log's replacement for a credential.
pub(super) const MASK: &str = "***";

/// The headers of a delivery to an endpoint with these settings as the endpoint's log shows them, without
/// headers that depend on the events. Credentials are masked.
pub fn request_headers(
    settings: &EndpointSettings,
    user_agent: &HeaderValue,
    request_id: &RequestId,
) -> Vec<Header> {
    let mut headers = constant_headers(settings, user_agent, None).unwrap_or_default();
    insert_request_id(&mut headers, settings.options.format, request_id);
    let mut logged = logged(&headers);
    logged.extend(oauth2(settings).is_some().then(masked_token));
    logged
}

/// Headers as the log shows them: credentials are masked.
pub(super) fn logged(headers: &HeaderMap) -> Vec<Header> {
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = match value.to_str() {
            Ok(text) if !value.is_sensitive() => text.to_owned(),
            _ => MASK.to_owned(),
        };
        Header { name: written(name), value }
    };
    headers.iter().map(shown).collect()
}

/// The log's replacement for a token that is fetched when the request is sent.
pub(super) fn masked_token() -> Header {
    Header { name: written(&AUTHORIZATION), value: MASK.to_owned() }
}

/// A header's name on the wire: each word with a capital. Our headers keep the vendor's spelling, the same to
/// every receiver.
fn written(name: &HeaderName) -> String {
    if *name == REQUEST_ID {
        return "X-UltraCart-Request-Id".to_owned();
    }
    let mut capital = true;
    let letters = name.as_str().chars().map(|letter| {
        let shown = if capital { letter.to_ascii_uppercase() } else { letter };
        capital = letter == '-';
        shown
    });
    letters.collect()
}

pub(super) fn content_type(settings: &EndpointSettings) -> &'static str {
    match coding(settings) {
        Coding::GzipText => COMPRESSED,
        Coding::Plain | Coding::Gzip => settings.options.format.media_type(),
    }
}

/// The part that differs in each request to an endpoint.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// The attempt.
    pub(super) request_id: &'a RequestId,
    /// The message, the same in each attempt to deliver the same bundle.
    pub(super) id: &'a str,
    /// When the attempt is made.
    pub(super) at: Timestamp,
    /// The numbers of the message's events.
    pub(super) events: &'a [Seq],
    /// The trace of all the events.
    pub(super) trace: Option<Trace>,
    /// How many sources the events came through.
    pub(super) hops: u8,
    /// The headers that tell of the event, where the body does not.
    pub(super) about: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
}

/// The id of a message: the same at every attempt to deliver the same events.
///
/// A format of one event makes the id of the event alone, so every endpoint, replay and reflow sends the same
/// id. A bundle of several events adds endpoint and moment: a reflow queues the events anew, and so makes
/// another id; bundles that only begin with the same event differ in the last part. Receivers of
/// [`PayloadFormat::Bundle`] know the plain text of such ids. All other ids tell no number and no count.
pub(super) fn message_id(
    endpoint: &Endpoint,
    events: &[Arc<Event>],
    queued_at: Timestamp,
) -> String {
    let format = endpoint.settings.options.format;
    match events {
        [event] if format.is_single() => hashed(&[
            &event.workspace.0.to_le_bytes(),
            &(event.source.len() as u64).to_le_bytes(),
            event.source.as_bytes(),
            event.id.as_bytes(),
        ]),
        _ => {
            let (first, digest) =
                (events.first().map_or(Seq(0), |event| event.seq), digest(events));
            let queued_at = queued_at.as_millisecond();
            let plain = format!("msg_{}_{first}_{queued_at}_{digest:016x}", endpoint.id);
            if format == PayloadFormat::Bundle { plain } else { hashed(&[plain.as_bytes()]) }
        }
    }
}

/// The bytes of a hash that an id shows: as many as a UUID has, and two.
const ID_BYTES: usize = 18;

/// An id of the SHA-256 of the parts.
fn hashed(parts: &[&[u8]]) -> String {
    let hash = parts
        .iter()
        .fold(Sha256::new_with_prefix("webhook-id"), |hash, part| hash.chain_update(part));
    format!("msg_{}", URL_SAFE_NO_PAD.encode(&hash.finalize()[..ID_BYTES]))
}

/// The headers that tell of the event of a request, where the body does not.
pub(super) fn about(
    catalogue: &Catalogue,
    format: PayloadFormat,
    events: &[Arc<Event>],
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let [event] = events else { return headers };
    let name = catalogue.by_id(event.event_type).map_or("", |(_, kind)| kind.name.as_str());
    match format {
        PayloadFormat::Standard | PayloadFormat::Data => {
            // Names of event types are graphic ASCII, which every header value may hold.
            if let Ok(value) = HeaderValue::from_str(name) {
                headers.insert(EVENT_TYPE, value);
            }
        }
        PayloadFormat::CloudEventsBinary => cloudevents::insert_headers(&mut headers, event, name),
        PayloadFormat::Bundle | PayloadFormat::CloudEvents | PayloadFormat::CloudEventsBatch => {}
    }
    headers
}

/// FNV-1a of the numbers. The digest must stay the same over restarts and releases.
fn digest(events: &[Arc<Event>]) -> u64 {
    let bytes = events.iter().flat_map(|event| event.seq.0.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The part that all requests of an endpoint share.
#[derive(Debug)]
pub(super) struct Template {
    uri: Uri,
    headers: HeaderMap,
    signer: Signer,
    format: PayloadFormat,
    method: Method,
    timeout: Duration,
}

impl Template {
    /// Fails when nothing can be signed with; the text is for the delivery log.
    pub(super) fn new(
        uri: Uri,
        headers: HeaderMap,
        options: &EndpointOptions,
    ) -> Result<Self, String> {
        let signer = Signer::new(&options.signing)
            .map_err(|error| format!("the signing settings: {error}"))?;
        let (format, method) = (options.format, options.method.into());
        Ok(Self { uri, headers, signer, format, method, timeout: options.timeout() })
    }

    /// One request.
    pub(super) fn request(&self, message: Message<'_>) -> Outgoing {
        let mut headers = self.headers.clone();
        headers.extend(message.about);
        insert_request_id(&mut headers, self.format, message.request_id);
        if let Some(trace) = message.trace {
            trace.insert(&mut headers);
        }
        hops::insert(&mut headers, message.hops);
        self.signer.sign(&mut headers, message.id, message.at, &message.body);
        Outgoing {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers,
            body: message.body,
            events: message.events.into(),
            timeout: self.timeout,
        }
    }
}

/// Where the URL of the settings leads. Fails when the URL leads nowhere; the text is for the delivery log.
pub(super) fn address(settings: &EndpointSettings) -> Result<(Url, Uri), String> {
    let url = Url::parse(&settings.url).map_err(|error| format!("the url: {error}"))?;
    net::check_url(&url)?;
    let uri = Uri::try_from(url.as_str()).map_err(|error| format!("the url: {error}"))?;
    Ok((url, uri))
}

fn insert_request_id(headers: &mut HeaderMap, format: PayloadFormat, request_id: &RequestId) {
    let name = if format == PayloadFormat::Bundle { REQUEST_ID } else { ATTEMPT_ID };
    // The id is hexadecimal digits, which every header value may hold.
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(name, value);
    }
}

/// The id of the attempt among the headers of its request.
pub(super) fn attempt_id(headers: &HeaderMap) -> &str {
    let id = headers.get(REQUEST_ID).or_else(|| headers.get(ATTEMPT_ID));
    id.and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// The client for fetching the endpoint's tokens, if any.
pub(super) fn oauth2(settings: &EndpointSettings) -> Option<&OAuth2Client> {
    match &settings.options.auth {
        Some(NativeAuth::OAuth2(client)) => Some(client),
        Some(NativeAuth::Bearer { .. }) | None => None,
    }
}

/// The headers that all requests of an endpoint over the network have.
pub(super) fn constant_headers(
    settings: &EndpointSettings,
    user_agent: &HeaderValue,
    api_user: Option<&ApiUser>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for header in &settings.options.headers {
        insert_custom(&mut headers, header)?;
    }
    // Our headers come last, so that no custom header takes their place whatever was saved.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(settings)));
    headers.insert(USER_AGENT, user_agent.clone());
    if coding(settings) == Coding::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    match (&settings.options.auth, settings.auth) {
        (Some(NativeAuth::Bearer { token }), _) => {
            insert_bearer(&mut headers, token.as_ref().map_or("", Secret::expose))?;
        }
        (Some(NativeAuth::OAuth2(_)), _) | (None, AuthKind::None | AuthKind::AwsIam) => {}
        (None, AuthKind::Basic) => {
            let user = settings.basic_username.as_deref().unwrap_or_default();
            let password = settings.basic_password.as_ref().map_or("", Secret::expose);
            insert_basic(&mut headers, settings.options.format, user, password);
        }
        (None, AuthKind::ApiUser) => {
            // Without credentials the receiver decides how to answer.
            if let Some(ApiUser { name, password, .. }) = api_user {
                insert_basic(&mut headers, settings.options.format, name, password.expose());
            }
        }
    }
    Ok(headers)
}

fn insert_custom(headers: &mut HeaderMap, header: &CustomHeader) -> Result<(), String> {
    let wrong = |_| format!("the header {} cannot be sent", header.name.escape_debug());
    let name = HeaderName::try_from(&header.name).map_err(|_| wrong(()))?;
    let value = header.value.as_ref().map_or("", Secret::expose);
    let mut value = HeaderValue::from_str(value).map_err(|_| wrong(()))?;
    value.set_sensitive(true);
    headers.append(name, value);
    Ok(())
}

/// Sets `Authorization: Bearer`. Fails when the token is no header value; the text is for the log.
pub(super) fn insert_bearer(headers: &mut HeaderMap, token: &str) -> Result<(), String> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| "the bearer token has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

fn insert_basic(headers: &mut HeaderMap, format: PayloadFormat, user: &str, password: &str) {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    let ultracart = (format == PayloadFormat::Bundle).then_some((BASIC, ""));
    for (name, scheme) in [(AUTHORIZATION, "Basic ")].into_iter().chain(ultracart) {
        // Base64 is always a header value.
        if let Ok(mut value) = HeaderValue::from_str(&format!("{scheme}{credentials}")) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}
