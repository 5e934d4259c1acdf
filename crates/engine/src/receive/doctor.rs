//! Why a request was refused: facts for the source's owner, never for the sender.

use bytes::Bytes;
use hookyard_core::id::{RejectionId, SourceId, WorkspaceId};
use hookyard_core::model::{RefusedRequest, Rejection, Secret, Source};
use hookyard_core::provider::{self, Cause, Diagnosis, Request};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::{Head, Standing, coding, inspect, standing};
use crate::{Engine, Error};

/// A request for the doctor.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The method.
    pub method: Method,
    /// The whole URL as called by the sender, where known.
    pub url: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as received.
    pub body: Bytes,
    /// The moment of arrival.
    pub received_at: Timestamp,
}

/// Finds out why a source refuses a request, by the present settings. A compressed body is decoded
/// up to `bytes_max`.
pub fn examine(source: &Source, request: &Examined, bytes_max: usize) -> Diagnosis {
    let Examined { method, url, headers, body, received_at } = request;
    let url = url.as_deref();
    let query = url.and_then(|url| url.split_once('?')).map_or("", |(_, query)| query);
    let decoded = coding::decode(headers, body, bytes_max).ok().filter(|decoded| decoded != body);
    let (decoded, now) = (decoded.as_deref(), *received_at);
    let seen = Request { method, headers, url, query, body };
    if let Some(verification) = &source.spec.options.verification {
        return match verification.verifier() {
            Some(verifier) => provider::diagnose(&verifier, &seen, decoded, now),
            None => certain(Some(Cause::NoSecret), "the provider is not known to this version"),
        };
    }
    let secrets: Vec<Secret> = source.secrets(now).cloned().collect();
    if secrets.is_empty() {
        return certain(None, "the source is open: it asks for no proof");
    }
    if standing(source, Head { method, headers, query }, now) == Standing::Proven {
        return certain(None, "the request shows the source's secret");
    }
    provider::diagnose_default(secrets, &seen, decoded, now)
}

fn certain(cause: Option<Cause>, explanation: &str) -> Diagnosis {
    Diagnosis { cause, certain: true, explanation: explanation.to_owned(), skew_seconds: None }
}

/// Finds out why a request kept with a line of the source's log was refused. `public_url` is the
/// server's URL for callers.
pub fn examine_kept(
    source: &Source,
    line: &Rejection,
    request: &RefusedRequest,
    public_url: Option<&str>,
    bytes_max: usize,
) -> Diagnosis {
    let RefusedRequest { target, headers, bytes, body } = request;
    let pairs = headers.iter().filter_map(|header| {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_str(&header.value).ok()?))
    });
    let verifier = source.spec.options.verification.as_ref().and_then(|it| it.verifier());
    let signs_url = verifier.is_some_and(|verifier| verifier.covers_url());
    // Without a public URL a query still has to be found, where no host matters.
    let base = public_url.or((!signs_url).then_some("http://localhost"));
    let examined = Examined {
        method: line.line.method.parse().unwrap_or(Method::POST),
        url: base.map(|base| format!("{base}{target}")),
        headers: pairs.collect(),
        body: body.clone().unwrap_or_default(),
        received_at: line.line.first_at,
    };
    let mut found = examine(source, &examined, bytes_max);
    let lost = body.is_none().then_some(*bytes).flatten();
    match (lost, found.cause) {
        (Some(bytes), Some(cause)) if needs_body(cause) => {
            let most = inspect::REFUSED_BODY_BYTES_MAX;
            found.certain = false;
            found.cause = Some(Cause::WrongSignature);
            found.explanation = format!(
                "the body has {bytes} bytes, and up to {most} are kept, so what is wrong with the \
                 signature cannot be told: send the request to the doctor as it was sent"
            );
        }
        (_, None) => found.explanation.push_str(", by the source's present settings"),
        _ => {}
    }
    found
}

/// Whether the cause may change once the body is known.
fn needs_body(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::WrongSignature
            | Cause::WrongSecret
            | Cause::BodyChanged
            | Cause::WrongBodyHash
            | Cause::UnreadableBody
            | Cause::MissingSignature
    )
}

