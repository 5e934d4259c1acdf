//! Publishing: validate, match, append.

mod matcher;
mod notice;

use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{NewEvent, Receipt};

use crate::Engine;
pub(crate) use matcher::{Matcher, Matchers};

/// The most events of one call. They are one transaction, which others wait for: this many take a few
/// tens of milliseconds.
pub const BATCH_EVENTS_MAX: usize = 10_000;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An event's type is not in the workspace's catalogue.
    #[error("the workspace has no event type `{name}`")]
    UnknownType {
        /// Which event, from 0.
        index: usize,
        /// The type's name.
        name: String,
    },

    /// A rule of the workspace cannot be decided for an event: its arrays are too ambiguous, or a
    /// number, a key or the whole is too large to be searched.
    ///
    /// Such an event is refused, not accepted with a guess. Counted as matching, it would reach
    /// endpoints whose rules may hold it back; counted as not matching, it would be missed by
    /// endpoints that were promised it, and nobody told. Refused, nothing is lost, and the one who
    /// can mend it hears of it. Only an event built for it comes this far (a key repeated with large
    /// arrays below it), and only where an endpoint has a rule for its type.
    #[error("the rules for this event type cannot be matched: {source}")]
    Unmatchable {
        /// Which event, from 0.
        index: usize,
        /// What is in the way.
        source: hookyard_ruler::event::Error,
    },

    /// There are more events than [`BATCH_EVENTS_MAX`].
    #[error("the batch has {0} events, at most {BATCH_EVENTS_MAX} are accepted")]
    TooMany(usize),

    /// Something that has nothing to do with the events.
    #[error(transparent)]
    Other(#[from] crate::Error),
}

impl Engine {
    /// Publishes events, all or none. When this returns they are in the journal, on disk, and queued
    /// for the endpoints they match. Receipts are in the order of the events; one that was published
    /// before (same id and source) is not stored again.
    pub async fn publish(
        &self,
        workspace: WorkspaceId,
        events: Vec<CloudEvent>,
    ) -> Result<Vec<Receipt>, Error> {
        if events.len() > BATCH_EVENTS_MAX {
            return Err(Error::TooMany(events.len()));
        }
        let matcher =
            self.matchers.get(&self.store, workspace).await.map_err(crate::Error::from)?;
        let matched = |(index, event)| match_event(&matcher, index, event);
        let new = events.into_iter().enumerate().map(matched).collect::<Result<Vec<_>, _>>()?;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let receipts = self.store.append(workspace, new, self.clock.now()).await;
        Ok(receipts.map_err(crate::Error::from)?)
    }
}

/// Why an object is matched with nobody.
#[derive(Debug)]
pub(crate) enum Unmatched {
    /// The workspace has no such event type.
    UnknownType,
    /// As [`Error::Unmatchable`].
    Ambiguous(hookyard_ruler::event::Error),
    /// Something that has nothing to do with the object.
    Other(crate::Error),
}

impl Engine {
    /// The endpoints that want an event of this type with this object, ascending.
    pub(crate) async fn match_object(
        &self,
        workspace: WorkspaceId,
        event_type: &str,
        object: &[u8],
    ) -> Result<(EventTypeId, Vec<EndpointId>), Unmatched> {
        let matcher = self.matchers.get(&self.store, workspace).await;
        let matcher = matcher.map_err(|error| Unmatched::Other(error.into()))?;
        let kind = *matcher.names.get(event_type).ok_or(Unmatched::UnknownType)?;
        Ok((kind, matcher.matches(kind, object).map_err(Unmatched::Ambiguous)?))
    }
}

fn match_event(matcher: &Matcher, index: usize, event: CloudEvent) -> Result<NewEvent, Error> {
    let CloudEvent { id, source, event_type, attributes, object } = event;
    let Some(kind) = matcher.names.get(&event_type).copied() else {
        return Err(Error::UnknownType { index, name: event_type });
    };
    let matched =
        matcher.matches(kind, &object).map_err(|source| Error::Unmatchable { index, source })?;
    Ok(NewEvent { event_type: kind, id, source, attributes, object, matched })
}
