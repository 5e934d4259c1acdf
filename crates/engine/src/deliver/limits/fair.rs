//! A number of places, shared by workspaces.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookyard_core::id::{EndpointId, WorkspaceId};
use tokio::sync::oneshot;

use super::Stopping;

/// A workspace may hold this many times the places left free. A single workspace with unbounded demand gets
/// four fifths, two get four ninths each, and some places are always left for the next workspace: the
/// dynamic thresholds of switches' shared buffers.
pub(super) const TIMES_FREE: usize = 4;

/// An endpoint leaves this many times its own places of the rest that its workspace may take. So endpoints
/// with many bundles at a time leave room for some forty with a single bundle.
const TIMES_LEFT: usize = 8;

/// The number of waiting endpoints examined for the next free place. Endpoints that may not have a place
/// now go to the end, so each has its turn.
const LOOKS_MAX: usize = 64;

/// The holder of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) workspace: WorkspaceId,
    pub(crate) endpoint: EndpointId,
}

/// Places, with a share for each workspace and within the share for each endpoint.
///
/// A workspace that holds nothing may take all free places; any other workspace holds no more than
/// [`TIMES_FREE`] times the places that stay free. In the workspace's rest, an endpoint that holds nothing
/// may take the last place; any other endpoint leaves [`TIMES_LEFT`] times its own places. Waiting callers
/// are served in turns: workspace by workspace, and endpoint by endpoint in each.
#[derive(Debug)]
pub(super) struct Fair(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    closed: bool,
    groups: HashMap<WorkspaceId, Group>,
    /// The workspaces with waiting callers, the next first.
    turns: VecDeque<WorkspaceId>,
}

/// The places that a workspace holds, and the waiting callers.
#[derive(Debug, Default)]
struct Group {
    held: usize,
    members: HashMap<EndpointId, Member>,
    /// The waiting endpoints, the next first.
    turns: VecDeque<EndpointId>,
}

#[derive(Debug, Default)]
struct Member {
    held: usize,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    units: usize,
    place: oneshot::Sender<HeldUnits>,
}

/// Units of the places, given back on drop.
#[derive(Debug)]
pub(crate) struct HeldUnits {
    of: Arc<Fair>,
    holder: Holder,
    units: usize,
}

