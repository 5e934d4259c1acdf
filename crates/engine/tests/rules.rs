//! Rules on the way of an event: who gets it, what a reflow sends, what a trial says.
#![expect(clippy::unwrap_used, reason = "what is not found fails the test, as it should")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hookyard_core::catalogue;
use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, EventTypeId, ProjectId, WorkspaceId};
use hookyard_core::model::{Endpoint, EndpointSettings, Project, Receipt, Subscription, Workspace};
use hookyard_engine::endpoints::{EndpointChange, FieldNames, Patch, RequestedSubscription};
use hookyard_engine::net::Guard;
use hookyard_engine::{Engine, publish, rules};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{HeadLimit, NewWorkspace, SharedStore};
use hookyard_testkit::SimClock;
use tempfile::TempDir;

const DEMO: WorkspaceId = WorkspaceId(1);
const OTHER: WorkspaceId = WorkspaceId(2);

const SHIPPING: &str = r#"{"current_stage":["Shipping Department"]}"#;

/// No rule of this version, as a newer one may have stored it.
const FROM_THE_FUTURE: &str = r#"{"current_stage":[{"sounds-like":"shipping"}]}"#;

const NAMES: FieldNames = FieldNames {
    url: "webhook_url",
    name: "name",
    comments: "merchant_comments",
    basic_username: "basic_username",
    hidden_password: None,
    iam_secret_key: "iam_secret_key",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_name",
    rule: "event_ruler",
};

struct Yard {
    engine: Engine,
    store: SharedStore,
    published: AtomicU64,
    _directory: TempDir,
}

impl Yard {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::new(SystemEntropy) };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        for (id, merchant) in [(DEMO, "DEMO"), (OTHER, "OTHER")] {
            let new = NewWorkspace {
                workspace: Workspace { id, merchant: merchant.into(), name: merchant.into() },
                project: Project { id: ProjectId(1), name: "main".into() },
                catalogue: catalogue::initial().clone(),
                credentials: Vec::new(),
            };
            store.create_workspace(new).await.unwrap();
        }
        let guard = Arc::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
        let clock = Arc::new(SimClock::default());
        let engine = Engine::new(Arc::clone(&store), clock, Arc::new(SystemEntropy), guard);
        Self { engine, store, published: AtomicU64::new(0), _directory: directory }
    }

    /// An endpoint that wants item events, all or by a rule.
    async fn endpoint(&self, workspace: WorkspaceId, rule: Option<&str>) -> EndpointId {
        let change = EndpointChange { url: Some("http://127.0.0.1:9/h".into()), ..wish(rule) };
        self.engine.create_endpoint(workspace, change).await.unwrap().endpoint.id
    }

    /// An endpoint with a rule that this version would not take, past its checks.
    async fn future_endpoint(&self) -> Arc<Endpoint> {
        let settings = EndpointSettings::to_url("http://127.0.0.1:9/h");
        let subscription = Subscription {
            event_type: item_update(),
            active: true,
            expansion: None,
            comments: None,
            rule: Some(FROM_THE_FUTURE.into()),
        };
        let (store, now) = (&self.store, self.engine.clock().now());
        store.create_endpoint(DEMO, settings, vec![subscription], now).await.unwrap()
    }

    async fn try_publish(&self, objects: &[String]) -> Result<Vec<Receipt>, publish::Error> {
        let event = |object: &String| CloudEvent {
            id: self.published.fetch_add(1, Ordering::Relaxed).to_string(),
            source: "/test".into(),
            event_type: "item_update".into(),
            attributes: String::new(),
            object: Bytes::from(object.clone()),
        };
        self.engine.publish(DEMO, objects.iter().map(event).collect()).await
    }

    async fn publish(&self, stages: &[&str]) -> Vec<Receipt> {
        let object = |stage: &&str| format!(r#"{{"current_stage":"{stage}"}}"#);
        self.try_publish(&stages.iter().map(object).collect::<Vec<_>>()).await.unwrap()
    }

    /// The publisher's ids of what is queued for an endpoint.
    async fn queued(&self, endpoint: EndpointId) -> Vec<String> {
        let store = &self.store;
        let lease = store.claim(endpoint).await.unwrap().unwrap();
        let all = HeadLimit { events: usize::MAX, bytes: usize::MAX };
        let head = store.head(&lease, all).await.unwrap();
        assert_eq!(head.state.pending, head.entries.len() as u64);
        head.entries.iter().map(|entry| entry.event.id.clone()).collect()
    }

    async fn reflow(&self, endpoint: EndpointId) -> Result<String, hookyard_engine::Error> {
        let reflowed = self.engine.reflow_endpoint(DEMO, endpoint, "eventName", "item_update");
        self.engine.reflow_sample(&reflowed.await?).await
    }
}

fn item_update() -> EventTypeId {
    catalogue::initial().by_name("item_update").unwrap().1.id
}

