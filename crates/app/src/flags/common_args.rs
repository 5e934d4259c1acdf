//! The flags of every command on a data directory.

use std::path::PathBuf;

use clap::Args;

use super::values::{LogFormat, LogLevel};

/// The flags of every command on a data directory.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// The data directory
    ///
    /// The directory holds the database, the key that encrypts secrets in the database, and a lock: one
    /// server at a time works on a directory. A missing directory is made, for its owner only.
    #[arg(long, value_name = "DIR", env = "HOOKYARD_DATA", default_value = "./hookyard-data")]
    pub(crate) data: PathBuf,

    /// The configuration file
    ///
    /// Without this flag, hookyard.toml in the working directory is read if present. A key that belongs to
    /// no flag is refused.
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
    /// The file's text, without a final line break, is the URL: the place for a URL with a password.
    #[arg(
        long,
        value_name = "FILE",
        env = "HOOKYARD_DATABASE_URL_FILE",
        conflicts_with = "database_url"
    )]
    pub(crate) database_url_file: Option<PathBuf>,

    /// A file with the key that encrypts secrets at rest, 64 hexadecimal digits
    ///
    /// Without this flag the key is the file `key` in the data directory, made together with the directory.
    /// The environment may hold the key itself as HOOKYARD_ENCRYPTION_KEY; the key has no flag, since
    /// anyone on the machine can read a command line. Data is unreadable without its key.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_ENCRYPTION_KEY_FILE")]
    pub(crate) encryption_key_file: Option<PathBuf>,

    /// How log lines look: human or json
    ///
    /// Logs go to the standard error output. With json, a log line is one object, and so is each line that
    /// `serve` prints.
    #[arg(long, value_name = "FORMAT", env = "HOOKYARD_LOG_FORMAT", default_value = "human")]
    pub(crate) log_format: LogFormat,

    /// The least important level of logged lines: off, error, warn, info, debug or trace
    ///
    /// At info, each request has a line; at warn, only events that need a person's eye have lines.
    #[arg(long, value_name = "LEVEL", env = "HOOKYARD_LOG_LEVEL", default_value = "info")]
    pub(crate) log_level: LogLevel,
}