impl Engine {
    /// A line of a source's log, with the request while kept. [`Error::NotFound`] when the
    /// workspace has no such source; `None` when the log has no such line.
    pub async fn rejection(
        &self,
        workspace: WorkspaceId,
        source: SourceId,
        id: RejectionId,
    ) -> Result<Option<(Rejection, Option<RefusedRequest>)>, Error> {
        self.source(workspace, source).await?;
        self.write_rejections().await?;
        Ok(self.store().rejection(workspace, source, id).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use hookyard_core::id::RejectionId;
    use hookyard_core::model::{Cause as Rejected, NewRejection};

    use super::super::tests::source;
    use super::*;

    const BYTES_MAX: usize = 1_000_000;

    fn line() -> Rejection {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        Rejection {
            id: RejectionId(1),
            line: NewRejection {
                source: SourceId(1),
                first_at: at,
                last_at: at,
                count: 1,
                cause: Rejected::Proof,
                detail: String::new(),
                method: "POST".to_owned(),
                address: None,
            },
            has_request: true,
        }
    }

    /// HMAC-SHA256 with the key `s3cret`.
    const OF_OBJECT: &str = "5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d";
    const OF_NOTHING: &str = "adbde1ce40c89c14215687d5d762a47df6dfaefcfad61e2e86718ffc8498571b";
    const OF_OTHER: &str = "0b68b91507234b92775926ff84056f2eea1f51e19c01dc04244e2b8cb89001bb";

    /// What is kept of a request that is signed as GitHub does.
    fn kept(signature: &str, sent: &Bytes, more: &[(&'static str, &str)]) -> RefusedRequest {
        let signature = format!("sha256={signature}");
        let own = [("x-hub-signature-256", &signature[..])];
        let headers: HeaderMap = own
            .iter()
            .chain(more)
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let source = source(Some("s3cret"));
        let target = "/webhook/data/k".to_owned();
        inspect::refused(&source, &headers, target, Some(sent)).unwrap()
    }

    fn found(request: &RefusedRequest) -> (Option<Cause>, bool, String) {
        let source = source(Some("s3cret"));
        let Diagnosis { cause, certain, explanation, .. } =
            examine_kept(&source, &line(), request, None, BYTES_MAX);
        (cause, certain, explanation)
    }

    #[test]
    fn what_was_signed_before_it_was_compressed_is_found() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"{\"a\":1}").unwrap();
        let sent = Bytes::from(encoder.finish().unwrap());
        let request = kept(OF_OBJECT, &sent, &[("content-encoding", "gzip")]);
        let (cause, certain, words) = found(&request);
        assert_eq!((cause, certain), (Some(Cause::BodyChanged), true));
        assert!(words.contains("before it was compressed"), "{words}");
    }

    #[test]
    fn a_kept_request_is_diagnosed_as_a_pasted_one() {
        let changed = kept(OF_OBJECT, &Bytes::from_static(b"{\"a\":1}\n"), &[]);
        assert_eq!(found(&changed).0, Some(Cause::BodyChanged));
        let right = kept(OF_NOTHING, &Bytes::from_static(b"{}"), &[]);
        let (cause, _, words) = found(&right);
        assert_eq!(cause, None);
        assert!(words.contains("present settings"), "{words}");
        let other = kept(OF_OTHER, &Bytes::from_static(b"{}"), &[]);
        assert_eq!(found(&other).0, Some(Cause::WrongSecret));
    }

    #[test]
    fn a_body_that_was_too_large_to_keep_is_said_to_be() {
        let large = Bytes::from(vec![b'1'; inspect::REFUSED_BODY_BYTES_MAX + 1]);
        let request = kept(OF_OTHER, &large, &[]);
        assert_eq!((request.body.is_none(), request.bytes), (true, Some(large.len() as u64)));
        let (cause, certain, words) = found(&request);
        assert_eq!((cause, certain), (Some(Cause::WrongSignature), false));
        assert!(words.contains("262145"), "{words}");
    }
}
