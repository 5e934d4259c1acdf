//! What a source's owner says about how its deliveries are proved.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::spec::{Scheme, TOLERANCE_SECONDS_MAX};
use super::verifier::Verifier;
use super::{Preset, preset};
use crate::model::Secret;

/// The most secrets of one source: two while one is replaced, and some for senders with several.
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
    /// Settings that the preset asks for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The secrets or public keys, the newest first; any of them may have signed. They are kept
    /// apart, sealed.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// What a handshake must show, where the preset has such a one. Kept apart, sealed.
    #[serde(skip)]
    pub handshake_secret: Option<Secret>,
}

/// Which member is wrong and why.
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
    /// The preset that it names.
    pub fn preset(&self) -> Option<&'static Preset> {
        preset(self.provider.as_deref()?)
    }

    /// A verifier; `None` when there is no scheme, which [`Verification::check`] refuses.
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

    /// Checks that deliveries can be proved with it.
    pub fn check(&self) -> Result<(), Fault> {
        let verifier = match (&self.provider, &self.scheme) {
            (Some(_), Some(_)) | (None, None) => {
                return Err(fault("provider", "name a provider or give a scheme, one of the two"));
            }
            _ => self.verifier().ok_or_else(|| {
                fault("provider", "no such provider; GET /v1/providers lists them")
            })?,
        };
        if let Some(message) = verifier.scheme.fault() {
            return Err(fault("scheme", message));
        }
        self.check_overrides(&verifier)?;
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
            if form.keys(text).is_empty() {
                let message = format!("secret {at} is not {}", form.words());
                return Err(fault("secrets", message));
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
