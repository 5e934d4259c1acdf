//! From written settings (flags, environment, file) to used settings.

mod application;
mod file;
mod key;
mod limits;
mod manage;
pub(crate) mod values;

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, FromArgMatches, Parser};
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Secret, WorkspaceQuotas};
use hookyard_engine::deliver::{self, ApiUser, ApiUserHost, USER_AGENT_DEFAULT};
use hookyard_engine::limits::Limits;
use hookyard_engine::oauth::Lifetimes;
use hookyard_server::Settings;
use hookyard_store::{Keep, Retention};
use hookyard_tables::sql::Limits as SqlLimits;
use ipnet::IpNet;
use jiff::SignedDuration;
use tracing::level_filters::LevelFilter;
use url::Url;

use crate::cli::args::{
    Action, CheckArgs, Cli, CommonArgs, FirstArgs, InitArgs, KeyAction, KeyRotateArgs, MigrateArgs,
    RuleAction, RuleTestArgs, ServeArgs,
};
use crate::cli::destination_args::DestinationArgs;
use crate::cli::retention_args::RetentionArgs;
use crate::cli::sql_args::{SqlArgs, SqlLimitArgs};
pub(crate) use application::{Application, ApplicationCommand};
use file::File;
pub(crate) use key::{KeySource, read_or_make};
pub(crate) use manage::{Manage, Managed, QuotaChange};
pub(crate) use values::SqlOutput;
use values::{ByteSize, Days, Listen, LogFormat, Number};

/// The command to run.
#[derive(Debug)]
pub(crate) enum Command {
    Init(Init),
    Serve(Box<Serve>),
    Application(Application),
    Manage(Box<Manage>),
    Migrate(Migrate),
    Check(Check),
    KeyRotate(KeyRotate),
    Sql(Sql),
    RuleTest(RuleTest),
}

impl Command {
    /// Whether all output of the command has the form of one object a line.
    pub(crate) fn speaks_json(&self) -> bool {
        matches!(self, Self::Serve(serve) if serve.common.log_format == LogFormat::Json)
    }
}

/// Whether an error is to be said as an object although the command could not be read: where the command
/// line, or the environment, asks `serve` for such a log.
pub(crate) fn asks_for_json(args: impl IntoIterator<Item = OsString>) -> bool {
    let args = with_command(args.into_iter().collect());
    if args.get(1).is_none_or(|command| command != "serve") {
        return false;
    }
    let (flag, both) = (OsStr::new("--log-format"), OsStr::new("--log-format=json"));
    let after = args.iter().skip_while(|arg| *arg != flag).nth(1);
    match after {
        Some(format) => format == "json",
        None if args.iter().any(|arg| arg == both) => true,
        None => std::env::var_os("HOOKYARD_LOG_FORMAT").is_some_and(|format| format == "json"),
    }
}

/// The settings of every command on a data directory.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) data: PathBuf,
    /// The database to use in place of the directory's database.
    pub(crate) database: Option<Secret>,
    pub(crate) key: KeySource,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: LevelFilter,
}

/// The workspace made by `init`, and by `serve` on an empty directory.
#[derive(Debug)]
pub(crate) struct FirstWorkspace {
    pub(crate) id: WorkspaceId,
    pub(crate) merchant: String,
    pub(crate) project: ProjectId,
}

/// `init`.
#[derive(Debug)]
pub(crate) struct Init {
    pub(crate) common: Common,
    pub(crate) first: FirstWorkspace,
    pub(crate) json: bool,
}

/// `serve`.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) common: Common,
    pub(crate) first: FirstWorkspace,
    pub(crate) listen: Listen,
    pub(crate) allow_net: Vec<IpNet>,
    pub(crate) allow_port: Vec<RangeInclusive<u16>>,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) default_quotas: WorkspaceQuotas,
    pub(crate) retention: Retention,
    pub(crate) deliver: deliver::Options,
    pub(crate) drain: Duration,
    /// How long this server owns its endpoints without a renewal, where servers share a database.
    pub(crate) lease: Duration,
    /// Whether to refuse where there is no data.
    pub(crate) require_init: bool,
}

