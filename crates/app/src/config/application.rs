//! `application` as used by the program.

use anyhow::Result;
use hookyard_core::id::{ApplicationId, GrantId, WorkspaceId};
use hookyard_core::model::{ApplicationChange, ApplicationSettings, Scopes};

use super::Common;
use crate::flags::application_args::{
    ApplicationAction, ApplicationArgs, ApplicationCreateArgs, ApplicationListArgs,
    ApplicationUpdateArgs, GrantArgs,
};

/// A command about applications.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) common: Common,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) json: bool,
    pub(crate) command: ApplicationCommand,
}

/// The action on applications.
#[derive(Debug)]
pub(crate) enum ApplicationCommand {
    Create { settings: ApplicationSettings, scopes: Scopes },
    List,
    Change { id: ApplicationId, change: ApplicationChange },
    Delete(ApplicationId),
    Grants(ApplicationId),
    Revoke { id: ApplicationId, grant: GrantId },
}

impl Application {
    pub(super) fn new(action: ApplicationAction) -> Result<Self> {
        match action {
            ApplicationAction::Create(args) => Self::create(*args),
            ApplicationAction::List(ApplicationListArgs { common, workspace, json }) => {
                let workspace = workspace.map(|number| WorkspaceId(number.0));
                let (common, command) = (Common::new(common)?, ApplicationCommand::List);
                Ok(Self { common, workspace, json, command })
            }
            ApplicationAction::Update(args) => {
                let (one, change) = change(*args);
                Self::one(one, |id| ApplicationCommand::Change { id, change })
            }
            ApplicationAction::Enable(args) => Self::disable(args, false),
            ApplicationAction::Disable(args) => Self::disable(args, true),
            ApplicationAction::Delete(args) => Self::one(args, ApplicationCommand::Delete),
            ApplicationAction::Grants(args) => Self::one(args, ApplicationCommand::Grants),
            ApplicationAction::Revoke(GrantArgs { one, grant }) => {
                let grant = GrantId(grant.0);
                Self::one(one, |id| ApplicationCommand::Revoke { id, grant })
            }
        }
    }

    fn disable(args: ApplicationArgs, disabled: bool) -> Result<Self> {
        let change = ApplicationChange { disabled: Some(disabled), ..ApplicationChange::default() };
        Self::one(args, |id| ApplicationCommand::Change { id, change })
    }

    fn one(
        args: ApplicationArgs,
        command: impl FnOnce(ApplicationId) -> ApplicationCommand,
    ) -> Result<Self> {
        let ApplicationArgs { common, workspace, application, json } = args;
        let workspace = workspace.map(|number| WorkspaceId(number.0));
        let command = command(ApplicationId(application.0));
        Ok(Self { common: Common::new(common)?, workspace, json, command })
    }

    fn create(args: ApplicationCreateArgs) -> Result<Self> {
        let ApplicationCreateArgs {
            common,
            workspace,
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uri,
            scope,
            require_pkce,
            device_flow,
            json,
        } = args;
        let settings = ApplicationSettings {
            name,
            developer,
            url,
            logo_url,
            description,
            redirect_uris: redirect_uri,
            require_pkce,
            device_flow,
        };
        let scopes = scope.into_iter().collect();
        let command = ApplicationCommand::Create { settings, scopes };
        let workspace = workspace.map(|number| WorkspaceId(number.0));
        Ok(Self { common: Common::new(common)?, workspace, json, command })
    }
}

/// The change, and the application to change.
fn change(args: ApplicationUpdateArgs) -> (ApplicationArgs, ApplicationChange) {
    let ApplicationUpdateArgs {
        one,
        name,
        developer,
        url,
        logo_url,
        description,
        redirect_uri,
        require_pkce,
        device_flow,
    } = args;
    let optional =
        |text: Option<String>| text.map(|text| Some(text).filter(|text| !text.is_empty()));
    let change = ApplicationChange {
        name,
        developer: optional(developer),
        url: optional(url),
        logo_url: optional(logo_url),
        description: optional(description),
        redirect_uris: Some(redirect_uri).filter(|uris| !uris.is_empty()),
        require_pkce,
        device_flow,
        disabled: None,
    };
    (one, change)
}
