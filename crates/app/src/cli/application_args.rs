//! What can be written behind `application`.

use clap::{Args, Subcommand};
use hookyard_core::model::Scope;

use super::args::CommonArgs;
use crate::config::values::Number;

#[derive(Debug, Subcommand)]
pub(crate) enum ApplicationAction {
    /// Register an application and print its client id
    ///
    /// This works while a server runs on the same data directory, like all that is below.
    Create(Box<ApplicationCreateArgs>),
    /// List the applications of a workspace
    List(ApplicationListArgs),
    /// Change what is said of an application
    ///
    /// What is not named stays. Its scopes and its client id cannot be changed: people said yes to the
    /// scopes, and register another application for others. A server that runs knows the change at
    /// once, but for its tokens, which it knows within five seconds.
    Update(Box<ApplicationUpdateArgs>),
    /// Let a disabled application's tokens in again
    Enable(ApplicationArgs),
    /// Answer all that an application's tokens ask for with 410, for now
    ///
    /// A server that runs does so within five seconds.
    Disable(ApplicationArgs),
    /// Remove an application with all that it was granted
    ///
    /// A server that runs refuses its tokens within five seconds.
    Delete(ApplicationArgs),
    /// List what people allowed an application
    Grants(ApplicationArgs),
    /// Take back what a person allowed an application
    ///
    /// The tokens that came of it open nothing any more. A server that runs refuses them within five
    /// seconds.
    Revoke(GrantArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationCreateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace that the application is registered in, the only one that its tokens open
    ///
    /// It can be left out when there is only one.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// What people know the application by
    ///
    /// They decide by it; at most 100 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_NAME")]
    pub(crate) name: String,

    /// Who makes the application
    ///
    /// People see it when they decide.
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

    /// What the application does
    ///
    /// People see it when they decide; at most 500 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DESCRIPTION")]
    pub(crate) description: Option<String>,

    /// Where people may be sent back to with a code; may be repeated
    ///
    /// https, or http to the machine itself, or a private scheme with a dot in it. A request must
    /// name one of them to the character. In the environment it is a comma list.
    #[arg(long, value_name = "URI", env = "HOOKYARD_REDIRECT_URI", value_delimiter = ',')]
    pub(crate) redirect_uri: Vec<String>,

    /// The most that the application's tokens may do; may be repeated
    ///
    /// One of webhook_read, webhook_write, event_read, event_write, data_read, data_write and
    /// admin; at least one. It cannot be changed later. In the environment it is a comma list.
    #[arg(long, value_name = "SCOPE", env = "HOOKYARD_SCOPE", value_delimiter = ',')]
    pub(crate) scope: Vec<Scope>,

    /// Demand PKCE (S256) of every authorization
    ///
    /// The UltraCart SDKs cannot send it; every other client should.
    #[arg(long, env = "HOOKYARD_REQUIRE_PKCE")]
    pub(crate) require_pkce: bool,

    /// Let devices without a browser ask for authorization
    ///
    /// Whoever knows the client id can then make a code and try to have somebody type it.
    #[arg(long, env = "HOOKYARD_DEVICE_FLOW")]
    pub(crate) device_flow: bool,

    /// Print one JSON object
    ///
    /// Its members are application_id, workspace_id, client_id, name, developer, url, logo_url,
    /// description, scopes, redirect_uris, require_pkce, device_flow and disabled.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationUpdateArgs {
    #[command(flatten)]
    pub(crate) one: ApplicationArgs,

    /// What people know the application by
    ///
    /// They decide by it; at most 100 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_NAME")]
    pub(crate) name: Option<String>,

    /// Who makes the application
    ///
    /// An empty text takes it away, as it does for the next three.
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

    /// What the application does
    ///
    /// At most 500 characters.
    #[arg(long, value_name = "TEXT", env = "HOOKYARD_DESCRIPTION")]
    pub(crate) description: Option<String>,

    /// Where people may be sent back to with a code, all of them; may be repeated
    ///
    /// Those that are not named may not be used any more. In the environment it is a comma list.
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
    /// `application grants` shows it.
    #[arg(long, value_name = "ID", env = "HOOKYARD_GRANT")]
    pub(crate) grant: Number,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationListArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace whose applications are listed
    ///
    /// It can be left out when there is only one.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// Print one JSON object for each application, a line each
    ///
    /// Its members are those that `application create` prints.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplicationArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The workspace of the application
    ///
    /// It can be left out when there is only one.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// The application's number
    ///
    /// `application list` shows it.
    #[arg(long, value_name = "ID", env = "HOOKYARD_APPLICATION")]
    pub(crate) application: Number,

    /// Print JSON, one object a line
    ///
    /// An application is printed as `application create` does; a grant with the members that the
    /// native API has.
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
