//! An open transaction, and what the writing thread knows beyond the database.

use std::collections::{BTreeMap, HashMap};

use hookyard_core::id::{DatasetId, SourceId};
use rusqlite::Connection;

use super::acknowledged::Acknowledged;
use super::keys::Keys;
use super::memory::Memory;
use super::next_ids::NextIds;
use super::open::{Chunk, NewRow, Open};
use super::repeats::Repeats;

/// The writing thread's state beyond the database.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) ids: NextIds,
    pub(super) keys: Keys,
    /// The datasets changed by the open transaction.
    pub(super) open: HashMap<DatasetId, Open>,
    /// The rows added by the transaction, in the order of the numbers.
    pub(super) rows: Vec<NewRow>,
    /// The deliveries that the transaction keeps for inspection.
    pub(super) kept: BTreeMap<SourceId, Vec<Chunk>>,
    pub(super) repeats: Repeats,
    /// Up to where the last checkpoint counts.
    pub(super) checkpoint: NextIds,
    /// Whether rows wait to be deleted.
    pub(super) garbage: bool,
    /// The file of acknowledged numbers; `None` where the file cannot be written.
    pub(super) acknowledged: Option<Acknowledged>,
}

/// What is done to memory after the commit.
pub(super) type Effect = Box<dyn FnOnce(&Memory) + Send>;

/// An open transaction.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    pub(super) state: &'a mut State,
    pub(super) memory: &'a Memory,
    pub(super) effects: Vec<Effect>,
    /// Set by a job that failed halfway: nothing of the transaction may stay.
    pub(super) broken: Option<Fault>,
}

/// Why a transaction was lost.
pub(super) struct Fault {
    pub(super) reason: String,
    /// Whether the database failed, so that the kept data must be checked.
    pub(super) doubtful: bool,
}

impl Fault {
    pub(super) fn of_database(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), doubtful: true }
    }
}

impl Tx<'_> {
    /// Applies the effect to memory once the transaction is committed.
    pub(super) fn after_commit(&mut self, effect: impl FnOnce(&Memory) + Send + 'static) {
        self.effects.push(Box::new(effect));
    }

    /// Whether statements still belong to the transaction: SQLite gives a transaction up by itself after some
    /// faults (no space, a failed read), and a later statement would be committed at once.
    pub(super) fn is_open(&mut self) -> bool {
        if self.broken.is_none() && self.conn.is_autocommit() {
            self.broken = Some(Fault::of_database("the database gave the transaction up"));
        }
        self.broken.is_none()
    }
}
