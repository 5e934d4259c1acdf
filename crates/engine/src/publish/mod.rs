//! Publishing: validate, match, append.

mod matcher;
mod notice;

use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::id::{EndpointId, EventTypeId, WorkspaceId};
use hookyard_core::model::{Audience, NewEvent, Receipt, UnknownEventType};
use hookyard_ruler::event::Error::TooCostly;

use crate::Engine;
use crate::quotas::Intake;
use crate::rules::{Meter, REQUEST_STEPS_MAX, Undecided};
use crate::work::{INLINE_BYTES_MAX, Share};
pub(crate) use matcher::{Matcher, Matchers};

/// The most events of a call. A call is a single transaction, and others wait for the end: 10,000
/// events take a few tens of milliseconds.
pub const BATCH_EVENTS_MAX: usize = 10_000;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An event's type is not in the workspace's catalogue.
    #[error("{unknown}")]
    UnknownType {
        /// The index of the event, from 0.
        index: usize,
        /// The type's name.
        unknown: UnknownEventType,
    },

    /// A rule of the workspace cannot be decided for an event: matching takes more steps than
    /// allowed for an event, or a number, a key or the whole is too large to be searched.
    ///
    /// Such an event is refused, not accepted with a guess. Counted as matching, the event would
    /// reach endpoints whose rules may hold the event back. Counted as not matching, the event
    /// would be missing at endpoints that want the event, and nobody would know. With a refusal
    /// nothing is lost, and the publisher, who can mend the event, hears of the problem. Only a
    /// hostile event comes this far (a path spelled in several ways, with large arrays below each),
    /// and only where an endpoint has a rule for the type.
    #[error("the rules for this event type cannot be matched: {}{reason}", of_endpoint(*.endpoint))]
    Unmatchable {
        /// The index of the event, from 0.
        index: usize,
        /// The endpoint of the rule under test, where the endpoint tells something.
        endpoint: Option<EndpointId>,
        /// The reason.
        reason: hookyard_ruler::event::Error,
    },

    /// The events take too many steps together to be matched.
    #[error(
        "matching the events takes more than {REQUEST_STEPS_MAX} steps together, at the event at \
         index {index}: publish fewer at once"
    )]
    TooCostly {
        /// The index of the event, from 0.
        index: usize,
    },

    /// There are more events than [`BATCH_EVENTS_MAX`].
    #[error("the batch has {0} events, at most {BATCH_EVENTS_MAX} are accepted")]
    TooMany(usize),

    /// An error independent of the events.
    #[error(transparent)]
    Other(#[from] crate::Error),
}

impl Engine {
    /// Publishes events, all or none. When the call returns, the events are in the journal, on
    /// disk, and queued for the matching endpoints. Receipts are in the order of the events; an
    /// event published before (same id and source) is not stored again.
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
        let matched = self.match_events(workspace, &matcher, &events).await?;
        let version = matcher.version;
        let new = |(event, matched)| new_event(event, matched, version);
        let new: Vec<_> = events.into_iter().zip(matched).map(new).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = new.iter().map(|event| event.object.len()).sum();
        let events = new.len();
        let intake = Intake { events, bytes, becomes_rows: false, becomes_events: true };
        self.take_in(workspace, intake).await?;
        let receipts = self.store.append(workspace, new, self.clock.now()).await;
        Ok(receipts.map_err(crate::Error::from)?)
    }
}

/// Who wants an event.
#[derive(Debug)]
pub(crate) struct Matched {
    /// The event's type.
    pub(crate) event_type: EventTypeId,
    /// The endpoints, ascending.
    pub(crate) endpoints: Vec<EndpointId>,
    /// The version of the workspace whose endpoints these are, or an older one.
    pub(crate) version: u64,
}

/// Why an object is matched with nobody.
#[derive(Debug)]
pub(crate) enum Unmatched {
    /// The workspace has no such event type.
    UnknownType,
    /// As [`Error::Unmatchable`].
    Undecided(Undecided<EndpointId>),
    /// An error independent of the object.
    Other(crate::Error),
}

