use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hookyard_core::id::WorkspaceId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Places for costly work, with a share for each workspace: a workspace with a full share leaves places to
/// the others.
#[derive(Debug)]
pub(crate) struct Shares {
    all: Arc<Semaphore>,
    /// Places of a single workspace.
    each: usize,
    own: Mutex<HashMap<WorkspaceId, Arc<Semaphore>>>,
}

/// A taken place, until the drop.
#[derive(Debug)]
pub(crate) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The workspace's share is taken.
    Own,
    /// All places are taken.
    All,
}

impl Shares {
    /// `places` places, at most `each` for a workspace at a time.
    pub(crate) fn new(places: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(places)), each: each.max(1), own: Mutex::default() }
    }

    /// A place, if any is free now.
    pub(crate) fn take(&self, workspace: WorkspaceId) -> Result<Place, Full> {
        let own = self.own(workspace).try_acquire_owned().map_err(|_| Full::Own)?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Full::All)?;
        Ok(Place { _own: own, _all: all })
    }

    /// A place, as soon as free. A caller in wait for its own workspace is in nobody else's way.
    pub(crate) async fn wait(&self, workspace: WorkspaceId) -> Result<Place, AcquireError> {
        let own = self.own(workspace).acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Place { _own: own, _all: all })
    }

    /// Free places.
    #[cfg(all(test, feature = "analytics"))]
    pub(crate) fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// The places of a workspace. Workspaces without a taken or awaited place are forgotten.
    fn own(&self, workspace: WorkspaceId) -> Arc<Semaphore> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|_, places| Arc::strong_count(places) > 1);
        let each = self.each;
        Arc::clone(own.entry(workspace).or_insert_with(|| Arc::new(Semaphore::new(each))))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const ONE: WorkspaceId = WorkspaceId(1);
    const OTHER: WorkspaceId = WorkspaceId(2);

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_workspace_leaves_places_to_others() {
        let shares = Shares::new(3, 2);
        let taken: Vec<_> = (0..2).map(|_| shares.take(ONE).unwrap()).collect();
        assert_eq!(shares.take(ONE).unwrap_err(), Full::Own);
        let others = shares.take(OTHER).unwrap();
        assert_eq!(shares.take(OTHER).unwrap_err(), Full::All);
        drop(taken);
        assert!(shares.take(ONE).is_ok(), "places come back");
        drop(others);
        assert!(shares.take(OTHER).is_ok());
        assert_eq!(shares.own.lock().unwrap().len(), 1, "what is not used is forgotten");
    }

    #[test]
    fn who_waits_for_its_own_is_in_nobodys_way() {
        let shares = Shares::new(2, 1);
        let taken = shares.take(ONE).unwrap();
        let mut waiting = pin!(shares.wait(ONE));
        assert!(poll(waiting.as_mut()).is_pending());
        assert!(matches!(poll(pin!(shares.wait(OTHER))), Poll::Ready(Ok(_))));
        drop(taken);
        assert!(matches!(poll(waiting), Poll::Ready(Ok(_))));
    }
}
