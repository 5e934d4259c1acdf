//! What a receiver took is sent once: whatever the store says is pending, and whether it can record what
//! came of a bundle or not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookyard_core::clock::{Clock, SystemClock};
use hookyard_core::id::EndpointId;
use hookyard_core::model::EndpointSettings;
use hookyard_engine::deliver::{Dispatcher, Step};
use hookyard_store::Tenure;
use hookyard_testkit::SimClock;

use crate::faulty::{Op, When};
use crate::frozen::signed;
use crate::lanes::{check, has, lanes, publish};
use crate::scripted::{Reaction, status};
use crate::sim::{Sim, orders};

/// Far longer than anything here takes; a case that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn endpoint(sim: &Sim, bundles: u32, maximum_events: i32) -> EndpointId {
    let one_by_one = |settings: &mut EndpointSettings| {
        signed(settings);
        settings.maximum_events = maximum_events;
    };
    match bundles {
        1 => sim.endpoint("/a", one_by_one).await.id,
        more => sim.endpoint("/a", lanes(more, maximum_events)).await.id,
    }
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, held).await.is_ok(), "{what}");
}

/// A simulated server on the machine's clock.
async fn running() -> (Sim, Dispatcher) {
    let sim = Sim::start_on(Arc::new(SimClock::default()), Arc::new(SystemClock::new())).await;
    let dispatcher = Dispatcher::start(Arc::clone(&sim.deliverer));
    (sim, dispatcher)
}

/// Each order came once, and each request is in the log.
async fn check_once(sim: &Sim, endpoint: EndpointId, published: u64, case: &str) {
    let mut delivered = sim.delivered().concat();
    delivered.sort_unstable();
    assert_eq!(delivered, (0..published).collect::<Vec<_>>(), "{case}");
    let attempts = sim.attempts(endpoint).await;
    assert_eq!(attempts.len(), sim.receivers.count("/a"), "{case}");
    let ids: BTreeSet<_> =
        attempts.iter().map(|attempt| attempt.record.request_id.as_str()).collect();
    assert_eq!(ids.len(), attempts.len(), "{case}");
}

/// An answer of the store that was on its way while more was queued says that nothing is pending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_with_requests_in_flight_is_never_given_up() {
    let (sim, dispatcher) = running().await;
    let endpoint = sim.endpoint("/a", lanes(4, 1)).await.id;
    sim.store.understate();
    // Order 0 is under way for as long as all this takes.
    sim.receivers.script("/a", [Reaction::Hang]);
    publish(&sim, 0..1, endpoint).await;
    eventually("the first is under way", async || sim.receivers.count("/a") == 1).await;
    for order in 1..5 {
        publish(&sim, order..order + 1, endpoint).await;
        let count = usize::try_from(order).unwrap() + 1;
        eventually("the others pass", async || sim.attempts(endpoint).await.len() + 1 == count)
            .await;
    }
    let mut delivered = sim.delivered().concat();
    delivered.sort_unstable();
    assert_eq!(delivered, [0, 1, 2, 3, 4], "order 0 was sent again");
    assert!(!dispatcher.shutdown(Duration::from_millis(50)).await, "one is cut off");
}

#[tokio::test]
async fn nothing_is_sent_before_an_outcome_is_recorded() {
    for bundles in [1, 4] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            for failures in [1, 2, 5] {
                let case = format!("{bundles} {when:?} {failures}");
                let sim = Sim::start().await;
                let endpoint = endpoint(&sim, bundles, 3).await;
                publish(&sim, 0..4, endpoint).await;
                for nth in 1..=failures {
                    sim.store.fail(Op::Settle, nth, when);
                }
                let mut worker = sim.worker(endpoint).await;
                while sim.store.planned() > 0 {
                    let failed = sim.deliverer.step(&mut worker).await;
                    assert!(failed.is_err(), "{case}: {failed:?}");
                    assert!(worker.is_busy(), "{case}");
                }
                let sent = sim.receivers.count("/a");
                assert_eq!(sent, if bundles == 1 { 1 } else { 2 }, "{case}");
                // What is queued meanwhile does not join what was sent.
                publish(&sim, 4..6, endpoint).await;
                sim.run_until_idle(&mut worker).await;
                check_once(&sim, endpoint, 6, &case).await;
                check(&sim, 6, &BTreeSet::new(), 4, &case);
            }
        }
    }
}

/// A failure is an outcome, too: it is recorded, and its wait is kept.
#[tokio::test]
async fn a_failure_that_was_not_recorded_waits_all_the_same() {
    for bundles in [1, 4] {
        for when in [When::BeforeCommit, When::AfterCommit] {
            let case = format!("{bundles} {when:?}");
            let sim = Sim::start().await;
            let endpoint = endpoint(&sim, bundles, 2).await;
            publish(&sim, 0..2, endpoint).await;
            sim.receivers.script("/a", [status(500)]);
            sim.store.fail(Op::Settle, 1, when);
            let mut worker = sim.worker(endpoint).await;
            assert!(sim.deliverer.step(&mut worker).await.is_err(), "{case}");
            publish(&sim, 2..3, endpoint).await;
            let Step::Failed(until) = sim.step(&mut worker).await else { panic!("{case}") };
            let state = sim.state(endpoint).await;
            assert_eq!((state.failures, state.retry_at), (1, Some(until)), "{case}");
            assert_eq!(sim.receivers.count("/a"), 1, "{case}");
            sim.run_until_idle(&mut worker).await;
            let mut requests = sim.receivers.requests();
            requests.retain(has(0));
            assert_eq!(requests.len(), 2, "{case}");
            assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
            assert_eq!(orders(&requests[1].body), [0, 1], "{case}");
        }
    }
}

