//! `application`.

use anyhow::{Context, Result, anyhow, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{ApplicationId, GrantId, WorkspaceId};
use hookyard_core::model::{
    Application as Registered, ApplicationChange, ApplicationSettings, Grant, Scopes,
};
use hookyard_engine::Error;
use hookyard_engine::oauth::{change_application, new_application};
use hookyard_store::{APPLICATIONS_MAX, Actor, GRANTS_MAX};
use serde_json::{Value, json};

use super::manage::pick;
use super::output;
use crate::config::{Application, ApplicationCommand};
use crate::storage::{self, Managed};

/// Runs a command about applications.
pub(crate) async fn run(command: Application) -> Result<()> {
    Actor::command(SystemClock::new().now()).scope(act(command)).await
}

async fn act(command: Application) -> Result<()> {
    let Application { common, workspace, json, command } = command;
    let store = storage::open_managed(&common).await?;
    let there = store.workspaces().await.context("cannot read the workspaces")?;
    let workspace = pick(workspace, &there)?;
    let desk = Desk { store: store.as_ref(), workspace, json };
    match command {
        ApplicationCommand::Create { settings, scopes } => desk.create(settings, scopes).await,
        ApplicationCommand::List => desk.list().await,
        ApplicationCommand::Change { id, change } => desk.change(id, change).await,
        ApplicationCommand::Delete(id) => desk.delete(id).await,
        ApplicationCommand::Grants(id) => desk.grants(id).await,
        ApplicationCommand::Revoke { id, grant } => desk.revoke(id, grant).await,
    }
}

fn missing(id: ApplicationId) -> String {
    format!("cannot change application {id}: see `hookyard application list` for those there are")
}

/// The means of a command.
struct Desk<'a> {
    store: &'a dyn Managed,
    workspace: WorkspaceId,
    json: bool,
}

impl Desk<'_> {
    async fn create(&self, settings: ApplicationSettings, scopes: Scopes) -> Result<()> {
        let workspace = self.workspace;
        let new = new_application(&SystemEntropy, scopes, settings)?;
        let made = self.store.create_application(workspace, new, SystemClock::new().now()).await;
        let made = made.context("cannot keep the application")?;
        self.say(&object(&made), || {
            format!(
                "application {} of workspace {workspace}, with {scopes}\n\n  client_id: {}",
                made.id, made.client_id,
            )
        })
    }

    async fn list(&self) -> Result<()> {
        let all = self.store.applications(self.workspace, None, APPLICATIONS_MAX).await;
        for application in all.context("cannot read the applications")? {
            let Registered { id, client_id, scopes, settings, .. } = &application;
            let (state, name) = (state(&application), &settings.name);
            self.say(&object(&application), || {
                format!("{id}\t{client_id}\t{state}\t{scopes}\t{name}")
            })?;
        }
        Ok(())
    }

    async fn change(&self, id: ApplicationId, change: ApplicationChange) -> Result<()> {
        if change == ApplicationChange::default() {
            bail!("there is nothing to change: see `hookyard application update --help`");
        }
        let changed = change_application(self.store, self.workspace, id, change).await;
        let changed = changed.map_err(|error| match error {
            Error::NotFound(_) => anyhow!(missing(id)),
            error => anyhow!(error).context(format!("cannot change application {id}")),
        })?;
        self.say(&object(&changed), || {
            format!("application {id} is {}: {}", state(&changed), changed.settings.name)
        })
    }

    async fn delete(&self, id: ApplicationId) -> Result<()> {
        let there = self.store.delete_application(self.workspace, id).await;
        if !there.with_context(|| format!("cannot remove application {id}"))? {
            bail!(missing(id));
        }
        self.say(&json!({ "application_id": id }), || {
            format!("application {id} is gone, and so is all it was granted")
        })
    }

    /// Prints the grants of an application, numbers ascending.
    async fn grants(&self, id: ApplicationId) -> Result<()> {
        let all = self.store.grants(self.workspace, id, None, GRANTS_MAX).await;
        for grant in all.with_context(|| missing(id))? {
            let Grant { id, via, scopes, approved_by, created_at, refreshed_at, .. } = &grant;
            let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
            let object = json!({
                "id": id,
                "via": via.as_str(),
                "scopes": names,
                "approved_by": approved_by,
                "created_at": created_at,
                "refreshed_at": refreshed_at,
            });
            self.say(&object, || {
                let via = via.as_str();
                format!("{id}\t{via}\t{scopes}\tby {approved_by}\t{created_at}\t{refreshed_at}")
            })?;
        }
        Ok(())
    }

    async fn revoke(&self, id: ApplicationId, grant: GrantId) -> Result<()> {
        let there = self.store.revoke_grant(self.workspace, id, grant).await;
        if !there.with_context(|| missing(id))? {
            bail!("application {id} has no grant {grant}: see `hookyard application grants`");
        }
        self.say(&json!({ "application_id": id, "grant_id": grant }), || {
            format!("grant {grant} of application {id} is revoked")
        })
    }

    /// Prints a line, for programs or for people.
    fn say(&self, object: &Value, text: impl FnOnce() -> String) -> Result<()> {
        Ok(output::line(&if self.json { object.to_string() } else { text() })?)
    }
}

fn state(application: &Registered) -> &'static str {
    if application.disabled { "disabled" } else { "enabled" }
}

/// An application for programs.
fn object(application: &Registered) -> Value {
    let Registered { id, workspace, client_id, created_at: _, scopes, disabled, settings } =
        application;
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    json!({
        "application_id": id,
        "workspace_id": workspace,
        "client_id": client_id,
        "name": settings.name,
        "developer": settings.developer,
        "url": settings.url,
        "logo_url": settings.logo_url,
        "description": settings.description,
        "scopes": scopes,
        "redirect_uris": settings.redirect_uris,
        "require_pkce": settings.require_pkce,
        "device_flow": settings.device_flow,
        "disabled": disabled,
    })
}
