//! From a body to the engine's request.

use hookyard_core::id::ProjectId;
use hookyard_core::model::{CredentialKind, Scope, Scopes};
use hookyard_engine::access::{CredentialSpec, parse_net};
use hookyard_store::CredentialChange;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::shape::Kind;
use crate::native::input::{self, Field};
use crate::native::scope::ScopeName;
use crate::problem::{Code, Problem};

/// A new credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCredential {
    /// How the credential is to be presented; `simple` unless said.
    #[schema(nullable = false)]
    kind: Option<Kind>,
    /// The name shown to people.
    #[serde(default)]
    #[schema(max_length = 100)]
    name: String,
    /// The credential's scopes.
    #[schema(min_items = 1, max_items = 7)]
    scopes: Vec<ScopeName>,
    /// When the credential expires; never unless said.
    #[serde(default, deserialize_with = "input::moment")]
    expires_at: Option<Timestamp>,
    /// The addresses or ranges of addresses allowed to use the credential; any unless said.
    #[serde(default)]
    #[schema(max_items = 100)]
    allowed_ips: Vec<String>,
    /// The number of the only project that the credential opens; the whole workspace unless said. A
    /// credential of a project has the scopes `data_read` and `data_write` at most, and cannot be changed
    /// to another project.
    #[schema(nullable = true, minimum = 1, maximum = 2147483647)]
    project: Option<i32>,
}

/// A change of a credential: an absent field stays, null restores the default.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialPatch {
    /// The name shown to people.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 100)]
    name: Field<String>,
    /// The credential's scopes.
    #[serde(default)]
    #[schema(value_type = Vec<ScopeName>, min_items = 1, max_items = 7, required = false)]
    scopes: Field<Vec<ScopeName>>,
    /// When the credential expires; null for never.
    #[serde(default, deserialize_with = "input::moment_field")]
    #[schema(value_type = Option<Timestamp>)]
    expires_at: Field<Timestamp>,
    /// The addresses or ranges of addresses allowed to use the credential; null for any.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 100)]
    allowed_ips: Field<Vec<String>>,
    /// Whether the credential is disabled for now.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    disabled: Field<bool>,
}

impl NewCredential {
    /// The specification of the new credential for the engine.
    pub(super) fn spec(self) -> Result<CredentialSpec, Problem> {
        Ok(CredentialSpec {
            kind: self.kind.map_or(CredentialKind::Simple, Into::into),
            scopes: scopes(self.scopes),
            name: self.name,
            expires_at: self.expires_at,
            allowed_ips: nets(&self.allowed_ips)?,
            project: self.project.map(ProjectId),
        })
    }
}

impl CredentialPatch {
    /// The change for the engine.
    pub(super) fn change(self) -> Result<CredentialChange, Problem> {
        let allowed_ips = self.allowed_ips.or_default(Vec::new());
        Ok(CredentialChange {
            name: self.name.or_default(String::new()),
            scopes: self.scopes.required("scopes")?.map(scopes),
            expires_at: match self.expires_at {
                Field::Absent => None,
                Field::Null => Some(None),
                Field::Value(at) => Some(Some(at)),
            },
            allowed_ips: allowed_ips.map(|texts| nets(&texts)).transpose()?,
            disabled: self.disabled.or_default(false),
        })
    }
}

fn scopes(names: Vec<ScopeName>) -> Scopes {
    names.into_iter().map(Scope::from).collect()
}

fn nets(texts: &[String]) -> Result<Vec<IpNet>, Problem> {
    let read = |(index, text): (usize, &String)| {
        parse_net(text).ok_or_else(|| {
            let detail = "must be an address or a range such as 192.0.2.0/24 or 2001:db8::/32";
            Problem::of_field(Code::InvalidValue, &format!("allowed_ips[{index}]"), detail)
        })
    };
    texts.iter().enumerate().map(read).collect()
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let new = json!({
        "kind": "token",
        "name": "the till",
        "scopes": ["event_write"],
        "allowed_ips": ["192.0.2.0/24"],
    });
    vec![
        ("NewCredential", new),
        ("CredentialPatch", json!({"name": "the old till", "disabled": true})),
    ]
}
