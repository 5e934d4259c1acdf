//! Requests kept for inspection.

use std::borrow::Cow;

use bytes::Bytes;
use hookyard_core::model::{Header, KeptBody, KeptRequest, Mode, RefusedRequest, Secret, Source};
use hookyard_core::provider::Place;
use hookyard_core::signature::shared_secret;
use http::HeaderMap;

use super::{Head, Incoming};

/// The largest body kept by itself. A larger body is kept only where the row has the same bytes;
/// otherwise a source of 10 MiB forms would take twice the space.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The largest kept body of a refused request. Signed bodies mostly have a few kilobytes, and
/// anybody may send a refused request.
pub(super) const REFUSED_BODY_BYTES_MAX: usize = 256 << 10;

/// The text in place of a secret.
const MASK: &str = "***";

/// Parts of the names of headers and parameters with secret values. Signatures are no secrets: a
/// signature proves the sender's knowledge of a secret without telling the secret.
const SECRET_NAMES: [&str; 10] = [
    "authorization",
    "cookie",
    "secret",
    "token",
    "password",
    "passwd",
    "api-key",
    "api_key",
    "apikey",
    "simple-key",
];

/// Headers of most deliveries, without secrets: such headers are not looked through.
fn is_usual(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "accept"
            | "accept-encoding"
            | "connection"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "traceparent"
            | "transfer-encoding"
            | "user-agent"
            | "x-forwarded-for"
            | "x-forwarded-proto"
    )
}

/// The request in its kept form; `None` when the source keeps no requests.
pub(super) fn kept(source: &Source, incoming: &Incoming<'_>) -> Option<KeptRequest> {
    if source.spec.options.inspection_seconds == 0 {
        return None;
    }
    let Incoming { head, address, body, cell } = incoming;
    let is_cell = cell.as_ref().is_some_and(|cell| is_same(cell, body));
    let body_kept = match (is_cell, source.spec.mode) {
        // A replaced row would take the body along.
        (true, Mode::Combine) => KeptBody::Cell,
        _ if body.len() <= BODY_BYTES_MAX => KeptBody::Own((*body).clone()),
        _ => KeptBody::None,
    };
    Some(KeptRequest {
        method: head.method.as_str().to_owned(),
        query: masked_query(source, head),
        headers: masked_headers(source, head.headers),
        address: *address,
        bytes: body.len() as u64,
        body: body_kept,
    })
}

/// A refused request in its kept form for the doctor; `None` when the source keeps no requests.
/// `target` is the path and query, `body` the bytes read of the body. Secrets are masked, except
/// secrets that may prove the request: a token is compared with the source's token, and a signed
/// URL counts to the letter.
pub fn refused(
    source: &Source,
    headers: &HeaderMap,
    target: String,
    body: Option<&Bytes>,
) -> Option<RefusedRequest> {
    if source.spec.options.inspection_seconds == 0 {
        return None;
    }
    let proofs = Proofs::of(source);
    let headers = headers.iter().map(|(name, value)| {
        let hide = is_secret(name.as_str()) && !proofs.has_header(name.as_str());
        let value = if hide { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        Header { name: name.as_str().to_owned(), value: value.into_owned() }
    });
    let target = match target.split_once('?') {
        Some((path, query)) if !proofs.covers_url => {
            format!(
                "{path}?{}",
                mask_query(query, |name| is_secret(name) && !proofs.has_query(name))
            )
        }
        _ => target,
    };
    Some(RefusedRequest {
        target,
        headers: headers.collect(),
        bytes: body.map(|body| body.len() as u64),
        // A copy: the kept body lives longer than the receive buffer.
        body: body
            .filter(|body| body.len() <= REFUSED_BODY_BYTES_MAX)
            .map(|body| Bytes::copy_from_slice(body)),
    })
}

/// Where the proof of a request to a source may be.
struct Proofs {
    headers: Vec<String>,
    parameters: Vec<String>,
    covers_url: bool,
}

impl Proofs {
    fn of(source: &Source) -> Self {
        let Some(verifier) = source.spec.options.verification.as_ref().and_then(|it| it.verifier())
        else {
            let headers = [&shared_secret::HEADER, &shared_secret::VENDOR_HEADER];
            let mut headers: Vec<_> = headers.map(|name| name.as_str().to_owned()).into();
            // The secret may come as a bearer token or as a basic password.
            headers.push("authorization".to_owned());
            let parameters = vec![shared_secret::QUERY_PARAMETER.to_owned()];
            return Self { headers, parameters, covers_url: false };
        };
        let (mut headers, mut parameters) = (Vec::new(), Vec::new());
        for place in verifier.places() {
            match place {
                Place::Header(name) | Place::HeaderFamily(name) => headers.push(name.clone()),
                Place::HeaderOr(first, second) => headers.extend([first.clone(), second.clone()]),
                Place::Query(name) => parameters.push(name.clone()),
                Place::Bearer | Place::Basic => headers.push("authorization".to_owned()),
                Place::Form(_) | Place::Json(_) | Place::Item(_) | Place::Claim(_) => {}
            }
        }
        Self { headers, parameters, covers_url: verifier.covers_url() }
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|own| name.starts_with(&own[..]))
    }

    fn has_query(&self, name: &str) -> bool {
        self.parameters.iter().any(|own| own == name)
    }
}

