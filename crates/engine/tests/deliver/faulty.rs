//! A store that fails when it is told to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::id::*;
use hookyard_core::model::*;
use hookyard_store::*;
use jiff::Timestamp;

/// A method that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Claim,
    Head,
    Window,
    Read,
    Settle,
    Redeliver,
    DueReplay,
    Examine,
    QueueSlice,
    Append,
    Disable,
    Land,
}

/// Whether the transaction happens before the caller is told that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    BeforeCommit,
    AfterCommit,
}

/// A store whose `n`th call of a method fails.
pub(crate) struct FaultyStore {
    inner: SharedStore,
    plan: Mutex<Vec<(Op, usize, When)>>,
    /// How many events at the next head are gone from the journal.
    gone: Mutex<usize>,
    /// Whether what is pending after an attempt is told too low.
    understates: AtomicBool,
    /// Until when it may be delivered, where that was set.
    tenure: Mutex<Tenure>,
}

impl FaultyStore {
    pub(crate) fn over(inner: SharedStore) -> Arc<Self> {
        let tenure = Mutex::new(Tenure::endless());
        Arc::new(Self {
            inner,
            plan: Mutex::default(),
            gone: Mutex::default(),
            understates: AtomicBool::new(false),
            tenure,
        })
    }

    /// The store below, which never fails: for what a test looks at by itself.
    pub(crate) fn inner(&self) -> &SharedStore {
        &self.inner
    }

    /// Makes the first events of the next head look as if they were gone from the journal.
    pub(crate) fn forget(&self, events: usize) {
        *self.gone.lock().unwrap() = events;
    }

    /// Answers from now on that nothing is pending after an attempt, as a backend may whose answer was
    /// on its way while more was queued.
    pub(crate) fn understate(&self) {
        self.understates.store(true, Ordering::Relaxed);
    }

    /// How many of the failures that were planned are still to come.
    pub(crate) fn planned(&self) -> usize {
        self.plan.lock().unwrap().len()
    }

    /// Has deliverers that are made from now on deliver for this long only.
    pub(crate) fn limit(&self, tenure: &Tenure) {
        *self.tenure.lock().unwrap() = tenure.clone();
    }

    /// Plans that the `nth` next call of the method, from 1, fails.
    pub(crate) fn fail(&self, op: Op, nth: usize, when: When) {
        self.plan.lock().unwrap().push((op, nth, when));
    }

    fn now(&self, op: Op) -> Option<When> {
        let mut plan = self.plan.lock().unwrap();
        for (_, left, _) in plan.iter_mut().filter(|planned| planned.0 == op) {
            *left = left.saturating_sub(1);
        }
        let due = plan.iter().position(|(planned, left, _)| *planned == op && *left == 0);
        due.map(|index| plan.remove(index).2)
    }

    async fn faulty<T>(
        &self,
        op: Op,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let failure = || Err(StoreError::Unavailable(format!("planned failure of {op:?}")));
        match self.now(op) {
            Some(When::BeforeCommit) => failure(),
            Some(When::AfterCommit) => {
                call.await?;
                failure()
            }
            None => call.await,
        }
    }
}

#[async_trait]
impl QueueStore for FaultyStore {
    fn ready(&self) -> Arc<Ready> {
        self.inner.ready()
    }

    fn tenure(&self) -> Tenure {
        self.tenure.lock().unwrap().clone()
    }

    async fn claim(&self, endpoint: EndpointId) -> Result<Option<Lease>, StoreError> {
        self.faulty(Op::Claim, self.inner.claim(endpoint)).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await
    }

    async fn head(&self, lease: &Lease, limit: HeadLimit) -> Result<Head, StoreError> {
        let mut head = self.faulty(Op::Head, self.inner.head(lease, limit)).await?;
        let gone = std::mem::take(&mut *self.gone.lock().unwrap()).min(head.entries.len());
        head.entries.drain(..gone);
        head.missing += u32::try_from(gone).unwrap();
        Ok(head)
    }

    async fn window(
        &self,
        lease: &Lease,
        from: u64,
        limit: HeadLimit,
    ) -> Result<Window, StoreError> {
        let mut window = self.faulty(Op::Window, self.inner.window(lease, from, limit)).await?;
        let gone = window.entries.len().min(*self.gone.lock().unwrap());
        *self.gone.lock().unwrap() -= gone;
        window.missing.extend(window.entries.drain(..gone).map(|queued| queued.place));
        Ok(window)
    }

