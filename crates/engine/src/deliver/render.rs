//! Turning queued events into the body of a request.
//!
//! The body is `{"events":[{"<event type>":<object>},...]}` (docs/spec/ultracart.md#bodies). Objects go
//! through as their published text, without the parts that the subscription did not ask for. The same events,
//! endpoint and catalogue always render to the same bytes, so the delivery log keeps no bodies and renders
//! them again.

use std::collections::hash_map::{Entry, HashMap};
use std::io::Write;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hookyard_core::expansion::Filter;
use hookyard_core::id::{EventTypeId, Seq};
use hookyard_core::json::{Damaged, string_member};
use hookyard_core::model::{
    Catalogue, Endpoint, EndpointSettings, Event, MAXIMUM_EVENTS_DEFAULT, MAXIMUM_SIZE_DEFAULT,
};
use hookyard_store::HeadLimit;

use super::coding::{Coding, coding};

mod form;

use self::form::{Form, Frame};

/// The largest body, in bytes as sent (docs/spec/ultracart.md#choices).
const SIZE_MAX: usize = 900_000;

/// The most events of one bundle, however many an endpoint would take. The smallest useful events have about
/// 90 bytes, so no more would fit. The bound keeps the log's row of an attempt small.
const EVENTS_MAX: usize = 10_000;

/// How many bytes of published objects are looked at for one bundle. More than [`SIZE_MAX`], because
/// expansion and compression make them smaller.
pub(super) const OBJECT_BYTES_MAX: usize = 2 << 20;

// The largest body is found among the objects read for a bundle, even for a single event.
const _: () = assert!(SIZE_MAX < OBJECT_BYTES_MAX);
// An endpoint's default size is the largest size sent.
const _: () = assert!(MAXIMUM_SIZE_DEFAULT.unsigned_abs() as usize == SIZE_MAX);
const _: () = assert!(MAXIMUM_EVENTS_DEFAULT.unsigned_abs() as usize <= EVENTS_MAX);

/// How many times the largest compressed document is compressed at first: JSON shrinks to a fifth or a
/// tenth, so that most bundles are found at once.
const FIRST_TRY_RATIO: usize = 8;

/// The body of one request, with the facts that the log keeps about the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The bytes to send.
    pub body: Bytes,
    /// How many of the given events, from the first, are in the bundle. At least one, unless none was given.
    pub events: usize,
    /// The types of the bundle's events, each once.
    pub event_types: Vec<EventTypeId>,
    /// The order ids of the bundle's events, each once.
    pub order_ids: Vec<String>,
}

/// Why the first of the events given can never be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// Even alone, and without its expansions, the event makes too large a body.
    #[error(
        "the event alone makes a body of {bytes} bytes, more than the {SIZE_MAX} that are sent"
    )]
    TooLarge {
        /// The size of the body.
        bytes: usize,
    },
    /// The event's type is not in the catalogue.
    #[error("the event's type is not in the catalogue any more")]
    UnknownType,
    /// The store has other bytes than were published.
    #[error(
        "event {0} is damaged in the store and was not sent: what is stored is not what was published. \
         Publish the event again, or restore a backup and deliver the dead letter again"
    )]
    Altered(Seq),
    /// The event's object cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

/// Renders the longest run of the events, from the first, that the endpoint's limits allow.
///
/// An event that is over the endpoint's `maximum_size` by itself is sent alone. An event over 900,000 bytes
/// is sent without the parts that its subscription asked for beyond the base object. If the rest is still too
/// large, the event cannot be sent.
pub fn bundle(
    catalogue: &Arc<Catalogue>,
    endpoint: &Arc<Endpoint>,
    events: &[Arc<Event>],
) -> Result<Bundle, Unsendable> {
    Renderer::new(Arc::clone(catalogue), Arc::clone(endpoint)).bundle(events)
}

/// The most events that the endpoint takes in one request.
pub(super) fn events_max(settings: &EndpointSettings) -> usize {
    if settings.options.format.is_single() {
        return 1;
    }
    usize::try_from(settings.maximum_events).unwrap_or(0).clamp(1, EVENTS_MAX)
}

/// How much of the queue's head to ask for to fill one bundle.
pub(super) fn head_limit(settings: &EndpointSettings) -> HeadLimit {
    HeadLimit { events: events_max(settings), bytes: OBJECT_BYTES_MAX }
}

