//! The operator's decisions about delivering.

use std::time::Duration;

use hookyard_core::id::WorkspaceId;
use http::HeaderValue;
use url::Url;

use super::api_user::ApiUser;
use super::limits::CONNECTIONS_DEFAULT;

/// How long an endpoint may take nothing before it is disabled, unless the operator says otherwise:
/// five days, a long weekend and a working day to notice.
pub const DISABLE_AFTER_DEFAULT: Duration = Duration::from_secs(5 * 24 * 60 * 60);

/// The `User-Agent` of deliveries, unless the operator says otherwise.
pub const USER_AGENT_DEFAULT: HeaderValue =
    HeaderValue::from_static(concat!("Hookyard/", env!("CARGO_PKG_VERSION")));

/// The operator's decisions about delivering.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API user, and the only workspace with access: endpoints of others never see the credentials.
    pub api_user: Option<(WorkspaceId, ApiUser)>,
    /// Where all requests to Amazon SQS go instead of the queues' own hosts.
    pub sqs_endpoint_url: Option<Url>,
    /// How long an endpoint may take nothing before it is disabled; `None` for ever.
    pub disable_after: Option<Duration>,
    /// The `User-Agent` of deliveries.
    pub user_agent: HeaderValue,
    /// Connections to receivers at once. Each is an open file.
    pub connections_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_user: None,
            sqs_endpoint_url: None,
            disable_after: Some(DISABLE_AFTER_DEFAULT),
            user_agent: USER_AGENT_DEFAULT,
            connections_max: CONNECTIONS_DEFAULT,
        }
    }
}
