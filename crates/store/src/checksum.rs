//! Whether the values read are the values written.
//!
//! A disk, a cable or another program may change a stored byte, and no database reports the change: SQLite
//! has no checksums of its own, and PostgreSQL's checksums, where switched on, cover pages. So each event,
//! row and attempt carries a CRC-32 of its values, compared at every read. The checksum covers the values and
//! not their form in a backend, so a move takes the checksum along. The record's number is mixed in, so a
//! record under another number is found, too. Records written before checksums existed have none and are
//! believed.

use bytes::Bytes;
use crc32fast::Hasher;
use hookyard_core::id::{EndpointId, EventTypeId, RequestId, WorkspaceId};
use hookyard_core::model::{Attempt, Event, Header, NewAttempt, NewEvent, Outcome, Row};
use jiff::Timestamp;

/// The bits of a number that are mixed in: PostgreSQL mixes with a signed 32-bit integer, too.
const NUMBER_BITS: u64 = 0x7fff_ffff;

/// A checksum of values without a number yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    /// Of an event being accepted.
    pub(crate) fn of_new_event(workspace: WorkspaceId, event: &NewEvent, now: Timestamp) -> Self {
        let NewEvent { event_type, id, source, attributes, object, matched, matched_at: _ } = event;
        let matched = u32::try_from(matched.len()).unwrap_or(u32::MAX);
        Values::default()
            .numbers([i64::from(workspace.0), i64::from(event_type.0), now.as_millisecond()])
            .number(matched.into())
            .texts([id.as_bytes(), source.as_bytes(), attributes.as_bytes(), object])
            .sum()
    }

    /// Of an event.
    pub(crate) fn of_event(event: &Event) -> Self {
        let Event { workspace, event_type, accepted_at, id, source, attributes, object, .. } =
            event;
        let of = [i64::from(workspace.0), i64::from(event_type.0), accepted_at.as_millisecond()];
        Values::default()
            .numbers(of)
            .number(event.matched.into())
            .texts([id.as_bytes(), source.as_bytes(), attributes.as_bytes(), object])
            .sum()
    }

    /// Of a row being received. The row's suspension and version are not covered.
    pub(crate) fn of_row(received_ms: i64, cell: &[u8]) -> Self {
        Self::of_packed_row(received_ms, crc32fast::hash(cell))
    }

    /// The checksum of a row from the known checksum of the cell's text.
    pub(crate) fn of_packed_row(received_ms: i64, cell: u32) -> Self {
        Values::default().numbers([received_ms, i64::from(cell)]).sum()
    }

    /// The stored checksum of the record of this number.
    pub(crate) fn at(self, number: u64) -> i32 {
        let number = u32::try_from(number & NUMBER_BITS).unwrap_or_default();
        (self.0 ^ number).cast_signed()
    }

    /// The stored checksum where the database mixes the number in.
    pub(crate) fn unnumbered(self) -> i32 {
        self.0.cast_signed()
    }
}

/// Of an attempt; the request id is the attempt's number.
pub(crate) fn of_attempt(endpoint: EndpointId, attempt: &NewAttempt) -> i32 {
    let NewAttempt { request_id, revision, started_at, duration, queue_delay, events, .. } =
        attempt;
    let Outcome { status, response_headers, response, error } = &attempt.outcome;
    let millis = |time: &std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let values = Values::default()
        .numbers([endpoint.0.into(), i64::from(*revision), started_at.as_millisecond()])
        .numbers([millis(duration), millis(queue_delay), status.map_or(-1, i64::from)])
        .numbers([attempt.advance, attempt.failures, attempt.refusals].map(i64::from))
        .numbers([attempt.park.into(), attempt.retry_at.map_or(-1, Timestamp::as_millisecond)])
        .list(events.iter().map(|seq| seq.0.cast_signed()))
        .list(attempt.entries.iter().map(|place| place.cast_signed()))
        .list(attempt.event_types.iter().map(|id| id.0.into()))
        .number(i64::try_from(attempt.order_ids.len()).unwrap_or(i64::MAX))
        .texts(attempt.order_ids.iter().map(String::as_bytes))
        .texts([request_id.as_str().as_bytes(), attempt.url.as_bytes()])
        .headers(&attempt.request_headers)
        .headers(response_headers)
        .text_if(response.as_deref())
        .text_if(error.as_deref());
    values.sum().unnumbered()
}

/// Values on their way into a checksum; each text and list begins with its length, so none runs into the
/// next.
#[derive(Default)]
struct Values(Hasher);

impl Values {
    fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn numbers(self, numbers: impl IntoIterator<Item = i64>) -> Self {
        numbers.into_iter().fold(self, Self::number)
    }

    fn list(self, numbers: impl ExactSizeIterator<Item = i64>) -> Self {
        let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
        self.number(count).numbers(numbers)
    }

    fn text(self, text: &[u8]) -> Self {
        let mut next = self.number(i64::try_from(text.len()).unwrap_or(i64::MAX));
        next.0.update(text);
        next
    }

    fn texts<'a>(self, texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        texts.into_iter().fold(self, Self::text)
    }

    fn text_if(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.number(1).text(text.as_bytes()),
            None => self.number(0),
        }
    }

    fn headers(self, headers: &[Header]) -> Self {
        let begun = self.number(i64::try_from(headers.len()).unwrap_or(i64::MAX));
        headers.iter().fold(begun, |values, header| {
            values.texts([header.name.as_bytes(), header.value.as_bytes()])
        })
    }

    fn sum(self) -> Sum {
        Sum(self.0.finalize())
    }
}