/// How much to ask for as long as the endpoint's settings are not known.
pub(super) fn first_head_limit() -> HeadLimit {
    let events = usize::try_from(MAXIMUM_EVENTS_DEFAULT).unwrap_or(1);
    HeadLimit { events, bytes: OBJECT_BYTES_MAX }
}

fn size_max(settings: &EndpointSettings) -> usize {
    let asked = match settings.maximum_size {
        ..=0 => MAXIMUM_SIZE_DEFAULT,
        asked => asked,
    };
    usize::try_from(asked).unwrap_or(SIZE_MAX).min(SIZE_MAX)
}

/// How one event type is rendered for one endpoint.
#[derive(Debug)]
struct TypeRendering {
    form: Form,
    /// The subscription's filter.
    asked: Filter,
    /// Nothing beyond the base object.
    base: Filter,
}

/// Renders for one endpoint as it is at one revision.
#[derive(Debug)]
pub(super) struct Renderer {
    catalogue: Arc<Catalogue>,
    endpoint: Arc<Endpoint>,
    /// The results so far.
    kinds: HashMap<EventTypeId, TypeRendering>,
}

/// Several events rendered, one after the other.
struct Joined {
    frame: Frame,
    /// The document without its closing.
    text: Vec<u8>,
    /// Where each event ends.
    ends: Vec<usize>,
}

impl Joined {
    /// The document with the first `count` events.
    fn plain(mut self, count: usize) -> Vec<u8> {
        self.text.truncate(self.end(count));
        self.text.extend_from_slice(self.frame.closing);
        self.text
    }

    /// How many events end within so many bytes.
    fn count_within(&self, bytes: usize) -> usize {
        self.ends.partition_point(|end| *end <= bytes)
    }

    fn end(&self, count: usize) -> usize {
        count.checked_sub(1).map_or(self.frame.opening.len(), |last| self.ends[last])
    }

    /// The same, compressed.
    fn compressed(&self, count: usize, coding: Coding) -> Vec<u8> {
        // The quickest level: the compression runs between two requests on a thread that others wait for.
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let written = gzip
            .write_all(&self.text[..self.end(count)])
            .and_then(|()| gzip.write_all(self.frame.closing))
            .and_then(|()| gzip.finish());
        // Writing into memory does not fail.
        let packed = written.unwrap_or_default();
        if coding == Coding::GzipText { STANDARD.encode(packed).into_bytes() } else { packed }
    }

    /// The longest run of events whose compressed document has at most `size` bytes, or the first
    /// event alone.
    ///
    /// The work of compression grows with the events that fit, not with the length of the queue. Otherwise
    /// each small bundle of a long queue would cost as much as the whole.
    fn longest_compressed(&self, size: usize, coding: Coding) -> (Vec<u8>, usize) {
        let all = self.ends.len();
        let mut fits = (Vec::new(), 0);
        let mut tried =
            self.count_within(size.saturating_mul(FIRST_TRY_RATIO)).clamp(1, all.max(1));
        let mut too_many = loop {
            let body = self.compressed(tried, coding);
            if body.len() > size {
                break tried;
            }
            fits = (body, tried);
            if tried >= all {
                return fits;
            }
            tried = self.count_within(self.end(tried).saturating_mul(2)).clamp(tried + 1, all);
        };
        if fits.1 == 0 {
            fits = (self.compressed(1, coding), 1);
        }
        while too_many - fits.1 > 1 {
            let middle = fits.1.midpoint(too_many);
            let body = self.compressed(middle, coding);
            match body.len() <= size {
                true => fits = (body, middle),
                false => too_many = middle,
            }
        }
        fits
    }
}

impl Renderer {
    pub(super) fn new(catalogue: Arc<Catalogue>, endpoint: Arc<Endpoint>) -> Self {
        Self { catalogue, endpoint, kinds: HashMap::new() }
    }

    /// See [`bundle()`].
    pub(super) fn bundle(&mut self, events: &[Arc<Event>]) -> Result<Bundle, Unsendable> {
        let count = events.len().min(events_max(&self.endpoint.settings));
        let (body, count) = self.longest(&events[..count])?;
        let (body, count) = match events.first() {
            Some(first) if body.len() > SIZE_MAX => (self.without_expansion(first)?, 1),
            _ => (body, count),
        };
        let (event_types, order_ids) = contents(&events[..count]);
        Ok(Bundle { body: body.into(), events: count, event_types, order_ids })
    }

