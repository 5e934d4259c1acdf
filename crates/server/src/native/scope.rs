//! Scopes in bodies.

use hookyard_core::model::{Scope, Scopes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The right to one kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Scope)]
pub(super) enum ScopeName {
    WebhookRead,
    WebhookWrite,
    EventRead,
    EventWrite,
    DataRead,
    DataWrite,
    Admin,
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::WebhookRead => Self::WebhookRead,
            Scope::WebhookWrite => Self::WebhookWrite,
            Scope::EventRead => Self::EventRead,
            Scope::EventWrite => Self::EventWrite,
            Scope::DataRead => Self::DataRead,
            Scope::DataWrite => Self::DataWrite,
            Scope::Admin => Self::Admin,
        }
    }
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::WebhookRead => Self::WebhookRead,
            ScopeName::WebhookWrite => Self::WebhookWrite,
            ScopeName::EventRead => Self::EventRead,
            ScopeName::EventWrite => Self::EventWrite,
            ScopeName::DataRead => Self::DataRead,
            ScopeName::DataWrite => Self::DataWrite,
            ScopeName::Admin => Self::Admin,
        }
    }
}

/// A set of scopes as a list.
pub(super) fn names(scopes: Scopes) -> Vec<ScopeName> {
    scopes.iter().map(ScopeName::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_scopes() {
        for scope in Scope::ALL {
            let name = ScopeName::from(scope);
            assert_eq!(serde_json::to_value(name).unwrap(), scope.as_str());
            assert_eq!(Scope::from(name), scope);
        }
    }
}
