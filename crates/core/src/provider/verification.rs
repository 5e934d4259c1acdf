//! A source's setting for the proof of deliveries.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::spec::{Algorithm, Scheme, TOLERANCE_SECONDS_MAX};
use super::verifier::Verifier;
use super::{Preset, preset};
use crate::secret::Secret;

/// The most secrets of a source: two during a replacement, and some for senders with several.
pub const SECRETS_MAX: usize = 10;
/// The longest secret or public key, in bytes: an RSA key of 8192 bits as PEM has 1.4 kB.
pub const SECRET_BYTES_MAX: usize = 4096;
/// The most settings; no preset needs more than one.
const SETTINGS_MAX: usize = 10;
/// The longest setting, in bytes.
const SETTING_BYTES_MAX: usize = 500;

/// How the deliveries of a source are proved: by a preset or by a scheme of the owner's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Verification {
    /// The preset's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The owner's own scheme, where no preset fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Another header for the signature or token than the preset's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Another tolerance of the timestamp, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
    /// The settings required by the preset.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The secrets or public keys, the newest first; any may have signed. Secrets are kept apart, sealed.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// The secret of handshakes, for presets with such a handshake. Kept apart, sealed.
    #[serde(skip)]
    pub handshake_secret: Option<Secret>,
}

/// The sealed part of a [`Verification`].
#[derive(Serialize, Deserialize)]
struct Sealed<'v> {
    secrets: Cow<'v, [Secret]>,
    handshake_secret: Cow<'v, Option<Secret>>,
}

/// The wrong member and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {message}")]
pub struct Fault {
    /// The member of [`Verification`].
    pub member: &'static str,
    /// The problem and the fix.
    pub message: String,
}

fn fault(member: &'static str, message: impl Into<String>) -> Fault {
    Fault { member, message: message.into() }
}

impl Verification {
    /// The secrets as a single text, to be sealed; `None` without secrets.
    pub fn secrets_text(&self) -> Result<Option<Secret>, serde_json::Error> {
        if self.secrets.is_empty() && self.handshake_secret.is_none() {
            return Ok(None);
        }
        let secrets = Cow::Borrowed(self.secrets.as_slice());
        let handshake_secret = Cow::Borrowed(&self.handshake_secret);
        serde_json::to_string(&Sealed { secrets, handshake_secret }).map(Secret::new).map(Some)
    }

    /// Puts back the secrets from [`Verification::secrets_text`].
    pub fn put_secrets(&mut self, text: &Secret) -> Result<(), serde_json::Error> {
        let Sealed { secrets, handshake_secret } = serde_json::from_str(text.expose())?;
        self.secrets = secrets.into_owned();
        self.handshake_secret = handshake_secret.into_owned();
        Ok(())
    }

