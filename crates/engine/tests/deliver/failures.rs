//! Receivers that refuse: halving, parking, disabling, warnings, rules.

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::catalogue::{self, ENDPOINT_DISABLED, ENDPOINT_FAILING};
use hookyard_core::clock::Clock;
use hookyard_core::cloudevents::CloudEvent;
use hookyard_core::id::{EndpointId, Seq};
use hookyard_core::model::{
    Attempt, DisabledKind, Endpoint, EndpointSettings, RetryAction, RetryRule, Subscription,
};
use hookyard_engine::deliver::{Deliverer, Options, Outgoing, Step, Worker};
use hookyard_engine::publish;
use hookyard_store::{ActorKind, AuditQuery, DeadLetterQuery, DeadLetters, EventQuery};
use serde_json::Value;

use crate::faulty::{Op, When};
use crate::scripted::{Reaction, status, status_with};
use crate::sim::{Sim, WORKSPACE, orders, type_id};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const EVERYTHING: DeadLetterQuery = DeadLetterQuery { after: None, limit: usize::MAX };

impl Sim {
    async fn read(&self, id: EndpointId) -> Arc<Endpoint> {
        self.shared().endpoint(WORKSPACE, id).await.unwrap().unwrap()
    }

    /// The order numbers of the dead letters.
    pub(crate) async fn dead(&self, id: EndpointId) -> Vec<u64> {
        let letters = self.shared().dead_letters(WORKSPACE, id, EVERYTHING).await.unwrap();
        assert_eq!(self.state(id).await.dead_letters, letters.len() as u64);
        let order = |object: &[u8]| {
            let object: Value = serde_json::from_slice(object).unwrap();
            object["order_id"].as_str().unwrap().parse().unwrap()
        };
        let seqs: Vec<_> = letters.iter().map(|letter| letter.seq).collect();
        let events = self.store.inner().events_by_seq(WORKSPACE, &seqs).await.unwrap();
        assert_eq!(events.len(), seqs.len());
        events.iter().map(|event| order(&event.object)).collect()
    }

    /// The orders that a path took, in the order in which it did.
    fn taken(&self, path: &str) -> Vec<u64> {
        let requests = self.receivers.requests_to(path).into_iter();
        requests
            .filter(|(_, taken)| *taken)
            .flat_map(|(request, _)| orders(&request.body))
            .collect()
    }

    /// An endpoint that wants the events about endpoints.
    async fn watcher(&self, path: &str) -> EndpointId {
        let settings = EndpointSettings::to_url(format!("https://receiver.test{path}"));
        let subscribed = |name| Subscription {
            event_type: type_id(name),
            active: true,
            expansion: None,
            comments: None,
            rule: None,
        };
        let both = vec![subscribed(ENDPOINT_FAILING), subscribed(ENDPOINT_DISABLED)];
        let now = self.clock.now();
        self.shared().create_endpoint(WORKSPACE, settings, both, now).await.unwrap().id
    }

    /// Events of a type in the journal, oldest first.
    async fn notices(&self, name: &str) -> Vec<Value> {
        let query = EventQuery {
            event_type: Some(type_id(name)),
            after: None,
            before: None,
            newest_first: false,
            limit: 1_000,
        };
        let events = self.shared().events(WORKSPACE, query).await.unwrap().entries;
        events.iter().map(|event| serde_json::from_slice(&event.object).unwrap()).collect()
    }
}

/// Whether a request has one of these orders.
fn has(poison: &'static [u64]) -> impl Fn(&Outgoing) -> bool {
    move |request| orders(&request.body).iter().any(|order| poison.contains(order))
}

fn rule(status: &str, action: RetryAction, after: Option<u32>) -> RetryRule {
    RetryRule { status: status.parse().unwrap(), action, after }
}

/// How often each attempt's events were sent alone and not taken.
fn lone_refusals(attempts: &[Attempt]) -> usize {
    attempts.iter().filter(|a| !a.success && a.record.events.len() == 1).count()
}

