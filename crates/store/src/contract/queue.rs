use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{AttemptQuery, EventFilter, Recorded, StoreError};

pub(crate) async fn events_are_queued_in_order(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (first, second) = (endpoint(&store).await.id, endpoint(&store).await.id);
    let batch = vec![event(0, &[first, second]), event(1, &[second]), event(2, &[first])];
    store.append(WS, batch, at(3)).await.unwrap();
    for store in [store, fixture.open().await] {
        assert_eq!(queued(&store, &claim(&store, first).await).await, ids([0, 2]));
        let lease = claim(&store, second).await;
        assert_eq!(queued(&store, &lease).await, ids([0, 1]));
        let one = store.head(&lease, HeadLimit { events: 1, ..ALL }).await.unwrap();
        assert_eq!((one.entries.len(), one.state.pending), (1, 2));
        assert_eq!(one.entries[0].queued_at, at(3));
        let small = store.head(&lease, HeadLimit { bytes: 1, ..ALL }).await.unwrap();
        assert_eq!(small.entries.len(), 1, "at least one event, however large");
    }
}

pub(crate) async fn a_settled_bundle_is_gone_for_good(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..5, id).await;
    deliver(&store, &claim(&store, id).await, 2).await;
    for _ in 0..2 {
        let store = fixture.open().await;
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, ids(2..5));
        store.close().await.unwrap();
    }
}

pub(crate) async fn failures_are_kept_and_cleared(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..2, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    store.settle(&lease, failed(&seqs, at(10), 1)).await.unwrap();
    let state = store.settle(&lease, failed(&seqs, at(20), 2)).await.unwrap();
    assert_eq!((state.pending, state.failures), (2, 2));
    assert_eq!((state.retry_at, state.failing_since), (Some(at(25)), Some(at(10))));
    for _ in 0..2 {
        let store = fixture.open().await;
        assert_eq!(store.queue_states(WS, &[id]).await.unwrap(), [state]);
        store.close().await.unwrap();
    }
    let store = fixture.open().await;
    let state = store.settle(&claim(&store, id).await, delivered(&seqs, at(30))).await.unwrap();
    assert_eq!(state, hookyard_core::model::QueueState::default());
    assert_eq!(fixture.open().await.queue_states(WS, &[id]).await.unwrap(), [state]);
}

pub(crate) async fn long_queues_survive_a_crash(fixture: &dyn Fixture) {
    const EVENTS: u64 = 30_000;
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    for from in (0..EVENTS).step_by(1_000) {
        publish(&store, from..from + 1_000, id).await;
    }
    let lease = claim(&store, id).await;
    for _ in 0..25 {
        deliver(&store, &lease, 100).await;
    }
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    publish(&store, EVENTS..EVENTS + 10, id).await;
    assert_eq!(queued(&store, &lease).await, ids(2_500..EVENTS + 10));
}

pub(crate) async fn reflow_keeps_one_order(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..3, id).await;
    deliver(&store, &claim(&store, id).await, 2).await;
    let mut other_type = event(3, &[]);
    other_type.event_type = ITEM_UPDATE;
    store.append(WS, vec![other_type, event(4, &[])], at(1)).await.unwrap();
    let reflow = store.reflow(WS, id, ORDER_CREATE, None, at(60)).await.unwrap();
    assert_eq!((reflow.queued, reflow.coalesced), (4, false));
    publish(&store, 5..7, id).await;
    let expected = ids([2, 0, 1, 2, 4, 5, 6]);
    for store in [store, fixture.open().await] {
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, expected);
        let head = store.head(&lease, ALL).await.unwrap();
        let reflowed: Vec<_> = head.entries.iter().map(|e| e.queued_at == at(60)).collect();
        assert_eq!(reflowed, [false, true, true, true, true, false, false]);
    }
    let store = fixture.open().await;
    deliver(&store, &claim(&store, id).await, 3).await;
    let store = fixture.open().await;
    assert_eq!(queued(&store, &claim(&store, id).await).await, expected[3..]);
}

