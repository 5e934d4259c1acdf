//! Providers: how each proves its requests, and the handshakes by which they ask for a URL.
//!
//! A provider is an entry in `presets.toml`, checked by vectors that another program made
//! (`tests/vectors`): a [`Scheme`] says where the signature is, what it covers and how old it may
//! be, and one [`Verifier`] carries all of them out. The default for sources without such a setting is
//! [`crate::signature`], which goes by the headers that it finds.
//!
//! Nothing here fetches a key: a public key for verification is in the source's settings.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;

mod cause;
mod check;
mod doctor;
mod encoding;
mod handshake;
mod jwt;
mod keys;
mod place;
mod pointer;
mod render;
mod request;
mod spec;
mod template;
mod verification;
mod verifier;

pub use cause::{Cause, Refusal};
pub use doctor::{Diagnosis, diagnose, diagnose_default};
pub use encoding::Encoding;
pub use handshake::{Answer, Handshake, Handshaken, Reply};
pub use place::{NoPlace, Place};
pub use pointer::Pointer;
pub use request::Request;
pub use spec::{Algorithm, BodyHash, KeyForm, Part, Scheme, Stamp, TOLERANCE_SECONDS_MAX, Unit};
pub use template::{BadTemplate, Template};
pub use verification::{Fault, SECRET_BYTES_MAX, SECRETS_MAX, Verification};
pub use verifier::{HANDSHAKE_BYTES_MAX, Judged, Verifier};

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// The name in settings: lower-case words with hyphens.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The value to enter as the secret, and the place to find the value.
    pub secret: String,
    /// Other facts for the user.
    pub note: Option<String>,
    /// Where the entry is from.
    pub evidence: Evidence,
    /// The scheme of the provider's proof.
    pub scheme: Scheme,
    /// Possible places of the delivery's own id, the same in a repeated delivery; empty for providers without
    /// ids.
    pub delivery_id_at: Vec<Place>,
    /// The requests to confirm a URL.
    pub handshakes: Vec<Handshake>,
    /// The required answer to an accepted delivery, if not the usual answer.
    pub answer: Option<Reply>,
}

/// Where an entry is from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Evidence {
    /// The vendor's documentation, at the given address.
    Vendor(String),
    /// Public code or writing by others than the vendor.
    PublicSource,
    /// No source: the scheme belongs to no vendor, and the headers are the owner's choice.
    NoVendor,
    /// General knowledge: to be confirmed.
    General,
}

impl From<String> for Evidence {
    fn from(text: String) -> Self {
        match text.as_str() {
            "public-source" => Self::PublicSource,
            "no-vendor" => Self::NoVendor,
            url if url.starts_with("https://") => Self::Vendor(text),
            _ => Self::General,
        }
    }
}

impl Preset {
    /// The delivery's own id, the same when the provider repeats the delivery.
    pub fn delivery_id<'a>(&self, request: &'a Request<'a>) -> Option<Cow<'a, str>> {
        let sight = request::Sight::whole(request);
        self.delivery_id_at.iter().find_map(|place| sight.value(place))
    }

    /// Whether a handshake brings the secret.
    pub fn learns(&self) -> bool {
        self.handshakes.iter().any(|handshake| handshake.learns.is_some())
    }

    /// Whether a handshake must show a secret of its own.
    pub fn asks_handshake_secret(&self) -> bool {
        self.handshakes.iter().any(|handshake| handshake.secret.is_some())
    }

    /// Whether the signature or token is in a header.
    pub fn has_header(&self) -> bool {
        let from = &self.scheme.signature.from;
        from.iter().any(|place| {
            matches!(place, Place::Header(_) | Place::HeaderOr(..) | Place::HeaderFamily(_))
        })
    }

    /// The required answer to an accepted delivery; `None` for the usual answer.
    pub fn accepted(&self) -> Option<Answer> {
        let reply = self.answer.as_ref()?;
        let nothing = http::HeaderMap::new();
        let request = Request {
            method: &http::Method::POST,
            headers: &nothing,
            url: None,
            query: "",
            body: b"",
        };
        let settings = std::collections::BTreeMap::new();
        let sight = request::Sight::whole(&request);
        let filling = render::Filling { sight, stamp: None, settings: &settings, mac: None };
        reply.fill(&filling).ok()
    }
}

/// The preset with the given name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.name == name)
}

