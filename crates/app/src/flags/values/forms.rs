//! The forms of output.

use std::str::FromStr;

use hookyard_tables::sql::Form;
use tracing::level_filters::LevelFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is no log format: use human or json")),
        }
    }
}

/// The least important level of logged lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLevel(pub(crate) LevelFilter);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text {
            "off" => LevelFilter::OFF,
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => {
                return Err(format!(
                    "`{text}` is no log level: use off, error, warn, info, debug or trace"
                ));
            }
        };
        Ok(Self(level))
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlOutput {
    Table,
    Csv,
    Json,
    Ndjson,
}

impl SqlOutput {
    /// The form to ask for.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Table | Self::Json => Form::Json,
            Self::Csv => Form::Csv,
            Self::Ndjson => Form::Ndjson,
        }
    }
}

impl FromStr for SqlOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "table" => Ok(Self::Table),
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(format!("`{text}` is no form: use table, csv, json or ndjson")),
        }
    }
}
