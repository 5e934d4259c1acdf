use hookyard_core::model::{Replay, ReplayProgress, ReplayScope, ReplayState};

use super::*;
use crate::{ReplayChange, Slice, Span, SpanLimit, StoreError};

const LIMIT: SpanLimit = SpanLimit { wanted: 4, examined: 100 };

fn orders() -> ReplayScope {
    ReplayScope {
        event_types: vec![ORDER_CREATE],
        from: None,
        until: None,
        rule: None,
        missed_only: false,
    }
}

fn rest(replay: &Replay) -> Span {
    Span { after: replay.position, last: replay.last, total: 0 }
}

async fn next_slice(store: &SharedStore, endpoint: EndpointId) -> Option<(Replay, Slice)> {
    let (workspace, replay) = store.due_replay(endpoint).await.unwrap()?;
    let span = rest(&replay);
    let slice = store.examine(workspace, endpoint, &replay.scope, span, None, LIMIT).await.unwrap();
    Some((replay, slice))
}

/// Queues the next slice if due; returns whether a slice was due.
async fn go_on(store: &SharedStore, endpoint: EndpointId) -> bool {
    let Some((replay, slice)) = next_slice(store, endpoint).await else { return false };
    store.queue_slice(replay.id, slice, at(60)).await.unwrap();
    true
}

async fn one(store: &SharedStore, endpoint: EndpointId) -> Replay {
    store.replays(WS, endpoint).await.unwrap().remove(0)
}

/// An endpoint that has received events 0 to 9.
async fn served(store: &SharedStore) -> EndpointId {
    let id = endpoint(store).await.id;
    publish(store, 0..10, id).await;
    deliver(store, &claim(store, id).await, 10).await;
    id
}

pub(crate) async fn slices_take_turns_with_live_events(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = served(&store).await;
    store.replays_due().take();
    let replay = store.start_replay(WS, id, orders(), at(50)).await.unwrap();
    assert_eq!((replay.state, replay.progress.total), (ReplayState::Running, 10));
    assert_eq!(store.replays_due().take(), [id]);
    let expected: [&[u64]; 4] = [&[0, 1, 2, 3], &[10, 4, 5, 6, 7], &[11, 8, 9], &[12]];
    for (round, expected) in expected.into_iter().enumerate() {
        assert_eq!(go_on(&store, id).await, round < 3);
        assert!(!go_on(&store, id).await, "one slice at a time");
        publish(&store, [10 + round as u64], id).await;
        // Once at every step of the replay: a crash, and a stop.
        if round % 2 == 1 {
            store.close().await.unwrap();
        }
        store = fixture.open().await;
        assert_eq!(store.replays_due().take().contains(&id), round < 2);
        let lease = claim(&store, id).await;
        let all = queued(&store, &lease).await;
        assert_eq!(all[..expected.len()], ids(expected.iter().copied()), "round {round}");
        let head = store.head(&lease, ALL).await.unwrap();
        let last = head.entries[expected.len() - 1].queued_at;
        assert_eq!(last == at(60), round < 3, "queued again in round {round}");
        deliver(&store, &lease, expected.len()).await;
        assert_eq!(store.replays_due().take(), if round < 3 { vec![id] } else { vec![] });
    }
    let done = one(&store, id).await;
    let whole = ReplayProgress { total: 10, examined: 10, queued: 10, delivered: 10 };
    assert_eq!((done.state, done.progress), (ReplayState::Done, whole));
}

