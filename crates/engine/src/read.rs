//! Reading a workspace's data.
//!
//! The APIs read here, and change things by the operations of [`Engine`]. A view has its workspace, so no
//! read can leave the workspace out.

use std::sync::Arc;

use bytes::Bytes;
use hookyard_core::id::{
    ApplicationId, BatchId, DatasetId, DeliveryId, EndpointId, FolderId, GrantId, JobId, ProjectId,
    SourceId, WorkspaceId,
};
use hookyard_core::model::{
    Application, Batch, Catalogue, Credential, Dataset, Delivery, Endpoint, Event, Folder, Grant,
    Job, Project, Source, Version, Workspace,
};
use hookyard_store::{
    AuditEntry, AuditQuery, BatchQuery, CredentialQuery, DatasetQuery, EventQuery, Newest, Page,
    RowLimit, RowPage, RowQuery, SharedStore, SourceQuery, StoreError,
};

use crate::Engine;

/// The data of one workspace, to read.
#[derive(Clone)]
pub struct Reads {
    store: SharedStore,
    workspace: WorkspaceId,
}

impl Engine {
    /// The data of a workspace, to read.
    pub fn of(&self, workspace: WorkspaceId) -> Reads {
        Reads { store: Arc::clone(self.store()), workspace }
    }
}

impl Reads {
    /// The number of the workspace.
    pub fn id(&self) -> WorkspaceId {
        self.workspace
    }

    /// The event types.
    pub async fn catalogue(&self) -> Result<Arc<Catalogue>, StoreError> {
        self.store.catalogue(self.workspace).await
    }

    /// The workspace itself.
    pub async fn workspace(&self) -> Result<Option<Workspace>, StoreError> {
        self.store.workspace(self.workspace).await
    }

    /// The projects, by number.
    pub async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        self.store.projects(self.workspace).await
    }

    /// Whether a project belongs to the workspace.
    pub async fn has_project(&self, project: ProjectId) -> Result<bool, StoreError> {
        self.store.has_project(self.workspace, project).await
    }

    /// The folders of a project.
    pub async fn folders(&self, project: ProjectId) -> Result<Vec<Folder>, StoreError> {
        self.store.folders(self.workspace, project).await
    }

    /// A folder of any project.
    pub async fn find_folder(&self, id: FolderId) -> Result<Option<Folder>, StoreError> {
        self.store.find_folder(self.workspace, id).await
    }

    /// The datasets of a project.
    pub async fn datasets(&self, project: ProjectId) -> Result<Vec<Dataset>, StoreError> {
        self.store.datasets(self.workspace, project).await
    }

    /// A dataset of a project.
    pub async fn dataset(
        &self,
        project: ProjectId,
        id: DatasetId,
    ) -> Result<Option<Dataset>, StoreError> {
        self.store.dataset(self.workspace, project, id).await
    }

    /// Datasets of any project.
    pub async fn find_datasets(&self, query: DatasetQuery) -> Result<Vec<Dataset>, StoreError> {
        self.store.find_datasets(self.workspace, query).await
    }

    /// The sources of a project.
    pub async fn sources(&self, project: ProjectId) -> Result<Vec<Arc<Source>>, StoreError> {
        self.store.sources(self.workspace, project).await
    }

    /// A source of a project.
    pub async fn source(
        &self,
        project: ProjectId,
        id: SourceId,
    ) -> Result<Option<Arc<Source>>, StoreError> {
        self.store.source(self.workspace, project, id).await
    }

    /// Sources of any project, by number.
    pub async fn sources_page(&self, query: SourceQuery) -> Result<Vec<Arc<Source>>, StoreError> {
        self.store.sources_page(self.workspace, query).await
    }

    /// What came to a source, newest first.
    pub async fn deliveries(
        &self,
        source: SourceId,
        page: Newest<DeliveryId>,
    ) -> Result<Page<Delivery>, StoreError> {
        self.store.deliveries(self.workspace, source, page).await
    }

    /// A delivery, with the body if kept.
    pub async fn delivery(
        &self,
        source: SourceId,
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Option<Bytes>)>, StoreError> {
        self.store.delivery(self.workspace, source, id).await
    }

    /// The batches of a dataset.
    pub async fn batches(
        &self,
        project: ProjectId,
        dataset: DatasetId,
        query: BatchQuery,
    ) -> Result<Vec<Batch>, StoreError> {
        self.store.batches(self.workspace, project, dataset, query).await
    }

    /// A batch of a dataset.
    pub async fn batch(
        &self,
        project: ProjectId,
        dataset: DatasetId,
        id: BatchId,
    ) -> Result<Option<Batch>, StoreError> {
        self.store.batch(self.workspace, project, dataset, id).await
    }

    /// The kept versions of a dataset.
    pub async fn versions(
        &self,
        project: ProjectId,
        dataset: DatasetId,
    ) -> Result<Vec<Version>, StoreError> {
        self.store.versions(self.workspace, project, dataset).await
    }

    /// Rows of a dataset behind a cursor.
    pub async fn rows_after(
        &self,
        project: ProjectId,
        dataset: DatasetId,
        query: RowQuery,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        self.store.rows_after(self.workspace, project, dataset, query, limit).await
    }

    /// Rows of a dataset behind so many others.
    pub async fn rows_at(
        &self,
        project: ProjectId,
        dataset: DatasetId,
        offset: u64,
        limit: RowLimit,
    ) -> Result<RowPage, StoreError> {
        self.store.rows_at(self.workspace, project, dataset, offset, limit).await
    }

    /// Events of the journal.
    pub async fn events(&self, query: EventQuery) -> Result<Page<Arc<Event>>, StoreError> {
        self.store.events(self.workspace, query).await
    }

    /// The newest event with a publisher's id, of a source if named.
    pub async fn event(
        &self,
        id: &str,
        source: Option<&str>,
    ) -> Result<Option<Arc<Event>>, StoreError> {
        self.store.event(self.workspace, id, source).await
    }

    /// An endpoint.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Option<Arc<Endpoint>>, StoreError> {
        self.store.endpoint(self.workspace, id).await
    }

    /// Entries of the audit log.
    pub async fn audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>, StoreError> {
        self.store.audit(self.workspace, query).await
    }

    /// OAuth2 applications, by number.
    pub async fn applications(
        &self,
        after: Option<ApplicationId>,
        limit: usize,
    ) -> Result<Vec<Application>, StoreError> {
        self.store.applications(self.workspace, after, limit).await
    }

    /// What people let an application do, by number.
    pub async fn grants(
        &self,
        application: ApplicationId,
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<Grant>, StoreError> {
        self.store.grants(self.workspace, application, after, limit).await
    }

    /// Credentials, without secrets.
    pub async fn credentials(&self, query: CredentialQuery) -> Result<Vec<Credential>, StoreError> {
        self.store.credentials(self.workspace, query).await
    }

    /// A job of the Mammoth API.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.store.job(self.workspace, id).await
    }
}
