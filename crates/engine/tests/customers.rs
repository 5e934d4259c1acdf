//! No event of one customer reaches another customer's endpoint, whatever was done before.
#![expect(clippy::unwrap_used, reason = "what is not found fails the test, as it should")]

use std::collections::HashMap;
use std::sync::Arc;

use hookyard_core::catalogue;
use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, ProjectId, WorkspaceId};
use hookyard_core::model::{CustomerSettings, Project, QueueState, Workspace};
use hookyard_engine::endpoints::{EndpointChange, FieldNames, Patch, RequestedSubscription};
use hookyard_engine::net::Guard;
use hookyard_engine::replays::{ReplaySpec, Replayer};
use hookyard_engine::{Engine, Error};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{HeadLimit, NewWorkspace, SharedStore};
use hookyard_testkit::{SeededEntropy, SimClock};
use serde_json::Value;
use tempfile::TempDir;

const DEMO: WorkspaceId = WorkspaceId(1);

/// Whose things there are; the first is the workspace's owner.
const CUSTOMERS: [&str; 4] = ["", "acme", "Acme", "acme-2"];

/// Steps of a history.
const STEPS: u64 = 250;

/// Histories of a run.
const HISTORIES: u64 = 4;

const NAMES: FieldNames = FieldNames {
    url: "url",
    name: "name",
    comments: "comments",
    basic_username: "basic_username",
    hidden_password: None,
    iam_secret_key: "iam_secret_key",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_type",
    rule: "rule",
};

struct Yard {
    engine: Arc<Engine>,
    store: SharedStore,
    clock: Arc<SimClock>,
    random: SeededEntropy,
    /// Whose each endpoint is.
    owners: HashMap<EndpointId, &'static str>,
    published: u64,
    /// Entries of customers' queues that were looked at.
    seen: usize,
    _directory: TempDir,
}

