use std::net::IpAddr;

use async_trait::async_trait;
use hookyard_core::id::{CredentialId, DatasetId, EndpointId, ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{Credential, Endpoint, Grant, NewSource, Outgoing, Secret, Source};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::{ActorKind, Page, StoreError};

/// One change that someone made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; a later one has a higher number.
    pub id: u64,
    /// When the request or command began that made it.
    pub at: Timestamp,
    /// The workspace that it was made in.
    pub workspace: WorkspaceId,
    /// What kind of actor made it.
    pub actor: ActorKind,
    /// The credential of the request.
    pub credential: Option<CredentialId>,
    /// The name that the credential had; empty when it had none.
    pub credential_name: String,
    /// The address that the request came from.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What was done, such as `endpoint.update`.
    pub action: String,
    /// The number or name of what it was done to.
    pub subject: String,
    /// What more there is to say, a JSON object. Never a secret.
    pub detail: String,
}

/// Which entries to read; all conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// With a higher number.
    pub after: Option<u64>,
    /// With a lower number.
    pub before: Option<u64>,
    /// Made at or after this moment.
    pub from: Option<Timestamp>,
    /// Made before this moment.
    pub until: Option<Timestamp>,
    /// Made with this credential.
    pub credential: Option<CredentialId>,
    /// This action, or, with a dot at its end, all that begin so.
    pub action: Option<String>,
    /// Done to the thing with this number or name.
    pub subject: Option<String>,
    /// From the highest number down.
    pub newest_first: bool,
    /// The most to return.
    pub limit: usize,
}

/// What somebody saw that others should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// What an endpoint's deliveries are signed with.
    EndpointSecret(EndpointId),
    /// The passwords of the endpoints of a list.
    EndpointPasswords,
    /// What deliveries to a source are proved with.
    SourceSecret(SourceId),
    /// The secrets of the sources of a list.
    SourceSecrets,
    /// A whole dataset.
    DatasetExport(DatasetId),
    /// Pages of a dataset's rows.
    DatasetRows(DatasetId),
    /// What a query finds in the datasets: of the workspace, or of one project.
    Query(Option<ProjectId>),
    /// Pages of the journal.
    Events,
    /// The whole audit log.
    AuditExport,
}

impl Seen {
    /// Its action in the audit log.
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

    /// The number of what was seen, of a query the project's; empty for lists.
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

/// The record of who changed what. An entry is written in the transaction of its change whenever an
/// [`Actor`](crate::Actor) is at work; nothing changes one, and only retention deletes them.
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

/// The names of the members in which two objects differ, as a detail.
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

/// What of an endpoint differs, by name: values can be secrets.
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

/// What people decide of a credential, for the audit log.
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
    /// Somebody who manages the workspace took it back.
    TakenBack,
    /// Its application gave it back.
    GivenBack,
    /// A code came a second time.
    CodeReused,
    /// A refresh token came a second time.
    RefreshTokenReused,
    /// It made room for a newer one.
    TooMany,
}

impl GrantEnd {
    /// What is noted of a grant that ended so.
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

/// What is noted of an access token that was given out.
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

/// A source's settings, to be compared only: there are secrets among them.
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
