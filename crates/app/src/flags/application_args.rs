//! The command line behind `application`.

use clap::{Args, Subcommand};
use hookyard_core::model::Scope;

use super::common_args::CommonArgs;
use crate::flags::values::Number;

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationAction {
    /// Register an application and print its client id
    ///
    /// This works while a server runs on the same data directory, like all commands below.
    Create(Box<ApplicationCreateArgs>),
    /// List the applications of a workspace
    List(ApplicationListArgs),
    /// Change the settings of an application
    ///
    /// Settings without a flag stay. The scopes and the client id cannot be changed: people consented to
    /// the scopes, so register another application for other scopes. A running server follows at once, and
    /// refuses or accepts tokens within five seconds.
    Update(Box<ApplicationUpdateArgs>),
    /// Let a disabled application's tokens in again
    Enable(ApplicationArgs),
    /// Answer all requests with an application's tokens with 410, for now
    ///
    /// A running server follows within five seconds.
    Disable(ApplicationArgs),
    /// Remove an application with all its grants
    ///
    /// A running server refuses the tokens within five seconds.
    Delete(ApplicationArgs),
    /// List the grants of an application
    Grants(ApplicationArgs),
    /// Take back a person's grant to an application
    ///
    /// The grant's tokens open nothing any more. A running server refuses the tokens within five seconds.
    Revoke(GrantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationCreateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace of the application, and the only workspace that its tokens open
    ///
    /// Optional with a single workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// The application's name for people
    ///
    /// The name is shown at people's decision; at most 100 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_NAME")]
    pub(crate) name: String,

    /// The maker of the application
    ///
    /// The maker is shown at people's decision.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DEVELOPER")]
    pub(crate) developer: Option<String>,

    /// Where people read more about the application
    ///
    /// An https URL.
    #[arg(long, value_name = "URL", env = "HOOKYARD_URL")]
    pub(crate) url: Option<String>,

    /// A picture of the application
    ///
    /// An https URL.
    #[arg(long, value_name = "URL", env = "HOOKYARD_LOGO_URL")]
    pub(crate) logo_url: Option<String>,

    /// The application's purpose
    ///
    /// The purpose is shown at people's decision; at most 500 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DESCRIPTION")]
    pub(crate) description: Option<String>,

    /// A redirect URI, where people are sent with a code; may be repeated
    ///
    /// https, or http to the machine itself, or a private scheme with a dot in its name. A request must
    /// name a redirect URI exactly, to the character. In the environment, a comma list.
    #[arg(long, value_name = "URI", env = "HOOKYARD_REDIRECT_URI", value_delimiter = ',')]
    pub(crate) redirect_uri: Vec<String>,

    /// A scope that the application's tokens may have; may be repeated
    ///
    /// One of webhook_read, webhook_write, event_read, event_write, data_read, data_write and admin; at
    /// least one. The scopes cannot be changed later. In the environment, a comma list.
    #[arg(long, value_name = "SCOPE", env = "HOOKYARD_SCOPE", value_delimiter = ',')]
    pub(crate) scope: Vec<Scope>,

    /// Demand PKCE (S256) of every authorization
    ///
    /// The UltraCart SDKs cannot send PKCE; every other client should.
    #[arg(long, env = "HOOKYARD_REQUIRE_PKCE")]
    pub(crate) require_pkce: bool,

    /// Let devices without a browser ask for authorization
    ///
    /// Whoever knows the client id can then make a code and try to have somebody type it.
    #[arg(long, env = "HOOKYARD_DEVICE_FLOW")]
    pub(crate) device_flow: bool,

    /// Print one JSON object
    ///
    /// The members are application_id, workspace_id, client_id, name, developer, url, logo_url,
    /// description, scopes, redirect_uris, require_pkce, device_flow and disabled.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationUpdateArgs {
    #[command(flatten)]
    pub(crate) one: ApplicationArgs,

    /// The application's name for people
    ///
    /// The name is shown at people's decision; at most 100 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_NAME")]
    pub(crate) name: Option<String>,

    /// The maker of the application
    ///
    /// An empty text removes the maker; the next three flags work alike.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DEVELOPER")]
    pub(crate) developer: Option<String>,

    /// Where people read more about the application
    ///
    /// An https URL.
    #[arg(long, value_name = "URL", env = "HOOKYARD_URL")]
    pub(crate) url: Option<String>,

    /// A picture of the application
    ///
    /// An https URL.
    #[arg(long, value_name = "URL", env = "HOOKYARD_LOGO_URL")]
    pub(crate) logo_url: Option<String>,

    /// The application's purpose
    ///
    /// At most 500 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DESCRIPTION")]
    pub(crate) description: Option<String>,

    /// All redirect URIs, where people are sent with a code; may be repeated
    ///
    /// Other redirect URIs are refused from then on. In the environment, a comma list.
    #[arg(long, value_name = "URI", env = "HOOKYARD_REDIRECT_URI", value_delimiter = ',')]
    pub(crate) redirect_uri: Vec<String>,

    /// Whether PKCE (S256) is demanded of every authorization
    ///
    /// true or false. The UltraCart SDKs cannot send it; every other client should.
    #[arg(long, value_name = "BOOL", env = "HOOKYARD_REQUIRE_PKCE")]
    pub(crate) require_pkce: Option<bool>,

    /// Whether devices without a browser may ask for authorization
    ///
    /// true or false. Whoever knows the client id can then make a code and try to have somebody type it.
    #[arg(long, value_name = "BOOL", env = "HOOKYARD_DEVICE_FLOW")]
    pub(crate) device_flow: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    #[command(flatten)]
    pub(crate) one: ApplicationArgs,

    /// The grant's number
    ///
    /// `application grants` shows the number.
    #[arg(long, value_name = "ID", env = "HOOKYARD_GRANT")]
    pub(crate) grant: Number,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationListArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace of the listed applications
    ///
    /// Optional with a single workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// Print one JSON object for each application, a line each
    ///
    /// The members are the same as of `application create`.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace of the application
    ///
    /// Optional with a single workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// The application's number
    ///
    /// `application list` shows the number.
    #[arg(long, value_name = "ID", env = "HOOKYARD_APPLICATION")]
    pub(crate) application: Number,

    /// Print JSON, one object a line
    ///
    /// An application is printed as by `application create`; a grant has the members of the native API.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

impl ApplicationAction {
    pub(crate) fn common(&self) -> &CommonArgs {
        match self {
            Self::Create(args) => &args.common,
            Self::List(args) => &args.common,
            Self::Update(args) => &args.one.common,
            Self::Enable(args) | Self::Disable(args) | Self::Delete(args) | Self::Grants(args) => {
                &args.common
            }
            Self::Revoke(args) => &args.one.common,
        }
    }
}