/// `migrate`.
#[derive(Debug)]
pub(crate) struct Migrate {
    pub(crate) common: Common,
    /// Where the data goes.
    pub(crate) url: Secret,
    pub(crate) json: bool,
}

/// `check`.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) common: Common,
    /// Whether to go on after a loss, in place of a check.
    pub(crate) accept_loss: bool,
    pub(crate) json: bool,
}

/// `key rotate`.
#[derive(Debug)]
pub(crate) struct KeyRotate {
    pub(crate) common: Common,
    /// Where the operator wants the new key; `None` for the data directory.
    pub(crate) new: Option<PathBuf>,
}

/// `sql`.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) common: Common,
    pub(crate) query: String,
    pub(crate) target: SqlTarget,
    pub(crate) project: Option<ProjectId>,
    pub(crate) limit: usize,
    pub(crate) output: SqlOutput,
}

/// The target of a query.
pub(crate) enum SqlTarget {
    /// A server, with the caller's simple key.
    Server { url: Url, key: String },
    /// The data directory or the database, for this workspace or the only workspace.
    Store { workspace: Option<WorkspaceId> },
}

impl std::fmt::Debug for SqlTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server { url, key: _ } => f.debug_struct("Server").field("url", url).finish(),
            Self::Store { workspace } => {
                f.debug_struct("Store").field("workspace", workspace).finish()
            }
        }
    }
}

/// `rule test`.
#[derive(Debug)]
pub(crate) struct RuleTest {
    pub(crate) rule: PathBuf,
    pub(crate) event: PathBuf,
}

/// Reads the command line, the environment and the configuration file, in this order of precedence. Clap
/// itself must show a [`clap::Error`] inside the error; `--help` is such an error.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Command> {
    let args = with_command(args.into_iter().collect());
    let named = match Cli::try_parse_from(&args)?.action {
        Action::Init(args) => args.common.config,
        Action::Serve(args) => args.common.config,
        Action::Application(action) => action.common().config.clone(),
        Action::Migrate(args) => args.common.config,
        Action::Check(args) => args.common.config,
        Action::Key(KeyAction::Rotate(args)) => args.common.config,
        Action::Credential(action) => manage::common_of_credential(&action).config.clone(),
        Action::Workspace(action) => manage::common_of_workspace(&action).config.clone(),
        Action::Project(action) => manage::common_of_project(&action).config.clone(),
        Action::Audit(action) => manage::common_of_audit(&action).config.clone(),
        Action::Sql(args) => args.common.config,
        // The command reads two files and nothing else, and its exit codes must not depend on a third file.
        Action::Rule(RuleAction::Test(args)) => return Ok(Command::RuleTest(args.into())),
    };
    let file = File::load(named.as_deref(), &Cli::command())?;
    let matches = file.parse_over(Cli::command(), &args)?;
    match Cli::from_arg_matches(&matches)?.action {
        Action::Init(args) => Init::new(args).map(Command::Init),
        Action::Serve(args) => Serve::new(*args).map(Box::new).map(Command::Serve),
        Action::Application(action) => Application::new(action).map(Command::Application),
        Action::Migrate(args) => Migrate::new(args).map(Command::Migrate),
        Action::Check(args) => {
            let CheckArgs { common, accept_loss, json } = args;
            Ok(Command::Check(Check { common: Common::new(common)?, accept_loss, json }))
        }
        Action::Key(KeyAction::Rotate(args)) => {
            let KeyRotateArgs { common, new_encryption_key_file: new } = args;
            Ok(Command::KeyRotate(KeyRotate { common: Common::new(common)?, new }))
        }
        Action::Credential(action) => Manage::credential(action).map(Box::new).map(Command::Manage),
        Action::Workspace(action) => Manage::workspace(action).map(Box::new).map(Command::Manage),
        Action::Project(action) => Manage::project(action).map(Box::new).map(Command::Manage),
        Action::Audit(action) => Manage::audit(action).map(Box::new).map(Command::Manage),
        Action::Sql(args) => Sql::new(args).map(Command::Sql),
        Action::Rule(RuleAction::Test(args)) => Ok(Command::RuleTest(args.into())),
    }
}

