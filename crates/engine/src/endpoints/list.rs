use std::cmp::Ordering;
use std::sync::Arc;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::{Endpoint, QueueState};

use super::EndpointView;
use crate::{Engine, Error};

/// A value to sort endpoints by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    /// The target, by characters.
    Url,
    /// Enabled before disabled.
    Disabled,
}

/// A part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortKey {
    /// The value to compare.
    pub field: SortField,
    /// Whether the highest come first.
    pub descending: bool,
}

impl SortKey {
    /// The order when none is asked for (docs/spec/ultracart.md#parameters).
    pub const DEFAULT: [Self; 2] = [
        Self { field: SortField::Url, descending: false },
        Self { field: SortField::Disabled, descending: false },
    ];

    fn compare(self, a: &Endpoint, b: &Endpoint) -> Ordering {
        let ascending = match self.field {
            SortField::Url => a.settings.url.cmp(&b.settings.url),
            SortField::Disabled => a.settings.disabled.cmp(&b.settings.disabled),
        };
        if self.descending { ascending.reverse() } else { ascending }
    }
}

/// Which endpoints to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// The order; equal endpoints come by number.
    pub sort: Vec<SortKey>,
    /// The number of endpoints to skip.
    pub offset: usize,
    /// The most endpoints to return.
    pub limit: usize,
}

/// A page of a workspace's endpoints.
#[derive(Debug, Clone)]
pub struct EndpointPage {
    /// The endpoints, in order.
    pub endpoints: Vec<EndpointView>,
    /// How many there are in all.
    pub total: usize,
}

impl Engine {
    /// A page of the owner's endpoints: the UltraCart API knows no customers.
    pub async fn list_endpoints(
        &self,
        workspace: WorkspaceId,
        query: ListQuery,
    ) -> Result<EndpointPage, Error> {
        let mut endpoints = self.store.endpoints(workspace).await?;
        endpoints.retain(|endpoint| endpoint.customer.is_none());
        let total = endpoints.len();
        endpoints.sort_by(|a, b| {
            let keys = query.sort.iter().map(|key| key.compare(a, b));
            keys.fold(Ordering::Equal, Ordering::then).then(a.id.cmp(&b.id))
        });
        let page: Vec<_> = endpoints.into_iter().skip(query.offset).take(query.limit).collect();
        let ids: Vec<_> = page.iter().map(|endpoint| endpoint.id).collect();
        let states = self.store.queue_states(workspace, &ids).await?;
        let views = page.into_iter().zip(states);
        let endpoints = views.map(|(endpoint, state)| EndpointView { endpoint, state }).collect();
        Ok(EndpointPage { endpoints, total })
    }

    /// An endpoint with the present state of its queue.
    pub(super) async fn view(
        &self,
        workspace: WorkspaceId,
        endpoint: Arc<Endpoint>,
    ) -> Result<EndpointView, Error> {
        let state = self.queue_state(workspace, endpoint.id).await?;
        Ok(EndpointView { endpoint, state })
    }

    pub(super) async fn queue_state(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<QueueState, Error> {
        let states = self.store.queue_states(workspace, &[id]).await?;
        Ok(states.first().copied().unwrap_or_default())
    }
}
