use std::time::Duration;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, WorkspaceId};
use hookyard_core::model::Attempt;
use jiff::Timestamp;

use crate::{Page, StoreError};

/// The attempts to list. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptQuery {
    /// Started at or after the moment.
    pub from: Option<Timestamp>,
    /// Started at or before the moment.
    pub until: Option<Timestamp>,
    /// With the status.
    pub status: Option<u16>,
    /// A success, or not.
    pub success: Option<bool>,
    /// Carried an event of the type.
    pub event_type: Option<EventTypeId>,
    /// Carried an event with the order id.
    pub order_id: Option<String>,
    /// Took at least so long.
    pub duration_min: Option<Duration>,
    /// The number of the newest matching attempts to leave out.
    pub offset: usize,
    /// The most attempts to return.
    pub limit: usize,
    /// Leave out the request's headers and the answer's text: a list does not show these parts, and they are
    /// most of an attempt's bytes.
    pub brief: bool,
}

/// The delivery log.
#[async_trait]
pub trait AttemptStore: Send + Sync {
    /// A page of an endpoint's attempts, newest first. [`StoreError::NotFound`] when the workspace has no such
    /// endpoint.
    async fn attempts(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        query: AttemptQuery,
    ) -> Result<Page<Attempt>, StoreError>;

    /// An attempt; `None` when the endpoint has no attempt with the id.
    async fn attempt(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        request_id: &RequestId,
    ) -> Result<Option<Attempt>, StoreError>;
}
