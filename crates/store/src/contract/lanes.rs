//! Entries that leave a queue behind the head, and bundles that stay the same.

use hookyard_core::model::{QueueState, ReplayScope};

use super::*;
use crate::{Held, Recorded, Slice, StoreError, WINDOW};

/// The places of the queued entries, and the held sets.
async fn places(store: &SharedStore, lease: &Lease) -> (Vec<u64>, Vec<Held>) {
    let window = store.window(lease, 0, ALL).await.unwrap();
    assert!(window.missing.is_empty());
    assert!(window.until <= window.end);
    let places: Vec<_> = window.entries.iter().map(|queued| queued.place).collect();
    if window.end - window.entries.first().map_or(window.end, |first| first.place) < WINDOW {
        assert_eq!(window.state.pending, places.len() as u64);
    }
    (places, window.held)
}

/// An attempt with the entries at the places.
async fn tried(store: &SharedStore, lease: &Lease, places: &[u64], success: bool) -> NewAttempt {
    let window = store.window(lease, 0, ALL).await.unwrap();
    let its = window.entries.iter().filter(|queued| places.contains(&queued.place));
    let seqs: Vec<_> = its.map(|queued| queued.event.seq).collect();
    assert_eq!(seqs.len(), places.len());
    let attempt = match success {
        true => delivered(&seqs, at(5)),
        false => failed(&seqs, at(5), window.state.failures + 1),
    };
    NewAttempt { entries: places.to_vec(), ..attempt }
}

async fn settle(store: &SharedStore, lease: &Lease, places: &[u64], success: bool) -> QueueState {
    let attempt = tried(store, lease, places, success).await;
    store.settle(lease, attempt).await.unwrap()
}

pub(crate) async fn entries_leave_behind_the_head(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..8, id).await;
    let lease = claim(&store, id).await;
    assert_eq!(settle(&store, &lease, &[1, 4], true).await.pending, 6);
    assert_eq!(settle(&store, &lease, &[3], true).await.pending, 5);
    for _ in 0..2 {
        let store = fixture.open().await;
        let lease = claim(&store, id).await;
        assert_eq!(places(&store, &lease).await.0, [0, 2, 5, 6, 7]);
        assert_eq!(queued(&store, &lease).await, ids([0, 2, 5, 6, 7]));
        let some = store.window(&lease, 2, HeadLimit { events: 2, ..ALL }).await.unwrap();
        let found: Vec<_> = some.entries.iter().map(|queued| queued.place).collect();
        assert_eq!((found, some.until, some.end), (vec![2, 5], 6, 8));
        store.close().await.unwrap();
    }
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    // A departed entry is passed over.
    let mut again = tried(&store, &lease, &[0, 2], true).await;
    again.entries = vec![0, 1, 2];
    again.advance = 3;
    assert_eq!(store.settle(&lease, again.clone()).await.unwrap().pending, 3);
    let shown = store.attempt(WS, id, &again.request_id).await.unwrap().unwrap();
    assert_eq!(shown.record, again);
    // And now one bundle at a time, from the head.
    deliver(&store, &lease, 2).await;
    let store = fixture.open().await;
    assert_eq!(queued(&store, &claim(&store, id).await).await, ids([7]));
}

pub(crate) async fn the_window_is_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    for from in (0..WINDOW + 500).step_by(500) {
        publish(&store, from..from + 500, id).await;
    }
    let lease = claim(&store, id).await;
    let all: Vec<u64> = (0..WINDOW).collect();
    assert_eq!(places(&store, &lease).await.0, all);
    settle(&store, &lease, &all[1..], true).await;
    let end = store.window(&lease, WINDOW, ALL).await.unwrap();
    assert_eq!((end.entries.len(), end.until, end.end), (0, WINDOW, WINDOW));
    let beyond = NewAttempt { entries: vec![0, WINDOW], ..delivered(&[Seq(1)], at(1)) };
    assert!(matches!(store.settle(&lease, beyond).await, Err(StoreError::Conflict(_))));
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    let (waiting, pending) = (places(&store, &lease).await.0, store.queue_states(WS, &[id]).await);
    assert_eq!(waiting, [0]);
    let state = settle(&store, &lease, &[0], true).await;
    assert_eq!(state.pending + 1, pending.unwrap()[0].pending);
    assert_eq!(places(&store, &lease).await.0[0], WINDOW);
}

