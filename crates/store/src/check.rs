//! What a look at everything that a store holds finds.

use serde::Serialize;

use crate::{Loss, StoreError};

/// Problems that are kept: whoever has more restores a backup, and reads no list.
pub const FINDINGS_MAX: usize = 200;

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The events.
    pub events: Checked,
    /// The attempts.
    pub attempts: Checked,
    /// The rows of datasets.
    pub rows: Checked,
    /// Secrets that open with the key.
    pub secrets: u64,
    /// What the store lacks of what was acknowledged.
    pub loss: Option<Loss>,
    /// The first problems.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more_findings: u64,
}

/// How many records of a kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    /// All.
    pub records: u64,
    /// Those that were written before there were checksums.
    pub without_checksum: u64,
    /// Those that are not what was written.
    pub damaged: u64,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is with: a file, a table.
    pub part: String,
    /// The number of the record.
    pub number: Option<u64>,
    /// What it is, for people.
    pub problem: String,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_whole(&self) -> bool {
        self.loss.is_none() && self.findings.is_empty() && self.more_findings == 0
    }

    /// Adds a problem.
    pub(crate) fn find(&mut self, part: &str, number: Option<u64>, problem: impl Into<String>) {
        if self.findings.len() >= FINDINGS_MAX {
            self.more_findings += 1;
            return;
        }
        self.findings.push(Finding { part: part.to_owned(), number, problem: problem.into() });
    }
}

/// Hears what is being looked at. What it answers an error to ends the check.
pub type Looking<'a> = &'a mut (dyn FnMut(&'static str, u64) -> Result<(), StoreError> + Send);
