//! What can be written on the command line. The text on each flag is its help: the first paragraph
//! is what `-h` shows, all of it what `--help` shows.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::application_args::ApplicationAction;
use super::destination_args::DestinationArgs;
use super::limit_args::LimitArgs;
use super::manage_args::{AuditAction, CredentialAction, ProjectAction, WorkspaceAction};
use super::retention_args::RetentionArgs;
use super::sql_args::{SqlArgs, SqlLimitArgs};
use crate::config::values::{
    ByteSize, Days, DisableDays, DrainSeconds, LeaseSeconds, Listen, LogFormat, LogLevel, Merchant,
    Net, Number, PublicUrl, TokenSeconds, WebUrl, Zone,
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
    /// The credentials open everything in the workspace. Only their hashes are kept, so they are
    /// printed once and cannot be shown again; `credential create` makes more.
    Init(InitArgs),
    /// Run the server
    ///
    /// On a directory without data, this does what `init` does first. SIGTERM or SIGINT drains:
    /// nothing new is accepted, what is in flight is finished. A second signal, two seconds after the
    /// first or later, or the end of --drain-seconds, aborts; what was accepted is safe either way.
    /// SIGHUP changes nothing, unless the log goes to a terminal: then it drains, too.
    Serve(Box<ServeArgs>),
    /// Manage credentials
    #[command(subcommand)]
    Credential(CredentialAction),
    /// Manage the applications that people let in by OAuth2
    #[command(subcommand)]
    Application(ApplicationAction),
    /// Manage workspaces, the tenants
    #[command(subcommand)]
    Workspace(WorkspaceAction),
    /// Manage the projects of a workspace
    #[command(subcommand)]
    Project(ProjectAction),
    /// Read who changed what
    #[command(subcommand)]
    Audit(AuditAction),
    /// Move a data directory into a PostgreSQL database
    ///
    /// The server must be stopped, and the database empty. The data directory is only read. When
    /// this is interrupted, the same command goes on where it was; in the end both sides are
    /// compared row by row. Secrets stay sealed as they are, so the servers need the same
    /// encryption key. The data directory is not used any more then: remove the file `move` in it
    /// to go back to what it had.
    Migrate(MigrateArgs),
    /// Check everything in a data directory
    ///
    /// The server must be stopped. The check covers the database's structure, acknowledged data, every
    /// secret, the checksum of every event, row and attempt, queues and counters; nothing is changed. Ends
    /// with code 0 when all is whole, 1 when something is damaged or missing, and 2 without an answer.
    Check(CheckArgs),
    /// Manage the key that encrypts secrets at rest
    #[command(subcommand)]
    Key(KeyAction),
    /// Ask datasets with SQL
    ///
    /// Asks a running server when --server names one, with a simple key that HOOKYARD_KEY or --key-file
    /// holds. Otherwise it asks the database itself, or the data directory, which no server may be
    /// working on then. The build must have the feature `analytics`, that of the server if one is
    /// asked. What can be asked is in docs/reference/sql.md.
    Sql(SqlArgs),
    /// Work on rules, without a server
    #[command(subcommand)]
    Rule(RuleAction),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Seal every secret with a new key
    ///
    /// The server must be stopped. Everything is sealed in one transaction: if this is interrupted,
    /// the data opens all the same, and it can be run again. Backups need the key that they were
    /// made with.
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

/// What every command has that works on a data directory.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// The directory that keeps everything
    ///
    /// It holds the database, the key that encrypts secrets in it, and a lock: one server at a time
    /// works on a directory. It is made, for its owner only, when it is not there.
    #[arg(long, value_name = "DIR", env = "HOOKYARD_DATA", default_value = "./hookyard-data")]
    pub(crate) data: PathBuf,

    /// The configuration file
    ///
    /// Without this flag, hookyard.toml in the working directory is read if it is there. A key that
    /// is no flag's is refused.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// The PostgreSQL database to use in place of the embedded one
    ///
    /// As in postgres://user:password@host:5432/name. Any number of servers may share it, and nothing
    /// is kept in a data directory then; each needs the same encryption key, in the environment or in
    /// a file. Anyone on the machine can read a command line, so better put a URL with a password into
    /// the environment, or into a file.
    #[arg(long, value_name = "URL", env = "HOOKYARD_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,

    /// A file with the URL of the PostgreSQL database
    ///
    /// Its text without the line break at its end: the place for a URL that has a password in it.
    #[arg(
        long,
        value_name = "FILE",
        env = "HOOKYARD_DATABASE_URL_FILE",
        conflicts_with = "database_url"
    )]
    pub(crate) database_url_file: Option<PathBuf>,

    /// A file with the key that encrypts secrets at rest, 64 hexadecimal digits
    ///
    /// Without this flag the key is the file `key` in the data directory, made with it. The key
    /// itself may be in the environment as HOOKYARD_ENCRYPTION_KEY; it has no flag, since anyone on
    /// the machine can read a command line. Data is unreadable without the key that it was made
    /// with.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_ENCRYPTION_KEY_FILE")]
    pub(crate) encryption_key_file: Option<PathBuf>,

    /// How log lines look: human or json
    ///
    /// Logs go to the standard error output; json is one object a line, and so is then what `serve`
    /// prints.
    #[arg(long, value_name = "FORMAT", env = "HOOKYARD_LOG_FORMAT", default_value = "human")]
    pub(crate) log_format: LogFormat,

    /// The least important lines that are logged: off, error, warn, info, debug or trace
    ///
    /// At info there is one line for every request; at warn only what needs a person's eye.
    #[arg(long, value_name = "LEVEL", env = "HOOKYARD_LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,
}

