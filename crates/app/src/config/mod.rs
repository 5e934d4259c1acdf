//! From written settings (flags, environment, file) to used settings.

mod application;
mod file;
mod key;
mod limits;
mod manage;
mod serve;
mod sql;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{CommandFactory, FromArgMatches, Parser};
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::Secret;
use tracing::level_filters::LevelFilter;

use crate::flags::args::{
    Action, CheckArgs, Cli, FirstArgs, InitArgs, KeyAction, KeyRotateArgs, MigrateArgs, RuleAction,
    RuleTestArgs,
};
use crate::flags::common_args::CommonArgs;
use crate::flags::values::{LogFormat, Number};
pub(crate) use application::{Application, ApplicationCommand};
use file::File;
pub(crate) use key::{KeySource, read_or_make};
pub(crate) use manage::{Manage, Managed, QuotaChange};
pub(crate) use serve::Serve;
pub(crate) use sql::{Sql, SqlTarget};

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
