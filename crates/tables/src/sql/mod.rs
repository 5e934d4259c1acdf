//! Read-only SQL over the datasets of one workspace.
//!
//! A query runs on a thread of its own, in its own session of DataFusion that knows the caller's
//! datasets and nothing else: no files, no network, no other catalog, no functions but those of a
//! closed list. What it may use is in [`Limits`]; whatever goes beyond ends the query alone.

use std::time::Duration;

use hookyard_core::id::ProjectId;

#[cfg(feature = "analytics")]
mod answer;
#[cfg(feature = "analytics")]
mod catalog;
#[cfg(feature = "analytics")]
mod functions;
#[cfg(feature = "analytics")]
mod guard;
#[cfg(feature = "analytics")]
mod joins;
#[cfg(feature = "analytics")]
mod kept;
#[cfg(feature = "analytics")]
mod room;
#[cfg(feature = "analytics")]
mod run;
#[cfg(feature = "analytics")]
mod table;
#[cfg(feature = "analytics")]
mod text;

/// What queries may use; an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one query may keep for sorting, grouping, joining and windows.
    pub memory_bytes: usize,
    /// How long one query may take.
    pub time: Duration,
    /// The most rows that a caller may ask for.
    pub rows: usize,
    /// Queries that may run at once.
    pub queries: usize,
}

impl Default for Limits {
    /// Together 512 MiB, which a machine that keeps datasets has to spare; a minute is more than any
    /// proxy waits; 10,000 rows are more than anyone reads, and an export has no such limit.
    fn default() -> Self {
        Self { memory_bytes: 128 << 20, time: Duration::from_secs(30), rows: 10_000, queries: 4 }
    }
}

/// Rows of an answer when the caller does not say.
pub const ROWS_DEFAULT: usize = 1_000;

/// The longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 64 << 10;

/// The most words and signs of a query. A plan is as deep as a query is long, and whatever walks it
/// needs stack for that; this is far from what the stack of a query's thread takes.
pub const QUERY_TOKENS_MAX: usize = 2_000;

/// The most parameters of a query.
pub const PARAMETERS_MAX: usize = 100;

/// The largest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 16 << 20;

/// What an answer is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// One JSON object: columns, rows, and whether there would be more.
    #[default]
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

/// A value for a `$1`.
#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    /// Null.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// A text.
    Text(String),
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The one statement.
    pub text: String,
    /// What stands for `$1`, `$2` and so on.
    pub parameters: Vec<Parameter>,
    /// Only the datasets of this project are there, if one is named.
    pub project: Option<ProjectId>,
    /// The most rows wanted; [`ROWS_DEFAULT`], or as many as there may be, unless it is said.
    pub limit: Option<usize>,
    /// The form of the answer.
    pub form: Form,
}

/// What a query was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The answer in the form that was asked for.
    pub body: Vec<u8>,
    /// Rows in it.
    pub rows: usize,
    /// Whether there would be more than the limit.
    pub truncated: bool,
}

#[cfg(not(feature = "analytics"))]
impl crate::Tables {
    /// Answers a query; this build cannot.
    #[expect(clippy::unused_async, reason = "it is the same call in a build that can")]
    pub async fn query(
        &self,
        _workspace: hookyard_core::id::WorkspaceId,
        _query: Query,
    ) -> Result<Answer, crate::Error> {
        let Limits { memory_bytes: _, time: _, rows: _, queries: _ } = self.limits;
        let _ = &self.queries;
        Err(crate::Error::NotBuilt("SQL"))
    }
}

#[cfg(test)]
#[cfg(feature = "analytics")]
mod tests;