pub(crate) async fn reflow_takes_only_what_is_wanted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..3, id).await;
    store.append(WS, vec![event(3, &[])], at(1)).await.unwrap();
    let even = EventFilter::new(|event| event.seq.0 % 2 == 0);
    let reflow = store.reflow(WS, id, ORDER_CREATE, Some(even), at(60)).await.unwrap();
    assert_eq!((reflow.queued, reflow.coalesced), (2, false));
    assert_eq!(store.queue_states(WS, &[id]).await.unwrap()[0].pending, 5);
    for store in [store, fixture.open().await] {
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, ids([0, 1, 2, 1, 3]));
    }
    let store = fixture.open().await;
    deliver(&store, &claim(&store, id).await, 5).await;
    let none = EventFilter::new(|_| false);
    let reflow = store.reflow(WS, id, ORDER_CREATE, Some(none), at(61)).await.unwrap();
    assert_eq!((reflow.queued, reflow.coalesced), (0, false));
    assert_eq!(store.queue_states(WS, &[id]).await.unwrap()[0].pending, 0);
}

/// An event published while the journal is read is examined, too, and once.
pub(crate) async fn reflow_misses_nothing_published_meanwhile(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    store.append(WS, (0..3).map(|n| event(n, &[])).collect(), at(1)).await.unwrap();
    let runtime = tokio::runtime::Handle::current();
    let (publisher, first) = (Arc::clone(&store), AtomicBool::new(true));
    let meanwhile = EventFilter::new(move |seen| {
        if first.swap(false, Ordering::Relaxed) {
            let new = (3..6).map(|n| event(n, &[])).collect();
            runtime.block_on(publisher.append(WS, new, at(2))).unwrap();
        }
        seen.id != "event-1" && seen.id != "event-4"
    });
    store.reflow(WS, id, ORDER_CREATE, Some(meanwhile), at(60)).await.unwrap();
    publish(&store, 6..7, id).await;
    assert_eq!(queued(&store, &claim(&store, id).await).await, ids([0, 2, 3, 5, 6]));
}

pub(crate) async fn reflow_is_coalesced(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let nothing = store.reflow(WS, id, ORDER_CREATE, None, at(1)).await.unwrap();
    assert_eq!((nothing.queued, nothing.coalesced), (0, false));
    publish(&store, 0..2, id).await;
    assert!(!store.reflow(WS, id, ORDER_CREATE, None, at(1)).await.unwrap().coalesced);
    let store = fixture.open().await;
    let again = store.reflow(WS, id, ORDER_CREATE, None, at(2)).await.unwrap();
    assert_eq!((again.queued, again.coalesced), (0, true));
    deliver(&store, &claim(&store, id).await, 4).await;
    assert_eq!(store.reflow(WS, id, ORDER_CREATE, None, at(3)).await.unwrap().queued, 2);
}

pub(crate) async fn an_old_lease_is_fenced_off(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..2, id).await.iter().map(|r| r.seq).collect();
    let late = claim(&store, id).await;
    store.release(late).await.unwrap();
    let lease = claim(&store, id).await;
    assert!(lease.epoch > late.epoch);
    assert!(matches!(store.head(&late, ALL).await, Err(StoreError::LeaseLost)));
    let settled = store.settle(&late, delivered(&seqs, at(1))).await;
    assert!(matches!(settled, Err(StoreError::LeaseLost)));
    assert_eq!(queued(&store, &lease).await, ids(0..2));
}

pub(crate) async fn a_deleted_endpoint_has_no_queue(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..2, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    store.delete_endpoint(WS, id, None).await.unwrap();
    let settled = store.settle(&lease, delivered(&seqs, at(1))).await;
    assert!(matches!(settled, Err(StoreError::LeaseLost)));
    assert!(store.claim(id).await.unwrap().is_none());
    assert_eq!(store.queue_states(WS, &[id]).await.unwrap()[0].pending, 0);
    publish(&store, 2..3, id).await;
    assert!(fixture.open().await.claim(id).await.unwrap().is_none());
}

pub(crate) async fn work_is_announced(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (busy, idle) = (endpoint(&store).await.id, endpoint(&store).await.id);
    store.ready().take();
    publish(&store, 0..2, busy).await;
    assert_eq!(store.ready().take(), [busy]);
    let ready: HashSet<_> = fixture.open().await.ready().take().into_iter().collect();
    assert!(ready.contains(&busy) && !ready.contains(&idle));
}

pub(crate) async fn enabling_clears_failures(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = endpoint(&store).await;
    let seqs: Vec<_> = publish(&store, 0..2, made.id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, made.id).await;
    store.settle(&lease, failed(&seqs, at(1), 1)).await.unwrap();
    let mut settings = made.settings.clone();
    for (revision, disabled) in [(1, true), (2, false)] {
        settings.disabled = disabled;
        let subscriptions = made.subscriptions.clone();
        let update = store.update_endpoint(WS, made.id, revision, settings.clone(), subscriptions);
        update.await.unwrap();
        let state = store.queue_states(WS, &[made.id]).await.unwrap()[0];
        assert_eq!((state.pending, state.failures), (2, u32::from(disabled)));
    }
    let state = fixture.open().await.queue_states(WS, &[made.id]).await.unwrap()[0];
    assert_eq!((state.pending, state.failures, state.retry_at), (2, 0, None));
}

