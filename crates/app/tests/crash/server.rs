//! The real binary, and a caller of its APIs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::load::object;

/// The wait of a publisher after each event: the history must stay one that can be sent again and
/// again, one event a request, in the time of the test.
const PACE: Duration = Duration::from_millis(5);

pub(crate) type Http = Client<HttpConnector, Full<Bytes>>;

/// The binary on a data directory.
pub(crate) struct Server {
    child: Child,
    pub(crate) base: String,
    data: PathBuf,
    port: u16,
}

impl Server {
    pub(crate) fn start(data: &Path, port: u16) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .args(["serve", "--log-level", "error", "--allow-net", "127.0.0.0/8"])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        Self { child, base, data: data.to_owned(), port }
    }

    /// SIGKILL; callers find nobody there.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has the binary check what the killed process left behind; fails on any finding.
    pub(crate) fn check(&self) {
        let output = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .args(["check", "--json", "--log-level", "error", "--data"])
            .arg(&self.data)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the check found: {said} {errors}");
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["accounts"]["missing"], 0, "{report}");
    }

    /// A new process on the same data.
    pub(crate) async fn start_again(&mut self, http: &Http) {
        *self = Self::start(&self.data.clone(), self.port);
        self.until_ready(http).await;
    }

    pub(crate) async fn until_ready(&self, http: &Http) {
        for _ in 0..600 {
            let request = http::Request::get(format!("{}/readyz", self.base));
            let answer = http.request(request.body(Full::default()).unwrap()).await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not come back");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A caller with the credentials that `init` printed.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: Http,
    pub(crate) base: String,
    pub(crate) init: Arc<Value>,
}

impl Api {
    /// The answer's status and JSON; `None` when there was no whole answer.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: &str,
    ) -> Option<(u16, Value)> {
        let text = |name: &str| self.init[name].as_str().unwrap();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("content-type", kind)
            .header("x-ultracart-simple-key", text("simple_key"))
            .header("x-api-key", text("api_key"))
            .header("x-api-secret", text("api_secret"))
            .body(Full::from(body.to_owned()))
            .unwrap();
        let answer = self.http.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    pub(crate) async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, json) = self.call(method, path, "application/json", body).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {json}");
        json
    }

    /// Publishes until the server is gone; the ids that were acknowledged.
    pub(crate) async fn publish_until_gone(self, numbers: Arc<AtomicU64>) -> Vec<String> {
        let mut acknowledged = Vec::new();
        loop {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let id = format!("event-{number}");
            let event = json!({
                "specversion": "1.0", "id": id, "source": "/crash", "type": "item_update",
                "data": object(number, &id),
            });
            let kind = "application/cloudevents+json";
            match self.call("POST", "/v1/events", kind, &event.to_string()).await {
                Some((202, _)) => {
                    acknowledged.push(id);
                    tokio::time::sleep(PACE).await;
                }
                Some((status, problem)) => panic!("publish was answered {status}: {problem}"),
                None => return acknowledged,
            }
        }
    }

    /// Sends to a source until the server is gone; the numbers that were acknowledged.
    pub(crate) async fn send_until_gone(self, path: String, numbers: Arc<AtomicU64>) -> Vec<u64> {
        let mut acknowledged = Vec::new();
        loop {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "n": number }).to_string();
            match self.call("POST", &path, "application/json", &body).await {
                Some((201, _)) => acknowledged.push(number),
                Some((status, problem)) => panic!("sending was answered {status}: {problem}"),
                None => return acknowledged,
            }
        }
    }

    /// Waits until every endpoint's queue is empty, for as long as they get shorter.
    pub(crate) async fn until_delivered(&self) {
        let (mut least, mut looks) = (u64::MAX, 0);
        while looks < 600 {
            let list = self.ok("GET", "/rest/v2/webhook/webhooks", "").await;
            let pending = list["webhooks"].as_array().unwrap().iter();
            let pending = pending.map(|webhook| webhook["pending"].as_u64().unwrap()).sum();
            if pending == 0 {
                return;
            }
            looks = if pending < least { 0 } else { looks + 1 };
            least = least.min(pending);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{least} events stay in the queues");
    }

    /// The ids of the whole journal in order.
    pub(crate) async fn journal(&self) -> Vec<String> {
        let mut path = "/v1/events?order=asc&limit=1000".to_owned();
        let mut ids = Vec::new();
        loop {
            let page = self.ok("GET", &path, "").await;
            let events = page["events"].as_array().unwrap();
            ids.extend(events.iter().map(|e| e["event"]["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => return ids,
            }
        }
    }

    /// The numbers in a dataset's rows.
    pub(crate) async fn rows(&self, dataset: &str) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            let path = format!("{dataset}?limit=1000&offset={}", numbers.len());
            let page = self.ok("GET", &path, "").await;
            let rows = page["data"].as_object().unwrap();
            if rows.is_empty() {
                return numbers;
            }
            let mut page: Vec<(u64, u64)> = rows
                .iter()
                .map(|(row, cells)| {
                    let cell: Value = serde_json::from_str(cells[0].as_str().unwrap()).unwrap();
                    (row.parse().unwrap(), cell["n"].as_u64().unwrap())
                })
                .collect();
            page.sort_unstable();
            numbers.extend(page.into_iter().map(|(_, number)| number));
        }
    }
}

pub(crate) fn init(data: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_hookyard"))
        .args(["init", "--json", "--data"])
        .arg(data)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