/// The first workspace.
#[derive(Debug, Args)]
pub(crate) struct FirstArgs {
    /// The first workspace's merchant code, UltraCart's name for it
    ///
    /// Letters A-Z and digits, at most 20. It has no effect once there is a workspace.
    #[arg(long, value_name = "CODE", env = "HOOKYARD_MERCHANT", default_value = "DEMO")]
    pub(crate) merchant: Merchant,

    /// The first workspace's number, Mammoth's name for it
    ///
    /// It stands in the paths of the Mammoth API. It has no effect once there is a workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE_ID", default_value = "1")]
    pub(crate) workspace_id: Number,

    /// The number of the first workspace's first project
    ///
    /// It stands in the paths of the Mammoth API. It has no effect once there is a workspace.
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
    /// Its members are workspace_id, project_id, merchant_id, simple_key, api_key and api_secret.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    #[command(flatten)]
    pub(crate) first: FirstArgs,

    /// Serve only what `init` made
    ///
    /// Without it, a directory or database that has no data is a new installation. With it that is
    /// refused: for production, where a wrong working directory or a lost disk must not look like one.
    #[arg(long, env = "HOOKYARD_REQUIRE_INIT")]
    pub(crate) require_init: bool,

    /// The address and port to listen on
    ///
    /// An address, or the name of a host, of whose addresses the first that can be taken is; those of
    /// IPv4 come first. Port 0 takes a free one, which is printed. There is no TLS here: put a proxy in
    /// front of a server that others reach.
    #[arg(long, value_name = "ADDR", env = "HOOKYARD_LISTEN", default_value = "127.0.0.1:8080")]
    pub(crate) listen: Listen,

    /// Let deliveries go to a range of addresses that is not public; may be repeated
    ///
    /// Deliveries go to public addresses only, so that nobody who may register an endpoint can
    /// reach into the server's own network. A range named here is excepted, and plain http to it is
    /// allowed. In the environment it is a comma list.
    #[arg(long, value_name = "CIDR", env = "HOOKYARD_ALLOW_NET", value_delimiter = ',')]
    pub(crate) allow_net: Vec<Net>,

    #[command(flatten)]
    pub(crate) destinations: DestinationArgs,

    /// A range of addresses of proxies in front of this server; may be repeated
    ///
    /// For a connection from such a proxy, the caller's address is the last one in X-Forwarded-For
    /// that is not a proxy's. It is what a credential's allowed addresses are compared with, and what
    /// the audit log names. Name only proxies that set the header themselves. In the environment it
    /// is a comma list.
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
    /// A number, or a number with KiB or MiB behind it. GitHub sends up to 25 MiB.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_RECEIVE_BYTES_MAX", default_value = "10MiB")]
    pub(crate) receive_bytes_max: ByteSize,