/// A refused request as shown to people: all secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedRequest {
    /// The path and query.
    pub target: String,
    /// The headers in order.
    pub headers: Vec<Header>,
}

/// A refused request without secrets.
pub fn masked(source: &Source, request: &RefusedRequest) -> MaskedRequest {
    let secrets = known_secrets(source);
    let headers = request.headers.iter().map(|Header { name, value }| {
        let tells = secrets.contains(&value.as_bytes()) || is_secret(name);
        let value = if tells { MASK } else { value };
        Header { name: name.clone(), value: value.to_owned() }
    });
    let target = match request.target.split_once('?') {
        Some((path, query)) => {
            let proofs = Proofs::of(source);
            let is_secret = |name: &str| is_secret(name) || proofs.has_query(name);
            format!("{path}?{}", mask_query(query, is_secret))
        }
        None => request.target.clone(),
    };
    MaskedRequest { target, headers: headers.collect() }
}

/// All secrets that prove a delivery to a source, outgoing secrets too.
fn known_secrets(source: &Source) -> Vec<&[u8]> {
    let own = source.spec.secret.iter();
    let outgoing = source.spec.previous.secret.iter().map(|it| &it.value);
    let proofs = source.spec.options.verification.iter().flat_map(|it| &it.secrets);
    own.chain(outgoing).chain(proofs).map(|secret: &Secret| secret.expose().as_bytes()).collect()
}

/// Whether the cell equals the body: then the cell is a slice of the whole body.
fn is_same(cell: &Bytes, body: &Bytes) -> bool {
    !body.is_empty() && cell.len() == body.len() && cell.as_ptr() == body.as_ptr()
}

/// Whether a name, in any case, marks a secret value.
fn is_secret(name: &str) -> bool {
    // Names are short: comparing is quicker than getting ready to search.
    let has = |part: &str| {
        let part = part.as_bytes();
        name.as_bytes().windows(part.len()).any(|at| at.eq_ignore_ascii_case(part))
    };
    SECRET_NAMES.into_iter().any(has)
}

fn masked_headers(source: &Source, headers: &HeaderMap) -> Vec<Header> {
    let secrets = known_secrets(source);
    let shown = headers.iter().map(|(name, value)| {
        // A secret may come in a header of any name.
        let tells = secrets.contains(&value.as_bytes());
        let value = match tells || (!is_usual(name.as_str()) && is_secret(name.as_str())) {
            true => Cow::Borrowed(MASK),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        Header { name: name.as_str().to_owned(), value: value.into_owned() }
    });
    shown.collect()
}

fn masked_query(source: &Source, head: &Head<'_>) -> String {
    if head.query.is_empty() {
        return String::new();
    }
    let verifier = source.spec.options.verification.as_ref().and_then(|it| it.verifier());
    let proofs: Vec<_> = verifier.iter().flat_map(|it| it.secret_parameters()).collect();
    mask_query(head.query, |name| is_secret(name) || proofs.contains(&name))
}

/// The query, with the values masked of all parameters whose decoded names mark secrets.
fn mask_query(query: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let masked = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(&decoded(name)) => Cow::Owned(format!("{name}={MASK}")),
        _ => Cow::Borrowed(pair),
    });
    masked.collect::<Vec<_>>().join("&")
}

