//! A store as an earlier Hookyard left it, with the format before a migration of consequence: twelve events,
//! delivered to the first endpoint in a single bundle and refused by the second, and six rows.

use hookyard_core::id::{DatasetId, EndpointId, ProjectId, Seq};

use super::{ALL, WS, at, claim, delivered, event};
use crate::{AttemptQuery, EventQuery, RowLimit, SharedStore};

/// The fixture of a backend, unpacked.
pub(crate) fn unpacked(fixture: &[u8]) -> Vec<u8> {
    zstd::decode_all(fixture).unwrap()
}

/// Everything is read back, and deliveries go on.
pub(crate) async fn is_read_back_and_goes_on(store: SharedStore) {
    let query =
        EventQuery { event_type: None, after: None, before: None, newest_first: false, limit: 99 };
    let events = store.events(WS, query.clone()).await.unwrap().entries;
    assert_eq!(events.len(), 12);
    for (n, event) in (1..).zip(&events) {
        assert_eq!((event.seq.0, &event.id), (n as u64, &format!("event-{n}")));
        let text = format!(r#""text": "{}""#, r"\u00e9".repeat(n));
        assert!(str::from_utf8(&event.object).unwrap().contains(&text), "{:?}", event.object);
        assert!(!event.damaged && event.matched == 2);
    }
    let query_all = AttemptQuery { limit: 99, ..AttemptQuery::default() };
    let took = store.attempts(WS, EndpointId(1), query_all.clone()).await.unwrap().entries;
    assert!(took.iter().all(|attempt| attempt.success));
    assert_eq!(took.iter().map(|attempt| attempt.record.events.len()).sum::<usize>(), 12);
    let refused = store.attempts(WS, EndpointId(2), query_all).await.unwrap().entries;
    assert!(refused.len() >= 4);
    assert!(refused.iter().all(|attempt| attempt.record.outcome.status == Some(422)));
    let all = RowLimit::NONE;
    let rows = store.rows_at(WS, ProjectId(1), DatasetId(1), 0, all).await.unwrap().rows;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| !row.damaged));
    assert!(rows[2].cell.len() > 9_000);

    let lease = claim(&store, EndpointId(2)).await;
    let head = store.head(&lease, ALL).await.unwrap();
    assert_eq!((head.state.pending, head.entries.len(), head.held), (12, 12, 1));
    assert!(head.state.failures >= 4);
    let seqs: Vec<Seq> = head.entries.iter().map(|queued| queued.event.seq).collect();
    let state = store.settle(&lease, delivered(&seqs, at(1))).await.unwrap();
    assert_eq!(state.pending, 0);
    let receipts = store.append(WS, vec![event(1, &[EndpointId(2)])], at(2)).await.unwrap();
    assert_eq!((receipts[0].seq, receipts[0].duplicate), (Seq(13), false));
    let mut again = event(1, &[]);
    again.id.clone_from(&events[0].id);
    again.source.clone_from(&events[0].source);
    let receipts = store.append(WS, vec![again], at(3)).await.unwrap();
    assert_eq!((receipts[0].seq, receipts[0].duplicate), (Seq(1), true));
}