    /// The named preset.
    pub fn preset(&self) -> Option<&'static Preset> {
        preset(self.provider.as_deref()?)
    }

    /// A verifier; `None` without a scheme. [`Verification::check`] refuses such a setting.
    pub fn verifier(&self) -> Option<Verifier<'_>> {
        let preset = self.preset();
        let mut scheme = match (&self.scheme, preset) {
            (Some(own), _) => Cow::Borrowed(own),
            (None, Some(preset)) => Cow::Borrowed(&preset.scheme),
            (None, None) => return None,
        };
        let header = self.header.as_ref().and_then(|name| name.parse::<HeaderName>().ok());
        if let Some(header) = header {
            let from = &mut scheme.to_mut().signature.from;
            *from = from.iter().map(|place| place.renamed(&header)).collect();
        }
        if let Some(seconds) = self.tolerance_seconds
            && let Some(stamp) = &mut scheme.to_mut().timestamp
        {
            stamp.tolerance_seconds = seconds;
        }
        let secrets = self.secrets.as_slice();
        let handshake_secret = self.handshake_secret.as_ref();
        Some(Verifier { scheme, preset, secrets, handshake_secret, settings: &self.settings })
    }

    /// Checks whether the setting can prove deliveries.
    pub fn check(&self) -> Result<(), Fault> {
        let verifier = match (&self.provider, &self.scheme) {
            (Some(_), Some(_)) | (None, None) => {
                return Err(fault("provider", "name a provider or give a scheme, one of the two"));
            }
            _ => self.verifier().ok_or_else(|| {
                fault("provider", "no such provider; GET /v1/providers lists them")
            })?,
        };
        // The scheme already contains the overrides. So overrides are checked first, and an error names the
        // override.
        self.check_overrides(&verifier)?;
        if let Some(message) = verifier.scheme.fault() {
            return Err(fault("scheme", message));
        }
        self.check_settings(&verifier)?;
        self.check_secrets(&verifier)
    }

    fn check_overrides(&self, verifier: &Verifier<'_>) -> Result<(), Fault> {
        if let Some(name) = &self.header {
            if name.parse::<HeaderName>().is_err() {
                return Err(fault("header", "must be the name of a header"));
            }
            let renamed = self.preset().is_some_and(|preset| preset.has_header());
            if !renamed {
                return Err(fault("header", "only a preset that reads a header can read another"));
            }
        }
        let Some(seconds) = self.tolerance_seconds else { return Ok(()) };
        if verifier.scheme.timestamp.is_none() {
            return Err(fault("tolerance_seconds", "the scheme has no timestamp"));
        }
        if !(1..=TOLERANCE_SECONDS_MAX).contains(&seconds) {
            let message = format!("must be from 1 to {TOLERANCE_SECONDS_MAX}");
            return Err(fault("tolerance_seconds", message));
        }
        Ok(())
    }

    fn check_settings(&self, verifier: &Verifier<'_>) -> Result<(), Fault> {
        let long = |(name, value): (&String, &String)| name.len() + value.len() > SETTING_BYTES_MAX;
        if self.settings.len() > SETTINGS_MAX || self.settings.iter().any(long) {
            let message =
                format!("at most {SETTINGS_MAX} settings of {SETTING_BYTES_MAX} bytes can be kept");
            return Err(fault("settings", message));
        }
        let template = verifier.scheme.signed.as_ref();
        let mut needed = template.into_iter().flat_map(|template| template.settings());
        match needed.find(|name| !self.settings.contains_key(*name)) {
            Some(name) => Err(fault("settings", format!("the setting `{name}` is needed"))),
            None => Ok(()),
        }
    }

    fn check_secrets(&self, verifier: &Verifier<'_>) -> Result<(), Fault> {
        let learns = self.preset().is_some_and(Preset::learns);
        if self.secrets.is_empty() && !learns {
            return Err(fault("secrets", "at least one secret or public key is needed"));
        }
        if self.secrets.len() > SECRETS_MAX {
            return Err(fault("secrets", format!("at most {SECRETS_MAX} can be kept")));
        }
        let form = verifier.scheme.key;
        for (at, secret) in self.secrets.iter().enumerate() {
            let text = secret.expose();
            if text.len() > SECRET_BYTES_MAX {
                let message = format!("secret {at} is longer than {SECRET_BYTES_MAX} bytes");
                return Err(fault("secrets", message));
            }
            let keys = form.keys(text);
            if keys.is_empty() {
                let message = format!("secret {at} is not {}", form.words());
                return Err(fault("secrets", message));
            }
            let algorithm = verifier.scheme.algorithm;
            if !keys.iter().all(|key| algorithm.takes_key(key)) {
                let message = format!("secret {at} is no key for {}", algorithm.as_str());
                return Err(fault("secrets", message));
            }
            if algorithm == Algorithm::Token {
                check_token(verifier.places(), text)
                    .map_err(|words| fault("secrets", format!("secret {at} {words}")))?;
            }
        }
        let asks = self.preset().is_some_and(Preset::asks_handshake_secret);
        match &self.handshake_secret {
            Some(_) if !asks => {
                Err(fault("handshake_secret", "the provider has no handshake that shows one"))
            }
            Some(secret) if !(1..=SECRET_BYTES_MAX).contains(&secret.expose().len()) => {
                let message = format!("must have from 1 to {SECRET_BYTES_MAX} bytes");
                Err(fault("handshake_secret", message))
            }
            _ => Ok(()),
        }
    }
}

