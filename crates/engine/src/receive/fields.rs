//! Names with values: queries and forms.

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The fields of a delivery as one JSON object: names in the order of first appearance, a repeated
/// name with the array of the values.
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
    use hookyard_core::form::urlencoded::parse;

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
}
