//! Decisions about endpoints, and the form of their rows, alike on both backends.

use hookyard_core::entropy::Entropy;
use hookyard_core::id::{CustomerId, EndpointId, WorkspaceId};
use hookyard_core::model::{
    CustomerCode, DisabledReason, Endpoint, EndpointCustomer, EndpointSecrets, EndpointSettings,
    Secret, Subscription,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::stored::{from_json, moment, to_json};
use crate::vault::Vault;
use crate::{Actor, StoreError, sealed};

/// A new endpoint, made by the [`Actor`] at work.
pub(crate) fn created(
    id: EndpointId,
    workspace: WorkspaceId,
    customer: Option<EndpointCustomer>,
    settings: EndpointSettings,
    subscriptions: Vec<Subscription>,
    now: Timestamp,
) -> Endpoint {
    Endpoint {
        id,
        workspace,
        revision: 1,
        created_at: moment(now.as_millisecond()),
        disabled_reason: None,
        application: Actor::current_application(),
        customer,
        settings,
        subscriptions: sorted(subscriptions),
    }
}

/// An endpoint's change by its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Updated {
    /// The endpoint after the change.
    pub(crate) endpoint: Endpoint,
    /// Whether the change enables the endpoint; the backend then forgets the endpoint's failures.
    pub(crate) enabled: bool,
}

/// The endpoint after the owner changed the seen revision. A subscription that the owner leaves out is
/// cancelled, not forgotten. [`StoreError::Conflict`] when the endpoint has another revision.
pub(crate) fn updated(
    before: &Endpoint,
    revision: u32,
    settings: EndpointSettings,
    subscriptions: Vec<Subscription>,
) -> Result<Updated, StoreError> {
    must_be_revision(before, revision)?;
    let enabled = before.settings.disabled && !settings.disabled;
    let endpoint = Endpoint {
        revision: revision + 1,
        disabled_reason: before.disabled_reason.clone().filter(|_| settings.disabled),
        subscriptions: with_cancelled(before, subscriptions),
        settings,
        ..before.clone()
    };
    Ok(Updated { endpoint, enabled })
}

/// The endpoint once Hookyard disables this revision; `None` when the endpoint has another revision or is
/// disabled already.
pub(crate) fn disabled(
    before: &Endpoint,
    revision: u32,
    reason: DisabledReason,
) -> Option<Endpoint> {
    if before.revision != revision || before.settings.disabled {
        return None;
    }
    let mut endpoint = before.clone();
    endpoint.revision += 1;
    endpoint.settings.disabled = true;
    endpoint.disabled_reason = Some(reason);
    Some(endpoint)
}

/// Checks that nobody changed the endpoint since its owner saw this revision.
pub(crate) fn must_be_revision(endpoint: &Endpoint, revision: u32) -> Result<(), StoreError> {
    if endpoint.revision == revision {
        return Ok(());
    }
    Err(StoreError::Conflict("the endpoint changed meanwhile".to_owned()))
}

fn sorted(mut subscriptions: Vec<Subscription>) -> Vec<Subscription> {
    subscriptions.sort_by_key(|subscription| subscription.event_type);
    subscriptions
}

fn with_cancelled(before: &Endpoint, mut new: Vec<Subscription>) -> Vec<Subscription> {
    for old in &before.subscriptions {
        if new.iter().all(|subscription| subscription.event_type != old.event_type) {
            new.push(Subscription { active: false, ..old.clone() });
        }
    }
    sorted(new)
}

/// The detail for the audit log of an endpoint that appears or goes.
pub(crate) fn about(endpoint: &Endpoint) -> Value {
    match &endpoint.customer {
        Some(own) => json!({ "name": endpoint.settings.name, "customer": own.code.as_str() }),
        None => json!({ "name": endpoint.settings.name }),
    }
}

/// The detail for the audit log of an endpoint that Hookyard disables.
pub(crate) fn about_disabled(endpoint: &Endpoint) -> Value {
    json!({ "reason": endpoint.disabled_reason })
}

/// An endpoint's settings as columns.
pub(crate) struct EndpointColumns {
    /// The settings without the secrets, as JSON.
    pub(crate) settings: String,
    /// The subscriptions, as JSON.
    pub(crate) subscriptions: String,
    /// The secrets, sealed; `None` when there are none.
    pub(crate) secrets: Option<Vec<u8>>,
    /// Why Hookyard disabled the endpoint, as JSON.
    pub(crate) reason: Option<String>,
}