    /// Where people, devices and senders reach this server, as in https://hooks.example.com
    ///
    /// Scheme, host and, if a proxy adds one, a path. A device that asks to be let in by OAuth2 is
    /// told to send its person there; without this flag it is http and the host that the device
    /// itself came to. Some providers sign the URL that they call, so their deliveries can be
    /// verified only when it is known to the letter.
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

    /// How long OAuth2 refresh tokens are good for while they are not used, in days
    ///
    /// A whole number, or `forever`. Each use gives a new one.
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
    /// Its text without the line break at its end. The password has no flag, since anyone on the
    /// machine can read a command line.
    #[arg(
        long,
        value_name = "FILE",
        env = "HOOKYARD_API_USER_PASSWORD_FILE",
        requires = "api_user_name"
    )]
    pub(crate) api_user_password_file: Option<PathBuf>,

    /// Send what is for Amazon SQS here instead of to the queues' own hosts
    ///
    /// For a server that speaks the same protocol, such as one for tests. Like every target it must
    /// be public or in a range of --allow-net.
    #[arg(long, value_name = "URL", env = "HOOKYARD_SQS_ENDPOINT_URL")]
    pub(crate) sqs_endpoint_url: Option<WebUrl>,

    #[command(flatten)]
    pub(crate) sql: SqlLimitArgs,

    /// How many days an endpoint may take nothing before it is disabled; 0 for no end
    ///
    /// The endpoint says why it was disabled, and an event of the type hookyard.endpoint.disabled is
    /// published. Its queue stays, and goes out when it is enabled again.
    #[arg(long, value_name = "DAYS", env = "HOOKYARD_DISABLE_AFTER_DAYS", default_value = "5")]
    pub(crate) disable_after_days: DisableDays,

    #[command(flatten)]
    pub(crate) retention: RetentionArgs,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    /// How long a stopping server may take to finish what is in flight
    ///
    /// One delivery may take 30 seconds, so the default waits a little longer. What is not finished
    /// then is delivered after the next start.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_DRAIN_SECONDS", default_value = "35")]
    pub(crate) drain_seconds: DrainSeconds,

    /// How long a server may be silent until others take over what it delivers
    ///
    /// Only where several servers share a PostgreSQL database. A server that cannot reach it stops
    /// delivering when four fifths of this are over. A shorter time brings a takeover sooner, a longer
    /// one survives longer pauses of the database.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_LEASE_SECONDS", default_value = "10")]
    pub(crate) lease_seconds: LeaseSeconds,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Print one JSON object
    ///
    /// Its members are rows, before (whether an earlier run had done everything) and tables, each
    /// with its table, rows and checksum.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// Go on without what the database lacks of what was acknowledged
    ///
    /// Nothing else is checked then. New numbers begin after those that were acknowledged, and the audit
    /// log of each workspace says what is missing.
    #[arg(long, env = "HOOKYARD_ACCEPT_LOSS")]
    pub(crate) accept_loss: bool,

    /// Print one JSON object
    ///
    /// Its members are events, attempts, rows, secrets, loss, findings and more_findings; with
    /// --accept-loss it is accepted alone.
    #[arg(long, env = "HOOKYARD_JSON")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// A file for the new key, 64 hexadecimal digits; made when it is not there
    ///
    /// Without this flag the new key takes the place of the file `key` in the data directory. It is
    /// needed where the present key is kept elsewhere, and --encryption-key-file must name it from
    /// then on.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_NEW_ENCRYPTION_KEY_FILE")]
    pub(crate) new_encryption_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleTestArgs {
    /// The file with the rule, or - for the standard input
    ///
    /// It is the text that a subscription has as its event_ruler.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_RULE")]
    pub(crate) rule: PathBuf,

    /// The file with the event, or - for the standard input
    ///
    /// It is the published object: what is called data when it is published.
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
