//! The choice of shown members.

use serde_json::{Map, Value};

/// The members to show; `None` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields(Option<Vec<String>>);

impl Fields {
    /// Reads `fields`: a set (`__standard`, `__full`, `__min`) or names. The id is always shown.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self(None) };
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        if names.iter().any(|name| matches!(*name, "__standard" | "__full")) {
            return Self(None);
        }
        let least: &[&str] = if names.contains(&"__min") { &["name", "status"] } else { &[] };
        let kept = names.iter().chain(least).chain(&["id"]).map(|name| (*name).to_owned());
        Self(Some(kept.collect()))
    }

    /// Leaves only the chosen members.
    pub(super) fn keep(&self, mut members: Map<String, Value>) -> Value {
        if let Self(Some(kept)) = self {
            members.retain(|name, _| kept.contains(name));
        }
        Value::Object(members)
    }
}
