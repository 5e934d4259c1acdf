use std::sync::Arc;

use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint, Replay, ReplayScope};
use hookyard_store::Entity;
use jiff::Timestamp;

use super::filter;
use crate::work::Share;
use crate::{Engine, Error, rules};

/// The events that a caller wants again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySpec {
    /// The moment of acceptance of the first events, to the millisecond.
    pub from: Option<Timestamp>,
    /// The moment before which events were accepted, to the millisecond.
    pub until: Option<Timestamp>,
    /// The names of the event types, which the endpoint must subscribe to. Empty: all subscribed
    /// types.
    pub event_types: Vec<String>,
    /// The rule for the events. `None`: each event must match the rule of its subscription when the
    /// replay comes to the event.
    pub rule: Option<String>,
}

impl Engine {
    /// Starts a replay of the present journal. [`Error::Invalid`] names the unusable value: `from`,
    /// `event_types[n]` or `rule`. [`Error::Conflict`] when the endpoint is disabled or has too
    /// many unfinished replays.
    pub async fn start_replay(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        spec: ReplaySpec,
    ) -> Result<Replay, Error> {
        let (endpoint, scope) = self.replay_scope(workspace, id, spec).await?;
        refuse_disabled(&endpoint)?;
        Ok(self.store.start_replay(workspace, id, scope, self.clock.now()).await?)
    }

    /// Starts replays of the events published while the endpoint was disabled: a replay for each
    /// disabled time since the last call, with the present subscriptions and rules; none when no
    /// event was missed. [`Error::Conflict`] when the endpoint is disabled now.
    pub async fn recover(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
    ) -> Result<Vec<Replay>, Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(Error::NotFound(Entity::Endpoint))?;
        refuse_disabled(&endpoint)?;
        let event_types = subscribed(&endpoint);
        if event_types.is_empty() {
            let message = "the endpoint subscribes to nothing, so nothing can be recovered";
            return Err(Error::Conflict(message.to_owned()));
        }
        Ok(self.store.recover(workspace, id, event_types, self.clock.now()).await?)
    }

    /// The caller's specification as a scope of the store, checked.
    pub(super) async fn replay_scope(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        spec: ReplaySpec,
    ) -> Result<(Arc<Endpoint>, ReplayScope), Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(Error::NotFound(Entity::Endpoint))?;
        let catalogue = self.store.catalogue(workspace).await?;
        let ReplaySpec { from, until, event_types, rule } = spec;
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return Err(Error::invalid("from", "must be before `until`"));
        }
        let rule = rule.filter(|rule| !rule.is_empty());
        if let Some(rule) = &rule {
            let compile = || filter::compile(rule);
            let compiled =
                self.work().run(Share::Calls(workspace), rules::weight(rule.len()), compile);
            compiled.await?.map_err(|reason| Error::invalid("rule", reason))?;
        }
        let event_types = resolve(&catalogue, &endpoint, &event_types)?;
        let scope = ReplayScope { event_types, from, until, rule, missed_only: false };
        Ok((endpoint, scope))
    }
}

fn refuse_disabled(endpoint: &Endpoint) -> Result<(), Error> {
    if endpoint.settings.disabled {
        return Err(Error::Conflict("the endpoint is disabled: enable it first".to_owned()));
    }
    Ok(())
}

/// The subscribed types of an endpoint, ascending.
fn subscribed(endpoint: &Endpoint) -> Vec<EventTypeId> {
    let active = endpoint.subscriptions.iter().filter(|subscription| subscription.active);
    active.map(|subscription| subscription.event_type).collect()
}

/// The types with the names, ascending; all subscribed types without names.
fn resolve(
    catalogue: &Catalogue,
    endpoint: &Endpoint,
    names: &[String],
) -> Result<Vec<EventTypeId>, Error> {
    let own = subscribed(endpoint);
    if names.is_empty() {
        if own.is_empty() {
            let message = "is required: the endpoint subscribes to nothing";
            return Err(Error::invalid("event_types", message));
        }
        return Ok(own);
    }
    let mut types = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let invalid = |message| Error::invalid(format!("event_types[{index}]"), message);
        let (_, kind) = catalogue.find(name).map_err(|unknown| Error::UnknownEventType {
            field: format!("event_types[{index}]"),
            message: unknown.to_string(),
        })?;
        if !own.contains(&kind.id) {
            return Err(invalid(format!("the endpoint is not subscribed to '{name}'")));
        }
        types.push(kind.id);
    }
    types.sort_unstable();
    types.dedup();
    Ok(types)
}
