use std::net::IpAddr;

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, DatasetId, EndpointId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Credential, Endpoint, Grant, NewSource, Outgoing, Secret, Source};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::{ActorKind, Page, StoreError};

/// A change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entry's number; a later entry has a higher number.
    pub id: u64,
    /// The moment when the changing request or command began.
    pub at: Timestamp,
    /// The workspace of the change.
    pub workspace: WorkspaceId,
    /// The kind of actor that made the change.
    pub actor: ActorKind,
    /// The credential of the request.
    pub credential: Option<CredentialId>,
    /// The credential's name; empty when the credential had none.
    pub credential_name: String,
    /// The address of the request's caller.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The action, such as `endpoint.update`.
    pub action: String,
    /// The number or name of the changed thing.
    pub subject: String,
    /// Further detail, as a JSON object. Never a secret.
    pub detail: String,
}

/// The entries to read; all conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// With a higher number.
    pub after: Option<u64>,
    /// With a lower number.
    pub before: Option<u64>,
    /// Made at or after the moment.
    pub from: Option<Timestamp>,
    /// Made before the moment.
    pub until: Option<Timestamp>,
    /// Made with the credential.
    pub credential: Option<CredentialId>,
    /// The action or, with a dot at the end, all actions with the prefix.
    pub action: Option<String>,
    /// Done to the thing with the number or name.
    pub subject: Option<String>,
    /// From the highest number down.
    pub newest_first: bool,
    /// The most to return.
    pub limit: usize,
}

/// A disclosure, such as of a secret, to note for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The secret that signs an endpoint's deliveries.
    EndpointSecret(EndpointId),
    /// The passwords of the endpoints of a list.
    EndpointPasswords,
    /// The secret that proves deliveries to a source.
    SourceSecret(SourceId),
    /// The secrets of the sources of a list.
    SourceSecrets,
    /// A whole dataset.
    DatasetExport(DatasetId),
    /// Pages of a dataset's rows.
    DatasetRows(DatasetId),
    /// The result of a query on the datasets of the workspace, or of one project.
    Query(Option<ProjectId>),
    /// Pages of the journal.
    Events,
    /// The whole audit log.
    AuditExport,
}

impl Seen {
    /// The action's name in the audit log.
    pub fn action(self) -> &'static str {
        match self {
            Self::EndpointSecret(_) => "endpoint.read_secret",
            Self::EndpointPasswords => "endpoint.list_passwords",
            Self::SourceSecret(_) => "source.read_secret",
            Self::SourceSecrets => "source.list_secrets",
            Self::DatasetExport(_) => "dataset.export",
            Self::DatasetRows(_) => "dataset.read_rows",
            Self::Query(_) => "dataset.query",
            Self::Events => "event.read",
            Self::AuditExport => "audit.export",
        }
    }

    /// The number of the disclosed thing; of a query, the project's number; empty for lists.
    pub(crate) fn subject(self) -> String {
        match self {
            Self::EndpointSecret(id) => id.to_string(),
            Self::SourceSecret(id) => id.to_string(),
            Self::DatasetExport(id) | Self::DatasetRows(id) => id.to_string(),
            Self::Query(project) => project.map(|id| id.to_string()).unwrap_or_default(),
            Self::EndpointPasswords | Self::SourceSecrets | Self::Events | Self::AuditExport => {
                String::new()
            }
        }
    }
}

/// The record of changes and their actors. An entry is written in the transaction of the change whenever an
/// [`Actor`](crate::Actor) is at work. Nothing changes an entry, and only retention deletes entries.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// A workspace's entries, numbers ascending unless asked otherwise.
    async fn audit(
        &self,
        workspace: WorkspaceId,
        query: AuditQuery,
    ) -> Result<Page<AuditEntry>, StoreError>;

    /// Notes that the [`Actor`](crate::Actor) at work saw something.
    async fn note_seen(&self, workspace: WorkspaceId, seen: Seen) -> Result<(), StoreError>;
}

/// The names of the members that differ between two objects, as a detail.
pub(crate) fn changed<T: Serialize>(before: &T, after: &T) -> serde_json::Value {
    let members = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (members(before), members(after));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| before.get(*name) != after.get(*name));
    json!({ "changed": names })
}

