//! The flags of `sql`, and the flags of `serve` that bound queries.

use std::path::PathBuf;

use clap::Args;

use super::common_args::CommonArgs;
use crate::flags::values::{ByteSize, Number, SqlOutput, SqlQueries, SqlSeconds, WebUrl};

#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,

    /// The query, or - to read it from the standard input
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,

    /// The server to query
    ///
    /// Without this flag the command queries the data directory or the database.
    #[arg(long, value_name = "URL", env = "HOOKYARD_SERVER")]
    pub(crate) server: Option<WebUrl>,

    /// The file with a simple key for the server
    ///
    /// The key itself may be in the environment as HOOKYARD_KEY; it has no flag, since anyone on the
    /// machine can read a command line. It needs the scope data_read.
    #[arg(long, value_name = "FILE", env = "HOOKYARD_KEY_FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// The workspace of the queried datasets, in a data directory or a database
    ///
    /// Optional with a single workspace. A server knows the workspace by the key.
    #[arg(long, value_name = "ID", env = "HOOKYARD_WORKSPACE")]
    pub(crate) workspace: Option<Number>,

    /// The project of the queried datasets
    ///
    /// Without this flag, the datasets of all projects of the workspace.
    #[arg(long, value_name = "ID", env = "HOOKYARD_PROJECT")]
    pub(crate) project: Option<Number>,

    /// The most rows
    ///
    /// A server may have a lower limit.
    #[arg(long, value_name = "ROWS", env = "HOOKYARD_LIMIT", default_value = "1000")]
    pub(crate) limit: Number,

    /// How the rows are written: table, csv, json or ndjson
    ///
    /// A table shortens long values; the other forms are whole.
    #[arg(long, value_name = "FORM", env = "HOOKYARD_OUTPUT", default_value = "table")]
    pub(crate) output: SqlOutput,
}

/// The bounds of a server's queries.
#[derive(Debug, Args)]
pub(crate) struct SqlLimitArgs {
    /// The memory that one SQL query may take for sorting, grouping, joining and windows
    ///
    /// A number of bytes, optionally with KiB, MiB or GiB.
    #[arg(long, value_name = "BYTES", env = "HOOKYARD_SQL_MEMORY_BYTES", default_value = "128MiB")]
    pub(crate) sql_memory_bytes: ByteSize,

    /// How long one SQL query may take, in seconds
    ///
    /// Whole seconds from 1 to 3600.
    #[arg(long, value_name = "SECONDS", env = "HOOKYARD_SQL_SECONDS", default_value = "30")]
    pub(crate) sql_seconds: SqlSeconds,

    /// The most rows that the caller of an SQL query may ask for
    ///
    /// An export has no such limit.
    #[arg(long, value_name = "ROWS", env = "HOOKYARD_SQL_ROWS", default_value = "10000")]
    pub(crate) sql_rows: Number,

    /// How many SQL queries may run at once
    ///
    /// From 1 to 64. Each keeps a core busy; further ones are told to come again.
    #[arg(long, value_name = "COUNT", env = "HOOKYARD_SQL_QUERIES", default_value = "4")]
    pub(crate) sql_queries: SqlQueries,
}
