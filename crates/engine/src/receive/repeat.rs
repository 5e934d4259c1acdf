//! The mark of a repeated delivery: the sender's id.

use hookyard_core::id::{DatasetId, SourceId};
use hookyard_core::model::Source;
use hookyard_core::provider::Request;
use http::HeaderMap;
use sha2::{Digest, Sha256};

use super::Head;

/// The headers with a delivery's name, constant over all tries. The first present header counts.
const HEADERS: [&str; 17] = [
    "idempotency-key",
    "webhook-id",
    "svix-id",
    "x-github-delivery",
    "x-shopify-webhook-id",
    "x-gitlab-webhook-uuid",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-wc-webhook-delivery-id",
    "twitch-eventsub-message-id",
    "paypal-transmission-id",
    "linear-delivery",
    "x-zendesk-webhook-invocation-id",
    "x-amz-sns-message-id",
    "x-discourse-event-id",
    "x-hook0-event-id",
    "ce-id",
];

/// The longest name used, in bytes. Real ones are UUIDs.
const NAME_BYTES_MAX: usize = 1_000;

/// A hash of the source and of the provider's id of the delivery, from the provider's usual place;
/// `None` when the source has no such provider or the delivery no id.
pub(super) fn of_provider(source: &Source, head: Head<'_>, body: &[u8]) -> Option<[u8; 16]> {
    let preset = source.spec.options.verification.as_ref()?.preset()?;
    let Head { method, headers, query } = head;
    let request = Request { method, headers, url: None, query, body };
    let id = preset.delivery_id(&request)?;
    if id.is_empty() || id.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(source.id.0.to_le_bytes());
    hash.update(preset.name.as_bytes());
    hash.update(b"\n");
    hash.update(id.as_bytes());
    let mut name = [0; 16];
    name.copy_from_slice(&hash.finalize()[..16]);
    Some(name)
}

/// A hash of the source and of the delivery's name; `None` without a name.
pub(super) fn name(source: SourceId, headers: &HeaderMap) -> Option<[u8; 16]> {
    // A delivery has fewer headers than there are names to look for.
    let named = headers.iter().filter_map(|(name, value)| {
        let place = HEADERS.iter().position(|known| *known == name.as_str())?;
        Some((place, value))
    });
    let (place, value) = named.min_by_key(|(place, _)| *place)?;
    let (header, value) = (HEADERS[place], value.as_bytes().trim_ascii());
    if value.is_empty() || value.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(source.0.to_le_bytes());
    hash.update(header.as_bytes());
    // The id of a CloudEvent is unique in the event's source only.
    if header == "ce-id"
        && let Some(origin) = headers.get("ce-source")
    {
        hash.update(b"\n");
        hash.update(origin.as_bytes());
    }
    hash.update(b"\n");
    hash.update(value);
    let mut name = [0; 16];
    name.copy_from_slice(&hash.finalize()[..16]);
    Some(name)
}

/// A hash of a dataset and of the given name of rows.
pub(super) fn of_dataset(dataset: DatasetId, name: &str) -> [u8; 16] {
    let mut hash = Sha256::new();
    // No hash for a source has the same bytes here.
    hash.update(dataset.0.to_le_bytes());
    hash.update(b"\ndataset\n");
    hash.update(name.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn named(source: i32, headers: &[(&'static str, &str)]) -> Option<[u8; 16]> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        name(SourceId(source), &headers.collect())
    }

    #[test]
    fn the_senders_id_names_a_delivery_of_its_source() {
        let github = named(1, &[("x-github-delivery", "a")]);
        assert!(github.is_some());
        assert_eq!(named(1, &[("x-github-delivery", " a ")]), github);
        for other in [
            named(2, &[("x-github-delivery", "a")]),
            named(1, &[("x-github-delivery", "b")]),
            named(1, &[("webhook-id", "a")]),
            named(1, &[("webhook-id", "a"), ("x-github-delivery", "a")]),
        ] {
            assert_ne!(other, github);
        }
        assert_eq!(named(1, &[]), None);
        assert_eq!(named(1, &[("webhook-id", " ")]), None);
        assert_eq!(named(1, &[("webhook-id", &"x".repeat(NAME_BYTES_MAX + 1))]), None);
        let event = |source| named(1, &[("ce-id", "1"), ("ce-source", source)]);
        assert_ne!(event("/a"), event("/b"));
    }
}