    async fn record(
        &self,
        lease: &Lease,
        attempt: Arc<NewAttempt>,
        recorded: Recorded,
    ) -> Result<QueueState, StoreError> {
        let recorded = self.inner.record(lease, attempt, recorded);
        let mut state = self.faulty(Op::Settle, recorded).await?;
        if self.understates.load(Ordering::Relaxed) {
            state.pending = 0;
        }
        Ok(state)
    }

    async fn reflow(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_type: EventTypeId,
        only: Option<EventFilter>,
        now: Timestamp,
    ) -> Result<Reflow, StoreError> {
        self.inner.reflow(workspace, endpoint, event_type, only, now).await
    }

    async fn queue_states(
        &self,
        workspace: WorkspaceId,
        endpoints: &[EndpointId],
    ) -> Result<Vec<QueueState>, StoreError> {
        self.inner.queue_states(workspace, endpoints).await
    }
}

#[async_trait]
impl ReplayStore for FaultyStore {
    fn replays_due(&self) -> Arc<Ready> {
        self.inner.replays_due()
    }

    async fn replay_span(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
    ) -> Result<Span, StoreError> {
        self.inner.replay_span(workspace, endpoint, scope).await
    }

    async fn examine(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: &ReplayScope,
        span: Span,
        only: Option<EventFilter>,
        limit: SpanLimit,
    ) -> Result<Slice, StoreError> {
        let slice = self.inner.examine(workspace, endpoint, scope, span, only, limit);
        self.faulty(Op::Examine, slice).await
    }

    async fn start_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        scope: ReplayScope,
        now: Timestamp,
    ) -> Result<Replay, StoreError> {
        self.inner.start_replay(workspace, endpoint, scope, now).await
    }

    async fn recover(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        event_types: Vec<EventTypeId>,
        now: Timestamp,
    ) -> Result<Vec<Replay>, StoreError> {
        self.inner.recover(workspace, endpoint, event_types, now).await
    }

    async fn replays(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
    ) -> Result<Vec<Replay>, StoreError> {
        self.inner.replays(workspace, endpoint).await
    }

    async fn change_replay(
        &self,
        workspace: WorkspaceId,
        endpoint: EndpointId,
        id: ReplayId,
        change: ReplayChange,
    ) -> Result<Replay, StoreError> {
        self.inner.change_replay(workspace, endpoint, id, change).await
    }

    async fn due_replay(
        &self,
        endpoint: EndpointId,
    ) -> Result<Option<(WorkspaceId, Replay)>, StoreError> {
        self.faulty(Op::DueReplay, self.inner.due_replay(endpoint)).await
    }

    async fn queue_slice(
        &self,
        id: ReplayId,
        slice: Slice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.faulty(Op::QueueSlice, self.inner.queue_slice(id, slice, now)).await
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn health(&self) -> Result<(), StoreError> {
        self.inner.health().await
    }

    async fn failed(&self) -> String {
        self.inner.failed().await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}

/// Passes calls on.
macro_rules! delegate {
    ($($role:ident {
        $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty $(as $op:path)?;)*
    })*) => {$(
        #[async_trait]
        impl $role for FaultyStore {$(
            async fn $name(&self, $($arg: $kind),*) -> Result<$answer, StoreError> {
                let call = self.inner.$name($($arg),*);
                $(let call = self.faulty($op, call);)?
                call.await
            }
        )*}
    )*};
}

