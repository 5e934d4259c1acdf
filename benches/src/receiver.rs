//! The target of deliveries: answers 200 at once, counts events and keeps how old they were.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::latency::now_ns;

/// Stands before the moment, in nanoseconds, at which an event was published.
pub(crate) const STAMP: &str = "\"published_ns\":";

#[derive(Default)]
struct Seen {
    events: AtomicU64,
    requests: AtomicU64,
    last_ns: AtomicU64,
    ages: Mutex<Vec<u64>>,
    changed: Notify,
}

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &seen).await });
            }
        });
        Ok(Self { address, seen })
    }

    /// Forgets what was counted.
    pub(crate) fn reset(&self) {
        self.seen.events.store(0, Ordering::Relaxed);
        self.seen.requests.store(0, Ordering::Relaxed);
        self.ages();
    }

    /// Waits until `events` have come; the moment at which the last one did, and the requests.
    pub(crate) async fn wait(&self, events: u64) -> (u64, u64) {
        loop {
            let changed = self.seen.changed.notified();
            if self.seen.events.load(Ordering::Relaxed) >= events {
                let last = self.seen.last_ns.load(Ordering::Relaxed);
                return (last, self.seen.requests.load(Ordering::Relaxed));
            }
            changed.await;
        }
    }

    /// How old the events were that came since this was asked last, in nanoseconds.
    pub(crate) fn ages(&self) -> Vec<u64> {
        std::mem::take(&mut self.seen.ages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn serve(mut stream: TcpStream, seen: &Seen) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(256 << 10);
    loop {
        let (body, end) = loop {
            if let Some((body, end)) = request(&buffer)?
                && buffer.len() >= end
            {
                break (body, end);
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        count(&buffer[body..end], seen);
        buffer.drain(..end);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        seen.changed.notify_waiters();
    }
}

/// Where the body of the first request starts and ends.
fn request(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(head) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head])?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("a delivery without a length")?.trim().parse()?;
    Ok(Some((head + 4, head + 4 + length)))
}

fn count(body: &[u8], seen: &Seen) {
    let now = now_ns();
    let mut ages = seen.ages.lock().unwrap_or_else(PoisonError::into_inner);
    let before = ages.len();
    for at in memmem::find_iter(body, STAMP.as_bytes()) {
        let digits = body[at + STAMP.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        let stamp = digits.fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
        ages.push(now.saturating_sub(stamp));
    }
    let events = (ages.len() - before) as u64;
    drop(ages);
    seen.events.fetch_add(events, Ordering::Relaxed);
    seen.requests.fetch_add(1, Ordering::Relaxed);
    seen.last_ns.store(now, Ordering::Relaxed);
}
