//! The first workspace and its credentials.

use std::fmt::Write;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use hookyard_core::catalogue;
use hookyard_core::entropy::Entropy;
use hookyard_core::model::{CredentialKind, Project, Scopes, Workspace};
use hookyard_engine::access::Secrets;
use hookyard_store::{NewCredential, NewWorkspace, Store};
use jiff::Timestamp;
use serde_json::json;

use crate::config::FirstWorkspace;

/// The first workspace, with the only view of its credentials.
pub(crate) struct Made {
    workspace: FirstWorkspace,
    simple_key: String,
    api_key: String,
    api_secret: String,
}

/// Whether there is a workspace.
pub(crate) async fn exists(store: &dyn Store) -> Result<bool> {
    Ok(!store.workspaces().await.context("cannot read the workspaces")?.is_empty())
}

/// Makes the first workspace with a project, the event catalogue, a simple key and a key pair.
pub(crate) async fn make(
    store: &dyn Store,
    first: FirstWorkspace,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<Made> {
    let simple = Secrets::new(CredentialKind::Simple, entropy);
    let pair = Secrets::new(CredentialKind::Pair, entropy);
    let new = NewWorkspace {
        workspace: Workspace {
            id: first.id,
            merchant: first.merchant.clone(),
            name: first.merchant.clone(),
        },
        project: Project { id: first.project, name: "Default".to_owned() },
        catalogue: catalogue::initial().clone(),
        credentials: [&simple, &pair].map(|secrets| first_credential(secrets, now)).to_vec(),
    };
    store.create_workspace(new).await.context("cannot make the first workspace")?;
    let Secrets { key: simple_key, .. } = simple;
    let Secrets { key: api_key, secret, .. } = pair;
    Ok(Made { workspace: first, simple_key, api_key, api_secret: secret.unwrap_or_default() })
}

fn first_credential(secrets: &Secrets, now: Timestamp) -> NewCredential {
    NewCredential { name: "first".to_owned(), ..secrets.hashed(Scopes::all(), now) }
}

impl Made {
    /// One line of JSON.
    pub(crate) fn as_json(&self) -> String {
        json!({
            "workspace_id": self.workspace.id,
            "project_id": self.workspace.project,
            "merchant_id": self.workspace.merchant,
            "simple_key": self.simple_key,
            "api_key": self.api_key,
            "api_secret": self.api_secret,
        })
        .to_string()
    }

    /// Lines for people, to be pasted into a shell.
    pub(crate) fn as_exports(&self, listening: Option<SocketAddr>) -> String {
        let mut text = format!(
            "made workspace {} (merchant {}) with project {}; its credentials, shown this once:\n\n",
            self.workspace.id, self.workspace.merchant, self.workspace.project,
        );
        if let Some(address) = listening {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "export HY_URL=http://{address}");
        }
        let _ = writeln!(text, "export HY_SIMPLE_KEY={}", self.simple_key);
        let _ = writeln!(text, "export HY_API_KEY={}", self.api_key);
        let _ = writeln!(text, "export HY_API_SECRET={}", self.api_secret);
        text
    }
}