/// All presets, by name.
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// The entries; a test checks the syntax.
static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| read(ENTRIES).unwrap_or_default());

const ENTRIES: &str = include_str!("presets.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    provider: Vec<Entry>,
}

/// An entry as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    title: String,
    secret: String,
    evidence: Evidence,
    note: Option<String>,
    /// An earlier entry with the same scheme, delivery id, handshakes and answer.
    same_as: Option<String>,
    scheme: Option<Scheme>,
    #[serde(default, deserialize_with = "spec::one_or_more")]
    delivery_id: Vec<Place>,
    #[serde(default)]
    handshake: Vec<Handshake>,
    answer: Option<Reply>,
}

/// Reads the entries; the error names the wrong entry.
fn read(entries: &str) -> Result<Vec<Preset>, String> {
    let entries: Entries = toml::from_str(entries).map_err(|error| error.to_string())?;
    let mut presets: Vec<Preset> = Vec::new();
    for entry in entries.provider {
        let name = entry.name.clone();
        let preset = complete(entry, &presets).map_err(|error| format!("{name}: {error}"))?;
        presets.push(preset);
    }
    presets.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(presets)
}

fn complete(entry: Entry, above: &[Preset]) -> Result<Preset, String> {
    let Entry { name, title, secret, evidence, note, .. } = entry;
    if above.iter().any(|preset| preset.name == name) {
        return Err("is there twice".to_owned());
    }
    let like = match &entry.same_as {
        Some(like) => {
            Some(above.iter().find(|preset| preset.name == *like).ok_or("no such entry")?)
        }
        None => None,
    };
    let scheme = entry.scheme.or_else(|| like.map(|like| like.scheme.clone()));
    let scheme = scheme.ok_or("has no scheme")?;
    if let Some(fault) = scheme.fault() {
        return Err(fault.to_owned());
    }
    let handshakes = match like {
        Some(like) if entry.handshake.is_empty() => like.handshakes.clone(),
        _ => entry.handshake,
    };
    if let Some(strange) = handshakes.iter().find(|handshake| {
        !handshake::METHODS.iter().any(|method| method.as_str() == handshake.method)
    }) {
        return Err(format!("handshake {} has an unknown method", strange.name));
    }
    Ok(Preset {
        name,
        title,
        secret,
        note,
        evidence,
        scheme,
        delivery_id_at: match like {
            Some(like) if entry.delivery_id.is_empty() => like.delivery_id_at.clone(),
            _ => entry.delivery_id,
        },
        handshakes,
        answer: entry.answer.or_else(|| like.and_then(|like| like.answer.clone())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entries_can_be_read() {
        let read = read(ENTRIES).unwrap();
        assert!(read.len() >= 45, "{} entries", read.len());
        for preset in &read {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(preset.name.bytes().all(word), "{}", preset.name);
            assert!(!preset.title.is_empty() && !preset.secret.is_empty(), "{}", preset.name);
        }
        assert_eq!(presets().len(), read.len());
    }

    #[test]
    fn an_entry_with_a_mistake_is_refused() {
        let entry = |scheme: &str| {
            let head = "[[provider]]\nname='a'\ntitle='A'\nsecret='s'\nevidence='general'\n";
            read(&format!("{head}[provider.scheme]\n{scheme}"))
        };
        let sound = "algorithm='hmac-sha256'\nsignature={from='header:x-a'}\nsigned='{body}'";
        assert!(entry(sound).is_ok());
        for (wrong, words) in [
            ("algorithm='hmac-sha256'\nsignature={from='header:x-a'}", "signed"),
            ("algorithm='md5'\nsignature={from='header:x-a'}", "unknown variant"),
            ("algorithm='ed25519'\nsignature={from='header:x-a'}\nsigned='{body}'", "public-key"),
            ("algorithm='hmac-sha256'\nsignature={from='item:/a'}\nsigned='{body}'", "each"),
            ("algorithm='jwt-hs256'\nsignature={from='header:x-a'}", "body_hash"),
            (
                "algorithm='hmac-sha256'\nsignature={from='header:x-a'}\nsigned='{timestamp}'",
                "body",
            ),
            (
                "algorithm='hmac-sha256'\nsignature={from='header:x-a'}\nsigned='{mac_hex:bearer}{body}'",
                "mac",
            ),
            ("algorithm='token'\nsignature={from=[]}", "at least one place"),
        ] {
            let error = entry(wrong).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
