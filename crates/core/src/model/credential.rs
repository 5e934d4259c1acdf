use std::fmt;
use std::str::FromStr;

use crate::id::{CredentialId, WorkspaceId};

/// What a credential looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// One secret in `x-ultracart-simple-key`.
    Simple,
    /// A key in `X-API-KEY` and its secret in `X-API-SECRET`.
    Pair,
    /// A token in `Authorization: Bearer`.
    Token,
}

impl CredentialKind {
    /// The word for this kind in the command line and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Pair => "pair",
            Self::Token => "token",
        }
    }
}

impl FromStr for CredentialKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Simple, Self::Pair, Self::Token]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("unknown credential kind `{text}`: use simple, pair or token"))
    }
}

/// One thing that a credential may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Scope {
    /// Read endpoints, subscriptions and attempts.
    WebhookRead,
    /// Change endpoints and subscriptions, and reflow.
    WebhookWrite,
    /// Read the journal.
    EventRead,
    /// Publish.
    EventWrite,
    /// Read sources, datasets and rows.
    DataRead,
    /// Change sources and datasets.
    DataWrite,
    /// Manage the workspace itself.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 7] = [
        Self::WebhookRead,
        Self::WebhookWrite,
        Self::EventRead,
        Self::EventWrite,
        Self::DataRead,
        Self::DataWrite,
        Self::Admin,
    ];

    /// The scope's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebhookRead => "webhook_read",
            Self::WebhookWrite => "webhook_write",
            Self::EventRead => "event_read",
            Self::EventWrite => "event_write",
            Self::DataRead => "data_read",
            Self::DataWrite => "data_write",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| ParseScopeError(text.to_owned()))
    }
}

/// A word that is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown scope `{0}`: use webhook_read, webhook_write, event_read, event_write, data_read, \
     data_write or admin"
)]
pub struct ParseScopeError(pub String);

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether the set has `scope`.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// The members, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | 1 << scope as u8))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    /// The names, separated by blanks as in RFC 6749.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl FromStr for Scopes {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

/// What a caller proved to be. The secret itself is kept nowhere, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its number.
    pub id: CredentialId,
    /// The workspace that it opens.
    pub workspace: WorkspaceId,
    /// How it is presented.
    pub kind: CredentialKind,
    /// What it may do.
    pub scopes: Scopes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_round_trip_as_text() {
        let scopes: Scopes = [Scope::WebhookRead, Scope::Admin].into_iter().collect();
        assert_eq!(scopes.to_string(), "webhook_read admin");
        assert_eq!("admin webhook_read".parse(), Ok(scopes));
        assert_eq!(Scopes::all().iter().count(), Scope::ALL.len());
        assert_eq!("webhook".parse::<Scopes>(), Err(ParseScopeError("webhook".to_owned())));
    }
}
