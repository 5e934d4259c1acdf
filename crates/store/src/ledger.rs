//! The proof that every accepted event is accounted for.
//!
//! For each endpoint that an event matched, the event has left the endpoint's queue with an attempt
//! (delivered, parked or dropped) or is queued. A pass marks the events of the attempts, of the dead letters and
//! of the queues in bitmaps, and compares the marks with the journal. Marks have a bound: a larger store takes
//! another pass for the events beyond.

use std::collections::BTreeMap;

use hookyard_core::id::EndpointId;

use crate::check::{Accounts, Report};

/// Events of one block of marks.
const BLOCK: u64 = 4_096;

/// Words of one bitmap of a block.
const WORDS: usize = 64;

/// Blocks that one pass marks at most: some 300 MB.
pub(crate) const BLOCKS_MAX: usize = 200_000;

/// Events queued twice that one pass remembers at most. Nobody reads a longer list.
const TWICE_MAX: usize = 10_000;

/// How much older than the oldest attempt an event may be while the attempt of the event may be missing. The
/// clocks that stamp events and attempts may differ, and may have been set.
pub(crate) const CLOCKS_MS: i64 = 7 * 24 * 3_600_000;

/// A bitmap of the events of a block.
type Bits = [u64; WORDS];

/// The marks of one endpoint in one block.
struct Marks {
    /// Left the queue with an attempt, or is a dead letter.
    left: Bits,
    /// Queued.
    queued: Bits,
    /// Queued by the publish itself, or again as a dead letter; no reflow or replay.
    once: Bits,
}

/// Some events of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    count: u64,
    first: u64,
    last: u64,
}

/// Problems of all passes, by endpoint.
#[derive(Default)]
pub(crate) struct Problems {
    missing: BTreeMap<EndpointId, Span>,
    twice: BTreeMap<EndpointId, Span>,
}

/// One pass over a store.
pub(crate) struct Ledger {
    /// The first event of the pass.
    from: u64,
    /// The event after the last of the pass.
    until: u64,
    most: usize,
    marks: BTreeMap<(u64, EndpointId), Box<Marks>>,
    twice: Vec<(EndpointId, u64)>,
}

impl Ledger {
    /// A pass for the events from this number on, with at most so many blocks.
    pub(crate) fn new(from: u64, most: usize) -> Self {
        Self { from, until: u64::MAX, most, marks: BTreeMap::new(), twice: Vec::new() }
    }

    /// The event after the last of this pass, once everything is marked.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// Marks an event that has left the endpoint's queue.
    pub(crate) fn left(&mut self, endpoint: EndpointId, seq: u64) {
        if let Some((marks, place)) = self.marks(endpoint, seq) {
            set(&mut marks.left, place);
        }
    }

    /// Marks a queued event; `again` when a reflow or a replay queued the event.
    pub(crate) fn queued(&mut self, endpoint: EndpointId, seq: u64, again: bool) {
        let Some((marks, place)) = self.marks(endpoint, seq) else { return };
        set(&mut marks.queued, place);
        // A dead letter may be delivered again from two places. The first time, the event left with an attempt.
        let twice = !again && set(&mut marks.once, place) && !has(&marks.left, place);
        if twice && self.twice.len() < TWICE_MAX {
            self.twice.push((endpoint, seq));
        }
    }

    /// Takes in an event of the journal and one endpoint that the event matched. With `discarded` the attempt
    /// may have been deleted by retention.
    pub(crate) fn compare(
        &self,
        endpoint: EndpointId,
        seq: u64,
        discarded: bool,
        accounts: &mut Accounts,
        problems: &mut Problems,
    ) {
        accounts.matched += 1;
        let place = seq % BLOCK;
        let marks = self.marks.get(&(seq / BLOCK, endpoint));
        if marks.is_some_and(|marks| has(&marks.queued, place)) {
            accounts.queued += 1;
        } else if marks.is_some_and(|marks| has(&marks.left, place)) {
            accounts.finished += 1;
        } else if discarded {
            accounts.discarded += 1;
        } else {
            accounts.missing += 1;
            note(&mut problems.missing, endpoint, seq);
        }
    }

    /// Takes in the events that are queued twice; `discarded` says of which events attempts may be missing.
    pub(crate) fn finish(self, discarded: impl Fn(u64) -> bool, problems: &mut Problems) {
        for (endpoint, seq) in self.twice {
            if seq < self.until && !discarded(seq) {
                note(&mut problems.twice, endpoint, seq);
            }
        }
    }

    fn marks(&mut self, endpoint: EndpointId, seq: u64) -> Option<(&mut Marks, u64)> {
        if seq < self.from || seq >= self.until {
            return None;
        }
        let key = (seq / BLOCK, endpoint);
        if !self.marks.contains_key(&key) && self.marks.len() >= self.most {
            self.shrink(key.0);
            if seq >= self.until {
                return None;
            }
        }
        let new = || Box::new(Marks { left: [0; WORDS], queued: [0; WORDS], once: [0; WORDS] });
        Some((self.marks.entry(key).or_insert_with(new), seq % BLOCK))
    }

