//! Why a request is not believed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request is not believed: a closed list. The sender never learns the cause; the log of refused
/// requests and the doctor show the cause to the source's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The source has no readable secret or public key yet.
    NoSecret,
    /// The place of the signature or token is empty.
    MissingSignature,
    /// The signature's place has a text other than a signature of the scheme.
    MalformedSignature,
    /// The place of the signed timestamp is empty.
    MissingTimestamp,
    /// The signed timestamp is no time in the scheme's unit.
    MalformedTimestamp,
    /// The signed timestamp is too far from now: a clock is wrong, or the request was sent before.
    StaleTimestamp,
    /// Another signed part of the request is absent.
    MissingPart,
    /// The body does not suit the scheme: no JSON, no form, or too many items.
    UnreadableBody,
    /// The scheme signs the URL, and the server does not know the public URL.
    UnknownUrl,
    /// Nothing of such a request is signed: the scheme covers bodies, and the request is a GET.
    NotSigned,
    /// The hash of the body is not the signed hash.
    WrongBodyHash,
    /// The token is not the secret.
    WrongToken,
    /// The signature does not belong to the request with the source's secret. The doctor looks for the
    /// reason.
    WrongSignature,
    /// Found by the doctor: the request is another provider's.
    OtherProvider,
    /// Found by the doctor: the secret is right under another decoding.
    SecretEncoding,
    /// Found by the doctor: the signature is right but in another encoding.
    SignatureEncoding,
    /// Found by the doctor: the signature is right for another algorithm.
    OtherAlgorithm,
    /// Found by the doctor: the body was changed after the signature.
    BodyChanged,
    /// Found by the doctor: the signature is for another URL.
    WrongUrl,
    /// The last resort of the doctor: without another reason found, the secret must be wrong.
    WrongSecret,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 20] = [
        Self::NoSecret,
        Self::MissingSignature,
        Self::MalformedSignature,
        Self::MissingTimestamp,
        Self::MalformedTimestamp,
        Self::StaleTimestamp,
        Self::MissingPart,
        Self::UnreadableBody,
        Self::UnknownUrl,
        Self::NotSigned,
        Self::WrongBodyHash,
        Self::WrongToken,
        Self::WrongSignature,
        Self::OtherProvider,
        Self::SecretEncoding,
        Self::SignatureEncoding,
        Self::OtherAlgorithm,
        Self::BodyChanged,
        Self::WrongUrl,
        Self::WrongSecret,
    ];

    /// The cause's word, in the API and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSecret => "no_secret",
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::MissingTimestamp => "missing_timestamp",
            Self::MalformedTimestamp => "malformed_timestamp",
            Self::StaleTimestamp => "stale_timestamp",
            Self::MissingPart => "missing_part",
            Self::UnreadableBody => "unreadable_body",
            Self::UnknownUrl => "unknown_url",
            Self::NotSigned => "not_signed",
            Self::WrongBodyHash => "wrong_body_hash",
            Self::WrongToken => "wrong_token",
            Self::WrongSignature => "wrong_signature",
            Self::OtherProvider => "other_provider",
            Self::SecretEncoding => "secret_encoding",
            Self::SignatureEncoding => "signature_encoding",
            Self::OtherAlgorithm => "other_algorithm",
            Self::BodyChanged => "body_changed",
            Self::WrongUrl => "wrong_url",
            Self::WrongSecret => "wrong_secret",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a request is not believed, with the details.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {detail}")]
pub struct Refusal {
    /// The reason.
    pub cause: Cause,
    /// The place, the item or the unit at fault. Never a secret, a signature or the body.
    pub detail: String,
    /// For a stale timestamp, the number of seconds after now; negative for a timestamp before now.
    pub skew_seconds: Option<i64>,
}

impl Refusal {
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), skew_seconds: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_their_own_and_read_back() {
        for cause in Cause::ALL {
            assert_eq!(Cause::parse(cause.as_str()), Some(cause));
            let json = serde_json::to_string(&cause).unwrap();
            assert_eq!(json, format!("\"{cause}\""));
        }
        assert_eq!(Cause::parse("other"), None);
    }
}
