use std::time::Duration;

use super::*;
use crate::{AttemptQuery, PAGE_BYTES_MAX, StoreError};

fn all() -> AttemptQuery {
    AttemptQuery { limit: 100, ..AttemptQuery::default() }
}

/// An endpoint with two failures and a success, a second apart, and the ids of the attempts.
async fn attempted(store: &SharedStore) -> (EndpointId, Vec<RequestId>) {
    let id = endpoint(store).await.id;
    let seqs: Vec<_> = publish(store, 0..3, id).await.iter().map(|receipt| receipt.seq).collect();
    let lease = claim(store, id).await;
    let mut first = failed(&seqs, at(1), 1);
    first.outcome.status = Some(500);
    first.duration = Duration::from_millis(250);
    first.order_ids = vec!["DEMO-1".to_owned(), "DEMO-2".to_owned()];
    let second = failed(&seqs, at(2), 2);
    let mut third = delivered(&seqs, at(3));
    third.event_types = vec![ITEM_UPDATE, ORDER_CREATE];
    let ids = [&first, &second, &third].map(|attempt| attempt.request_id.clone()).to_vec();
    for attempt in [first, second, third] {
        store.settle(&lease, attempt).await.unwrap();
    }
    (id, ids)
}

pub(crate) async fn pages_are_newest_first(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (endpoint, ids) = attempted(&store).await;
    let page = store.attempts(WS, endpoint, all()).await.unwrap().entries;
    let listed: Vec<_> = page.iter().rev().map(|a| a.record.request_id.clone()).collect();
    assert_eq!(listed, ids);
    assert_eq!(page.iter().map(|a| a.success).collect::<Vec<_>>(), [true, false, false]);
    let second = AttemptQuery { offset: 1, limit: 1, ..AttemptQuery::default() };
    let page = store.attempts(WS, endpoint, second).await.unwrap().entries;
    assert_eq!(page[0].record.request_id, ids[1]);

    let store = fixture.open().await;
    let again = store.attempt(WS, endpoint, &ids[2]).await.unwrap().unwrap();
    let seqs = again.record.events.clone();
    let expected = NewAttempt {
        request_id: ids[2].clone(),
        event_types: vec![ITEM_UPDATE, ORDER_CREATE],
        ..delivered(&seqs, at(3))
    };
    assert_eq!(again.record, expected);
}

pub(crate) async fn filters_select_what_they_say(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (endpoint, ids) = attempted(&store).await;
    let count = async |query: AttemptQuery| {
        store.attempts(WS, endpoint, query).await.unwrap().entries.len()
    };
    assert_eq!(count(AttemptQuery { success: Some(false), ..all() }).await, 2);
    assert_eq!(count(AttemptQuery { status: Some(500), ..all() }).await, 1);
    assert_eq!(count(AttemptQuery { from: Some(at(2)), ..all() }).await, 2);
    assert_eq!(count(AttemptQuery { until: Some(at(2)), ..all() }).await, 2);
    assert_eq!(count(AttemptQuery { event_type: Some(ITEM_UPDATE), ..all() }).await, 1);
    assert_eq!(count(AttemptQuery { event_type: Some(EventTypeId(2)), ..all() }).await, 0);
    assert_eq!(count(AttemptQuery { order_id: Some("DEMO-2".into()), ..all() }).await, 1);
    assert_eq!(count(AttemptQuery { order_id: Some("DEMO".into()), ..all() }).await, 0);
    let slow = Some(Duration::from_millis(200));
    assert_eq!(count(AttemptQuery { duration_min: slow, ..all() }).await, 1);
    assert!(store.attempt(WS, endpoint, &ids[0]).await.unwrap().is_some());
    let unknown = RequestId::new(&SystemEntropy, at(1));
    assert!(store.attempt(WS, endpoint, &unknown).await.unwrap().is_none());
}

pub(crate) async fn foreign_workspaces_see_nothing(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (endpoint, ids) = attempted(&store).await;
    let refused = store.attempts(OTHER_WS, endpoint, all()).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
    assert!(store.attempt(OTHER_WS, endpoint, &ids[0]).await.is_err());
}

/// An endpoint with as many failures as there are answers, the bytes of each.
async fn answered(store: &SharedStore, answers: &[usize]) -> EndpointId {
    let id = endpoint(store).await.id;
    let seqs: Vec<_> = publish(store, 0..1, id).await.iter().map(|receipt| receipt.seq).collect();
    let lease = claim(store, id).await;
    for (second, bytes) in (1..).zip(answers) {
        let mut attempt = failed(&seqs, at(second), 1);
        attempt.outcome.status = Some(500);
        attempt.outcome.response = Some("x".repeat(*bytes));
        store.settle(&lease, attempt).await.unwrap();
    }
    id
}

pub(crate) async fn pages_of_attempts_are_bounded_by_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let most = PAGE_BYTES_MAX * 2 / 5;
    let id = answered(&store, &[most, most, most, PAGE_BYTES_MAX]).await;
    let mut query = all();
    let mut pages = Vec::new();
    loop {
        let page = store.attempts(WS, id, query.clone()).await.unwrap();
        query.offset += page.entries.len();
        pages.push(page.entries.len());
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [1, 2, 1]);
}

pub(crate) async fn brief_ones_have_no_texts(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = answered(&store, &[PAGE_BYTES_MAX, PAGE_BYTES_MAX, 5]).await;
    let brief = store.attempts(WS, id, AttemptQuery { brief: true, ..all() }).await.unwrap();
    assert_eq!((brief.entries.len(), brief.more), (3, false));
    let one = &brief.entries[0].record;
    let mut whole = store.attempt(WS, id, &one.request_id).await.unwrap().unwrap().record;
    assert_eq!(whole.outcome.response.as_deref(), Some("xxxxx"));
    whole.request_headers = Vec::new();
    whole.outcome.response = None;
    assert_eq!(*one, whole, "the rest is there");
}
