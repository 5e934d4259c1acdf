use std::sync::Arc;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::Endpoint;
use hookyard_store::{Entity, StoreError};

use super::EndpointView;
use super::patch::TRIES_MAX;
use crate::{Engine, Error};

impl Engine {
    /// Removes an endpoint with its queue; returns the removed endpoint. [`Error::NotFound`] when
    /// there is no such endpoint, [`Error::Stale`] for another revision than the caller named.
    pub async fn delete_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        if_revision: Option<u32>,
    ) -> Result<EndpointView, Error> {
        let state = self.queue_state(workspace, id).await?;
        let deleted = match self.store.delete_endpoint(workspace, id, if_revision).await {
            Err(StoreError::Conflict(_)) => {
                let revision = self.existing(workspace, id).await?.revision;
                return Err(Error::Stale { revision });
            }
            deleted => deleted?,
        };
        let endpoint = deleted.ok_or(Error::NotFound(Entity::Endpoint))?;
        self.matchers.rebuild(&self.store, workspace).await?;
        Ok(EndpointView { endpoint, state })
    }

    /// Removes the owner's endpoint with exactly the target `url`; of several, the endpoint with the lowest
    /// number (docs/spec/ultracart.md#choices). [`Error::NotFound`] without such an endpoint.
    pub async fn delete_endpoint_by_url(
        &self,
        workspace: WorkspaceId,
        url: &str,
    ) -> Result<EndpointView, Error> {
        let mut tries = 1;
        loop {
            let endpoints = self.store.endpoints(workspace).await?;
            let is_it = |endpoint: &&Arc<Endpoint>| {
                endpoint.settings.url == url && endpoint.customer.is_none()
            };
            let found = endpoints.iter().find(is_it);
            let found = found.ok_or(Error::NotFound(Entity::Endpoint))?;
            // An endpoint changed meanwhile may have another target now.
            match self.delete_endpoint(workspace, found.id, Some(found.revision)).await {
                Err(Error::Stale { .. }) if tries < TRIES_MAX => tries += 1,
                result => return result,
            }
        }
    }
}
