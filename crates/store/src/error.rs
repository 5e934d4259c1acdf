use std::error::Error;
use std::fmt;

/// The kind of an absent thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A workspace.
    Workspace,
    /// A project.
    Project,
    /// An event type.
    EventType,
    /// An endpoint.
    Endpoint,
    /// A subscription.
    Subscription,
    /// An attempt.
    Attempt,
    /// A source.
    Source,
    /// A dataset.
    Dataset,
    /// A batch.
    Batch,
    /// A version of a dataset.
    Version,
    /// A folder.
    Folder,
    /// A job.
    Job,
    /// A dead letter.
    DeadLetter,
    /// A replay.
    Replay,
    /// An application.
    Application,
    /// A grant.
    Grant,
    /// A credential.
    Credential,
    /// A customer.
    Customer,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workspace => "workspace",
            Self::Project => "project",
            Self::EventType => "event type",
            Self::Endpoint => "endpoint",
            Self::Subscription => "subscription",
            Self::Attempt => "attempt",
            Self::Source => "source",
            Self::Dataset => "dataset",
            Self::Batch => "batch",
            Self::Version => "version",
            Self::Folder => "folder",
            Self::Job => "job",
            Self::DeadLetter => "dead letter",
            Self::Replay => "replay",
            Self::Application => "application",
            Self::Grant => "grant",
            Self::Credential => "credential",
            Self::Customer => "customer",
        })
    }
}

/// Why a transaction did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing asked for is absent, or belongs to another workspace.
    #[error("no such {0}")]
    NotFound(Entity),

    /// A thing with the same identity exists already, or the thing changed since the caller read it.
    #[error("{0}")]
    Conflict(String),

    /// The endpoint has another owner now; the caller's work on the endpoint must stop.
    #[error("the endpoint's lease was lost")]
    LeaseLost,

    /// The store cannot commit now: the store is stopping, full or out of reach. The caller may try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),

    /// The store's own fault: damaged data, a failed read, a bug.
    #[error("the store failed: {0}")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A fault described in words.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into().into())
    }
}