/// Without a command, `serve` is meant: whatever stands first is then a flag of its own, or nothing.
fn with_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let about_the_program = ["-h", "--help", "-V", "--version"].map(OsStr::new);
    let serve = match args.get(1) {
        None => true,
        Some(first) => {
            first.as_encoded_bytes().starts_with(b"-")
                && !about_the_program.contains(&first.as_os_str())
        }
    };
    if serve {
        args.insert(args.len().min(1), "serve".into());
    }
    args
}

impl Common {
    fn new(args: CommonArgs) -> Result<Self> {
        let common = Self::with_any_key(args)?;
        if common.database.is_some() && matches!(common.key, KeySource::Own(_)) {
            bail!(
                "a PostgreSQL database needs the same encryption key on every server that shares \
                 it: set HOOKYARD_ENCRYPTION_KEY, or name a file with --encryption-key-file \
                 (`openssl rand -hex 32` makes a key)"
            );
        }
        Ok(common)
    }

    /// The same for a command with a data directory beside the database: the directory's key suffices.
    fn with_any_key(args: CommonArgs) -> Result<Self> {
        let CommonArgs {
            data,
            config: _,
            database_url,
            database_url_file,
            encryption_key_file,
            log_format,
            log_level,
        } = args;
        let database = database(database_url, database_url_file.as_deref())?;
        let key = KeySource::new(encryption_key_file, &data)?;
        Ok(Self { data, database, key, log_format, log_level: log_level.0 })
    }
}

/// The database's URL, from at most one of the two places, as clap ensures.
fn database(url: Option<String>, file: Option<&Path>) -> Result<Option<Secret>> {
    let url = match (url, file) {
        (None, None) => return Ok(None),
        (Some(url), _) => url,
        (None, Some(file)) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the database URL in {}", file.display()))?,
    };
    let url = url.trim();
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        bail!("the database URL does not begin with postgres://: no other database is known");
    }
    Ok(Some(Secret::new(url)))
}

impl From<FirstArgs> for FirstWorkspace {
    fn from(args: FirstArgs) -> Self {
        let FirstArgs { merchant, workspace_id, project_id } = args;
        Self {
            id: WorkspaceId(workspace_id.0),
            merchant: merchant.0,
            project: ProjectId(project_id.0),
        }
    }
}

impl Init {
    fn new(args: InitArgs) -> Result<Self> {
        let InitArgs { common, first, json } = args;
        Ok(Self { common: Common::new(common)?, first: first.into(), json })
    }
}

impl Migrate {
    fn new(args: MigrateArgs) -> Result<Self> {
        let MigrateArgs { common, json } = args;
        let mut common = Common::with_any_key(common)?;
        let Some(url) = common.database.take() else {
            bail!(
                "name the PostgreSQL database that the data goes to, in HOOKYARD_DATABASE_URL or \
                 with --database-url or --database-url-file"
            );
        };
        Ok(Self { common, url, json })
    }
}

