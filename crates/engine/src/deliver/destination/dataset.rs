//! Datasets of the workspace, in which events land as rows.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hookyard_core::clock::Clock;
use hookyard_core::id::{DatasetId, EndpointId, WorkspaceId};
use hookyard_core::model::{Endpoint, EndpointOptions, Header};
use hookyard_store::{SharedStore, StoreError};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Uri};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::outgoing::{Answer, Outgoing, Unanswered};
use super::super::request::{self, Template, content_type};

/// The dataset for an endpoint's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Dataset {
    workspace: WorkspaceId,
    dataset: DatasetId,
    endpoint: EndpointId,
}

/// An endpoint's dataset. No request goes there: only the body counts.
pub(super) fn target(
    endpoint: &Endpoint,
    dataset: DatasetId,
) -> Result<(Dataset, Template), String> {
    let mut headers = HeaderMap::new();
    let content_type = HeaderValue::from_static(content_type(&endpoint.settings));
    headers.insert(CONTENT_TYPE, content_type);
    let template = Template::new(Uri::from_static("/"), headers, &EndpointOptions::default())?;
    let (workspace, endpoint) = (endpoint.workspace, endpoint.id);
    Ok((Dataset { workspace, dataset, endpoint }, template))
}

/// The headers of a request as the log shows them.
pub(super) fn logged_headers(request: &Outgoing) -> Vec<Header> {
    request::logged(&request.headers)
}

/// The body of a bundle.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
}

/// Lands events in datasets.
pub(in super::super) struct Sender {
    store: SharedStore,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dataset::Sender")
    }
}

impl Sender {
    pub(in super::super) fn new(store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Lands the events of a bundle: each becomes a row, once, however often the bundle is sent.
    pub(in super::super) async fn send(
        &self,
        to: &Dataset,
        request: Outgoing,
    ) -> Result<Answer, Unanswered> {
        let Outgoing { body, events, .. } = request;
        let parsed: Body<'_> = serde_json::from_slice(&body)
            .map_err(|error| format!("the bundle cannot be taken apart: {error}"))?;
        if parsed.events.len() != events.len() {
            return Err("the bundle does not have the events that it should".to_owned().into());
        }
        let cells = parsed.events.iter().map(|event| body.slice_ref(event.get().as_bytes()));
        let rows: Vec<(_, Bytes)> = events.iter().copied().zip(cells).collect();
        let Dataset { workspace, dataset, endpoint } = *to;
        match self.store.land(workspace, dataset, endpoint, rows, self.clock.now()).await {
            Ok(rows) => Ok(answer(200, format!(r#"{{"rows":{rows}}}"#))),
            // As a receiver that is gone for good: the endpoint is disabled and says why.
            Err(StoreError::NotFound(entity)) => Ok(answer(410, format!("no such {entity}"))),
            // The store is ours: its failure is not the dataset's fault.
            Err(error) => Err(Unanswered::Unable(error.to_string())),
        }
    }
}

fn answer(status: u16, body: String) -> Answer {
    Answer { status, body: body.into(), ..Answer::default() }
}
