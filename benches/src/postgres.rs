//! The database under measurement: started here or given.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::hookyard::free_address;
use crate::process;

/// A database.
pub(crate) struct Postgres {
    url: String,
    /// The process and its number, for a server started here: the server ends with the bench.
    own: Option<(Child, u32)>,
}

impl Postgres {
    /// A server in a directory of its own, with default settings, until the end of the bench.
    pub(crate) async fn start() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/postgres.sh");
        let port = free_address().await?.port();
        let mut child = Command::new("sh")
            .arg(script)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let line = BufReader::new(output).lines().next_line().await?.unwrap_or_default();
        let directory = line.strip_prefix("ready ").with_context(|| line.clone())?;
        let pid = std::fs::read_to_string(format!("{directory}/data/postmaster.pid"))?;
        let pid = pid.lines().next().context("no process number")?.parse()?;
        let url = format!("postgres://hookyard@127.0.0.1:{port}/postgres");
        Ok(Self { url, own: Some((child, pid)) })
    }

    /// An existing, empty database.
    pub(crate) fn given(url: &str) -> Self {
        Self { url: url.to_owned(), own: None }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Seconds of processor time used by all processes of the server; `None` for servers started elsewhere.
    pub(crate) fn cpu_seconds(&self) -> Result<Option<f64>> {
        self.own.as_ref().map(|(_, pid)| process::cpu_seconds_of_family(*pid)).transpose()
    }
}

/// Stands between servers and the database and counts round trips.
///
/// A round trip begins when a connection's client speaks after the database did: statements sent together are
/// a single trip. The distance to the database costs time per trip.
pub(crate) struct Wire {
    /// The database's URL by way of the counter.
    pub(crate) url: String,
    trips: Arc<AtomicU64>,
}

impl Wire {
    /// Stands before a database with a host and maybe a port in the URL, without TLS.
    pub(crate) async fn start(url: &str) -> Result<Self> {
        let authority = url.split_once("://").context("no URL")?.1;
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() || host.contains('%') {
            bail!("round trips are counted over TCP only, and {host} is no host");
        }
        let to = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let here = listener.local_addr()?.to_string();
        let trips = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&trips);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = pass_on(client, &to, &counted).await;
            }
        });
        Ok(Self { url: url.replacen(host, &here, 1), trips })
    }

    /// Round trips so far.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }
}

#[expect(clippy::disallowed_methods, reason = "the benchmark is no part of the product")]
async fn pass_on(client: TcpStream, to: &str, trips: &Arc<AtomicU64>) -> Result<()> {
    let server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the client was the last to speak.
    let asked = Arc::new(AtomicBool::new(false));
    let (answered, trips) = (Arc::clone(&asked), Arc::clone(trips));
    tokio::spawn(copy(from_client, to_server, move || {
        if !asked.swap(true, Ordering::Relaxed) {
            trips.fetch_add(1, Ordering::Relaxed);
        }
    }));
    tokio::spawn(copy(from_server, to_client, move || answered.store(false, Ordering::Relaxed)));
    Ok(())
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, each: impl Fn()) {
    let mut buffer = vec![0; 256 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        each();
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
