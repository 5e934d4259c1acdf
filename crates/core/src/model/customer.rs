//! Customers: the owners of endpoints within a workspace.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;

use crate::id::{CustomerId, WorkspaceId};
use crate::readable::{UNREADABLE, is_readable};

/// The longest id of a customer, in bytes: room for a URN or an e-mail address, and short in paths and
/// headers.
pub const CUSTOMER_CODE_BYTES_MAX: usize = 256;

/// The longest name of a customer, in characters. A line of a list shows a name.
pub const CUSTOMER_NAME_CHARS_MAX: usize = 200;

/// The most bytes of a customer's metadata as compact JSON: enough for references to other systems, and
/// little beside an endpoint.
pub const METADATA_BYTES_MAX: usize = 4_096;

/// The attribute value of an event for all customers.
pub const ALL_CUSTOMERS: &str = "*";

/// The owner's id of a customer: 1 to [`CUSTOMER_CODE_BYTES_MAX`] of `A-Z a-z 0-9 . _ : @ -`. Upper and
/// lower case differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerCode(Arc<str>);

impl CustomerCode {
    /// The id that a text is. The error says which ids are possible.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        if !(1..=CUSTOMER_CODE_BYTES_MAX).contains(&text.len()) {
            let bytes = text.len();
            return Err(format!(
                "a customer's id has 1 to {CUSTOMER_CODE_BYTES_MAX} characters, not {bytes}"
            ));
        }
        if !text.bytes().all(plain) {
            let message = "a customer's id has only letters, digits and . _ : @ -";
            return Err(message.to_owned());
        }
        if matches!(text, "." | "..") {
            return Err("a customer's id is not `.` or `..`: paths would lose the id".to_owned());
        }
        Ok(Self(text.into()))
    }

    /// The id as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Texts by name, for programs of the owner. Hookyard keeps and shows the texts, and no more.
pub type Metadata = BTreeMap<String, String>;

/// The owner's choices for a customer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerSettings {
    /// A name for people, at most [`CUSTOMER_NAME_CHARS_MAX`] characters.
    pub name: Option<String>,
    /// Texts for programs, at most [`METADATA_BYTES_MAX`] bytes as compact JSON.
    pub metadata: Metadata,
}

/// A change of a customer as a merge patch (RFC 7396).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerPatch {
    /// The new name; `Some(None)` takes the name away.
    pub name: Option<Option<String>>,
    /// Texts to set, and names to take away.
    pub metadata: BTreeMap<String, Option<String>>,
    /// Whether all present metadata goes first.
    pub clear_metadata: bool,
}

impl CustomerSettings {
    /// The settings after a change.
    #[must_use]
    pub fn patched(mut self, patch: CustomerPatch) -> Self {
        let CustomerPatch { name, metadata, clear_metadata } = patch;
        if let Some(name) = name {
            self.name = name;
        }
        if clear_metadata {
            self.metadata.clear();
        }
        for (key, value) in metadata {
            match value {
                Some(value) => drop(self.metadata.insert(key, value)),
                None => drop(self.metadata.remove(&key)),
            }
        }
        self
    }

    /// Checks the bounds. The error names the member at fault, and says what would be right.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(name) = &self.name {
            let length = name.chars().count();
            if !(1..=CUSTOMER_NAME_CHARS_MAX).contains(&length) {
                let message =
                    format!("must have 1 to {CUSTOMER_NAME_CHARS_MAX} characters, not {length}");
                return Err(("name", message));
            }
            if !is_readable(name) {
                return Err(("name", UNREADABLE.to_owned()));
            }
        }
        let bytes = serde_json::to_string(&self.metadata).map_or(usize::MAX, |text| text.len());
        if bytes > METADATA_BYTES_MAX {
            let message = format!(
                "has {bytes} bytes as compact JSON, at most {METADATA_BYTES_MAX} are accepted"
            );
            return Err(("metadata", message));
        }
        Ok(())
    }
}

/// A customer of a workspace: whoever of the owner's customers has endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The customer's number, for rows.
    pub id: CustomerId,
    /// The owning workspace.
    pub workspace: WorkspaceId,
    /// The owner's id of the customer.
    pub code: CustomerCode,
    /// When the record was made.
    pub created_at: Timestamp,
    /// The owner's choices.
    pub settings: CustomerSettings,
}

/// The customer of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointCustomer {
    /// The customer's number.
    pub id: CustomerId,
    /// The owner's id of the customer.
    pub code: CustomerCode,
}

impl EndpointCustomer {
    /// Whether events for the audience may reach the customer's endpoints.
    pub fn hears(&self, audience: &Audience) -> bool {
        match audience {
            Audience::Owner => false,
            Audience::Customer(code) => *code == self.code,
            Audience::All => true,
        }
    }
}

