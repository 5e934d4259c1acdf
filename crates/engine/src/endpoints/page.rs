use std::sync::Arc;

use hookyard_core::id::{EndpointId, WorkspaceId};
use hookyard_core::model::Endpoint;
use hookyard_store::Entity;

use super::EndpointView;
use crate::{Engine, Error};

/// Which endpoints to list, by number. All conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// Whose target contains this text.
    pub url: Option<String>,
    /// Whose name contains this text.
    pub name: Option<String>,
    /// That are disabled, or are not.
    pub disabled: Option<bool>,
    /// With a higher number.
    pub after: Option<EndpointId>,
    /// The most endpoints to return.
    pub limit: usize,
}

impl PageQuery {
    fn selects(&self, endpoint: &Endpoint) -> bool {
        let Self { url, name, disabled, after, limit: _ } = self;
        let settings = &endpoint.settings;
        let shown_name = settings.name.as_deref().unwrap_or_default();
        url.as_ref().is_none_or(|text| settings.url.contains(text))
            && name.as_ref().is_none_or(|text| shown_name.contains(text))
            && disabled.is_none_or(|disabled| settings.disabled == disabled)
            && after.is_none_or(|after| endpoint.id > after)
    }
}

impl Engine {
    /// The workspace's endpoints that a query selects, numbers ascending, and whether more follow.
    pub async fn endpoints_page(
        &self,
        workspace: WorkspaceId,
        query: PageQuery,
    ) -> Result<(Vec<EndpointView>, bool), Error> {
        let mut endpoints = self.store.endpoints(workspace).await?;
        endpoints.retain(|endpoint| query.selects(endpoint));
        let more = endpoints.len() > query.limit;
        endpoints.truncate(query.limit);
        let ids: Vec<_> = endpoints.iter().map(|endpoint| endpoint.id).collect();
        let states = self.store.queue_states(workspace, &ids).await?;
        let views = endpoints.into_iter().zip(states);
        Ok((views.map(|(endpoint, state)| EndpointView { endpoint, state }).collect(), more))
    }

    /// One endpoint with where its queue stands. [`Error::NotFound`] when there is none.
    pub async fn endpoint_view(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        let endpoint = self.existing(workspace, id).await?;
        self.view(workspace, endpoint).await
    }

    /// An endpoint that must be there.
    pub(super) async fn existing(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Arc<Endpoint>, Error> {
        let found = self.store.endpoint(workspace, id).await?;
        found.ok_or(Error::NotFound(Entity::Endpoint))
    }
}
