//! How much may be under way at once.
//!
//! Receivers whose last request hung and failed have places of their own. However many receivers stop
//! answering, each holds a place among the others once, for one attempt, and from then on waits only for
//! other hanging receivers. A receiver that answers, with whatever status, or refuses connections, never
//! waits for a hanging receiver, because each place is soon given back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub(super) use self::fair::Holder;
use self::fair::{Fair, HeldUnits};
use super::render::OBJECT_BYTES_MAX;

mod fair;

/// Connections to receivers at once, unless there are fewer files: room for [`REQUESTS_MAX`] requests,
/// [`SLOW_REQUESTS_MAX`] slow ones, and connections kept for the next request.
pub const CONNECTIONS_DEFAULT: usize = 10_240;

/// Requests in flight to receivers not known to hang. A single workspace has four fifths of the places. A
/// receiver without an answer holds a place for 30 seconds, so as many receivers may stop at the same
/// moment without an effect on others.
const REQUESTS_MAX: usize = 5_120;

/// Requests in flight to receivers that hung and failed the last time.
const SLOW_REQUESTS_MAX: usize = 1_280;

/// Of the possible connections, three eighths are kept from new requests, for connections idle between two
/// requests.
const EIGHTHS_IN_FLIGHT: usize = 5;

/// A request that fails after this time hung. Healthy receivers take much less. Each unresponsive receiver
/// may keep others from a place for so long.
pub(super) const HUNG_AFTER: Duration = Duration::from_secs(2);

/// Bytes of rendered bodies not yet written to a connection, in KiB: 320 MiB, room for a quarter of a MiB
/// for each of a thousand unreading receivers of one workspace.
const BODY_KIB_MAX: usize = 320 << 10;

/// The same for receivers that hung and failed the last time.
const SLOW_BODY_KIB_MAX: usize = 80 << 10;

/// The KiB that a step holds while reading and rendering, before the size of the body is known.
const RESERVED_KIB: usize = OBJECT_BYTES_MAX >> 10;

const _: () =
    assert!(REQUESTS_MAX + SLOW_REQUESTS_MAX == CONNECTIONS_DEFAULT / 8 * EIGHTHS_IN_FLIGHT);

/// Delivery is stopping: nothing more is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopping;

/// Whether a request that took so long and failed hung.
pub(super) fn hung(duration: Duration) -> bool {
    duration >= HUNG_AFTER
}

#[derive(Debug)]
struct Pool {
    requests: Arc<Fair>,
    body_kib: Arc<Fair>,
}

impl Pool {
    fn new(requests: usize, body_kib: usize) -> Self {
        Self { requests: Fair::new(requests), body_kib: Fair::new(body_kib) }
    }

    fn close(&self) {
        self.requests.close();
        self.body_kib.close();
    }
}

/// The bounds that all endpoints share.
#[derive(Debug)]
pub(super) struct Limits {
    steady: Pool,
    slow: Pool,
}

/// A place for one request and the bytes of its body.
pub(super) struct SendPlace {
    /// Given back when the request has ended.
    request: HeldUnits,
    body_kib: HeldUnits,
}

impl Limits {
    /// The bounds where there may be so many connections to receivers.
    pub(super) fn new(connections: usize) -> Self {
        let requests = (connections / 8).saturating_mul(EIGHTHS_IN_FLIGHT);
        let requests = requests.clamp(2, REQUESTS_MAX + SLOW_REQUESTS_MAX);
        let slow = (requests / 5).max(1);
        Self {
            steady: Pool::new(requests - slow, BODY_KIB_MAX),
            slow: Pool::new(slow, SLOW_BODY_KIB_MAX),
        }
    }

    /// Waits for a place.
    pub(super) async fn place(&self, slow: bool, holder: Holder) -> Result<SendPlace, Stopping> {
        let pool = if slow { &self.slow } else { &self.steady };
        let request = pool.requests.take(holder, 1).await?;
        let body_kib = pool.body_kib.take(holder, RESERVED_KIB).await?;
        Ok(SendPlace { request, body_kib })
    }

    /// Lets nobody in any more, and tells all waiting callers.
    pub(super) fn close(&self) {
        self.steady.close();
        self.slow.close();
    }
}

impl SendPlace {
    /// The body, counted until its last reference is gone, and the units left to hold while the request is in
    /// flight.
    pub(super) fn with_body(mut self, body: Bytes) -> (Bytes, HeldUnits) {
        self.body_kib.keep(body.len().div_ceil(1 << 10));
        (Bytes::from_owner(Counted { body, _kib: self.body_kib }), self.request)
    }
}

struct Counted {
    body: Bytes,
    _kib: HeldUnits,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use hookyard_core::id::{EndpointId, WorkspaceId};

    use super::*;

    const HOLDER: Holder = Holder { workspace: WorkspaceId(1), endpoint: EndpointId(1) };

    #[tokio::test]
    async fn bodies_count_until_they_are_gone() {
        let limits = Limits::new(CONNECTIONS_DEFAULT);
        let place = limits.place(false, HOLDER).await.unwrap();
        let free = || limits.steady.body_kib.free();
        assert_eq!(free(), BODY_KIB_MAX - RESERVED_KIB);
        let (body, request) = place.with_body(Bytes::from(vec![b'x'; 5_000]));
        assert_eq!((free(), body.len()), (BODY_KIB_MAX - 5, 5_000));
        drop(body);
        assert_eq!(free(), BODY_KIB_MAX);
        assert_eq!(limits.steady.requests.free(), REQUESTS_MAX - 1);
        drop(request);
        assert_eq!(limits.steady.requests.free(), REQUESTS_MAX);
    }

    #[tokio::test]
    async fn those_that_hang_wait_for_each_other_only() {
        let limits = Limits::new(CONNECTIONS_DEFAULT);
        let mut held = Vec::new();
        for id in 0..1_024 {
            let holder = Holder { endpoint: EndpointId(id), ..HOLDER };
            let place = limits.place(true, holder).await.unwrap();
            held.push(place.with_body(Bytes::new()));
        }
        let waiting = limits.place(true, HOLDER);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("one too many that hang"),
            place = limits.place(false, HOLDER) => assert!(place.is_ok()),
        }
        limits.close();
        assert_eq!(waiting.await.err(), Some(Stopping));
    }

    #[test]
    fn few_connections_are_few_requests() {
        let of = |connections| {
            let limits = Limits::new(connections);
            (limits.steady.requests.free(), limits.slow.requests.free())
        };
        assert_eq!(of(CONNECTIONS_DEFAULT), (REQUESTS_MAX, SLOW_REQUESTS_MAX));
        assert_eq!(of(usize::MAX), (REQUESTS_MAX, SLOW_REQUESTS_MAX));
        assert_eq!(of(464), (232, 58));
        assert_eq!(of(16), (8, 2));
        assert_eq!(of(0), (1, 1));
    }
}
