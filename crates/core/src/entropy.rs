//! Randomness as a parameter.

use std::fmt::Debug;

/// Where random bytes come from. Production uses [`SystemEntropy`]; tests use a seeded source.
pub trait Entropy: Debug + Send + Sync {
    /// Fills `bytes` with bytes that an outsider cannot predict.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        clippy::panic,
        reason = "the one place that asks the system; without randomness no secret may be made"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the system's random generator failed: {error}");
        }
    }
}

/// Upper bound, in bytes, of one [`hex()`] call: the longest secret made here is 32 bytes.
const HEX_BYTES_MAX: usize = 32;

/// `digits` random lower-case hexadecimal digits, at most 64.
pub fn hex(entropy: &dyn Entropy, digits: usize) -> String {
    let mut bytes = [0; HEX_BYTES_MAX];
    let used = digits.div_ceil(2).min(HEX_BYTES_MAX);
    entropy.fill(&mut bytes[..used]);
    let mut text = hex::encode(&bytes[..used]);
    text.truncate(digits);
    text
}

/// `length` random characters of `[A-Za-z0-9]`, each equally likely (5.95 bits a character).
pub fn alphanumeric(entropy: &dyn Entropy, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of 62 in a byte: higher bytes are thrown away so that no letter is favoured.
    const FAIR: u8 = 248;
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        entropy.fill(&mut bytes);
        for byte in bytes.iter().filter(|byte| **byte < FAIR) {
            if text.len() == length {
                break;
            }
            text.push(char::from(ALPHABET[usize::from(byte % 62)]));
        }
    }
    text
}

/// A random fraction in `0.0..1.0`.
pub fn fraction(entropy: &dyn Entropy) -> f64 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_has_the_asked_length() {
        for digits in [1, 14, 16, 64] {
            let text = hex(&SystemEntropy, digits);
            assert_eq!(text.len(), digits);
            assert!(
                text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
            );
        }
    }

    #[test]
    fn alphanumeric_has_the_asked_length_and_alphabet() {
        let text = alphanumeric(&SystemEntropy, 500);
        assert_eq!(text.len(), 500);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(text, alphanumeric(&SystemEntropy, 500));
    }

    #[test]
    fn fraction_stays_below_one() {
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&fraction(&SystemEntropy)));
        }
    }
}