#[tokio::test]
async fn a_refused_event_is_found_and_parked() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.refuse("/a", 422, has(&[37, 80]));
    sim.publish(100, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.dead(endpoint).await, [37, 80]);
    let expected: Vec<_> = (0..100).filter(|order| ![37, 80].contains(order)).collect();
    assert_eq!(sim.taken("/a"), expected);
    let attempts = sim.attempts(endpoint).await;
    assert_eq!(lone_refusals(&attempts), 20);
    let parked: Vec<_> = attempts.iter().filter(|a| a.record.park).collect();
    assert_eq!(parked.len(), 2);
    assert!(parked.iter().all(|a| a.record.advance == 1 && a.record.outcome.status == Some(422)));
    let state = sim.state(endpoint).await;
    assert_eq!((state.pending, state.failures, state.refusals), (0, 0, 0));
}

#[tokio::test]
async fn halving_does_not_wait_and_refusals_alone_do() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.refuse("/a", 400, has(&[0]));
    sim.publish(8, &[endpoint]).await;
    let mut worker = sim.worker(endpoint).await;
    for left in [8, 4, 2] {
        assert_eq!(sim.step(&mut worker).await, Step::Halved, "{left}");
    }
    let started = sim.clock.now();
    for refusal in 1..10_u32 {
        let Step::Failed(until) = sim.step(&mut worker).await else { panic!("{refusal}") };
        let wait = Duration::try_from(until.duration_since(sim.clock.now())).unwrap();
        let full = Duration::from_secs(5) * (1 << (refusal - 1));
        assert!(wait <= full && wait >= full.mul_f64(0.79), "{refusal}: {wait:?}");
        assert_eq!(sim.state(endpoint).await.refusals, refusal);
        assert_eq!(sim.step(&mut worker).await, Step::Wait(until));
        sim.clock.advance_to(until);
    }
    assert_eq!(sim.step(&mut worker).await, Step::Parked { pending: 7 });
    assert!(sim.clock.now().duration_since(started).as_mins() < 45);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 7, pending: 0 });
}

#[tokio::test]
async fn a_restart_forgets_the_halves_and_not_the_refusals() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.refuse("/a", 422, has(&[5]));
    sim.publish(9, &[endpoint]).await;
    for _ in 0..200 {
        // Each step is the first one after a restart.
        match sim.step(&mut sim.worker(endpoint).await).await {
            Step::Failed(until) | Step::Wait(until) => sim.clock.advance_to(until),
            Step::Idle => break,
            Step::Halved => {
                let mut worker = sim.worker(endpoint).await;
                while !matches!(sim.step(&mut worker).await, Step::Sent { .. } | Step::Failed(_)) {}
            }
            _ => {}
        }
    }
    assert_eq!(sim.dead(endpoint).await, [5]);
    assert_eq!(lone_refusals(&sim.attempts(endpoint).await), 10);
    assert_eq!(sim.taken("/a"), [0, 1, 2, 3, 4, 6, 7, 8]);
}

#[tokio::test]
async fn a_bundle_that_is_too_large_for_the_receiver_gets_smaller() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.refuse("/a", 413, |request| request.body.len() > 400);
    sim.publish(60, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.taken("/a"), (0..60).collect::<Vec<_>>());
    assert!(sim.dead(endpoint).await.is_empty());
}

/// A rule that blames events for a 503 does not make the next request come earlier than asked.
#[tokio::test]
async fn a_half_waits_when_the_receiver_asks_for_it() {
    let sim = Sim::start().await;
    let park = rule("503", RetryAction::Park, None);
    let endpoint = sim.endpoint("/a", |settings| settings.options.retry = vec![park]).await.id;
    sim.publish(4, &[endpoint]).await;
    sim.receivers.script("/a", [status_with(503, "retry-after", "60")]);
    let mut worker = sim.worker(endpoint).await;
    let until = sim.clock.now() + Duration::from_secs(60);
    assert_eq!(sim.step(&mut worker).await, Step::Failed(until));
    sim.clock.advance_to(until);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 2, pending: 2 });
}

