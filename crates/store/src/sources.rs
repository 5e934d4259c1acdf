use std::sync::Arc;

use async_trait::async_trait;
use hookyard_core::id::{ProjectId, SourceId, WorkspaceId};
use hookyard_core::model::{NewSource, Source, SourceChange};
use jiff::Timestamp;

use crate::StoreError;

/// The sources to list, numbers ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceQuery {
    /// Only sources of the project; `None` for all of the workspace.
    pub project: Option<ProjectId>,
    /// Only sources with higher numbers.
    pub after: Option<SourceId>,
    /// The most sources to return.
    pub limit: usize,
}

/// Sources.
#[async_trait]
pub trait SourceStore: Send + Sync {
    /// Makes a source and the source's dataset.
    async fn create_source(
        &self,
        new: NewSource,
        now: Timestamp,
    ) -> Result<Arc<Source>, StoreError>;

    /// A project's sources, numbers ascending.
    async fn sources(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
    ) -> Result<Vec<Arc<Source>>, StoreError>;

    /// A page of a workspace's sources.
    async fn sources_page(
        &self,
        workspace: WorkspaceId,
        query: SourceQuery,
    ) -> Result<Vec<Arc<Source>>, StoreError>;

    /// A source of any project; `None` when the workspace has no such source.
    async fn workspace_source(
        &self,
        workspace: WorkspaceId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError>;

    /// A source; `None` when the project has no such source.
    async fn source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError>;

    /// The source with this key, of any workspace. The lookup is by a hash of the key, so its time tells
    /// nothing about the existing keys.
    async fn source_by_key(&self, key: &str) -> Result<Option<Arc<Source>>, StoreError>;

    /// Changes a source, wholly or not at all; settings left out of the change stay as they are.
    /// [`StoreError::NotFound`] when there is no such source.
    async fn update_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Arc<Source>, StoreError>;

    /// Removes a source; the dataset and the rows stay. `false` when the source is absent.
    async fn delete_source(
        &self,
        workspace: WorkspaceId,
        project: ProjectId,
        id: SourceId,
    ) -> Result<bool, StoreError>;
}