    /// The longest run within the endpoint's size, or the first event alone.
    fn longest(&mut self, events: &[Arc<Event>]) -> Result<(Vec<u8>, usize), Unsendable> {
        let size = size_max(&self.endpoint.settings);
        let coding = coding(&self.endpoint.settings);
        if coding != Coding::Plain {
            return Ok(self.join(events, usize::MAX)?.longest_compressed(size, coding));
        }
        let joined = self.join(events, size)?;
        let count = joined.ends.len();
        Ok((joined.plain(count), count))
    }

    /// Renders events until the document would have more than `size` bytes; the first whatever its
    /// size.
    fn join(&mut self, events: &[Arc<Event>], size: usize) -> Result<Joined, Unsendable> {
        let frame = self.frame();
        let mut text = frame.opening.to_vec();
        let mut ends = Vec::with_capacity(events.len());
        for event in events {
            let before = text.len();
            if !ends.is_empty() {
                text.push(b',');
            }
            let kind = match event.damaged {
                true => Err(Unsendable::Altered(event.seq)),
                false => self.kind(event.event_type),
            };
            let rendered =
                kind.and_then(|kind| Ok(kind.form.write(event, &kind.asked, &mut text)?));
            let too_much = text.len() + frame.closing.len() > size;
            match rendered {
                Err(error) if ends.is_empty() => return Err(error),
                // The event will be the first of the next bundle, and reported then.
                Err(_) => text.truncate(before),
                Ok(()) if too_much && !ends.is_empty() => text.truncate(before),
                Ok(()) => {
                    ends.push(text.len());
                    continue;
                }
            }
            break;
        }
        Ok(Joined { frame, text, ends })
    }

    fn frame(&self) -> Frame {
        Frame::of(self.endpoint.settings.options.format)
    }

    fn without_expansion(&mut self, event: &Event) -> Result<Vec<u8>, Unsendable> {
        let coding = coding(&self.endpoint.settings);
        let frame = self.frame();
        let mut text = frame.opening.to_vec();
        let kind = self.kind(event.event_type)?;
        kind.form.write(event, &kind.base, &mut text)?;
        let joined = Joined { frame, ends: vec![text.len()], text };
        let body = match coding {
            Coding::Plain => joined.plain(1),
            Coding::Gzip | Coding::GzipText => joined.compressed(1, coding),
        };
        if body.len() > SIZE_MAX {
            return Err(Unsendable::TooLarge { bytes: body.len() });
        }
        Ok(body)
    }

    fn kind(&mut self, event_type: EventTypeId) -> Result<&TypeRendering, Unsendable> {
        let vacant = match self.kinds.entry(event_type) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(vacant) => vacant,
        };
        let (category, kind) = self.catalogue.by_id(event_type).ok_or(Unsendable::UnknownType)?;
        let expansion = self.endpoint.subscription(event_type);
        let expansion = expansion.and_then(|subscription| subscription.expansion.as_deref());
        let form = Form::new(self.endpoint.settings.options.format, &kind.name);
        Ok(vacant.insert(TypeRendering {
            form,
            asked: Filter::new(&category.expansions, expansion.unwrap_or_default()),
            base: Filter::new(&category.expansions, ""),
        }))
    }
}

/// The longest order id that the log of attempts notes. No shop has longer ids, and a page of the log has the
/// ids of two hundred bundles.
const ORDER_ID_BYTES_MAX: usize = 256;

/// The types and the order ids of events, each once, in the order of the events. A text too long for an order
/// id is left out.
pub(super) fn contents(events: &[Arc<Event>]) -> (Vec<EventTypeId>, Vec<String>) {
    let mut event_types = Vec::new();
    let mut order_ids = Vec::with_capacity(events.len());
    for event in events {
        if !event_types.contains(&event.event_type) {
            event_types.push(event.event_type);
        }
        let id = string_member(&event.object, "order_id");
        if let Some(id) = id.filter(|id| id.len() <= ORDER_ID_BYTES_MAX) {
            order_ids.push(id.into_owned());
        }
    }
    if order_ids.len() > 1 {
        let mut seen = std::collections::HashSet::with_capacity(order_ids.len());
        let first: Vec<bool> = order_ids.iter().map(|id| seen.insert(id.as_str())).collect();
        let mut first = first.into_iter();
        order_ids.retain(|_| first.next().unwrap_or_default());
    }
    (event_types, order_ids)
}

#[cfg(test)]
mod tests;