impl EndpointColumns {
    /// The columns of an endpoint.
    pub(crate) fn of(
        endpoint: &Endpoint,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self, StoreError> {
        let (open, secrets) = endpoint.settings.clone().split();
        let place = sealed::endpoint(endpoint.id);
        let seal = |secrets: &EndpointSecrets| {
            vault.seal(entropy, &place, &Secret::new(to_json(secrets)?))
        };
        Ok(Self {
            settings: to_json(&open)?,
            subscriptions: to_json(&endpoint.subscriptions)?,
            secrets: (!secrets.is_empty()).then(|| seal(&secrets)).transpose()?,
            reason: endpoint.disabled_reason.as_ref().map(to_json).transpose()?,
        })
    }
}

/// The customer of an endpoint from the number and the code; `None` for an endpoint of the owner.
pub(crate) fn customer(
    id: Option<i32>,
    code: Option<&str>,
) -> Result<Option<EndpointCustomer>, StoreError> {
    let Some((id, code)) = id.map(CustomerId).zip(code) else { return Ok(None) };
    let code = CustomerCode::parse(code).map_err(StoreError::internal)?;
    Ok(Some(EndpointCustomer { id, code }))
}

/// The settings from their columns, secrets included.
pub(crate) fn settings(
    id: EndpointId,
    open: &str,
    sealed: Option<&[u8]>,
    vault: &Vault,
) -> Result<EndpointSettings, StoreError> {
    let secrets: EndpointSecrets = match sealed {
        Some(sealed) => from_json(vault.open(&sealed::endpoint(id), sealed)?.expose())?,
        None => EndpointSecrets::default(),
    };
    Ok(from_json::<EndpointSettings>(open)?.join(secrets))
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::EventTypeId;
    use hookyard_core::model::DisabledKind;

    use super::*;
    use crate::contract::{at, subscribed};

    fn endpoint() -> Endpoint {
        let subscriptions = vec![subscribed(EventTypeId(2)), subscribed(EventTypeId(1))];
        let settings = EndpointSettings::to_url("https://x.test/h");
        created(EndpointId(7), WorkspaceId(1), None, settings, subscriptions, at(0))
    }

    fn gone() -> DisabledReason {
        let error = Some("410 Gone".to_owned());
        DisabledReason { kind: DisabledKind::Gone, at: at(5), status: Some(410), error }
    }

    #[test]
    fn a_subscription_that_is_left_out_is_cancelled() {
        let before = endpoint();
        let new = vec![subscribed(EventTypeId(3)), subscribed(EventTypeId(2))];
        let after = updated(&before, 1, before.settings.clone(), new).unwrap().endpoint;
        let all: Vec<_> = after.subscriptions.iter().map(|s| (s.event_type.0, s.active)).collect();
        assert_eq!((all, after.revision), (vec![(1, false), (2, true), (3, true)], 2));
    }

    #[test]
    fn an_owner_changes_only_the_revision_that_the_owner_saw() {
        let before = endpoint();
        let late = updated(&before, 2, before.settings.clone(), Vec::new());
        assert!(matches!(late, Err(StoreError::Conflict(_))));
    }

    #[test]
    fn the_reason_goes_when_the_owner_enables_the_endpoint() {
        let before = disabled(&endpoint(), 1, gone()).unwrap();
        assert!(before.settings.disabled && before.revision == 2);
        let still = updated(&before, 2, before.settings.clone(), Vec::new()).unwrap();
        assert!(still.endpoint.disabled_reason.is_some() && !still.enabled);
        let settings = EndpointSettings { disabled: false, ..before.settings.clone() };
        let enabled = updated(&before, 2, settings, Vec::new()).unwrap();
        assert!(enabled.endpoint.disabled_reason.is_none() && enabled.enabled);
    }

    #[test]
    fn hookyard_disables_only_the_revision_that_failed_and_only_once() {
        assert!(disabled(&endpoint(), 2, gone()).is_none());
        let before = disabled(&endpoint(), 1, gone()).unwrap();
        assert!(disabled(&before, 2, gone()).is_none());
    }
}
