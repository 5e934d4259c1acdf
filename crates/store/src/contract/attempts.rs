use std::time::Duration;

use super::*;
use crate::{AttemptQuery, StoreError};

fn all() -> AttemptQuery {
    AttemptQuery { limit: 100, ..AttemptQuery::default() }
}

/// An endpoint with two failures and a success, a second apart, and what their ids are.
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
    let page = store.attempts(WS, endpoint, all()).await.unwrap();
    let listed: Vec<_> = page.iter().rev().map(|a| a.record.request_id.clone()).collect();
    assert_eq!(listed, ids);
    assert_eq!(page.iter().map(|a| a.success).collect::<Vec<_>>(), [true, false, false]);
    let second = AttemptQuery { offset: 1, limit: 1, ..AttemptQuery::default() };
    let page = store.attempts(WS, endpoint, second).await.unwrap();
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
    let count =
        async |query: AttemptQuery| store.attempts(WS, endpoint, query).await.unwrap().len();
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
