//! The things Hookyard keeps. The words are those of ARCHITECTURE.md.

mod application;
mod attempt;
mod concurrency;
mod credential;
mod customer;
mod dataset;
mod delivery;
mod endpoint;
mod endpoint_options;
mod event;
mod event_type;
mod failure;
mod payload;
mod quota;
mod rate_limit;
mod replay;
mod retry_rule;
mod source;
mod source_options;
mod workspace;

pub use crate::secret::Secret;
pub use crate::signature::{SIGNING_PREFIX_DEFAULT, Signing, SigningKey};
pub use application::{
    Application, ApplicationChange, ApplicationSettings, Grant, GrantVia, NewApplication,
};
pub use attempt::{Attempt, Header, NewAttempt, Outcome, QueueState};
pub use concurrency::{CONCURRENCY_MAX, Concurrency};
pub use credential::{Credential, CredentialKind, ParseScopeError, Scope, Scopes};
pub use customer::{
    ALL_CUSTOMERS, Audience, CUSTOMER_CODE_BYTES_MAX, CUSTOMER_NAME_CHARS_MAX, Customer,
    CustomerCode, CustomerPatch, CustomerSettings, EndpointCustomer, METADATA_BYTES_MAX, Metadata,
};
pub use dataset::{
    Batch, BatchColumn, BatchState, Columns, Dataset, DatasetStats, Folder, Job, Row, Trashed,
    Version, VersionsKept,
};
pub use delivery::{
    Cause, Delivery, KeptBody, KeptRequest, LoggedRejection, NewDelivery, NewRejection,
    RefusedRequest, Rejection,
};
pub use endpoint::{
    ApiVersion, AuthKind, DATASET_SCHEME, Endpoint, EndpointSettings, MAXIMUM_EVENTS_DEFAULT,
    MAXIMUM_SIZE_DEFAULT, Subscription,
};
pub use endpoint_options::{
    ContentEncoding, CustomHeader, EndpointOptions, EndpointSecrets, NativeAuth, OAuth2Client,
};
pub use event::{Event, NewEvent, Receipt};
pub use event_type::{Catalogue, Category, EventType, NewEventType, UnknownEventType};
pub use failure::{Circuit, DisabledKind, DisabledReason};
pub use payload::{DeliveryMethod, PayloadFormat, TIMEOUT_SECONDS, TIMEOUT_SECONDS_DEFAULT};
pub use quota::{Level, QUOTA_TURNS_MAX, Quota, QuotaWindow};
pub use rate_limit::{Bucket, RATE_COUNT_MAX, RATE_SECONDS_MAX, RateLimit, RateUnit};
pub use replay::{Replay, ReplayProgress, ReplayScope, ReplayState};
pub use retry_rule::{
    RETRY_RULE_AFTER_MAX, RETRY_RULES_MAX, RetryAction, RetryRule, StatusRange, check_retry_rules,
};
pub use source::{Mode, NewSource, Outgoing, Previous, Source, SourceChange};
pub use source_options::{
    ALLOWED_IPS_MAX, ANSWER_BODY_BYTES_MAX, DeliveryRate, INSPECTION_SECONDS_DEFAULT,
    INSPECTION_SECONDS_MAX, Republish, SourceOptions, SourceOptionsChange, SuccessAnswer,
    UnknownType,
};
pub use workspace::{
    Project, QuotaSetting, QuotaSettings, Quotas, Workspace, WorkspaceQuotas, WorkspaceUsage,
};