delegate! {
    TenantStore {
        fn create_workspace(new: NewWorkspace) -> ();
        fn workspaces() -> Vec<Workspace>;
        fn workspace(id: WorkspaceId) -> Option<Workspace>;
        fn rename_workspace(id: WorkspaceId, name: String) -> Workspace;
        fn quotas(workspace: WorkspaceId) -> QuotaSettings;
        fn set_quotas(workspace: WorkspaceId, quotas: QuotaSettings) -> ();
        fn usage(workspace: WorkspaceId) -> WorkspaceUsage;
        fn projects(workspace: WorkspaceId) -> Vec<Project>;
        fn create_project(workspace: WorkspaceId, id: Option<ProjectId>, name: String) -> Project;
        fn rename_project(workspace: WorkspaceId, id: ProjectId, name: String) -> Project;
        fn delete_project(workspace: WorkspaceId, id: ProjectId) -> ();
    }
    AuditStore {
        fn audit(workspace: WorkspaceId, query: AuditQuery) -> Page<AuditEntry>;
        fn note_seen(workspace: WorkspaceId, seen: Seen) -> ();
    }
    CustomerStore {
        fn put_customer(workspace: WorkspaceId, code: CustomerCode, settings: CustomerSettings,
            now: Timestamp) -> (Customer, bool);
        fn patch_customer(workspace: WorkspaceId, code: CustomerCode, patch: CustomerPatch)
            -> Option<Customer>;
        fn customer(workspace: WorkspaceId, code: CustomerCode) -> Option<Customer>;
        fn customers(workspace: WorkspaceId, after: Option<CustomerCode>, limit: usize)
            -> Vec<Customer>;
        fn create_customer_endpoint(workspace: WorkspaceId, customer: CustomerCode,
            settings: EndpointSettings, subscriptions: Vec<Subscription>, now: Timestamp)
            -> Arc<Endpoint>;
        fn delete_customer(workspace: WorkspaceId, code: CustomerCode) -> Option<RemovedCustomer>;
    }
    CatalogStore {
        fn has_project(workspace: WorkspaceId, project: ProjectId) -> bool;
        fn catalogue(workspace: WorkspaceId) -> Arc<Catalogue>;
        fn version(workspace: WorkspaceId) -> u64;
        fn add_event_type(workspace: WorkspaceId, new: NewEventType) -> EventType;
        fn disable_endpoint(workspace: WorkspaceId, id: EndpointId, revision: u32,
            reason: DisabledReason) -> Option<Arc<Endpoint>> as Op::Disable;
        fn create_endpoint(workspace: WorkspaceId, settings: EndpointSettings,
            subscriptions: Vec<Subscription>, now: Timestamp) -> Arc<Endpoint>;
        fn update_endpoint(workspace: WorkspaceId, id: EndpointId, revision: u32,
            settings: EndpointSettings, subscriptions: Vec<Subscription>) -> Arc<Endpoint>;
        fn delete_endpoint(workspace: WorkspaceId, id: EndpointId, revision: Option<u32>)
            -> Option<Arc<Endpoint>>;
        fn endpoint(workspace: WorkspaceId, id: EndpointId) -> Option<Arc<Endpoint>>;
        fn endpoints(workspace: WorkspaceId) -> Vec<Arc<Endpoint>>;
        fn endpoint_revision(workspace: WorkspaceId, id: EndpointId, revision: u32)
            -> Option<Arc<Endpoint>>;
    }
    CredentialStore {
        fn create_credential(workspace: WorkspaceId, new: NewCredential) -> CredentialId;
        fn credential(kind: CredentialKind, lookup: [u8; 32]) -> Option<StoredCredential>;
        fn credentials(workspace: WorkspaceId, query: CredentialQuery) -> Vec<Credential>;
        fn credential_by_id(workspace: WorkspaceId, id: CredentialId) -> Option<Credential>;
        fn change_credential(workspace: WorkspaceId, id: CredentialId, change: CredentialChange)
            -> Credential;
        fn revoke_credential(workspace: WorkspaceId, id: CredentialId, now: Timestamp)
            -> Credential;
        fn rotate_credential(workspace: WorkspaceId, id: CredentialId, rotation: Rotation)
            -> Credential;
        fn credentials_used(uses: Vec<(CredentialId, Timestamp)>) -> ();
        fn forget_credentials(ended_before: Timestamp, limit: usize) -> u64;
    }
    ApplicationStore {
        fn create_application(workspace: WorkspaceId, new: NewApplication, now: Timestamp)
            -> Application;
        fn applications(workspace: WorkspaceId, after: Option<ApplicationId>, limit: usize)
            -> Vec<Application>;
        fn application(workspace: WorkspaceId, id: ApplicationId) -> Option<Application>;
        fn application_of_client(client_id: &str) -> Option<Application>;
        fn update_application(workspace: WorkspaceId, id: ApplicationId,
            change: ApplicationChange) -> Application;
        fn delete_application(workspace: WorkspaceId, id: ApplicationId) -> bool;
        fn grants(workspace: WorkspaceId, application: ApplicationId, after: Option<GrantId>,
            limit: usize) -> Vec<Grant>;
        fn revoke_grant(workspace: WorkspaceId, application: ApplicationId, grant: GrantId)
            -> bool;
    }
    OAuthStore {
        fn add_code(application: ApplicationId, hash: SecretHash, code: Code, now: Timestamp)
            -> ();
        fn note_denial(application: ApplicationId, scopes: Scopes) -> ();
        fn code(application: ApplicationId, hash: SecretHash) -> Option<Code>;
        fn redeem_code(application: ApplicationId, hash: SecretHash, tokens: NewTokens,
            now: Timestamp) -> Issue;
        fn rotate_tokens(application: ApplicationId, refresh: SecretHash, tokens: NewTokens,
            now: Timestamp) -> Issue;
        fn add_device_code(device: SecretHash, user: SecretHash, code: DeviceCode,
            now: Timestamp) -> ();
        fn waiting_device(user: SecretHash, now: Timestamp) -> Option<(Application, Scopes)>;
        fn decide_device(user: SecretHash, approved_by: Option<CredentialId>, now: Timestamp)
            -> bool;
        fn poll_device(application: ApplicationId, device: SecretHash, tokens: NewTokens,
            now: Timestamp) -> Poll;
        fn revoke_token(application: ApplicationId, token: SecretHash) -> bool;
    }
    JournalStore {
        fn append(workspace: WorkspaceId, events: Vec<NewEvent>, now: Timestamp) -> Vec<Receipt>
            as Op::Append;
        fn events(workspace: WorkspaceId, query: EventQuery) -> Page<Arc<Event>>;
        fn event(workspace: WorkspaceId, id: &str, source: Option<&str>) -> Option<Arc<Event>>;
        fn events_by_seq(workspace: WorkspaceId, seqs: &[Seq]) -> Vec<Arc<Event>> as Op::Read;
    }
    RetentionStore {
        fn expiry(keep: Retention, now: Timestamp) -> Expiry;
        fn expire(expiry: Expiry) -> Expired;
    }
    AttemptStore {
        fn attempts(workspace: WorkspaceId, endpoint: EndpointId, query: AttemptQuery)
            -> Page<Attempt>;
        fn attempt(workspace: WorkspaceId, endpoint: EndpointId, request_id: &RequestId)
            -> Option<Attempt>;
    }
    DeadLetterStore {
        fn dead_letters(workspace: WorkspaceId, endpoint: EndpointId, query: DeadLetterQuery)
            -> Vec<DeadLetter>;
        fn redeliver_dead_letters(workspace: WorkspaceId, endpoint: EndpointId,
            which: DeadLetters) -> u64 as Op::Redeliver;
        fn drop_dead_letters(workspace: WorkspaceId, endpoint: EndpointId,
            which: DeadLetters) -> u64;
    }
    SourceStore {
        fn create_source(new: NewSource, now: Timestamp) -> Arc<Source>;
        fn sources(workspace: WorkspaceId, project: ProjectId) -> Vec<Arc<Source>>;
        fn sources_page(workspace: WorkspaceId, query: SourceQuery) -> Vec<Arc<Source>>;
        fn workspace_source(workspace: WorkspaceId, id: SourceId) -> Option<Arc<Source>>;
        fn source(workspace: WorkspaceId, project: ProjectId, id: SourceId)
            -> Option<Arc<Source>>;
        fn source_by_key(key: &str) -> Option<Arc<Source>>;
        fn update_source(workspace: WorkspaceId, project: ProjectId, id: SourceId,
            change: SourceChange) -> Arc<Source>;
        fn delete_source(workspace: WorkspaceId, project: ProjectId, id: SourceId) -> bool;
    }
    DatasetStore {
        fn receive(source: SourceId, cell: Bytes, now: Timestamp) -> Received;
        fn datasets(workspace: WorkspaceId, project: ProjectId) -> Vec<Dataset>;
        fn dataset(workspace: WorkspaceId, project: ProjectId, id: DatasetId) -> Option<Dataset>;
        fn delete_dataset(workspace: WorkspaceId, project: ProjectId, id: DatasetId) -> bool;
        fn append_row(workspace: WorkspaceId, dataset: DatasetId, cell: Bytes, now: Timestamp)
            -> Received;
        fn create_dataset(new: NewDataset, now: Timestamp) -> Dataset;
        fn find_datasets(workspace: WorkspaceId, query: DatasetQuery) -> Vec<Dataset>;
        fn find_dataset(workspace: WorkspaceId, id: DatasetId) -> Option<Dataset>;
        fn update_dataset(workspace: WorkspaceId, project: ProjectId, id: DatasetId,
            change: DatasetChange) -> Dataset;
    }
    RowStore {
        fn rows_after(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId,
            query: RowQuery, limit: RowLimit) -> RowPage;
        fn rows_at(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId, offset: u64,
            limit: RowLimit) -> RowPage;
        fn batches(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId,
            query: BatchQuery) -> Vec<Batch>;
        fn batch(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId, id: BatchId)
            -> Option<Batch>;
        fn change_batches(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId,
            changes: Vec<(BatchId, BatchChange)>, now: Timestamp) -> ();
    }
    VersionStore {
        fn versions(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId)
            -> Vec<Version>;
        fn restore_version(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId,
            version: VersionId, now: Timestamp) -> ();
        fn delete_version(workspace: WorkspaceId, project: ProjectId, dataset: DatasetId,
            version: VersionId) -> bool;
    }
    FolderStore {
        fn create_folder(new: NewFolder, now: Timestamp) -> Folder;
        fn folders(workspace: WorkspaceId, project: ProjectId) -> Vec<Folder>;
        fn find_folder(workspace: WorkspaceId, id: FolderId) -> Option<Folder>;
        fn update_folder(workspace: WorkspaceId, project: ProjectId, id: FolderId,
            change: FolderChange, now: Timestamp) -> Folder;
        fn delete_folder(workspace: WorkspaceId, project: ProjectId, id: FolderId,
            contents: FolderContents) -> bool;
    }
    TrashStore {
        fn trash_datasets(workspace: WorkspaceId, project: ProjectId, ids: Vec<DatasetId>,
            now: Timestamp) -> Vec<Dataset>;
        fn restore_datasets(workspace: WorkspaceId, project: ProjectId, ids: Vec<DatasetId>,
            now: Timestamp) -> Vec<Dataset>;
        fn trash_folder(workspace: WorkspaceId, project: ProjectId, id: FolderId, now: Timestamp)
            -> Option<Vec<Dataset>>;
        fn purge_trash(until: Timestamp, limit: usize) -> usize;
    }
    JobStore {
        fn add_job(workspace: WorkspaceId, new: NewJob, now: Timestamp) -> Job;
        fn job(workspace: WorkspaceId, id: JobId) -> Option<Job>;
    }
    LimitStore {
        fn take_turns(takes: Vec<Take>, now: Timestamp) -> Turns;
        fn forget_buckets(now: Timestamp, limit: usize) -> u64;
    }
    ReceivingStore {
        fn accept(delivery: NewDelivery, now: Timestamp) -> Accepted;
        fn deliveries(workspace: WorkspaceId, source: SourceId, page: Newest<DeliveryId>)
            -> Page<Delivery>;
        fn delivery(workspace: WorkspaceId, source: SourceId, id: DeliveryId)
            -> Option<(Delivery, Option<Bytes>)>;
        fn log_rejections(lines: Vec<LoggedRejection>) -> ();
        fn rejection(workspace: WorkspaceId, source: SourceId, id: RejectionId)
            -> Option<(Rejection, Option<RefusedRequest>)>;
        fn append_rows(workspace: WorkspaceId, dataset: DatasetId, cells: Vec<Bytes>,
            repeat: Option<[u8; 16]>, now: Timestamp) -> Option<Vec<BatchId>>;
        fn rejections(workspace: WorkspaceId, source: SourceId, page: Newest<RejectionId>)
            -> Vec<Rejection>;
        fn land(workspace: WorkspaceId, dataset: DatasetId, endpoint: EndpointId,
            rows: Vec<(Seq, Bytes)>, now: Timestamp) -> u64 as Op::Land;
        fn expire_inspection(now: Timestamp) -> u64;
    }
}