impl Serve {
    fn new(args: ServeArgs) -> Result<Self> {
        let ServeArgs {
            common,
            first,
            require_init,
            listen,
            public_url,
            allow_net,
            destinations: DestinationArgs { allow_port, api_user_host, user_agent },
            trusted_proxy,
            time_zone,
            event_bytes_max,
            batch_bytes_max,
            receive_bytes_max,
            retention,
            access_token_seconds,
            refresh_token_days,
            api_user_name,
            api_user_password_file,
            sqs_endpoint_url,
            sql,
            disable_after_days,
            limits,
            drain_seconds,
            lease_seconds,
        } = args;
        let default_quotas = limits::default_quotas(&limits)?;
        let (limits, bounds) = limits::read(&limits)?;
        check_sizes(event_bytes_max, batch_bytes_max)?;
        let first = FirstWorkspace::from(first);
        let hosts = api_user_host.into_iter().map(|host| host.0).collect();
        let api_user = api_user(api_user_name, api_user_password_file, hosts)?;
        let user_agent = user_agent.map_or(USER_AGENT_DEFAULT, |agent| agent.0);
        let deliver = deliver::Options {
            api_user: api_user.map(|user| (first.id, user)),
            sqs_endpoint_url: sqs_endpoint_url.map(|url| url.0),
            disable_after: disable_after_days.duration(),
            user_agent: user_agent.clone(),
            ..deliver::Options::default()
        };
        Ok(Self {
            common: Common::new(common)?,
            first,
            listen,
            allow_net: allow_net.into_iter().map(|net| net.0).collect(),
            allow_port: allow_port.into_iter().map(|ports| ports.0).collect(),
            settings: Settings {
                time_zone: time_zone.0,
                event_bytes_max: event_bytes_max.0,
                batch_bytes_max: batch_bytes_max.0,
                receive_bytes_max: receive_bytes_max.0,
                lifetimes: Lifetimes {
                    access: SignedDuration::from_secs(access_token_seconds.0.into()),
                    refresh: duration(refresh_token_days),
                },
                trusted_proxies: trusted_proxy.into_iter().map(|net| net.0).collect(),
                public_url: public_url.map(|url| url.0),
                user_agent,
                bounds,
                sql: sql_limits(&sql),
            },
            limits,
            default_quotas,
            retention: Retention::from(retention),
            deliver,
            drain: Duration::from_secs(drain_seconds.0),
            lease: Duration::from_secs(lease_seconds.0),
            require_init,
        })
    }
}

fn check_sizes(event: ByteSize, batch: ByteSize) -> Result<()> {
    if event.0 > batch.0 {
        bail!(
            "--event-bytes-max {} is above --batch-bytes-max {}: an event must fit a batch",
            event.0,
            batch.0,
        );
    }
    Ok(())
}

/// The API user, when all parts are given. Clap refuses a name without a file, and a file without a name.
fn api_user(
    name: Option<String>,
    file: Option<PathBuf>,
    hosts: Vec<ApiUserHost>,
) -> Result<Option<ApiUser>> {
    let (Some(name), Some(file)) = (name, file) else { return Ok(None) };
    if hosts.is_empty() {
        bail!(
            "--api-user-name needs --api-user-host: name the hosts that the user's password may be \
             sent to, as in hooks.example.com"
        );
    }
    if name.is_empty() || name.contains(':') {
        bail!("--api-user-name must not be empty or contain a colon");
    }
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read the API user's password in {}", file.display()))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        bail!("the API user's password in {} is empty", file.display());
    }
    Ok(Some(ApiUser { name, password: Secret::new(password), hosts }))
}

impl Sql {
    fn new(args: SqlArgs) -> Result<Self> {
        let SqlArgs { common, query, server, key_file, workspace, project, limit, output } = args;
        let target = match server {
            Some(url) => SqlTarget::Server { url: url.0, key: simple_key(key_file)? },
            None => SqlTarget::Store { workspace: workspace.map(|id| WorkspaceId(id.0)) },
        };
        Ok(Self {
            common: Common::new(common)?,
            query,
            target,
            project: project.map(|id| ProjectId(id.0)),
            limit: count(limit),
            output,
        })
    }
}

/// The variable with the key for a server. The key has no flag: anyone can read a command line.
const KEY: &str = "HOOKYARD_KEY";

/// The key of whoever asks a server.
fn simple_key(file: Option<PathBuf>) -> Result<String> {
    let text = match (std::env::var(KEY), file) {
        (Ok(_), Some(_)) => bail!("both {KEY} and a key file are set: leave one out"),
        (Ok(key), None) => key,
        (Err(_), Some(file)) => std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read the key in {}", file.display()))?,
        (Err(_), None) => bail!("a server wants a simple key: set {KEY} or --key-file"),
    };
    Ok(text.trim().to_owned())
}

