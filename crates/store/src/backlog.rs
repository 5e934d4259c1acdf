//! One endpoint's queue in memory, the same for all backends.
//!
//! Every entry has a place: the places of an endpoint count up from 0. The head of the queue is at `cursor`,
//! the next entry will be at `next`, so the number of pending entries is known without a count. An entry
//! behind the head may leave inside the window only, so few places have to be remembered. Entries below
//! `persisted` are in stored chunks as well; a gap between `head` and `tail` holds entries in chunks only, so
//! the queue of a failing endpoint takes bounded memory.

use std::collections::{BTreeSet, VecDeque};

use hookyard_core::id::{EventTypeId, ReplayId};
use hookyard_core::model::QueueState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Held, WINDOW};

/// Entries at the head of a queue that stay in memory once the rest is stored: several bundles of the usual
/// 100, at 8 bytes each, so ten thousand stuck endpoints take 80 MB.
const HEAD_KEPT: usize = 1_024;

/// The cause of queueing entries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A reflow of an event type.
    Reflow(EventTypeId),
    /// A slice of a replay.
    Replay(ReplayId),
}

/// Entries queued again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Again {
    pub(crate) origin: Origin,
    /// Place of the first entry.
    pub(crate) from: u64,
    /// Place after the last entry.
    pub(crate) until: u64,
    /// The moment of the request.
    pub(crate) at: Timestamp,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Failing {
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) since: Option<Timestamp>,
}

impl Failing {
    /// The state after an attempt that started at `at`.
    fn after(self, failures: u32, retry_at: Option<Timestamp>, at: Timestamp) -> Self {
        if failures == 0 {
            return Self::default();
        }
        // A clock set back does not move the moment into the future.
        let since = self.since.map_or(at, |since| since.min(at));
        Self { failures, retry_at, since: Some(since) }
    }
}

/// The effect of an attempt on a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled<'a> {
    /// The places of the attempt's entries, ascending; empty for the first queued entries.
    pub(crate) entries: &'a [u64],
    /// The number of the first queued entries.
    pub(crate) count: u64,
    /// Whether the entries leave the queue.
    pub(crate) leave: bool,
    /// The failures in a row.
    pub(crate) failures: u32,
    /// How often the bundle's only event was refused alone.
    pub(crate) refusals: u32,
    /// When to try again.
    pub(crate) retry_at: Option<Timestamp>,
    /// The start of the attempt.
    pub(crate) at: Timestamp,
}

/// Entries of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peek {
    /// The entries.
    Entries(Vec<Entry>),
    /// Entries from this place on must be read from the chunks first.
    Read {
        /// The place of the first missing entry.
        first: u64,
    },
}

/// A queued entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: u64,
    /// The event's number.
    pub(crate) seq: u64,
    /// The moment of queueing again, if any.
    pub(crate) again: Option<Timestamp>,
}

/// The stored position of a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Position {
    pub(crate) cursor: u64,
    pub(crate) next: u64,
    pub(crate) again: Vec<Again>,
    pub(crate) failing: Failing,
    /// Entries behind the cursor that have left.
    pub(crate) done: BTreeSet<u64>,
    pub(crate) held: Vec<Held>,
}

/// An endpoint's queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog {
    cursor: u64,
    next: u64,
    persisted: u64,
    /// Entries from the cursor on, departed entries included.
    head: VecDeque<u64>,
    gap: u64,
    tail: VecDeque<u64>,
    again: Vec<Again>,
    /// Departed entries behind the cursor, all in the window.
    done: BTreeSet<u64>,
    /// The entries of the last failed attempts. No entry is in two of the sets.
    held: Vec<Held>,
    failing: Failing,
    /// How many dead letters there are beside the queue.
    pub(crate) dead_letters: u64,
    /// Counts the owners (see `Lease`).
    pub(crate) epoch: u64,
}

