//! How many connections there may be at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connector::ConnectError;

/// How long a new connection waits for the end of another one. All that are in use or kept end sooner, but
/// for those that a receiver holds up.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// With fewer connections than this, those that are not in use are kept for a shorter time.
const ENOUGH: usize = 4_096;

/// How long an unused connection is kept where there are enough. Node.js and Apache close theirs after 5
/// seconds; a request that meets such a close on its way fails, so it is better that we close first.
const IDLE: Duration = Duration::from_secs(4);

/// How long where there are not. It is closed within twice this time.
const IDLE_OF_FEW: Duration = Duration::from_secs(1);

/// Connections that clients share. Clones are the same ones.
///
/// They have no shares of their own: who may make one is a request that holds a place, of which each
/// workspace has a share (`deliver/limits`), and there are fewer places than connections. What is left is
/// for those that are kept for the next request, for [`IDLE`] at most; who finds none waits for one of them
/// to end, in the order of coming.
#[derive(Debug, Clone)]
pub struct Sockets {
    most: usize,
    free: Arc<Semaphore>,
}

impl Sockets {
    /// So many connections at once.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        Self { most, free: Arc::new(Semaphore::new(most)) }
    }

    /// How long an unused connection is kept for the next request.
    pub(super) fn idle(&self) -> Duration {
        if self.most < ENOUGH { IDLE_OF_FEW } else { IDLE }
    }

    /// Waits for room for one more connection, which has ended when the answer is dropped.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, ConnectError> {
        let room = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.free).acquire_owned()).await;
        room.ok().and_then(Result::ok).ok_or_else(|| {
            ConnectError::Unable(format!("all {} connections to receivers are in use", self.most))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_too_many_waits_and_is_told_so() {
        let sockets = Sockets::new(2);
        let first = sockets.take().await.unwrap();
        let _second = sockets.take().await.unwrap();
        let error = sockets.take().await.unwrap_err().to_string();
        assert!(error.contains("all 2 connections"), "{error}");
        let (third, ()) = tokio::join!(sockets.take(), async {
            tokio::time::sleep(WAIT_MAX / 2).await;
            drop(first);
        });
        assert!(third.is_ok());
    }
}
