//! Why an event was refused.

use std::fmt;

use crate::json::JsonError;
use crate::limits::MAX_EVENT_BYTES;
use crate::steps::Steps;

/// Why an event was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The event is not a JSON object, or exceeds one of the limits on JSON.
    Json(JsonError),
    /// The event is larger than [`MAX_EVENT_BYTES`].
    TooLarge,
    /// The rules take more steps to match the event than are allowed: the arrays are too ambiguous,
    /// or too many values meet too many patterns. Whether the event matches is not known.
    TooCostly {
        /// How many steps were allowed, such as [`MAX_EVENT_STEPS`](crate::limits::MAX_EVENT_STEPS).
        steps: u64,
    },
}

impl Error {
    /// The event took more steps than were allowed.
    pub(crate) fn too_costly(steps: Steps) -> Error {
        Error::TooCostly { steps: steps.allowed() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Json(error) => write!(f, "the event cannot be read as a JSON object: {error}"),
            Error::TooLarge => write!(f, "the event is larger than {MAX_EVENT_BYTES} bytes"),
            Error::TooCostly { steps } => write!(
                f,
                "matching the event takes more than {steps} steps (its arrays are ambiguous, or \
                 many values meet many patterns)"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Json(error) => Some(error),
            Error::TooLarge | Error::TooCostly { .. } => None,
        }
    }
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Error::Json(error)
    }
}