pub(crate) async fn failed_bundles_stay_together(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..9, id).await;
    let lease = claim(&store, id).await;
    let held = |entries: &[u64], failures| Held {
        entries: entries.to_vec(),
        failures,
        refusals: 0,
        retry_at: Some(at(10)),
    };
    settle(&store, &lease, &[2, 4], false).await;
    settle(&store, &lease, &[0, 1], false).await;
    let state = settle(&store, &lease, &[0, 1], false).await;
    assert_eq!((state.pending, state.failures, state.retry_at), (9, 3, Some(at(10))));
    for _ in 0..2 {
        let store = fixture.open().await;
        let lease = claim(&store, id).await;
        assert_eq!(places(&store, &lease).await.1, [held(&[2, 4], 1), held(&[0, 1], 2)]);
        assert_eq!(store.head(&lease, ALL).await.unwrap().held, 2, "the first two");
        store.close().await.unwrap();
    }
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    settle(&store, &lease, &[0], true).await;
    // The rest of the bundle may go with other entries; sets held elsewhere stay as before.
    assert_eq!(places(&store, &lease).await.1, [held(&[2, 4], 1)]);
    let state = settle(&store, &lease, &[5], true).await;
    assert_eq!((state.failures, state.retry_at), (0, None), "a success closes the circuit");
    assert_eq!(store.head(&lease, ALL).await.unwrap().held, 0);
    // One bundle at a time: sets held elsewhere are held no more.
    let head = store.head(&lease, HeadLimit { events: 3, ..ALL }).await.unwrap();
    let seqs: Vec<_> = head.entries.iter().map(|queued| queued.event.seq).collect();
    store.settle(&lease, failed(&seqs, at(5), 1)).await.unwrap();
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    assert_eq!(places(&store, &lease).await.1, [held(&[1, 2, 3], 2)]);
    assert_eq!(store.head(&lease, ALL).await.unwrap().held, 3);
}

pub(crate) async fn a_crash_at_any_point_keeps_the_lanes(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let mut expected: Vec<u64> = Vec::new();
    let mut published = 0;
    for round in 0..40_u64 {
        publish(&store, published..published + round % 9, id).await;
        expected.extend(published..published + round % 9);
        published += round % 9;
        let lease = claim(&store, id).await;
        let chosen: Vec<_> =
            expected.iter().filter(|place| *place % 5 == round % 5).take(6).copied().collect();
        if !chosen.is_empty() {
            let success = round % 4 != 0;
            settle(&store, &lease, &chosen, success).await;
            expected.retain(|place| !success || !chosen.contains(place));
        }
        if round % 3 == 0 {
            if round % 2 == 0 {
                store.close().await.unwrap();
            }
            store = fixture.open().await;
        }
        let lease = claim(&store, id).await;
        let (found, held) = places(&store, &lease).await;
        assert_eq!(found, expected, "round {round}");
        assert!(held.iter().flat_map(|held| &held.entries).all(|place| found.contains(place)));
    }
}

/// A replay's next slice does not wait for the one blocked key.
pub(crate) async fn a_replay_goes_on_past_what_waits(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..4, id).await;
    let lease = claim(&store, id).await;
    deliver(&store, &lease, 3).await;
    let scope = ReplayScope {
        event_types: vec![ORDER_CREATE],
        from: None,
        until: None,
        rule: None,
        missed_only: false,
    };
    let replay = store.start_replay(WS, id, scope, at(1)).await.unwrap();
    let seqs: Vec<_> = (1..=4).map(Seq).collect();
    let slice = |after: u64, position: u64| Slice {
        after: Seq(after),
        position: Seq(position),
        examined: 2,
        wanted: seqs[usize::try_from(after).unwrap()..usize::try_from(position).unwrap()].to_vec(),
    };
    store.queue_slice(replay.id, slice(0, 2), at(2)).await.unwrap();
    assert_eq!(places(&store, &lease).await.0, [3, 4, 5]);
    settle(&store, &lease, &[4], true).await;
    assert!(store.due_replay(id).await.unwrap().is_none());
    store.replays_due().take();
    settle(&store, &lease, &[5], true).await;
    assert_eq!(store.replays_due().take(), [id]);
    for store in [store, fixture.open().await] {
        let (_, due) = store.due_replay(id).await.unwrap().unwrap();
        assert_eq!((due.progress.queued, due.progress.delivered), (2, 2));
        assert_eq!(places(&store, &claim(&store, id).await).await.0, [3]);
    }
}

/// Like `queue::an_attempt_is_recorded_once`, behind the head.
pub(crate) async fn an_attempt_of_a_lane_is_recorded_once(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 0..8, id).await;
    let mut lease = claim(&store, id).await;
    let failed = Arc::new(tried(&store, &lease, &[1, 2], false).await);
    let taken = Arc::new(tried(&store, &lease, &[4, 6], true).await);
    for attempt in [&failed, &taken, &failed, &taken] {
        store.record(&lease, Arc::clone(attempt), Recorded::Maybe).await.unwrap();
        store = fixture.open().await;
        lease = claim(&store, id).await;
        store.record(&lease, Arc::clone(attempt), Recorded::Maybe).await.unwrap();
    }
    let (left, held) = places(&store, &lease).await;
    assert_eq!(left, [0, 1, 2, 3, 5, 7]);
    assert_eq!(held.len(), 1);
    assert_eq!((&held[0].entries[..], held[0].failures), (&[1, 2][..], 1));
}
