//! From the text of a secret to keys.

use serde::Deserialize;

use super::encoding::Encoding;
use super::spec::KeyForm;
use crate::signature::signer::{PUBLIC_PREFIX, SYMMETRIC_PREFIX};

/// Hexadecimal digits of an ed25519 key.
const ED25519_HEX_DIGITS: usize = 64;

impl KeyForm {
    /// The possible keys of a text; none for an unreadable text.
    pub(super) fn keys(self, text: &str) -> Vec<Vec<u8>> {
        let key = match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Base64 => Encoding::Base64.decode(text),
            Self::Hex => Encoding::Hex.decode(text),
            Self::Whsec => return whsec(text),
            Self::PublicKey => public_key(text),
        };
        key.into_iter().filter(|key| !key.is_empty()).collect()
    }
}

/// Libraries of Standard Webhooks read every secret as base64, with or without the prefix, so a plain secret
/// counts both as written and decoded.
fn whsec(text: &str) -> Vec<Vec<u8>> {
    // Some dashboards show the secret with the scheme's version in front, as in a signature.
    let text = text.trim();
    let text =
        text.strip_prefix("v1,").filter(|it| it.starts_with(SYMMETRIC_PREFIX)).unwrap_or(text);
    let keys = match text.strip_prefix(SYMMETRIC_PREFIX) {
        Some(encoded) => [Encoding::Base64.decode(encoded), None],
        None => [Encoding::Base64.decode(text), Some(text.as_bytes().to_vec())],
    };
    keys.into_iter().flatten().filter(|key| !key.is_empty()).collect()
}

/// An elliptic key as a JSON Web Key.
#[derive(Deserialize)]
struct Jwk {
    crv: String,
    x: String,
    y: Option<String>,
}

/// The bytes of a public key: DER of its `SubjectPublicKeyInfo`, or the raw key.
fn public_key(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.starts_with('{') {
        return jwk(text);
    }
    if text.starts_with("-----BEGIN") {
        return pem(text);
    }
    let text = text.strip_prefix(PUBLIC_PREFIX).unwrap_or(text);
    if text.len() == ED25519_HEX_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Encoding::Hex.decode(text);
    }
    let unspaced: String = text.split_ascii_whitespace().collect();
    Encoding::Base64.decode(&unspaced)
}

fn pem(text: &str) -> Option<Vec<u8>> {
    let inside = text.strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let (encoded, _) = inside.split_once("-----END PUBLIC KEY-----")?;
    let unspaced: String = encoded.split_ascii_whitespace().collect();
    Encoding::Base64.decode(&unspaced)
}

fn jwk(text: &str) -> Option<Vec<u8>> {
    let Jwk { crv, x, y } = serde_json::from_str(text).ok()?;
    let x = Encoding::Base64.decode(&x)?;
    match crv.as_str() {
        "Ed25519" => Some(x),
        "P-256" => {
            let y = Encoding::Base64.decode(&y?)?;
            // 4: the point is not compressed.
            (x.len() == 32 && y.len() == 32).then(|| [&[4][..], &x, &y].concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_by_its_form() {
        assert_eq!(KeyForm::Text.keys("whsec_AAAA"), [b"whsec_AAAA".to_vec()]);
        assert_eq!(KeyForm::Base64.keys("AAAB"), [vec![0, 0, 1]]);
        assert_eq!(KeyForm::Hex.keys("00ff"), [vec![0, 255]]);
        assert_eq!(KeyForm::Whsec.keys("whsec_AAAB"), [vec![0, 0, 1]]);
        assert_eq!(KeyForm::Whsec.keys("v1,whsec_AAAB"), [vec![0, 0, 1]]);
        assert_eq!(KeyForm::Whsec.keys("AAAB"), [vec![0, 0, 1], b"AAAB".to_vec()]);
        assert_eq!(KeyForm::Whsec.keys("not base64!"), [b"not base64!".to_vec()]);
        for (form, text) in [
            (KeyForm::Text, ""),
            (KeyForm::Base64, "!"),
            (KeyForm::Hex, "0"),
            (KeyForm::Whsec, "whsec_!"),
            (KeyForm::Whsec, ""),
            (KeyForm::PublicKey, ""),
            (KeyForm::PublicKey, "{\"crv\":\"P-384\",\"x\":\"AA\"}"),
            (KeyForm::PublicKey, "{\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}"),
            (KeyForm::PublicKey, "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----"),
        ] {
            assert_eq!(form.keys(text), [] as [Vec<u8>; 0], "{text}");
        }
    }

    #[test]
    fn a_public_key_is_read_in_each_of_its_forms() {
        let raw = [7; 32];
        let base64 = Encoding::Base64.encode(&raw);
        for text in [
            Encoding::Hex.encode(&raw),
            base64.clone(),
            format!("whpk_{base64}"),
            format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n"),
            format!(
                "{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{}\"}}",
                base64.trim_end_matches('=')
            ),
        ] {
            assert_eq!(KeyForm::PublicKey.keys(&text), [raw.to_vec()], "{text}");
        }
        let point = format!(r#"{{"crv":"P-256","x":"{base64}","y":"{base64}"}}"#);
        assert_eq!(KeyForm::PublicKey.keys(&point), [[&[4][..], &raw, &raw].concat()]);
    }
}
