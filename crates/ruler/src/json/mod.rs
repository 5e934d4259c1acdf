//! JSON text: a scanner over bytes, and a small tree for rules.

mod scan;
mod text;
mod tree;
mod words;

pub(crate) use scan::{Scanner, Span};
pub(crate) use text::decode;
pub(crate) use tree::{Json, parse_object};

use std::fmt;

/// Why a text is not acceptable JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    offset: usize,
    problem: &'static str,
}

impl JsonError {
    pub(crate) fn new(offset: usize, problem: &'static str) -> Self {
        JsonError { offset, problem }
    }

    /// The byte at which reading stopped.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The problem at the offset.
    pub fn problem(&self) -> &'static str {
        self.problem
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.problem, self.offset)
    }
}

impl std::error::Error for JsonError {}
