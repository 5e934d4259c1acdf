//! Where in an event's object the key is that its order is kept by.
//!
//! A key is only ever compared with others, so it is kept as a number. Two keys that fall on one
//! number are kept in one order, which costs time and never order.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::json::{Scanner, exact, without_repeats};

/// The longest path, in characters: as long as that of an expansion may be.
pub const ORDER_KEY_CHARS_MAX: usize = 200;

/// A dotted path into an event's object, such as `customer.id`: the names of members, from the
/// outside in. Arrays are not looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderKey(String);

/// A text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a dotted path of 1 to {ORDER_KEY_CHARS_MAX} ASCII letters, digits, `_` and `-`, such \
     as `customer.id`"
)]
pub struct ParseOrderKeyError;

/// What events are kept in order by. Those whose object has no key share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// That of events without a key.
    pub const NONE: Self = Self(0);
}

impl OrderKey {
    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of an object: the text, number or truth value at the path. A text and a
    /// number that are written alike are the same key, and numbers are compared as they are written.
    /// Null, an object, an array and nothing at all are no key. Of members that are there twice the
    /// last counts.
    pub fn key_of(&self, object: &[u8]) -> Key {
        self.find(&without_repeats(object)).unwrap_or(Key::NONE)
    }

    fn find(&self, object: &[u8]) -> Option<Key> {
        let mut scanner = Scanner::new(object);
        for name in self.0.split('.') {
            enter(&mut scanner, name)?;
        }
        match scanner.peek()? {
            b'{' | b'[' => None,
            b'"' => Some(key_of_text(&exact(scanner.string().ok()?))),
            _ => {
                let start = scanner.at();
                scanner.skip_value().ok()?;
                let text = &object[start..scanner.at()];
                (text != b"null").then(|| key_of_text(text))
            }
        }
    }
}

/// Goes on to the value of a member.
fn enter(scanner: &mut Scanner<'_>, name: &str) -> Option<()> {
    if !scanner.take(b'{') || scanner.peek()? == b'}' {
        return None;
    }
    loop {
        if *scanner.key().ok()? == *name.as_bytes() {
            return Some(());
        }
        scanner.skip_value().ok()?;
        if !scanner.take(b',') {
            return None;
        }
    }
}

fn key_of_text(key: &[u8]) -> Key {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Key(hasher.finish())
}

impl FromStr for OrderKey {
    type Err = ParseOrderKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let named = text.split('.').all(|part| !part.is_empty());
        let fits = named && text.chars().all(usual) && text.len() <= ORDER_KEY_CHARS_MAX;
        fits.then(|| Self(text.to_owned())).ok_or(ParseOrderKeyError)
    }
}

impl TryFrom<String> for OrderKey {
    type Error = ParseOrderKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<OrderKey> for String {
    fn from(key: OrderKey) -> Self {
        key.0
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn key_at(path: &str, object: &str) -> Key {
        path.parse::<OrderKey>().unwrap().key_of(object.as_bytes())
    }

    #[test]
    fn paths_are_dotted_names() {
        for good in ["a", "customer.id", "a-b.c_d.0", &"x".repeat(200)] {
            assert_eq!(good.parse::<OrderKey>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a[0]", "$.a", "é", &"x".repeat(201)] {
            assert_eq!(bad.parse::<OrderKey>(), Err(ParseOrderKeyError), "{bad}");
        }
    }

    #[test]
    fn the_same_value_is_the_same_key() {
        let first = key_at("customer.id", r#"{"n":[{"customer":1}],"customer":{"id":"A1"}}"#);
        for same in [
            r#"{"customer": {"x": {"id": 7}, "id" : "A1"}}"#,
            r#"{"cust\u006fmer":{"\u0069d":"\u00411"}}"#,
            r#"{"customer":{"id":"A2","id":"A1"}}"#,
            r#"{"customer":{"id":"A2"},"\ud800":1,"customer":{"id":"A1"}}"#,
        ] {
            assert_eq!(key_at("customer.id", same), first, "{same}");
        }
        for other in [r#"{"customer":{"id":"A2"}}"#, r#"{"customer":{"id":"a1"}}"#] {
            assert_ne!(key_at("customer.id", other), first, "{other}");
        }
        assert_eq!(key_at("n", r#"{"n":7}"#), key_at("n", r#"{"n":"7"}"#));
        assert_ne!(key_at("n", r#"{"n":true}"#), key_at("n", r#"{"n":false}"#));
    }

    #[test]
    fn events_without_a_key_share_one() {
        for without in [
            "{}",
            r#"{"a":null}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":[1]}"#,
            r#"{"b":1}"#,
            r#"{"x":{"a":1}}"#,
            "[]",
            "",
        ] {
            assert_eq!(key_at("a", without), Key::NONE, "{without}");
        }
        assert_eq!(key_at("a.b", r#"{"a":"b"}"#), Key::NONE);
        assert_ne!(key_at("a", r#"{"a":""}"#), Key::NONE);
    }

    proptest! {
        #[test]
        fn the_value_at_the_path_decides(key in ".{0,9}", other in ".{0,9}", n: i64) {
            let object = |key: Value| json!({"z": {"k": 1}, "a": {"k": key}}).to_string();
            let (one, two) = (object(json!(key)), object(json!(other)));
            prop_assert_eq!(key_at("a.k", &one) == key_at("a.k", &two), key == other);
            let number = key_at("a.k", &object(json!(n)));
            prop_assert_eq!(number, key_at("a.k", &object(json!(n.to_string()))));
        }

        #[test]
        fn junk_is_survived(
            junk in prop::collection::vec(prop::sample::select(&br#"{}[]",:\ ak1"#[..]), 0..40)
        ) {
            let _ = "a.k".parse::<OrderKey>().unwrap().key_of(&junk);
        }
    }
}
