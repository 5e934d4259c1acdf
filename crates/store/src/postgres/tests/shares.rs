//! Each workspace's part of the windows that all workspaces share.

use std::collections::BTreeMap;

use super::*;
use crate::contract::{OTHER_WS, WS, at, event};
use crate::postgres::receiving;
use crate::{JournalStore, REPEATS_FOR};

/// The least width of a partition by number.
const PART: i64 = 1 << 20;

/// The next event gets the number after the border of a partition.
async fn go_on_in(place: &Place, part: i64) {
    sql(&place.name, &format!("UPDATE sequencer SET seq = {}", part * PART)).await;
}

async fn is_known(store: &PostgresStore, number: u64) -> bool {
    store.append(WS, vec![event(number, &[])], at(1)).await.unwrap()[0].duplicate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_known_however_many_events_others_published() {
    let place = Place::new().await;
    contract::open(&place).await;
    let store = place.last.lock().unwrap().clone().unwrap();
    assert!(!is_known(&store, 7).await);
    // As if another workspace had published twenty million.
    for part in 1..20 {
        go_on_in(&place, part).await;
        store
            .append(OTHER_WS, vec![event(u64::try_from(part).unwrap(), &[])], at(1))
            .await
            .unwrap();
    }
    assert!(is_known(&store, 7).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_knows_its_share_by_partitions() {
    let place = Place::new().await;
    contract::open(&place).await;
    let store = place.last.lock().unwrap().clone().unwrap();
    for part in 0..12 {
        go_on_in(&place, part).await;
        assert!(!is_known(&store, u64::try_from(part).unwrap()).await);
    }
    assert!(!is_known(&store, 3).await, "only the newest eight partitions are looked into");
    assert!(is_known(&store, 5).await);
    let conn = store.db.get().await.unwrap();
    // Thirteen events of this workspace: with four for all, the events in the newest partitions.
    store.share.renew(&conn, 4).await.unwrap();
    assert!(is_known(&store, 9).await, "two in the newest, one in each before it");
    assert!(!is_known(&store, 8).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_deliveries_are_shared_and_old_ones_go() {
    let place = Place::new().await;
    let store = place.open().await;
    let add = async |workspace, names: std::ops::Range<u16>, second| {
        let name = |number: u16| {
            let mut name = [0; 16];
            name[..2].copy_from_slice(&number.to_le_bytes());
            (name, workspace)
        };
        let names: BTreeMap<_, _> = names.map(name).collect();
        let tx = store.db.begin().await.unwrap();
        receiving::new_names(&tx, &names, at(second)).await.unwrap();
        tx.commit().await.unwrap();
    };
    let of = async |workspace: hookyard_core::id::WorkspaceId| {
        let sql = format!("SELECT count(*) FROM delivery_ids WHERE workspace_id = {workspace}");
        number(&place.name, &sql).await
    };
    let conn = store.db.get().await.unwrap();
    let expire = async |most, now| {
        while receiving::expire_names(&conn, at(now), most).await.unwrap() > 0 {}
    };
    add(WS, 0..300, 1).await;
    add(OTHER_WS, 1_000..21_000, 2).await;
    add(OTHER_WS, 21_000..41_000, 3).await;
    expire(1_000, 4).await;
    assert_eq!((of(WS).await, of(OTHER_WS).await), (300, 700));
    let newest = "SELECT min(received_ms) FROM delivery_ids WHERE workspace_id = 2";
    assert_eq!(number(&place.name, newest).await, at(3).as_millisecond());
    add(WS, 0..1, REPEATS_FOR.as_secs() + 1).await;
    expire(1_000, REPEATS_FOR.as_secs() + 2).await;
    assert_eq!((of(WS).await, of(OTHER_WS).await), (1, 700), "what came again has a new moment");
}