impl Fair {
    pub(super) fn new(units: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: units,
            closed: false,
            groups: HashMap::new(),
            turns: VecDeque::new(),
        })))
    }

    /// Waits for so many units. Dropping the future gives the wait up.
    pub(super) async fn take(
        self: &Arc<Self>,
        holder: Holder,
        units: usize,
    ) -> Result<HeldUnits, Stopping> {
        let waiting = {
            let mut state = self.lock();
            if state.closed {
                return Err(Stopping);
            }
            if state.turns.is_empty() && state.may_take(holder, units) {
                state.hold(holder, units);
                return Ok(HeldUnits { of: Arc::clone(self), holder, units });
            }
            let (place, waiting) = oneshot::channel();
            state.wait(holder, Waiter { units, place });
            state.serve(self);
            waiting
        };
        waiting.await.map_err(|_| Stopping)
    }

    /// Lets nobody in any more, and tells all waiting callers.
    pub(super) fn close(&self) {
        let waiting: Vec<_> = {
            let mut state = self.lock();
            state.closed = true;
            state.turns.clear();
            let groups = state.groups.values_mut();
            groups
                .flat_map(|group| {
                    group.turns.clear();
                    group.members.values_mut().map(|member| std::mem::take(&mut member.waiting))
                })
                .collect()
        };
        drop(waiting);
    }

    fn give_back(self: &Arc<Self>, holder: Holder, units: usize) {
        let mut state = self.lock();
        state.release(holder, units);
        state.serve(self);
    }

    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.lock().free
    }

    /// A poisoned lock is taken all the same: nothing below panics between two changes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How much more the workspace could take after these units; `None` when there are too few places for
    /// these units.
    fn room_after(&self, workspace: WorkspaceId, units: usize) -> Option<usize> {
        let left = self.free.checked_sub(units)?;
        let held = self.groups.get(&workspace).map_or(0, |group| group.held);
        let most = left.saturating_mul(TIMES_FREE);
        match most.checked_sub(held + units) {
            None if held == 0 => Some(0),
            room => room,
        }
    }

    fn may_take(&self, holder: Holder, units: usize) -> bool {
        let Some(room) = self.room_after(holder.workspace, units) else { return false };
        let group = self.groups.get(&holder.workspace);
        let member = group.and_then(|group| group.members.get(&holder.endpoint));
        member.is_none_or(|member| member.held.saturating_mul(TIMES_LEFT) <= room)
    }

    fn hold(&mut self, holder: Holder, units: usize) {
        self.free -= units;
        let group = self.groups.entry(holder.workspace).or_default();
        group.held += units;
        group.members.entry(holder.endpoint).or_default().held += units;
    }

    fn release(&mut self, holder: Holder, units: usize) {
        self.free += units;
        let Some(group) = self.groups.get_mut(&holder.workspace) else { return };
        group.held -= units;
        if let Some(member) = group.members.get_mut(&holder.endpoint) {
            member.held -= units;
            if member.held == 0 && member.waiting.is_empty() {
                group.members.remove(&holder.endpoint);
            }
        }
        if group.members.is_empty() {
            self.groups.remove(&holder.workspace);
        }
    }

    fn wait(&mut self, holder: Holder, waiter: Waiter) {
        let group = self.groups.entry(holder.workspace).or_default();
        let member = group.members.entry(holder.endpoint).or_default();
        if member.waiting.is_empty() {
            if group.turns.is_empty() {
                self.turns.push_back(holder.workspace);
            }
            group.turns.push_back(holder.endpoint);
        }
        member.waiting.push_back(waiter);
    }

    /// Gives the free places to waiting callers that may have them.
    fn serve(&mut self, of: &Arc<Fair>) {
        let mut misses = 0;
        while misses < self.turns.len().min(LOOKS_MAX) {
            let Some(workspace) = self.turns.pop_front() else { return };
            let served = self.serve_one_of(of, workspace);
            let waits = self.groups.get(&workspace).is_some_and(|group| !group.turns.is_empty());
            if waits {
                self.turns.push_back(workspace);
            }
            misses = if served { 0 } else { misses + usize::from(waits) };
        }
    }

    /// Gives a place to the next endpoint of the workspace that may have a place. Answers whether any could.
    fn serve_one_of(&mut self, of: &Arc<Fair>, workspace: WorkspaceId) -> bool {
        let mut misses = 0;
        loop {
            let Some(group) = self.groups.get_mut(&workspace) else { return false };
            if misses >= group.turns.len().min(LOOKS_MAX) {
                return false;
            }
            let Some(endpoint) = group.turns.pop_front() else { return false };
            let served = self.serve_endpoint(of, Holder { workspace, endpoint });
            misses += usize::from(self.keep(workspace, endpoint));
            if served {
                return true;
            }
        }
    }

    /// Puts an endpoint that had its turn behind the others if still waiting, and forgets an endpoint that
    /// neither waits nor holds anything. Answers whether the endpoint waits.
    fn keep(&mut self, workspace: WorkspaceId, endpoint: EndpointId) -> bool {
        let Some(group) = self.groups.get_mut(&workspace) else { return false };
        let Some(member) = group.members.get(&endpoint) else { return false };
        let waits = !member.waiting.is_empty();
        if waits {
            group.turns.push_back(endpoint);
        } else if member.held == 0 {
            group.members.remove(&endpoint);
            if group.members.is_empty() {
                self.groups.remove(&workspace);
            }
        }
        waits
    }

    /// Gives a place to the first caller waiting for the endpoint, and passes over callers who gave up.
    fn serve_endpoint(&mut self, of: &Arc<Fair>, holder: Holder) -> bool {
        loop {
            let group = self.groups.get_mut(&holder.workspace);
            let member = group.and_then(|group| group.members.get_mut(&holder.endpoint));
            let Some(waiting) = member.map(|member| &mut member.waiting) else { return false };
            waiting.pop_front_if(|waiter| waiter.place.is_closed());
            let Some(units) = waiting.front().map(|waiter| waiter.units) else { return false };
            if !self.may_take(holder, units) {
                return false;
            }
            let group = self.groups.get_mut(&holder.workspace);
            let member = group.and_then(|group| group.members.get_mut(&holder.endpoint));
            let Some(waiter) = member.and_then(|member| member.waiting.pop_front()) else {
                return false;
            };
            let held = HeldUnits { of: Arc::clone(of), holder, units };
            match waiter.place.send(held) {
                Ok(()) => {
                    self.hold(holder, units);
                    return true;
                }
                // Given up just now. There is nothing to give back, and the lock is taken.
                Err(mut unused) => unused.units = 0,
            }
        }
    }
}

impl HeldUnits {
    /// Keeps no more than so many units.
    pub(super) fn keep(&mut self, units: usize) {
        let surplus = self.units.saturating_sub(units);
        if surplus > 0 {
            self.units = units;
            self.of.give_back(self.holder, surplus);
        }
    }
}

impl Drop for HeldUnits {
    fn drop(&mut self) {
        if self.units > 0 {
            self.of.give_back(self.holder, self.units);
        }
    }
}

#[cfg(test)]
mod tests;
