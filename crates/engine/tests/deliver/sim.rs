//! A workspace on a real store, with simulated time and scripted receivers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookyard_core::catalogue;
use hookyard_core::clock::Clock;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, EventTypeId, ProjectId, WorkspaceId};
use hookyard_core::model::{
    Attempt, Endpoint, EndpointSettings, NewEvent, Project, QueueState, Subscription, Workspace,
};
use hookyard_engine::Engine;
use hookyard_engine::deliver::{self, Deliverer, Step, Worker};
use hookyard_engine::net::Guard;
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{AttemptQuery, NewWorkspace, SharedStore, Tenure};
use hookyard_testkit::{SeededEntropy, SimClock};
use serde_json::Value;
use tempfile::TempDir;

use crate::faulty::FaultyStore;
use crate::scripted::Scripted;

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(1);

/// More steps than any case needs.
const STEPS_MAX: usize = 10_000;

pub(crate) struct Sim {
    pub(crate) clock: Arc<SimClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) receivers: Arc<Scripted>,
    pub(crate) deliverer: Arc<Deliverer>,
    pub(crate) engine: Arc<Engine>,
    published: AtomicU64,
    directory: TempDir,
}

pub(crate) fn type_id(name: &str) -> EventTypeId {
    catalogue::initial().by_name(name).unwrap().1.id
}

impl Sim {
    pub(crate) async fn start() -> Self {
        let clock = Arc::new(SimClock::default());
        Self::start_on(Arc::clone(&clock), clock).await
    }

    /// With another clock for the engine than the one that `advance` moves.
    pub(crate) async fn start_on(clock: Arc<SimClock>, shown: Arc<dyn Clock>) -> Self {
        let directory = TempDir::new().unwrap();
        let sim = Self::open(clock, shown, directory, Arc::default(), AtomicU64::new(0));
        sim.create_workspace().await;
        sim
    }

    /// What is on disk, opened anew as after a kill; the receivers remember what they got.
    pub(crate) fn crash(self) -> Self {
        let Self { clock, receivers, engine, directory, published, .. } = self;
        Self::open(clock, Arc::clone(engine.clock()), directory, receivers, published)
    }

