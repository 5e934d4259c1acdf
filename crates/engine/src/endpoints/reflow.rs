use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint, Event};
use hookyard_store::{Entity, EventQuery};

use super::request::{cut, shown};
use crate::deliver::render;
use crate::replays::heard;
use crate::rules::Single;
use crate::work::Share;
use crate::{Engine, Error};

/// The most events of a reflow's sample: a bundle of the default size.
const SAMPLE_EVENTS_MAX: usize = 100;

/// The most events looked at for a sample, for a rule that matches few events.
const SAMPLE_SEARCHED_MAX: usize = 1_000;

/// How many events a sample reads at a time.
const SAMPLE_PAGE: usize = 10;

/// The bytes of objects after which a sample reads no further: more than any request holds.
const SAMPLE_BYTES_MAX: usize = 1 << 20;

/// The outcome of a reflow.
#[derive(Debug, Clone)]
pub struct Reflowed {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// The event type.
    pub event_type: EventTypeId,
    /// Whether the history is queued, by this reflow or by an earlier reflow still under way.
    /// `false`: the endpoint is disabled.
    pub queued: bool,
}

impl Engine {
    /// Queues the history of an event type for an endpoint again: the events that match the
    /// subscription's present rule. `field` is the caller's name for the name of the event type.
    /// [`Error::Invalid`] when there is no such type, the type has no reflow, the endpoint does not
    /// subscribe to the type (docs/spec/ultracart.md#choices), or the subscription's rule cannot be
    /// read.
    pub async fn reflow_endpoint(
        &self,
        workspace: WorkspaceId,
        id: EndpointId,
        field: &str,
        name: &str,
    ) -> Result<Reflowed, Error> {
        let endpoint = self.store.endpoint(workspace, id).await?;
        let endpoint = endpoint.ok_or(Error::NotFound(Entity::Endpoint))?;
        let catalogue = self.store.catalogue(workspace).await?;
        let event_type = reflowable(&catalogue, &endpoint, name)
            .map_err(|reason| Error::invalid(field, reason))?;
        let rule = self.rule_of(&endpoint, event_type).await?;
        let rule = rule.map_err(|reason| Error::invalid(field, reason))?;
        let queued = !endpoint.settings.disabled;
        if queued {
            self.reflow_history(&endpoint, event_type, rule).await?;
        }
        Ok(Reflowed { endpoint, event_type, queued })
    }

    /// An event that cannot be searched is left out, and counted in the log: publishing would
    /// refuse the event under the rule. The event stays in the journal.
    async fn reflow_history(
        &self,
        endpoint: &Endpoint,
        event_type: EventTypeId,
        rule: Option<Single>,
    ) -> Result<(), Error> {
        let Endpoint { workspace, id, .. } = *endpoint;
        let refused = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&refused);
        let wanted = rule.map(|rule| {
            move |event: &Event| {
                rule.matches(&event.object).unwrap_or_else(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                    false
                })
            }
        });
        let only = heard(endpoint, wanted);
        self.store.reflow(workspace, id, event_type, only, self.clock.now()).await?;
        self.store.ready().mark([id]);
        let refused = refused.load(Ordering::Relaxed);
        if refused > 0 {
            tracing::warn!(
                workspace_id = %workspace,
                endpoint_id = %id,
                event_type_id = %event_type,
                events = refused,
                "a reflow left out events that the rule cannot be matched against"
            );
        }
        Ok(())
    }

    /// The body of a reflow's first request: the oldest events of the type that match the
    /// subscription's rule, as many as the endpoint takes at once; an empty bundle without events
    /// to send. The body is shown before content encoding, at most
    /// [`REQUEST_CHARS_MAX`](super::REQUEST_CHARS_MAX) characters.
    pub async fn reflow_sample(&self, reflowed: &Reflowed) -> Result<String, Error> {
        let Reflowed { endpoint, event_type, queued: _ } = reflowed;
        let rule = self.rule_of(endpoint, *event_type).await?.ok().flatten();
        let events = self.oldest_events(endpoint, *event_type, rule).await?;
        let catalogue = self.store.catalogue(endpoint.workspace).await?;
        let render = || {
            let bundle = render::bundle(&catalogue, endpoint, &events).ok();
            let bundle = bundle.filter(|bundle| bundle.events > 0);
            bundle.and_then(|bundle| shown(&bundle.body))
        };
        let bytes = events.iter().map(|event| event.object.len()).sum();
        let share = Share::Calls(endpoint.workspace);
        let request = self.work().run(share, bytes, render).await?;
        Ok(request.map_or_else(|| r#"{"events":[]}"#.to_owned(), |request| cut(request.text)))
    }

    /// The oldest events of a type that may reach the endpoint, enough for a sample.
    async fn oldest_events(
        &self,
        endpoint: &Endpoint,
        event_type: EventTypeId,
        rule: Option<Single>,
    ) -> Result<Vec<Arc<Event>>, Error> {
        let workspace = endpoint.workspace;
        let mut query = EventQuery {
            event_type: Some(event_type),
            after: None,
            before: None,
            newest_first: false,
            limit: SAMPLE_PAGE,
        };
        let matches = |event: &Arc<Event>| match &rule {
            _ if event.damaged || !endpoint.hears(&event.audience()) => false,
            Some(rule) => rule.matches(&event.object).unwrap_or(false),
            None => true,
        };
        let mut events = Vec::new();
        let (mut bytes, mut searched) = (0, 0);
        while events.len() < SAMPLE_EVENTS_MAX
            && bytes < SAMPLE_BYTES_MAX
            && searched < SAMPLE_SEARCHED_MAX
        {
            let page = self.store.events(workspace, query.clone()).await?;
            query.after = page.entries.last().map(|event| event.seq);
            searched += page.entries.len();
            let last = !page.more;
            let look = || page.entries.into_iter().filter(matches).collect::<Vec<_>>();
            let wanted = match rule {
                Some(_) => self.work().run_large(Share::Calls(workspace), look).await?,
                None => look(),
            };
            bytes += wanted.iter().map(|event| event.object.len()).sum::<usize>();
            events.extend(wanted);
            if last {
                break;
            }
        }
        Ok(events)
    }
}

fn reflowable(
    catalogue: &Catalogue,
    endpoint: &Endpoint,
    name: &str,
) -> Result<EventTypeId, String> {
    let Some((_, kind)) = catalogue.by_name(name) else {
        return Err(format!("there is no event called '{name}'"));
    };
    if !kind.supports_reflow {
        return Err(format!("'{name}' does not support reflow"));
    }
    if !endpoint.subscription(kind.id).is_some_and(|subscription| subscription.active) {
        return Err(format!("the endpoint is not subscribed to '{name}'"));
    }
    Ok(kind.id)
}
