//! Showing an attempt's request again. Bodies are not kept: the journal and the endpoint's revision
//! make the same bytes.

use std::io::Read;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use hookyard_core::model::{Attempt, Catalogue, ContentEncoding, Endpoint};

use crate::deliver::{LOGGED_CHARACTERS_MAX, render};
use crate::work::Share;
use crate::{Engine, Error};

/// The most characters of a logged request or response (docs/spec/ultracart.md#delivery-log).
pub const REQUEST_CHARS_MAX: usize = LOGGED_CHARACTERS_MAX;

/// The most unpacked bytes searched in a compressed request: a bundle's objects are at most a few
/// times the 900,000 bytes of the largest body.
const UNPACKED_BYTES_MAX: u64 = 16 << 20;

/// The body of a request as shown in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRequest {
    /// The body before content encoding, the first [`REQUEST_CHARS_MAX`]
    /// characters.
    pub text: String,
    /// The content encoding.
    pub encoding: ContentEncoding,
    /// The size as sent, in bytes.
    pub bytes: usize,
}

impl Engine {
    /// The body of an attempt's request. `None` when a part of its origin is gone: a partial body
    /// would pass for the whole.
    pub(super) async fn sent_body(
        &self,
        catalogue: &Arc<Catalogue>,
        endpoint: &Arc<Endpoint>,
        attempt: &Attempt,
    ) -> Result<Option<SentRequest>, Error> {
        let seqs = &attempt.record.events;
        let events = self.store.events_by_seq(endpoint.workspace, seqs).await?;
        if events.len() != seqs.len() {
            return Ok(None);
        }
        let render = || {
            // A bundle that cannot be rendered was not sent either.
            let bundle = render::bundle(catalogue, endpoint, &events).ok();
            let whole = bundle.filter(|bundle| bundle.events == events.len());
            whole.and_then(|bundle| shown(&bundle.body))
        };
        let bytes = events.iter().map(|event| event.object.len()).sum();
        self.work().run(Share::Calls(endpoint.workspace), bytes, render).await
    }

    /// The endpoint at the attempt's revision; `None` when the revision is gone.
    pub(super) async fn sender(
        &self,
        endpoint: &Endpoint,
        revision: u32,
    ) -> Result<Option<Arc<Endpoint>>, Error> {
        Ok(self.store.endpoint_revision(endpoint.workspace, endpoint.id, revision).await?)
    }
}

/// The first [`REQUEST_CHARS_MAX`] characters.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(REQUEST_CHARS_MAX) {
        text.truncate(end);
    }
    text
}

/// Whether a sent body contains a text; a compressed body is unpacked first.
pub(super) fn contains(body: &str, compressed: bool, text: &str) -> bool {
    if compressed && let Some(unpacked) = unpack(body) {
        return unpacked.contains(text);
    }
    body.contains(text)
}

/// A rendered body as text. A body with the start of gzip was sent with the content encoding gzip:
/// JSON and base64 start otherwise.
pub(super) fn shown(body: &[u8]) -> Option<SentRequest> {
    let (text, encoding) = match body.starts_with(&[0x1f, 0x8b]) {
        true => (gunzip(body)?, ContentEncoding::Gzip),
        false => (String::from_utf8_lossy(body).into_owned(), ContentEncoding::Identity),
    };
    Some(SentRequest { text, encoding, bytes: body.len() })
}

fn unpack(body: &str) -> Option<String> {
    gunzip(&STANDARD.decode(body).ok()?)
}

fn gunzip(packed: &[u8]) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(packed).take(UNPACKED_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn bodies_are_cut_by_characters() {
        let long = "é".repeat(REQUEST_CHARS_MAX + 1);
        assert_eq!(cut(long).chars().count(), REQUEST_CHARS_MAX);
        assert_eq!(cut("short".to_owned()), "short");
    }

    #[test]
    fn compressed_bodies_are_searched_unpacked() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(br#"{"events":[{"order_create":{"order_id":"D-1"}}]}"#).unwrap();
        let body = STANDARD.encode(encoder.finish().unwrap());
        assert!(contains(&body, true, "D-1"));
        assert!(!contains(&body, true, "H4sI"));
        assert!(contains(&body, false, "H4sI"));
        assert!(contains("plain", true, "lai"), "what is not packed is searched as it is");
    }
}
