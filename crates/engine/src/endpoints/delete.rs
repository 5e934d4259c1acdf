use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_store::Entity;

use super::EndpointView;
use crate::{Engine, Error};

impl Engine {
    /// Removes an endpoint with its queue; the answer is what it was. [`Error::NotFound`] when there
    /// is none.
    pub async fn delete_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        let state = self.queue_state(workspace, id).await?;
        let deleted = self.store.delete_endpoint(workspace, id).await?;
        let endpoint = deleted.ok_or(Error::NotFound(Entity::Endpoint))?;
        self.matchers.rebuild(&self.store, workspace).await?;
        Ok(EndpointView { endpoint, state })
    }

    /// Removes the endpoint with exactly this target; of several, the one with the lowest number
    /// (UltraCart spec 6, row 8). [`Error::NotFound`] when there is none.
    pub async fn delete_endpoint_by_url(
        &self,
        workspace: WorkspaceId,
        url: &str,
    ) -> Result<EndpointView, Error> {
        let endpoints = self.store.endpoints(workspace).await?;
        let found = endpoints.iter().find(|endpoint| endpoint.settings.url == url);
        let id = found.ok_or(Error::NotFound(Entity::Endpoint))?.id;
        self.delete_endpoint(workspace, id).await
    }
}
