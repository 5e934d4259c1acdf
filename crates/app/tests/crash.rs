//! Kills the real binary with SIGKILL, again and again, while events are published, deliveries are
//! received, receivers fail and history is sent again; then looks for what was promised: nothing that
//! was acknowledged is lost, the order of each endpoint holds, and what came twice was in flight at a
//! kill.
//!
//! `HOOKYARD_KILLS=200 cargo test --release -p hookyard --test crash -- --nocapture` is the long run
//! of docs/reliability.md.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what goes wrong here fails the test, as it should"
)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookyard_testkit::{Answer, Receiver};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// How often the server is killed, unless `HOOKYARD_KILLS` says otherwise.
const KILLS: usize = 6;

/// Milliseconds of load before each kill: long enough for queues to build up, and not the same.
const LOAD_MS: [u64; 3] = [350, 700, 500];

/// The wait of a publisher after each event: the history must stay one that can be sent again and
/// again, one event a request, in the time of the test.
const PACE: Duration = Duration::from_millis(5);

/// How many reflows are asked for, spread over the rounds.
const REFLOWS: usize = 5;

/// A receiver fails one request of so many. Each failure costs the endpoint a wait of five seconds.
const FAULT_EVERY: usize = 1_000;

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

    /// Waits until every endpoint's queue is empty, for as long as they get shorter.
    async fn until_delivered(&self) {
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

/// What the receiver answers on a path, request by request: every now and then it fails, in one of
/// three manners.
fn faults(requests: usize) -> Vec<(bool, Answer)> {
    let answer = |number: usize| match number % (3 * FAULT_EVERY) {
        20 => (false, Answer::status(500)),
        1_020 => (false, Answer::close()),
        2_020 => (false, Answer::status(503).header("retry-after", "1")),
        _ => (true, Answer::ok()),
    };
    (0..requests).map(answer).collect()
}

/// The journal places of the events that a path answered with success, in the order they came.
fn taken(receiver: &Receiver, path: &str, places: &HashMap<&String, usize>) -> Vec<Vec<usize>> {
    let requests = receiver.requests().into_iter().filter(|request| request.path == path);
    let answered = requests
        .zip(faults(SCRIPTED).into_iter().chain(std::iter::repeat_with(|| (true, Answer::ok()))));
    let bundle = |body: &[u8]| -> Vec<usize> {
        let body: Value = serde_json::from_slice(body).unwrap();
        let ids = body["events"].as_array().unwrap().iter();
        ids.map(|e| places[&e["item_update"]["merchant_item_id"].as_str().unwrap().to_owned()])
            .collect()
    };
    answered.filter(|(_, (taken, _))| *taken).map(|(request, _)| bundle(&request.body)).collect()
}

/// Answers scripted for each path; later requests are all taken.
const SCRIPTED: usize = 50_000;

/// What came of checking one endpoint.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    events: usize,
    reflows: usize,
    repeats: usize,
}

/// Checks the order of one endpoint's events: each follows the one before it in the journal. Only a
/// reflow goes back, to the first event, and only the bundle that came last may come again.
fn check_order(bundles: &[Vec<usize>], maximum_events: usize) -> Result<Order, String> {
    let mut order = Order::default();
    let (mut next, mut before_last) = (0, 0);
    let mut last: &[usize] = &[];
    for bundle in bundles {
        if bundle.len() > maximum_events {
            return Err(format!("a bundle of {} came", bundle.len()));
        }
        if bundle.first() != Some(&next) && bundle.first() == last.first() {
            order.repeats += last.len();
            next = before_last;
        }
        (before_last, last) = (next, bundle);
        for place in bundle {
            if *place == 0 && next > 0 {
                order.reflows += 1;
            } else if *place != next {
                return Err(format!("event {place} came where event {next} was to come"));
            }
            next = place + 1;
        }
        order.events += bundle.len();
    }
    Ok(order)
}

#[test]
fn the_check_sees_what_is_wrong() {
    let good = [vec![0, 1], vec![2, 3], vec![2, 3], vec![4, 0], vec![4, 0], vec![1, 2]];
    assert_eq!(check_order(&good, 2), Ok(Order { events: 12, reflows: 2, repeats: 4 }));
    let gap = [vec![0], vec![2]];
    let older = [vec![0, 1], vec![2, 3], vec![4], vec![2, 3]];
    for wrong in [&gap[..], &older[..], &[vec![1]], &[vec![0, 1, 2]]] {
        assert!(check_order(wrong, 2).is_err(), "{wrong:?}");
    }
}

/// The server under load, what was acknowledged, and where it was delivered.
struct Soak {
    api: Api,
    server: Server,
    receiver: Receiver,
    endpoints: Vec<i64>,
    source: String,
    dataset: String,
    events: Vec<String>,
    rows: Vec<u64>,
    _directory: TempDir,
}

