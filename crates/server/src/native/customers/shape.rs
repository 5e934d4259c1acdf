//! A customer on the wire.

use std::collections::BTreeMap;

use hookyard_core::model::{CustomerPatch, CustomerSettings};
use hookyard_engine::customers::CustomerView;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::native::input::{Field, Object};

/// Whoever of the workspace's own customers has endpoints.
#[derive(Serialize, ToSchema)]
pub(super) struct Customer {
    /// The owner's id of the customer.
    id: String,
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Texts for programs.
    metadata: BTreeMap<String, String>,
    /// When the record was made.
    created_at: Timestamp,
    /// How many endpoints the customer has.
    endpoints: usize,
    /// How many of the endpoints failed since the last success.
    failing_endpoints: usize,
}

impl From<CustomerView> for Customer {
    fn from(CustomerView { customer, endpoints, failing }: CustomerView) -> Self {
        let CustomerSettings { name, metadata } = customer.settings;
        Self {
            id: customer.code.to_string(),
            name,
            metadata,
            created_at: customer.created_at,
            endpoints,
            failing_endpoints: failing,
        }
    }
}

/// The settings of a customer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerSettings)]
pub(super) struct Settings {
    /// A name for people.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Texts for programs, at most 4,096 bytes as compact JSON.
    #[serde(default)]
    #[schema(nullable = false)]
    metadata: BTreeMap<String, String>,
}

impl From<Settings> for CustomerSettings {
    fn from(Settings { name, metadata }: Settings) -> Self {
        Self { name, metadata }
    }
}

/// A change of a customer: absent members stay, null takes a member away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerChange {
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Field<String>,
    /// Texts for programs: each text is set by itself, and null takes a text away. Null in place of all
    /// texts takes all away.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    metadata: Field<Object<BTreeMap<String, Option<String>>>>,
}

impl From<CustomerChange> for CustomerPatch {
    fn from(CustomerChange { name, metadata }: CustomerChange) -> Self {
        let name = match name {
            Field::Absent => None,
            Field::Null => Some(None),
            Field::Value(name) => Some(Some(name)),
        };
        let clear_metadata = matches!(metadata, Field::Null);
        let metadata = metadata.or_none().map(|Object(texts)| texts).unwrap_or_default();
        Self { name, metadata, clear_metadata }
    }
}

/// Examples of the folder's schemas, by name.
pub(in crate::native) fn samples() -> Vec<(&'static str, Value)> {
    vec![
        ("CustomerSettings", json!({"name": "Acme", "metadata": {"plan": "gold"}})),
        ("CustomerChange", json!({"name": "Acme Ltd", "metadata": {"plan": null}})),
    ]
}