#[tokio::test]
async fn what_is_about_the_endpoint_is_not_blamed_on_events() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(4, &[endpoint]).await;
    let script = [401, 403, 404, 405, 408, 415, 429, 500, 503].map(status);
    sim.receivers.script("/a", script);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert!(sim.delivered().iter().all(|bundle| bundle.len() == 4));
    assert!(sim.dead(endpoint).await.is_empty());
}

/// Whatever fails at whatever moment: nothing is lost, and what is taken is in order.
#[tokio::test]
async fn planned_failures_lose_no_event_and_no_dead_letter() {
    for op in [Op::Head, Op::Settle] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for nth in [1, 2, 4, 9, 14] {
                let sim = Sim::start().await;
                let endpoint = sim.endpoint("/a", |_| {}).await.id;
                sim.receivers.refuse("/a", 422, has(&[2]));
                sim.publish(6, &[endpoint]).await;
                sim.store.fail(op, nth, when);
                sim.run_until_idle(&mut sim.worker(endpoint).await).await;
                let case = format!("{op:?} {nth} {when:?}");
                assert_eq!(sim.dead(endpoint).await, [2], "{case}");
                let mut taken = sim.taken("/a");
                taken.dedup();
                // A bundle whose attempt was not recorded is repeated; never more than one.
                let repeats = taken.len().saturating_sub(5);
                assert!(repeats <= 3, "{case}: {taken:?}");
                let firsts: Vec<_> = [0, 1, 3, 4, 5].into();
                let mut seen = Vec::new();
                taken.iter().for_each(|order| {
                    if !seen.contains(order) {
                        seen.push(*order);
                    }
                });
                assert_eq!(seen, firsts, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn dead_letters_are_redelivered_in_order_behind_the_rest() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.receivers.refuse("/a", 422, has(&[1, 3]));
    sim.publish(5, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let letters = sim.engine.dead_letters(WORKSPACE, endpoint, EVERYTHING).await.unwrap();
    let seq = letters[0].seq;
    let detail = sim.engine.dead_letter(WORKSPACE, endpoint, seq).await.unwrap();
    let last = detail.last_attempt.unwrap().record;
    assert_eq!((last.refusals, last.park, last.events), (0, true, vec![seq]));
    assert!(sim.engine.dead_letter(WORKSPACE, endpoint, Seq(seq.0 + 1)).await.is_err());

    sim.receivers.forgive("/a");
    sim.publish(1, &[endpoint]).await;
    let all = DeadLetters::All;
    assert_eq!(sim.engine.redeliver_dead_letters(WORKSPACE, endpoint, all).await.unwrap(), 2);
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.taken("/a"), [0, 2, 4, 5, 1, 3]);
    assert!(sim.dead(endpoint).await.is_empty());
    let one = DeadLetters::One(seq);
    assert!(sim.engine.redeliver_dead_letters(WORKSPACE, endpoint, one).await.is_err());
    assert!(sim.engine.drop_dead_letters(WORKSPACE, endpoint, one).await.is_err());
    assert_eq!(sim.engine.drop_dead_letters(WORKSPACE, endpoint, all).await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_that_can_never_be_sent_is_a_dead_letter() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    let text = "x".repeat(950_000);
    sim.publish_object(format!(r#"{{"order_id":"0","text":"{text}"}}"#), &[endpoint]).await;
    sim.publish(1, &[endpoint]).await;
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.dead(endpoint).await, [0]);
    assert_eq!(sim.taken("/a"), [1]);
}

fn order(id: &str) -> CloudEvent {
    CloudEvent {
        id: id.into(),
        source: "test".into(),
        event_type: "order_create".into(),
        attributes: String::new(),
        object: r#"{"order_id":"900"}"#.into(),
    }
}

#[tokio::test]
async fn gone_disables_at_once_and_says_so() {
    let sim = Sim::start().await;
    let watcher = sim.watcher("/watch").await;
    let endpoint = sim.endpoint("/a", |settings| settings.name = Some("shop".into())).await.id;
    sim.publish(3, &[endpoint]).await;
    sim.receivers.script("/a", [status(410)]);
    let mut worker = sim.worker(endpoint).await;
    let at = sim.clock.now();
    assert_eq!(sim.step(&mut worker).await, Step::Disabled);
    let read = sim.read(endpoint).await;
    assert!(read.settings.disabled);
    let reason = read.disabled_reason.clone().unwrap();
    assert_eq!((reason.kind, reason.at, reason.status), (DisabledKind::Gone, at, Some(410)));
    assert_eq!(reason.error.as_deref(), Some("the receiver answered 410"));
    // It is matched no more, and its queue stays.
    let receipt = sim.engine.publish(WORKSPACE, vec![order("late")]).await.unwrap()[0];
    assert_eq!((receipt.matched, sim.state(endpoint).await.pending), (0, 3));
    assert_eq!(sim.step(&mut worker).await, Step::Disabled);
    assert_eq!(sim.step(&mut sim.worker(endpoint).await).await, Step::Disabled);

    let notices = sim.notices(ENDPOINT_DISABLED).await;
    assert_eq!(notices.len(), 1, "however often it is looked at");
    assert_eq!(notices[0]["endpoint_id"], endpoint.0);
    assert_eq!((&notices[0]["reason"], &notices[0]["status"]), (&"gone".into(), &410.into()));
    assert_eq!((&notices[0]["name"], &notices[0]["pending"]), (&"shop".into(), &3.into()));
    assert_eq!(sim.state(watcher).await.pending, 1);

    sim.update(endpoint, |settings| settings.disabled = false).await;
    assert_eq!(sim.read(endpoint).await.disabled_reason, None);
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    let noted = sim.shared().audit(WORKSPACE, all).await.unwrap().entries;
    let noted: Vec<_> = noted.iter().map(|entry| (entry.actor, entry.action.as_str())).collect();
    assert_eq!(noted, [(ActorKind::System, "endpoint.disable")]);
    let mut worker = sim.worker(endpoint).await;
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 3, pending: 0 });
}

#[tokio::test]
async fn planned_failures_while_disabling_are_made_good() {
    for (op, nth) in [(Op::Settle, 1), (Op::Disable, 1), (Op::Append, 1), (Op::Head, 2)] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            let sim = Sim::start().await;
            let watcher = sim.watcher("/watch").await;
            let endpoint = sim.endpoint("/a", |_| {}).await.id;
            sim.publish(1, &[endpoint]).await;
            sim.receivers.always("/a", status(410));
            sim.store.fail(op, nth, when);
            let case = format!("{op:?} {when:?}");
            for _ in 0..4 {
                // Each step is the first one after a restart.
                let step = sim.deliverer.step(&mut sim.worker(endpoint).await).await;
                if let Ok(Step::Wait(until) | Step::Failed(until)) = step {
                    sim.clock.advance_to(until);
                }
            }
            assert!(sim.read(endpoint).await.disabled_reason.is_some(), "{case}");
            assert_eq!(sim.notices(ENDPOINT_DISABLED).await.len(), 1, "{case}");
            assert_eq!(sim.state(watcher).await.pending, 1, "{case}");
            assert_eq!(sim.state(endpoint).await.pending, 1, "{case}");
        }
    }
}