/// A number of 1 or more as a count.
fn count(number: Number) -> usize {
    usize::try_from(number.0).unwrap_or(1)
}

impl From<RuleTestArgs> for RuleTest {
    fn from(args: RuleTestArgs) -> Self {
        let RuleTestArgs { rule, event } = args;
        Self { rule, event }
    }
}

fn sql_limits(args: &SqlLimitArgs) -> SqlLimits {
    let SqlLimitArgs { sql_memory_bytes, sql_seconds, sql_rows, sql_queries } = args;
    SqlLimits {
        memory_bytes: sql_memory_bytes.0,
        time: Duration::from_secs(sql_seconds.0),
        rows: count(*sql_rows),
        queries: sql_queries.0,
    }
}

impl From<RetentionArgs> for Retention {
    fn from(args: RetentionArgs) -> Self {
        let RetentionArgs {
            journal_days,
            journal_bytes,
            attempt_days,
            attempt_bytes,
            dead_letter_days,
            dead_letter_bytes,
            audit_days,
            audit_bytes,
        } = args;
        Self {
            journal: keep(journal_days, journal_bytes),
            attempts: keep(attempt_days, attempt_bytes),
            dead_letters: keep(dead_letter_days, dead_letter_bytes),
            audit: keep(audit_days, audit_bytes),
        }
    }
}

fn keep(days: Days, bytes: Option<ByteSize>) -> Keep {
    Keep { age: duration(days), bytes: bytes.map(|bytes| bytes.0 as u64) }
}

