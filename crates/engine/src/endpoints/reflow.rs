use std::sync::Arc;

use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Catalogue, Endpoint, Event};
use hookyard_store::{Entity, EventQuery};

use super::request::cut;
use crate::deliver::render;
use crate::{Engine, Error};

/// The most events of the sample that a reflow shows: a bundle of the default size.
const SAMPLE_EVENTS_MAX: usize = 100;

/// How many events a sample reads at a time.
const SAMPLE_PAGE: usize = 10;

/// No more is read for a sample once this many bytes of objects are there: more than any request
/// holds.
const SAMPLE_BYTES_MAX: usize = 1 << 20;

/// What a reflow did.
#[derive(Debug, Clone)]
pub struct Reflowed {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// The event type.
    pub event_type: EventTypeId,
    /// Whether the history is queued, by this reflow or by an earlier one that is still under way.
    /// `false`: the endpoint is disabled.
    pub queued: bool,
}

impl Engine {
    /// Queues the history of an event type for an endpoint again. `field` is what the caller calls
    /// the name of the event type. [`Error::Invalid`] when there is no such type, it has no reflow
    /// or the endpoint does not subscribe to it (UltraCart spec 6, rows 17 to 19).
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
        let queued = !endpoint.settings.disabled;
        if queued {
            let now = self.clock.now();
            self.store.reflow(workspace, id, event_type, None, now).await?;
            self.store.ready().mark([id]);
        }
        Ok(Reflowed { endpoint, event_type, queued })
    }

    /// The body of the first request that a reflow makes: the oldest events of the type, as many as
    /// the endpoint takes at once; an empty bundle when there are none that can be sent. Its text
    /// has at most [`REQUEST_CHARS_MAX`](super::REQUEST_CHARS_MAX) characters.
    pub async fn reflow_sample(&self, reflowed: &Reflowed) -> Result<String, Error> {
        let Reflowed { endpoint, event_type, queued: _ } = reflowed;
        let events = self.oldest_events(endpoint.workspace, *event_type).await?;
        let catalogue = self.store.catalogue(endpoint.workspace).await?;
        match render::bundle(&catalogue, endpoint, &events) {
            Ok(bundle) if bundle.events > 0 => {
                Ok(cut(String::from_utf8_lossy(&bundle.body).into_owned()))
            }
            _ => Ok(r#"{"events":[]}"#.to_owned()),
        }
    }

    /// The oldest events of a type, enough for a sample.
    async fn oldest_events(
        &self,
        workspace: WorkspaceId,
        event_type: EventTypeId,
    ) -> Result<Vec<Arc<Event>>, Error> {
        let mut query = EventQuery {
            event_type: Some(event_type),
            after: None,
            before: None,
            newest_first: false,
            limit: SAMPLE_PAGE,
        };
        let mut events = Vec::new();
        let mut bytes = 0;
        while events.len() < SAMPLE_EVENTS_MAX && bytes < SAMPLE_BYTES_MAX {
            let page = self.store.events(workspace, query.clone()).await?;
            query.after = page.last().map(|event| event.seq);
            bytes += page.iter().map(|event| event.object.len()).sum::<usize>();
            let last = page.len() < SAMPLE_PAGE;
            events.extend(page);
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
