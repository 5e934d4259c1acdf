//! Where large work is done: beside the requests, a bounded amount at a time, and everybody in turn.
//!
//! Work that may take milliseconds and does not wait for anything (undoing a content coding, matching
//! large events, compiling rules, rendering, looking for why a signature is wrong) would stop all
//! requests of the thread that it runs on. Such work has a **place** here, and the runtime goes on with
//! another thread meanwhile. There are as many places as processors, and each [`Share`] waits in a
//! queue of its own; the queues take turns, and no share takes the last place while another may come.
//! What is small is done at once where it is: see [`INLINE_BYTES_MAX`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::Error;

/// Work on fewer bytes than this is done at once. What is linear in its bytes here takes less than a
/// millisecond for as many: hashing and JSON go at some 300 MB/s or more.
pub const INLINE_BYTES_MAX: usize = 64 << 10;

/// Bytes that one byte of deflate or gzip decodes to at most: 258 for two bits.
pub const DEFLATE_RATIO_MAX: usize = 1_032;

/// Steps of matching that are spent before the work is taken to be large: a millisecond or two. Most
/// events take less than a hundred.
pub(crate) const INLINE_STEPS_MAX: u64 = 100_000;

/// Places, unless the system says how many processors there are.
const PLACES_DEFAULT: usize = 2;

/// Callers of one share that may wait: a burst of deliveries of a few megabytes, of which each takes
/// some 30 ms.
const WAITING_PER_SHARE_MAX: usize = 256;

/// Callers that may wait in all. What they hold are their bodies, which others bound.
const WAITING_MAX: usize = 4_096;

/// How long a caller waits for a place before it is told to come again.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// For whom work is done: each takes turns with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Share {
    /// What callers with a credential ask for.
    Calls(WorkspaceId),
    /// What comes to the sources, which may be from anybody: no such delivery holds up what the
    /// workspace itself asks for.
    Deliveries(WorkspaceId),
    /// What is sent to the endpoints.
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
    /// How many places each share has; none that has none.
    running: HashMap<Share, usize>,
    /// How many places are taken.
    taken: usize,
    /// Who waits, by share; none that is empty.
    waiting: HashMap<Share, VecDeque<oneshot::Sender<WorkPlace>>>,
    /// The shares that wait, next first.
    turns: VecDeque<Share>,
    /// How many wait.
    waiters: usize,
}

/// A place, given back when it is dropped.
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

    /// Does something with `bytes` bytes: at once where they are few, else in a place of the share.
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

    /// Does something with `bytes` bytes that is bounded already by who may ask for it, and waits for
    /// a place as long as that takes.
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

/// Runs the work while other threads do what this one would have done. Where there are no others, as
/// in tests on simulated time, everything waits for it.
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

    /// How many places one share may have: one is left for the others, where there are several.
    fn most(&self) -> usize {
        self.places.saturating_sub(1).max(1)
    }

    /// A place once it is the share's turn. The bounds on who waits hold where `bounded` says so.
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

    /// Gives free places to those whose turn it is.
    fn hand_out(self: &Arc<Self>) {
        loop {
            let next = self.state().next(self.places, self.most());
            let Some((share, give)) = next else { return };
            // A place whose taker has just gone is dropped here, which hands it out again.
            let _ = give.send(WorkPlace { share, shared: Arc::clone(self) });
        }
    }
}

impl State {
    /// Whether one more of the share may wait. Those that do not wait any more do not count.
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

    /// Takes a place for the next that waits, of the shares that may have one more. Whoever does
    /// not wait any more is passed over.
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

    /// The first of a share that still waits. The share has another turn if more do.
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
