//! A secret in memory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret for later use in clear: kept encrypted on disk and never printed.
///
/// Serialising a secret writes the clear text. Only two places do so: texts encrypted afterwards, and answers
/// to a caller with the right to see the secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret in clear.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
