//! How much may be under way at once.
//!
//! Endpoints whose last attempt failed share a pool of their own. However many receivers stop
//! answering, each holds a place in the first pool once, for one attempt, and from then on they only
//! wait for each other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::render::OBJECT_BYTES_MAX;

/// Requests in flight to receivers that answer. A receiver that stops answering holds one for 30
/// seconds, so this many may stop at the same moment without anybody noticing.
const REQUESTS_MAX: usize = 4_096;

/// Requests in flight to receivers that failed the last time.
const SUSPECT_REQUESTS_MAX: usize = 1_024;

/// Bytes of bodies that are rendered and not yet written to a connection, in KiB: 256 MiB, room for
/// a quarter of a MiB for each of a thousand receivers that do not read.
const BODY_KIB_MAX: usize = 256 << 10;

/// The same for receivers that failed the last time.
const SUSPECT_BODY_KIB_MAX: usize = 64 << 10;

/// What a step holds while it reads and renders, in KiB, before the size of the body is known.
const RESERVED_KIB: usize = OBJECT_BYTES_MAX >> 10;

/// Delivery is stopping: nothing more is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stopping;

#[derive(Debug)]
struct Pool {
    requests: Arc<Semaphore>,
    body_kib: Arc<Semaphore>,
}

impl Pool {
    fn new(requests: usize, body_kib: usize) -> Self {
        let (requests, body_kib) = (Semaphore::new(requests), Semaphore::new(body_kib));
        Self { requests: Arc::new(requests), body_kib: Arc::new(body_kib) }
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
    suspect: Pool,
}

/// A place for one request and the bytes of its body.
pub(super) struct Place {
    /// Given back when the request has ended.
    pub(super) request: OwnedSemaphorePermit,
    body_kib: OwnedSemaphorePermit,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self {
            steady: Pool::new(REQUESTS_MAX, BODY_KIB_MAX),
            suspect: Pool::new(SUSPECT_REQUESTS_MAX, SUSPECT_BODY_KIB_MAX),
        }
    }

    /// Waits for a place.
    pub(super) async fn place(&self, suspect: bool) -> Result<Place, Stopping> {
        let pool = if suspect { &self.suspect } else { &self.steady };
        let requests = Arc::clone(&pool.requests);
        let request = requests.acquire_owned().await.map_err(|_| Stopping)?;
        let body_kib = Arc::clone(&pool.body_kib);
        let reserved = u32::try_from(RESERVED_KIB).unwrap_or(u32::MAX);
        let body_kib = body_kib.acquire_many_owned(reserved).await.map_err(|_| Stopping)?;
        Ok(Place { request, body_kib })
    }

    /// Lets nobody in any more: who waits is told so.
    pub(super) fn close(&self) {
        self.steady.close();
        self.suspect.close();
    }
}

impl Place {
    /// The body, counted until its last reference is gone, and what is left to hold while the
    /// request is in flight.
    pub(super) fn with_body(mut self, body: Bytes) -> (Bytes, OwnedSemaphorePermit) {
        let kib = body.len().div_ceil(1 << 10).min(RESERVED_KIB);
        let counted = self.body_kib.split(kib);
        (Bytes::from_owner(Counted { body, _kib: counted }), self.request)
    }
}

struct Counted {
    body: Bytes,
    _kib: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_count_until_they_are_gone() {
        let limits = Limits::new();
        let place = limits.place(false).await.unwrap();
        let free = || limits.steady.body_kib.available_permits();
        assert_eq!(free(), BODY_KIB_MAX - RESERVED_KIB);
        let (body, request) = place.with_body(Bytes::from(vec![b'x'; 5_000]));
        assert_eq!((free(), body.len()), (BODY_KIB_MAX - 5, 5_000));
        drop(body);
        assert_eq!(free(), BODY_KIB_MAX);
        assert_eq!(limits.steady.requests.available_permits(), REQUESTS_MAX - 1);
        drop(request);
        assert_eq!(limits.steady.requests.available_permits(), REQUESTS_MAX);
    }

    #[tokio::test]
    async fn suspects_wait_for_each_other_only() {
        let limits = Limits::new();
        let mut held = Vec::new();
        for _ in 0..SUSPECT_REQUESTS_MAX {
            let place = limits.place(true).await.unwrap();
            held.push(place.with_body(Bytes::new()));
        }
        let waiting = limits.place(true);
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("one suspect too many"),
            place = limits.place(false) => assert!(place.is_ok()),
        }
        limits.close();
        assert_eq!(waiting.await.err(), Some(Stopping));
    }
}
