use hookyard_core::model::ReplayScope;
use jiff::SignedDuration;

use super::*;
use crate::{AttemptQuery, DeadLetters, EventQuery, Expired, Keep, ReplayChange, Retention};

const EVERYTHING: EventQuery =
    EventQuery { event_type: None, after: None, before: None, newest_first: false, limit: 100_000 };

fn seconds(age: i64) -> Keep {
    Keep { age: Some(SignedDuration::from_secs(age)), bytes: None }
}

fn journal(keep: Keep) -> Retention {
    Retention { journal: keep, ..Retention::default() }
}

/// Deletes everything that may go, and returns the amount.
async fn expire(store: &SharedStore, keep: Retention, now: Timestamp) -> Expired {
    let mut sum = Expired::default();
    let mut rest = Some(store.expiry(keep, now).await.unwrap());
    while let Some(expiry) = rest {
        let done = store.expire(expiry).await.unwrap();
        let Expired { events, attempts, dead_letters, audit, pages, rest: more } = done;
        sum.dead_letters += dead_letters;
        sum.audit += audit;
        sum.events += events;
        sum.attempts += attempts;
        sum.pages += pages;
        rest = more;
    }
    sum
}

async fn kept(store: &SharedStore) -> Vec<String> {
    let events = store.events(WS, EVERYTHING).await.unwrap().entries;
    events.iter().map(|event| event.id.clone()).collect()
}

async fn append(store: &SharedStore, numbers: std::ops::Range<u64>, now: Timestamp) -> Vec<Seq> {
    let events = numbers.map(|number| event(number, &[])).collect();
    store.append(WS, events, now).await.unwrap().iter().map(|receipt| receipt.seq).collect()
}

pub(crate) async fn old_events_go_and_are_forgotten(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let old = append(&store, 0..2_500, at(0)).await;
    append(&store, 2_500..2_510, at(100)).await;
    for _ in 0..2 {
        let expired = expire(&store, journal(seconds(50)), at(120)).await;
        assert!(expired.events == 2_500 || expired.events == 0);
        assert_eq!(kept(&store).await, ids(2_500..2_510));
        assert!(store.events_by_seq(WS, &old[..5]).await.unwrap().is_empty());
        assert!(store.event(WS, "event-7", None).await.unwrap().is_none());
        assert!(store.event(WS, "event-2505", None).await.unwrap().is_some());
        store = fixture.open().await;
    }
    assert!(store.append(WS, vec![event(2_505, &[])], at(121)).await.unwrap()[0].duplicate);
    let anew = store.append(WS, vec![event(7, &[])], at(122)).await.unwrap()[0];
    assert!(!anew.duplicate, "what is deleted is forgotten");
    let newest = anew.seq;
    expire(&store, journal(seconds(1)), at(1_000)).await;
    assert_eq!(kept(&store).await, ids([]));
    let store = fixture.open().await;
    let next = store.append(WS, vec![event(9, &[])], at(1_001)).await.unwrap()[0];
    assert!(next.seq > newest, "no number is used again");
    let store = fixture.open().await;
    assert!(store.append(WS, vec![event(9, &[])], at(1_001)).await.unwrap()[0].duplicate);
}

pub(crate) async fn bytes_of_events_are_counted_for_each_workspace(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let bytes = |numbers: std::ops::Range<u64>| {
        let weight =
            |event: NewEvent| event.id.len() + event.source.len() + event.object.len() + 64;
        numbers.map(|number| weight(event(number, &[])) as u64).sum::<u64>()
    };
    let used = async |store: &SharedStore| {
        let of = async |workspace| store.usage(workspace).await.unwrap().journal_bytes;
        (of(WS).await, of(OTHER_WS).await)
    };
    assert_eq!(used(&store).await, (0, 0));
    append(&store, 0..2_500, at(0)).await;
    append(&store, 0..10, at(1)).await;
    let foreign = (5..9).map(|number| event(number, &[])).collect();
    store.append(OTHER_WS, foreign, at(50)).await.unwrap();
    append(&store, 2_500..2_510, at(100)).await;
    for _ in 0..2 {
        assert_eq!(used(&store).await, (bytes(0..2_510), bytes(5..9)), "repeats count once");
        store = fixture.open().await;
    }
    expire(&store, journal(seconds(60)), at(120)).await;
    for _ in 0..2 {
        assert_eq!(used(&store).await, (bytes(2_500..2_510), 0), "what went is given back");
        store = fixture.open().await;
    }
    append(&store, 2_510..2_511, at(121)).await;
    assert_eq!(used(&store).await, (bytes(2_500..2_511), 0));
}

