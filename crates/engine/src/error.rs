use std::time::Duration;

use hookyard_store::{Entity, StoreError};

/// Why an operation did not happen. Each API maps the error to its own form at the edge.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller sent an unusable value. `field` is the path of the value at fault in the caller's
    /// spelling; `message` names the problem and the fix.
    #[error("{field}: {message}")]
    Invalid {
        /// The path of the value at fault, such as `event_categories[0].events[2].event_name`.
        field: String,
        /// The problem and the fix.
        message: String,
    },

    /// The caller named an event type outside of the workspace's catalogue.
    #[error("{field}: {message}")]
    UnknownEventType {
        /// The path of the name.
        field: String,
        /// The name and the fix.
        message: String,
    },

    /// The entity is not there.
    #[error("no such {0}")]
    NotFound(Entity),

    /// The entity changed while the caller worked; reading again and repeating helps.
    #[error("{0}")]
    Conflict(String),

    /// The caller wanted to change an outdated revision.
    #[error("it is at revision {revision} now")]
    Stale {
        /// The newest revision.
        revision: u32,
    },

    /// The workspace has, or takes, more than allowed.
    #[error("{message}")]
    Quota {
        /// The quota's name.
        field: &'static str,
        /// The exhausted quota and the fix.
        message: String,
        /// The time until there is room again; `None` when no room comes back by itself.
        wait: Option<Duration>,
    },

    /// The operation is not possible now; trying again later helps.
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
