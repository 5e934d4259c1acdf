use hookyard_core::id::DatasetId;

use super::*;
use crate::check::{Accounts, Report};
use crate::{AttemptQuery, DeadLetters, EventQuery, HeadLimit, RowLimit};

/// A store with ten events, of which the endpoint took four in two bundles and refused one, five stay
/// queued; with a dataset of three rows and one of two versions.
async fn filled(fixture: &dyn Fixture) -> (SharedStore, EndpointId) {
    let store = open(fixture).await;
    let id = endpoint(&store).await.id;
    publish(&store, 1..=10, id).await;
    let lease = claim(&store, id).await;
    deliver(&store, &lease, 2).await;
    deliver(&store, &lease, 2).await;
    let park = NewAttempt { advance: 1, park: true, ..failed(&[Seq(5)], at(2), 1) };
    store.settle(&lease, park).await.unwrap();
    store.settle(&lease, failed(&[Seq(6)], at(3), 1)).await.unwrap();
    for (mode, key) in [(Mode::Combine, "key-1"), (Mode::Replace, "key-2")] {
        let source = store.create_source(new_source(mode, key), at(0)).await.unwrap();
        for cell in ["1", "\"two\"", "[3,3,3]"] {
            store.receive(source.id, cell.into(), at(1)).await.unwrap();
        }
    }
    (store, id)
}

/// Numbers the attempts from 1 on. In a new database the first number may go to a transaction that only finds
/// that a partition is missing; the check then takes the first attempt for deleted.
async fn numbered_from_one(fixture: &dyn Fixture) {
    fixture.tamper("UPDATE attempts SET id = id - (SELECT min(id) - 1 FROM attempts)").await;
    is_whole(fixture).await;
}

async fn report(fixture: &dyn Fixture) -> Report {
    fixture.check().await.unwrap()
}

/// What the check finds in a part of the store.
async fn found(fixture: &dyn Fixture, part: &str) -> Vec<String> {
    let report = report(fixture).await;
    let of_part = report.findings.into_iter().filter(|found| found.part == part);
    of_part.map(|found| found.problem).collect()
}

pub(crate) async fn a_store_in_use_is_whole_and_every_event_is_accounted_for(
    fixture: &dyn Fixture,
) {
    let (store, id) = filled(fixture).await;
    let accounts = |finished, queued| Accounts {
        matched: finished + queued,
        finished,
        queued,
        ..Accounts::default()
    };
    let whole = async |expected: Accounts| {
        let report = report(fixture).await;
        assert!(report.is_whole(), "{report:#?}");
        assert_eq!(report.accounts, expected);
        report
    };
    let first = whole(accounts(5, 5)).await;
    assert_eq!((first.events.records, first.attempts.records), (10, 4));
    assert_eq!((first.rows.records >= 3, first.secrets), (true, 4));
    store.redeliver_dead_letters(WS, id, DeadLetters::All).await.unwrap();
    whole(accounts(4, 6)).await;
    store.reflow(WS, id, ORDER_CREATE, None, at(60)).await.unwrap();
    whole(accounts(0, 10)).await;
    // After a crash, and after a stop.
    let store = fixture.open().await;
    whole(accounts(0, 10)).await;
    let lease = claim(&store, id).await;
    let head = store.head(&lease, HeadLimit { events: 16, ..ALL }).await.unwrap();
    let seqs: Vec<Seq> = head.entries.iter().map(|queued| queued.event.seq).collect();
    assert_eq!(seqs.len(), 16);
    store.settle(&lease, delivered(&seqs, at(70))).await.unwrap();
    whole(accounts(10, 0)).await;
    store.close().await.unwrap();
    whole(accounts(10, 0)).await;
}

pub(crate) async fn counters_that_differ_are_found(fixture: &dyn Fixture) {
    let (store, _) = filled(fixture).await;
    store.close().await.unwrap();
    numbered_from_one(fixture).await;
    let cases = [
        ("datasets", "UPDATE datasets SET rows = rows {}"),
        ("dataset_versions", "UPDATE dataset_versions SET bytes = bytes {}"),
        ("journal_shares", "UPDATE journal_shares SET bytes = bytes {}"),
        ("retained", "UPDATE retained SET bytes = bytes {} WHERE kind = 0"),
        ("retained", "UPDATE retained SET bytes = bytes {} WHERE kind = 1"),
    ];
    for (part, sql) in cases {
        fixture.tamper(&sql.replace("{}", "+ 1")).await;
        let problems = found(fixture, part).await;
        assert!(!problems.is_empty(), "{sql}");
        fixture.tamper(&sql.replace("{}", "- 1")).await;
        is_whole(fixture).await;
    }
}

