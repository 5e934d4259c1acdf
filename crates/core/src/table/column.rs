use jiff::Timestamp;

use super::Kind;
use crate::id::BatchId;

/// A row's place in the dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The row's batch.
    pub batch: BatchId,
    /// When the batch was accepted.
    pub received_at: Timestamp,
}

/// The first and the last row with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first row.
    pub first: Stamp,
    /// The last row.
    pub last: Stamp,
}

/// A row with a wider kind of value than the column's kind before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub at: Stamp,
    /// The kind of all rows before.
    pub from: Kind,
    /// The kind of all rows up to and with the row.
    pub to: Kind,
}

/// A column and the facts learnt from the column's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The path, as written in the names of columns.
    pub name: String,
    /// The narrowest kind for the values of all rows.
    pub kind: Kind,
    /// Rows with a value other than null in the column.
    pub rows: u64,
    /// Rows with null in the column.
    pub nulls: u64,
    /// The rows with the column, null or not.
    pub seen: Seen,
    /// The changes of kind, in order. A step from nothing but null to another kind is no change.
    pub changes: Vec<Change>,
}

impl Column {
    pub(super) fn new(name: String, at: Stamp) -> Self {
        let seen = Seen { first: at, last: at };
        Self { name, kind: Kind::Null, rows: 0, nulls: 0, seen, changes: Vec::new() }
    }

    /// Adds a row's value. Changes are at most as many as kinds with a wider kind.
    pub(super) fn add(&mut self, kind: Kind, at: Stamp) {
        let from = self.kind;
        self.kind = from.join(kind);
        let shown = from != Kind::Null && from.as_str() != self.kind.as_str();
        if shown {
            self.changes.push(Change { at, from, to: self.kind });
        }
        let count = if kind == Kind::Null { &mut self.nulls } else { &mut self.rows };
        *count += 1;
        self.seen.last = at;
    }
}
