//! A provider's scheme of proof, as data.

use serde::{Deserialize, Serialize};

use super::encoding::Encoding;
use super::place::Place;
use super::template::Template;

/// The widest tolerance of a timestamp, in seconds. Some senders sign an event when made and deliver days
/// later.
pub const TOLERANCE_SECONDS_MAX: u32 = 7 * 24 * 3600;

/// Usual tolerance of a timestamp, in seconds, either way: most providers prescribe the same.
const TOLERANCE_SECONDS: u32 = 300;

/// A provider's scheme of proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// The key's use.
    pub algorithm: Algorithm,
    /// How the text of a secret becomes the key.
    #[serde(default)]
    pub key: KeyForm,
    /// The place and notation of the signature or token.
    pub signature: Part,
    /// How the signature's bytes are written.
    #[serde(default)]
    pub encoding: Encoding,
    /// The signed text. Absent for tokens, because the token itself is the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Template>,
    /// The signed timestamp. The timestamp must be close to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Stamp>,
    /// A signed hash of the body, where the body itself is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<BodyHash>,
    /// Whether the sender may sign the URL with or without the port.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_port: bool,
    /// The array of individually signed items in a JSON body; all signatures must be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
}

/// The key's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// The secret itself is sent and compared.
    Token,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256; the signature is DER.
    EcdsaP256Sha256,
    /// RSA, PKCS #1 v1.5, with SHA-1.
    RsaSha1,
    /// RSA, PKCS #1 v1.5, with SHA-256.
    RsaSha256,
    /// A JSON Web Token with HMAC-SHA256.
    JwtHs256,
    /// A JSON Web Token with RSA and SHA-256.
    JwtRs256,
    /// A JSON Web Token with ECDSA on P-256.
    JwtEs256,
    /// A JSON Web Token with Ed25519.
    JwtEddsa,
}

impl Algorithm {
    /// Whether the key is public, and so needs no secrecy.
    pub fn is_public(self) -> bool {
        matches!(
            self,
            Self::Ed25519
                | Self::EcdsaP256Sha256
                | Self::RsaSha1
                | Self::RsaSha256
                | Self::JwtRs256
                | Self::JwtEs256
                | Self::JwtEddsa
        )
    }

    /// Whether the signature is a JSON Web Token.
    pub fn is_jwt(self) -> bool {
        matches!(self, Self::JwtHs256 | Self::JwtRs256 | Self::JwtEs256 | Self::JwtEddsa)
    }

    /// Whether the proof is a MAC.
    pub fn is_mac(self) -> bool {
        matches!(self, Self::HmacSha1 | Self::HmacSha256 | Self::HmacSha512)
    }

    /// The algorithm's word in data and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha512 => "hmac-sha512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaSha1 => "rsa-sha1",
            Self::RsaSha256 => "rsa-sha256",
            Self::JwtHs256 => "jwt-hs256",
            Self::JwtRs256 => "jwt-rs256",
            Self::JwtEs256 => "jwt-es256",
            Self::JwtEddsa => "jwt-eddsa",
        }
    }
}

/// How the text of a secret becomes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyForm {
    /// The text is the key.
    #[default]
    Text,
    /// The text is the key in base64.
    Base64,
    /// The text is the key in hexadecimal.
    Hex,
    /// `whsec_` and base64. A text without the prefix counts both as written and decoded.
    Whsec,
    /// A public key: PEM, JWK, or base64 or hexadecimal of the DER or of the raw bytes; a leading `whpk_` is
    /// allowed.
    PublicKey,
}

impl KeyForm {
    /// A description of the form, for a person about to enter a secret.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Base64 => "base64",
            Self::Hex => "hexadecimal",
            Self::Whsec => "`whsec_` and base64",
            Self::PublicKey => "a public key as PEM (BEGIN PUBLIC KEY), JWK, base64 or hexadecimal",
        }
    }
}

/// A value's place and surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The places to look at; the first place with any content counts.
    #[serde(deserialize_with = "one_or_more")]
    pub from: Vec<Place>,
    /// The separator of a list's entries; absent when the whole value is a single entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<char>,
    /// The start of an entry; entries with another start are skipped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Whether an entry may also do without the prefix.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefix_optional: bool,
}

impl Part {
    /// The entries of a value.
    pub(super) fn entries<'v>(&self, value: &'v str) -> impl Iterator<Item = &'v str> {
        let whole = self.split.is_none().then_some(value);
        let list = self.split.map(|separator| value.split(separator));
        whole.into_iter().chain(list.into_iter().flatten()).filter_map(|entry| {
            let entry = entry.trim();
            let bare = entry.strip_prefix(self.prefix.as_str());
            bare.or(self.prefix_optional.then_some(entry)).filter(|entry| !entry.is_empty())
        })
    }
}

