//! Names with values: queries and forms.

use std::collections::HashMap;

use percent_encoding::percent_decode;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// The most fields of one delivery. Far above any form, and low enough that the bookkeeping of one
/// delivery stays within a few megabytes.
pub(super) const FIELDS_MAX: usize = 10_000;

/// Why fields cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A name or value is not UTF-8 once decoded.
    NotUtf8,
    /// There are more than [`FIELDS_MAX`].
    TooMany,
}

/// The pairs of a query or an urlencoded form, decoded, in order.
pub(super) fn parse(encoded: &[u8]) -> Result<Vec<(String, String)>, Fault> {
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

/// The fields of a delivery as one JSON object: names in the order in which they first came, a
/// repeated name with the array of its values.
#[derive(Debug)]
pub(super) struct Fields<V> {
    members: Vec<(String, Vec<V>)>,
}

impl<V> Fields<V> {
    /// Groups the pairs by name; `None` when there are none.
    pub(super) fn group(pairs: Vec<(String, V)>) -> Option<Self> {
        let mut members: Vec<(String, Vec<V>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (name, value) in pairs {
            match places.get(&name) {
                Some(place) => members[*place].1.push(value),
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, vec![value]));
                }
            }
        }
        (!members.is_empty()).then_some(Self { members })
    }
}

impl<V: Serialize> Serialize for Fields<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, values) in &self.members {
            match values.as_slice() {
                [value] => map.serialize_entry(name, value)?,
                values => map.serialize_entry(name, values)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(encoded: &str) -> Option<String> {
        let fields = Fields::group(parse(encoded.as_bytes()).unwrap())?;
        Some(serde_json::to_string(&fields).unwrap())
    }

    #[test]
    fn names_keep_their_order_and_repeats_become_arrays() {
        let cell = object("z=1&a=2&z=3&b=x+y&init%5Bt%5D=%C3%A9%26&flag&=n").unwrap();
        assert_eq!(cell, r#"{"z":["1","3"],"a":"2","b":"x y","init[t]":"é&","flag":"","":"n"}"#);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(object(""), None);
        assert_eq!(object("&&"), None);
    }

    #[test]
    fn bad_bytes_and_floods_are_refused() {
        assert_eq!(parse(b"a=%FF"), Err(Fault::NotUtf8));
        assert_eq!(parse(b"\xff=a"), Err(Fault::NotUtf8));
        assert_eq!(parse(b"a=%zz").unwrap(), [("a".to_owned(), "%zz".to_owned())]);
        assert_eq!(parse("a&".repeat(FIELDS_MAX).as_bytes()).unwrap().len(), FIELDS_MAX);
        assert_eq!(parse("a&".repeat(FIELDS_MAX + 1).as_bytes()), Err(Fault::TooMany));
    }
}
