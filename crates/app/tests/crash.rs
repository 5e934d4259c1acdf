//! Kills the real binary with SIGKILL, again and again, while events are published and deliveries are
//! received, and then looks for what was promised: nothing that was acknowledged is lost, the order
//! of each endpoint holds, and what came twice was in flight at a kill.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what goes wrong here fails the test, as it should"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookyard_testkit::Receiver;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How often the server is killed.
const KILLS: u64 = 6;

/// Milliseconds of load before each kill: long enough for queues to build up, and not the same.
const LOAD_MS: [u64; 3] = [350, 700, 500];

const PUBLISHERS: u64 = 8;
const SENDERS: u64 = 4;

/// The endpoints' paths at the receiver, with the most events of a bundle of each.
const ENDPOINTS: [(&str, usize); 3] = [("/one", 1), ("/ten", 10), ("/hundred", 100)];

type Http = Client<HttpConnector, Full<Bytes>>;

/// The binary on a data directory.
struct Server {
    child: Child,
    base: String,
    data: PathBuf,
    port: u16,
}

impl Server {
    fn start(data: &Path, port: u16) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_hookyard"))
            .args(["serve", "--log-level", "warn", "--allow-net", "127.0.0.0/8"])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        Self { child, base, data: data.to_owned(), port }
    }

    /// SIGKILL, then a new process on the same data.
    async fn crash(&mut self, http: &Http) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(&self.data.clone(), self.port);
        self.until_ready(http).await;
    }

    async fn until_ready(&self, http: &Http) {
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
struct Api {
    http: Http,
    base: String,
    init: Arc<Value>,
}

impl Api {
    /// The answer's status and JSON; `None` when there was no whole answer.
    async fn call(&self, method: &str, path: &str, kind: &str, body: &str) -> Option<(u16, Value)> {
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

    async fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, json) = self.call(method, path, "application/json", body).await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {json}");
        json
    }

    /// Publishes until the server is gone; the ids that were acknowledged.
    async fn publish_until_gone(self, numbers: Arc<AtomicU64>) -> Vec<String> {
        let mut acknowledged = Vec::new();
        loop {
            let id = format!("event-{}", numbers.fetch_add(1, Ordering::Relaxed));
            let event = json!({
                "specversion": "1.0", "id": id, "source": "/crash", "type": "item_update",
                "data": {"merchant_item_id": id},
            });
            let kind = "application/cloudevents+json";
            match self.call("POST", "/v1/events", kind, &event.to_string()).await {
                Some((202, _)) => acknowledged.push(id),
                Some((status, problem)) => panic!("publish was answered {status}: {problem}"),
                None => return acknowledged,
            }
        }
    }

    /// Sends to a source until the server is gone; the numbers that were acknowledged.
    async fn send_until_gone(self, path: String, numbers: Arc<AtomicU64>) -> Vec<u64> {
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

    /// Waits until every endpoint's queue is empty.
    async fn until_delivered(&self) {
        for _ in 0..1_200 {
            let list = self.ok("GET", "/rest/v2/webhook/webhooks", "").await;
            let pending = list["webhooks"].as_array().unwrap().iter();
            if pending.map(|webhook| webhook["pending"].as_u64().unwrap()).sum::<u64>() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the queues did not empty");
    }

    /// The ids of the whole journal in order.
    async fn journal(&self) -> Vec<String> {
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
    async fn rows(&self, dataset: &str) -> Vec<u64> {
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

fn init(data: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_hookyard"))
        .args(["init", "--json", "--data"])
        .arg(data)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The ids that each path of the receiver got, in the order they came.
fn delivered(receiver: &Receiver) -> HashMap<String, Vec<String>> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for request in receiver.requests() {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let events = body["events"].as_array().unwrap().iter();
        let ids = events.map(|e| e["item_update"]["merchant_item_id"].as_str().unwrap().to_owned());
        all.entry(request.path).or_default().extend(ids);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    let api = Api {
        http: Client::builder(TokioExecutor::new()).build_http(),
        base: String::new(),
        init: Arc::new(init(&data)),
    };
    let mut server = Server::start(&data, free_port());
    let api = Api { base: server.base.clone(), ..api };
    server.until_ready(&api.http).await;

    let receiver = Receiver::start().await.unwrap();
    for (path, maximum_events) in ENDPOINTS {
        let webhook = json!({
            "webhook_url": receiver.url(path),
            "maximum_events": maximum_events,
            "event_categories": [{"event_category": "item", "events": [{"event_name": "item_update"}]}],
        });
        api.ok("POST", "/rest/v2/webhook/webhooks", &webhook.to_string()).await;
    }
    let (workspace, project) = (&api.init["workspace_id"], &api.init["project_id"]);
    let base = format!("/workspaces/{workspace}/projects/{project}");
    let source = api.ok("POST", &format!("{base}/webhooks"), r#"{"mode":"combine"}"#).await;
    let uri = source["webhook"]["uri"].as_str().unwrap().to_owned();
    let dataset = format!("{base}/datasets/{}/data", source["webhook"]["ds_id"]);

    let (event_numbers, row_numbers) = (Arc::default(), Arc::default());
    let (mut events, mut rows) = (Vec::new(), Vec::new());
    for round in 0..KILLS {
        let (mut publishers, mut senders) = (JoinSet::new(), JoinSet::new());
        for _ in 0..PUBLISHERS {
            publishers.spawn(api.clone().publish_until_gone(Arc::clone(&event_numbers)));
        }
        for _ in 0..SENDERS {
            let numbers = Arc::clone(&row_numbers);
            senders.spawn(api.clone().send_until_gone(uri.clone(), numbers));
        }
        let load = LOAD_MS[usize::try_from(round).unwrap() % LOAD_MS.len()];
        tokio::time::sleep(Duration::from_millis(load)).await;
        server.crash(&api.http).await;
        events.extend(publishers.join_all().await.into_iter().flatten());
        rows.extend(senders.join_all().await.into_iter().flatten());
    }
    assert!(events.len() > 100 && rows.len() > 100, "{} events, {} rows", events.len(), rows.len());
    api.until_delivered().await;

    let journal = api.journal().await;
    let places: HashMap<_, _> = journal.iter().enumerate().map(|(at, id)| (id, at)).collect();
    assert_eq!(places.len(), journal.len(), "an event is in the journal twice");
    for id in &events {
        assert!(places.contains_key(id), "{id} was acknowledged and is not in the journal");
    }
    let delivered = delivered(&receiver);
    for (path, maximum_events) in ENDPOINTS {
        let ids = &delivered[path];
        let mut seen = HashSet::new();
        let firsts: Vec<_> =
            ids.iter().filter(|id| seen.insert(*id)).map(|id| places[id]).collect();
        assert_eq!(firsts.len(), journal.len(), "{path} did not get every event");
        assert!(firsts.is_sorted(), "{path} got events out of order");
        let repeats = ids.len() - firsts.len();
        let in_flight = usize::try_from(KILLS).unwrap() * maximum_events;
        assert!(repeats <= in_flight, "{path} got {repeats} events twice, {in_flight} may be");
    }
    let stored = api.rows(&dataset).await;
    let unique: HashSet<_> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "a row is there twice");
    for number in &rows {
        assert!(unique.contains(number), "row {number} was acknowledged and is not there");
    }
}
