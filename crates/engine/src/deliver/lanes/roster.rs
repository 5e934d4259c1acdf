//! The choice of the entries that go out together, and of the entries that wait for others.
//!
//! An entry is free or in a lane. Of the entries with the same key, the first are in a lane, all in the same
//! lane. So the order of each key holds, whatever becomes of the lanes. A lane lasts from the making of its
//! first bundle until none of its entries has to be sent by itself any more.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use hookyard_core::id::Seq;
use hookyard_core::order_key::Key;
use hookyard_store::{HeadLimit, Held};
use jiff::Timestamp;

use crate::deliver::verdict::{Bisection, Verdict};

/// An entry of the queue without its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneEntry {
    pub(super) place: u64,
    pub(super) seq: Seq,
    pub(super) key: Key,
    /// Bytes of the event's object.
    pub(super) bytes: usize,
    pub(super) queued_at: Timestamp,
}

/// Names a lane for the lane's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(u64);

/// Entries that go out one bundle after another.
#[derive(Debug)]
struct Lane {
    id: LaneId,
    /// Places ascending.
    entries: Vec<LaneEntry>,
    bisection: Bisection,
    failures: u32,
    refusals: u32,
    /// How often in a row this server lacked the means to send.
    unable: u32,
    /// Nothing is sent before this moment, a monotonic reading.
    retry_at: Option<Duration>,
    /// Whether the lane's first entries are in flight.
    in_flight: bool,
}

/// The part of a lane that is sent at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LaneBundle {
    pub(super) entries: Vec<LaneEntry>,
    /// How often the bundle has failed so far.
    pub(super) failures: u32,
    /// How often the bundle's only event was refused alone so far.
    pub(super) refusals: u32,
}

/// How a bundle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneOutcome {
    pub(super) verdict: Verdict,
    /// How many of the entries were in the bundle.
    pub(super) events: usize,
    pub(super) refusals: u32,
    /// When the bundle is sent again, as a monotonic reading.
    pub(super) retry_at: Option<Duration>,
}

/// The result of putting a new lane together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Picked {
    Lane(LaneId),
    /// More entries for the lane may follow behind the known entries.
    Short,
    /// All keys are in lanes.
    Nothing,
}

/// The known entries.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Entries in no lane, places ascending.
    free: VecDeque<LaneEntry>,
    lanes: Vec<Lane>,
    /// How many lanes there have been.
    made: u64,
}

impl Roster {
    /// The entries of a queue from its head on, and the bundles that failed so far. Each bundle has the
    /// monotonic reading of its next try. Bundles that do not fit together, because the path of the key was
    /// changed, are taken apart.
    pub(super) fn new(entries: Vec<LaneEntry>, held: &[(Held, Option<Duration>)]) -> Self {
        let mut roster = Self::default();
        let owner: HashMap<u64, usize> = match is_orderly(&entries, &owners(held)) {
            true => owners(held),
            false => HashMap::new(),
        };
        let mut lanes: Vec<Vec<LaneEntry>> = held.iter().map(|_| Vec::new()).collect();
        for entry in entries {
            match owner.get(&entry.place) {
                Some(lane) => lanes[*lane].push(entry),
                None => roster.free.push_back(entry),
            }
        }
        let lanes = lanes.into_iter().zip(held).filter(|(own, _)| !own.is_empty());
        for (entries, (held, due)) in lanes {
            let id = roster.make(entries);
            if let Some(lane) = roster.lane(id) {
                lane.failures = held.failures;
                lane.refusals = held.refusals;
                lane.retry_at = *due;
            }
        }
        roster
    }