impl Yard {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::new(SystemEntropy) };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        let new = NewWorkspace {
            workspace: Workspace { id: DEMO, merchant: "DEMO".into(), name: "demo".into() },
            project: Project { id: ProjectId(1), name: "main".into() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        store.create_workspace(new).await.unwrap();
        let guard = Arc::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
        let clock = Arc::new(SimClock::default());
        let engine = Engine::new(
            Arc::clone(&store),
            Arc::clone(&clock) as _,
            Arc::new(SystemEntropy),
            guard,
        );
        Self {
            store,
            engine: Arc::new(engine),
            clock,
            random: SeededEntropy::from_environment(),
            owners: HashMap::new(),
            published: 0,
            seen: 0,
            _directory: directory,
        }
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.random.number() % bound as u64).unwrap()
    }

    /// A change to one subscription, with a rule or without.
    fn wish(&self) -> EndpointChange {
        let rule = ["", "", r#"{"n":[1,2]}"#, r#"{"n":[{"numeric":["<",2]}]}"#][self.below(4)];
        let subscription = RequestedSubscription {
            path: "subscriptions[0]".into(),
            event_type: "item_update".into(),
            active: true,
            expansion: Patch::Keep,
            comments: Patch::Keep,
            rule: if rule.is_empty() { Patch::Clear } else { Patch::Set(rule.into()) },
        };
        EndpointChange { subscriptions: Some(vec![subscription]), ..EndpointChange::none(&NAMES) }
    }

    async fn create(&mut self) {
        let owner = CUSTOMERS[self.below(CUSTOMERS.len())];
        let change = EndpointChange {
            url: Some("http://127.0.0.1:9/h".into()),
            customer: (!owner.is_empty()).then(|| owner.to_owned()),
            ..self.wish()
        };
        let made = self.engine.create_endpoint(DEMO, change).await.unwrap();
        self.owners.insert(made.endpoint.id, owner);
    }

    fn any(&self) -> Option<EndpointId> {
        let mut ids: Vec<_> = self.owners.keys().copied().collect();
        ids.sort_unstable();
        (!ids.is_empty()).then(|| ids[self.below(ids.len())])
    }

    async fn publish(&mut self) {
        let audience = ["", "*", "acme", "Acme", "acme-2", "nobody"][self.below(6)];
        let attributes = match audience {
            "" => String::new(),
            text => format!(r#"{{"subject":"customer","customer":"{text}"}}"#),
        };
        let event = CloudEvent {
            id: self.published.to_string(),
            source: "/test".into(),
            event_type: "item_update".into(),
            attributes,
            object: format!(r#"{{"n":{}}}"#, self.below(4)).into(),
        };
        self.published += 1;
        self.engine.publish(DEMO, vec![event]).await.unwrap();
    }

    /// Something that the present state may refuse.
    async fn step(&mut self) {
        let kind = self.below(12);
        if kind < 5 {
            return self.publish().await;
        }
        let Some(id) = self.any().filter(|_| kind != 5) else { return self.create().await };
        let engine = Arc::clone(&self.engine);
        let done = match kind {
            6 => engine.update_endpoint(DEMO, id, self.wish()).await.map(drop),
            7 | 8 => {
                let disabled = Some(kind == 7);
                let change = EndpointChange { disabled, ..EndpointChange::none(&NAMES) };
                engine.update_endpoint(DEMO, id, change).await.map(drop)
            }
            9 => engine.reflow_endpoint(DEMO, id, "event", "item_update").await.map(drop),
            10 => {
                let rule = (self.below(2) == 0).then(|| r#"{"n":[{"exists":true}]}"#.to_owned());
                let spec = ReplaySpec { rule, ..ReplaySpec::default() };
                engine.start_replay(DEMO, id, spec).await.map(drop)
            }
            _ if self.below(8) == 0 => self.remove().await,
            _ => engine.recover(DEMO, id).await.map(drop),
        };
        assert!(!matches!(done, Err(Error::Internal(_))), "{done:?}");
        while Replayer::new(Arc::clone(&engine)).step(id).await.unwrap() {}
    }

    async fn remove(&mut self) -> Result<(), Error> {
        let owner = CUSTOMERS[1 + self.below(CUSTOMERS.len() - 1)];
        self.engine.put_customer(DEMO, owner, CustomerSettings::default()).await?;
        let removal = self.engine.delete_customer(DEMO, owner, false).await?;
        let before = self.owners.len();
        self.owners.retain(|_, other| *other != owner);
        assert_eq!(removal.endpoints, before - self.owners.len());
        Ok(())
    }

    /// All that is queued is for the endpoint's customer, and all that a sample shows.
    async fn assert_apart(&mut self) {
        let all = HeadLimit { events: usize::MAX, bytes: usize::MAX };
        for (id, owner) in &self.owners {
            let store = &self.store;
            let lease = store.claim(*id).await.unwrap().unwrap();
            let head = store.head(&lease, all).await.unwrap();
            store.release(lease).await.unwrap();
            for entry in &head.entries {
                let attributes = serde_json::from_str::<Value>(&entry.event.attributes);
                let whose = attributes.unwrap_or_default()["customer"].clone();
                let may = owner.is_empty() || whose == *owner || whose == "*";
                assert!(may, "{owner:?} got {:?}", entry.event);
                self.seen += usize::from(!owner.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn no_event_crosses_customers() {
    for _ in 0..HISTORIES {
        let mut yard = Yard::start().await;
        for step in 0..STEPS {
            yard.step().await;
            yard.clock.advance(std::time::Duration::from_secs(1));
            if step % 25 == 24 {
                yard.assert_apart().await;
            }
        }
        assert!(yard.seen > 0, "customers got something");
    }
}

#[tokio::test]
async fn each_event_reaches_the_owner_and_its_customers() {
    let mut yard = Yard::start().await;
    let mut ids = Vec::new();
    for owner in CUSTOMERS {
        let change = EndpointChange {
            url: Some("http://127.0.0.1:9/h".into()),
            customer: (!owner.is_empty()).then(|| owner.to_owned()),
            ..yard.wish()
        };
        let mut change = change;
        if let Some(subscriptions) = &mut change.subscriptions {
            subscriptions[0].rule = Patch::Clear;
        }
        let made = yard.engine.create_endpoint(DEMO, change).await.unwrap();
        assert_eq!(made.state, QueueState::default());
        ids.push(made.endpoint.id);
    }
    for (audience, matched) in [("", 1), ("acme", 2), ("Acme", 2), ("*", 4), ("nobody", 1)] {
        let attributes = match audience {
            "" => String::new(),
            text => format!(r#"{{"customer":"{text}"}}"#),
        };
        let event = CloudEvent {
            id: yard.published.to_string(),
            source: "/test".into(),
            event_type: "item_update".into(),
            attributes,
            object: "{}".into(),
        };
        yard.published += 1;
        let receipts = yard.engine.publish(DEMO, vec![event]).await.unwrap();
        assert_eq!(receipts[0].matched, matched, "{audience}");
    }
    let view = yard.engine.customer(DEMO, "acme").await.unwrap();
    assert_eq!((view.endpoints, view.failing), (1, 0));
    let dry = yard.engine.delete_customer(DEMO, "acme", true).await.unwrap();
    assert_eq!((dry.endpoints, dry.pending, dry.dead_letters), (1, 2, 0));
    assert_eq!(yard.engine.delete_customer(DEMO, "acme", false).await.unwrap(), dry);
    let gone = yard.engine.delete_customer(DEMO, "acme", true).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
    assert!(yard.store.endpoint(DEMO, ids[1]).await.unwrap().is_none());
}
