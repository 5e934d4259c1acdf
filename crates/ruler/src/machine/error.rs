//! Why a machine did not take a rule.

use std::fmt;

use crate::limits::MAX_MACHINE_SUB_RULES;

/// Why a machine did not take a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The machine would hold more than [`MAX_MACHINE_SUB_RULES`].
    Full,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Full => write!(
                f,
                "the machine cannot hold more than {MAX_MACHINE_SUB_RULES} sub-rules \
                 (remove rules, or use several machines)"
            ),
        }
    }
}

impl std::error::Error for Error {}
