//! A node's share of one quota.
//!
//! A twentieth of the quota is divided among the nodes: each has its part in a small leaky bucket of
//! its own. The rest is in the bucket that all share, in the store. From there a node takes turns when
//! it needs one, and as many ahead as its own part has, so that it asks once for many requests.

use std::time::Duration;

use hookyard_core::model::{Level, Quota};
use hookyard_store::Taken;

use super::{Standing, Subject};

/// The part of a quota that is divided among the nodes, and the part that they may have taken ahead
/// and not used: one in so many.
const APART: u32 = 20;

/// The least time between two questions for the same bucket, in microseconds, when the first was
/// answered with less than was asked for. What leaks out meanwhile is not lost, it is granted with the
/// next; a quota of a thousand a second would be asked for a thousand times a second without this.
const ASK_EVERY_US: i64 = 50_000;

/// A quota, divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    /// What this node has for itself.
    own: Quota,
    /// What all share.
    pub(super) shared: Quota,
    /// How many turns are taken ahead.
    pub(super) ahead: u32,
}

impl Parts {
    /// Among so many nodes. Nothing is divided while nobody knows how many there are (0), and nothing
    /// of a quota with fewer turns than that has parts.
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
    /// What the node has in hand of the shared part.
    Hand,
    /// The store must be asked.
    Ask,
    /// There is none.
    None,
}

/// What a node knows of one quota of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bucket {
    /// Of the node's own part.
    own: Level,
    /// Of the shared part, as it was when the store was asked last.
    shared: Level,
    /// Turns of the shared part that were taken and not used.
    hand: u32,
    /// Turns that were given while the store could not be asked.
    owed: u32,
    /// Before this moment, in microseconds of Unix time, asking would be in vain.
    ask_at: i64,
}

impl Bucket {
    /// Takes a turn, if there is one here.
    pub(super) fn draw(&mut self, quota: Quota, nodes: u32, now: i64) -> Draw {
        let parts = Parts::of(quota, nodes);
        if parts.own.room(self.own, now) > 0 {
            self.own = parts.own.take(self.own, 1, now);
            return Draw::Own;
        }
        if self.shared.0 <= now {
            // What is in hand has leaked out of the bucket since: it can be taken anew.
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

    /// Gives back a turn that was not used.
    pub(super) fn give_back(&mut self, quota: Quota, nodes: u32, draw: Draw) {
        match draw {
            Draw::Own => self.own = Parts::of(quota, nodes).own.give_back(self.own, 1),
            Draw::Hand => self.hand += 1,
            Draw::Ask | Draw::None => {}
        }
    }

    /// What the store is to count, too.
    pub(super) fn owed(&self) -> u32 {
        self.owed
    }

    /// Notes what the store answered to a question for `wanted` turns that named `owed`. How many of
    /// `waiting` requests go through; what is left over is in hand.
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

    /// Decides without the store: the node's part of what it last knew to be left.
    pub(super) fn settle_alone(
        &mut self,
        shared: Quota,
        nodes: u32,
        waiting: u32,
        now: i64,
    ) -> u32 {
        // Each its part, and one at least: few nodes let a little more through than a small quota has.
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

    /// How things stand, as far as this node knows: what others took since it asked last is missing.
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

    /// How much there is to remember: nothing when all that was taken has leaked out, and more, the
    /// nearer the caller is to its limit.
    pub(super) fn weight(&self, now: i64) -> u64 {
        let left = |level: Level| u64::try_from(level.0.saturating_sub(now)).unwrap_or(0);
        // What was taken of the shared part is many times what the same time of the own part is.
        left(self.own).saturating_add(left(self.shared).saturating_mul(APART.into()))
    }
}
