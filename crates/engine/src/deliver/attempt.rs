//! Sending a bundle, and the record of the attempt.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::id::{EventTypeId, RequestId, Seq};
use hookyard_core::model::{Event, Header, NewAttempt, Outcome};
use hookyard_store::StoreError;
use http::HeaderMap;
use jiff::Timestamp;

use super::consequences::{Settled, settled};
use super::deliverer::Deliverer;
use super::destination::Destination;
use super::destination::http::ANSWER_BYTES_MAX;
use super::limits::SendPlace;
use super::outgoing::{Answer, Outgoing, Unanswered};
use super::plan::Plan;
use super::render::{self, Bundle};
use super::request::{Message, message_id};
use super::shortage::Unable;
use super::trace::Trace;
use super::verdict::{Before, Verdict, verdict};
use super::waits::Wait;
use crate::hops;
use crate::work::Share;

/// How much of an answer's body, and of the answer's headers, the log keeps, in characters
/// (docs/spec/ultracart.md#delivery-log).
pub(crate) const LOGGED_CHARACTERS_MAX: usize = 100_000;

// The transport reads all the characters that the log keeps, however many bytes a character has.
const _: () = assert!(LOGGED_CHARACTERS_MAX * char::MAX.len_utf8() <= ANSWER_BYTES_MAX);

/// A bundle, ready to be sent.
pub(super) struct Rendered {
    pub(super) bundle: Bundle,
    /// At least the events of the bundle.
    pub(super) events: Vec<Arc<Event>>,
    /// When the first of the events was queued.
    pub(super) queued_at: Timestamp,
}

/// A bundle that was sent, with the answer.
pub(super) struct Answered {
    request_id: RequestId,
    started_at: Timestamp,
    duration: Duration,
    queued_at: Timestamp,
    events: Vec<Seq>,
    event_types: Vec<EventTypeId>,
    order_ids: Vec<String>,
    request_headers: Vec<Header>,
    answer: Result<Answer, String>,
}

/// An attempt with its verdict, kept until the store has confirmed the record.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) attempt: Arc<NewAttempt>,
    pub(super) verdict: Verdict,
    /// How long to wait, if there is a wait.
    pub(super) wait: Option<Wait>,
    /// How the attempt ended, where the end may have consequences for the endpoint.
    pub(super) last: Option<Outcome>,
}

/// Whether a call that failed with this error may have recorded an attempt all the same, or may do so the
/// next time.
pub(super) fn is_open(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Internal(_))
}

/// Entries that leave the queue without a request.
pub(super) struct Unsent<'a> {
    /// The events that are in the journal, to be parked.
    pub(super) events: &'a [Arc<Event>],
    /// The places of the events, and of the entries without events; empty for the first entries of the queue.
    pub(super) entries: Vec<u64>,
    /// How many entries.
    pub(super) count: u32,
    /// The endpoint's failures in a row, left unchanged.
    pub(super) failures: u32,
    pub(super) reason: String,
}

impl Deliverer {
    /// Sends the bundle; [`Unable`] when this server lacks the means. [`StoreError::Unavailable`] when
    /// this node may not deliver now, or not any more: a request that is under way then is cut off.
    pub(super) async fn send(
        &self,
        plan: &Plan,
        rendered: Rendered,
        place: SendPlace,
    ) -> Result<Result<Answered, Unable>, StoreError> {
        let Rendered { bundle, events, queued_at } = rendered;
        let Bundle { body, events: count, event_types, order_ids } = bundle;
        let seqs: Vec<_> = events.iter().take(count).map(|event| event.seq).collect();
        let trace = Trace::of(&events[..count]);
        let hops = hops::of_events(&events[..count]);
        let id = message_id(&plan.endpoint, &events[..count], queued_at);
        let about = plan.about(&events[..count]);
        // The objects are not needed any more, and the request may take long.
        drop(events);
        let started_at = self.clock.now();
        let request_id = RequestId::new(&*self.entropy, started_at);
        let started = self.clock.monotonic();
        let (body, in_flight) = place.with_body(body);
        let at = started_at;
        let events = &*seqs;
        let message =
            Message { request_id: &request_id, id: &id, at, events, trace, hops, about, body };
        let (request_headers, answer) = match &plan.target {
            Ok(target) => {
                let share = Share::Sending(plan.endpoint.workspace);
                let bytes = message.body.len();
                let sign = || target.request(message);
                let outgoing = self.engine.work().run_patiently(share, bytes, sign).await;
                let headers = target.logged_headers(&outgoing);
                match self.exchange(&target.destination, outgoing).await? {
                    Ok(answer) => (headers, Ok(answer)),
                    Err(Unanswered::Failed(reason)) => (headers, Err(reason)),
                    Err(Unanswered::Unable(reason)) => return Ok(Err(Unable(reason))),
                }
            }
            Err(reason) => (Vec::new(), Err(reason.clone())),
        };
        let duration = self.clock.monotonic().saturating_sub(started);
        drop(in_flight);
        Ok(Ok(Answered {
            request_id,
            started_at,
            duration,
            queued_at,
            events: seqs,
            event_types,
            order_ids,
            request_headers,
            answer,
        }))
    }