/// What is cut off at the end of a tenure may have arrived: it comes again as it was.
#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_stays_the_same_bundle() {
    for bundles in [1, 4] {
        let (mut sim, tenure) = (Sim::start().await, Tenure::over());
        sim.limit(&tenure);
        tenure.extend(sim.clock.monotonic() + PATIENCE);
        let endpoint = endpoint(&sim, bundles, 5).await;
        publish(&sim, 0..2, endpoint).await;
        let mut worker = sim.worker(endpoint).await;
        sim.receivers.script("/a", [Reaction::Hang]);
        let time_passes = async {
            while sim.receivers.count("/a") == 0 {
                tokio::task::yield_now().await;
            }
            sim.clock.advance(PATIENCE);
        };
        let (cut, ()) = tokio::join!(sim.deliverer.step(&mut worker), time_passes);
        assert!(cut.is_err(), "{bundles}: {cut:?}");
        publish(&sim, 2..4, endpoint).await;
        tenure.extend(sim.clock.monotonic() + 100 * PATIENCE);
        sim.run_until_idle(&mut worker).await;
        let (mut first, rest): (Vec<_>, Vec<_>) =
            sim.receivers.requests().into_iter().partition(|request| has(0)(request));
        let ids: BTreeSet<_> =
            first.iter().map(|request| request.headers["webhook-id"].clone()).collect();
        assert_eq!((first.len(), ids.len()), (2, 1), "{bundles}");
        assert_eq!(orders(&first.remove(1).body), [0, 1], "{bundles}");
        let rest: Vec<_> = rest.iter().map(|request| orders(&request.body)).collect();
        assert_eq!(rest, [[2, 3]], "{bundles}");
    }
}

/// New events do not bring a failing store's next call forward.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_store_is_left_alone_whatever_is_published() {
    for bundles in [1, 4] {
        let (sim, dispatcher) = running().await;
        let endpoint = endpoint(&sim, bundles, 1).await;
        for nth in 1..=50 {
            sim.store.fail(Op::Settle, nth, When::BeforeCommit);
        }
        publish(&sim, 0..1, endpoint).await;
        eventually("it failed", async || sim.store.planned() == 49).await;
        for order in 1..30 {
            publish(&sim, order..order + 1, endpoint).await;
            tokio::task::yield_now().await;
        }
        // The next call comes after a second.
        eventually("it is tried again", async || sim.store.planned() == 48).await;
        assert_eq!(sim.receivers.count("/a"), 1, "{bundles}");
        drop(dispatcher);
    }
}

/// What a stopping server has not recorded is recorded before it gives the endpoint back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_records_what_it_kept() {
    for bundles in [1, 4] {
        let (sim, dispatcher) = running().await;
        let endpoint = endpoint(&sim, bundles, 1).await;
        sim.store.fail(Op::Settle, 1, When::BeforeCommit);
        publish(&sim, 0..1, endpoint).await;
        eventually("it failed", async || sim.store.planned() == 0).await;
        assert!(dispatcher.shutdown(PATIENCE).await);
        check_once(&sim, endpoint, 1, &bundles.to_string()).await;
        assert_eq!(sim.state(endpoint).await.pending, 0);
    }
}

/// The bundles that are in flight when the server is killed, with their ids, before and after that.
async fn killed(
    bundles: u32,
    maximum_events: i32,
    queued: u64,
    failures: usize,
) -> Vec<(String, Vec<u64>)> {
    let sim = Sim::start().await;
    let endpoint = endpoint(&sim, bundles, maximum_events).await;
    publish(&sim, 0..queued, endpoint).await;
    sim.receivers.script("/a", (0..failures).map(|_| status(500)));
    let mut worker = sim.worker(endpoint).await;
    for _ in 0..failures {
        let Step::Failed(until) = sim.step(&mut worker).await else { panic!("no failure") };
        sim.clock.advance_to(until);
    }
    sim.receivers.script("/a", [Reaction::Hang]);
    let hangs = tokio::time::timeout(Duration::from_millis(50), async {
        loop {
            sim.step(&mut worker).await;
        }
    });
    let hangs: Result<(), _> = hangs.await;
    assert!(hangs.is_err());
    drop(worker);
    publish(&sim, queued..queued + 2, endpoint).await;
    sim.receivers.cut_off();
    let sim = sim.crash();
    sim.run_until_idle(&mut sim.worker(endpoint).await).await;
    let requests = sim.receivers.requests().into_iter().filter(has(0));
    let sent = requests.map(|request| {
        let id = request.headers["webhook-id"].to_str().unwrap().to_owned();
        (id, orders(&request.body))
    });
    sent.collect()
}

/// What docs/reference/delivery.md says of the ids of bundles that were in flight at a kill.
#[tokio::test]
async fn a_bundle_in_flight_at_a_kill_keeps_its_id_unless_others_may_join_it() {
    let same = |sent: &[(String, Vec<u64>)]| sent.iter().all(|one| *one == sent[0]);
    // (bundles at a time, events of one at most, events that are queued, failures before)
    for (bundles, most, queued, failures) in
        [(1, 1, 1, 0), (4, 1, 1, 0), (1, 2, 2, 0), (1, 2, 5, 0), (1, 5, 2, 1), (4, 5, 2, 1)]
    {
        let sent = killed(bundles, most, queued, failures).await;
        assert_eq!(sent.len(), failures + 2, "{sent:?}");
        assert!(same(&sent), "{bundles} {most} {queued} {failures}: {sent:?}");
    }
    for bundles in [1, 4] {
        let sent = killed(bundles, 5, 2, 0).await;
        assert_eq!((&sent[0].1[..], &sent[1].1[..]), (&[0, 1][..], &[0, 1, 2, 3][..]));
        assert_ne!(sent[0].0, sent[1].0);
    }
}
