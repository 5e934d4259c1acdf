//! Why a request was refused, found by trying usual mistakes.
//!
//! A signature cannot be right for a changed secret, body or URL by chance, so a change with a right
//! signature is the reason. Only a single thing is changed at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::cause::{Cause, Refusal};
use super::encoding::Encoding;
use super::place::Place;
use super::request::{Request, Sight};
use super::spec::{Algorithm, KeyForm, Scheme};
use super::verification::Verification;
use super::verifier::{Attempt, Judged, Verifier};
use super::{Preset, preset, presets};
use crate::secret::Secret;
use crate::signature::signer::SYMMETRIC_PREFIX;

mod bodies;
mod urls;

/// The most bytes hashed for a kind of change: six of the largest usual bodies, and well under a second of
/// work.
const WORK_BYTES_MAX: usize = 64 << 20;

/// The most foreign providers named.
const NAMED_MAX: usize = 5;

/// The presets of the schemes for sources without a verification setting.
const DEFAULTS: [&str; 6] =
    ["github", "generic-hmac", "shopify", "stripe", "slack", "standard-webhooks"];

/// The doctor's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Why the request is refused; `None` for a proved request.
    pub cause: Option<Cause>,
    /// Whether the reason is proved, and not only the remaining possibility.
    pub certain: bool,
    /// The finding and the remedy.
    pub explanation: String,
    /// The timestamp's seconds after the moment of the request, if too far off.
    pub skew_seconds: Option<i64>,
}

impl Diagnosis {
    fn found(cause: Cause, explanation: impl Into<String>) -> Self {
        let explanation = explanation.into();
        Self { cause: Some(cause), certain: true, explanation, skew_seconds: None }
    }

    fn told(refusal: &Refusal) -> Self {
        let explanation = refusal.detail.clone();
        let skew_seconds = refusal.skew_seconds;
        Self { cause: Some(refusal.cause), certain: true, explanation, skew_seconds }
    }

    fn handshake() -> Self {
        let explanation = "the request is a handshake, which is answered and not stored".to_owned();
        Self { cause: None, certain: true, explanation, skew_seconds: None }
    }

    fn fine() -> Self {
        let explanation = "the request is proved".to_owned();
        Self { cause: None, certain: true, explanation, skew_seconds: None }
    }
}

/// Says why a source's verifier refuses a request. `decoded` is its body without the content coding,
/// where it came compressed; `now` is the moment at which the request came.
pub fn diagnose(
    verifier: &Verifier<'_>,
    request: &Request<'_>,
    decoded: Option<&[u8]>,
    now: Timestamp,
) -> Diagnosis {
    let head = Request { body: b"", ..*request };
    match verifier.handshake_in_head(&head) {
        Some(Ok(_)) => return Diagnosis::handshake(),
        Some(Err(refusal)) => return Diagnosis::told(&refusal),
        None => {}
    }
    match verifier.judge(request, now) {
        Ok(Judged::Delivery) => Diagnosis::fine(),
        Ok(Judged::Handshake(_)) => Diagnosis::handshake(),
        Err(refusal) => explain(verifier, request, decoded, &refusal),
    }
}

/// The same for a source that goes by the headers that it finds: the scheme whose header is there
/// is the one that is looked at.
pub fn diagnose_default(
    secrets: Vec<Secret>,
    request: &Request<'_>,
    decoded: Option<&[u8]>,
    now: Timestamp,
) -> Diagnosis {
    let known = DEFAULTS.into_iter().filter_map(preset).find(|preset| {
        let from = &preset.scheme.signature.from;
        from.iter().any(|place| Sight::whole(request).value(place).is_some())
    });
    let Some(known) = known else {
        return foreign(None, request).unwrap_or_else(|| {
            let words = "no header of a known signature is there, and the secret was not shown";
            Diagnosis::found(Cause::MissingSignature, words)
        });
    };
    let verification =
        Verification { provider: Some(known.name.clone()), secrets, ..Verification::default() };
    match verification.verifier() {
        Some(verifier) => diagnose(&verifier, request, decoded, now),
        None => Diagnosis::found(Cause::NoSecret, "the scheme is not known"),
    }
}