impl Engine {
    /// The owner's endpoints that want an event of this type with this object.
    pub(crate) async fn match_object(
        &self,
        workspace: WorkspaceId,
        event_type: &str,
        object: &[u8],
    ) -> Result<Matched, Unmatched> {
        let matcher = self.matchers.get(&self.store, workspace).await;
        let matcher = matcher.map_err(|error| Unmatched::Other(error.into()))?;
        let event_type = *matcher.names.get(event_type).ok_or(Unmatched::UnknownType)?;
        let run = |mut meter| {
            let endpoints = matcher.matches(event_type, &Audience::Owner, object, &mut meter)?;
            Ok(Matched { event_type, endpoints, version: matcher.version })
        };
        if object.len() <= INLINE_BYTES_MAX || !matcher.has_rules(event_type, &Audience::Owner) {
            match run(Meter::inline()) {
                Err(Undecided { reason: TooCostly { .. }, rule: _ }) => {}
                decided => return decided.map_err(Unmatched::Undecided),
            }
        }
        let matched = self.work.run_large(Share::Deliveries(workspace), || run(Meter::whole()));
        matched.await.map_err(Unmatched::Other)?.map_err(Unmatched::Undecided)
    }

    /// The type of each event and the matching endpoints. Small events are matched at once; a match
    /// with many steps is begun again among the large work.
    async fn match_events(
        &self,
        workspace: WorkspaceId,
        matcher: &Matcher,
        events: &[CloudEvent],
    ) -> Result<Vec<TypeAndMatches>, Error> {
        let searched = |event: &&CloudEvent| {
            let kind = matcher.names.get(&event.event_type);
            kind.is_some_and(|kind| matcher.has_rules(*kind, &event.audience()))
        };
        let bytes: usize = events.iter().filter(searched).map(|event| event.object.len()).sum();
        if bytes <= INLINE_BYTES_MAX {
            match match_all(matcher, events, Meter::inline()) {
                Err(
                    Error::TooCostly { .. } | Error::Unmatchable { reason: TooCostly { .. }, .. },
                ) => {}
                decided => return decided,
            }
        }
        let whole = || match_all(matcher, events, Meter::whole());
        self.work.run_large(Share::Calls(workspace), whole).await?
    }
}

/// The type of an event and the matching endpoints, ascending.
type TypeAndMatches = (EventTypeId, Vec<EndpointId>);

fn match_all(
    matcher: &Matcher,
    events: &[CloudEvent],
    mut meter: Meter,
) -> Result<Vec<TypeAndMatches>, Error> {
    let of_event = |(index, event): (usize, &CloudEvent)| {
        let Some(kind) = matcher.names.get(&event.event_type).copied() else {
            let known = matcher.names.keys().map(String::as_str);
            let unknown = UnknownEventType::new(&event.event_type, known);
            return Err(Error::UnknownType { index, unknown });
        };
        let is_low = meter.is_low();
        match matcher.matches(kind, &event.audience(), &event.object, &mut meter) {
            Ok(matched) => Ok((kind, matched)),
            Err(Undecided { reason: TooCostly { .. }, .. }) if is_low => {
                Err(Error::TooCostly { index })
            }
            Err(Undecided { rule, reason }) => {
                Err(Error::Unmatchable { index, endpoint: rule, reason })
            }
        }
    };
    events.iter().enumerate().map(of_event).collect()
}

fn new_event(
    event: CloudEvent,
    (event_type, matched): TypeAndMatches,
    matched_at: u64,
) -> NewEvent {
    let CloudEvent { id, source, event_type: _, attributes, object } = event;
    NewEvent { event_type, id, source, attributes, object, matched, matched_at }
}

/// The words for the rule's endpoint.
fn of_endpoint(endpoint: Option<EndpointId>) -> String {
    endpoint.map(|id| format!("at the rule of endpoint {id}, ")).unwrap_or_default()
}
