use hookyard_core::json::Damaged;
use hookyard_core::table::Misfit;
use hookyard_store::StoreError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's input cannot be used. `field` names the input, `message` the problem.
    #[error("{field}: {message}")]
    Invalid {
        /// The member or parameter at fault.
        field: &'static str,
        /// The problem.
        message: String,
    },

    /// The work needs more memory, time, or room for the answer than allowed.
    #[error("{0}")]
    Limit(String),

    /// As many as may run at once are running.
    #[error("{0}")]
    Busy(&'static str),

    /// The build lacks a feature.
    #[error(
        "this build of hookyard has no {0}: it is in one that was made with \
         `cargo build --release --features analytics`"
    )]
    NotBuilt(&'static str),

    /// Rows hidden while the columns were learnt were restored since, and do not fit.
    #[error("the dataset changed while it was read; try again")]
    Changed,

    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// A fault of the program itself.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    #[cfg_attr(not(feature = "analytics"), expect(dead_code, reason = "queries are refused whole"))]
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self::Invalid { field: "query", message: message.into() }
    }
}

impl From<Misfit> for Error {
    fn from(_: Misfit) -> Self {
        Self::Changed
    }
}

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Self {
        Self::Internal(damaged.to_string())
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Internal(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_feature_is_named_with_the_command_that_builds_it() {
        let refused = Error::NotBuilt("SQL").to_string();
        assert!(refused.contains("has no SQL"), "{refused}");
        assert!(refused.contains("--features analytics"), "{refused}");
    }
}
