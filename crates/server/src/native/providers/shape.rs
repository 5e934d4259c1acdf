//! `/v1/providers`: providers with a scheme for sources.

use hookyard_core::provider::{Evidence, Preset};
use serde::Serialize;
use utoipa::ToSchema;

/// A provider of webhooks.
#[derive(Serialize, ToSchema)]
pub(super) struct Provider<'a> {
    /// The provider's name in settings.
    name: &'a str,
    /// The provider's name for people.
    title: &'a str,
    /// The secret to enter, and the place to find the secret.
    secret: &'a str,
    /// Further advice to users of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    /// The use of the key: `token`, `hmac-sha256` and so on.
    algorithm: &'a str,
    /// The handshakes answered by sources, under the provider's names.
    handshakes: Vec<&'a str>,
    /// Whether a handshake must show a secret of its own.
    handshake_secret: bool,
    /// Whether a handshake brings the secret.
    learns: bool,
    /// Whether the server must know its public URL.
    signs_url: bool,
    /// Required settings.
    settings: Vec<&'a str>,
    /// Whether repeats are recognised by an id of the provider's.
    delivery_id: bool,
    /// Whether the vendor's documentation was seen to say the same.
    confirmed: bool,
    /// Address of the provider's documentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation: Option<&'a str>,
}

impl<'a> Provider<'a> {
    pub(super) fn new(preset: &'a Preset) -> Self {
        let documentation = match &preset.evidence {
            Evidence::Vendor(url) => Some(url.as_str()),
            Evidence::PublicSource | Evidence::NoVendor | Evidence::General => None,
        };
        let signed = preset.scheme.signed.as_ref();
        Self {
            name: &preset.name,
            title: &preset.title,
            secret: &preset.secret,
            note: preset.note.as_deref(),
            algorithm: preset.scheme.algorithm.as_str(),
            handshakes: preset.handshakes.iter().map(|it| it.name.as_str()).collect(),
            handshake_secret: preset.asks_handshake_secret(),
            learns: preset.learns(),
            signs_url: preset.scheme.covers_url(),
            settings: signed.map(|signed| signed.settings().collect()).unwrap_or_default(),
            delivery_id: !preset.delivery_id_at.is_empty(),
            confirmed: documentation.is_some(),
            documentation,
        }
    }
}