/// Whose endpoints an event is for, beside the owner's endpoints, which get all events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// The owner's endpoints alone.
    #[default]
    Owner,
    /// One customer.
    Customer(CustomerCode),
    /// All customers.
    All,
}

/// The attribute of interest among an event's attributes.
#[derive(Deserialize)]
struct CustomerAttribute {
    customer: Option<serde_json::Value>,
}

impl Audience {
    /// The audience that the attribute `customer` names. The error says which values are possible.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == ALL_CUSTOMERS {
            return Ok(Self::All);
        }
        let code = CustomerCode::parse(text);
        code.map(Self::Customer).map_err(|fault| format!("{fault}; `*` means all customers"))
    }

    /// The audience by the attributes of a stored event, the text of a JSON object. An event of an earlier
    /// version may have a value that is no customer's id: such an event is the owner's.
    pub fn of_attributes(attributes: &str) -> Self {
        if !attributes.contains("\"customer\"") {
            return Self::Owner;
        }
        let found = serde_json::from_str::<CustomerAttribute>(attributes).ok();
        let text = found.and_then(|found| found.customer);
        let text = text.as_ref().and_then(serde_json::Value::as_str);
        text.and_then(|text| Self::parse(text).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> CustomerCode {
        CustomerCode::parse(text).unwrap()
    }

    #[test]
    fn ids_are_what_owners_have_at_hand() {
        let longest = "x".repeat(CUSTOMER_CODE_BYTES_MAX);
        let uuid = "0190163d-8694-739b-aea5-966c26f8ad90";
        for fine in ["a", "cus_9s6XKz", uuid, "urn:shop:7", "me@shop.example", "...", &longest] {
            assert_eq!(code(fine).as_str(), fine);
        }
        for wrong in ["", "*", "a b", "a/b", "é", "a\n", ".", "..", &format!("{longest}x")] {
            assert!(CustomerCode::parse(wrong).is_err(), "{wrong}");
        }
        assert_ne!(code("A"), code("a"));
    }

    #[test]
    fn an_audience_is_read_from_stored_attributes() {
        for (attributes, audience) in [
            ("", Audience::Owner),
            (r#"{"subject":"\"customer\""}"#, Audience::Owner),
            (r#"{"subject":"x","customer":"acme"}"#, Audience::Customer(code("acme"))),
            (r#"{"customer":"*"}"#, Audience::All),
            (r#"{"customer":7}"#, Audience::Owner),
            (r#"{"customer":"no id"}"#, Audience::Owner),
        ] {
            assert_eq!(Audience::of_attributes(attributes), audience, "{attributes}");
        }
    }

    #[test]
    fn only_a_customers_own_events_and_those_for_all_are_heard() {
        let acme = EndpointCustomer { id: CustomerId(1), code: code("acme") };
        assert!(acme.hears(&Audience::All) && acme.hears(&Audience::Customer(code("acme"))));
        assert!(!acme.hears(&Audience::Owner) && !acme.hears(&Audience::Customer(code("Acme"))));
    }

    #[test]
    fn settings_are_patched_by_member_and_bounded() {
        let metadata = |pairs: &[(&str, &str)]| -> Metadata {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let before =
            CustomerSettings { name: Some("Acme".into()), metadata: metadata(&[("a", "1")]) };
        let change = [("b".to_owned(), Some("2".to_owned())), ("a".to_owned(), None)];
        let patch = CustomerPatch { metadata: change.into(), ..CustomerPatch::default() };
        let after = before.clone().patched(patch);
        assert_eq!((after.name, after.metadata), (before.name.clone(), metadata(&[("b", "2")])));
        let clear =
            CustomerPatch { name: Some(None), clear_metadata: true, ..CustomerPatch::default() };
        assert_eq!(before.patched(clear), CustomerSettings::default());

        let of_bytes = |bytes: usize| CustomerSettings {
            name: None,
            metadata: metadata(&[("k", &"x".repeat(bytes - r#"{"k":""}"#.len()))]),
        };
        assert!(of_bytes(METADATA_BYTES_MAX).check().is_ok());
        assert_eq!(of_bytes(METADATA_BYTES_MAX + 1).check().unwrap_err().0, "metadata");
        for name in [String::new(), "x".repeat(CUSTOMER_NAME_CHARS_MAX + 1), "a\u{0}".into()] {
            let settings = CustomerSettings { name: Some(name), ..CustomerSettings::default() };
            assert_eq!(settings.check().unwrap_err().0, "name");
        }
    }
}
