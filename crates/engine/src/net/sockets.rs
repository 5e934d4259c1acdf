//! How many connections there may be at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect_error::ConnectError;

/// How long a new connection waits for the end of another connection. All used or kept connections
/// end sooner, except connections held up by a receiver.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// With fewer connections, unused connections are kept for a shorter time.
const ENOUGH: usize = 4_096;

/// How long an unused connection is kept where there are enough. Node.js and Apache close unused
/// connections after 5 seconds. A request that meets such a close on its way fails, so Hookyard
/// closes first.
const IDLE: Duration = Duration::from_secs(4);

/// How long an unused connection is kept with few connections. The connection is closed within
/// twice the time.
const IDLE_OF_FEW: Duration = Duration::from_secs(1);

/// Connections shared by clients. Clones share the same connections.
///
/// Workspaces have no shares of connections. Only a request with a place may connect; each
/// workspace has a share of the places (`deliver/limits`), and there are fewer places than
/// connections. The other connections are kept for the next request, for [`IDLE`] at most. A
/// request without a free connection waits for a kept connection to end, first come, first served.
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

    /// Waits for room for a further connection. Dropping the permit marks the connection's end.
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