pub(crate) async fn paused_and_cancelled_ones_stop_within_a_slice(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = served(&store).await;
    let replay = store.start_replay(WS, id, orders(), at(50)).await.unwrap().id;
    assert!(go_on(&store, id).await);
    let change = async |store: &SharedStore, change| {
        store.change_replay(WS, id, replay, change).await.map(|replay| replay.state)
    };
    assert_eq!(change(&store, ReplayChange::Pause).await.unwrap(), ReplayState::Paused);
    assert_eq!(change(&store, ReplayChange::Pause).await.unwrap(), ReplayState::Paused);
    store = fixture.open().await;
    deliver(&store, &claim(&store, id).await, 4).await;
    assert!(!go_on(&store, id).await);
    let paused = one(&store, id).await;
    let progress = ReplayProgress { total: 10, examined: 4, queued: 4, delivered: 4 };
    assert_eq!((paused.state, paused.progress), (ReplayState::Paused, progress));

    store.replays_due().take();
    assert_eq!(change(&store, ReplayChange::Resume).await.unwrap(), ReplayState::Running);
    assert_eq!(store.replays_due().take(), [id]);
    assert!(go_on(&store, id).await);
    assert_eq!(queued(&store, &claim(&store, id).await).await, ids(4..8));
    assert_eq!(change(&store, ReplayChange::Cancel).await.unwrap(), ReplayState::Cancelled);
    let refused = change(&store, ReplayChange::Resume).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    store = fixture.open().await;
    deliver(&store, &claim(&store, id).await, 4).await;
    assert!(!go_on(&store, id).await);
    assert_eq!(one(&store, id).await.progress.delivered, 8);
}

pub(crate) async fn replays_run_one_after_another(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = served(&store).await;
    let first = store.start_replay(WS, id, orders(), at(50)).await.unwrap();
    let second = store.start_replay(WS, id, orders(), at(51)).await.unwrap();
    assert!(first.id < second.id);
    let mut order = Vec::new();
    while let Some((replay, slice)) = next_slice(&store, id).await {
        store.queue_slice(replay.id, slice.clone(), at(60)).await.unwrap();
        order.push(replay.id);
        deliver(&store, &claim(&store, id).await, slice.wanted.len()).await;
        if order.len() == 1 {
            store.change_replay(WS, id, first.id, ReplayChange::Pause).await.unwrap();
        }
        if order.len() == 2 {
            store.change_replay(WS, id, first.id, ReplayChange::Resume).await.unwrap();
        }
    }
    let expected = [first.id, second.id, first.id, first.id, second.id, second.id];
    assert_eq!(order, expected);
}

pub(crate) async fn only_the_next_slice_is_queued(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = served(&store).await;
    store.start_replay(WS, id, orders(), at(50)).await.unwrap();
    let (replay, slice) = next_slice(&store, id).await.unwrap();
    store.queue_slice(replay.id, slice.clone(), at(60)).await.unwrap();
    for _ in 0..2 {
        let again = store.queue_slice(replay.id, slice.clone(), at(61)).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))));
        assert_eq!(store.queue_states(WS, &[id]).await.unwrap()[0].pending, 4);
        if store.due_replay(id).await.unwrap().is_none() {
            let early = Slice { after: slice.position, ..slice.clone() };
            let early = store.queue_slice(replay.id, early, at(61)).await;
            assert!(matches!(early, Err(StoreError::Conflict(_))));
        }
    }
    store.delete_endpoint(WS, id, None).await.unwrap();
    let gone = store.queue_slice(replay.id, slice, at(61)).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
    assert!(store.due_replay(id).await.unwrap().is_none());
    assert!(!fixture.open().await.replays_due().take().contains(&id));
}

