//! One endpoint's queue as it is kept in memory, whatever the backend.
//!
//! Every entry has an ordinal: the first entry an endpoint ever gets is 0, and so on. The head of the
//! queue is at `cursor`, the next entry will be `next`, so what is pending is never counted. Entries
//! below `persisted` are in stored chunks as well; between `head` and `tail` there may be a gap of
//! entries that are in chunks only, so that the queue of an endpoint that is down takes bounded
//! memory.

use std::collections::VecDeque;

use hookyard_core::id::{EventTypeId, ReplayId};
use hookyard_core::model::QueueState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries that stay in memory at the head of a queue once the rest is stored: several bundles of the
/// usual 100, at 8 bytes each, so that ten thousand stuck endpoints take 80 MB.
const HEAD_KEPT: usize = 1_024;

/// Who queued entries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// A reflow of an event type.
    Reflow(EventTypeId),
    /// A slice of a replay.
    Replay(ReplayId),
}

/// Entries that were queued again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Again {
    pub(crate) origin: Origin,
    /// Ordinal of the first entry.
    pub(crate) from: u64,
    /// Ordinal after the last entry.
    pub(crate) until: u64,
    /// When it was asked for.
    pub(crate) at: Timestamp,
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Failing {
    pub(crate) failures: u32,
    pub(crate) retry_at: Option<Timestamp>,
    pub(crate) since: Option<Timestamp>,
    /// Of the event at the head, sent alone.
    pub(crate) refusals: u32,
}

impl Failing {
    /// The state after an attempt that was started at `at`.
    pub(crate) fn after(
        self,
        failures: u32,
        refusals: u32,
        retry_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Self {
        if failures == 0 {
            return Self::default();
        }
        Self { failures, refusals, retry_at, since: self.since.or(Some(at)) }
    }
}

/// Entries at the head of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peek {
    /// The entries, with the moment at which they were queued again, if they were.
    Entries(Vec<(u64, Option<Timestamp>)>),
    /// Entries from this ordinal on must be read from the chunks first.
    Read {
        /// The ordinal of the first missing entry.
        first: u64,
    },
}

/// One endpoint's queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backlog {
    cursor: u64,
    next: u64,
    persisted: u64,
    head: VecDeque<u64>,
    gap: u64,
    tail: VecDeque<u64>,
    again: Vec<Again>,
    pub(crate) failing: Failing,
    /// How many dead letters there are beside the queue.
    pub(crate) dead_letters: u64,
    /// Counts the owners (see `Lease`).
    pub(crate) epoch: u64,
}

impl Backlog {
    /// A queue of which all entries are in chunks.
    pub(crate) fn stored(cursor: u64, next: u64, again: Vec<Again>, failing: Failing) -> Self {
        let mut backlog = Self { cursor, next, persisted: next, failing, ..Self::default() };
        backlog.gap = next - cursor;
        backlog.again = again;
        backlog
    }

    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// What was queued again and has not been delivered whole.
    pub(crate) fn again(&self) -> &[Again] {
        &self.again
    }

    /// How many entries of a replay are still to be delivered.
    pub(crate) fn undelivered(&self, replay: ReplayId) -> u64 {
        let own = self.again.iter().filter(|again| again.origin == Origin::Replay(replay));
        own.map(|again| again.until - again.from.max(self.cursor)).sum()
    }

    /// Whether some of a replay's entries are still to be delivered.
    pub(crate) fn replays(&self) -> bool {
        self.again.iter().any(|again| matches!(again.origin, Origin::Replay(_)))
    }

