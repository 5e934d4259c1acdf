//! `credential`.

use anyhow::{Context, Result};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{CredentialId, WorkspaceId};
use hookyard_core::model::{Credential, Scopes};
use hookyard_engine::access::{self, CredentialSpec, Secrets};
use hookyard_store::{CredentialChange, CredentialQuery};
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::Desk;
use crate::cli::output;

/// Credentials read at a time.
const PAGE: usize = 200;

impl Desk {
    /// Makes and prints a credential.
    pub(super) async fn create_credential(
        &self,
        workspace: Option<WorkspaceId>,
        spec: CredentialSpec,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let scopes = spec.scopes;
        let (id, secrets) =
            access::create(self.store.as_ref(), &SystemEntropy, self.now, workspace, spec).await?;
        self.show(id, workspace, scopes, &secrets)
    }

    /// Makes and prints a successor.
    pub(super) async fn rotate_credential(
        &self,
        workspace: Option<WorkspaceId>,
        id: CredentialId,
        overlap: SignedDuration,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let rotated =
            access::rotate(self.store.as_ref(), &SystemEntropy, self.now, workspace, id, overlap)
                .await;
        let (credential, secrets) = rotated.with_context(|| format!("credential {id}"))?;
        self.show(credential.id, workspace, credential.scopes, &secrets)
    }

    /// Disables or enables a credential.
    pub(super) async fn disable_credential(
        &self,
        workspace: Option<WorkspaceId>,
        id: CredentialId,
        disabled: bool,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let change = CredentialChange { disabled: Some(disabled), ..CredentialChange::default() };
        let changed = self.store.change_credential(workspace, id, change).await;
        let changed = changed.with_context(|| format!("credential {id}"))?;
        let state = if disabled { "disabled" } else { "enabled" };
        match self.json {
            true => output::line(&about(&changed).to_string())?,
            false => output::line(&format!("credential {id} is {state}"))?,
        }
        Ok(())
    }

    /// Ends a credential.
    pub(super) async fn revoke_credential(
        &self,
        workspace: Option<WorkspaceId>,
        id: CredentialId,
    ) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let revoked = self.store.revoke_credential(workspace, id, self.now).await;
        let revoked = revoked.with_context(|| format!("credential {id}"))?;
        match self.json {
            true => output::line(&about(&revoked).to_string())?,
            false => output::line(&format!("credential {id} is revoked"))?,
        }
        Ok(())
    }

    /// Prints the credentials outside applications.
    pub(super) async fn list_credentials(&self, workspace: Option<WorkspaceId>) -> Result<()> {
        let workspace = self.workspace(workspace).await?;
        let mut query = CredentialQuery { after: None, application: None, limit: PAGE };
        loop {
            let page = self.store.credentials(workspace, query).await;
            let page = page.context("cannot read the credentials")?;
            for credential in &page {
                let line =
                    if self.json { about(credential).to_string() } else { self.line(credential) };
                output::line(&line)?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => query.after = Some(last.id),
                _ => return Ok(()),
            }
        }
    }

    fn show(
        &self,
        id: CredentialId,
        workspace: WorkspaceId,
        scopes: Scopes,
        secrets: &Secrets,
    ) -> Result<()> {
        if self.json {
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            let mut object = Map::new();
            object.insert("credential_id".to_owned(), json!(id));
            object.insert("workspace_id".to_owned(), json!(workspace));
            object.insert("kind".to_owned(), json!(secrets.kind().as_str()));
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

    /// A credential for people.
    fn line(&self, credential: &Credential) -> String {
        let Credential { id, kind, name, scopes, .. } = credential;
        let mut text = format!("{id}\t{}\t{name}\t{scopes}", kind.as_str());
        if let Some(at) = credential.revoked_at {
            text.push_str(&format!("\trevoked {at}"));
        } else if let Some(at) = credential.expires_at {
            let word = if credential.has_ended(self.now) { "expired" } else { "expires" };
            text.push_str(&format!("\t{word} {at}"));
        }
        if let Some(project) = credential.project {
            text.push_str(&format!("\tproject {project}"));
        }
        if credential.disabled {
            text.push_str("\tdisabled");
        }
        text
    }
}

/// A credential for programs.
fn about(credential: &Credential) -> Value {
    let ips: Vec<_> = credential.allowed_ips.iter().map(ToString::to_string).collect();
    json!({
        "id": credential.id,
        "kind": credential.kind.as_str(),
        "name": credential.name,
        "scopes": credential.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(),
        "created_at": credential.created_at,
        "expires_at": credential.expires_at,
        "allowed_ips": ips,
        "last_used_at": credential.last_used_at,
        "revoked_at": credential.revoked_at,
        "disabled": credential.disabled,
        "project": credential.project,
    })
}
