use super::*;
use crate::{DEAD_LETTERS_MAX, DeadLetterQuery, DeadLetters, StoreError};

const EVERYTHING: DeadLetterQuery = DeadLetterQuery { after: None, limit: usize::MAX };

/// The last attempt, after which the events are dead letters.
fn parked(seqs: &[Seq], started_at: Timestamp) -> NewAttempt {
    let advance = u32::try_from(seqs.len()).unwrap();
    NewAttempt { advance, park: true, retry_at: None, failures: 1, ..failed(seqs, started_at, 1) }
}

/// Publishes events and parks the first `count` events, each alone.
async fn park(store: &SharedStore, endpoint: EndpointId, total: u64, count: usize) -> Vec<Seq> {
    let receipts = publish(store, 0..total, endpoint).await;
    let seqs: Vec<_> = receipts.iter().map(|receipt| receipt.seq).collect();
    let lease = claim(store, endpoint).await;
    for (second, seq) in (1..).zip(&seqs[..count]) {
        store.settle(&lease, parked(&[*seq], at(second))).await.unwrap();
    }
    seqs
}

async fn numbers(store: &SharedStore, endpoint: EndpointId) -> Vec<Seq> {
    let letters = store.dead_letters(WS, endpoint, EVERYTHING).await.unwrap();
    letters.iter().map(|letter| letter.seq).collect()
}

async fn dead(store: &SharedStore, endpoint: EndpointId) -> u64 {
    store.queue_states(WS, &[endpoint]).await.unwrap()[0].dead_letters
}

pub(crate) async fn a_parked_event_leaves_the_queue(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs = park(&store, id, 4, 2).await;
    for store in [store, fixture.open().await, fixture.open().await] {
        let letters = store.dead_letters(WS, id, EVERYTHING).await.unwrap();
        assert_eq!(letters.len(), 2);
        let first = &letters[0];
        assert_eq!((first.seq, first.parked_at, first.event_type), (seqs[0], at(1), ORDER_CREATE));
        assert_eq!(first.event_id.as_deref(), Some("event-0"));
        let attempt = store.attempt(WS, id, &first.request_id).await.unwrap().unwrap();
        assert!(attempt.record.park && !attempt.success);
        let page = DeadLetterQuery { after: Some(seqs[0]), limit: 5 };
        assert_eq!(store.dead_letters(WS, id, page).await.unwrap(), letters[1..]);
        assert_eq!(dead(&store, id).await, 2);
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, ids(2..4));
        store.close().await.unwrap();
    }
}

pub(crate) async fn parking_is_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let mut seqs = Vec::new();
    for from in (0..=DEAD_LETTERS_MAX).step_by(1_000) {
        let until = (from + 1_000).min(DEAD_LETTERS_MAX + 1);
        seqs.extend(publish(&store, from..until, id).await.iter().map(|receipt| receipt.seq));
    }
    let lease = claim(&store, id).await;
    // In a separate order: the moment of parking counts.
    let (last, others) = seqs.split_last().unwrap();
    store.settle(&lease, parked(&[*last], at(1))).await.unwrap();
    store.settle(&lease, parked(&others[1..], at(2))).await.unwrap();
    assert_eq!(dead(&store, id).await, DEAD_LETTERS_MAX);
    store.settle(&lease, parked(&others[..1], at(3))).await.unwrap();
    assert_eq!(dead(&store, id).await, DEAD_LETTERS_MAX);
    assert_eq!(numbers(&store, id).await, others);
}

pub(crate) async fn redelivered_letters_are_queued_last_in_one_order(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs = park(&store, id, 5, 3).await;
    let one = store.redeliver_dead_letters(WS, id, DeadLetters::One(seqs[1])).await.unwrap();
    let twice = store.redeliver_dead_letters(WS, id, DeadLetters::One(seqs[1])).await.unwrap();
    assert_eq!((one, twice, dead(&store, id).await), (1, 0, 2));
    store.ready().take();
    assert_eq!(store.redeliver_dead_letters(WS, id, DeadLetters::All).await.unwrap(), 2);
    assert_eq!(store.ready().take(), [id]);
    publish(&store, 5..7, id).await;
    let expected = ids([3, 4, 1, 0, 2, 5, 6]);
    for store in [store, fixture.open().await] {
        assert_eq!((dead(&store, id).await, numbers(&store, id).await), (0, vec![]));
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, expected);
    }
    // A redelivered event that is refused again is a dead letter again, once.
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    deliver(&store, &lease, 2).await;
    store.settle(&lease, parked(&[seqs[1]], at(9))).await.unwrap();
    assert_eq!(numbers(&store, id).await, [seqs[1]]);
    assert_eq!(queued(&store, &lease).await, expected[3..]);
}

pub(crate) async fn letters_are_dropped_by_number(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs = park(&store, id, 4, 3).await;
    assert_eq!(store.drop_dead_letters(WS, id, DeadLetters::One(seqs[3])).await.unwrap(), 0);
    assert_eq!(store.drop_dead_letters(WS, id, DeadLetters::One(seqs[1])).await.unwrap(), 1);
    assert_eq!(numbers(&store, id).await, [seqs[0], seqs[2]]);
    let store = fixture.open().await;
    assert_eq!(dead(&store, id).await, 2);
    assert_eq!(store.drop_dead_letters(WS, id, DeadLetters::All).await.unwrap(), 2);
    assert_eq!((dead(&store, id).await, numbers(&store, id).await), (0, vec![]));
    let lease = claim(&store, id).await;
    assert_eq!(queued(&store, &lease).await, ids([3]), "the queue is left alone");
}

pub(crate) async fn foreign_workspaces_see_no_letters(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    park(&store, id, 2, 2).await;
    let listed = store.dead_letters(OTHER_WS, id, EVERYTHING).await;
    assert!(matches!(listed, Err(StoreError::NotFound(_))));
    let queued = store.redeliver_dead_letters(OTHER_WS, id, DeadLetters::All).await;
    assert!(matches!(queued, Err(StoreError::NotFound(_))));
    let dropped = store.drop_dead_letters(OTHER_WS, id, DeadLetters::All).await;
    assert!(matches!(dropped, Err(StoreError::NotFound(_))));
    assert_eq!(dead(&store, id).await, 2);
    store.delete_endpoint(WS, id, None).await.unwrap();
    assert!(store.dead_letters(WS, id, EVERYTHING).await.is_err());
    assert!(fixture.open().await.dead_letters(WS, id, EVERYTHING).await.is_err());
}

pub(crate) async fn refusals_survive_until_the_event_leaves(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let receipts = publish(&store, 0..2, id).await;
    let seqs: Vec<_> = receipts.iter().map(|receipt| receipt.seq).collect();
    let lease = claim(&store, id).await;
    let refused = NewAttempt { refusals: 3, ..failed(&seqs[..1], at(10), 5) };
    store.settle(&lease, refused).await.unwrap();
    for _ in 0..2 {
        let store = fixture.open().await;
        let state = store.queue_states(WS, &[id]).await.unwrap()[0];
        assert_eq!((state.refusals, state.failures), (3, 5));
        store.close().await.unwrap();
    }
    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    let state = store.settle(&lease, parked(&seqs[..1], at(20))).await.unwrap();
    assert_eq!((state.refusals, state.dead_letters, state.pending), (0, 1, 1));
    assert_eq!(state.failing_since, Some(at(10)), "the receiver still took nothing");
}
