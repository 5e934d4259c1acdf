//! Managing endpoints: validate, store, put the new matcher in place.
//!
//! Each file is an operation, as a method of [`Engine`](crate::Engine); `patch`, `change`,
//! `subscriptions` and `target` hold the rules that creating and updating share
//! (docs/spec/ultracart.md#writing, docs/spec/ultracart.md#choices).

mod change;
mod create;
mod dead_letters;
mod delete;
mod disable;
mod list;
mod log;
mod moved;
mod options;
mod page;
mod patch;
mod reflow;
mod request;
mod rule;
mod signing;
mod subscribe;
mod subscriptions;
mod target;
mod update;

pub use change::EndpointChange;
pub use dead_letters::DeadLetterDetail;
pub use list::{EndpointPage, ListQuery, SortField, SortKey};
pub use log::{ATTEMPTS_SEARCHED_MAX, AttemptDetail, LogPage, LogQuery};
pub use options::OptionsChange;
pub use page::PageQuery;
pub use patch::{FieldNames, Patch};
pub use reflow::Reflowed;
pub use request::{REQUEST_CHARS_MAX, SentRequest};
pub use rule::check_rule;
pub use signing::{NewSecret, OVERLAP_DEFAULT, OVERLAP_MAX};
pub use subscriptions::RequestedSubscription;

use std::sync::Arc;

use hookyard_core::model::{Endpoint, QueueState};

/// An endpoint and the state of its queue.
#[derive(Debug, Clone)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// The state of the endpoint's queue.
    pub state: QueueState,
}

/// Shared parts of the operations' tests.
#[cfg(test)]
mod test_names {
    use super::{FieldNames, Patch, RequestedSubscription};

    pub(super) const NAMES: FieldNames = FieldNames {
        url: "webhook_url",
        name: "name",
        comments: "merchant_comments",
        basic_username: "basic_username",
        hidden_password: None,
        iam_secret_key: "iam_secret_key",
        maximum_events: "maximum_events",
        maximum_size: "maximum_size",
        event_type: "event_name",
        rule: "event_ruler",
    };

    /// A plain subscription to an event type.
    pub(super) fn subscribe(event_type: &str) -> RequestedSubscription {
        RequestedSubscription {
            path: "event_categories[0].events[0]".to_owned(),
            event_type: event_type.to_owned(),
            active: true,
            expansion: Patch::Keep,
            comments: Patch::Keep,
            rule: Patch::Keep,
        }
    }
}