    fn make(&mut self, entries: Vec<LaneEntry>) -> LaneId {
        self.made += 1;
        let id = LaneId(self.made);
        self.lanes.push(Lane {
            id,
            entries,
            bisection: Bisection::default(),
            failures: 0,
            refusals: 0,
            unable: 0,
            retry_at: None,
            in_flight: false,
        });
        id
    }

    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.id == id)
    }

    /// Adds entries behind all others.
    pub(super) fn add(&mut self, entries: impl IntoIterator<Item = LaneEntry>) {
        self.free.extend(entries);
    }

    /// How many lanes there are.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// How many bundles are in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.lanes.iter().filter(|lane| lane.in_flight).count()
    }

    /// How many entries are known, free or in lanes.
    pub(super) fn known(&self) -> usize {
        self.free.len() + self.lanes.iter().map(|lane| lane.entries.len()).sum::<usize>()
    }

    /// A lane that has something to send now.
    pub(super) fn due(&self, now: Duration) -> Option<LaneId> {
        let due = |lane: &&Lane| !lane.in_flight && lane.retry_at.is_none_or(|at| at <= now);
        self.lanes.iter().find(due).map(|lane| lane.id)
    }

    /// When the next of the waiting lanes is due.
    pub(super) fn next_retry(&self) -> Option<Duration> {
        let waiting = self.lanes.iter().filter(|lane| !lane.in_flight);
        waiting.filter_map(|lane| lane.retry_at).min()
    }

    /// Makes a lane of the first free entries whose keys are in no lane. `more`: whether unknown entries may
    /// follow.
    pub(super) fn pick(&mut self, limit: HeadLimit, more: bool) -> Picked {
        let taken: HashSet<Key> =
            self.lanes.iter().flat_map(|lane| lane.entries.iter().map(|entry| entry.key)).collect();
        let (mut chosen, mut room, mut looked_at) = (Vec::new(), limit.bytes, 0);
        for entry in &self.free {
            if chosen.len() == limit.events || room == 0 {
                break;
            }
            looked_at += 1;
            if !taken.contains(&entry.key) {
                chosen.push(*entry);
                room = room.saturating_sub(entry.bytes);
            }
        }
        if chosen.len() < limit.events && room > 0 && more {
            return Picked::Short;
        }
        if chosen.is_empty() {
            return Picked::Nothing;
        }
        let passed_over: Vec<LaneEntry> = self.free.drain(..looked_at).collect();
        for entry in passed_over.into_iter().rev().filter(|entry| taken.contains(&entry.key)) {
            self.free.push_front(entry);
        }
        Picked::Lane(self.make(chosen))
    }

    /// How many entries of a lane would be sent now.
    pub(super) fn next_bundle(&self, id: LaneId) -> usize {
        let lane = self.lanes.iter().find(|lane| lane.id == id);
        lane.map_or(0, |lane| lane.entries.len().min(lane.bisection.most(lane.refusals)))
    }

    /// Takes the first entries of a lane to be sent.
    pub(super) fn begin(&mut self, id: LaneId, events: usize) -> LaneBundle {
        let Some(lane) = self.lane(id) else {
            return LaneBundle { entries: Vec::new(), failures: 0, refusals: 0 };
        };
        lane.in_flight = true;
        LaneBundle {
            entries: lane.entries.iter().take(events).copied().collect(),
            failures: lane.failures,
            refusals: lane.refusals,
        }
    }

    /// Gives up on the outcome of a lane's bundle, which nobody will hear: the bundle is to be sent again
    /// unchanged.
    pub(super) fn repeat(&mut self, id: LaneId) {
        if let Some(lane) = self.lane(id) {
            lane.in_flight = false;
        }
    }

    /// Takes in the outcome of a lane's bundle.
    pub(super) fn settle(&mut self, id: LaneId, outcome: LaneOutcome) {
        let LaneOutcome { verdict, events, refusals, retry_at } = outcome;
        let Some(lane) = self.lane(id) else { return };
        (lane.in_flight, lane.unable) = (false, 0);
        lane.bisection.learn(verdict, events);
        let suspects = lane.bisection.suspects();
        let stay = match verdict {
            Verdict::Taken | Verdict::Drop | Verdict::Park => {
                lane.entries.drain(..events);
                (lane.failures, lane.refusals, lane.retry_at) = (0, 0, None);
                suspects
            }
            Verdict::Retry | Verdict::Halve | Verdict::Refused | Verdict::Disable(_) => {
                lane.failures = lane.failures.saturating_add(1);
                (lane.refusals, lane.retry_at) = (refusals, retry_at);
                suspects.max(events)
            }
        };
        self.keep(id, stay);
    }

    /// Notes that a lane's bundle could not be sent and is unchanged. Answers how often in a row that had
    /// happened before.
    pub(super) fn unable(&mut self, id: LaneId) -> u32 {
        let Some(lane) = self.lane(id) else { return 0 };
        lane.in_flight = false;
        let before = lane.unable;
        lane.unable = before.saturating_add(1);
        before
    }

    /// Sends nothing of a lane before this moment, a monotonic reading.
    pub(super) fn wait(&mut self, id: LaneId, until: Duration) {
        if let Some(lane) = self.lane(id) {
            lane.retry_at = Some(until);
        }
    }

    /// Notes that the first entry of a lane has left without a request.
    pub(super) fn unsent(&mut self, id: LaneId) {
        let Some(lane) = self.lane(id) else { return };
        lane.entries.drain(..lane.entries.len().min(1));
        self.keep(id, 0);
    }

    /// Sends nothing of a lane now. A lane that never sent anything is taken apart, so that others may join
    /// its entries.
    pub(super) fn rest(&mut self, id: LaneId) {
        let new = |lane: &mut Lane| lane.failures == 0 && lane.bisection.suspects() == 0;
        if self.lane(id).is_some_and(new) {
            self.keep(id, 0);
        }
    }

    /// Leaves the first entries in a lane; the others are free again.
    fn keep(&mut self, id: LaneId, entries: usize) {
        let Some(lane) = self.lane(id) else { return };
        let free = lane.entries.split_off(entries.min(lane.entries.len()));
        self.lanes.retain(|lane| lane.id != id || !lane.entries.is_empty());
        if !free.is_empty() {
            self.free.extend(free);
            self.free.make_contiguous().sort_by_key(|entry| entry.place);
        }
    }
}

/// The bundle of each entry, by the entry's place.
fn owners(held: &[(Held, Option<Duration>)]) -> HashMap<u64, usize> {
    let own = |(lane, (held, _)): (usize, &(Held, Option<Duration>))| -> Vec<(u64, usize)> {
        held.entries.iter().map(|place| (*place, lane)).collect()
    };
    held.iter().enumerate().flat_map(own).collect()
}

/// Whether, for each entry in a bundle, all earlier entries with its key are in the same bundle.
fn is_orderly(entries: &[LaneEntry], owner: &HashMap<u64, usize>) -> bool {
    let mut last: HashMap<Key, Option<usize>> = HashMap::new();
    entries.iter().all(|entry| {
        let own = owner.get(&entry.place).copied();
        let before = last.insert(entry.key, own);
        own.is_none() || before.is_none_or(|before| before == own)
    })
}

#[cfg(test)]
mod tests;
