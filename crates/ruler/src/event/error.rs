//! Why an event was refused.

use std::fmt;

use crate::json::JsonError;
use crate::limits::{MAX_EVENT_BYTES, MAX_SEARCH_STEPS};

/// Why an event was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It is not a JSON object, or exceeds one of the limits on JSON.
    Json(JsonError),
    /// It is larger than [`MAX_EVENT_BYTES`].
    TooLarge,
    /// Its arrays are too ambiguous to search: [`MAX_SEARCH_STEPS`].
    TooAmbiguous,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Json(error) => write!(f, "the event cannot be read as a JSON object: {error}"),
            Error::TooLarge => write!(f, "the event is larger than {MAX_EVENT_BYTES} bytes"),
            Error::TooAmbiguous => write!(
                f,
                "the arrays of the event take more than {MAX_SEARCH_STEPS} steps to search"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Json(error) => Some(error),
            Error::TooLarge | Error::TooAmbiguous => None,
        }
    }
}

impl From<JsonError> for Error {
    fn from(error: JsonError) -> Self {
        Error::Json(error)
    }
}
