use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookyard_core::clock::Clock;

/// Until when this node may deliver.
///
/// A node's leases end together, by the database's clock. The node cannot read that clock when it is cut
/// off, so it counts by its own from the moment at which it asked for more time; that moment is before
/// the one at which the database counted it, so what is counted here ends first.
#[derive(Debug, Clone)]
pub struct Tenure(Option<Arc<AtomicU64>>);

impl Tenure {
    /// The tenure of a node that has its data for itself.
    pub fn endless() -> Self {
        Self(None)
    }

    /// One that is over until it is extended.
    pub fn over() -> Self {
        Self(Some(Arc::default()))
    }

    /// Lets it last until this reading of the node's monotonic clock. It never gets shorter.
    pub fn extend(&self, until: Duration) {
        if let Some(end) = &self.0 {
            let nanos = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
            end.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// How much is left of it; `None` when it is over, and [`Duration::MAX`] when it has no end.
    pub fn left(&self, clock: &dyn Clock) -> Option<Duration> {
        let Some(end) = &self.0 else { return Some(Duration::MAX) };
        let end = Duration::from_nanos(end.load(Ordering::Relaxed));
        end.checked_sub(clock.monotonic()).filter(|left| !left.is_zero())
    }

    /// Waits until it is over.
    pub async fn ended(&self, clock: &dyn Clock) {
        if self.0.is_none() {
            std::future::pending::<()>().await;
        }
        // It may have been extended meanwhile.
        while let Some(left) = self.left(clock) {
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;

    use super::*;

    #[derive(Debug, Default)]
    struct Hand(Mutex<Duration>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    /// Whether it is over now.
    async fn is_over(tenure: &Tenure, clock: &Hand) -> bool {
        tokio::select! {
            biased;
            () = tenure.ended(clock) => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn it_ends_when_it_is_not_extended() {
        let (clock, tenure) = (Hand::default(), Tenure::over());
        assert!(is_over(&tenure, &clock).await);
        assert_eq!(tenure.left(&clock), None);
        tenure.extend(3 * SECOND);
        tenure.extend(2 * SECOND);
        assert_eq!(tenure.left(&clock), Some(3 * SECOND), "it never gets shorter");
        *clock.0.lock().unwrap() = 2 * SECOND;
        tenure.extend(5 * SECOND);
        assert_eq!(tenure.left(&clock), Some(3 * SECOND));
        assert!(!is_over(&tenure, &clock).await);
        *clock.0.lock().unwrap() = 5 * SECOND;
        assert_eq!(tenure.left(&clock), None);
        assert!(is_over(&tenure, &clock).await);
    }

    #[tokio::test]
    async fn without_other_nodes_it_has_no_end() {
        let (clock, tenure) = (Hand::default(), Tenure::endless());
        assert_eq!(tenure.left(&clock), Some(Duration::MAX));
        tenure.extend(SECOND);
        *clock.0.lock().unwrap() = 2 * SECOND;
        assert!(!is_over(&tenure, &clock).await);
    }
}