pub(crate) async fn queued_events_are_pinned(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (slow, dead) = (endpoint(&store).await.id, endpoint(&store).await.id);
    for number in 0..60 {
        let matched: &[EndpointId] = match number % 3 {
            0 => &[slow],
            1 if number < 10 => &[slow, dead],
            _ => &[],
        };
        store.append(WS, vec![event(number, matched)], at(0)).await.unwrap();
    }
    deliver(&store, &claim(&store, slow).await, 10).await;
    let all = journal(seconds(1));
    expire(&store, all, at(100)).await;
    let store = fixture.open().await;
    let lease = claim(&store, slow).await;
    let left: Vec<u64> =
        (0..60).filter(|n| n % 3 == 0 || (n % 3 == 1 && *n < 10)).skip(10).collect();
    assert_eq!(queued(&store, &lease).await, ids(left.iter().copied()));
    assert_eq!(queued(&store, &claim(&store, dead).await).await, ids([1, 4, 7]));
    assert_eq!(kept(&store).await, ids([1, 4, 7].into_iter().chain(left.iter().copied())));
    // Queued again while older events are gone.
    let reflow = store.reflow(WS, dead, ORDER_CREATE, None, at(101)).await.unwrap();
    assert_eq!(reflow.queued, 3 + left.len() as u64);
    deliver(&store, &lease, left.len()).await;
    assert_eq!(expire(&store, all, at(102)).await.events, 0);
    let store = fixture.open().await;
    deliver(&store, &claim(&store, dead).await, 6 + left.len()).await;
    expire(&store, all, at(102)).await;
    assert_eq!(kept(&store).await, ids([]));
    assert_eq!(fixture.open().await.queue_states(WS, &[dead]).await.unwrap()[0].pending, 0);
}

pub(crate) async fn awaited_events_are_pinned(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    append(&store, 0..10, at(0)).await;
    let from = Some(at(0));
    let event_types = vec![ORDER_CREATE];
    let scope = ReplayScope { event_types, from, until: None, rule: None, missed_only: false };
    let replay = store.start_replay(WS, id, scope, at(1)).await.unwrap().id;
    expire(&store, journal(seconds(1)), at(100)).await;
    assert_eq!(kept(&store).await, ids(0..10));
    store.change_replay(WS, id, replay, ReplayChange::Cancel).await.unwrap();
    expire(&store, journal(seconds(1)), at(100)).await;
    assert_eq!(kept(&store).await, ids([]));
}

pub(crate) async fn dead_letters_pin_their_events(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..10, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    for (second, seq) in [(0, seqs[0]), (50, seqs[1])] {
        let attempt = failed(&[seq], at(second), 1);
        let parked = NewAttempt { advance: 1, park: true, retry_at: None, ..attempt };
        store.settle(&lease, parked).await.unwrap();
    }
    deliver(&store, &lease, 8).await;
    let keep = Retention { dead_letters: seconds(30), ..journal(seconds(1)) };
    for (now, dropped, events, left) in [(20, 0, 8, 2), (60, 1, 1, 1), (60, 0, 0, 1), (90, 1, 1, 0)]
    {
        let expired = expire(&store, keep, at(now)).await;
        assert_eq!((expired.dead_letters, expired.events), (dropped, events), "at {now}");
        let state = store.queue_states(WS, &[id]).await.unwrap()[0];
        assert_eq!(state.dead_letters, left);
        assert_eq!(fixture.open().await.queue_states(WS, &[id]).await.unwrap()[0], state);
    }
}

pub(crate) async fn dead_letters_are_bounded_in_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let ids = [endpoint(&store).await.id, endpoint(&store).await.id];
    let object = format!(r#"{{"order_id":"{}"}}"#, "x".repeat(10_000));
    let large = |number| NewEvent { object: object.clone().into(), ..event(number, &ids) };
    let receipts = store.append(WS, (0..10).map(large).collect(), at(0)).await.unwrap();
    let park = async |store: &SharedStore, id, seq: Seq, second| {
        let attempt = failed(&[seq], at(second), 1);
        let parked = NewAttempt { advance: 1, park: true, retry_at: None, ..attempt };
        store.settle(&claim(store, id).await, parked).await.unwrap();
    };
    for (second, receipt) in (0..).zip(&receipts) {
        park(&store, ids[0], receipt.seq, 2 * second).await;
        park(&store, ids[1], receipt.seq, 2 * second + 1).await;
    }
    let counts = async |store: &SharedStore| {
        let states = store.queue_states(WS, &ids).await.unwrap();
        [states[0].dead_letters, states[1].dead_letters]
    };
    let keep = |bytes| {
        let letters = Keep { age: None, bytes: Some(bytes) };
        Retention { dead_letters: letters, ..journal(seconds(1)) }
    };
    let expired = expire(&store, keep(155_000), at(100)).await;
    assert_eq!((expired.dead_letters, counts(&store).await), (5, [7, 8]), "the oldest of all");
    assert_eq!(expired.events, 2, "an event stays while one endpoint has it");
    // Letters that leave in other ways are counted, too, and a letter parked again is counted once.
    let all = DeadLetters::All;
    assert_eq!(store.redeliver_dead_letters(WS, ids[1], all).await.unwrap(), 8);
    let store = fixture.open().await;
    assert_eq!(expire(&store, keep(75_000), at(100)).await.dead_letters, 0);
    park(&store, ids[1], receipts[2].seq, 50).await;
    assert_eq!(expire(&store, keep(75_000), at(100)).await.dead_letters, 1);
    assert_eq!(counts(&store).await, [6, 1]);
    store.delete_endpoint(WS, ids[0], None).await.unwrap();
    assert_eq!(expire(&store, keep(15_000), at(100)).await.dead_letters, 0);
    assert_eq!(expire(&store, keep(0), at(100)).await.dead_letters, 1);
    assert_eq!(counts(&fixture.open().await).await, [0, 0]);
}