fn explain(
    verifier: &Verifier<'_>,
    request: &Request<'_>,
    decoded: Option<&[u8]>,
    refusal: &Refusal,
) -> Diagnosis {
    let told = Diagnosis::told(refusal);
    match refusal.cause {
        Cause::MissingSignature | Cause::MissingTimestamp | Cause::MissingPart => {
            let unsigned = refusal.cause == Cause::MissingSignature;
            let foreign = unsigned.then(|| foreign(verifier.preset, request)).flatten();
            foreign.unwrap_or(Diagnosis {
                explanation: format!("the request has nothing in {}", refusal.detail),
                ..told
            })
        }
        Cause::StaleTimestamp => {
            Diagnosis { explanation: stale(verifier, request, refusal), ..told }
        }
        Cause::MalformedSignature | Cause::WrongSignature | Cause::WrongBodyHash => {
            Search::new(verifier, request).run(decoded).unwrap_or_else(|| unexplained(told))
        }
        Cause::UnreadableBody => {
            let found = decoded.and_then(|body| Search::new(verifier, request).decoded(body));
            found.unwrap_or(told)
        }
        Cause::WrongToken => token(verifier, request).unwrap_or(Diagnosis {
            cause: Some(Cause::WrongSecret),
            explanation: "the token that was sent is not the source's secret".to_owned(),
            ..told
        }),
        _ => told,
    }
}

/// Words for a stale timestamp, and whether the rest is right.
fn stale(verifier: &Verifier<'_>, request: &Request<'_>, refusal: &Refusal) -> String {
    let rest = if Search::new(verifier, request).is_right() {
        "otherwise the request is right, so it was sent again or late, or a clock is wrong"
    } else {
        "the signature would not be right either"
    };
    format!("the timestamp is stale: {}; {rest}", refusal.detail)
}

fn unexplained(told: Diagnosis) -> Diagnosis {
    if told.cause == Some(Cause::MalformedSignature) {
        return told;
    }
    let explanation = "no usual change of the body, the URL or an encoding explains it: the secret \
                       is another one, or the body was changed in an unusual way";
    Diagnosis {
        cause: Some(Cause::WrongSecret),
        certain: false,
        explanation: explanation.to_owned(),
        ..told
    }
}

/// Other providers whose signature header the request has.
fn foreign(own: Option<&Preset>, request: &Request<'_>) -> Option<Diagnosis> {
    let sight = Sight::whole(request);
    let shows = |preset: &&Preset| {
        let own = own.is_some_and(|own| own.name == preset.name);
        let mut from = preset.scheme.signature.from.iter();
        !own && preset.has_header()
            // Whatever stands in this one, it tells no provider from another.
            && !from.clone().any(|place| *place == Place::Header("authorization".to_owned()))
            && from.any(|place| {
                let entries = sight.values(place);
                entries.iter().any(|value| preset.scheme.signature.entries(value).next().is_some())
            })
    };
    let names: Vec<_> =
        presets().iter().filter(shows).take(NAMED_MAX).map(|preset| preset.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let words = format!("the request has the signature header of: {}", names.join(", "));
        Diagnosis::found(Cause::OtherProvider, words)
    })
}

/// A token that differs by what copying adds.
fn token(verifier: &Verifier<'_>, request: &Request<'_>) -> Option<Diagnosis> {
    let secrets = verifier.secrets.iter().map(|secret| secret.expose());
    let trimmed: Vec<_> = secrets.map(|text| text.trim().as_bytes().to_vec()).collect();
    let search = Search { keys: trimmed, ..Search::new(verifier, request) };
    search.is_right().then(|| {
        let words = "the secret has white space around it that the sender does not send";
        Diagnosis::found(Cause::SecretEncoding, words)
    })
}

/// The search for a change that makes the signature right.
struct Search<'s> {
    scheme: Cow<'s, Scheme>,
    keys: Vec<Vec<u8>>,
    secrets: &'s [Secret],
    settings: &'s BTreeMap<String, String>,
    request: &'s Request<'s>,
}

impl<'s> Search<'s> {
    fn new(verifier: &'s Verifier<'_>, request: &'s Request<'s>) -> Self {
        Self {
            scheme: Cow::Borrowed(&verifier.scheme),
            keys: verifier.keys(),
            secrets: verifier.secrets,
            settings: verifier.settings,
            request,
        }
    }

    fn run(&self, decoded: Option<&[u8]>) -> Option<Diagnosis> {
        self.encodings()
            .or_else(|| self.secret_forms())
            .or_else(|| self.algorithms())
            .or_else(|| self.decoded(decoded?))
            .or_else(|| self.urls())
            .or_else(|| self.bodies())
    }

    fn is_right(&self) -> bool {
        self.proves(&self.scheme, &self.keys, self.request)
    }

    fn proves(&self, scheme: &Scheme, keys: &[Vec<u8>], request: &Request<'_>) -> bool {
        let attempt = Attempt { scheme, keys, settings: self.settings };
        attempt.verify(request, None).is_ok()
    }