fn duration(days: Days) -> Option<SignedDuration> {
    days.0.map(|days| SignedDuration::from_hours(24 * days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(args: &[&str]) -> Vec<String> {
        let args = with_command(args.iter().map(OsString::from).collect());
        args.into_iter().map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn without_a_command_serve_is_meant() {
        assert_eq!(words(&["hookyard"]), ["hookyard", "serve"]);
        assert_eq!(words(&["hookyard", "--data", "x"]), ["hookyard", "serve", "--data", "x"]);
        assert_eq!(words(&["hookyard", "init"]), ["hookyard", "init"]);
        assert_eq!(words(&["hookyard", "--help"]), ["hookyard", "--help"]);
    }

    #[test]
    fn another_database_is_refused_and_not_ignored() {
        let args = ["hookyard", "init", "--database-url", "mysql://db/x"].map(OsString::from);
        let message = read(args).unwrap_err().to_string();
        assert!(message.contains("postgres://"), "{message}");
    }

    #[test]
    fn a_shared_database_needs_a_shared_key() {
        let directory = tempfile::tempdir().unwrap();
        let (url, key) = (directory.path().join("url"), directory.path().join("key"));
        std::fs::write(&url, "postgres://user:word@db/x\n").unwrap();
        let init = |more: &[&str]| {
            let args = ["hookyard", "init", "--database-url-file", url.to_str().unwrap()];
            read(args.iter().chain(more).map(OsString::from))
        };
        let message = init(&[]).unwrap_err().to_string();
        assert!(message.contains("HOOKYARD_ENCRYPTION_KEY"), "{message}");
        let given = init(&["--encryption-key-file", key.to_str().unwrap()]).unwrap();
        let Command::Init(given) = given else { panic!() };
        assert_eq!(given.common.database.unwrap().expose(), "postgres://user:word@db/x");
    }

    #[test]
    fn a_move_has_the_key_of_its_directory_and_needs_a_database() {
        let migrate = |more: &[&str]| {
            let args = ["hookyard", "migrate", "--data", "place"].iter().chain(more);
            read(args.map(OsString::from))
        };
        let message = migrate(&[]).unwrap_err().to_string();
        assert!(message.contains("HOOKYARD_DATABASE_URL"), "{message}");
        let given = migrate(&["--database-url", "postgres://db/x"]).unwrap();
        let Command::Migrate(given) = given else { panic!() };
        assert_eq!(given.url.expose(), "postgres://db/x");
        assert!(matches!(given.common.key, KeySource::Own(path) if path.ends_with("place/key")));
    }

    #[test]
    fn the_api_user_comes_with_a_password() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        let given = |name: &str| {
            let file = file.to_str().unwrap();
            let args = ["--api-user-name", name, "--api-user-password-file", file];
            let args = args.into_iter().chain(["--api-user-host", "hooks.example.com"]);
            let args = ["hookyard", "serve"].into_iter().chain(args).map(OsString::from);
            read(args)
        };
        assert!(given("user").unwrap_err().to_string().contains("cannot read"));
        std::fs::write(&file, "\n").unwrap();
        assert!(given("user").unwrap_err().to_string().contains("is empty"));
        std::fs::write(&file, " p4ss\r\n").unwrap();
        assert!(given("a:b").unwrap_err().to_string().contains("colon"));
        let Command::Serve(serve) = given("user").unwrap() else { panic!() };
        let (workspace, user) = serve.deliver.api_user.unwrap();
        assert_eq!((workspace.0, user.name.as_str(), user.password.expose()), (1, "user", " p4ss"));
        let alone = ["hookyard", "serve", "--api-user-name", "x"].map(OsString::from);
        assert!(read(alone).is_err());
        let anywhere = ["--api-user-name", "u", "--api-user-password-file", file.to_str().unwrap()];
        let anywhere = ["hookyard", "serve"].into_iter().chain(anywhere).map(OsString::from);
        assert!(read(anywhere).unwrap_err().to_string().contains("needs --api-user-host"));
    }

    #[test]
    fn heads_have_bounds_of_their_own() {
        let given =
            |flags: &[&str]| read(["hookyard", "serve"].iter().chain(flags).map(OsString::from));
        let message = given(&["--limit-uri-bytes", "65KiB"]).unwrap_err().to_string();
        assert!(message.contains("--limit-uri-bytes 66560 is above 65536"), "{message}");
        assert!(given(&["--limit-header-bytes", "2MiB"]).is_err());
        let serve = given(&["--limit-address-day", "5", "--limit-stall-seconds", "2"]).unwrap();
        let Command::Serve(serve) = serve else { panic!() };
        assert_eq!(serve.limits.address.day, Some(5));
        assert_eq!(serve.limits.credential, hookyard_engine::limits::Rates::default());
        assert_eq!(serve.settings.bounds.stall, Duration::from_secs(2));
    }

    #[test]
    fn quotas_have_defaults_by_name() {
        let given =
            |flags: &[&str]| read(["hookyard", "serve"].iter().chain(flags).map(OsString::from));
        let flags = ["--default-quota", "endpoints=5,events-hour=7", "--default-quota"];
        let Command::Serve(serve) = given(&[&flags[..], &["journal-bytes=2KiB"]].concat()).unwrap()
        else {
            panic!()
        };
        let expected = WorkspaceQuotas {
            endpoints: Some(5),
            events_hour: Some(7),
            journal_bytes: Some(2048),
            ..WorkspaceQuotas::default()
        };
        assert_eq!(serve.default_quotas, expected);
        for (wrong, said) in [
            ("endpoint=5", "`endpoint` is no quota: use one of endpoints, event-types"),
            ("endpoints", "`` is no amount"),
            ("endpoints=-1", "`-1` is no amount"),
            ("endpoints=1,endpoints=2", "two amounts for endpoints"),
        ] {
            let message = given(&["--default-quota", wrong]).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn an_event_must_fit_a_batch() {
        let args = ["hookyard", "serve", "--batch-bytes-max", "5"].map(OsString::from);
        assert!(read(args).unwrap_err().to_string().contains("an event must fit a batch"));
    }
}
