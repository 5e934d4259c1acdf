//! The command line. The text on each flag is its help: `-h` shows the first paragraph, `--help` shows the
//! whole text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::application_args::ApplicationAction;
use super::common_args::CommonArgs;
use super::destination_args::DestinationArgs;
use super::limit_args::LimitArgs;
use super::manage_args::{AuditAction, CredentialAction, ProjectAction, WorkspaceAction};
use super::retention_args::RetentionArgs;
use super::sql_args::{SqlArgs, SqlLimitArgs};
use crate::flags::values::{
    ByteSize, Days, DisableDays, DrainSeconds, LeaseSeconds, Listen, Merchant, Net, Number,
    PublicUrl, TokenSeconds, WebUrl, Zone,
};

/// Send and receive webhooks from one binary
///
/// Without a command, `serve` runs.
///
/// Every flag can also be given in the environment, as HOOKYARD_ and its name in upper case with
/// `_` for `-`, or as a key in hookyard.toml, in lower case with `_` for `-`. Flags win over the
/// environment, and the environment wins over the file.
#[derive(Debug, Parser)]
#[command(name = "hookyard", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Make a data directory with its first workspace and print the credentials
    ///
    /// The credentials open everything in the workspace. They are printed once and cannot be shown again,
    /// because only hashes are kept; `credential create` makes more.
    Init(InitArgs),
    /// Run the server
    ///
    /// On a directory without data, the command does the work of `init` first. SIGTERM or SIGINT drains:
    /// the server accepts nothing new and finishes the requests and deliveries in flight. A second signal,
    /// two seconds after the first or later, or the end of --drain-seconds, aborts; accepted events are
    /// safe either way. SIGHUP changes nothing, unless the log goes to a terminal: then SIGHUP drains, too.
    Serve(Box<ServeArgs>),
    /// Manage credentials
    #[command(subcommand)]
    Credential(CredentialAction),
    /// Manage OAuth2 applications, let in by people
    #[command(subcommand)]
    Application(ApplicationAction),
    /// Manage workspaces, the tenants
    #[command(subcommand)]
    Workspace(WorkspaceAction),
    /// Manage the projects of a workspace
    #[command(subcommand)]
    Project(ProjectAction),
    /// Read the log of changes and their actors
    #[command(subcommand)]
    Audit(AuditAction),
    /// Move a data directory into a PostgreSQL database
    ///
    /// The server must be stopped, and the database empty. The data directory is only read. After an
    /// interruption, the same command goes on from the same place; in the end both sides are compared row
    /// by row. Secrets stay sealed, so the servers need the same encryption key. The data directory is not
    /// used any more afterwards: to go back to the directory's state, remove the file `move` in the
    /// directory.
    Migrate(MigrateArgs),
    /// Check everything in a data directory or a database
    ///
    /// The server of a data directory must be stopped; servers of a PostgreSQL database go on. The check covers
    /// the file's structure, the acknowledged numbers, every secret, the checksum of every event, row and
    /// attempt, the fate of every event, queues and counters. Nothing is changed. Ends with code 0 when all is
    /// whole, 1 when something is damaged or missing, and 2 when the check gives no answer.
    Check(CheckArgs),
    /// Manage the key that encrypts secrets at rest
    #[command(subcommand)]
    Key(KeyAction),
    /// Query datasets with SQL
    ///
    /// With --server, the query goes to a running server, with a simple key in HOOKYARD_KEY or --key-file.
    /// Otherwise the query reads the database, or the data directory, which no server may be using then.
    /// The build must have the feature `analytics`; with --server, the server's build must.
    /// docs/reference/sql.md describes the queries.
    Sql(SqlArgs),
    /// Work on rules, without a server
    #[command(subcommand)]
    Rule(RuleAction),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Seal every secret with a new key
    ///
    /// The server must be stopped. Everything is sealed in one transaction: after an interruption, the data
    /// opens all the same, and the command can be run again. A backup needs the key of its time.
    Rotate(KeyRotateArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum RuleAction {
    /// Say whether a rule matches an event, and if not, why
    ///
    /// Prints `match` and ends with code 0, or prints `no match` with the fields that failed and
    /// ends with code 1. When there is no answer (the rule is not valid, a file cannot be read) it
    /// ends with code 2.
    Test(RuleTestArgs),
}

/// The first workspace.
#[derive(Debug, Args)]
pub(crate) struct FirstArgs {
    /// The first workspace's merchant code, UltraCart's name for the workspace
    ///
    /// Letters A-Z and digits, at most 20. The flag has no effect once a workspace exists.
    #[arg(long, value_name = "CODE", env = "HOOKYARD_MERCHANT", default_value = "DEMO")]
    pub(crate) merchant: Merchant,

    /// The first workspace's number, Mammoth's name for the workspace
    ///
    /// The number stands in the paths of the Mammoth API. The flag has no effect once a workspace exists.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE_ID", default_value = "1")]
    pub(crate) workspace_id: Number,

    /// The number of the first workspace's first project
    ///
    /// The number stands in the paths of the Mammoth API. The flag has no effect once a workspace exists.
    #[arg(long, value_name = "ID", env = "HOOKYARD_PROJECT_ID", default_value = "1")]
    pub(crate) project_id: Number,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) first: FirstArgs,

    /// Print one JSON object
    ///
    /// The members are workspace_id, project_id, merchant_id, simple_key, api_key and api_secret.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) first: FirstArgs,

    /// Serve only data made by `init`
    ///
    /// Without the flag, a directory or database without data is a new installation. With the flag, a place
    /// without data is refused: for production, where a wrong working directory or a lost disk must not
    /// look like a new installation.
    #[arg(long, env = "HOOKYARD_REQUIRE_INIT")]
    pub(crate) require_init: bool,

    /// The address and port to listen on
    ///
    /// An address, or a host name. Of a host's addresses the first free address is taken, IPv4 addresses
    /// first. Port 0 takes a free port, which is printed. The server speaks no TLS: put a proxy in front of
    /// a server that others reach.
    #[arg(long, value_name = "ADDR", env = "HOOKYARD_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: Listen,

    /// Let deliveries go to a range of addresses that is not public; may be repeated
    ///
    /// Deliveries go to public addresses only, so that no owner of an endpoint can reach into the server's
    /// own network. A range named here is excepted, and plain http to the range is allowed. In the
    /// environment, a comma list.
    #[arg(long, value_name = "CIDR", env = "HOOKYARD_ALLOW_NET", value_delimiter = ',')]
    pub(crate) allow_net: Vec<Net>,

    #[command(flatten)]
    pub(crate) destinations: DestinationArgs,

    /// A range of addresses of proxies in front of this server; may be repeated
    ///
    /// For a connection from such a proxy, the caller's address is the last address in X-Forwarded-For that
    /// is not a proxy's. A credential's allowed addresses are compared with the caller's address, and the
    /// audit log names the caller's address. Name only proxies that set the header themselves. In the
    /// environment, a comma list.
    #[arg(long, value_name = "CIDR", env = "HOOKYARD_TRUSTED_PROXY", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<Net>,

    /// The time zone of dates in UltraCart answers
    ///
    /// A name of the IANA database, such as America/New_York.
    #[arg(long, value_name = "ZONE", env = "HOOKYARD_TIME_ZONE", default_value = "UTC")]
    pub(crate) time_zone: Zone,

    /// The largest published event, in bytes
    ///
    /// A number, or a number with KiB or MiB behind it.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_EVENT_BYTES_MAX", default_value = "1MiB")]
    pub(crate) event_bytes_max: ByteSize,

    /// The largest batch of published events, in bytes
    ///
    /// A number, or a number with KiB or MiB behind it.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_BATCH_BYTES_MAX", default_value = "10MiB")]
    pub(crate) batch_bytes_max: ByteSize,

    /// The largest delivery that a source receives, in bytes, after decompression
    ///
    /// A number, optionally with KiB or MiB. GitHub sends up to 25 MiB.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_RECEIVE_BYTES_MAX", default_value = "10MiB")]
    pub(crate) receive_bytes_max: ByteSize,

    /// The public URL of this server, as in https://hooks.example.com
    ///
    /// Scheme, host and, if a proxy adds a path, the path. A device that asks for access by OAuth2 sends
    /// its person to the URL; without this flag, to http and the host of the device's own request. Some
    /// providers sign the called URL, so their deliveries can be verified only with the exact URL.
    #[arg(long, value_name = "URL", env = "HOOKYARD_PUBLIC_URL")]
    pub(crate) public_url: Option<PublicUrl>,

    /// How long OAuth2 access tokens are good for, in seconds
    ///
    /// From 60 to 2147483647. UltraCart's own client for WordPress never refreshes its token, so
    /// the default is a year; applications that refresh can do with an hour.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "HOOKYARD_ACCESS_TOKEN_SECONDS",
        default_value = "31536000"
    )]
    pub(crate) access_token_seconds: TokenSeconds,

    /// How long unused OAuth2 refresh tokens are good for, in days
    ///
    /// A whole number, or `forever`. Each use gives a new token.
    #[arg(
        long,
        value_name = "DAYS",
        env = "HOOKYARD_REFRESH_TOKEN_DAYS",
        default_value = "forever"
    )]
    pub(crate) refresh_token_days: Days,

    /// The user that deliveries to endpoints with authentication `api user` name
    ///
    /// The API user belongs to the workspace that --workspace-id numbers; endpoints of others are
    /// sent without. Needs --api-user-password-file and --api-user-host.
    #[arg(
        long,
        value_name = "NAME",
        env = "HOOKYARD_API_USER_NAME",
        requires = "api_user_password_file"
    )]
    pub(crate) api_user_name: Option<String>,

    /// The file with the password of --api-user-name
    ///
    /// The file's text, without a final line break, is the password. The password has no flag, since anyone
    /// on the machine can read a command line.
    #[arg(
        long,
        value_name = "FILE",
        env = "HOOKYARD_API_USER_PASSWORD_FILE",
        requires = "api_user_name"
    )]
    pub(crate) api_user_password_file: Option<PathBuf>,

    /// Send deliveries for Amazon SQS here instead of to the queues' own hosts
    ///
    /// For a server with the same protocol, such as a test server. Like every target, the host must be
    /// public or in a range of --allow-net.
    #[arg(long, value_name = "URL", env = "HOOKYARD_SQS_ENDPOINT_URL")]
    pub(crate) sqs_endpoint_url: Option<WebUrl>,

    #[command(flatten)]
    pub(crate) sql: SqlLimitArgs,

    /// How many days an endpoint may fail before Hookyard disables the endpoint; 0 for no end
    ///
    /// The endpoint shows the reason, and an event of the type hookyard.endpoint.disabled is published. The
    /// queue stays, and goes out when the endpoint is enabled again.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_DISABLE_AFTER_DAYS", default_value = "5")]
    pub(crate) disable_after_days: DisableDays,

    #[command(flatten)]
    pub(crate) retention: RetentionArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    /// How long a stopping server may take to finish requests and deliveries in flight
    ///
    /// One delivery may take 30 seconds, so the default waits a little longer. Unfinished deliveries follow
    /// after the next start.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_DRAIN_SECONDS", default_value = "35")]
    pub(crate) drain_seconds: DrainSeconds,

    /// How long a server may be silent until others take over its deliveries
    ///
    /// Only where several servers share a PostgreSQL database. A server without a connection to the
    /// database stops delivering after four fifths of this time. A shorter time brings a takeover sooner, a
    /// longer time survives longer pauses of the database.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_LEASE_SECONDS", default_value = "10")]
    pub(crate) lease_seconds: LeaseSeconds,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Print one JSON object
    ///
    /// The members are rows, before (whether an earlier run had done everything) and tables, each with its
    /// table, rows and checksum.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Go on without acknowledged data that is missing in the database
    ///
    /// No other check runs then. New numbers begin after the acknowledged numbers, and the audit log of
    /// each workspace lists the loss.
    #[arg(long, env = "HOOKYARD_ACCEPT_LOSS")]
    pub(crate) accept_loss: bool,

    /// Print one JSON object
    ///
    /// The members are events, attempts, rows, accounts, secrets, loss, findings and more_findings;
    /// with --accept-loss, accepted alone.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// A file for the new key, 64 hexadecimal digits; made if missing
    ///
    /// Without this flag the new key takes the place of the file `key` in the data directory. The flag is
    /// required where the present key is kept elsewhere, and --encryption-key-file must name the new file
    /// from then on.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_NEW_ENCRYPTION_KEY_FILE")]
    pub(crate) new_encryption_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleTestArgs {
    /// The file with the rule, or - for the standard input
    ///
    /// The rule is the text of a subscription's event_ruler.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_RULE")]
    pub(crate) rule: PathBuf,

    /// The file with the event, or - for the standard input
    ///
    /// The event is the published object: the `data` of a publish.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_EVENT")]
    pub(crate) event: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;

    /// Every flag of every command that does something, with the command's path.
    fn flags(command: &Command, path: &str, found: &mut Vec<(String, clap::Arg)>) {
        for sub in command.get_subcommands() {
            flags(sub, &format!("{path} {}", sub.get_name()), found);
        }
        let own = command.get_arguments().filter(|flag| flag.get_long().is_some());
        found.extend(own.map(|flag| (path.to_owned(), flag.clone())));
    }

    fn all() -> Vec<(String, clap::Arg)> {
        let mut found = Vec::new();
        flags(&Cli::command(), "hookyard", &mut found);
        found
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable_and_both_helps() {
        for (path, flag) in all() {
            let long = flag.get_long().unwrap();
            let variable = format!("HOOKYARD_{}", long.to_uppercase().replace('-', "_"));
            let known = flag.get_env().map(|name| name.to_str().unwrap().to_owned());
            assert_eq!(known, Some(variable), "{path} --{long}");
            assert!(flag.get_help().is_some(), "{path} --{long} has no help");
            assert!(flag.get_long_help().is_some(), "{path} --{long} has no long help");
        }
    }

    #[test]
    fn every_flag_is_in_the_documentation_with_its_default() {
        let page = include_str!("../../../../docs/reference/configuration.md");
        for (path, flag) in all() {
            let long = flag.get_long().unwrap();
            let row = page.lines().find(|line| line.starts_with(&format!("| `--{long}` |")));
            let row = row.unwrap_or_else(|| panic!("{path} --{long} is not documented"));
            for default in flag.get_default_values() {
                let default = default.to_str().unwrap();
                let shown = default == "false" || row.contains(&format!("`{default}`"));
                assert!(shown, "the default of --{long} is not {default} in: {row}");
            }
            let variable = flag.get_env().unwrap().to_str().unwrap();
            assert!(row.contains(variable), "{variable} is missing in: {row}");
        }
    }
}