/// A change to one subscription, to item events.
fn wish(rule: Option<&str>) -> EndpointChange {
    let subscription = RequestedSubscription {
        path: "event_categories[0].events[0]".into(),
        event_type: "item_update".into(),
        active: true,
        expansion: Patch::Keep,
        comments: Patch::Keep,
        rule: rule.map_or(Patch::Clear, |rule| Patch::Set(rule.into())),
    };
    EndpointChange { subscriptions: Some(vec![subscription]), ..EndpointChange::none(&NAMES) }
}

fn matched(receipts: &[Receipt]) -> Vec<u32> {
    receipts.iter().map(|receipt| receipt.matched).collect()
}

#[tokio::test]
async fn an_endpoint_gets_what_its_rule_matches() {
    let yard = Yard::start().await;
    let shipping = yard.endpoint(DEMO, Some(SHIPPING)).await;
    let all = yard.endpoint(DEMO, None).await;
    let never = yard.endpoint(DEMO, Some(r#"{"nothing":["here"]}"#)).await;
    yard.endpoint(OTHER, Some(SHIPPING)).await;
    let receipts = yard.publish(&["Accounts", "Shipping Department", "Done"]).await;
    assert_eq!(matched(&receipts), [1, 2, 1]);
    assert_eq!(yard.queued(shipping).await, ["1"]);
    assert_eq!(yard.queued(all).await, ["0", "1", "2"]);
    assert!(yard.queued(never).await.is_empty());
}

#[tokio::test]
async fn a_change_is_in_effect_once_it_is_answered() {
    let yard = Yard::start().await;
    let id = yard.endpoint(DEMO, Some(SHIPPING)).await;
    yard.endpoint(DEMO, Some(SHIPPING)).await;
    let stages = ["Accounts", "Shipping Department"];
    assert_eq!(matched(&yard.publish(&stages).await), [0, 2]);
    let accounts = wish(Some(r#"{"current_stage":["Accounts"]}"#));
    yard.engine.update_endpoint(DEMO, id, accounts).await.unwrap();
    assert_eq!(matched(&yard.publish(&stages).await), [1, 1]);
    yard.engine.update_endpoint(DEMO, id, wish(Some(""))).await.unwrap();
    assert_eq!(matched(&yard.publish(&stages).await), [1, 2]);
    let disabled = EndpointChange { disabled: Some(true), ..EndpointChange::none(&NAMES) };
    yard.engine.update_endpoint(DEMO, id, disabled).await.unwrap();
    assert_eq!(matched(&yard.publish(&stages).await), [0, 1]);
    yard.engine.delete_endpoint(DEMO, id, None).await.unwrap();
    assert_eq!(yard.queued(id_after(id)).await, ["1", "3", "5", "7"]);
}

fn id_after(id: EndpointId) -> EndpointId {
    EndpointId(id.0 + 1)
}

#[tokio::test]
async fn a_bad_rule_changes_nothing() {
    let yard = Yard::start().await;
    let id = yard.endpoint(DEMO, Some(SHIPPING)).await;
    let refused = yard.engine.update_endpoint(DEMO, id, wish(Some(r#"{"a":1}"#))).await;
    let Err(hookyard_engine::Error::Invalid { field, message }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(field, "event_categories[0].events[0].event_ruler");
    assert!(message.starts_with("a: "), "{message}");
    assert_eq!(matched(&yard.publish(&["Accounts", "Shipping Department"]).await), [0, 1]);
}

#[tokio::test]
async fn a_stored_rule_that_cannot_be_read_stops_only_its_endpoint() {
    let yard = Yard::start().await;
    let future = yard.future_endpoint().await.id;
    let shipping = yard.endpoint(DEMO, Some(SHIPPING)).await;
    assert_eq!(matched(&yard.publish(&["Accounts", "Shipping Department"]).await), [0, 1]);
    assert_eq!(yard.queued(shipping).await, ["1"]);
    assert!(yard.queued(future).await.is_empty());
    let refused = yard.reflow(future).await.unwrap_err().to_string();
    assert!(refused.contains("rule cannot be read: current_stage: "), "{refused}");
    // What it missed is in the journal.
    yard.engine.update_endpoint(DEMO, future, wish(Some(SHIPPING))).await.unwrap();
    yard.reflow(future).await.unwrap();
    assert_eq!(yard.queued(future).await, ["1"]);
}

/// A number that is too long to be compared; only where a rule asks for it does it matter.
#[tokio::test]
async fn an_event_that_cannot_be_matched_is_refused_by_name() {
    let yard = Yard::start().await;
    let all = yard.endpoint(DEMO, None).await;
    let endless = format!(r#"{{"current_stage":{}}}"#, "9".repeat(2_000));
    assert_eq!(matched(&yard.try_publish(std::slice::from_ref(&endless)).await.unwrap()), [1]);
    let shipping = yard.endpoint(DEMO, Some(SHIPPING)).await;
    let refused = yard.try_publish(&["{}".into(), endless]).await.unwrap_err();
    assert!(matches!(refused, publish::Error::Unmatchable { index: 1, .. }), "{refused}");
    assert_eq!(yard.queued(all).await, ["0"], "a batch is refused whole");
    // One that is in the journal already is left out of a reflow, and does not stop it.
    yard.publish(&["Shipping Department"]).await;
    yard.reflow(shipping).await.unwrap();
    assert_eq!(yard.queued(shipping).await, ["3", "3"]);
}

/// The same path spelled in several ways, with an array of so many elements below each: the choices
/// are a product.
fn ambiguous(elements: usize, keys: usize) -> String {
    let key = |nth: usize| format!(r#""k{nth}":1"#);
    let element = format!("{{{}}}", (0..keys).map(key).collect::<Vec<_>>().join(","));
    let array = format!("[{}]", vec![element; elements].join(","));
    let below = format!(r#"{{"d":{array}}}"#);
    format!(
        r#"{{"a":{{"b":{{"c":{below},"c.d":{array}}},"b.c":{below},"b.c.d":{array}}},
            "a.b":{{"c":{below},"c.d":{array}}},"a.b.c":{below},
            "a.b.c.d":[{{"x":1}},{{"y":1}}]}}"#
    )
}

/// A rule that has to try all of them.
fn searching(keys: usize) -> String {
    let fields = (0..keys).map(|nth| format!(r#""k{nth}":[{{"exists":true}}]"#));
    let fields = fields.collect::<Vec<_>>().join(",");
    format!(r#"{{"a.b.c.d":{{{fields},"x":[1],"y":[1]}}}}"#)
}

#[tokio::test]
async fn an_event_that_takes_many_steps_is_begun_again_and_decided() {
    let yard = Yard::start().await;
    yard.endpoint(DEMO, Some(&searching(3))).await;
    let event = ambiguous(12, 3);
    assert!(event.len() < hookyard_engine::work::INLINE_BYTES_MAX);
    assert_eq!(matched(&yard.try_publish(&[event]).await.unwrap()), [0]);
    let matching = ambiguous(12, 3).replace("},{\"y\"", ",\"k0\":1,\"k1\":1,\"k2\":1,\"y\"");
    assert_eq!(matched(&yard.try_publish(&[matching]).await.unwrap()), [1]);
}

/// Nothing is guessed and nothing lost: whoever publishes it hears of it, and of whose rule it is.
#[tokio::test]
async fn an_event_that_takes_too_many_steps_is_refused_with_the_endpoint() {
    let yard = Yard::start().await;
    let all = yard.endpoint(DEMO, None).await;
    let id = yard.endpoint(DEMO, Some(&searching(4))).await;
    let event = ambiguous(20, 4);
    assert!(event.len() < 30_000);
    let refused = yard.try_publish(&["{}".into(), event]).await.unwrap_err();
    let words = refused.to_string();
    assert!(words.contains(&format!("at the rule of endpoint {id}, ")), "{words}");
    assert!(words.contains(&format!("more than {} steps", rules::EVENT_STEPS_MAX)), "{words}");
    let publish::Error::Unmatchable { index: 1, endpoint, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(endpoint, Some(id));
    assert!(yard.queued(all).await.is_empty(), "a batch is refused whole");
}

#[tokio::test]
async fn a_reflow_sends_what_the_rule_matches_now() {
    let yard = Yard::start().await;
    let id = yard.endpoint(DEMO, Some(r#"{"nothing":["here"]}"#)).await;
    yard.publish(&["Accounts", "Shipping Department", "Done", "Shipping Department"]).await;
    assert_eq!(yard.reflow(id).await.unwrap(), r#"{"events":[]}"#);
    assert!(yard.queued(id).await.is_empty());
    yard.engine.update_endpoint(DEMO, id, wish(Some(SHIPPING))).await.unwrap();
    let sample = yard.reflow(id).await.unwrap();
    assert_eq!(sample.matches("item_update").count(), 2, "{sample}");
    yard.publish(&["Done", "Shipping Department"]).await;
    assert_eq!(yard.queued(id).await, ["1", "3", "5"]);
    yard.reflow(id).await.unwrap();
    assert_eq!(yard.queued(id).await, ["1", "3", "5"], "one reflow at a time");
}

#[tokio::test]
async fn a_trial_counts_and_shows_the_newest() {
    let yard = Yard::start().await;
    for _ in 0..30 {
        yard.publish(&["Shipping Department", "Accounts", "Done", "Done", "Done"]).await;
    }
    let rule = rules::parse(SHIPPING).unwrap();
    let trial = |workspace, last| yard.engine.try_rule(workspace, &rule, item_update(), last);
    let all = trial(DEMO, usize::MAX).await.unwrap();
    assert_eq!((all.tested, all.matched, all.refused, all.samples.len()), (150, 30, 0, 10));
    assert_eq!(all.samples[0].id, "145");
    let few = trial(DEMO, 7).await.unwrap();
    assert_eq!((few.tested, few.matched), (7, 1 + usize::from(few.samples.len() > 1)));
    assert_eq!(trial(OTHER, 10).await.unwrap().tested, 0);
}
