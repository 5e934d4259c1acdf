//! A node's share of a quota.
//!
//! A twentieth of the quota is divided among the nodes: each node has a small leaky bucket for its
//! part. The rest is in a bucket in the store, shared by all nodes. A node takes turns from the
//! shared bucket when needed, and as many ahead as the node's own part has, so that a single
//! question serves many requests.

use std::time::Duration;

use hookyard_core::model::{Level, Quota};
use hookyard_store::Taken;

use super::{Standing, Subject};

/// The divisor for the part of a quota divided among the nodes, and for the part that nodes may
/// have taken ahead and not used.
const APART: u32 = 20;

/// The least time between two questions for the same bucket, in microseconds, when the first was
/// answered with less than was asked for. Turns that leak out meanwhile are not lost: the next
/// answer grants them. Without the limit, a quota of a thousand a second would cause a thousand
/// questions a second.
const ASK_EVERY_US: i64 = 50_000;

/// A quota, divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// The part of this node alone.
    own: Quota,
    /// The part shared by all nodes.
    pub(super) shared: Quota,
    /// How many turns are taken ahead.
    pub(super) ahead: u32,
}

impl Parts {
    /// The parts of a quota among `nodes` nodes. Nothing is divided while the number of nodes is
    /// unknown (0), nor of a quota with fewer turns than parts.
    pub(super) fn of(quota: Quota, nodes: u32) -> Self {
        let own = (quota.turns / APART).checked_div(nodes).unwrap_or(0);
        let shared = quota.turns - own * nodes;
        Self {
            own: Quota { turns: own, ..quota },
            shared: Quota { turns: shared, ..quota },
            ahead: own.max(1),
        }
    }
}

/// Where a turn comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    /// The node's own part.
    Own,
    /// The node's turns in hand from the shared part.
    Hand,
    /// The store must be asked.
    Ask,
    /// There is none.
    None,
}

/// A node's knowledge of a quota of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    /// Of the node's own part.
    own: Level,
    /// The level of the shared part at the last answer of the store.
    shared: Level,
    /// Turns taken from the shared part and not used yet.
    hand: u32,
    /// Turns given while the store was away.
    owed: u32,
    /// Before this moment, in microseconds of Unix time, asking would be in vain.
    ask_at: i64,
}

impl Bucket {
    /// Takes a turn, if the node has a turn.
    pub(super) fn draw(&mut self, quota: Quota, nodes: u32, now: i64) -> Draw {
        let parts = Parts::of(quota, nodes);
        if parts.own.room(self.own, now) > 0 {
            self.own = parts.own.take(self.own, 1, now);
            return Draw::Own;
        }
        if self.shared.0 <= now {
            // The turns in hand have leaked out of the bucket since, and can be taken anew.
            self.hand = 0;
        }
        if self.hand > 0 {
            self.hand -= 1;
            return Draw::Hand;
        }
        // Later than in a window is never: the clock was set back.
        let in_vain = (1..=quota.window.micros()).contains(&self.ask_at.saturating_sub(now));
        if in_vain { Draw::None } else { Draw::Ask }
    }

    /// Gives back an unused turn.
    pub(super) fn give_back(&mut self, quota: Quota, nodes: u32, draw: Draw) {
        match draw {
            Draw::Own => self.own = Parts::of(quota, nodes).own.give_back(self.own, 1),
            Draw::Hand => self.hand += 1,
            Draw::Ask | Draw::None => {}
        }
    }

    /// The turns that the store still has to count.
    pub(super) fn owed(&self) -> u32 {
        self.owed
    }

    /// Notes the store's answer to a question for `wanted` turns that named `owed`. Returns how
    /// many of `waiting` requests go through; the turns left over are in hand.
    pub(super) fn settle(
        &mut self,
        shared: Quota,
        (owed, wanted): (u32, u32),
        taken: Taken,
        waiting: u32,
        now: i64,
    ) -> u32 {
        self.owed = self.owed.saturating_sub(owed);
        self.shared = taken.level;
        let through = taken.granted.min(waiting);
        self.hand = self.hand.saturating_add(taken.granted - through);
        if taken.granted < wanted {
            self.ask_again(shared, now);
        }
        through
    }

    /// Decides without the store: the node's part of the turns last known to be left.
    pub(super) fn settle_alone(
        &mut self,
        shared: Quota,
        nodes: u32,
        waiting: u32,
        now: i64,
    ) -> u32 {
        // Each node's part, at least a turn: a few nodes together let slightly more through than a
        // small quota has.
        let turns = (shared.turns / nodes.max(1)).max(1).min(shared.turns);
        let part = Quota { turns, ..shared };
        let (through, level) = part.grant(self.shared, 0, waiting, now);
        self.shared = level;
        self.owed = self.owed.saturating_add(through);
        if through < waiting {
            self.ask_again(part, now);
        }
        through
    }

    fn ask_again(&mut self, shared: Quota, now: i64) {
        let wait = i64::try_from(shared.wait(self.shared, now).as_micros()).unwrap_or(i64::MAX);
        self.ask_at = now.saturating_add(wait.max(ASK_EVERY_US));
    }

    /// How long until there may be a turn.
    pub(super) fn wait(&self, quota: Quota, nodes: u32, now: i64) -> Duration {
        let parts = Parts::of(quota, nodes);
        let window = quota.window.micros();
        let wait = self.ask_at.saturating_sub(now).clamp(0, window);
        let shared = Duration::from_micros(u64::try_from(wait).unwrap_or_default());
        if parts.own.turns > 0 { shared.min(parts.own.wait(self.own, now)) } else { shared }
    }

    /// The standing as far as this node knows: turns taken by others since the last answer are
    /// missing.
    pub(super) fn standing(
        &self,
        subject: Subject,
        quota: Quota,
        nodes: u32,
        now: i64,
    ) -> Standing {
        let parts = Parts::of(quota, nodes);
        let shared = parts.shared.room(self.shared, now).saturating_add(self.hand);
        let remaining = parts.own.room(self.own, now).saturating_add(shared).min(quota.turns);
        let reset = quota.reset(self.own, now).max(quota.reset(self.shared, now));
        Standing { subject, quota, remaining, reset }
    }

    /// How much there is to remember: nothing when all taken turns have leaked out, and more, the
    /// nearer the caller is to the limit.
    pub(super) fn weight(&self, now: i64) -> u64 {
        let left = |level: Level| u64::try_from(level.0.saturating_sub(now)).unwrap_or(0);
        // The same time counts many times more turns in the shared part than in the own part.
        left(self.own).saturating_add(left(self.shared).saturating_mul(APART.into()))
    }
}
