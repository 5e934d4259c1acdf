//! Servers under measurement: their processes, their API and the time they have used.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::{Connection, post};
use crate::process;

/// The encryption key of servers that share a database.
const KEY: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

/// A running server, or several that share a database.
pub(crate) struct Server {
    pub(crate) addresses: Vec<SocketAddr>,
    children: Vec<Child>,
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
        let command = || {
            let mut command = Command::new(binary);
            command.env("HOOKYARD_DATA", &data);
            command
        };
        let init = initialise(command()).await?;
        let mut server = Self::start(&command, 1, flags, &init).await?;
        server.directory = Some(directory);
        Ok(server)
    }

    /// Makes a workspace in an empty database; what [`Server::on_database`] is to be told of it.
    pub(crate) async fn initialise_database(binary: &Path, url: &str) -> Result<Value> {
        initialise(on_database(binary, url)).await
    }

    /// So many nodes of the real binary on a database.
    pub(crate) async fn on_database(
        binary: &Path,
        url: &str,
        nodes: usize,
        init: &Value,
    ) -> Result<Self> {
        Self::start(&|| on_database(binary, url), nodes, &[], init).await
    }

    async fn start(
        command: &impl Fn() -> Command,
        nodes: usize,
        flags: &[&str],
        init: &Value,
    ) -> Result<Self> {
        let (mut addresses, mut children) = (Vec::new(), Vec::new());
        for _ in 0..nodes {
            let address = free_address().await?;
            let child = command()
                .args(["serve", "--log-level", "warn", "--allow-net", "127.0.0.0/8"])
                .args(["--listen", &address.to_string()])
                .args(flags)
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn()?;
            addresses.push(address);
            children.push(child);
        }
        let text = |name: &str| init[name].as_str().unwrap_or_default().to_owned();
        let pair =
            format!("x-api-key: {}\r\nx-api-secret: {}\r\n", text("api_key"), text("api_secret"));
        let key = format!("x-ultracart-simple-key: {}\r\n", text("simple_key"));
        let number = |name: &str| init[name].as_i64().unwrap_or_default();
        let ids = (number("workspace_id"), number("project_id"));
        let server = Self { addresses, children, key, pair, ids, directory: None };
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
        let (addresses, children) = (vec![line.parse()?], vec![child]);
        Ok(Self { addresses, children, key, pair, ids, directory: None })
    }

    async fn until_ready(&self) -> Result<()> {
        for address in &self.addresses {
            let mut rounds = 0;
            while Connection::open(*address).await.is_err() {
                if rounds == 200 {
                    bail!("the server does not listen");
                }
                rounds += 1;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Ok(())
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
        Ok(self.source_and_dataset(settings).await?.0)
    }

    /// As [`Self::source_with`], with the number of the dataset.
    pub(crate) async fn source_and_dataset(&self, settings: &Value) -> Result<(String, i64)> {
        let headers = format!("{}content-type: application/json\r\n", self.key);
        let answer = self.call(&post("/v1/sources", &headers, &settings.to_string())).await?;
        let path = answer["path"].as_str().map(str::to_owned);
        path.zip(answer["dataset"].as_i64()).with_context(|| answer.to_string())
    }

    /// A request for something that is read, the last one of its connection.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n", self.key)
            .into_bytes()
    }

    /// An SQL query, the last request of its connection.
    pub(crate) fn ask(&self, query: &Value) -> Vec<u8> {
        let headers =
            format!("{}connection: close\r\ncontent-type: application/json\r\n", self.key);
        post("/v1/sql", &headers, &query.to_string())
    }

    /// The most memory that the first process has had.
    pub(crate) fn peak_bytes(&self) -> Result<u64> {
        let pid = self.pids().next().context("the server is gone")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            peak.and_then(|peak| peak.trim().strip_suffix(" kB")).context("no VmHWM")?;
        Ok(kilobytes.trim().parse::<u64>()? << 10)
    }

    async fn call(&self, request: &[u8]) -> Result<Value> {
        let mut connection = Connection::open(self.addresses[0]).await?;
        let (status, body) = connection.call(request).await?;
        if !(200..300).contains(&status) {
            bail!("answered {status}: {}", String::from_utf8_lossy(body));
        }
        Ok(serde_json::from_slice(body).unwrap_or_default())
    }

    fn pids(&self) -> impl Iterator<Item = u32> {
        self.children.iter().filter_map(Child::id)
    }

    /// Seconds of processor time that the processes have used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.pids().map(process::cpu_seconds).sum()
    }

    /// Stops the processes in order, and waits until they have ended.
    pub(crate) async fn stop(mut self) -> Result<()> {
        for child in &mut self.children {
            let pid = child.id().context("the server is gone")?.to_string();
            Command::new("kill").arg(pid).status().await?;
            child.wait().await?;
        }
        Ok(())
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

fn on_database(binary: &Path, url: &str) -> Command {
    let mut command = Command::new(binary);
    command.env("HOOKYARD_DATABASE_URL", url).env("HOOKYARD_ENCRYPTION_KEY", KEY);
    command
}

async fn initialise(mut command: Command) -> Result<Value> {
    let output = command.args(["init", "--json"]).output().await?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) async fn free_address() -> Result<SocketAddr> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}