    /// The signature in the other encoding, or without the scheme's prefix.
    fn encodings(&self) -> Option<Diagnosis> {
        let own = &self.scheme;
        let other = match own.encoding {
            Encoding::Hex => (Encoding::Base64, "base64", "hexadecimal"),
            Encoding::Base64 => (Encoding::Hex, "hexadecimal", "base64"),
        };
        let mut changed = own.clone().into_owned();
        changed.encoding = other.0;
        if !own.algorithm.is_jwt() && self.proves(&changed, &self.keys, self.request) {
            let words = format!("the signature is right, but in {} and not {}", other.1, other.2);
            return Some(Diagnosis::found(Cause::SignatureEncoding, words));
        }
        let mut bare = own.clone().into_owned();
        bare.signature.prefix_optional = true;
        let prefix = &own.signature.prefix;
        if !prefix.is_empty() && self.proves(&bare, &self.keys, self.request) {
            let words = format!("the signature is right, but `{prefix}` is missing before it");
            return Some(Diagnosis::found(Cause::SignatureEncoding, words));
        }
        None
    }

    /// The secret decoded in another way, or without white space.
    fn secret_forms(&self) -> Option<Diagnosis> {
        if self.scheme.key == KeyForm::PublicKey {
            return None;
        }
        let texts = || self.secrets.iter().map(|secret| secret.expose());
        // First, for the forms below pass over blanks, too.
        let trimmed: Vec<_> = texts().flat_map(|text| self.scheme.key.keys(text.trim())).collect();
        if self.proves(&self.scheme, &trimmed, self.request) {
            let words = "the signature is right without the white space around the secret";
            return Some(Diagnosis::found(Cause::SecretEncoding, words));
        }
        let forms = [
            (KeyForm::Text, "as the text that it is, not decoded"),
            (KeyForm::Base64, "decoded from base64"),
            (KeyForm::Hex, "decoded from hexadecimal"),
            (KeyForm::Whsec, "decoded from base64 after `whsec_`"),
        ];
        for (form, words) in forms.into_iter().filter(|(form, _)| *form != self.scheme.key) {
            // Without the prefix this form is one of the others, and would be called by a wrong name.
            let named = |text: &&str| form != KeyForm::Whsec || text.contains(SYMMETRIC_PREFIX);
            let keys: Vec<_> = texts().filter(named).flat_map(|text| form.keys(text)).collect();
            if self.proves(&self.scheme, &keys, self.request) {
                let words = format!("the signature is right when the secret is taken {words}");
                return Some(Diagnosis::found(Cause::SecretEncoding, words));
            }
        }
        None
    }

    fn algorithms(&self) -> Option<Diagnosis> {
        let macs = [Algorithm::HmacSha256, Algorithm::HmacSha1, Algorithm::HmacSha512];
        let own = self.scheme.algorithm;
        let others = macs.into_iter().filter(|other| own.is_mac() && *other != own);
        others.into_iter().find_map(|other| {
            let mut changed = self.scheme.clone().into_owned();
            changed.algorithm = other;
            self.proves(&changed, &self.keys, self.request).then(|| {
                let words =
                    format!("the signature is right for {}, not {}", other.as_str(), own.as_str());
                Diagnosis::found(Cause::OtherAlgorithm, words)
            })
        })
    }

    fn urls(&self) -> Option<Diagnosis> {
        if !self.scheme.covers_url() {
            return None;
        }
        let each_bytes = self.request.body.len() * self.keys.len().max(1);
        let most = WORK_BYTES_MAX / each_bytes.max(1);
        let candidates = urls::candidates(self.request);
        candidates.into_iter().take(most).find_map(|url| {
            let request = Request { url: Some(&url), ..*self.request };
            self.proves(&self.scheme, &self.keys, &request).then(|| {
                let own = self.request.url.unwrap_or("none");
                let words = format!(
                    "the sender signed {url}, and the server takes its URL for {own}: check the \
                     public URL of the server and the URL at the provider, to the letter"
                );
                Diagnosis::found(Cause::WrongUrl, words)
            })
        })
    }

    /// The body before it was compressed.
    fn decoded(&self, body: &[u8]) -> Option<Diagnosis> {
        let request = Request { body, ..*self.request };
        self.proves(&self.scheme, &self.keys, &request).then(|| {
            let words = "the signature is right for the body before it was compressed; it must be \
                         of the bytes that are sent, so let the sender sign after compressing, or \
                         not compress";
            Diagnosis::found(Cause::BodyChanged, words)
        })
    }

    fn bodies(&self) -> Option<Diagnosis> {
        let mut work_bytes = 0;
        for (body, words) in bodies::candidates(self.request) {
            work_bytes += body.len() * self.keys.len().max(1);
            if work_bytes > WORK_BYTES_MAX {
                return None;
            }
            let request = Request { body: &body, ..*self.request };
            if self.proves(&self.scheme, &self.keys, &request) {
                let words = format!(
                    "the signature is right for the body {words}: something between the sender and \
                     the server rewrites it"
                );
                return Some(Diagnosis::found(Cause::BodyChanged, words));
            }
        }
        None
    }
}
