//! Telling other endpoints that an endpoint fails, or was disabled.
//!
//! There is one event for each run of failures and one for each time an endpoint is disabled. The id of the
//! event names its occasion, so no event is published twice, whatever was forgotten meanwhile. An endpoint
//! gets no such event about itself. As a run of failures that counts here takes a minute, two endpoints that
//! tell each other of their failures make at most two events a minute.

use std::time::Duration;

use hookyard_core::catalogue::{ENDPOINT_DISABLED, ENDPOINT_FAILING};
use hookyard_core::model::{Endpoint, Outcome, QueueState};
use jiff::Timestamp;
use serde_json::json;

use super::deliverer::Deliverer;

/// The failures in a row that are worth a warning. By the schedule the fifth comes after a minute:
/// a restart or a lost packet is over by then.
const FAILING_AFTER: u32 = 5;

/// How long the failures must have lasted, whatever the schedule, as a bound on the number of warnings.
const FAILING_FOR: Duration = Duration::from_secs(60);

/// How long after an endpoint was disabled a missing event is still published: long enough for a restart
/// after a crash.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// The announcements about an endpoint, as far as its worker remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Told {
    /// The start of the announced run of failures.
    failing_since: Option<Timestamp>,
    /// The revision at which the endpoint was disabled.
    disabled_at: Option<u32>,
}

/// Whether so much time has passed.
pub(super) fn has_passed(wait: Duration, since: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(since)).is_ok_and(|passed| passed >= wait)
}

impl Deliverer {
    /// Publishes that an endpoint keeps failing, once for each run of failures.
    pub(super) async fn warn_failing(
        &self,
        endpoint: &Endpoint,
        told: &mut Told,
        state: QueueState,
        last: &Outcome,
    ) {
        let Some(since) = state.failing_since.filter(|_| state.failures >= FAILING_AFTER) else {
            return;
        };
        let now = self.clock.now();
        if told.failing_since == Some(since) || !has_passed(FAILING_FOR, since, now) {
            return;
        }
        let id = format!("endpoint-{}-failing-{}", endpoint.id, since.as_millisecond());
        let object = json!({
            "endpoint_id": endpoint.id,
            "name": endpoint.settings.name,
            "failing_since": since,
            "failures": state.failures,
            "status": last.status,
            "error": last.error,
            "next_retry_at": state.retry_at,
            "pending": state.pending,
        });
        if self.tell(endpoint, ENDPOINT_FAILING, id, &object).await {
            told.failing_since = Some(since);
        }
    }

    /// Publishes that Hookyard disabled an endpoint, once.
    pub(super) async fn tell_disabled(
        &self,
        endpoint: &Endpoint,
        told: &mut Told,
        state: QueueState,
    ) {
        let Some(reason) = &endpoint.disabled_reason else { return };
        let over = has_passed(ANNOUNCED_WITHIN, reason.at, self.clock.now());
        if over || told.disabled_at == Some(endpoint.revision) {
            return;
        }
        // Not the revision: the owner may change a name meanwhile.
        let id = format!("endpoint-{}-disabled-{}", endpoint.id, reason.at.as_millisecond());
        let object = json!({
            "endpoint_id": endpoint.id,
            "name": endpoint.settings.name,
            "disabled_at": reason.at,
            "reason": reason.kind,
            "status": reason.status,
            "error": reason.error,
            "failures": state.failures,
            "pending": state.pending,
        });
        if self.tell(endpoint, ENDPOINT_DISABLED, id, &object).await {
            told.disabled_at = Some(endpoint.revision);
        }
    }

    /// Whether the event is published now. A failure to do so is no reason not to deliver.
    async fn tell(
        &self,
        about: &Endpoint,
        event_type: &str,
        id: String,
        object: &serde_json::Value,
    ) -> bool {
        let published = self.engine.publish_notice(about, event_type, id, object.to_string()).await;
        if let Err(error) = &published {
            tracing::warn!(endpoint = %about.id, event_type, %error, "a warning was not published");
        }
        published.is_ok()
    }
}
