//! Where large work is done: beside the requests, a bounded amount at a time, and everybody in turn.
//!
//! Work that may take milliseconds and does not wait for anything (undoing a content coding,
//! matching large events, compiling rules, rendering, looking for why a signature is wrong) would
//! stop all requests of its thread. Such work has a **place** here, and the runtime goes on with
//! another thread meanwhile. There are as many places as processors, and each [`Share`] waits in a
//! separate queue; the queues take turns, and no share takes the last place while another may come.
//! Small work is done at once on the current thread: see [`INLINE_BYTES_MAX`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::Error;

/// Work on fewer bytes is done at once. Linear work takes less than a millisecond for 64 KiB:
/// hashing and JSON go at some 300 MB/s or more.
pub const INLINE_BYTES_MAX: usize = 64 << 10;

/// The most decoded bytes for a byte of deflate or gzip: 258 for two bits.
pub const DEFLATE_RATIO_MAX: usize = 1_032;

/// Steps of matching before the work counts as large: a millisecond or two. Most events take less
/// than a hundred.
pub(crate) const INLINE_STEPS_MAX: u64 = 100_000;

/// Places, unless the system says how many processors there are.
const PLACES_DEFAULT: usize = 2;

/// The most waiting callers of a share: a burst of deliveries of a few megabytes, each taking some
/// 30 ms.
const WAITING_PER_SHARE_MAX: usize = 256;

/// The most waiting callers in all. The callers hold bodies, bounded elsewhere.
const WAITING_MAX: usize = 4_096;

/// How long a caller waits for a place before the answer to come again.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// For whom work is done: each takes turns with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// Requests of callers with a credential.
    Calls(WorkspaceId),
    /// Deliveries to the sources, possibly from anybody: no such delivery holds up the workspace's
    /// own requests.
    Deliveries(WorkspaceId),
    /// Deliveries to the endpoints.
    Sending(WorkspaceId),
}

/// The places for large work.
#[derive(Debug)]
pub struct Work {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    places: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of places of each share; a share without places has no entry.
    running: HashMap<Share, usize>,
    /// How many places are taken.
    taken: usize,
    /// The waiting callers, by share; no queue is empty.
    waiting: HashMap<Share, VecDeque<oneshot::Sender<WorkPlace>>>,
    /// The waiting shares, next first.
    turns: VecDeque<Share>,
    /// How many wait.
    waiters: usize,
}

/// A place, given back when dropped.
#[derive(Debug)]
struct WorkPlace {
    share: Share,
    shared: Arc<Shared>,
}

impl Drop for WorkPlace {
    fn drop(&mut self) {
        self.shared.give_back(self.share);
    }
}

/// All places are taken, and too many wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full;

impl Default for Work {
    fn default() -> Self {
        let places = std::thread::available_parallelism();
        Self::with_places(places.map_or(PLACES_DEFAULT, usize::from))
    }
}

impl Work {
    fn with_places(places: usize) -> Self {
        Self { shared: Arc::new(Shared { places, state: Mutex::default() }) }
    }

    /// Does something with `bytes` bytes: at once for few bytes, else in a place of the share.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`]: all places are taken, and no more can wait. Nothing was done.
    pub async fn run<T>(
        &self,
        share: Share,
        bytes: usize,
        job: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        if bytes <= INLINE_BYTES_MAX {
            return Ok(job());
        }
        self.run_large(share, job).await
    }

    /// Does something large in a place of the share.
    ///
    /// # Errors
    ///
    /// As of [`Work::run`].
    pub async fn run_large<T>(&self, share: Share, job: impl FnOnce() -> T) -> Result<T, Error> {
        let full = || Error::Unavailable("there is more work than the server can do now".into());
        let waiting = self.shared.enter(share, true).map_err(|Full| full())?;
        let place = tokio::time::timeout(WAIT_MAX, waiting).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(full)?;
        Ok(aside(place, job))
    }