pub(crate) async fn scopes_select_what_they_say(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    for (number, second) in [(0, 0), (1, 100), (2, 200), (3, 300), (4, 201), (5, 400)] {
        let mut new = event(number, &[id]);
        if number == 3 {
            new.event_type = ITEM_UPDATE;
        }
        store.append(WS, vec![new], at(second)).await.unwrap();
    }
    let select = async |scope: ReplayScope, wanted: Option<crate::EventFilter>| {
        let span = store.replay_span(WS, id, &scope).await.unwrap();
        let mut slice =
            Slice { after: span.after, position: span.after, examined: 0, wanted: vec![] };
        // In pieces as small as possible, which must add up to the whole.
        for limit in
            [SpanLimit { wanted: 1, examined: 1 }, SpanLimit { wanted: 2, examined: 3 }, LIMIT]
        {
            let mut rest = span;
            slice.wanted.clear();
            slice.examined = 0;
            while rest.after < span.last {
                let piece =
                    store.examine(WS, id, &scope, rest, wanted.clone(), limit).await.unwrap();
                assert_eq!(piece.after, rest.after);
                rest.after = piece.position;
                slice.examined += piece.examined;
                slice.wanted.extend(piece.wanted);
            }
            assert_eq!(slice.examined, span.total);
        }
        let events = store.events_by_seq(WS, &slice.wanted).await.unwrap();
        events.iter().map(|event| event.id.clone()).collect::<Vec<_>>()
    };
    let both = ReplayScope { event_types: vec![ITEM_UPDATE, ORDER_CREATE], ..orders() };
    assert_eq!(select(orders(), None).await, ids([0, 1, 2, 4, 5]));
    assert_eq!(select(both.clone(), None).await, ids(0..6));
    let from = ReplayScope { from: Some(at(100)), ..both.clone() };
    assert_eq!(select(from.clone(), None).await, ids(1..6));
    let range = ReplayScope { until: Some(at(201)), ..from };
    assert_eq!(select(range, None).await, ids([1, 2]));
    let late = ReplayScope { from: Some(at(9_999)), ..both.clone() };
    assert_eq!(select(late, None).await, ids([]));
    let odd = crate::EventFilter::new(|event| event.seq.0 % 2 == 1);
    assert_eq!(select(both, Some(odd)).await.len(), 3);
}

async fn disable(store: &SharedStore, id: EndpointId, disabled: bool) {
    let old = store.endpoint(WS, id).await.unwrap().unwrap();
    let settings = EndpointSettings { disabled, ..old.settings.clone() };
    let subscriptions = old.subscriptions.clone();
    store.update_endpoint(WS, id, old.revision, settings, subscriptions).await.unwrap();
}