    pub(crate) fn state(&self) -> QueueState {
        QueueState {
            pending: self.next - self.cursor,
            failures: self.failing.failures,
            retry_at: self.failing.retry_at,
            failing_since: self.failing.since,
            refusals: self.failing.refusals,
            dead_letters: self.dead_letters,
        }
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

    /// Queues entries that are in chunks already.
    pub(crate) fn push_stored(&mut self, count: u64, again: Again) {
        self.push_again(count);
        self.again.push(again);
    }

    /// Queues entries again that are in chunks already.
    pub(crate) fn push_again(&mut self, count: u64) {
        debug_assert_eq!(self.persisted, self.next, "what is queued before them is stored");
        self.forget_tail();
        self.gap += count;
        self.next += count;
        self.persisted = self.next;
    }

    /// Up to `count` entries of the head.
    pub(crate) fn peek(&mut self, count: usize) -> Peek {
        if self.gap == 0 && self.head.len() < count {
            let more = (count - self.head.len()).min(self.tail.len());
            self.head.extend(self.tail.drain(..more));
        }
        if self.gap > 0 && self.head.len() < count {
            return Peek::Read { first: self.cursor + self.head.len() as u64 };
        }
        let entries = self.head.iter().take(count).enumerate();
        Peek::Entries(entries.map(|(n, seq)| (*seq, self.queued_again(n as u64))).collect())
    }

    fn queued_again(&self, place: u64) -> Option<Timestamp> {
        let ordinal = self.cursor + place;
        let range = |again: &&Again| (again.from..again.until).contains(&ordinal);
        self.again.iter().find(range).map(|again| again.at)
    }

    /// Takes in what was read from a chunk: the entries from ordinal `first` on.
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

    /// Takes entries off the head, at most all. The answer is whether the last entry of a replay's
    /// slice was among them.
    pub(crate) fn advance(&mut self, count: u64) -> bool {
        let count = count.min(self.next - self.cursor);
        self.cursor += count;
        let from_head = count.min(self.head.len() as u64);
        self.head.drain(..narrow(from_head));
        let from_gap = (count - from_head).min(self.gap);
        self.gap -= from_gap;
        self.tail.drain(..narrow(count - from_head - from_gap));
        self.persisted = self.persisted.max(self.cursor);
        let cursor = self.cursor;
        let replayed = self.replays();
        self.again.retain(|again| again.until > cursor);
        replayed && !self.replays()
    }

    /// Entries that no chunk has yet: the ordinal of the first, and all of them.
    pub(crate) fn unsaved(&self) -> (u64, Vec<u64>) {
        let count = narrow(self.next - self.persisted);
        let in_tail = count.min(self.tail.len());
        let in_head = count - in_tail;
        let head = self.head.iter().skip(self.head.len() - in_head);
        let tail = self.tail.iter().skip(self.tail.len() - in_tail);
        (self.persisted, head.chain(tail).copied().collect())
    }

    /// Notes that chunks have everything now, and lets go of all but the head's first entries.
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

/// Counts here are lengths of lists in memory or bounded by them.
fn narrow(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(u8),
        Advance(u8),
        Peek(u8),
        Save,
        Reflow(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            any::<u8>().prop_map(Step::Push),
            any::<u8>().prop_map(Step::Advance),
            any::<u8>().prop_map(Step::Peek),
            Just(Step::Save),
            any::<u8>().prop_map(Step::Reflow),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// What is stored, and all entries ever queued, by ordinal.
    #[derive(Default)]
    struct Model {
        all: Vec<u64>,
        stored: std::collections::BTreeMap<u64, Vec<u64>>,
        cursor: usize,
    }

    impl Model {
        fn save(&mut self, backlog: &mut Backlog) {
            let (first, seqs) = backlog.unsaved();
            if !seqs.is_empty() {
                self.stored.insert(first, seqs);
            }
            backlog.saved();
        }

        fn push(&mut self) -> u64 {
            let seq = self.all.len() as u64 * 3;
            self.all.push(seq);
            seq
        }

        fn peek(&self, backlog: &mut Backlog, count: usize) -> Vec<u64> {
            loop {
                match backlog.peek(count) {
                    Peek::Entries(entries) => return entries.iter().map(|(seq, _)| *seq).collect(),
                    Peek::Read { first } => {
                        let (at, seqs) = self.stored.range(..=first).next_back().unwrap();
                        assert!(*at + seqs.len() as u64 > first, "no chunk has entry {first}");
                        backlog.fill(*at, seqs);
                    }
                }
            }
        }

        fn run(&mut self, backlog: &mut Backlog, step: &Step) {
            match *step {
                Step::Push(n) => (0..n).for_each(|_| backlog.push(self.push())),
                Step::Advance(n) => {
                    backlog.advance(u64::from(n));
                    self.cursor = (self.cursor + usize::from(n)).min(self.all.len());
                }
                Step::Peek(n) => {
                    let until = (self.cursor + usize::from(n)).min(self.all.len());
                    assert_eq!(self.peek(backlog, n.into()), self.all[self.cursor..until]);
                }
                Step::Save => self.save(backlog),
                Step::Reflow(n) if n > 0 => {
                    self.save(backlog);
                    let from = backlog.next();
                    let seqs: Vec<_> = (0..n).map(|_| self.push()).collect();
                    self.stored.insert(from, seqs);
                    let (origin, at) = (Origin::Reflow(EventTypeId(1)), Timestamp::UNIX_EPOCH);
                    let until = from + u64::from(n);
                    backlog.push_stored(n.into(), Again { origin, from, until, at });
                }
                Step::Reflow(_) => {}
            }
        }
    }

    proptest! {
        #[test]
        fn a_backlog_is_a_queue(steps in steps()) {
            let (mut model, mut backlog) = (Model::default(), Backlog::default());
            for step in &steps {
                model.run(&mut backlog, step);
                let pending = (model.all.len() - model.cursor) as u64;
                prop_assert_eq!(backlog.state().pending, pending);
            }
            let rest = model.peek(&mut backlog, usize::MAX);
            prop_assert_eq!(rest, &model.all[model.cursor..]);
        }
    }

    #[test]
    fn a_stored_queue_keeps_only_its_head_in_memory() {
        let mut backlog = Backlog::default();
        (0..100_000).for_each(|seq| backlog.push(seq));
        assert_eq!(backlog.unsaved().1.len(), 100_000);
        backlog.saved();
        assert_eq!((backlog.head.len(), backlog.tail.len()), (HEAD_KEPT, 0));
        assert_eq!(backlog.state().pending, 100_000);
        backlog.push(1);
        assert_eq!(backlog.unsaved(), (100_000, vec![1]));
    }
}
