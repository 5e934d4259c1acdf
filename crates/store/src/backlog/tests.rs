use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Push(u8),
    /// The first entries leave.
    Advance(u8),
    /// Entries of the window leave: all whose bit is set, from the first entry on.
    Leave(Vec<bool>),
    /// The same stay and are held.
    Fail(Vec<bool>),
    Peek(u8),
    Save,
    /// The stored state is read again, as by a start.
    Restart,
    Reflow(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || proptest::collection::vec(any::<bool>(), 0..40);
    let step = prop_oneof![
        any::<u8>().prop_map(Step::Push),
        any::<u8>().prop_map(Step::Advance),
        some().prop_map(Step::Leave),
        some().prop_map(Step::Fail),
        any::<u8>().prop_map(Step::Peek),
        Just(Step::Save),
        Just(Step::Restart),
        any::<u8>().prop_map(Step::Reflow),
    ];
    proptest::collection::vec(step, 0..60)
}

/// The stored state, all entries ever queued, by place, and the entries still queued.
#[derive(Default)]
struct Model {
    all: Vec<u64>,
    queued: BTreeSet<u64>,
    held: Vec<Vec<u64>>,
    again: Vec<Again>,
    stored: std::collections::BTreeMap<u64, Vec<u64>>,
}

fn settled(entries: &[u64], count: u64, leave: bool) -> Settled<'_> {
    let (failures, at) = (u32::from(!leave), Timestamp::UNIX_EPOCH);
    Settled { entries, count, leave, failures, refusals: 0, retry_at: None, at }
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
        self.queued.insert(self.all.len() as u64);
        self.all.push(seq);
        seq
    }

    fn first(&self, count: usize) -> Vec<u64> {
        self.queued.iter().take(count).copied().collect()
    }

    /// The places of the window with the bit set.
    fn chosen(&self, backlog: &Backlog, bits: &[bool]) -> Vec<u64> {
        let window = self.queued.range(..backlog.window_end());
        window.zip(bits).filter(|(_, bit)| **bit).map(|(place, _)| *place).collect()
    }

    fn settle(&mut self, backlog: &mut Backlog, entries: &[u64], leave: bool) {
        backlog.settle(settled(entries, 0, leave));
        self.held.retain(|held| held.iter().all(|place| !entries.contains(place)));
        if leave {
            self.queued.retain(|place| !entries.contains(place));
            self.again.retain(|again| self.queued.range(again.from..again.until).next().is_some());
        } else if !entries.is_empty() {
            self.held.push(entries.to_vec());
        }
    }

    fn peek(&self, backlog: &mut Backlog, count: usize) -> Vec<u64> {
        loop {
            match backlog.peek(0, count, u64::MAX) {
                Peek::Entries(entries) => {
                    let right = |entry: &Entry| self.all[narrow(entry.place)] == entry.seq;
                    assert!(entries.iter().all(right), "{entries:?}");
                    return entries.iter().map(|entry| entry.place).collect();
                }
                Peek::Read { first } => {
                    let (at, seqs) = self.stored.range(..=first).next_back().unwrap();
                    assert!(*at + seqs.len() as u64 > first, "no chunk has entry {first}");
                    backlog.fill(*at, seqs);
                }
            }
        }
    }

    fn restart(&mut self, backlog: &mut Backlog) {
        self.save(backlog);
        *backlog = Backlog::stored(Position {
            cursor: backlog.cursor(),
            next: backlog.next(),
            again: backlog.again().to_vec(),
            failing: backlog.failing(),
            done: backlog.done().clone(),
            held: serde_json::from_str(&serde_json::to_string(backlog.held()).unwrap()).unwrap(),
        });
    }

    fn reflow(&mut self, backlog: &mut Backlog, count: u8) {
        self.save(backlog);
        let from = backlog.next();
        let seqs: Vec<_> = (0..count).map(|_| self.push()).collect();
        self.stored.insert(from, seqs);
        let (origin, at) = (Origin::Replay(ReplayId(1)), Timestamp::UNIX_EPOCH);
        let again = Again { origin, from, until: from + u64::from(count), at };
        self.again.push(again);
        backlog.push_stored(count.into(), again);
    }

    fn run(&mut self, backlog: &mut Backlog, step: &Step) {
        match step {
            Step::Push(n) => (0..*n).for_each(|_| backlog.push(self.push())),
            Step::Advance(n) => {
                let first = self.first((*n).into());
                backlog.settle(settled(&[], u64::from(*n).max(1), *n > 0));
                self.held.clear();
                self.queued.retain(|place| !first.contains(place));
                self.again
                    .retain(|again| self.queued.range(again.from..again.until).next().is_some());
                if *n == 0 {
                    self.held.extend((!self.queued.is_empty()).then(|| self.first(1)));
                }
            }
            Step::Leave(bits) | Step::Fail(bits) => {
                let chosen = self.chosen(backlog, bits);
                if !chosen.is_empty() {
                    self.settle(backlog, &chosen, matches!(step, Step::Leave(_)));
                }
            }
            Step::Peek(n) => assert_eq!(self.peek(backlog, (*n).into()), self.first((*n).into())),
            Step::Save => self.save(backlog),
            Step::Restart => self.restart(backlog),
            Step::Reflow(n) if *n > 0 => self.reflow(backlog, *n),
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
            prop_assert_eq!(backlog.state().pending, model.queued.len() as u64);
            prop_assert!(backlog.done().len() as u64 <= WINDOW);
            let held: Vec<_> = backlog.held().iter().map(|held| held.entries.clone()).collect();
            prop_assert_eq!(&held, &model.held);
            prop_assert_eq!(backlog.again(), &model.again);
            let left = model.again.iter().map(|again| again.from..again.until);
            let left: usize = left.map(|range| model.queued.range(range).count()).sum();
            prop_assert_eq!(backlog.undelivered(ReplayId(1)), left as u64);
        }
        let rest = model.peek(&mut backlog, usize::MAX);
        prop_assert_eq!(rest, model.first(usize::MAX));
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

#[test]
fn what_fails_again_and_again_is_counted_until_it_leaves() {
    let mut backlog = Backlog::default();
    (0..10).for_each(|seq| backlog.push(seq));
    for failures in 1..=3 {
        backlog.settle(settled(&[2, 5], 0, false));
        assert_eq!(backlog.held()[0].failures, failures);
        assert_eq!(backlog.held_first(), None, "others come before it");
    }
    // A smaller bundle continues the same failure.
    backlog.settle(settled(&[2], 0, false));
    assert_eq!((backlog.held()[0].failures, backlog.held().len()), (4, 1));
    backlog.settle(settled(&[0, 1], 0, true));
    assert_eq!(backlog.held_first().map(|held| held.failures), Some(4));
    backlog.forgive();
    let held = Held { entries: vec![2], failures: 0, refusals: 0, retry_at: None };
    assert_eq!(backlog.held(), [held]);
    backlog.settle(settled(&[2], 0, true));
    assert_eq!(backlog.held(), []);
}