    fn open(
        clock: Arc<SimClock>,
        shown: Arc<dyn Clock>,
        directory: TempDir,
        receivers: Arc<Scripted>,
        published: AtomicU64,
    ) -> Self {
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::new(SystemEntropy) };
        let store = FaultyStore::over(Arc::new(SqliteStore::open(options).unwrap()));
        let entropy = Arc::new(SeededEntropy::from_environment());
        let shared: SharedStore = Arc::clone(&store) as _;
        let engine = Arc::new(Engine::new(shared, shown, entropy, Arc::new(Guard::default())));
        let deliverer = Arc::new(Deliverer::new(
            &engine,
            Arc::clone(&receivers) as _,
            deliver::Options::default(),
        ));
        Self { clock, store, receivers, deliverer, engine, published, directory }
    }

    /// Delivers only as long as this lasts, from now on.
    pub(crate) fn limit(&mut self, tenure: &Tenure) {
        self.store.limit(tenure);
        let (receivers, options) = (Arc::clone(&self.receivers), deliver::Options::default());
        self.deliverer = Arc::new(Deliverer::new(&self.engine, receivers, options));
    }

    pub(crate) fn shared(&self) -> SharedStore {
        Arc::clone(&self.store) as _
    }

    async fn create_workspace(&self) {
        let new = NewWorkspace {
            workspace: Workspace { id: WORKSPACE, merchant: "DEMO".into(), name: "demo".into() },
            project: Project { id: ProjectId(1), name: "demo".into() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        self.shared().create_workspace(new).await.unwrap();
    }

    /// An endpoint that wants `order_create`, at this path of a scripted receiver.
    pub(crate) async fn endpoint(
        &self,
        path: &str,
        change: impl FnOnce(&mut EndpointSettings),
    ) -> Arc<Endpoint> {
        let mut settings = EndpointSettings::to_url(format!("https://receiver.test{path}"));
        change(&mut settings);
        let subscription = Subscription {
            event_type: type_id("order_create"),
            active: true,
            expansion: Some("summary".into()),
            comments: None,
            rule: None,
        };
        let now = self.clock.now();
        self.shared().create_endpoint(WORKSPACE, settings, vec![subscription], now).await.unwrap()
    }

    pub(crate) async fn update(
        &self,
        endpoint: EndpointId,
        change: impl FnOnce(&mut EndpointSettings),
    ) {
        let store = self.shared();
        let old = store.endpoint(WORKSPACE, endpoint).await.unwrap().unwrap();
        let mut settings = old.settings.clone();
        change(&mut settings);
        let subscriptions = old.subscriptions.clone();
        let id = old.id;
        store.update_endpoint(WORKSPACE, id, old.revision, settings, subscriptions).await.unwrap();
    }

    /// Gives the endpoint's subscriptions this rule.
    pub(crate) async fn subscribe(&self, endpoint: EndpointId, rule: Option<&str>) {
        let store = self.shared();
        let old = store.endpoint(WORKSPACE, endpoint).await.unwrap().unwrap();
        let mut subscriptions = old.subscriptions.clone();
        subscriptions.iter_mut().for_each(|own| own.rule = rule.map(str::to_owned));
        let (id, settings) = (old.id, old.settings.clone());
        store.update_endpoint(WORKSPACE, id, old.revision, settings, subscriptions).await.unwrap();
    }

    /// Publishes `count` orders, numbered on from 0, to these endpoints.
    pub(crate) async fn publish(&self, count: u64, matched: &[EndpointId]) {
        for _ in 0..count {
            let number = self.published.load(Ordering::Relaxed);
            self.publish_object(format!(r#"{{"order_id":"{number}"}}"#), matched).await;
        }
    }

    pub(crate) async fn publish_object(&self, object: impl Into<Bytes>, matched: &[EndpointId]) {
        self.publish_objects([object], matched).await;
    }

    /// Publishes objects in one batch.
    pub(crate) async fn publish_objects(
        &self,
        objects: impl IntoIterator<Item = impl Into<Bytes>>,
        matched: &[EndpointId],
    ) {
        let event = |object: Bytes| NewEvent {
            event_type: type_id("order_create"),
            id: format!("e{}", self.published.fetch_add(1, Ordering::Relaxed)),
            source: "test".into(),
            attributes: String::new(),
            object,
            matched: matched.to_vec(),
            matched_at: u64::MAX,
        };
        let events = objects.into_iter().map(|object| event(object.into())).collect();
        self.shared().append(WORKSPACE, events, self.clock.now()).await.unwrap();
    }

    pub(crate) async fn worker(&self, endpoint: EndpointId) -> Worker {
        Worker::new(self.shared().claim(endpoint).await.unwrap().unwrap())
    }

    pub(crate) async fn step(&self, worker: &mut Worker) -> Step {
        self.deliverer.step(worker).await.unwrap()
    }

    /// Steps until there is nothing to do, letting time pass over waits.
    pub(crate) async fn run_until_idle(&self, worker: &mut Worker) {
        for _ in 0..STEPS_MAX {
            match self.deliverer.step(worker).await {
                Ok(Step::Idle) => return,
                Ok(Step::Wait(until) | Step::Failed(until)) => self.clock.advance_to(until),
                Ok(
                    Step::Sent { .. } | Step::Dropped { .. } | Step::Parked { .. } | Step::Halved,
                ) => {}
                Ok(other) => panic!("{other:?}"),
                Err(_planned) => self.clock.advance(Duration::from_secs(1)),
            }
        }
        panic!("not idle after {STEPS_MAX} steps");
    }

    pub(crate) async fn state(&self, endpoint: EndpointId) -> QueueState {
        self.shared().queue_states(WORKSPACE, &[endpoint]).await.unwrap()[0]
    }

    /// An endpoint's attempts, oldest first.
    pub(crate) async fn attempts(&self, endpoint: EndpointId) -> Vec<Attempt> {
        let query = AttemptQuery { limit: 1_000, ..AttemptQuery::default() };
        let mut attempts =
            self.shared().attempts(WORKSPACE, endpoint, query).await.unwrap().entries;
        attempts.reverse();
        attempts
    }

    /// The order numbers of each request so far.
    pub(crate) fn delivered(&self) -> Vec<Vec<u64>> {
        self.receivers.requests().iter().map(|request| orders(&request.body)).collect()
    }
}

/// The order numbers in a body.
pub(crate) fn orders(body: &[u8]) -> Vec<u64> {
    let document: Value = serde_json::from_slice(body).unwrap();
    let events = document["events"].as_array().unwrap().iter();
    events
        .map(|event| event["order_create"]["order_id"].as_str().unwrap().parse().unwrap())
        .collect()
}
