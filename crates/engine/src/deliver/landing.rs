//! Landing events in a dataset of the workspace, for endpoints whose target is one.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::clock::Clock;
use hookyard_core::id::{DatasetId, EndpointId, Seq, WorkspaceId};
use hookyard_store::{SharedStore, StoreError};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::transport::{Answer, Outgoing, Transport, Unanswered};

/// Where the events of a bundle land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The endpoint's workspace.
    pub workspace: WorkspaceId,
    /// The dataset.
    pub dataset: DatasetId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The events, in the order of the body.
    pub events: Vec<Seq>,
}

/// The body of a bundle.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Lands what is for a dataset, and hands on all else.
#[derive(Debug)]
pub(super) struct Lander {
    store: SharedStoreDebug,
    clock: Arc<dyn Clock>,
    others: Arc<dyn Transport>,
}

/// A store, which has nothing to show of itself.
struct SharedStoreDebug(SharedStore);

impl std::fmt::Debug for SharedStoreDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl Lander {
    pub(super) fn new(
        store: SharedStore,
        clock: Arc<dyn Clock>,
        others: Arc<dyn Transport>,
    ) -> Self {
        Self { store: SharedStoreDebug(store), clock, others }
    }

    /// Lands the events of a bundle: each becomes a row, once, however often it is sent.
    async fn land(&self, landing: Landing, body: &Bytes) -> Result<Answer, Unanswered> {
        let Landing { workspace, dataset, endpoint, events } = landing;
        let parsed: Body<'_> = serde_json::from_slice(body)
            .map_err(|error| format!("the bundle cannot be taken apart: {error}"))?;
        if parsed.events.len() != events.len() {
            return Err("the bundle does not have the events that it should".to_owned().into());
        }
        let cells = parsed.events.iter().map(|event| body.slice_ref(event.get().as_bytes()));
        let rows = events.into_iter().zip(cells).collect();
        let landed = self.store.0.land(workspace, dataset, endpoint, rows, self.clock.now()).await;
        match landed {
            Ok(rows) => Ok(answer(200, format!(r#"{{"rows":{rows}}}"#))),
            // As a receiver that is gone for good: the endpoint is disabled and says why.
            Err(StoreError::NotFound(entity)) => Ok(answer(410, format!("no such {entity}"))),
            // The store is ours: its failure is none of the dataset.
            Err(error) => Err(Unanswered::Unable(error.to_string())),
        }
    }
}

fn answer(status: u16, body: String) -> Answer {
    Answer { status, body: body.into(), ..Answer::default() }
}

#[async_trait]
impl Transport for Lander {
    async fn send(&self, mut request: Outgoing) -> Result<Answer, Unanswered> {
        match request.landing.take() {
            Some(landing) => self.land(landing, &request.body).await,
            None => self.others.send(request).await,
        }
    }
}
