use jiff::Timestamp;

use super::Kind;
use crate::id::BatchId;

/// A row's place in its dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The batch that it came with.
    pub batch: BatchId,
    /// When that was accepted.
    pub received_at: Timestamp,
}

/// The first and the last row with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The first one.
    pub first: Stamp,
    /// The last one.
    pub last: Stamp,
}

/// A row from which on a column was of a wider kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The row.
    pub at: Stamp,
    /// What all rows before it were.
    pub from: Kind,
    /// What they are together with it.
    pub to: Kind,
}

/// A column and what is known of the rows that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The path, as written in the names of columns.
    pub name: String,
    /// What holds the values of all rows.
    pub kind: Kind,
    /// Rows that have it with a value other than null.
    pub rows: u64,
    /// Rows that have it as null.
    pub nulls: u64,
    /// The rows that have it, null or not.
    pub seen: Seen,
    /// Where it became another kind, in order. That a column had been nothing but null is none.
    pub changes: Vec<Change>,
}

impl Column {
    pub(super) fn new(name: String, at: Stamp) -> Self {
        let seen = Seen { first: at, last: at };
        Self { name, kind: Kind::Null, rows: 0, nulls: 0, seen, changes: Vec::new() }
    }

    /// Takes in a row's value. There are no more changes than kinds that widen one another.
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
