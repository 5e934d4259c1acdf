//! `application`.

use anyhow::{Context, Result, bail};
use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{ApplicationId, WorkspaceId};
use hookyard_core::model::{
    Application as Registered, ApplicationChange, ApplicationSettings, Scopes,
};
use hookyard_engine::oauth::new_application;
use hookyard_store::{APPLICATIONS_MAX, Actor};
use serde_json::json;

use super::manage::pick;
use super::output;
use crate::config::{Application, ApplicationCommand};
use crate::storage::{self, Managed};

/// Does what is asked for about applications.
pub(crate) async fn run(command: Application) -> Result<()> {
    Actor::command(SystemClock::new().now()).scope(act(command)).await
}

async fn act(command: Application) -> Result<()> {
    let Application { common, workspace, command } = command;
    let store = storage::open_managed(&common).await?;
    let store = store.as_ref();
    let there = store.workspaces().await.context("cannot read the workspaces")?;
    let workspace = pick(workspace, &there)?;
    match command {
        ApplicationCommand::Create { settings, scopes, json } => {
            create(store, workspace, settings, scopes, json).await
        }
        ApplicationCommand::List { json } => list(store, workspace, json).await,
        ApplicationCommand::Disable { id, disabled } => {
            let change = ApplicationChange { disabled: Some(disabled), ..Default::default() };
            let changed = store.update_application(workspace, id, change).await;
            changed.with_context(|| missing(id))?;
            let state = if disabled { "disabled" } else { "enabled" };
            Ok(output::line(&format!("application {id} is {state}"))?)
        }
        ApplicationCommand::Delete(id) => {
            let there = store.delete_application(workspace, id).await;
            if !there.with_context(|| format!("cannot remove application {id}"))? {
                bail!(missing(id));
            }
            Ok(output::line(&format!("application {id} is gone, and so is all it was granted"))?)
        }
    }
}

fn missing(id: ApplicationId) -> String {
    format!("cannot change application {id}: see `hookyard application list` for those there are")
}

async fn create(
    store: &dyn Managed,
    workspace: WorkspaceId,
    settings: ApplicationSettings,
    scopes: Scopes,
    as_json: bool,
) -> Result<()> {
    let new = new_application(&SystemEntropy, scopes, settings)?;
    let made = store.create_application(workspace, new, SystemClock::new().now()).await;
    let made = made.context("cannot keep the application")?;
    if as_json {
        return Ok(output::line(&object(&made))?);
    }
    output::line(&format!(
        "application {} of workspace {workspace}, with {scopes}\n\n  client_id: {}",
        made.id, made.client_id,
    ))?;
    Ok(())
}

async fn list(store: &dyn Managed, workspace: WorkspaceId, as_json: bool) -> Result<()> {
    let all = store.applications(workspace, None, APPLICATIONS_MAX).await;
    for application in all.context("cannot read the applications")? {
        let Registered { id, client_id, scopes, disabled, settings, .. } = &application;
        output::line(&if as_json {
            object(&application)
        } else {
            let state = if *disabled { "disabled" } else { "enabled" };
            format!("{id}\t{client_id}\t{state}\t{scopes}\t{}", settings.name)
        })?;
    }
    Ok(())
}

fn object(application: &Registered) -> String {
    let Registered { id, workspace, client_id, created_at: _, scopes, disabled, settings } =
        application;
    let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    json!({
        "application_id": id,
        "workspace_id": workspace,
        "client_id": client_id,
        "name": settings.name,
        "scopes": scopes,
        "redirect_uris": settings.redirect_uris,
        "require_pkce": settings.require_pkce,
        "device_flow": settings.device_flow,
        "disabled": disabled,
    })
    .to_string()
}