/// The names of the differing parts of an endpoint; values can be secrets, so values are left out.
pub(crate) fn endpoint_changes(before: &Endpoint, after: &Endpoint) -> serde_json::Value {
    let about = |endpoint: &Endpoint| {
        let (open, secrets) = endpoint.settings.clone().split();
        json!({ "open": open, "secrets": secrets, "subscriptions": endpoint.subscriptions })
    };
    let revision = after.revision;
    let (before, after) = (about(before), about(after));
    let mut names = Vec::new();
    for part in ["open", "secrets"] {
        let changed = changed(&before[part], &after[part]);
        names.extend(changed["changed"].as_array().cloned().unwrap_or_default());
    }
    if before["subscriptions"] != after["subscriptions"] {
        names.push(json!("subscriptions"));
    }
    json!({ "changed": names, "revision": revision })
}

/// The parts of a credential that people decide, for the audit log.
pub(crate) fn about_credential(credential: &Credential) -> serde_json::Value {
    let Credential { kind, name, scopes, expires_at, allowed_ips, disabled, project, .. } =
        credential;
    json!({
        "kind": kind.as_str(),
        "name": name,
        "scopes": scopes.to_string(),
        "expires_at": expires_at,
        "allowed_ips": allowed_ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        "disabled": disabled,
        "project": project,
    })
}

/// Why a grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantEnd {
    /// Somebody who manages the workspace took the grant back.
    TakenBack,
    /// The application gave the grant back.
    GivenBack,
    /// A code came a second time.
    CodeReused,
    /// A refresh token came a second time.
    RefreshTokenReused,
    /// The grant made room for a newer grant.
    TooMany,
}

impl GrantEnd {
    /// The detail of a grant that ended for this reason.
    pub(crate) fn of(self, grant: &Grant) -> serde_json::Value {
        let reason = match self {
            Self::TakenBack => "taken_back",
            Self::GivenBack => "given_back",
            Self::CodeReused => "code_reused",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::TooMany => "too_many",
        };
        json!({ "application": grant.application, "reason": reason })
    }
}

/// The detail of an issued access token.
pub(crate) fn about_token(grant: &Grant, credential: CredentialId) -> serde_json::Value {
    let Grant { application, via, scopes, approved_by, .. } = grant;
    json!({
        "application": application,
        "credential": credential,
        "via": via.as_str(),
        "scopes": scopes.to_string(),
        "approved_by": approved_by,
    })
}

/// A source's settings, for comparison only: the settings contain secrets.
pub(crate) fn source_settings(source: &Source) -> serde_json::Value {
    let NewSource {
        workspace: _,
        project: _,
        name,
        mode,
        origins,
        secret,
        key,
        folder,
        options,
        previous,
    } = &source.spec;
    let ends = |outgoing: &Option<Outgoing>| outgoing.as_ref().map(|it| it.until);
    json!({
        "name": name,
        "mode": mode.as_str(),
        "origins": origins,
        "secret": secret.as_ref().map(Secret::expose),
        "key": key,
        "folder": folder,
        "options": options,
        "previous_secret": ends(&previous.secret),
        "previous_key": ends(&previous.key),
    })
}

impl crate::page::Weight for AuditEntry {
    fn bytes(&self) -> usize {
        self.subject.len() + self.detail.len()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    /// All sources of this crate.
    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
        let is_text = |path: &PathBuf| {
            path.extension().is_some_and(|kind| ["rs", "sql"].iter().any(|text| kind == *text))
        };
        entries.flat_map(of).filter(is_text).collect()
    }

    /// The trait has no method that changes or removes an entry; nor does any statement, but the one
    /// of each backend by which retention takes the oldest.
    #[test]
    fn entries_are_added_and_only_retention_removes_them() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        for path in sources(&root) {
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let place = path.strip_prefix(&root).unwrap().display().to_string();
            for verb in ["delete from", "insert into", "update", "truncate"] {
                if text.contains(&format!("{verb} audit ")) {
                    found.push((place.clone(), verb));
                }
            }
        }
        found.sort();
        let backend = |name: &str| {
            let place = format!("{name}/audit.rs");
            [(place.clone(), "delete from"), (place, "insert into")]
        };
        assert_eq!(found, [backend("postgres"), backend("sqlite")].concat());
    }
}
