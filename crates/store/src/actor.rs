use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use hookyard_core::id::{ApplicationId, CredentialId, WorkspaceId};
use hookyard_core::model::Credential;
use jiff::Timestamp;

/// The actor on whose behalf a task works. A request or command calls the store inside [`Actor::scope`]; the
/// store and the engine then know the actor without an argument in every call.
#[derive(Debug)]
pub struct Actor {
    /// The kind of actor.
    pub kind: ActorKind,
    /// The moment when the request or command began.
    pub at: Timestamp,
    /// The address of the caller; `None` without a network, or where the address cannot be told.
    pub address: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<String>,
    credential: OnceLock<Proven>,
}

/// The known part of an actor's credential.
#[derive(Debug)]
struct Proven {
    id: CredentialId,
    name: String,
    application: Option<ApplicationId>,
    workspace: WorkspaceId,
}

/// A kind of [`Actor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// A request to one of the APIs.
    Request,
    /// A command of whoever runs the installation.
    Command,
    /// Hookyard itself.
    System,
}

impl ActorKind {
    /// The word for this kind in answers and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Command => "command",
            Self::System => "system",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Request, Self::Command, Self::System].into_iter().find(|kind| kind.as_str() == text)
    }
}

tokio::task_local! {
    static CURRENT: Arc<Actor>;
}

impl Actor {
    /// A request before its credential is checked.
    pub fn request(at: Timestamp, address: Option<IpAddr>, request_id: String) -> Arc<Self> {
        let request_id = Some(request_id);
        Arc::new(Self { address, request_id, ..Self::of_kind(ActorKind::Request, at) })
    }

    /// A command.
    pub fn command(at: Timestamp) -> Arc<Self> {
        Arc::new(Self::of_kind(ActorKind::Command, at))
    }

    /// Hookyard itself.
    pub fn system(at: Timestamp) -> Arc<Self> {
        Arc::new(Self::of_kind(ActorKind::System, at))
    }

    fn of_kind(kind: ActorKind, at: Timestamp) -> Self {
        Self { kind, at, address: None, request_id: None, credential: OnceLock::new() }
    }

    /// Runs a future on behalf of the actor.
    pub async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// Runs a part of a task elsewhere, on behalf of the task's actor, if any.
    pub(crate) fn lend<T>(actor: Option<Arc<Self>>, part: impl FnOnce() -> T) -> T {
        match actor {
            Some(actor) => CURRENT.sync_scope(actor, part),
            None => part(),
        }
    }

    /// The actor of this task; `None` when no scope was opened.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Notes the credential that the actor proved to have. The first credential stays.
    pub fn identify(&self, credential: &Credential) {
        let Credential { id, name, application, workspace, .. } = credential;
        let _ = self.credential.set(Proven {
            id: *id,
            name: name.clone(),
            application: *application,
            workspace: *workspace,
        });
    }

    /// The proved credential, with its name.
    pub fn credential(&self) -> Option<(CredentialId, &str)> {
        self.credential.get().map(|proven| (proven.id, proven.name.as_str()))
    }

    /// The workspace that the credential opens.
    pub fn workspace(&self) -> Option<WorkspaceId> {
        self.credential.get().map(|proven| proven.workspace)
    }

    /// The application whose token the actor at work presented.
    pub(crate) fn current_application() -> Option<ApplicationId> {
        Self::current()?.credential.get()?.application
    }
}