pub(crate) async fn a_lost_attempt_is_found(fixture: &dyn Fixture) {
    let (store, id) = filled(fixture).await;
    store.close().await.unwrap();
    numbered_from_one(fixture).await;
    fixture.tamper("DELETE FROM attempts WHERE id = 2").await;
    let problems = found(fixture, "accounts").await;
    let expected = format!(
        "endpoint {id}: 2 events from 3 to 4 matched the endpoint and neither left its queue with an \
         attempt nor are queued"
    );
    assert_eq!(problems, [expected]);
    assert_eq!(report(fixture).await.accounts.missing, 2);
}

pub(crate) async fn a_lost_queue_is_found(fixture: &dyn Fixture) {
    let (store, id) = filled(fixture).await;
    store.close().await.unwrap();
    numbered_from_one(fixture).await;
    fixture.tamper("DELETE FROM queue_chunks").await;
    let problems = found(fixture, "accounts").await;
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with(&format!("endpoint {id}: 5 events from 6 to 10 ")),
        "{problems:?}"
    );
}

pub(crate) async fn an_event_that_is_queued_twice_is_found(fixture: &dyn Fixture) {
    let (store, id) = filled(fixture).await;
    // As if a dead letter that never was were delivered again.
    fixture
        .tamper(
            "INSERT INTO dead_letters (endpoint_id, seq, type_id, parked_ms, request_id, bytes) \
                 SELECT endpoint_id, 8, type_id, parked_ms, request_id, bytes FROM dead_letters",
        )
        .await;
    store.redeliver_dead_letters(WS, id, DeadLetters::One(Seq(8))).await.unwrap();
    store.close().await.unwrap();
    fixture.tamper("UPDATE attempts SET id = id - (SELECT min(id) - 1 FROM attempts)").await;
    let problems = found(fixture, "accounts").await;
    let expected = format!(
        "endpoint {id}: 1 events from 8 to 8 are queued twice, though none was tried before"
    );
    assert_eq!(problems, [expected]);
}

pub(crate) async fn damage_is_found_and_never_served(fixture: &dyn Fixture) {
    let (store, id) = filled(fixture).await;
    store.close().await.unwrap();
    for sql in [
        "UPDATE journal SET object = replace(object, 'DEMO-7', 'DEMO-8') WHERE seq = 7",
        "UPDATE journal SET accepted_ms = accepted_ms + 1 WHERE seq = 9",
        "UPDATE rows SET cell = '2' WHERE cell = '1'",
        "UPDATE attempts SET response = 'no' WHERE id = (SELECT min(id) FROM attempts)",
    ] {
        fixture.tamper(sql).await;
    }
    let report = report(fixture).await;
    let damaged = [report.events.damaged, report.rows.damaged, report.attempts.damaged];
    assert_eq!((damaged[0], damaged[2]), (2, 1), "{report:#?}");
    assert!(damaged[1] >= 1, "{report:#?}");

    let store = fixture.open().await;
    let lease = claim(&store, id).await;
    let head = store.head(&lease, ALL).await.unwrap();
    let bad: Vec<_> = head.entries.iter().filter(|queued| queued.event.damaged).collect();
    assert_eq!(bad.iter().map(|queued| queued.event.seq.0).collect::<Vec<_>>(), [7, 9]);
    assert!(bad.iter().all(|queued| queued.event.object.is_empty()));
    let query =
        EventQuery { event_type: None, after: None, before: None, newest_first: false, limit: 99 };
    let events = store.events(WS, query).await.unwrap().entries;
    let bad = events.iter().filter(|event| event.damaged).map(|event| event.seq.0);
    assert_eq!(bad.collect::<Vec<_>>(), [7, 9]);
    let query = AttemptQuery { limit: 9, ..AttemptQuery::default() };
    let attempts = store.attempts(WS, id, query).await.unwrap().entries;
    let damaged = attempts.iter().filter(|attempt| crate::checksum::is_damaged(attempt));
    assert_eq!(damaged.count(), 1);
    let rows = store.rows_at(WS, PROJECT, DatasetId(1), 0, RowLimit::NONE).await.unwrap().rows;
    assert_eq!(rows.iter().map(|row| row.damaged).collect::<Vec<_>>(), [true, false, false]);
}

pub(crate) async fn a_secret_that_does_not_open_is_found(fixture: &dyn Fixture) {
    let (store, _) = filled(fixture).await;
    store.close().await.unwrap();
    fixture.tamper("UPDATE sources SET secret = key WHERE id = 1").await;
    assert_eq!(found(fixture, "sources.secret").await.len(), 1);
}
