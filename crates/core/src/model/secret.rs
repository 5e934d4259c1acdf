use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret that must be read back: kept encrypted on disk and never printed.
///
/// Serialising one writes it in clear: only what is encrypted afterwards, or an answer to a caller
/// who may see it, does that.
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
