//! What is kept of a request for inspection.

use std::borrow::Cow;

use bytes::Bytes;
use hookyard_core::model::{Header, KeptBody, KeptRequest, Mode, Source};
use http::HeaderMap;

use super::{Head, Incoming};

/// The largest body that is kept by itself. A larger one is kept only where the row has it, to the
/// byte; else a source whose deliveries are forms of 10 MiB would take twice their space.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What is shown in place of a secret.
const MASK: &str = "***";

/// Parts of the names of headers and parameters whose values are secrets. Signatures are none: they
/// prove that the sender knows one and do not tell it.
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

/// The request as it is kept; `None` when the source keeps none.
pub(super) fn kept(source: &Source, incoming: &Incoming<'_>) -> Option<KeptRequest> {
    if source.spec.options.inspection_seconds == 0 {
        return None;
    }
    let Incoming { head, address, body, cell } = incoming;
    let is_cell = cell.as_ref().is_some_and(|cell| is_same(cell, body));
    let body_kept = match (is_cell, source.spec.mode) {
        // A row that is replaced would take the body with it.
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

/// Whether the cell is the body, to the byte: then it is a slice of the whole of it.
fn is_same(cell: &Bytes, body: &Bytes) -> bool {
    !body.is_empty() && cell.len() == body.len() && cell.as_ptr() == body.as_ptr()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

fn masked_headers(source: &Source, headers: &HeaderMap) -> Vec<Header> {
    let own = source.spec.secret.iter();
    let proofs = source.spec.options.verification.iter().flat_map(|it| &it.secrets);
    let secrets: Vec<_> = own.chain(proofs).map(|secret| secret.expose().as_bytes()).collect();
    let shown = headers.iter().map(|(name, value)| {
        // A secret may come in a header of any name.
        let tells = secrets.contains(&value.as_bytes());
        let value = match tells || is_secret(name.as_str()) {
            true => Cow::Borrowed(MASK),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        Header { name: name.as_str().to_owned(), value: value.into_owned() }
    });
    shown.collect()
}

fn masked_query(source: &Source, head: &Head<'_>) -> String {
    let verifier = source.spec.options.verification.as_ref().and_then(|it| it.verifier());
    let proofs: Vec<_> = verifier.iter().flat_map(|it| it.secret_parameters()).collect();
    let masked = head.query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _))
            if is_secret(&decoded(name)) || proofs.contains(&decoded(name).as_ref()) =>
        {
            Cow::Owned(format!("{name}={MASK}"))
        }
        _ => Cow::Borrowed(pair),
    });
    masked.collect::<Vec<_>>().join("&")
}

/// A name may be written so that it does not look like what it is.
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
