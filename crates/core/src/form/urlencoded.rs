//! `application/x-www-form-urlencoded`, and queries, which are written alike.

use percent_encoding::percent_decode;

use super::FIELDS_MAX;

/// Why fields cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A name or value is not UTF-8 once decoded.
    NotUtf8,
    /// There are more than [`FIELDS_MAX`].
    TooMany,
}

/// The pairs of a query or an urlencoded form, decoded, in order.
pub fn parse(encoded: &[u8]) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == FIELDS_MAX {
            return Err(Fault::TooMany);
        }
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = equals.map_or((pair, &b""[..]), |at| (&pair[..at], &pair[at + 1..]));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(encoded: &[u8]) -> Result<String, Fault> {
    let spaced: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect()).map_err(|_| Fault::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_bytes_and_floods_are_refused() {
        assert_eq!(parse(b"a=%FF"), Err(Fault::NotUtf8));
        assert_eq!(parse(b"\xff=a"), Err(Fault::NotUtf8));
        assert_eq!(parse(b"a=%zz").unwrap(), [("a".to_owned(), "%zz".to_owned())]);
        assert_eq!(parse("a&".repeat(FIELDS_MAX).as_bytes()).unwrap().len(), FIELDS_MAX);
        assert_eq!(parse("a&".repeat(FIELDS_MAX + 1).as_bytes()), Err(Fault::TooMany));
    }
}
