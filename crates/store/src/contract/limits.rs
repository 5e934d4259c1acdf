use std::sync::Arc;

use hookyard_core::model::{Quota, QuotaWindow};
use jiff::{SignedDuration, Timestamp};

use super::{Fixture, at, open};
use crate::{SharedStore, Take, Taken};

const TEN: Quota = Quota { turns: 10, window: QuotaWindow::Hour };

fn take(key: &str, owed: u32, wanted: u32) -> Take {
    Take { key: key.to_owned(), quota: TEN, owed, wanted }
}

async fn ask(store: &SharedStore, takes: Vec<Take>, now: Timestamp) -> Vec<Taken> {
    let turns = store.take_turns(takes, now).await.unwrap();
    assert_eq!(turns.nodes, 1);
    turns.taken
}

async fn granted(store: &SharedStore, key: &str, wanted: u32, now: Timestamp) -> u32 {
    ask(store, vec![take(key, 0, wanted)], now).await[0].granted
}

pub(crate) async fn turns_run_out_and_come_back(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    assert_eq!(ask(&store, Vec::new(), at(0)).await, []);
    assert_eq!(granted(&store, "a", 7, at(0)).await, 7);
    assert_eq!(granted(&store, "a", 7, at(0)).await, 3);
    assert_eq!(granted(&store, "a", 7, at(359)).await, 0);
    assert_eq!(granted(&store, "a", 7, at(360)).await, 1);
    assert_eq!(granted(&store, "a", 0, at(3_960)).await, 0, "asks for nothing");
    assert_eq!(granted(&store, "a", 99, at(3_960)).await, 10, "all have come back");
    // Many at once: each turn is given once.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { granted(&store, "b", 1, at(0)).await })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    assert_eq!(sum, 10);
}

pub(crate) async fn what_is_owed_is_taken_first(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    // As the arithmetic itself says, whether or not the bucket is there already.
    let mut level = hookyard_core::model::Level::default();
    for (second, owed, wanted) in
        [(0, 4, 3), (1, 0, 9), (2, 50, 1), (400, 0, 2), (800, 1, 0), (1_600, u32::MAX, u32::MAX)]
    {
        let now = at(second);
        let (granted, next) = TEN.grant(level, owed, wanted, now.as_microsecond());
        level = next;
        let taken = ask(&store, vec![take("a", owed, wanted)], now).await;
        assert_eq!(taken, [Taken { granted, level }], "{second}");
    }
    let quota = Quota { turns: 99_999_989, window: QuotaWindow::Day };
    let all = Take { key: "large".to_owned(), quota, owed: 1, wanted: u32::MAX };
    let taken = ask(&store, vec![all], at(0)).await;
    assert_eq!(taken[0].granted, quota.turns - 1);
}

pub(crate) async fn each_bucket_is_its_own(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let day = Quota { window: QuotaWindow::Day, ..TEN };
    let takes = vec![
        take("z", 0, 4),
        Take { key: "a/day".to_owned(), quota: day, owed: 0, wanted: 99 },
        take("a", 2, 3),
    ];
    let taken = ask(&store, takes, at(0)).await;
    let given: Vec<_> = taken.iter().map(|taken| taken.granted).collect();
    assert_eq!(given, [4, 10, 3]);
    let day_is_full = SignedDuration::from_micros(taken[1].level.0 - at(0).as_microsecond());
    assert_eq!(day_is_full, SignedDuration::from_hours(24));
    assert_eq!(granted(&store, "a", 99, at(0)).await, 5);
    assert_eq!(granted(&store, "z", 99, at(0)).await, 6);
}

pub(crate) async fn turns_survive(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    assert_eq!(granted(&store, "a", 9, at(0)).await, 9);
    drop(store);
    let store = fixture.open().await;
    assert_eq!(granted(&store, "a", 9, at(0)).await, 1);
}

pub(crate) async fn empty_buckets_are_forgotten(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    for key in ["a", "b", "c"] {
        granted(&store, key, 1, at(0)).await;
    }
    granted(&store, "full", 10, at(0)).await;
    assert_eq!(store.forget_buckets(at(359), 9).await.unwrap(), 0);
    assert_eq!(store.forget_buckets(at(360), 2).await.unwrap(), 2);
    assert_eq!(store.forget_buckets(at(360), 9).await.unwrap(), 1);
    assert_eq!(granted(&store, "full", 9, at(360)).await, 1, "what is not empty stays");
}