    /// Sends a request for as long as this node may deliver. Afterwards another node may send the same bundle
    /// and the bundles behind, so the request under way is cut off before.
    async fn exchange(
        &self,
        to: &Destination,
        outgoing: Outgoing,
    ) -> Result<Result<Answer, Unanswered>, StoreError> {
        tokio::select! {
            biased;
            () = self.tenure.ended(&*self.clock) => {
                let reason = "this server's lease has ended; a request under way was cut off";
                Err(StoreError::Unavailable(reason.to_owned()))
            }
            answer = self.senders.send(to, outgoing) => Ok(answer),
        }
    }

    /// Judges an answer. `entries` are the places of the bundle's events; none for the first events of the
    /// queue.
    pub(super) fn judge(
        &self,
        plan: &Plan,
        answered: Answered,
        before: Before,
        entries: Vec<u64>,
    ) -> Judged {
        let Answered { request_id, started_at, duration, queued_at, events, answer, .. } = answered;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let count = events.len();
        let verdict = verdict(status, count, before, &plan.endpoint.settings.options.retry);
        let Settled { advance, failures, refusals } = settled(verdict, before, count);
        let wait = self.wait_after(verdict, before, refusals, &answer);
        let attempt = NewAttempt {
            revision: plan.endpoint.revision,
            started_at,
            duration,
            queue_delay: since(queued_at, started_at),
            events,
            entries,
            event_types: answered.event_types,
            order_ids: answered.order_ids,
            advance,
            park: verdict == Verdict::Park,
            retry_at: wait.map(|wait| wait.until),
            failures,
            refusals,
            url: plan.endpoint.settings.url.clone(),
            request_headers: answered.request_headers,
            request_id,
            outcome: outcome(answer),
        };
        tracing::debug!(
            endpoint = %plan.endpoint.id,
            request_id = %attempt.request_id,
            status = attempt.outcome.status,
            error = attempt.outcome.error,
            events = count,
            duration_ms = duration.as_millis(),
            "attempt"
        );
        let last = match verdict {
            Verdict::Taken | Verdict::Drop | Verdict::Halve => None,
            _ => {
                let Outcome { status, error, .. } = &attempt.outcome;
                let (status, error) = (*status, error.clone());
                Some(Outcome { status, error, ..Outcome::default() })
            }
        };
        Judged { attempt: Arc::new(attempt), verdict, wait, last }
    }

    /// The record of entries that leave the queue because they can never be sent. The receiver is not
    /// at fault.
    pub(super) fn unsent(&self, plan: &Plan, unsent: Unsent<'_>) -> NewAttempt {
        let Unsent { events, entries, count, failures, reason } = unsent;
        let now = self.clock.now();
        let request_id = RequestId::new(&*self.entropy, now);
        let (event_types, order_ids) = render::contents(events);
        let known = events.first().filter(|event| !event.damaged);
        let queued_at = known.map_or(now, |event| event.accepted_at);
        tracing::warn!(endpoint = %plan.endpoint.id, %request_id, entries = count, reason, "dropped");
        NewAttempt {
            revision: plan.endpoint.revision,
            started_at: now,
            duration: Duration::ZERO,
            queue_delay: since(queued_at, now),
            events: events.iter().map(|event| event.seq).collect(),
            entries,
            event_types,
            order_ids,
            advance: count,
            // An event that has left the journal cannot be kept for anybody.
            park: !events.is_empty(),
            retry_at: None,
            failures,
            refusals: 0,
            url: plan.endpoint.settings.url.clone(),
            request_headers: Vec::new(),
            request_id,
            outcome: Outcome { error: Some(reason), ..Outcome::default() },
        }
    }
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

fn outcome(answer: Result<Answer, String>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Outcome { error: Some(error), ..Outcome::default() },
    };
    let error = match answer.status {
        200..300 => None,
        status @ 300..400 => {
            Some(format!("the receiver answered {status}, and redirects are not followed"))
        }
        status => Some(format!("the receiver answered {status}")),
    };
    let broken = |reason| format!("; the answer broke off after its head: {reason}");
    let error = error.map(|error| error + &answer.broken.map(broken).unwrap_or_default());
    Outcome {
        status: Some(answer.status),
        response_headers: logged_headers(&answer.headers),
        response: Some(cut(&answer.body)),
        error,
    }
}

/// The headers of an answer, as many as the log keeps.
fn logged_headers(headers: &HeaderMap) -> Vec<Header> {
    let mut room = LOGGED_CHARACTERS_MAX;
    let mut logged = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else { break };
        room = left;
        logged.push(Header { name: name.as_str().to_owned(), value });
    }
    logged
}

/// The first characters of a body. Invalid UTF-8 is replaced.
fn cut(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    if let Some((end, _)) = text.char_indices().nth(LOGGED_CHARACTERS_MAX) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_cut_at_characters() {
        assert_eq!(cut("é".repeat(100_001).as_bytes()), "é".repeat(100_000));
        assert_eq!(cut(b"a\xFFb"), "a\u{FFFD}b");
    }

    #[test]
    fn many_headers_are_cut() {
        let mut headers = HeaderMap::new();
        for index in 0..30 {
            let name = http::HeaderName::try_from(format!("h{index:02}")).unwrap();
            headers.insert(name, "v".repeat(4_997).parse().unwrap());
        }
        assert_eq!(logged_headers(&headers).len(), 20);
    }
}
