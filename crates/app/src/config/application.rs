//! `application`, as it is used.

use anyhow::Result;
use hookyard_core::id::{ApplicationId, WorkspaceId};
use hookyard_core::model::{ApplicationSettings, Scopes};

use super::Common;
use crate::cli::application_args::{ApplicationAction, ApplicationArgs, ApplicationCreateArgs};

/// A command about applications.
#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) common: Common,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) command: ApplicationCommand,
}

/// What to do about them.
#[derive(Debug)]
pub(crate) enum ApplicationCommand {
    Create { settings: ApplicationSettings, scopes: Scopes, json: bool },
    List { json: bool },
    Disable { id: ApplicationId, disabled: bool },
    Delete(ApplicationId),
}

impl Application {
    pub(super) fn new(action: ApplicationAction) -> Result<Self> {
        let (common, workspace, command) = match action {
            ApplicationAction::Create(args) => return Self::create(*args),
            ApplicationAction::List(args) => {
                (args.common, args.workspace, ApplicationCommand::List { json: args.json })
            }
            ApplicationAction::Enable(args) => {
                Self::one(args, |id| ApplicationCommand::Disable { id, disabled: false })
            }
            ApplicationAction::Disable(args) => {
                Self::one(args, |id| ApplicationCommand::Disable { id, disabled: true })
            }
            ApplicationAction::Delete(args) => Self::one(args, ApplicationCommand::Delete),
        };
        let workspace = workspace.map(|number| WorkspaceId(number.0));
        Ok(Self { common: Common::new(common)?, workspace, command })
    }

    fn one(
        args: ApplicationArgs,
        command: impl FnOnce(ApplicationId) -> ApplicationCommand,
    ) -> (crate::cli::args::CommonArgs, Option<super::values::Number>, ApplicationCommand) {
        let ApplicationArgs { common, workspace, application } = args;
        (common, workspace, command(ApplicationId(application.0)))
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
        let command = ApplicationCommand::Create { settings, scopes, json };
        let workspace = workspace.map(|number| WorkspaceId(number.0));
        Ok(Self { common: Common::new(common)?, workspace, command })
    }
}
