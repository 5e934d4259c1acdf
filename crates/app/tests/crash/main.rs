//! Kills the real binary with SIGKILL, again and again, while events are published, deliveries are
//! received, receivers fail and refuse, and history is sent again; then looks for what was promised:
//! nothing that was acknowledged is lost, the order of each endpoint (of each key, where several bundles
//! are in flight) holds, and what came twice was in flight at a kill.
//!
//! `HOOKYARD_KILLS=200 cargo test --release -p hookyard --test crash -- --nocapture` is the long run
//! of docs/explanation/reliability.md.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what goes wrong here fails the test, as it should"
)]

mod check;
mod load;
mod server;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hookyard_testkit::Receiver;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::check::{Order, check_keys, check_order, check_replayed};
use crate::load::{Known, LANES, PICKY, REFLOWED, REPLAYED, Target, known, targets};
use crate::server::{Api, Server, free_port, init};

/// How often the server is killed, unless `HOOKYARD_KILLS` says otherwise.
const KILLS: usize = 6;

/// Milliseconds of load before each kill: long enough for queues to build up, and not the same.
const LOAD_MS: [u64; 3] = [350, 700, 500];

/// How many reflows and replays are asked for, spread over the rounds.
const REFLOWS: usize = 5;
const REPLAYS: usize = 3;

/// How many of the kills a check of the whole store follows, at most: a long run has a large store.
const CHECKS: usize = 20;

const PUBLISHERS: u64 = 8;
const SENDERS: u64 = 4;

/// A call, and whether it must be answered.
struct Call {
    path: String,
    body: &'static str,
    certain: bool,
}

