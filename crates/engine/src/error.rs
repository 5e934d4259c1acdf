use std::time::Duration;

use hookyard_store::{Entity, StoreError};

/// Why an operation did not happen. Each API maps it to its own form at its edge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller sent something that cannot be used. `field` is the path of the value at fault as
    /// the caller wrote it, `message` says what is wrong with it and what would be right.
    #[error("{field}: {message}")]
    Invalid {
        /// The path of the value at fault, such as `event_categories[0].events[2].event_name`.
        field: String,
        /// What is wrong and how to mend it.
        message: String,
    },

    /// It was about something that is not there.
    #[error("no such {0}")]
    NotFound(Entity),

    /// It changed while the caller worked on it; reading it again and repeating helps.
    #[error("{0}")]
    Conflict(String),

    /// The caller wanted to change a revision that is no longer the newest.
    #[error("it is at revision {revision} now")]
    Stale {
        /// The newest revision.
        revision: u32,
    },

    /// The workspace has, or takes, more than it may.
    #[error("{message}")]
    Quota {
        /// The quota's name.
        field: &'static str,
        /// What is used up and how to mend that.
        message: String,
        /// After which time there is room again; `None` when none comes back by itself.
        wait: Option<Duration>,
    },

    /// It cannot be done now; trying again later helps.
    #[error("{0}")]
    Unavailable(String),

    /// Hookyard's own fault. Callers get no detail; the log does.
    #[error(transparent)]
    Internal(StoreError),
}

impl Error {
    /// An [`Error::Invalid`].
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(entity) => Self::NotFound(entity),
            StoreError::Conflict(message) => Self::Conflict(message),
            StoreError::Unavailable(message) => Self::Unavailable(message),
            error @ (StoreError::LeaseLost | StoreError::Internal(_)) => Self::Internal(error),
        }
    }
}