    /// Leaves the highest block to the next pass. The first block stays, whatever its number of endpoints.
    fn shrink(&mut self, wanted: u64) {
        let Some(((highest, _), _)) = self.marks.last_key_value() else { return };
        let highest = wanted.max(*highest);
        if highest > self.from / BLOCK {
            self.until = highest * BLOCK;
            self.marks.retain(|(block, _), _| *block < highest);
        }
    }
}

impl Problems {
    /// Puts the problems into the report.
    pub(crate) fn report(self, report: &mut Report) {
        let endpoints: [(_, &str); 2] = [
            (
                self.missing,
                "matched the endpoint and neither left its queue with an attempt nor are queued",
            ),
            (self.twice, "are queued twice, though none was tried before"),
        ];
        for (problems, what) in endpoints {
            for (endpoint, Span { count, first, last }) in problems {
                let problem =
                    format!("endpoint {endpoint}: {count} events from {first} to {last} {what}");
                report.find("accounts", Some(first), problem);
            }
        }
    }
}

/// The events of an attempt that left the queue: those named by places, or the first ones.
pub(crate) fn leaving(seqs: &[u64], by_places: bool, advance: u64) -> &[u64] {
    let count = match (advance, by_places) {
        (0, _) => 0,
        (_, true) => seqs.len(),
        (_, false) => usize::try_from(advance).unwrap_or(usize::MAX).min(seqs.len()),
    };
    seqs.get(..count).unwrap_or_default()
}

fn note(problems: &mut BTreeMap<EndpointId, Span>, endpoint: EndpointId, seq: u64) {
    let some = problems.entry(endpoint).or_insert(Span { count: 0, first: seq, last: seq });
    some.count += 1;
    some.first = some.first.min(seq);
    some.last = some.last.max(seq);
}

fn bit(place: u64) -> (usize, u64) {
    (usize::try_from(place / 64).unwrap_or(usize::MAX), 1 << (place % 64))
}

/// Sets a bit; whether the bit was set.
fn set(bits: &mut Bits, place: u64) -> bool {
    let (word, bit) = bit(place);
    bits.get_mut(word).is_some_and(|word| {
        let was = *word & bit != 0;
        *word |= bit;
        was
    })
}

fn has(bits: &Bits, place: u64) -> bool {
    let (word, bit) = bit(place);
    bits.get(word).is_some_and(|word| word & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: EndpointId = EndpointId(1);
    const TWO: EndpointId = EndpointId(2);

    /// Passes over `events` with two endpoints; every event left the queue of the first unless in `lost`.
    fn passes(events: u64, lost: &[u64], most: usize) -> (usize, Accounts, Vec<String>) {
        let (mut accounts, mut problems) = (Accounts::default(), Problems::default());
        let (mut from, mut passes) = (1, 0);
        while from <= events {
            let mut ledger = Ledger::new(from, most);
            for seq in 1..=events {
                if !lost.contains(&seq) {
                    ledger.left(ONE, seq);
                }
                ledger.queued(TWO, seq, false);
            }
            let until = ledger.until();
            for seq in from..until.min(events + 1) {
                ledger.compare(ONE, seq, false, &mut accounts, &mut problems);
                ledger.compare(TWO, seq, false, &mut accounts, &mut problems);
            }
            ledger.finish(|_| false, &mut problems);
            (from, passes) = (until, passes + 1);
        }
        let mut report = Report::default();
        problems.report(&mut report);
        (passes, accounts, report.findings.into_iter().map(|found| found.problem).collect())
    }

    #[test]
    fn an_event_in_no_account_is_found_in_one_pass_and_in_many() {
        for (most, wanted) in [(100, 1), (4, 3), (1, 5)] {
            let (count, accounts, found) = passes(5 * BLOCK - 1, &[7, 9_000], most);
            assert_eq!(count, wanted, "{most}");
            let (finished, queued) = (5 * BLOCK - 3, 5 * BLOCK - 1);
            let matched = 2 * queued;
            let expected = Accounts { matched, finished, queued, discarded: 0, missing: 2 };
            assert_eq!(accounts, expected);
            assert_eq!(found.len(), 1);
            assert!(
                found[0].starts_with("endpoint 1: 2 events from 7 to 9000 matched"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn an_event_is_queued_twice_unless_it_was_tried_or_asked_for_again() {
        let mut ledger = Ledger::new(0, 10);
        ledger.left(ONE, 5);
        for seq in [4, 5, 6] {
            ledger.queued(ONE, seq, false);
            ledger.queued(ONE, seq, seq == 6);
        }
        let mut problems = Problems::default();
        ledger.finish(|_| false, &mut problems);
        assert_eq!(problems.twice.get(&ONE), Some(&Span { count: 1, first: 4, last: 4 }));
    }

    #[test]
    fn an_attempt_takes_what_it_names_or_the_first_ones() {
        assert_eq!(leaving(&[1, 2, 3], false, 2), [1, 2]);
        assert_eq!(leaving(&[1, 2, 3], true, 3), [1, 2, 3]);
        assert!(leaving(&[1, 2, 3], false, 0).is_empty());
    }
}
