//! The form of a delivery's request, apart from its body (docs/spec/ultracart.md#algorithm,
//! docs/spec/conventions.md#standard-webhooks).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookyard_core::id::{EndpointId, RequestId, Seq};
use hookyard_core::model::{
    AuthKind, CustomHeader, EndpointSettings, Header, NativeAuth, OAuth2Client, Secret, Signing,
};
use hookyard_core::signature::signer::Signer;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use jiff::Timestamp;
use url::Url;

use super::api_user::ApiUser;
use super::coding::{Coding, coding};
use super::outgoing::Outgoing;
use super::trace::Trace;
use crate::{hops, net};

pub(super) const JSON: &str = "application/json; charset=UTF-8";
/// A compressed bundle really is text: base64 (docs/spec/ultracart.md#compressed-bodies).
const COMPRESSED: &str = "text/plain; charset=US-ASCII";
const PRODUCT: &str = concat!("Hookyard/", env!("CARGO_PKG_VERSION"));
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-ultracart-request-id");
/// For receivers whose server swallows `Authorization` (docs/spec/ultracart.md#trap-16). No scheme
/// word.
const BASIC: HeaderName = HeaderName::from_static("x-authorization-basic");

/// The log's replacement for a credential.
pub(super) const MASK: &str = "***";

/// The headers of a delivery to an endpoint with these settings as the endpoint's log shows them, without
/// headers that depend on the events. Credentials are masked.
pub fn request_headers(settings: &EndpointSettings, request_id: &RequestId) -> Vec<Header> {
    let mut headers = constant_headers(settings, None).unwrap_or_default();
    insert_request_id(&mut headers, request_id);
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
        Coding::Plain | Coding::Gzip => JSON,
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
    /// The body.
    pub(super) body: Bytes,
}

/// The id of a bundle. The same events queued at the same moment always make the same id, so that a receiver
/// knows a repetition. A reflow queues the events anew, and so makes another id. Bundles that only begin with
/// the same event differ in the last part.
pub(super) fn message_id(endpoint: EndpointId, events: &[Seq], queued_at: Timestamp) -> String {
    let first = events.first().copied().unwrap_or_default();
    format!("msg_{endpoint}_{first}_{}_{:016x}", queued_at.as_millisecond(), digest(events))
}

/// FNV-1a of the numbers. The digest must stay the same over restarts and releases.
fn digest(events: &[Seq]) -> u64 {
    let bytes = events.iter().flat_map(|seq| seq.0.to_le_bytes());
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
}

impl Template {
    /// Fails when nothing can be signed with; the text is for the delivery log.
    pub(super) fn new(uri: Uri, headers: HeaderMap, signing: &Signing) -> Result<Self, String> {
        let signer =
            Signer::new(signing).map_err(|error| format!("the signing settings: {error}"))?;
        Ok(Self { uri, headers, signer })
    }

    /// One request.
    pub(super) fn request(&self, message: Message<'_>) -> Outgoing {
        let mut headers = self.headers.clone();
        insert_request_id(&mut headers, message.request_id);
        if let Some(trace) = message.trace {
            trace.insert(&mut headers);
        }
        hops::insert(&mut headers, message.hops);
        self.signer.sign(&mut headers, message.id, message.at, &message.body);
        let (uri, events) = (self.uri.clone(), message.events.into());
        Outgoing { uri, headers, body: message.body, events }
    }
}

/// Where the URL of the settings leads. Fails when the URL leads nowhere; the text is for the delivery log.
pub(super) fn address(settings: &EndpointSettings) -> Result<(Url, Uri), String> {
    let url = Url::parse(&settings.url).map_err(|error| format!("the url: {error}"))?;
    net::check_url(&url)?;
    let uri = Uri::try_from(url.as_str()).map_err(|error| format!("the url: {error}"))?;
    Ok((url, uri))
}

fn insert_request_id(headers: &mut HeaderMap, request_id: &RequestId) {
    // The id is hexadecimal digits, which every header value may hold.
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
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
    api_user: Option<&ApiUser>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for header in &settings.options.headers {
        insert_custom(&mut headers, header)?;
    }
    // Our headers come last, so that no custom header takes their place whatever was saved.
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(settings)));
    headers.insert(USER_AGENT, HeaderValue::from_static(PRODUCT));
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
            insert_basic(&mut headers, user, password);
        }
        (None, AuthKind::ApiUser) => {
            // Without credentials the receiver decides how to answer.
            if let Some(ApiUser { name, password, .. }) = api_user {
                insert_basic(&mut headers, name, password.expose());
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

fn insert_basic(headers: &mut HeaderMap, user: &str, password: &str) {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    for (name, scheme) in [(AUTHORIZATION, "Basic "), (BASIC, "")] {
        // Base64 is always a header value.
        if let Ok(mut value) = HeaderValue::from_str(&format!("{scheme}{credentials}")) {
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
}
