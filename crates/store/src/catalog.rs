use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, ProjectId, WorkspaceId};
use hookyard_core::model::{
    Catalogue, DisabledReason, Endpoint, EndpointSettings, EventType, NewEventType, Project,
    Subscription, Workspace,
};
use jiff::Timestamp;

use crate::{NewCredential, StoreError};

/// A workspace on its way into the store.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// The workspace.
    pub workspace: Workspace,
    /// Its first project.
    pub project: Project,
    /// Its event types.
    pub catalogue: Catalogue,
    /// Its first credentials.
    pub credentials: Vec<NewCredential>,
}

/// Event types, endpoints and subscriptions.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// Whether the project is one of the workspace's. Asked on every call of the Mammoth API, so a
    /// backend answers from memory where it can.
    async fn has_project(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<bool, StoreError>;

    /// A workspace's event types.
    async fn catalogue(&self, workspace: WorkspaceId) -> Result<Arc<Catalogue>, StoreError>;

    /// A number that is another one after each change of the workspace's event types, endpoints or
    /// subscriptions, whichever node made it: so that what follows from them can be kept as long as
    /// it stays. [`StoreError::NotFound`] when there is no such workspace.
    async fn version(&self, workspace: WorkspaceId) -> Result<u64, StoreError>;

    /// Adds an event type, and its category when the workspace has none so called.
    /// [`StoreError::Conflict`] when the name is taken, or the category is there with other
    /// expansions than the ones given.
    async fn add_event_type(
        &self,
        workspace: WorkspaceId,
        new: NewEventType,
    ) -> Result<EventType, StoreError>;

    /// Registers an endpoint.
    async fn create_endpoint(
        &self,
        workspace: WorkspaceId,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
        now: Timestamp,
    ) -> Result<Arc<Endpoint>, StoreError>;

    /// Replaces an endpoint's settings and subscriptions, if `revision` is still its revision, else
    /// [`StoreError::Conflict`]. Enabling an endpoint that was disabled clears its failures, and the
    /// reason why Hookyard disabled it.
    /// Subscriptions that are no longer named stay, inactive.
    async fn update_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
    ) -> Result<Arc<Endpoint>, StoreError>;

    /// Disables an endpoint for a reason of Hookyard's own, if `revision` is still its revision and
    /// it is enabled; what it is then. `None` when nothing was done. Its queue stays.
    async fn disable_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        reason: DisabledReason,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;

    /// Removes an endpoint and drops its queue and dead letters; what it was stays as the answer.
    /// `None` when there is none. With a revision only if that is still its revision, else
    /// [`StoreError::Conflict`].
    async fn delete_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: Option<u32>,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;

    /// An endpoint; `None` when there is none.
    async fn endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;

    /// All endpoints of a workspace, numbers ascending.
    async fn endpoints(&self, workspace: WorkspaceId) -> Result<Vec<Arc<Endpoint>>, StoreError>;

    /// An endpoint as it was at a revision, its secrets left out; `None` when there is no such
    /// revision.
    async fn endpoint_revision(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;
}
