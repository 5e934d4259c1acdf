//! Whether the server takes work, checked once for all callers.
//!
//! Anybody may ask, and a check costs a transaction. So a check runs at most once in [`CHECK_EVERY`],
//! beside the callers, who share the outcome.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hookyard_core::clock::Clock;
use hookyard_engine::Engine;
use hookyard_store::StoreError;
use tokio::sync::watch;

/// The least time from the end of a check to the next check. Supervisors and load balancers get an outcome
/// younger than this time, and strangers cost at most one small transaction a second.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The longest time of a check: as long as a publisher waits for a disk that does not answer.
const CHECK_MAX: Duration = Duration::from_secs(10);

/// `Err` with the reason when the server takes no work.
type Outcome = Result<(), Arc<str>>;

type Check = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Answers all callers.
#[derive(Clone)]
pub(crate) struct Readiness(Arc<Shared>);

struct Shared {
    health: Box<dyn Fn() -> Check + Send + Sync>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The end of the last check by the monotonic clock, and the outcome.
    last: Option<(Duration, Outcome)>,
    /// The running check.
    running: Option<watch::Receiver<Option<Outcome>>>,
}

impl Readiness {
    pub(crate) fn new(engine: Arc<Engine>, clock: Arc<dyn Clock>) -> Self {
        let health = move || {
            let engine = Arc::clone(&engine);
            Box::pin(async move { engine.health().await }) as Check
        };
        Self::of(health, clock)
    }

    fn of(health: impl Fn() -> Check + Send + Sync + 'static, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { health: Box::new(health), clock, state: Mutex::default() }))
    }

    /// Whether the server takes work; if not, why.
    pub(crate) async fn ask(&self) -> Outcome {
        let mut heard = match self.0.current() {
            Ok(outcome) => return outcome,
            Err(running) => running,
        };
        let heard = heard.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        heard.ok().flatten().unwrap_or_else(|| Err("the check has crashed".into()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last outcome while young, else the running check, which may begin now.
    fn current(self: &Arc<Self>) -> Result<Outcome, watch::Receiver<Option<Outcome>>> {
        let mut state = self.lock();
        // A check whose sender is gone without an outcome has crashed.
        if let Some(running) = &state.running
            && running.has_changed().is_ok()
        {
            return Err(running.clone());
        }
        if let Some((at, outcome)) = &state.last
            && self.clock.monotonic().saturating_sub(*at) < CHECK_EVERY
        {
            return Ok(outcome.clone());
        }
        let (tell, heard) = watch::channel(None);
        state.running = Some(heard.clone());
        tokio::spawn(Arc::clone(self).check(tell));
        Err(heard)
    }

    async fn check(self: Arc<Self>, tell: watch::Sender<Option<Outcome>>) {
        let outcome: Outcome = match tokio::time::timeout(CHECK_MAX, (self.health)()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string().into()),
            Err(_) => {
                let seconds = CHECK_MAX.as_secs();
                Err(format!("the store has not answered for {seconds} seconds").into())
            }
        };
        let before = {
            let mut state = self.lock();
            state.running = None;
            state.last.replace((self.clock.monotonic(), outcome.clone()))
        };
        let was_ready = before.is_none_or(|(_, outcome)| outcome.is_ok());
        match &outcome {
            Err(reason) if was_ready => tracing::error!(%reason, "the server is not ready"),
            Ok(()) if !was_ready => tracing::info!("the server is ready again"),
            _ => {}
        }
        tell.send_replace(Some(outcome));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use hookyard_testkit::SimClock;

    use super::*;

    /// A readiness whose checks are counted, and fail while there is a reason.
    fn counted(clock: &Arc<SimClock>, well: bool) -> (Readiness, Arc<AtomicU32>) {
        let checks = Arc::<AtomicU32>::default();
        let count = Arc::clone(&checks);
        let health = move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                tokio::task::yield_now().await;
                let fault = StoreError::Unavailable(format!("full at {number}"));
                if well { Ok(()) } else { Err(fault) }
            }) as Check
        };
        (Readiness::of(health, Arc::clone(clock) as _), checks)
    }

    #[tokio::test]
    async fn one_check_a_second_answers_all_who_ask() {
        let clock = Arc::new(SimClock::default());
        for well in [true, false] {
            let (readiness, checks) = counted(&clock, well);
            for round in 0..3 {
                let asked = join_all((0..100).map(|_| readiness.ask())).await;
                assert!(asked.iter().all(|outcome| outcome.is_ok() == well));
                if let Err(reason) = readiness.ask().await {
                    assert!(reason.ends_with(&format!("full at {round}")), "{reason}");
                }
                assert_eq!(checks.load(Ordering::Relaxed), round + 1);
                clock.advance(CHECK_EVERY);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_does_not_end_is_a_no_and_another_follows() {
        let clock = Arc::new(SimClock::default());
        let health = || Box::pin(std::future::pending()) as Check;
        let readiness = Readiness::of(health, Arc::clone(&clock) as _);
        for _ in 0..2 {
            let asked = join_all([readiness.ask(), readiness.ask()]).await;
            for outcome in asked {
                assert!(outcome.unwrap_err().contains("not answered for 10 seconds"));
            }
            clock.advance(CHECK_EVERY);
        }
    }
}