pub(crate) async fn a_crash_at_any_point_keeps_the_queue(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let mut expected: std::collections::VecDeque<u64> = std::collections::VecDeque::new();
    let mut published = 0;
    for round in 0..40_u64 {
        publish(&store, published..published + round % 7, id).await;
        expected.extend(published..published + round % 7);
        published += round % 7;
        let lease = claim(&store, id).await;
        let count = usize::try_from(round % 5).unwrap().min(expected.len());
        if count > 0 {
            deliver(&store, &lease, count).await;
            expected.drain(..count);
        }
        if round % 11 == 10 {
            let reflow = store.reflow(WS, id, ORDER_CREATE, None, at(1)).await.unwrap();
            if !reflow.coalesced {
                expected.extend(0..published);
            }
        }
        if round % 3 == 0 {
            if round % 2 == 0 {
                store.close().await.unwrap();
            }
            store = fixture.open().await;
        }
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, ids(expected.iter().copied()), "round {round}");
    }
}

/// A caller who does not know whether an attempt is recorded records the attempt again, and nothing happens
/// twice.
pub(crate) async fn an_attempt_is_recorded_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..6, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    let taken = Arc::new(delivered(&seqs[..2], at(10)));
    let refused = Arc::new(failed(&seqs[2..4], at(20), 1));
    let parked = Arc::new(NewAttempt {
        advance: 1,
        park: true,
        failures: 2,
        ..failed(&seqs[2..3], at(30), 2)
    });
    let mut store = store;
    let mut lease = lease;
    for (attempt, pending, failures, dead) in
        [(taken, 4, 0, 0), (refused, 4, 1, 0), (parked, 3, 2, 1)]
    {
        // The first time the attempt is not recorded yet, for all that the caller knows.
        for _ in 0..3 {
            let state = store.record(&lease, Arc::clone(&attempt), Recorded::Maybe).await.unwrap();
            assert_eq!(
                (state.pending, state.failures, state.dead_letters),
                (pending, failures, dead)
            );
        }
        store = fixture.open().await;
        lease = claim(&store, id).await;
        let state = store.record(&lease, Arc::clone(&attempt), Recorded::Maybe).await.unwrap();
        assert_eq!((state.pending, state.failures, state.dead_letters), (pending, failures, dead));
    }
    assert_eq!(queued(&store, &lease).await, ids(3..6));
    let query = AttemptQuery { limit: 10, ..AttemptQuery::default() };
    assert_eq!(store.attempts(WS, id, query).await.unwrap().entries.len(), 3);
    // Another attempt of the same moment is a different attempt.
    let other = Arc::new(delivered(&seqs[3..4], at(30)));
    let state = store.record(&lease, other, Recorded::Maybe).await.unwrap();
    assert_eq!((state.pending, state.failures), (2, 0));
    // Whoever has lost the endpoint is told so, whatever is recorded.
    let late = Arc::new(delivered(&seqs[4..5], at(40)));
    store.record(&lease, Arc::clone(&late), Recorded::No).await.unwrap();
    let newer = claim(&store, id).await;
    let answer = store.record(&lease, late, Recorded::Maybe).await;
    assert!(matches!(answer, Err(StoreError::LeaseLost)), "{answer:?}");
    assert_eq!(queued(&store, &newer).await, ids(5..6));
}

/// After a clock was set back, earlier failures count from now.
pub(crate) async fn failures_do_not_begin_in_the_future(fixture: &dyn Fixture) {
    const HOUR: i64 = 60 * 60;
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..1, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    for (failures, started_at, since) in
        [(1, 2 * HOUR, 2 * HOUR), (2, 2 * HOUR + 5, 2 * HOUR), (3, HOUR, HOUR), (4, HOUR + 5, HOUR)]
    {
        let attempt = failed(&seqs, at(started_at), failures);
        let state = store.settle(&lease, attempt).await.unwrap();
        assert_eq!(state.failing_since, Some(at(since)));
    }
    let state = fixture.open().await.queue_states(WS, &[id]).await.unwrap()[0];
    assert_eq!((state.failures, state.failing_since), (4, Some(at(HOUR))));
}
