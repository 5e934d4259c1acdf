//! The result of a check of all records in a store.

use serde::Serialize;

use crate::{Loss, StoreError};

/// The most problems listed. With more problems, the operator restores a backup and reads no list.
pub const FINDINGS_MAX: usize = 200;

/// The records checked and the problems found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    /// The events.
    pub events: Checked,
    /// The attempts.
    pub attempts: Checked,
    /// The rows of datasets.
    pub rows: Checked,
    /// The fate of the accepted events, for each endpoint that an event matched.
    pub accounts: Accounts,
    /// Secrets that open with the key.
    pub secrets: u64,
    /// The acknowledged records missing from the store.
    pub loss: Option<Loss>,
    /// The first problems.
    pub findings: Vec<Finding>,
    /// The number of problems beyond the listed first ones.
    pub more_findings: u64,
}

/// Counts of one kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    /// All.
    pub records: u64,
    /// Records written before checksums existed.
    pub without_checksum: u64,
    /// Records that differ from the written ones.
    pub damaged: u64,
}

/// Accepted events by fate; an event counts once for each endpoint that the event matched and that still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Accounts {
    /// All.
    pub matched: u64,
    /// Delivered, or parked as a dead letter, or dropped.
    pub finished: u64,
    /// Queued, for the first time or again.
    pub queued: u64,
    /// Events so old that retention may have deleted their attempts.
    pub discarded: u64,
    /// Events with none of these fates: a fault.
    pub missing: u64,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The part of the store with the problem: a file, a table.
    pub part: String,
    /// The number of the record.
    pub number: Option<u64>,
    /// A description for people.
    pub problem: String,
}

impl Report {
    /// Whether the store is free of problems and losses.
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

/// The problem of counters (rows, suspended, bytes) that differ from the rows.
pub(crate) fn rows_differ(said: (i64, i64, i64), found: (i64, i64, i64)) -> String {
    format!("the counters (rows, suspended, bytes) are {said:?}, and the rows make {found:?}")
}

/// The problem of a counter of bytes that differs from the records.
pub(crate) fn bytes_differ(what: &str, said: i64, found: i64) -> String {
    format!("{said} bytes are counted for {what}, and the records have {found}")
}

/// Hears the part being checked. An error in answer ends the check.
pub type Looking<'a> = &'a mut (dyn FnMut(&'static str, u64) -> Result<(), StoreError> + Send);
