use super::*;
use crate::{EventQuery, PAGE_BYTES_MAX, Page};

const PAGE: EventQuery =
    EventQuery { event_type: None, after: None, before: None, newest_first: false, limit: 100 };

pub(crate) async fn events_read_back(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut new = event(1, &[EndpointId(3), EndpointId(70)]);
    new.attributes = r#"{"subject":"s"}"#.to_owned();
    let receipts = store.append(WS, vec![new.clone(), event(2, &[])], at(5)).await.unwrap();
    assert_eq!(receipts.iter().map(|r| r.matched).collect::<Vec<_>>(), [2, 0]);
    assert!(receipts[0].seq < receipts[1].seq);
    for store in [store, fixture.open().await] {
        let seqs = [receipts[1].seq, receipts[0].seq, Seq(999)];
        let events = store.events_by_seq(WS, &seqs).await.unwrap();
        assert_eq!(
            events.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(),
            ["event-2", "event-1"]
        );
        let first = &events[1];
        assert_eq!((&first.object, &first.attributes), (&new.object, &new.attributes));
        assert_eq!((first.accepted_at, first.matched, first.event_type), (at(5), 2, ORDER_CREATE));
    }
}

pub(crate) async fn duplicates_are_recognised(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let batch = vec![event(1, &[EndpointId(3)]), event(1, &[]), event(2, &[])];
    let first = store.append(WS, batch, at(0)).await.unwrap();
    assert_eq!(first.iter().map(|r| r.duplicate).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((first[1].seq, first[1].matched), (first[0].seq, 1));

    let store = fixture.open().await;
    let again = store.append(WS, vec![event(1, &[])], at(1)).await.unwrap();
    assert_eq!(again, [Receipt { duplicate: true, ..first[0] }]);
    let mut other_source = event(1, &[]);
    other_source.source = "/other".to_owned();
    assert!(!store.append(WS, vec![other_source], at(1)).await.unwrap()[0].duplicate);
    assert!(!store.append(OTHER_WS, vec![event(1, &[])], at(1)).await.unwrap()[0].duplicate);

    store.close().await.unwrap();
    let store = fixture.open().await;
    assert!(store.append(WS, vec![event(2, &[])], at(2)).await.unwrap()[0].duplicate);
}

pub(crate) async fn pages_go_both_ways(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut batch: Vec<_> = (0..10).map(|number| event(number, &[])).collect();
    batch[4].event_type = ITEM_UPDATE;
    let receipts = store.append(WS, batch, at(0)).await.unwrap();
    let page = async |query: EventQuery| {
        let events = store.events(WS, query).await.unwrap().entries;
        events.iter().map(|event| event.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(page(PAGE).await, ids(0..10));
    let newest = EventQuery { newest_first: true, limit: 3, ..PAGE };
    assert_eq!(page(newest).await, ids([9, 8, 7]));
    let older = EventQuery { newest_first: true, before: Some(receipts[7].seq), limit: 2, ..PAGE };
    assert_eq!(page(older).await, ids([6, 5]));
    let after = EventQuery { after: Some(receipts[2].seq), limit: 2, ..PAGE };
    assert_eq!(page(after).await, ids([3, 4]));
    let items = EventQuery { event_type: Some(ITEM_UPDATE), ..PAGE };
    assert_eq!(page(items).await, ids([4]));
}

pub(crate) async fn events_are_found_by_id(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut elsewhere = event(7, &[]);
    elsewhere.source = "/other".to_owned();
    store.append(WS, vec![event(7, &[]), elsewhere, event(8, &[])], at(0)).await.unwrap();
    // Once before and once after derived state was written down.
    for round in 0..2 {
        let store = fixture.open().await;
        let newest = store.event(WS, "event-7", None).await.unwrap().unwrap();
        assert_eq!(newest.source, "/other", "round {round}");
        let named = store.event(WS, "event-7", Some("/shop")).await.unwrap().unwrap();
        assert_eq!(named.source, "/shop");
        assert!(store.event(WS, "event-9", None).await.unwrap().is_none());
        assert!(store.event(WS, "event-8", Some("/other")).await.unwrap().is_none());
        store.close().await.unwrap();
    }
}

pub(crate) async fn foreign_workspaces_see_no_events(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let seq = store.append(WS, vec![event(1, &[])], at(0)).await.unwrap()[0].seq;
    assert!(store.event(OTHER_WS, "event-1", None).await.unwrap().is_none());
    assert!(store.events(OTHER_WS, PAGE).await.unwrap().entries.is_empty());
    assert!(store.events_by_seq(OTHER_WS, &[seq]).await.unwrap().is_empty());
}

pub(crate) async fn pages_of_events_are_bounded_by_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let large = |number: u64, bytes: usize| {
        let object = format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes)).into();
        NewEvent { object, ..event(number, &[]) }
    };
    // Of three such events two fill a page; the fourth is a page alone.
    let most = PAGE_BYTES_MAX * 2 / 5;
    let batch = vec![large(0, most), large(1, most), large(2, most), large(3, PAGE_BYTES_MAX)];
    for event in batch {
        store.append(WS, vec![event], at(0)).await.unwrap();
    }
    let store = fixture.open().await;
    let mut query = PAGE;
    let mut pages = Vec::new();
    loop {
        let Page { entries, more } = store.events(WS, query.clone()).await.unwrap();
        pages.push(entries.iter().map(|event| event.id.clone()).collect::<Vec<_>>());
        query.after = entries.last().map(|event| event.seq);
        if !more {
            break;
        }
    }
    assert_eq!(pages, [ids([0, 1]), ids([2]), ids([3])]);
    let newest = EventQuery { newest_first: true, limit: 2, ..PAGE };
    let page = store.events(WS, newest).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (1, true));
    let last = EventQuery { newest_first: true, before: Some(page.entries[0].seq), ..PAGE };
    let page = store.events(WS, EventQuery { limit: 3, ..last.clone() }).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (2, true));
    let before = page.entries.last().map(|event| event.seq);
    let page = store.events(WS, EventQuery { before, ..last }).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (1, false));
}
