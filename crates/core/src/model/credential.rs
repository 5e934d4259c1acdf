use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::id::{ApplicationId, CredentialId, ProjectId, WorkspaceId};

/// The form of a credential on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// A single secret in `x-ultracart-simple-key`.
    Simple,
    /// A key in `X-API-KEY` and a secret in `X-API-SECRET`.
    Pair,
    /// A token in `Authorization: Bearer`.
    Token,
}

impl CredentialKind {
    /// The kind's word in the command line and in the store.
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

/// A right of a credential.
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

/// An unknown scope.
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

    /// The scopes with a meaning inside a single project: all other scopes are the workspace's.
    pub fn of_a_project() -> Self {
        [Scope::DataRead, Scope::DataWrite].into_iter().collect()
    }

    /// The scopes in both sets.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
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

/// A caller's proved identity. The secret itself is kept nowhere, only a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The credential's number.
    pub id: CredentialId,
    /// The workspace open to the credential.
    pub workspace: WorkspaceId,
    /// How a caller presents the credential.
    pub kind: CredentialKind,
    /// The credential's rights.
    pub scopes: Scopes,
    /// The name for people; may be empty.
    pub name: String,
    /// When the credential was made; `None` for credentials older than the field.
    pub created_at: Option<Timestamp>,
    /// When the credential expires.
    pub expires_at: Option<Timestamp>,
    /// The addresses allowed to use the credential; all addresses when the list is empty.
    pub allowed_ips: Vec<IpNet>,
    /// When the credential was last used, give or take some minutes.
    pub last_used_at: Option<Timestamp>,
    /// When the credential was revoked: a revoked credential opens nothing any more.
    pub revoked_at: Option<Timestamp>,
    /// Whether the credential or its application is disabled for now.
    pub disabled: bool,
    /// The application behind the credential, if any.
    pub application: Option<ApplicationId>,
    /// The only project open to the credential; `None` for the whole workspace.
    pub project: Option<ProjectId>,
}

impl Credential {
    /// Whether the credential was revoked, or has expired.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some() || self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether the credential opens a project of the workspace.
    pub fn opens(&self, project: ProjectId) -> bool {
        self.project.is_none_or(|own| own == project)
    }

    /// Whether a caller at the given address may use the credential; an unknown address is in no range.
    pub fn may_come_from(&self, address: Option<IpAddr>) -> bool {
        // An IPv4 address arrives at a socket of both kinds in IPv6 form; ranges are compared with the IPv4
        // form.
        let address = address.map(|address| address.to_canonical());
        let within = |net: &IpNet| address.is_some_and(|address| net.contains(&address));
        self.allowed_ips.is_empty() || self.allowed_ips.iter().any(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential() -> Credential {
        Credential {
            id: CredentialId(1),
            workspace: WorkspaceId(1),
            kind: CredentialKind::Simple,
            scopes: Scopes::all(),
            name: String::new(),
            created_at: None,
            expires_at: None,
            allowed_ips: Vec::new(),
            last_used_at: None,
            revoked_at: None,
            disabled: false,
            application: None,
            project: None,
        }
    }

    #[test]
    fn one_for_a_project_opens_that_alone() {
        let limited = Credential { project: Some(ProjectId(2)), ..credential() };
        assert!(limited.opens(ProjectId(2)) && !limited.opens(ProjectId(1)));
        assert!(credential().opens(ProjectId(1)));
        let scopes: Scopes = "webhook_read data_read admin".parse().unwrap();
        assert_eq!(scopes.within(Scopes::of_a_project()).to_string(), "data_read");
    }

    #[test]
    fn a_credential_ends_at_its_moment_or_when_it_is_revoked() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let expiring = Credential { expires_at: Some(at(10)), ..credential() };
        assert_eq!([9, 10, 11].map(|now| expiring.has_ended(at(now))), [false, true, true]);
        let revoked = Credential { revoked_at: Some(at(10)), ..credential() };
        assert!(revoked.has_ended(at(9)) && !credential().has_ended(at(10)));
    }

    #[test]
    fn addresses_are_judged_whichever_way_they_are_written() {
        let address = |text: &str| Some(text.parse().unwrap());
        assert!(credential().may_come_from(None) && credential().may_come_from(address("::1")));
        let nets = ["10.1.0.0/16", "2001:db8::/32"].map(|net| net.parse().unwrap());
        let bound = Credential { allowed_ips: nets.to_vec(), ..credential() };
        for (text, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(bound.may_come_from(address(text)), allowed, "{text}");
        }
        assert!(!bound.may_come_from(None));
    }

    #[test]
    fn scopes_round_trip_as_text() {
        let scopes: Scopes = [Scope::WebhookRead, Scope::Admin].into_iter().collect();
        assert_eq!(scopes.to_string(), "webhook_read admin");
        assert_eq!("admin webhook_read".parse(), Ok(scopes));
        assert_eq!(Scopes::all().iter().count(), Scope::ALL.len());
        assert_eq!("webhook".parse::<Scopes>(), Err(ParseScopeError("webhook".to_owned())));
    }
}