/// A name may be encoded beyond recognition.
fn decoded(name: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(name).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Method};

    use super::super::tests::source;
    use super::*;

    fn keep(source: &Source, query: &str, headers: &[(&'static str, &str)]) -> KeptRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let head = Head { method: &Method::POST, headers: &headers, query };
        let body = Bytes::from_static(b"{}");
        kept(source, &Incoming { head, address: None, body: &body, cell: Some(body.clone()) })
            .unwrap()
    }

    #[test]
    fn secrets_are_masked_and_signatures_are_not() {
        let secure = source(Some("s3cret"));
        let headers = [
            ("authorization", "Bearer s3cret"),
            ("x-api-key", "k"),
            ("x-gitlab-token", "t"),
            ("cookie", "c"),
            ("x-custom", "s3cret"),
            ("x-hub-signature-256", "sha256=00"),
            ("content-type", "application/json"),
        ];
        let kept = keep(&secure, "a=1&secret=s3cret&access%5Ftoken=x&To%6ben=y&b", &headers);
        assert_eq!(kept.query, "a=1&secret=***&access%5Ftoken=***&To%6ben=***&b");
        let shown: Vec<_> = kept.headers.iter().map(|header| header.value.as_str()).collect();
        assert_eq!(shown, ["***", "***", "***", "***", "***", "sha256=00", "application/json"]);
    }

    #[test]
    fn of_a_refused_request_only_what_may_prove_it_is_kept() {
        let secure = source(Some("s3cret"));
        let headers: HeaderMap = [
            ("x-webhook-secret", "wrong"),
            ("authorization", "Bearer wrong"),
            ("cookie", "c"),
            ("x-api-key", "k"),
            ("x-hub-signature-256", "sha256=00"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
        let target = "/webhook/data/k?secret=wrong&token=t&a=1".to_owned();
        let request = refused(&secure, &headers, target, None).unwrap();
        assert_eq!(request.target, "/webhook/data/k?secret=wrong&token=***&a=1");
        let values =
            |headers: &[Header]| headers.iter().map(|it| it.value.clone()).collect::<Vec<_>>();
        assert_eq!(values(&request.headers), ["wrong", "Bearer wrong", "***", "***", "sha256=00"]);
        let shown = masked(&secure, &request);
        assert_eq!(shown.target, "/webhook/data/k?secret=***&token=***&a=1");
        assert_eq!(values(&shown.headers), ["***", "***", "***", "***", "sha256=00"]);
    }

    #[test]
    fn a_body_that_the_row_has_is_not_kept_twice() {
        let mut source = source(None);
        assert_eq!(keep(&source, "", &[]).body, KeptBody::Cell);
        source.spec.mode = Mode::Replace;
        assert_eq!(keep(&source, "", &[]).body, KeptBody::Own(Bytes::from_static(b"{}")));

        source.spec.mode = Mode::Combine;
        let headers = HeaderMap::new();
        let head = Head { method: &Method::POST, headers: &headers, query: "" };
        let with = |body: &Bytes, cell: Option<Bytes>| {
            kept(&source, &Incoming { head, address: None, body, cell }).unwrap().body
        };
        let blank = Bytes::from_static(b" {}");
        assert_eq!(with(&blank, Some(blank.slice(1..))), KeptBody::Own(blank.clone()));
        assert_eq!(with(&Bytes::new(), None), KeptBody::Own(Bytes::new()));
        let large = Bytes::from(vec![b'1'; BODY_BYTES_MAX + 1]);
        assert_eq!(with(&large, Some(large.clone())), KeptBody::Cell);
        assert_eq!(with(&large, Some(Bytes::from_static(b"1"))), KeptBody::None);
    }

    #[test]
    fn a_source_may_keep_nothing() {
        let mut source = source(None);
        source.spec.options.inspection_seconds = 0;
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let head = Head { method: &Method::POST, headers: &headers, query: "" };
        let incoming = Incoming { head, address: None, body: &body, cell: None };
        assert_eq!(kept(&source, &incoming), None);
    }
}
