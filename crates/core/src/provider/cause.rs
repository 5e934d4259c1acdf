//! Why a request is not believed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a request is not believed: a closed list. The sender is never told which it was; the log of
/// refused requests and the doctor show it to the source's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The source has no secret or public key yet, or none that can be read.
    NoSecret,
    /// The signature or token is not in its place.
    MissingSignature,
    /// Something is in its place that is no signature of the scheme.
    MalformedSignature,
    /// The signed timestamp is not in its place.
    MissingTimestamp,
    /// The signed timestamp is no time in the scheme's unit.
    MalformedTimestamp,
    /// The signed timestamp is too far from now: a clock is wrong, or the request was sent before.
    StaleTimestamp,
    /// Something else that the signature covers is not there.
    MissingPart,
    /// The body is not what the scheme signs: no JSON, no form, or too many items.
    UnreadableBody,
    /// The scheme signs the URL, and the server does not know its public one.
    UnknownUrl,
    /// Nothing of such a request is signed: the scheme covers bodies, and this is a GET.
    NotSigned,
    /// The hash of the body is not the signed one.
    WrongBodyHash,
    /// The token is not the secret.
    WrongToken,
    /// The signature is not of this request with this secret. The doctor looks for the reason.
    WrongSignature,
    /// Found by the doctor: the request is another provider's.
    OtherProvider,
    /// Found by the doctor: the secret is right when it is decoded in another way.
    SecretEncoding,
    /// Found by the doctor: the signature is right but in another encoding.
    SignatureEncoding,
    /// Found by the doctor: the signature is right for another algorithm.
    OtherAlgorithm,
    /// Found by the doctor: the body was changed after it was signed.
    BodyChanged,
    /// Found by the doctor: the signature is for another URL.
    WrongUrl,
    /// Left when the doctor found no other reason: the secret is another one.
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

    /// The word for it, in the API and in the store.
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

/// Why a request is not believed, with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {detail}")]
pub struct Refusal {
    /// The reason.
    pub cause: Cause,
    /// Which place, which item, which unit. Never a secret, a signature or the body.
    pub detail: String,
    /// For a stale timestamp, how many seconds it is after now; negative for one that is before.
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