/// The event read, or a `damaged` event without content when the checksum differs.
pub(crate) fn checked_event(event: Event, checksum: Option<i32>) -> Event {
    match checksum {
        Some(written) if Sum::of_event(&event).at(event.seq.0) != written => {
            damaged_event(event.seq.0, event.workspace, event.event_type)
        }
        _ => event,
    }
}

/// An event of unknown values.
pub(crate) fn damaged_event(seq: u64, workspace: WorkspaceId, event_type: EventTypeId) -> Event {
    tracing::error!(seq, "an event is damaged in the store");
    Event {
        seq: hookyard_core::id::Seq(seq),
        workspace,
        event_type,
        accepted_at: Timestamp::UNIX_EPOCH,
        id: String::new(),
        source: String::new(),
        attributes: String::new(),
        object: Bytes::new(),
        matched: 0,
        damaged: true,
    }
}

/// The row read, or a `damaged` row when the checksum differs.
pub(crate) fn checked_row(row: Row, checksum: Option<i32>) -> Row {
    let sum = || Sum::of_row(row.received_at.as_millisecond(), &row.cell).at(row.batch.0);
    match checksum {
        Some(written) if sum() != written => damaged_row(row.batch.0),
        _ => row,
    }
}

/// A row of unknown values. The cell reports the damage to readers of the plain cells.
pub(crate) fn damaged_row(number: u64) -> Row {
    tracing::error!(row = number, "a row is damaged in the store");
    let cell = format!(r#"{{"hookyard_error":"row {number} is damaged in the store"}}"#);
    Row {
        batch: hookyard_core::id::BatchId(number),
        received_at: Timestamp::UNIX_EPOCH,
        cell: cell.into(),
        damaged: true,
    }
}

/// The error text of an attempt with a damaged record.
const DAMAGED_ATTEMPT: &str = "the record of this attempt is damaged in the store: whether and how the \
                               receiver answered is not known";

/// The attempt read, or an attempt without content that reports the damage when the checksum differs.
pub(crate) fn checked_attempt(attempt: Attempt, checksum: Option<i32>) -> Attempt {
    match checksum {
        Some(written) if of_attempt(attempt.endpoint, &attempt.record) != written => {
            damaged_attempt(attempt.endpoint, attempt.record.request_id)
        }
        _ => attempt,
    }
}

/// Whether the attempt's record is damaged.
pub(crate) fn is_damaged(attempt: &Attempt) -> bool {
    attempt.record.outcome.error.as_deref() == Some(DAMAGED_ATTEMPT)
}

/// An attempt with nothing known but its id.
pub(crate) fn damaged_attempt(endpoint: EndpointId, request_id: RequestId) -> Attempt {
    tracing::error!(%endpoint, %request_id, "an attempt is damaged in the store");
    let error = Some(DAMAGED_ATTEMPT.to_owned());
    let record = NewAttempt {
        revision: 0,
        started_at: request_id.stamp(),
        duration: std::time::Duration::ZERO,
        queue_delay: std::time::Duration::ZERO,
        events: Vec::new(),
        entries: Vec::new(),
        event_types: Vec::new(),
        order_ids: Vec::new(),
        advance: 0,
        park: false,
        refusals: 0,
        retry_at: None,
        failures: 0,
        url: String::new(),
        request_headers: Vec::new(),
        request_id,
        outcome: Outcome { error, ..Outcome::default() },
    };
    Attempt { endpoint, success: false, record }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;

    #[test]
    fn a_new_event_and_the_stored_one_have_the_same_sum_and_any_change_another() {
        let new = contract::event(1, &[EndpointId(3)]);
        let now = contract::at(5);
        let event = Event {
            seq: hookyard_core::id::Seq(7),
            workspace: contract::WS,
            event_type: new.event_type,
            accepted_at: now,
            id: new.id.clone(),
            source: new.source.clone(),
            attributes: new.attributes.clone(),
            object: new.object.clone(),
            matched: 1,
            damaged: false,
        };
        let written = Some(Sum::of_new_event(contract::WS, &new, now).at(7));
        assert_eq!(checked_event(event.clone(), written), event);
        assert_eq!(checked_event(event.clone(), None), event);
        let changes: [fn(&mut Event); 8] = [
            |event| event.seq.0 += 1,
            |event| event.workspace.0 += 1,
            |event| event.event_type.0 += 1,
            |event| event.accepted_at = contract::at(6),
            |event| event.id.push(' '),
            |event| std::mem::swap(&mut event.id, &mut event.source),
            |event| event.matched += 1,
            |event| event.object = Bytes::from_static(b"{}"),
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut changed = event.clone();
            change(&mut changed);
            let read = checked_event(changed, written);
            assert!(read.damaged && read.object.is_empty(), "{place}");
        }
    }

    #[test]
    fn a_packed_row_has_the_sum_of_its_text() {
        let sum = Sum::of_row(9, b"\"text\"");
        assert_eq!(sum, Sum::of_packed_row(9, crc32fast::hash(b"\"text\"")));
        assert_ne!(sum.at(1), sum.at(2));
        assert_ne!(sum, Sum::of_row(8, b"\"text\""));
    }
}