/// The signed timestamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// The timestamp's places.
    #[serde(deserialize_with = "one_or_more")]
    pub from: Vec<Place>,
    /// As in [`Part`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<char>,
    /// As in [`Part`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The timestamp's unit.
    #[serde(default)]
    pub unit: Unit,
    /// The largest distance from now in seconds, either way; at most [`TOLERANCE_SECONDS_MAX`].
    #[serde(default = "tolerance_seconds")]
    pub tolerance_seconds: u32,
}

impl Stamp {
    /// The timestamp's places and surroundings.
    pub(super) fn part(&self) -> Part {
        let Self { from, split, prefix, .. } = self.clone();
        Part { from, split, prefix, prefix_optional: false }
    }
}

fn tolerance_seconds() -> u32 {
    TOLERANCE_SECONDS
}

/// A timestamp's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Unix seconds.
    #[default]
    Seconds,
    /// Unix milliseconds.
    Milliseconds,
    /// RFC 3339, such as `2026-11-21T22:00:00Z`.
    Rfc3339,
}

/// A signed SHA-256 of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyHash {
    /// The hash's place.
    pub from: Place,
    /// The hash's encoding.
    #[serde(default)]
    pub encoding: Encoding,
    /// Whether the hash may be absent for an urlencoded form, signed itself, or for an empty body.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unless_form: bool,
}

/// Reads a place or a list of places.
pub(super) fn one_or_more<'de, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Vec<Place>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(Place),
        More(Vec<Place>),
    }
    match Either::deserialize(reader)? {
        Either::One(place) => Ok(vec![place]),
        Either::More(places) if !places.is_empty() => Ok(places),
        Either::More(_) => Err(serde::de::Error::custom("at least one place is needed")),
    }
}

impl Scheme {
    /// Names a contradiction in the scheme; `None` for a scheme able to prove something.
    pub fn fault(&self) -> Option<&'static str> {
        let jwt = self.algorithm.is_jwt();
        let token = self.algorithm == Algorithm::Token;
        if (token || jwt) != self.signed.is_none() {
            return Some("`signed` is needed, except for a token, which signs nothing");
        }
        if jwt && self.body_hash.is_none() {
            return Some("a JSON Web Token proves the body only with `body_hash`");
        }
        if self.algorithm.is_public() != (self.key == KeyForm::PublicKey) {
            return Some("`key` must be `public-key` exactly where the algorithm has a public key");
        }
        if self.stamp_tolerance() > TOLERANCE_SECONDS_MAX {
            return Some("`tolerance_seconds` may be 604800 at most");
        }
        let signed = self.signed.as_ref();
        if signed.is_some_and(Template::has_mac) {
            return Some("`signed` cannot have a mac of its own");
        }
        if signed.is_some_and(|signed| !signed.covers_anything()) && self.body_hash.is_none() {
            return Some(
                "`signed` must have something of the body in it, or `body_hash` must be there",
            );
        }
        let reads_items = |place: &Place| matches!(place, Place::Item(_));
        if self.signature.from.iter().any(reads_items) && self.each.is_none() {
            return Some("`item:` is used without `each`");
        }
        if self.each.as_deref().is_some_and(|each| super::pointer::Pointer::parse(each).is_none()) {
            return Some("`each` must be the path of an array, such as `/items`");
        }
        None
    }

    fn stamp_tolerance(&self) -> u32 {
        self.timestamp.as_ref().map_or(0, |stamp| stamp.tolerance_seconds)
    }

    /// Whether the URL is signed, and so whether the server must know the public URL.
    pub fn covers_url(&self) -> bool {
        self.signed.as_ref().is_some_and(Template::covers_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_with_the_prefix() {
        let part = |split, prefix: &str, prefix_optional| Part {
            from: vec![Place::Bearer],
            split,
            prefix: prefix.to_owned(),
            prefix_optional,
        };
        let entries =
            |part: Part, value: &str| part.entries(value).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(entries(part(Some(','), "v1=", false), "t=1, v1=a,v0=b,v1=c,v1="), ["a", "c"]);
        assert_eq!(entries(part(Some(' '), "v1,", false), "v1,a v1a,b  v1,c"), ["a", "c"]);
        assert_eq!(entries(part(None, "sha256=", false), " sha256=a=b "), ["a=b"]);
        assert_eq!(entries(part(None, "sha256=", false), "a"), [] as [String; 0]);
        assert_eq!(entries(part(None, "sha256=", true), "a"), ["a"]);
        assert_eq!(entries(part(None, "", false), ""), [] as [String; 0]);
    }

    #[test]
    fn base64_is_taken_in_every_dress() {
        for text in ["-_8=", "-_8", "+/8=", "+/8", " +/8 "] {
            assert_eq!(Encoding::Base64.decode(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(Encoding::Base64.decode("a"), None);
        assert_eq!(Encoding::Hex.decode("FFfb"), Some(vec![0xff, 0xfb]));
        assert_eq!(Encoding::Hex.decode("fff"), None);
    }
}
