//! Whether a store can go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::watch;

use crate::StoreError;

/// The wait between two looks at whether the writing thread gets on.
pub(crate) const PULSE_TICK: Duration = Duration::from_millis(500);

/// Looks at the same piece of work until the work counts as stuck: 10 seconds, as long as a batch may take on
/// PostgreSQL. A commit takes milliseconds.
const STUCK_TICKS: u32 = 20;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum State {
    #[default]
    Well,
    /// The work under way takes far too long. The work may still come to an end.
    Stuck,
    /// The store cannot go on; a start may help.
    Failed(Arc<str>),
}

/// The state of a store, for all waiting callers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Arc<watch::Sender<State>>);

impl Standing {
    /// Says for good that the store cannot go on. The first reason stays.
    pub(crate) fn fail(&self, reason: &str) {
        let first = self.0.send_if_modified(|state| {
            let first = !matches!(state, State::Failed(_));
            if first {
                *state = State::Failed(reason.into());
            }
            first
        });
        if first {
            tracing::error!(reason, "the store has failed");
        }
    }

    fn set_stuck(&self, stuck: bool) {
        let (from, to) = match stuck {
            true => (State::Well, State::Stuck),
            false => (State::Stuck, State::Well),
        };
        let changed = self.0.send_if_modified(|state| {
            let changes = *state == from;
            if changes {
                *state = to;
            }
            changes
        });
        match (changed, stuck) {
            (true, true) => tracing::error!("the disk is stuck: a transaction does not end"),
            (true, false) => tracing::info!("the disk answers again"),
            (false, _) => {}
        }
    }

    /// The reason of the store's failure, if any.
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        match &*self.0.borrow() {
            State::Failed(reason) => Some(Arc::clone(reason)),
            State::Well | State::Stuck => None,
        }
    }

    /// Refuses a call when the store has failed.
    pub(crate) fn refuse_failed(&self) -> Result<(), StoreError> {
        match self.reason() {
            Some(reason) => Err(StoreError::Unavailable(format!("it has failed: {reason}"))),
            None => Ok(()),
        }
    }

    /// Refuses a call that would wait for a long time, or for ever.
    pub(crate) fn refuse(&self) -> Result<(), StoreError> {
        self.refuse_failed()?;
        match *self.0.borrow() == State::Stuck {
            true => Err(StoreError::Unavailable(
                "the disk has not answered for 10 seconds; nothing was written".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Waits until the work under way is stuck, and returns the error for the callers.
    pub(crate) async fn stuck(&self) -> StoreError {
        // This standing owns the sender.
        let _ = self.0.subscribe().wait_for(|state| *state == State::Stuck).await;
        StoreError::Unavailable(
            "the disk has not answered for 10 seconds: whether this is written is not known, and \
             it may still come true"
                .to_owned(),
        )
    }

    /// Waits until the store has failed; why.
    pub(crate) async fn failed(&self) -> String {
        loop {
            // This standing owns the sender.
            let _ = self.0.subscribe().wait_for(|state| matches!(state, State::Failed(_))).await;
            if let Some(reason) = self.reason() {
                return reason.to_string();
            }
        }
    }
}

/// A thread's sign of life: odd during a piece of work, and another number for each piece.
#[derive(Debug)]
pub(crate) struct Pulse {
    beat: Arc<AtomicU64>,
    /// Dropped with the thread, which ends the watch.
    _alive: Sender<()>,
}

impl Pulse {
    /// A pulse that is checked once in a `tick`, as long as the pulse lives.
    pub(crate) fn watched(standing: &Standing, tick: Duration) -> Result<Self, StoreError> {
        let (alive, gone) = channel();
        let beat = Arc::<AtomicU64>::default();
        let (standing, watched) = (standing.clone(), Arc::clone(&beat));
        std::thread::Builder::new()
            .name("hookyard-watch".to_owned())
            .spawn(move || watch(&watched, &gone, &standing, tick))
            .map_err(|error| StoreError::Internal(error.into()))?;
        Ok(Self { beat, _alive: alive })
    }

    /// Begins a piece of work; the drop of the returned value ends the work.
    pub(crate) fn begin(&self) -> Beating {
        self.beat.fetch_add(1, Ordering::Relaxed);
        Beating(Arc::clone(&self.beat))
    }
}

/// A piece of work under way.
pub(crate) struct Beating(Arc<AtomicU64>);

impl Drop for Beating {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn watch(beat: &AtomicU64, gone: &Receiver<()>, standing: &Standing, tick: Duration) {
    let (mut seen, mut ticks) = (0, 0);
    while gone.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
        let now = beat.load(Ordering::Relaxed);
        ticks = if now == seen && !now.is_multiple_of(2) { ticks + 1 } else { 0 };
        seen = now;
        standing.set_stuck(ticks >= STUCK_TICKS);
    }
}