impl Soak {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        let init = Arc::new(init(&data));
        let server = Server::start(&data, free_port());
        let http = Client::builder(TokioExecutor::new()).build_http();
        let api = Api { http, base: server.base.clone(), init };
        server.until_ready(&api.http).await;
        let receiver = Receiver::start().await.unwrap();
        let mut endpoints = Vec::new();
        for (path, maximum_events) in ENDPOINTS {
            receiver.script_path(path, faults(SCRIPTED).into_iter().map(|(_, answer)| answer));
            let webhook = json!({
                "webhook_url": receiver.url(path),
                "maximum_events": maximum_events,
                "event_categories": [{"events": [{"event_name": "item_update"}]}],
            });
            let made = api.ok("POST", "/rest/v2/webhook/webhooks", &webhook.to_string()).await;
            endpoints.push(made["webhook"]["webhook_oid"].as_i64().unwrap());
        }
        let (workspace, project) = (&api.init["workspace_id"], &api.init["project_id"]);
        let base = format!("/workspaces/{workspace}/projects/{project}");
        let made = api.ok("POST", &format!("{base}/webhooks"), r#"{"mode":"combine"}"#).await;
        let source = made["webhook"]["uri"].as_str().unwrap().to_owned();
        let dataset = format!("{base}/datasets/{}/data", made["webhook"]["ds_id"]);
        let (events, rows) = (Vec::new(), Vec::new());
        Self {
            api,
            server,
            receiver,
            endpoints,
            source,
            dataset,
            events,
            rows,
            _directory: directory,
        }
    }

    /// Load, a kill in the middle of it, a new start.
    async fn round(&mut self, round: usize, kills: usize, numbers: &[Arc<AtomicU64>; 2]) {
        let (mut publishers, mut senders) = (JoinSet::new(), JoinSet::new());
        for _ in 0..PUBLISHERS {
            publishers.spawn(self.api.clone().publish_until_gone(Arc::clone(&numbers[0])));
        }
        for _ in 0..SENDERS {
            let number = Arc::clone(&numbers[1]);
            senders.spawn(self.api.clone().send_until_gone(self.source.clone(), number));
        }
        let load = Duration::from_millis(LOAD_MS[round % LOAD_MS.len()]);
        tokio::time::sleep(load / 2).await;
        let every = kills.div_ceil(REFLOWS);
        if round % every == every - 1 {
            let endpoint = self.endpoints[round / every % self.endpoints.len()];
            let path = format!("/rest/v2/webhook/webhooks/{endpoint}/reflow/item_update");
            self.api.ok("POST", &path, "").await;
        }
        tokio::time::sleep(load / 2).await;
        self.server.crash(&self.api.http).await;
        self.events.extend(publishers.join_all().await.into_iter().flatten());
        self.rows.extend(senders.join_all().await.into_iter().flatten());
    }

    async fn check_events(&self, kills: usize) {
        let journal = self.api.journal().await;
        let places: HashMap<_, _> = journal.iter().enumerate().map(|(at, id)| (id, at)).collect();
        assert_eq!(places.len(), journal.len(), "an event is in the journal twice");
        for id in &self.events {
            assert!(places.contains_key(id), "{id} was acknowledged and is not in the journal");
        }
        println!(
            "{kills} kills, {} events acknowledged, {} in the journal",
            self.events.len(),
            journal.len()
        );
        for (path, maximum_events) in ENDPOINTS {
            let bundles = taken(&self.receiver, path, &places);
            let order = check_order(&bundles, maximum_events).unwrap();
            println!("{path}: {order:?}");
            let seen: HashSet<_> = bundles.iter().flatten().collect();
            assert_eq!(seen.len(), journal.len(), "{path} did not get every event");
            let in_flight = kills * maximum_events;
            assert!(order.repeats <= in_flight, "{path}: {order:?}, {in_flight} were in flight");
        }
    }

    async fn check_rows(&self) {
        let stored = self.api.rows(&self.dataset).await;
        let unique: HashSet<_> = stored.iter().collect();
        assert_eq!(unique.len(), stored.len(), "a row is there twice");
        for number in &self.rows {
            assert!(unique.contains(number), "row {number} was acknowledged and is not there");
        }
        println!("{} rows acknowledged, {} stored", self.rows.len(), stored.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_that_was_acknowledged() {
    let kills = std::env::var("HOOKYARD_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut soak = Soak::start().await;
    let numbers = [Arc::default(), Arc::default()];
    for round in 0..kills {
        soak.round(round, kills, &numbers).await;
    }
    assert!(soak.events.len() > 100 && soak.rows.len() > 100, "there was hardly any load");
    soak.api.until_delivered().await;
    soak.check_events(kills).await;
    soak.check_rows().await;
}