    /// Does work on `bytes` bytes that is bounded elsewhere, and waits for a place without a limit.
    pub(crate) async fn run_patiently<T>(
        &self,
        share: Share,
        bytes: usize,
        job: impl FnOnce() -> T,
    ) -> T {
        if bytes <= INLINE_BYTES_MAX {
            return job();
        }
        let Ok(waiting) = self.shared.enter(share, false) else { return job() };
        match waiting.await {
            Ok(place) => aside(place, job),
            Err(_) => job(),
        }
    }
}

/// Runs the work while other threads take over this thread's tasks. Without other threads, as in
/// tests on simulated time, everything waits for the work.
fn aside<T>(place: WorkPlace, job: impl FnOnce() -> T) -> T {
    let several = Handle::try_current()
        .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    let done = if several { tokio::task::block_in_place(job) } else { job() };
    drop(place);
    done
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock is taken all the same: each change of the state is made whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most places of a share: with several places, a place is left for the other shares.
    fn most(&self) -> usize {
        self.places.saturating_sub(1).max(1)
    }

    /// A place once the share's turn comes. The bounds on waiting callers hold when `bounded` is
    /// set.
    fn enter(
        self: &Arc<Self>,
        share: Share,
        bounded: bool,
    ) -> Result<oneshot::Receiver<WorkPlace>, Full> {
        let (give, waiting) = oneshot::channel();
        {
            let mut state = self.state();
            if bounded && !state.has_room(share) {
                return Err(Full);
            }
            state.wait(share, give);
        }
        self.hand_out();
        Ok(waiting)
    }

    fn give_back(self: &Arc<Self>, share: Share) {
        self.state().release(share);
        self.hand_out();
    }

    /// Gives free places to the waiting callers, in turn.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = self.state().next(self.places, self.most());
            let Some((share, give)) = next else { return };
            // A place whose taker has just gone is dropped here, and so handed out again.
            let _ = give.send(WorkPlace { share, shared: Arc::clone(self) });
        }
    }
}

impl State {
    /// Whether a further caller of the share may wait. Callers that gave up do not count.
    fn has_room(&mut self, share: Share) -> bool {
        if let Some(own) =
            self.waiting.get_mut(&share).filter(|own| own.len() >= WAITING_PER_SHARE_MAX)
        {
            let before = own.len();
            own.retain(|give| !give.is_closed());
            self.waiters -= before - own.len();
            if own.len() >= WAITING_PER_SHARE_MAX {
                return false;
            }
        }
        self.waiters < WAITING_MAX
    }

    fn wait(&mut self, share: Share, give: oneshot::Sender<WorkPlace>) {
        let own = self.waiting.entry(share).or_default();
        if own.is_empty() {
            self.turns.push_back(share);
        }
        own.push_back(give);
        self.waiters += 1;
    }

    fn release(&mut self, share: Share) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(running) = self.running.get_mut(&share) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&share);
            }
        }
    }

    /// Takes a place for the next waiting caller, of the shares below their most places. Callers
    /// that gave up are passed over.
    fn next(&mut self, places: usize, most: usize) -> Option<(Share, oneshot::Sender<WorkPlace>)> {
        if self.taken >= places {
            return None;
        }
        loop {
            let may = |share: &Share| self.running.get(share).is_none_or(|running| *running < most);
            let at = self.turns.iter().position(may)?;
            let share = self.turns.remove(at)?;
            let Some(give) = self.first_of(share) else { continue };
            self.taken += 1;
            *self.running.entry(share).or_default() += 1;
            return Some((share, give));
        }
    }

    /// The first still waiting caller of a share. The share has another turn if more callers wait.
    fn first_of(&mut self, share: Share) -> Option<oneshot::Sender<WorkPlace>> {
        let own = self.waiting.get_mut(&share)?;
        let before = own.len();
        let mut first = None;
        while first.is_none()
            && let Some(give) = own.pop_front()
        {
            first = Some(give).filter(|give| !give.is_closed());
        }
        self.waiters -= before - own.len();
        if own.is_empty() {
            self.waiting.remove(&share);
        } else {
            self.turns.push_back(share);
        }
        first
    }
}

#[cfg(test)]
mod tests;
