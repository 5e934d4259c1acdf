//! `credential create`.

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Workspace;
use hookyard_engine::access::Secrets;
use hookyard_store::{CredentialStore, TenantStore};
use serde_json::{Map, Value, json};

use super::output;
use crate::config::CredentialCreate;
use crate::data::DataDir;

/// Makes a credential and prints it.
pub(crate) async fn create(command: CredentialCreate) -> Result<()> {
    let CredentialCreate { common, workspace, kind, scopes, json } = command;
    let data = DataDir::existing(&common.data)?;
    let store = data.open_credentials()?;
    let there = store.workspaces().await.context("cannot read the workspaces")?;
    let workspace = pick(workspace, &there)?;
    let secrets = Secrets::new(kind, &SystemEntropy);
    let id = store
        .create_credential(workspace, secrets.hashed(scopes, SystemClock::new().now()))
        .await
        .context("cannot keep the credential")?;
    if json {
        let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        let mut object = Map::new();
        object.insert("credential_id".to_owned(), json!(id));
        object.insert("workspace_id".to_owned(), json!(workspace));
        object.insert("kind".to_owned(), json!(kind.as_str()));
        object.insert("scopes".to_owned(), json!(names));
        let shown = secrets.named().map(|(name, text)| (name.to_owned(), Value::from(text)));
        object.extend(shown);
        output::line(&Value::Object(object).to_string())?;
    } else {
        output::line(&format!(
            "credential {id} of workspace {workspace}, with {scopes}\nshown this once:\n"
        ))?;
        for (name, text) in secrets.named() {
            output::line(&format!("  {name}: {text}"))?;
        }
    }
    Ok(())
}

/// The workspace that was asked for, or the only one.
pub(super) fn pick(asked: Option<WorkspaceId>, there: &[Workspace]) -> Result<WorkspaceId> {
    let numbers: Vec<_> = there.iter().map(|workspace| workspace.id.to_string()).collect();
    match (asked, there) {
        (_, []) => bail!("there is no workspace yet: run `hookyard init` first"),
        (None, [only]) => Ok(only.id),
        (None, _) => bail!(
            "there are several workspaces: pass --workspace with one of {}",
            numbers.join(", ")
        ),
        (Some(id), there) if there.iter().any(|workspace| workspace.id == id) => Ok(id),
        (Some(id), _) => bail!("there is no workspace {id}: use one of {}", numbers.join(", ")),
    }
}
