//! A load generator that costs little: requests are prepared bytes, answers are read to their length.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::MissedTickBehavior;

use crate::latency::now_ns;

/// Makes the request that has this number.
pub(crate) type MakeRequest = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "the load generator is no part of the product")]
    pub(crate) async fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request; the answer's status and body.
    pub(crate) async fn call(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some((status, body, end)) = answer(&self.buffer)?
                && self.buffer.len() >= end
            {
                return Ok((status, &self.buffer[body..end]));
            }
        }
    }
}

/// What a chunked body ends with; one that broke off does not.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

impl Connection {
    /// Sends a request that asks for the end of the connection after it, and reads a long answer without
    /// keeping it: its status, and how many bytes it had.
    pub(crate) async fn drain(mut self, request: &[u8]) -> Result<(u16, usize)> {
        self.stream.write_all(request).await?;
        let (mut read, mut head) = (0, Vec::new());
        let mut end = Vec::new();
        loop {
            self.buffer.clear();
            let bytes = self.stream.read_buf(&mut self.buffer).await?;
            if bytes == 0 {
                break;
            }
            read += bytes;
            if answer(&head)?.is_none() {
                head.extend_from_slice(&self.buffer);
            }
            end.extend_from_slice(&self.buffer[bytes.saturating_sub(LAST_CHUNK.len())..]);
            end.drain(..end.len().saturating_sub(LAST_CHUNK.len()));
        }
        let (status, _, whole) = answer(&head)?.context("no answer")?;
        if end != LAST_CHUNK && read != whole {
            bail!("the answer broke off after {read} bytes");
        }
        Ok((status, read))
    }
}

/// The status of an answer whose head is there, where its body starts and where it ends.
fn answer(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(head) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head])?.to_ascii_lowercase();
    let status = text.get(9..12).context("no status line")?.parse()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.map_or(Ok(0), |value| value.trim().parse())?;
    Ok(Some((status, head + 4, head + 4 + length)))
}

/// A POST request with a body.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Sends `count` requests over `connections`, each as soon as the one before it is answered, to each of
/// the servers over as many. How long each took, in nanoseconds.
pub(crate) async fn closed_loop(
    to: &[SocketAddr],
    connections: usize,
    count: u64,
    make: MakeRequest,
) -> Result<Vec<u64>> {
    let next = Arc::new(AtomicU64::new(0));
    let worker = |to: &SocketAddr| {
        let (next, make, to) = (Arc::clone(&next), Arc::clone(&make), *to);
        tokio::spawn(async move {
            let mut connection = Connection::open(to).await?;
            let mut took = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok::<_, anyhow::Error>(took);
                }
                let request = make(number);
                let start = now_ns();
                accepted(connection.call(&request).await?)?;
                took.push(now_ns() - start);
            }
        })
    };
    let workers: Vec<_> = to.iter().cycle().take(connections).map(worker).collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await??);
    }
    Ok(all)
}

/// Sends `count` requests, `rate` a second, whatever the answers take.
pub(crate) async fn open_loop(
    to: SocketAddr,
    rate: u32,
    count: u64,
    make: MakeRequest,
) -> Result<()> {
    const CONNECTIONS: u32 = 16;
    let period = Duration::from_secs(1) / rate;
    let worker = |offset: u32| {
        let make = Arc::clone(&make);
        tokio::spawn(async move {
            let mut connection = Connection::open(to).await?;
            let mut ticks = tokio::time::interval(period * CONNECTIONS);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            tokio::time::sleep(period * offset).await;
            for number in (u64::from(offset)..count).step_by(CONNECTIONS as usize) {
                ticks.tick().await;
                accepted(connection.call(&make(number)).await?)?;
            }
            Ok::<_, anyhow::Error>(())
        })
    };
    let workers: Vec<_> = (0..CONNECTIONS).map(worker).collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}

fn accepted((status, body): (u16, &[u8])) -> Result<()> {
    if (200..300).contains(&status) {
        return Ok(());
    }
    bail!("answered {status}: {}", String::from_utf8_lossy(body))
}