/// The server under load, what was acknowledged, and where it was delivered.
struct Soak {
    api: Api,
    server: Server,
    receiver: Receiver,
    /// The endpoints' numbers by their paths.
    endpoints: HashMap<&'static str, i64>,
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
        let mut endpoints = HashMap::new();
        for target in targets() {
            target.script(&receiver);
            let made = target.endpoint(&receiver).to_string();
            let made = api.ok("POST", "/v1/endpoints", &made).await;
            endpoints.insert(target.path, made["id"].as_i64().unwrap());
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

    fn of(&self, target: Target) -> String {
        format!("/v1/endpoints/{}", self.endpoints[target.path])
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
        let mut uncertain = JoinSet::new();
        let calls = self.calls(round, kills).await;
        for call in &calls {
            if call.certain {
                self.api.ok("POST", &call.path, call.body).await;
            }
        }
        tokio::time::sleep(load / 2).await;
        for call in calls.into_iter().filter(|call| !call.certain) {
            let api = self.api.clone();
            // Whether it happens before the kill, after it, or in its middle is up to chance.
            uncertain.spawn(async move {
                api.call("POST", &call.path, "application/json", call.body).await
            });
        }
        tokio::task::yield_now().await;
        self.server.kill();
        uncertain.join_all().await;
        // All have found the server gone before there is one again.
        self.events.extend(publishers.join_all().await.into_iter().flatten());
        self.rows.extend(senders.join_all().await.into_iter().flatten());
        if round.is_multiple_of(kills.div_ceil(CHECKS)) {
            self.server.check();
        }
        self.server.start_again(&self.api.http).await;
    }

    /// What is asked for in a round: reflows and replays now and then; in the other rounds replays are
    /// paused and resumed, and dead letters are delivered again.
    async fn calls(&self, round: usize, kills: usize) -> Vec<Call> {
        let due = |times: usize| {
            let every = kills.div_ceil(times);
            round % every == every - 1
        };
        let certain = round.is_multiple_of(2);
        let mut calls = Vec::new();
        if due(REFLOWS) {
            let target = REFLOWED[round / kills.div_ceil(REFLOWS) % REFLOWED.len()];
            let endpoint = self.endpoints[target.path];
            let path = format!("/rest/v2/webhook/webhooks/{endpoint}/reflow/item_update");
            calls.push(Call { path, body: "", certain: true });
        }
        if due(REPLAYS) {
            let path = format!("{}/replays", self.of(REPLAYED));
            calls.push(Call { path, body: "{}", certain: true });
        }
        let change = ["pause", "resume", "pause", "resume", "resume"][round % 5];
        for (id, state) in self.replays().await {
            if state == "running" || state == "paused" {
                let path = format!("{}/replays/{id}/{change}", self.of(REPLAYED));
                calls.push(Call { path, body: "", certain: false });
            }
        }
        let path = format!("{}/dead-letters/redeliver", self.of(PICKY));
        calls.push(Call { path, body: "", certain });
        calls
    }

    /// The replays and their states.
    async fn replays(&self) -> Vec<(i64, String)> {
        let list = self.api.ok("GET", &format!("{}/replays", self.of(REPLAYED)), "").await;
        let replays = list["replays"].as_array().unwrap().iter();
        let one = |replay: &Value| {
            (replay["id"].as_i64().unwrap(), replay["state"].as_str().unwrap().to_owned())
        };
        replays.map(one).collect()
    }

    /// Waits until everything is delivered, replays as well.
    async fn until_delivered(&self) {
        for (id, state) in self.replays().await {
            if state == "paused" {
                let path = format!("{}/replays/{id}/resume", self.of(REPLAYED));
                self.api.ok("POST", &path, "").await;
            }
        }
        loop {
            self.api.until_delivered().await;
            if self.replays().await.iter().all(|(_, state)| state == "done") {
                return;
            }
            // Between two slices nothing is queued.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Checks what everybody took, and what was parked. The dead letters then are delivered again, half
    /// of them one by one.
    async fn check_events(&self, kills: usize) {
        let journal = self.api.journal().await;
        let known = known(&journal);
        assert_eq!(known.len(), journal.len(), "an event is in the journal twice");
        for id in &self.events {
            assert!(known.contains_key(id), "{id} was acknowledged and is not in the journal");
        }
        println!(
            "{kills} kills, {} events acknowledged, {} in the journal",
            self.events.len(),
            journal.len()
        );
        for target in REFLOWED {
            let bundles = places(&target.taken(&self.receiver, &known));
            let order = check_order(&bundles, target.maximum_events).unwrap();
            report(target, kills, &order, &bundles, journal.len());
        }
        self.check_replays(kills, &known).await;
        self.check_lanes(kills, &known);
        self.check_picky(kills, &known).await;
    }

    async fn check_replays(&self, kills: usize, known: &HashMap<String, Known>) {
        let bundles = places(&REPLAYED.taken(&self.receiver, known));
        let order = check_replayed(&bundles, REPLAYED.maximum_events).unwrap();
        report(REPLAYED, kills, &order, &bundles, known.len());
        let replays = self.replays().await;
        assert!(order.again >= replays.len() && !replays.is_empty(), "{order:?} {replays:?}");
        // Every replay is whole: what they sent is more than the live events by their totals.
        let list = self.api.ok("GET", &format!("{}/replays", self.of(REPLAYED)), "").await;
        let progress = |name: &str| -> usize {
            let all = list["replays"].as_array().unwrap().iter();
            let sum: u64 = all.map(|replay| replay["progress"][name].as_u64().unwrap()).sum();
            usize::try_from(sum).unwrap()
        };
        assert_eq!(progress("delivered"), progress("total"));
        assert_eq!(order.events - order.repeats, known.len() + progress("total"), "{order:?}");
    }

    fn check_lanes(&self, kills: usize, known: &HashMap<String, Known>) {
        let taken = LANES.taken(&self.receiver, known);
        let keyed = |bundle: &Vec<Known>| bundle.iter().map(|own| (own.shelf, own.place)).collect();
        let keyed: Vec<Vec<(u64, usize)>> = taken.iter().map(keyed).collect();
        let mut all: Vec<Known> = known.values().copied().collect();
        all.sort_unstable_by_key(|known| known.place);
        let mut keys: HashMap<u64, Vec<usize>> = HashMap::new();
        for Known { place, shelf, .. } in all {
            keys.entry(shelf).or_default().push(place);
        }
        let order = check_keys(&keyed, LANES.maximum_events, &keys).unwrap();
        report(LANES, kills, &order, &places(&taken), known.len());
    }

    /// What the picky receiver takes is everything but what it refuses, and that is parked.
    async fn check_picky(&self, kills: usize, known: &HashMap<String, Known>) {
        let mut all: Vec<Known> = known.values().copied().collect();
        all.sort_unstable_by_key(|known| known.place);
        let good = all.iter().filter(|known| !known.refused);
        let ranks: HashMap<usize, usize> =
            good.enumerate().map(|(rank, known)| (known.place, rank)).collect();
        let taken = PICKY.taken(&self.receiver, known);
        let rank = |bundle: &Vec<Known>| bundle.iter().map(|own| ranks[&own.place]).collect();
        let ranked: Vec<Vec<usize>> = taken.iter().map(rank).collect();
        let order = check_order(&ranked, PICKY.maximum_events).unwrap();
        report(PICKY, kills, &order, &ranked, ranks.len());

        let refused: BTreeSet<usize> =
            all.iter().filter(|known| known.refused).map(|known| known.place).collect();
        let letters = self.dead_letters(known).await;
        let parked: BTreeSet<usize> = letters.iter().map(|(_, place)| *place).collect();
        assert_eq!((parked.len(), &parked), (letters.len(), &refused), "each is parked once");
        println!("{}: {} dead letters", PICKY.path, letters.len());
        self.redeliver(&letters, taken.len(), known).await;
    }

    /// Has half of the dead letters delivered again, to a receiver that takes them now.
    async fn redeliver(
        &self,
        letters: &[(u64, usize)],
        taken: usize,
        known: &HashMap<String, Known>,
    ) {
        self.receiver.forgive(PICKY.path);
        let (again, left) = letters.split_at(letters.len() / 2);
        for (seq, _) in again {
            let path = format!("{}/dead-letters/{seq}/redeliver", self.of(PICKY));
            self.api.ok("POST", &path, "").await;
        }
        self.api.until_delivered().await;
        let bundles = places(&PICKY.taken(&self.receiver, known)[taken..]);
        let places: Vec<usize> = again.iter().map(|(_, place)| *place).collect();
        assert_eq!(bundles.concat(), places, "in the order in which it was asked for");
        assert_eq!(self.dead_letters(known).await, left);
    }

    /// The dead letters: their numbers, and their places in the journal.
    async fn dead_letters(&self, known: &HashMap<String, Known>) -> Vec<(u64, usize)> {
        let mut path = format!("{}/dead-letters?limit=100", self.of(PICKY));
        let mut letters = Vec::new();
        loop {
            let page = self.api.ok("GET", &path, "").await;
            let one = |letter: &Value| {
                let id = letter["event_id"].as_str().unwrap();
                (letter["seq"].as_u64().unwrap(), known[id].place)
            };
            letters.extend(page["dead_letters"].as_array().unwrap().iter().map(one));
            match page["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => return letters,
            }
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

fn places(bundles: &[Vec<Known>]) -> Vec<Vec<usize>> {
    bundles.iter().map(|bundle| bundle.iter().map(|known| known.place).collect()).collect()
}

/// Prints what came of an endpoint, and checks that it got everything and little of it twice.
fn report(target: Target, kills: usize, order: &Order, bundles: &[Vec<usize>], all: usize) {
    let path = target.path;
    println!("{path}: {order:?}");
    let seen: HashSet<_> = bundles.iter().flatten().collect();
    assert_eq!(seen.len(), all, "{path} did not get every event");
    let in_flight = kills * target.maximum_events * target.bundles;
    assert!(order.repeats <= in_flight, "{path}: {order:?}, {in_flight} were in flight");
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
    soak.until_delivered().await;
    soak.check_events(kills).await;
    soak.check_rows().await;
    soak.server.kill();
    soak.server.check();
}
