//! `hookyard.toml`: the defaults of the flags, written down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::Command;
use clap::error::{ContextKind, ContextValue};
use toml::{Spanned, Value};

/// The file to read without a named file, if the file exists.
pub(crate) const DEFAULT_PATH: &str = "hookyard.toml";

/// The flags that cannot be in the file: the flag of the file's own name, clap's own flags, the flags of
/// `rule test`, which reads no configuration, and flags about a single thing.
const FLAGS_ONLY: [&str; 20] = [
    "config",
    "help",
    "version",
    "rule",
    "event",
    "name",
    "expires-at",
    "allowed-ip",
    "overlap-seconds",
    "after",
    "before",
    "from",
    "until",
    "credential",
    "action",
    "subject",
    "limit",
    "grant",
    "project",
    "accept-loss",
];

/// The contents of the file. A key has the name of its flag, with `_` for `-`, so a flag needs no second
/// definition for the file.
#[derive(Debug, Default)]
pub(crate) struct File {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    line: usize,
    values: Vec<String>,
}

impl File {
    /// Reads the named file, or the default file if present. A key without a flag in `cli` is refused.
    pub(crate) fn load(named: Option<&Path>, cli: &Command) -> Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT_PATH));
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, cli),
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => {
                Ok(Self::default())
            }
            Err(error) => Err(error)
                .with_context(|| format!("cannot read the configuration file {}", path.display())),
        }
    }

    fn parse(path: &Path, text: &str, cli: &Command) -> Result<Self> {
        let table: BTreeMap<Spanned<String>, Value> = toml::from_str(text)
            .map_err(|error| anyhow!("{}: {}", path.display(), error.to_string().trim_end()))?;
        let known = keys(cli);
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let line = text[..key.span().start].matches('\n').count() + 1;
            let key = key.into_inner();
            if !known.contains(&key) {
                bail!(
                    "{}, line {line}: unknown key `{key}`; the known keys are {}",
                    path.display(),
                    known.join(", "),
                );
            }
            let values = flatten(&value).ok_or_else(|| {
                anyhow!(
                    "{}, line {line}: `{key}` takes a string, a whole number, true, false or a \
                     list of those",
                    path.display(),
                )
            })?;
            entries.insert(key, Entry { line, values });
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Parses a command line in which a flag given neither in `args` nor in the environment has the file's
    /// value. The caller has parsed `args` without the file already, so any fault now is the file's.
    pub(crate) fn parse_over(&self, cli: Command, args: &[OsString]) -> Result<clap::ArgMatches> {
        self.as_defaults(cli).try_get_matches_from(args).map_err(|error| self.blame(&error))
    }

    fn as_defaults(&self, command: Command) -> Command {
        let flags: Vec<_> = command.get_arguments().map(|flag| flag.get_id().to_string()).collect();
        let subcommands: Vec<_> =
            command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        let mut command = command;
        for (flag, entry) in flags.iter().filter_map(|id| self.entries.get_key_value(id)) {
            command = command.mut_arg(flag, |arg| arg.default_values(&entry.values));
        }
        for name in subcommands {
            command = command.mut_subcommand(name, |sub| self.as_defaults(sub));
        }
        command
    }

    fn blame(&self, error: &clap::Error) -> anyhow::Error {
        let flag = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(flag)) => flag.as_str(),
            _ => "",
        };
        let key = key_of(flag.split([' ', '=']).next().unwrap_or_default());
        let place = match self.entries.get(&key) {
            Some(entry) => format!("{}, line {}", self.path.display(), entry.line),
            None => self.path.display().to_string(),
        };
        // The message of the value's own parser; without one, the first line of clap's report.
        let report = error.to_string();
        let first = report.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let reason =
            std::error::Error::source(error).map_or_else(|| first.to_owned(), ToString::to_string);
        anyhow!("{place}: {key}: {reason}")
    }
}

/// The keys of a file: one for each flag of each command.
fn keys(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(clap::Arg::get_long);
    let own = own.filter(|flag| !FLAGS_ONLY.contains(flag)).map(key_of);
    let mut all: Vec<_> = own.chain(command.get_subcommands().flat_map(keys)).collect();
    all.sort();
    all.dedup();
    all
}

fn key_of(flag: &str) -> String {
    flag.trim_start_matches("--").replace('-', "_")
}

/// A value in the flag's form; `None` for a value impossible in a flag.
fn flatten(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Boolean(switch) => Some(vec![switch.to_string()]),
        Value::Array(values) => {
            let each = values.iter().filter(|value| !value.is_array()).map(flatten);
            let flat: Vec<_> = each.collect::<Option<Vec<_>>>()?.concat();
            (flat.len() == values.len()).then_some(flat)
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::flags::args::{Action, Cli, ServeArgs};

    fn serve(text: &str, args: &[&str]) -> Result<ServeArgs> {
        let file = File::parse(Path::new("dir/hookyard.toml"), text, &Cli::command())?;
        let args: Vec<_> = ["hookyard", "serve"].iter().chain(args).map(OsString::from).collect();
        let matches = file.parse_over(Cli::command(), &args)?;
        match Cli::from_arg_matches(&matches)?.action {
            Action::Serve(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    fn refused(text: &str) -> String {
        serve(text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn the_file_is_read_as_flags_are_and_flags_win() {
        let text = "listen = '0.0.0.0:9000'\nallow_net = ['127.0.0.1', '10.0.0.0/8']\n\
                    event_bytes_max = 5\nbatch_bytes_max = '1MiB'\njson = true";
        let args = serve(text, &["--event-bytes-max", "6"]).unwrap();
        assert_eq!(args.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(args.allow_net.len(), 2);
        assert_eq!((args.event_bytes_max.0, args.batch_bytes_max.0), (6, 1 << 20));
        let args = serve(text, &["--allow-net", "::1"]).unwrap();
        assert_eq!(args.allow_net.len(), 1);
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_line_and_known_keys() {
        let message = refused("listen = '127.0.0.1:1'\n\nlisten_adress = 'x'");
        for part in ["dir/hookyard.toml, line 3", "`listen_adress`", "allow_net", "drain_seconds"] {
            assert!(message.contains(part), "{part} is missing in: {message}");
        }
        assert!(!message.contains("config"), "{message}");
        assert!(refused("[serve]\nlisten = 'x'").contains("unknown key `serve`"));
    }

    #[test]
    fn a_bad_value_is_refused_with_its_file_line_and_key() {
        let message = refused("\nallow_net = ['localhost']");
        assert_eq!(
            message,
            "dir/hookyard.toml, line 2: allow_net: `localhost` is no range of addresses: write one \
             such as 10.0.0.0/8 or fd00::/8"
        );
        assert_eq!(
            refused("drain_seconds = 'soon'"),
            "dir/hookyard.toml, line 1: drain_seconds: `soon` is no time to drain: use whole \
             seconds from 0 to 3600"
        );
        assert!(refused("drain_seconds = 1.5").contains("line 1: `drain_seconds` takes a string"));
        assert!(refused("listen = ").starts_with("dir/hookyard.toml: TOML parse error at line 1"));
    }
}