pub(crate) async fn bytes_are_bounded(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let large = |number: u64| {
        let object = format!(r#"{{"order_id":"{}"}}"#, "x".repeat(10_000));
        NewEvent { object: Bytes::from(object), ..event(number, &[]) }
    };
    let keep = journal(Keep { age: None, bytes: Some(1_000_000) });
    let mut published = 0;
    for round in 0..6 {
        store.append(WS, (published..published + 40).map(large).collect(), at(0)).await.unwrap();
        published += 40;
        if round % 2 == 1 {
            store = fixture.open().await;
        }
        expire(&store, keep, at(1)).await;
        let left = kept(&store).await;
        let most = usize::try_from(published).unwrap().min(100);
        assert!(left.len() <= most && left.len() + 2 >= most, "{} in round {round}", left.len());
        assert_eq!(left, ids(published - left.len() as u64..published));
    }
}

pub(crate) async fn old_attempts_go(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let seqs: Vec<_> = publish(&store, 0..30, id).await.iter().map(|r| r.seq).collect();
    let lease = claim(&store, id).await;
    for (second, seqs) in (0..).zip(seqs.chunks(2)) {
        store.settle(&lease, delivered(seqs, at(second))).await.unwrap();
    }
    let count = async |store: &SharedStore| {
        let all = AttemptQuery { limit: 100, ..AttemptQuery::default() };
        store.attempts(WS, id, all).await.unwrap().entries.len()
    };
    let attempts = |keep| Retention { attempts: keep, ..Retention::default() };
    let expired = expire(&store, attempts(seconds(5)), at(15)).await;
    assert_eq!((expired.attempts, count(&store).await), (10, 5));
    expire(&store, attempts(Keep { age: None, bytes: Some(0) }), at(15)).await;
    assert_eq!((count(&store).await, kept(&store).await.len()), (0, 30));
    // The numbers go on, so that later records count.
    let store = fixture.open().await;
    publish(&store, 30..33, id).await;
    deliver(&store, &claim(&store, id).await, 2).await;
    let store = fixture.open().await;
    assert_eq!(queued(&store, &claim(&store, id).await).await, ids([32]));
    assert_eq!(count(&store).await, 1);
}

pub(crate) async fn a_crash_between_slices_is_harmless(fixture: &dyn Fixture) {
    let mut store = open(fixture).await;
    let id = endpoint(&store).await.id;
    let mut queue: Vec<u64> = Vec::new();
    let mut published = 0;
    for round in 0..8 {
        let matched = |number: u64| number % 400 == 7;
        let events = published..published + 2_000;
        let own = [id];
        let matching = |n| if matched(n) { &own[..] } else { &[] };
        let new = events.clone().map(|n| event(n, matching(n))).collect();
        store.append(WS, new, at(round)).await.unwrap();
        queue.extend(events.filter(|number| matched(*number)));
        published += 2_000;
        let mut rest = store.expiry(journal(seconds(1)), at(round + 1)).await.unwrap();
        for _ in 0..round {
            match store.expire(rest).await.unwrap().rest {
                Some(more) => rest = more,
                None => break,
            }
        }
        store = fixture.open().await;
        // Work planned before the crash may still be asked for afterwards.
        store.expire(rest).await.unwrap();
        let lease = claim(&store, id).await;
        assert_eq!(queued(&store, &lease).await, ids(queue.iter().copied()), "round {round}");
        deliver(&store, &lease, 3).await;
        queue.drain(..3);
        let again = published - 1;
        let receipt = store.append(WS, vec![event(again, &[])], at(round)).await.unwrap()[0];
        assert!(receipt.duplicate, "round {round}");
    }
}

pub(crate) async fn nothing_goes_unless_asked(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    append(&store, 0..10, at(0)).await;
    let long_after = at(1_000_000_000);
    assert_eq!(expire(&store, Retention::default(), long_after).await, Expired::default());
    assert_eq!(kept(&store).await, ids(0..10));
}
