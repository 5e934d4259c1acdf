//! Publishing received deliveries.

use std::borrow::Cow;

use bytes::Bytes;
use hookyard_core::entropy;
use hookyard_core::json_pointer;
use hookyard_core::model::{Cause, NewEvent, Republish, Source, UnknownType};

use super::{Head, Incoming, ReceiveError, Refusal};
use crate::publish::{Matched, Unmatched};
use crate::rules::Undecided;
use crate::work::Share;
use crate::{Engine, hops};

/// The largest published cell: the default size of the largest event, and more than fits any
/// delivery.
const OBJECT_BYTES_MAX: usize = 1 << 20;

/// Random digits of an event's id: 96 bits.
const ID_DIGITS: usize = 24;

impl Engine {
    /// The event from a delivery, matched; `None` when the delivery becomes no event. The source's
    /// log notes a stored delivery whose event should have been published but was not.
    pub(super) async fn event(
        &self,
        source: &Source,
        incoming: &Incoming<'_>,
    ) -> Result<Option<NewEvent>, ReceiveError> {
        let Some(republish) = &source.spec.options.republish else { return Ok(None) };
        let Some(cell) = &incoming.cell else { return Ok(None) };
        let unpublished = |cause, reason: &str| {
            let detail = format!("stored, not published: {reason}");
            let Incoming { head, address, .. } = incoming;
            self.note_rejection(source, cause, &detail, head.method, *address, || None);
            Ok(None)
        };
        let hops = hops::of_request(incoming.head.headers).saturating_add(1);
        if hops > hops::HOPS_MAX {
            let reason = format!("it came through {} sources before", hops::HOPS_MAX);
            return unpublished(Cause::Loop, &reason);
        }
        if cell.len() > OBJECT_BYTES_MAX {
            let reason = format!("an event has at most {OBJECT_BYTES_MAX} bytes");
            return unpublished(Cause::TooLarge, &reason);
        }
        let look = || (type_name(republish, incoming.head, cell), object(cell));
        let share = Share::Deliveries(source.spec.workspace);
        let (name, object) = self.work().run(share, cell.len(), look).await?;
        let matched = match &name {
            Some(name) => self.match_object(source.spec.workspace, name, &object).await,
            None => Err(Unmatched::UnknownType),
        };
        let Matched { event_type, endpoints, version } = match matched {
            Ok(found) => found,
            Err(Unmatched::UnknownType) => {
                let reason = match name {
                    Some(name) => format!("the workspace has no event type `{name}`"),
                    None => "the delivery says no event type".to_owned(),
                };
                return match republish.unknown_type {
                    UnknownType::Refuse => Err(Refusal::EventType(reason).into()),
                    UnknownType::Store => unpublished(Cause::EventType, &reason),
                };
            }
            Err(Unmatched::Undecided(Undecided { rule, reason })) => {
                let whose = rule.map(|id| format!(" (at the rule of endpoint {id})"));
                let reason = format!("{reason}{}", whose.unwrap_or_default());
                return unpublished(Cause::Unmatchable, &reason);
            }
            Err(Unmatched::Other(error)) => return Err(error.into()),
        };
        Ok(Some(NewEvent {
            event_type,
            id: entropy::hex(self.entropy().as_ref(), ID_DIGITS),
            source: format!("/sources/{}", source.id),
            attributes: format!(r#"{{"{}":"{hops}"}}"#, hops::ATTRIBUTE),
            object,
            matched: endpoints,
            matched_at: version,
        }))
    }
}

/// The type stated in the delivery, or else in the setting.
fn type_name<'a>(republish: &'a Republish, head: Head<'a>, cell: &'a [u8]) -> Option<Cow<'a, str>> {
    let Republish { type_header, type_pointer, event_type, unknown_type: _ } = republish;
    let in_header = || {
        let value = head.headers.get(type_header.as_deref()?)?.to_str().ok()?;
        Some(Cow::Borrowed(value.trim()))
    };
    let in_cell = || json_pointer::string_at(cell, type_pointer.as_deref()?);
    in_header().or_else(in_cell).or_else(|| event_type.as_deref().map(Cow::Borrowed))
}

/// An event's object: a cell with an object, else an object with the cell as `value`. The object is
/// a copy: a cell is a part of the body, and events are kept for longer.
fn object(cell: &[u8]) -> Bytes {
    match cell.first() {
        Some(b'{') => Bytes::copy_from_slice(cell),
        _ => [&b"{\"value\":"[..], cell, b"}"].concat().into(),
    }
}
