//! A server under measurement: its process, its API and the time it has used.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::{Connection, post};

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    key: String,
    pair: String,
    ids: (i64, i64),
    directory: Option<TempDir>,
}

impl Server {
    /// The real binary on a fresh data directory, with these flags besides.
    pub(crate) async fn hookyard(binary: &Path, flags: &[&str]) -> Result<Self> {
        let directory = TempDir::new_in("target")?;
        let data = directory.path().join("data");
        let output =
            Command::new(binary).args(["init", "--json", "--data"]).arg(&data).output().await?;
        let init: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let address = free_address().await?;
        let child = Command::new(binary)
            .args(["serve", "--log-level", "warn", "--allow-net", "127.0.0.0/8", "--data"])
            .arg(&data)
            .args(["--listen", &address.to_string()])
            .args(flags)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let text = |name: &str| init[name].as_str().unwrap_or_default().to_owned();
        let pair =
            format!("x-api-key: {}\r\nx-api-secret: {}\r\n", text("api_key"), text("api_secret"));
        let key = format!("x-ultracart-simple-key: {}\r\n", text("simple_key"));
        let number = |name: &str| init[name].as_i64().unwrap_or_default();
        let ids = (number("workspace_id"), number("project_id"));
        let server = Self { address, child, key, pair, ids, directory: Some(directory) };
        server.until_ready().await?;
        Ok(server)
    }

    /// The bare server, which is this program.
    pub(crate) async fn bare() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(crate::BARE)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.context("no address")?;
        let (key, pair, ids) = (String::new(), String::new(), (0, 0));
        Ok(Self { address: line.parse()?, child, key, pair, ids, directory: None })
    }

    async fn until_ready(&self) -> Result<()> {
        for _ in 0..200 {
            if Connection::open(self.address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        bail!("the server does not listen")
    }

    /// A request that publishes; `kind` is the media type.
    pub(crate) fn publish(&self, kind: &str, body: &str) -> Vec<u8> {
        post("/v1/events", &format!("{}content-type: {kind}\r\n", self.key), body)
    }

    /// Registers an endpoint for an event type; its number.
    pub(crate) async fn endpoint(
        &self,
        url: &str,
        event: &str,
        maximum_events: u32,
    ) -> Result<i64> {
        let body = json!({
            "webhook_url": url,
            "maximum_events": maximum_events,
            "event_categories": [{"event_category": "x", "events": [{"event_name": event}]}],
        });
        let headers = format!("{}content-type: application/json\r\n", self.key);
        let answer =
            self.call(&post("/rest/v2/webhook/webhooks", &headers, &body.to_string())).await?;
        answer["webhook"]["webhook_oid"].as_i64().with_context(|| answer.to_string())
    }

    /// Registers an endpoint that gets its events one by one, up to `bundles` of them at a time, in
    /// order for each value of a member; its number.
    pub(crate) async fn lanes(
        &self,
        url: &str,
        event: &str,
        bundles: u32,
        key: &str,
    ) -> Result<i64> {
        let body = json!({
            "url": url,
            "maximum_events": 1,
            "subscriptions": [{"event_type": event}],
            "concurrency": bundles,
            "order_key": key,
        });
        let headers = format!("{}content-type: application/json\r\n", self.key);
        let answer = self.call(&post("/v1/endpoints", &headers, &body.to_string())).await?;
        answer["id"].as_i64().with_context(|| answer.to_string())
    }

    /// Removes an endpoint.
    pub(crate) async fn remove(&self, id: i64) -> Result<()> {
        let path = format!("/rest/v2/webhook/webhooks/{id}");
        let request = format!("DELETE {path} HTTP/1.1\r\nhost: x\r\n{}\r\n", self.key);
        self.call(request.as_bytes()).await.map(drop)
    }

    /// Makes a source; the path to deliver to.
    pub(crate) async fn source(&self, mode: &str) -> Result<String> {
        let path = format!("/workspaces/{}/projects/{}/webhooks", self.ids.0, self.ids.1);
        let headers = format!("{}content-type: application/json\r\n", self.pair);
        let answer = self.call(&post(&path, &headers, &json!({"mode": mode}).to_string())).await?;
        let uri = answer["webhook"]["uri"].as_str();
        uri.map(str::to_owned).with_context(|| answer.to_string())
    }

    /// Makes a source with these settings of the native API; the path to deliver to.
    pub(crate) async fn source_with(&self, settings: &Value) -> Result<String> {
        let headers = format!("{}content-type: application/json\r\n", self.key);
        let answer = self.call(&post("/v1/sources", &headers, &settings.to_string())).await?;
        answer["path"].as_str().map(str::to_owned).with_context(|| answer.to_string())
    }

    /// The most memory that the process has had.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        let pid = self.child.id().context("the server is gone")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            peak.and_then(|peak| peak.trim().strip_suffix(" kB")).context("no VmHWM")?;
        Ok(kilobytes.trim().parse::<u64>()? << 10)
    }

    async fn call(&self, request: &[u8]) -> Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        let (status, body) = connection.call(request).await?;
        if !(200..300).contains(&status) {
            bail!("answered {status}: {}", String::from_utf8_lossy(body));
        }
        Ok(serde_json::from_slice(body).unwrap_or_default())
    }

    /// Seconds of processor time that the process has used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        /// Kernel ticks a second, fixed at 100 on every Linux that matters.
        const TICKS: f64 = 100.0;
        let pid = self.child.id().context("the server is gone")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after_name = stat.rsplit_once(") ").context("no process name")?.1;
        let ticks = after_name.split(' ').skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
    }

    /// Bytes of the data directory.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        let directory = self.directory.as_ref().context("no data directory")?;
        let mut bytes = 0;
        for entry in std::fs::read_dir(directory.path().join("data"))? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

async fn free_address() -> Result<SocketAddr> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}
