use std::sync::Arc;
use std::time::Duration;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::Replay;
use hookyard_store::{ReplayChange, SharedStore, Span, SpanLimit, StoreError};

use super::filter;
use crate::Engine;
use crate::work::Share;

/// Events in a slice: ten bundles of the usual size. A live event waits for ten requests at most,
/// and many deliveries share a slice's transaction.
pub const SLICE_EVENTS: usize = 1_000;

/// Events examined for a slice, so that a replay with few matches of the rule keeps its place often
/// and leaves room to the replays of other endpoints.
const EXAMINED_MAX: usize = 5_000;

// A replay that wants everything fills its slices.
const _: () = assert!(EXAMINED_MAX >= SLICE_EVENTS);

/// The wait after the store failed.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Queues the slices of all replays.
pub struct Replayer {
    engine: Arc<Engine>,
}

impl Replayer {
    /// A replayer over the engine's store.
    pub fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Queues slices for as long as the future is polled. Dropping the future at any moment loses
    /// nothing.
    pub async fn run(self) {
        let due = self.store().replays_due();
        loop {
            for endpoint in due.next().await {
                if let Err(error) = self.step(endpoint).await {
                    tracing::warn!(%endpoint, %error, "a slice of a replay was not queued");
                    // Due replays stay due: all endpoints of the round come again.
                    tokio::time::sleep(STORE_WAIT).await;
                    due.mark([endpoint]);
                }
            }
        }
    }

    /// Queues the next slice of the endpoint's replay if due; returns whether a slice was due.
    pub async fn step(&self, endpoint: EndpointId) -> Result<bool, StoreError> {
        let Some((workspace, replay)) = self.store().due_replay(endpoint).await? else {
            return Ok(false);
        };
        match self.queue_slice(workspace, &replay).await {
            Ok(()) => Ok(true),
            // Changed or deleted meanwhile: the change has marked a replay still due.
            Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn queue_slice(&self, workspace: WorkspaceId, replay: &Replay) -> Result<(), StoreError> {
        let Replay { id, endpoint, scope, position, last, .. } = replay;
        let Some(current) = self.store().endpoint(workspace, *endpoint).await? else {
            return Ok(());
        };
        let compile = || filter::filter(&current, scope);
        let (share, weight) = (Share::Calls(workspace), filter::weight(&current, scope));
        let only = match self.engine.work().run_patiently(share, weight, compile).await {
            Ok(only) => only,
            Err(reason) => {
                tracing::error!(
                    endpoint_id = %endpoint,
                    replay_id = %id,
                    reason,
                    "a stored rule cannot be read, the replay is paused"
                );
                let pause = ReplayChange::Pause;
                return self
                    .store()
                    .change_replay(workspace, *endpoint, *id, pause)
                    .await
                    .map(drop);
            }
        };
        let span = Span { after: *position, last: *last, total: 0 };
        let limit = SpanLimit { wanted: SLICE_EVENTS, examined: EXAMINED_MAX };
        let slice = self.store().examine(workspace, *endpoint, scope, span, only, limit).await?;
        self.store().queue_slice(*id, slice, self.engine.clock().now()).await
    }

    fn store(&self) -> &SharedStore {
        self.engine.store()
    }
}