impl Backlog {
    /// A queue whose entries are all in chunks.
    pub(crate) fn stored(position: Position) -> Self {
        let Position { cursor, next, again, failing, done, held } = position;
        let gap = next - cursor;
        let persisted = next;
        Self { cursor, next, persisted, gap, again, failing, done, held, ..Self::default() }
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Places from here on are behind the window.
    pub(crate) fn window_end(&self) -> u64 {
        self.next.min(self.cursor + WINDOW)
    }

    /// The entries queued again and not yet delivered whole.
    pub(crate) fn again(&self) -> &[Again] {
        &self.again
    }

    /// Departed entries behind the cursor.
    pub(crate) fn done(&self) -> &BTreeSet<u64> {
        &self.done
    }

    /// The entries of the last failed attempts.
    pub(crate) fn held(&self) -> &[Held] {
        &self.held
    }

    pub(crate) fn failing(&self) -> Failing {
        self.failing
    }

    /// Forgets the failures. The entries of a failed bundle stay together.
    pub(crate) fn forgive(&mut self) {
        self.failing = Failing::default();
        for held in &mut self.held {
            (held.failures, held.refusals, held.retry_at) = (0, 0, None);
        }
    }

    /// How many entries of a range are still queued.
    fn queued_in(&self, from: u64, until: u64) -> u64 {
        let from = from.max(self.cursor);
        if from >= until {
            return 0;
        }
        until - from - self.done.range(from..until).count() as u64
    }

    /// How many entries of a replay are still to be delivered.
    pub(crate) fn undelivered(&self, replay: ReplayId) -> u64 {
        let own = self.again.iter().filter(|again| again.origin == Origin::Replay(replay));
        own.map(|again| self.queued_in(again.from, again.until)).sum()
    }

    /// Whether some of a replay's entries are still to be delivered.
    pub(crate) fn replays(&self) -> bool {
        self.again.iter().any(|again| matches!(again.origin, Origin::Replay(_)))
    }

    pub(crate) fn state(&self) -> QueueState {
        let retry_at = match &self.held[..] {
            [] => self.failing.retry_at,
            // An entry without a wait comes first.
            held => held.iter().map(|held| held.retry_at).min().flatten(),
        };
        QueueState {
            pending: self.next - self.cursor - self.done.len() as u64,
            failures: self.failing.failures,
            retry_at: retry_at.filter(|_| self.failing.failures > 0),
            failing_since: self.failing.since,
            refusals: self.held_first().map_or(0, |held| held.refusals),
            dead_letters: self.dead_letters,
        }
    }

    /// The failed entries of an attempt, if they are exactly the first entries.
    pub(crate) fn held_first(&self) -> Option<&Held> {
        let first = |held: &&Held| {
            let entries = held.entries.iter().copied();
            self.queued().take(held.entries.len()).eq(entries)
        };
        self.held.iter().find(first)
    }

    /// The places of the queue.
    fn queued(&self) -> impl Iterator<Item = u64> {
        (self.cursor..self.next).filter(|place| !self.done.contains(place))
    }

    /// Queues an event.
    pub(crate) fn push(&mut self, seq: u64) {
        self.next += 1;
        if self.gap == 0 && self.tail.is_empty() {
            self.head.push_back(seq);
        } else {
            self.tail.push_back(seq);
        }
    }

    /// Queues entries that are already in chunks.
    pub(crate) fn push_stored(&mut self, count: u64, again: Again) {
        self.push_again(count);
        self.again.push(again);
    }

    /// Queues again entries that are already in chunks.
    pub(crate) fn push_again(&mut self, count: u64) {
        debug_assert_eq!(self.persisted, self.next, "what is queued before them is stored");
        self.forget_tail();
        self.gap += count;
        self.next += count;
        self.persisted = self.next;
    }

    /// Up to `count` entries from the first place on, below the second place.
    pub(crate) fn peek(&mut self, from: u64, count: usize, below: u64) -> Peek {
        let (from, below) = (from.max(self.cursor), below.min(self.next));
        if from >= below || count == 0 {
            return Peek::Entries(Vec::new());
        }
        let skip = narrow(from - self.cursor);
        // So many places hold enough entries that have not left.
        let looked_at = skip.saturating_add(count).saturating_add(self.done.len());
        let looked_at = looked_at.min(narrow(below - self.cursor));
        if self.gap == 0 && self.head.len() < looked_at {
            let more = (looked_at - self.head.len()).min(self.tail.len());
            self.head.extend(self.tail.drain(..more));
        }
        if self.head.len() < looked_at {
            return Peek::Read { first: self.cursor + self.head.len() as u64 };
        }
        let places = (from..).zip(self.head.range(skip..looked_at));
        let queued = places.filter(|(place, _)| !self.done.contains(place)).take(count);
        let entry = |(place, seq): (u64, &u64)| {
            let again = self.again.iter().find(|again| (again.from..again.until).contains(&place));
            Entry { place, seq: *seq, again: again.map(|again| again.at) }
        };
        Peek::Entries(queued.map(entry).collect())
    }

    /// Takes in the entries read from a chunk, from place `first` on.
    pub(crate) fn fill(&mut self, first: u64, seqs: &[u64]) {
        let wanted = self.cursor + self.head.len() as u64;
        let skip = usize::try_from(wanted.saturating_sub(first)).unwrap_or(usize::MAX);
        for seq in seqs.iter().skip(skip) {
            if first > wanted || self.gap == 0 {
                return;
            }
            self.head.push_back(*seq);
            self.gap -= 1;
        }
    }

    /// Takes in the outcome of an attempt. Returns whether the last entry of a replay's slice left with the
    /// attempt.
    pub(crate) fn settle(&mut self, settled: Settled<'_>) -> bool {
        let Settled { entries, count, leave, failures, refusals, retry_at, at } = settled;
        self.failing = self.failing.after(failures, retry_at, at);
        if entries.is_empty() && leave && self.done.is_empty() {
            self.held.clear();
            return self.advance(count.min(self.next - self.cursor));
        }
        let places: Vec<u64> = match entries {
            // One bundle at a time: nothing is held any more.
            [] => self.queued().take(narrow(count)).collect(),
            given => given.iter().copied().filter(|place| self.is_queued(*place)).collect(),
        };
        let earlier = self.let_go(&places, entries.is_empty());
        if leave {
            return self.take(&places);
        }
        if !places.is_empty() {
            let failures = earlier.saturating_add(1);
            self.held.push(Held { entries: places, failures, refusals, retry_at });
        }
        false
    }

    fn is_queued(&self, place: u64) -> bool {
        (self.cursor..self.next).contains(&place) && !self.done.contains(&place)
    }

    /// Lets go of the held sets with any of these places, or of all sets. Returns how often the sets had
    /// failed.
    fn let_go(&mut self, places: &[u64], all: bool) -> u32 {
        let mut failures = 0;
        self.held.retain(|held| {
            let shared = held.entries.iter().any(|place| places.binary_search(place).is_ok());
            if shared {
                failures = failures.max(held.failures);
            }
            !shared && !all
        });
        failures
    }

    /// Takes entries out of the queue.
    fn take(&mut self, places: &[u64]) -> bool {
        self.done.extend(places);
        let mut head = self.cursor;
        while self.done.remove(&head) {
            head += 1;
        }
        self.advance(head - self.cursor)
    }

    /// Moves the cursor on; whether the last entry of a replay's slice has left now.
    fn advance(&mut self, count: u64) -> bool {
        self.cursor += count;
        let from_head = count.min(self.head.len() as u64);
        self.head.drain(..narrow(from_head));
        let from_gap = (count - from_head).min(self.gap);
        self.gap -= from_gap;
        self.tail.drain(..narrow(count - from_head - from_gap));
        self.persisted = self.persisted.max(self.cursor);
        if self.again.is_empty() {
            return false;
        }
        let replayed = self.replays();
        let mut again = std::mem::take(&mut self.again);
        again.retain(|again| self.queued_in(again.from, again.until) > 0);
        self.again = again;
        replayed && !self.replays()
    }

    /// Entries that are in no chunk yet: the place of the first, and the entries.
    pub(crate) fn unsaved(&self) -> (u64, Vec<u64>) {
        let count = narrow(self.next - self.persisted);
        let in_tail = count.min(self.tail.len());
        let in_head = count - in_tail;
        let head = self.head.iter().skip(self.head.len() - in_head);
        let tail = self.tail.iter().skip(self.tail.len() - in_tail);
        (self.persisted, head.chain(tail).copied().collect())
    }

    /// Notes that the chunks have everything now, and drops all but the first entries of the head.
    pub(crate) fn saved(&mut self) {
        self.persisted = self.next;
        if self.gap > 0 || !self.tail.is_empty() || self.head.len() > 2 * HEAD_KEPT {
            self.forget_tail();
            let surplus = self.head.len().saturating_sub(HEAD_KEPT);
            self.head.truncate(self.head.len() - surplus);
            self.gap += surplus as u64;
        }
    }

    fn forget_tail(&mut self) {
        self.gap += self.tail.len() as u64;
        self.tail.clear();
    }
}

/// Counts here are lengths of lists in memory or bounded by such lengths.
fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
