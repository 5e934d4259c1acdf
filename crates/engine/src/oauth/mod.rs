//! Letting applications in: OAuth2 as a server (docs/spec/ultracart.md#oauth2; RFC 6749, 7009, 7636
//! and 8628).
//!
//! An application has a client id and no secret: no UltraCart SDK can send a secret, so all
//! applications are public clients. Three rules bind a code or token to the receiver: it goes to a
//! registered redirect URI only, is good once, and a second use ends all tokens that came from it.
//! PKCE adds a fourth, for applications with PKCE.

mod applications;
mod authorize;
mod device;
mod token;

pub use applications::{
    DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, REDIRECT_URIS_MAX, URL_CHARS_MAX, change_application,
    new_application,
};
pub use authorize::{Asked, Request, STATE_CHARS_MAX, Stop, Unproven, prove};
pub use device::{DEVICE_SECONDS, Device, POLL_SECONDS};
pub use token::{Exchange, ExchangeError, Tokens};

use hookyard_core::entropy::{self, Entropy};
use hookyard_core::model::Scopes;
use hookyard_store::SecretHash;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// How long tokens are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// An access token.
    pub access: SignedDuration,
    /// A refresh token; `None`: until used or revoked.
    pub refresh: Option<SignedDuration>,
}

impl Default for Lifetimes {
    /// A year: UltraCart's own client for WordPress never refreshes
    /// (docs/spec/ultracart.md#oauth2).
    fn default() -> Self {
        Self { access: SignedDuration::from_hours(365 * 24), refresh: None }
    }
}

/// How long a code can be redeemed: the longest time recommended by RFC 6749.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Digits of a client id, as UltraCart's (docs/spec/ultracart.md#answers).
const CLIENT_ID_DIGITS: usize = 32;

/// Random characters of a code or token: 256 bits.
const SECRET_CHARS: usize = 43;

/// The start of access tokens, the mark of a token for Mammoth's clients
/// (docs/spec/mammoth.md#clients).
const ACCESS_PREFIX: &str = "mm_";

/// The start of refresh tokens, so that people and scanners of leaked secrets recognise a token.
const REFRESH_PREFIX: &str = "hyr_";

fn secret(entropy: &dyn Entropy, prefix: &str) -> String {
    format!("{prefix}{}", entropy::alphanumeric(entropy, SECRET_CHARS))
}

fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// The wanted scopes within the application's registration; the whole registration when no scopes
/// are named. UltraCart's own scopes without a meaning here are passed over, as RFC 6749 (section
/// 3.3) allows when the server names the granted scopes. `None` when nothing is left.
fn narrowed(registered: Scopes, wanted: Option<&str>) -> Option<Scopes> {
    let Some(wanted) = wanted.filter(|wanted| !wanted.trim().is_empty()) else {
        return Some(registered);
    };
    let known = wanted.split([' ', ',']).filter_map(|word| word.parse().ok());
    let granted: Scopes = known.filter(|scope| registered.has(*scope)).collect();
    (granted != Scopes::default()).then_some(granted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_narrowed_and_never_widened() {
        let registered: Scopes = "webhook_read webhook_write".parse().unwrap();
        let narrowed = |wanted| narrowed(registered, wanted).map(|scopes| scopes.to_string());
        assert_eq!(narrowed(None).as_deref(), Some("webhook_read webhook_write"));
        assert_eq!(narrowed(Some(" ")).as_deref(), Some("webhook_read webhook_write"));
        assert_eq!(narrowed(Some("webhook_read admin")).as_deref(), Some("webhook_read"));
        assert_eq!(narrowed(Some("order_read,webhook_write")).as_deref(), Some("webhook_write"));
        assert_eq!(narrowed(Some("order_read")), None);
        assert_eq!(narrowed(Some("admin")), None);
    }
}