#[tokio::test]
async fn an_owner_who_changed_the_endpoint_meanwhile_wins() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    let reason = hookyard_core::model::DisabledReason {
        kind: DisabledKind::Gone,
        at: sim.clock.now(),
        status: Some(410),
        error: None,
    };
    sim.update(endpoint, |settings| settings.url = "https://receiver.test/b".into()).await;
    let store = sim.shared();
    assert!(store.disable_endpoint(WORKSPACE, endpoint, 1, reason).await.unwrap().is_none());
    assert!(!sim.read(endpoint).await.settings.disabled);
}

fn disabling_after(sim: &Sim, disable_after: Option<Duration>) -> Arc<Deliverer> {
    let options = Options { disable_after, ..Options::default() };
    Arc::new(Deliverer::new(&sim.engine, Arc::clone(&sim.receivers) as _, options))
}

/// Steps until the endpoint is disabled; how long that took.
async fn until_disabled(sim: &Sim, deliverer: &Arc<Deliverer>, worker: &mut Worker) -> Duration {
    let started = sim.clock.now();
    for _ in 0..10_000 {
        match deliverer.step(worker).await.unwrap() {
            Step::Failed(until) | Step::Wait(until) => sim.clock.advance_to(until),
            Step::Disabled => {
                return Duration::try_from(sim.clock.now().duration_since(started)).unwrap();
            }
            _ => {}
        }
    }
    Duration::MAX
}

