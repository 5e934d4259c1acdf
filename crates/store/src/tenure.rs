use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookyard_core::clock::Clock;

/// The end of this node's right to deliver.
///
/// A node's leases end together, by the database's clock. A node that is cut off cannot read the database's
/// clock, so the node counts by its own clock from the moment of its request for more time. The request comes
/// before the database's count, so the tenure counted here ends first.
#[derive(Debug, Clone)]
pub struct Tenure(Option<Arc<AtomicU64>>);

impl Tenure {
    /// The tenure of a node that has its data for itself.
    pub fn endless() -> Self {
        Self(None)
    }

    /// A tenure that is over until extended.
    pub fn over() -> Self {
        Self(Some(Arc::default()))
    }

    /// Extends the tenure to a reading of the node's monotonic clock. A tenure never gets shorter.
    pub fn extend(&self, until: Duration) {
        if let Some(end) = &self.0 {
            let nanos = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
            end.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    /// The time left; `None` when the tenure is over, and [`Duration::MAX`] when the tenure has no end.
    pub fn left(&self, clock: &dyn Clock) -> Option<Duration> {
        let Some(end) = &self.0 else { return Some(Duration::MAX) };
        let end = Duration::from_nanos(end.load(Ordering::Relaxed));
        end.checked_sub(clock.monotonic()).filter(|left| !left.is_zero())
    }

    /// Waits for the end of the tenure.
    pub async fn ended(&self, clock: &dyn Clock) {
        if self.0.is_none() {
            std::future::pending::<()>().await;
        }
        // The tenure may have been extended meanwhile.
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
