//! The code shown by a device, for its person to type elsewhere (RFC 8628, section 6.1).

use crate::entropy::Entropy;

/// Letters hard to misread, without vowels and so without words.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Letters of a code: 34 bits. Few codes wait at a time, for minutes, and a person must sign in to type a
/// code.
const LETTERS: usize = 8;

/// The largest multiple of 20 in a byte: higher bytes are thrown away for equal chances of all letters.
const FAIR: u8 = 240;

/// A new code in the displayed form: `WDJB-MJHT`.
pub fn new(entropy: &dyn Entropy) -> String {
    let mut letters = String::with_capacity(LETTERS + 1);
    let mut bytes = [0; 16];
    while letters.len() <= LETTERS {
        entropy.fill(&mut bytes);
        for byte in bytes.iter().filter(|byte| **byte < FAIR) {
            match letters.len() {
                length if length > LETTERS => break,
                length if length == LETTERS / 2 => letters.push('-'),
                _ => {}
            }
            letters.push(char::from(ALPHABET[usize::from(byte % 20)]));
        }
    }
    letters
}

/// A code in the form of [`new`], from a typed text: case, blanks and signs do not matter. `None` for
/// impossible codes.
pub fn parse(typed: &str) -> Option<String> {
    let letters: Vec<u8> = typed
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && !byte.is_ascii_punctuation())
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let sound = letters.len() == LETTERS && letters.iter().all(|byte| ALPHABET.contains(byte));
    let (front, back) = letters.split_at_checked(LETTERS / 2).filter(|_| sound)?;
    Some(format!("{}-{}", String::from_utf8_lossy(front), String::from_utf8_lossy(back)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn codes_are_found_again_however_they_are_typed() {
        for _ in 0..200 {
            let code = new(&SystemEntropy);
            assert_eq!(code.len(), LETTERS + 1, "{code}");
            assert_eq!(parse(&code).as_ref(), Some(&code));
            let typed = format!(" {} ", code.replace('-', " ").to_lowercase());
            assert_eq!(parse(&typed), Some(code));
        }
        assert_eq!(parse("wdjbmjht").as_deref(), Some("WDJB-MJHT"));
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for typed in ["", "WDJB", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "ÄÖÜß-ÄÖÜß"] {
            assert_eq!(parse(typed), None, "{typed}");
        }
    }
}
