use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{EndpointId, ProjectId, WorkspaceId};
use hookyard_core::model::{
    Catalogue, DisabledReason, Endpoint, EndpointSettings, EventType, NewEventType, Project,
    Subscription, Workspace,
};
use jiff::Timestamp;

use crate::{NewCredential, StoreError};

/// A new workspace.
#[derive(Debug, Clone)]
pub struct NewWorkspace {
    /// The workspace.
    pub workspace: Workspace,
    /// The first project.
    pub project: Project,
    /// The event types.
    pub catalogue: Catalogue,
    /// The first credentials.
    pub credentials: Vec<NewCredential>,
}

/// Event types, endpoints and subscriptions.
#[async_trait]
pub trait CatalogStore: Send + Sync {
    /// Whether the project belongs to the workspace. The Mammoth API asks on every call, so a backend answers
    /// from memory where possible.
    async fn has_project(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<bool, StoreError>;

    /// A workspace's event types.
    async fn catalogue(&self, workspace: WorkspaceId) -> Result<Arc<Catalogue>, StoreError>;

    /// A number that changes with each change of the workspace's event types, endpoints or subscriptions, on
    /// any node: results derived from these stay valid as long as the number stays. [`StoreError::NotFound`]
    /// when there is no such workspace.
    async fn version(&self, workspace: WorkspaceId) -> Result<u64, StoreError>;

    /// Adds an event type, and the category when the workspace has none of the name. [`StoreError::Conflict`]
    /// when the name is taken, or the category exists with other expansions.
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

    /// Replaces an endpoint's settings and subscriptions, if `revision` is still the current revision, else
    /// [`StoreError::Conflict`]. Enabling a disabled endpoint clears the failures and Hookyard's reason for
    /// disabling. Subscriptions left out stay, inactive.
    async fn update_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        settings: EndpointSettings,
        subscriptions: Vec<Subscription>,
    ) -> Result<Arc<Endpoint>, StoreError>;

    /// Disables an endpoint for a reason of Hookyard's own, if `revision` is the current revision and the
    /// endpoint is enabled. Returns the disabled endpoint, or `None` when nothing was done. The queue stays.
    async fn disable_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
        reason: DisabledReason,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;

    /// Removes an endpoint with its queue and dead letters, and returns the removed endpoint; `None` when the
    /// endpoint is absent. A given revision must be the current revision, else [`StoreError::Conflict`].
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

    /// An endpoint at a revision, without its secrets; `None` when the revision is absent.
    async fn endpoint_revision(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        revision: u32,
    ) -> Result<Option<Arc<Endpoint>>, StoreError>;
}