/// Checks whether a token fits into some of the places. The error states the rule.
fn check_token(places: &[Place], token: &str) -> Result<(), &'static str> {
    if token.trim() != token {
        return Err("must have no blanks around it: they are lost on the way");
    }
    let in_headers = places.iter().all(|place| {
        matches!(
            place,
            Place::Header(_) | Place::HeaderOr(..) | Place::HeaderFamily(_) | Place::Bearer
        )
    });
    if in_headers && token.chars().any(char::is_control) {
        return Err("must have no control characters: a header cannot have them");
    }
    if places.iter().all(|place| *place == Place::Basic) && !token.contains(':') {
        return Err("must be the user, a colon and the password");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(provider: &str, secret: &str) -> Verification {
        let secrets = vec![Secret::new(secret)];
        Verification { provider: Some(provider.to_owned()), secrets, ..Verification::default() }
    }

    #[test]
    fn secrets_are_kept_apart() {
        let mut whole = of("meta", "app secret");
        whole.handshake_secret = Some(Secret::new("verify token"));
        let shown = serde_json::to_string(&whole).unwrap();
        assert_eq!(shown, r#"{"provider":"meta"}"#);
        let mut read: Verification = serde_json::from_str(&shown).unwrap();
        read.put_secrets(&whole.secrets_text().unwrap().unwrap()).unwrap();
        assert_eq!(read, whole);
        assert_eq!(Verification::default().secrets_text().unwrap(), None);
        assert!(!format!("{whole:?}").contains("app secret"));
    }

    #[test]
    fn what_cannot_prove_anything_is_refused() {
        let none = Verification::default();
        let both = Verification {
            scheme: Some(preset("github").unwrap().scheme.clone()),
            ..of("github", "s")
        };
        let many =
            Verification { secrets: vec![Secret::new("s"); SECRETS_MAX + 1], ..of("github", "s") };
        let header = |header: &str, it| Verification { header: Some(header.to_owned()), ..it };
        let tolerance = |seconds, it| Verification { tolerance_seconds: Some(seconds), ..it };
        let asks = |it| Verification { handshake_secret: Some(Secret::new("")), ..it };
        for (wrong, member) in [
            (none, "provider"),
            (of("nobody", "s"), "provider"),
            (both, "provider"),
            (Verification { secrets: Vec::new(), ..of("github", "s") }, "secrets"),
            (many, "secrets"),
            (of("github", &"s".repeat(SECRET_BYTES_MAX + 1)), "secrets"),
            (of("adyen", "not hexadecimal"), "secrets"),
            (of("standard-webhooks", "whsec_!"), "secrets"),
            (of("plaid", "{}"), "secrets"),
            (of("plaid", "AAAA"), "secrets"),
            (of("discord", "AAAA"), "secrets"),
            (of("gitlab", " lead"), "secrets"),
            (of("gitlab", "a\nb"), "secrets"),
            (of("bearer-token", "trail\n"), "secrets"),
            (of("postmark", "no colon"), "secrets"),
            (header("a b", of("github", "s")), "header"),
            (header("x-a", of("mailgun", "s")), "header"),
            (tolerance(60, of("github", "s")), "tolerance_seconds"),
            (tolerance(0, of("stripe", "s")), "tolerance_seconds"),
            (tolerance(TOLERANCE_SECONDS_MAX + 1, of("stripe", "s")), "tolerance_seconds"),
            (of("paypal", "AAAA"), "settings"),
            (asks(of("github", "s")), "handshake_secret"),
            (asks(of("meta", "s")), "handshake_secret"),
        ] {
            assert_eq!(wrong.check().unwrap_err().member, member, "{wrong:?}");
        }
    }

    #[test]
    fn a_provider_that_brings_its_secret_needs_none() {
        let asana = Verification { secrets: Vec::new(), ..of("asana", "") };
        assert_eq!(asana.check(), Ok(()));
    }

    #[test]
    fn a_scheme_of_the_owners_own_is_checked_too() {
        let own = |json: &str| Verification {
            scheme: Some(serde_json::from_str(json).unwrap()),
            secrets: vec![Secret::new("s")],
            ..Verification::default()
        };
        let sound =
            own(r#"{"algorithm":"hmac-sha512","signature":{"from":"header:x-s","prefix":"v="},
                "encoding":"base64","signed":"{timestamp}.{body}",
                "timestamp":{"from":"header:x-t","tolerance_seconds":30}}"#);
        assert_eq!(sound.check(), Ok(()));
        let written = serde_json::to_string(&sound).unwrap();
        let read: Verification = serde_json::from_str(&written).unwrap();
        assert_eq!(read.scheme, sound.scheme);
        let blind =
            own(r#"{"algorithm":"hmac-sha1","signature":{"from":"bearer"},"signed":"{method}"}"#);
        assert_eq!(blind.check().unwrap_err().member, "scheme");
    }
}
