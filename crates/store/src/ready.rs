use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hookyard_core::id::EndpointId;
use tokio::sync::Notify;

/// A set of endpoints to look at. An endpoint marked several times before it is taken is in the set once, so
/// the set is never larger than the number of endpoints.
#[derive(Debug, Default)]
pub struct Ready {
    endpoints: Mutex<HashSet<EndpointId>>,
    notify: Notify,
}

impl Ready {
    /// Marks endpoints.
    pub fn mark(&self, endpoints: impl IntoIterator<Item = EndpointId>) {
        let mut set = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let before = set.len();
        set.extend(endpoints);
        if set.len() > before {
            self.notify.notify_one();
        }
    }

    /// Takes all marked endpoints, without waiting; there may be none.
    pub fn take(&self) -> Vec<EndpointId> {
        let mut set = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        set.drain().collect()
    }

    /// Waits until an endpoint is marked, then takes all marked endpoints.
    pub async fn next(&self) -> Vec<EndpointId> {
        loop {
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            self.notify.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marks_are_coalesced_and_wake_the_waiter() {
        let ready = Ready::default();
        ready.mark([EndpointId(1), EndpointId(2)]);
        ready.mark([EndpointId(1)]);
        let mut taken = ready.next().await;
        taken.sort();
        assert_eq!(taken, [EndpointId(1), EndpointId(2)]);
        assert!(ready.take().is_empty());
    }
}