pub(crate) async fn what_was_missed_is_recovered_once(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = served(&store).await;
    let unmatched = async |store: &SharedStore, number| {
        store.append(WS, vec![event(number, &[])], at(0)).await.unwrap();
    };
    disable(&store, id, true).await;
    for number in 10..13 {
        unmatched(&store, number).await;
    }
    // Matched before and committed after: the event is queued already.
    publish(&store, [13], id).await;
    store = fixture.open().await;
    let refused = store.recover(WS, id, vec![ORDER_CREATE], at(2)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    disable(&store, id, false).await;
    publish(&store, [14], id).await;
    disable(&store, id, true).await;
    disable(&store, id, false).await;
    store = fixture.open().await;
    let replays = store.recover(WS, id, vec![ORDER_CREATE], at(2)).await.unwrap();
    assert_eq!(replays.iter().map(|replay| replay.progress.total).collect::<Vec<_>>(), [3]);
    assert!(go_on(&store, id).await);
    let expected = ids([13, 14, 10, 11, 12]);
    assert_eq!(queued(&store, &claim(&store, id).await).await, expected);
    store = fixture.open().await;
    assert_eq!(store.recover(WS, id, vec![ORDER_CREATE], at(3)).await.unwrap(), []);
    assert_eq!(queued(&store, &claim(&store, id).await).await, expected);
}

/// Events as published by a call that saw the endpoints at this version.
fn matched_at(version: u64, numbers: std::ops::Range<u64>) -> Vec<NewEvent> {
    numbers.map(|number| NewEvent { matched_at: version, ..event(number, &[]) }).collect()
}

/// How many events each recovery of an endpoint finds.
async fn recovered(store: &SharedStore, id: EndpointId) -> Vec<u64> {
    let replays = store.recover(WS, id, vec![ORDER_CREATE], at(2)).await.unwrap();
    replays.iter().map(|replay| replay.progress.total).collect()
}

pub(crate) async fn what_was_matched_before_enabling_is_recovered_however_late(
    fixture: &dyn Fixture,
) {
    let store = open(fixture).await;
    let id = served(&store).await;
    disable(&store, id, true).await;
    store.append(WS, vec![event(10, &[])], at(0)).await.unwrap();
    let before = store.version(WS).await.unwrap();
    disable(&store, id, false).await;
    // Calls of the largest size, matched while the endpoint was disabled, and waiting for a turn behind the
    // change that enables the endpoint.
    for from in [1_000_000, 2_000_000] {
        let waiting = matched_at(before, from..from + 10_000);
        store.append(WS, waiting, at(1)).await.unwrap();
    }
    // One by one after another call that knows of the change; and one event for the next recovery.
    let now = store.version(WS).await.unwrap();
    store.append(WS, matched_at(before, 20..21), at(1)).await.unwrap();
    store.append(WS, matched_at(now, 21..24), at(1)).await.unwrap();
    assert_eq!(recovered(&store, id).await, [20_002], "and nothing that was not missed");
    store.append(WS, matched_at(before, 24..26), at(1)).await.unwrap();
    store.append(WS, matched_at(now, 26..27), at(1)).await.unwrap();
    assert_eq!(recovered(&store, id).await, [2]);
    assert_eq!(recovered(&store, id).await, [0_u64; 0]);
}

pub(crate) async fn late_events_are_recovered_for_whom_they_were_missed(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (first, second) = (served(&store).await, endpoint(&store).await.id);
    disable(&store, first, true).await;
    disable(&store, second, true).await;
    let before = store.version(WS).await.unwrap();
    disable(&store, first, false).await;
    let between = store.version(WS).await.unwrap();
    disable(&store, second, false).await;
    // Matched when the first was enabled already.
    store.append(WS, matched_at(between, 10..13), at(1)).await.unwrap();
    assert_eq!(recovered(&store, first).await, [0_u64; 0]);
    assert_eq!(recovered(&store, second).await, [3]);
    // Matched before both; the second is disabled again meanwhile.
    disable(&store, second, true).await;
    store.append(WS, matched_at(before, 13..15), at(1)).await.unwrap();
    assert_eq!(recovered(&store, first).await, [2]);
    disable(&store, second, false).await;
    assert_eq!(recovered(&store, second).await, [2]);
    // Another workspace's versions say nothing about this workspace's versions.
    let foreign = matched_at(0, 15..17);
    store.append(OTHER_WS, foreign, at(1)).await.unwrap();
    assert_eq!(recovered(&store, first).await, [0_u64; 0]);
}

pub(crate) async fn open_replays_are_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = served(&store).await;
    for _ in 0..crate::REPLAYS_OPEN_MAX {
        store.start_replay(WS, id, orders(), at(50)).await.unwrap();
    }
    let refused = store.start_replay(WS, id, orders(), at(50)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    for replay in store.replays(WS, id).await.unwrap() {
        store.change_replay(WS, id, replay.id, ReplayChange::Cancel).await.unwrap();
    }
    for _ in 0..3 {
        let new = store.start_replay(WS, id, orders(), at(50)).await.unwrap().id;
        store.change_replay(WS, id, new, ReplayChange::Cancel).await.unwrap();
    }
    let kept = store.replays(WS, id).await.unwrap().len();
    assert_eq!(kept, crate::REPLAYS_CLOSED_KEPT + 1);
}

pub(crate) async fn foreign_workspaces_see_no_replays(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = served(&store).await;
    let replay = store.start_replay(WS, id, orders(), at(50)).await.unwrap().id;
    let gone = |error: StoreError| matches!(error, StoreError::NotFound(_));
    assert!(gone(store.replays(OTHER_WS, id).await.unwrap_err()));
    assert!(gone(store.replay_span(OTHER_WS, id, &orders()).await.unwrap_err()));
    assert!(gone(store.start_replay(OTHER_WS, id, orders(), at(50)).await.unwrap_err()));
    assert!(gone(store.recover(OTHER_WS, id, vec![ORDER_CREATE], at(50)).await.unwrap_err()));
    let change = store.change_replay(OTHER_WS, id, replay, ReplayChange::Cancel).await;
    assert!(gone(change.unwrap_err()));
    let neighbour = endpoint(&store).await.id;
    let change = store.change_replay(WS, neighbour, replay, ReplayChange::Cancel).await;
    assert!(gone(change.unwrap_err()));
    assert_eq!(one(&store, id).await.state, ReplayState::Running);
}
