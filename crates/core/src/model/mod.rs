//! The things Hookyard keeps. The words are those of ARCHITECTURE.md.

mod attempt;
mod credential;
mod endpoint;
mod event;
mod event_type;
mod replay;
mod secret;
mod source;
mod workspace;

pub use attempt::{Attempt, Header, NewAttempt, Outcome, QueueState};
pub use credential::{Credential, CredentialKind, ParseScopeError, Scope, Scopes};
pub use endpoint::{
    ApiVersion, AuthKind, Endpoint, EndpointSettings, MAXIMUM_EVENTS_DEFAULT, MAXIMUM_SIZE_DEFAULT,
    Subscription,
};
pub use event::{Event, NewEvent, Receipt};
pub use event_type::{Catalogue, Category, EventType};
pub use replay::{Replay, ReplayProgress, ReplayScope, ReplayState};
pub use secret::Secret;
pub use source::{
    Batch, BatchState, Dataset, DatasetStats, Mode, NewSource, Row, Source, SourceChange,
};
pub use workspace::{Project, Workspace};