#[tokio::test]
async fn five_days_of_failure_disable() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(1, &[endpoint]).await;
    sim.receivers.always("/a", Reaction::Refuse);
    let mut worker = sim.worker(endpoint).await;
    let took = until_disabled(&sim, &sim.deliverer, &mut worker).await;
    assert!(took >= 5 * DAY && took < 5 * DAY + DAY / 24, "{took:?}");
    let reason = sim.read(endpoint).await.disabled_reason.clone().unwrap();
    assert_eq!((reason.kind, reason.status), (DisabledKind::Failing, None));
    assert_eq!(reason.error.as_deref(), Some("connection refused"));
    assert_eq!(sim.notices(ENDPOINT_FAILING).await.len(), 1, "one run of failures");
    assert_eq!(sim.state(endpoint).await.pending, 1);
}

#[tokio::test]
async fn a_success_starts_the_five_days_anew_and_zero_never_disables() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(2, &[endpoint]).await;
    sim.receivers.always("/a", status(500));
    let patient = disabling_after(&sim, None);
    let mut worker = sim.worker(endpoint).await;
    let started = sim.clock.now();
    while sim.clock.now().duration_since(started).as_hours() < 24 * 7 {
        match patient.step(&mut worker).await.unwrap() {
            Step::Failed(until) | Step::Wait(until) => sim.clock.advance_to(until),
            other => panic!("{other:?}"),
        }
    }
    assert!(!sim.read(endpoint).await.settings.disabled);

    sim.receivers.script("/a", [status(200)]);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 2, pending: 0 });
    sim.publish(1, &[endpoint]).await;
    let took = until_disabled(&sim, &sim.deliverer, &mut worker).await;
    assert!(took >= 5 * DAY, "{took:?}");
}

/// One that refuses everything must not drain its queue into the dead letters for ever.
#[tokio::test]
async fn parking_is_no_success() {
    let sim = Sim::start().await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    sim.publish(500, &[endpoint]).await;
    sim.receivers.always("/a", status(422));
    let deliverer = disabling_after(&sim, Some(DAY));
    let took = until_disabled(&sim, &deliverer, &mut sim.worker(endpoint).await).await;
    assert!(took >= DAY && took < DAY + DAY / 12, "{took:?}");
    let dead = sim.dead(endpoint).await.len();
    assert!((20..60).contains(&dead), "{dead} dead letters");
    assert_eq!(sim.state(endpoint).await.pending, 500 - dead as u64);
}

#[tokio::test]
async fn a_warning_comes_once_for_each_run_of_failures() {
    let sim = Sim::start().await;
    let watcher = sim.watcher("/watch").await;
    let endpoint = sim.endpoint("/a", |_| {}).await.id;
    for run in 1..=2_u64 {
        sim.publish(1, &[endpoint]).await;
        sim.receivers.script("/a", (0..9).map(|_| status(500)));
        for _ in 0..30 {
            // Workers come and go.
            match sim.step(&mut sim.worker(endpoint).await).await {
                Step::Failed(until) | Step::Wait(until) => sim.clock.advance_to(until),
                _ => break,
            }
        }
        assert_eq!(sim.notices(ENDPOINT_FAILING).await.len() as u64, run);
        assert_eq!(sim.state(watcher).await.pending, run);
    }
    let notice = &sim.notices(ENDPOINT_FAILING).await[0];
    assert_eq!((&notice["failures"], &notice["status"]), (&5.into(), &500.into()));
    assert_eq!(notice["endpoint_id"], endpoint.0);
    // Fewer failures are no news.
    sim.publish(1, &[endpoint]).await;
    sim.receivers.script("/a", (0..4).map(|_| status(500)));
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    assert_eq!(sim.notices(ENDPOINT_FAILING).await.len(), 2);
}

#[tokio::test]
async fn endpoints_that_watch_each_other_make_no_storm() {
    let sim = Sim::start().await;
    let watchers = [sim.watcher("/a").await, sim.watcher("/b").await];
    for (path, watcher) in ["/a", "/b"].into_iter().zip(watchers) {
        sim.receivers.always(path, status(500));
        sim.publish(1, &[watcher]).await;
    }
    let mut workers = [sim.worker(watchers[0]).await, sim.worker(watchers[1]).await];
    for _ in 0..40 {
        for worker in &mut workers {
            if let Step::Failed(until) | Step::Wait(until) = sim.step(worker).await {
                sim.clock.advance_to(until);
            }
        }
    }
    assert_eq!(sim.notices(ENDPOINT_FAILING).await.len(), 2);
    for watcher in watchers {
        assert_eq!(sim.state(watcher).await.pending, 2, "nobody hears of itself");
    }
}

#[tokio::test]
async fn nobody_else_publishes_the_events_of_hookyard() {
    let sim = Sim::start().await;
    let forged = CloudEvent { event_type: ENDPOINT_FAILING.into(), ..order("x") };
    let refused = sim.engine.publish(WORKSPACE, vec![forged]).await;
    assert!(matches!(refused, Err(publish::Error::UnknownType { index: 0, .. })));
    assert!(catalogue::initial().by_name(ENDPOINT_FAILING).unwrap().0.system);
}

#[tokio::test]
async fn rules_say_what_statuses_mean() {
    let sim = Sim::start().await;
    let endpoint = sim
        .endpoint("/a", |settings| {
            settings.options.retry = vec![
                rule("404", RetryAction::Drop, Some(3)),
                rule("410", RetryAction::Retry, None),
                rule("503", RetryAction::Park, Some(1)),
                rule("500-599", RetryAction::Disable, Some(2)),
            ];
        })
        .await
        .id;
    let mut worker = sim.worker(endpoint).await;
    // Dropped with the third failure.
    sim.publish(2, &[endpoint]).await;
    sim.receivers.script("/a", [404, 404, 404].map(status));
    for _ in 0..2 {
        let Step::Failed(until) = sim.step(&mut worker).await else { panic!("too early") };
        sim.clock.advance_to(until);
    }
    assert_eq!(sim.step(&mut worker).await, Step::Dropped { entries: 2, pending: 0 });
    assert_eq!(sim.state(endpoint).await.failures, 0);
    // 410 is an ordinary failure here.
    sim.publish(1, &[endpoint]).await;
    sim.receivers.script("/a", [status(410)]);
    let Step::Failed(until) = sim.step(&mut worker).await else { panic!("410") };
    sim.clock.advance_to(until);
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 0 });
    // Parked with the first refusal alone.
    sim.publish(2, &[endpoint]).await;
    sim.receivers.script("/a", [503, 503].map(status));
    assert_eq!(sim.step(&mut worker).await, Step::Halved);
    assert_eq!(sim.step(&mut worker).await, Step::Parked { pending: 1 });
    assert_eq!(sim.step(&mut worker).await, Step::Sent { events: 1, pending: 0 });
    assert_eq!(sim.dead(endpoint).await, [3]);
    // Disabled with the second failure.
    sim.publish(1, &[endpoint]).await;
    sim.receivers.always("/a", status(500));
    let Step::Failed(until) = sim.step(&mut worker).await else { panic!("500") };
    sim.clock.advance_to(until);
    assert_eq!(sim.step(&mut worker).await, Step::Disabled);
    let reason = sim.read(endpoint).await.disabled_reason.clone().unwrap();
    assert_eq!((reason.kind, reason.status), (DisabledKind::Rule, Some(500)));
}
