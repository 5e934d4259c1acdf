use hookyard_core::id::{BatchId, DatasetId};
use hookyard_core::model::BatchState;

use super::datasets::{ONE, PAGE, cells};
use super::*;
use crate::{
    BATCHES_CHANGED_MAX, BatchChange, BatchQuery, RowLimit, RowPage, RowQuery, StoreError,
};

/// A dataset with the cells 1 to `count`, accepted a second apart, and the numbers of the batches.
async fn filled(store: &SharedStore, count: i64) -> (DatasetId, Vec<BatchId>) {
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let other = store.create_source(new_source(Mode::Combine, "other"), at(0)).await.unwrap();
    let mut ids = Vec::new();
    for n in 1..=count {
        let cell = Bytes::from(n.to_string());
        ids.push(store.receive(source.id, cell, at(n)).await.unwrap().batch);
        store.receive(other.id, Bytes::from("0"), at(n)).await.unwrap();
    }
    (source.dataset, ids)
}

fn texts(page: &RowPage) -> Vec<&str> {
    page.rows.iter().map(|row| std::str::from_utf8(&row.cell).unwrap()).collect()
}

fn rows(rows: usize) -> RowLimit {
    RowLimit { rows, bytes: u64::MAX }
}

/// All pages of a query, as their cells.
async fn pages(
    store: &SharedStore,
    dataset: DatasetId,
    query: RowQuery,
    limit: RowLimit,
) -> Vec<Vec<String>> {
    let (mut query, mut all) = (query, Vec::new());
    loop {
        let page = store.rows_after(WS, PROJECT, dataset, query, limit).await.unwrap();
        all.push(texts(&page).into_iter().map(str::to_owned).collect());
        assert!(all.len() < 100, "the pages do not end");
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

async fn change(
    store: &SharedStore,
    dataset: DatasetId,
    ids: &[BatchId],
    change: BatchChange,
) -> Result<(), StoreError> {
    let changes = ids.iter().map(|id| (*id, change)).collect();
    store.change_batches(WS, PROJECT, dataset, changes, at(99)).await
}

pub(crate) async fn pages_go_on_where_the_last_one_ended(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 5).await;
    let query = RowQuery::default();
    assert_eq!(
        pages(&store, dataset, query, rows(2)).await,
        [vec!["1", "2"], vec!["3", "4"], vec!["5"]]
    );
    assert_eq!(pages(&store, dataset, query, rows(5)).await, [["1", "2", "3", "4", "5"]]);
    let newest = RowQuery { newest_first: true, ..query };
    assert_eq!(
        pages(&store, dataset, newest, rows(3)).await,
        [vec!["5", "4", "3"], vec!["2", "1"]]
    );

    let page = store.rows_after(WS, PROJECT, dataset, query, rows(2)).await.unwrap();
    assert_eq!((page.next, page.rows[0].received_at), (Some(ids[1]), at(1)));
    change(&store, dataset, &[ids[1], ids[2]], BatchChange::Suspend).await.unwrap();
    let rest = RowQuery { after: page.next, ..query };
    assert_eq!(pages(&store, dataset, rest, rows(9)).await, [["4", "5"]]);
    let end = RowQuery { after: Some(ids[4]), ..query };
    assert_eq!(pages(&store, dataset, end, rows(9)).await, [[] as [&str; 0]]);
    let backward = RowQuery { after: Some(ids[3]), ..newest };
    assert_eq!(pages(&store, dataset, backward, rows(9)).await, [["1"]]);
    let far = RowQuery { after: Some(BatchId(u64::MAX)), ..query };
    assert_eq!(pages(&store, dataset, far, rows(9)).await, [[] as [&str; 0]]);
}

pub(crate) async fn pages_are_bounded_by_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    for cell in ["1", "22", "333", "4444444", "5"] {
        store.receive(source.id, Bytes::from(cell), at(1)).await.unwrap();
    }
    let limit = RowLimit { rows: 10, bytes: 5 };
    let all = pages(&store, source.dataset, RowQuery::default(), limit).await;
    assert_eq!(all, [vec!["1", "22"], vec!["333"], vec!["4444444"], vec!["5"]]);
    let page = store.rows_at(WS, PROJECT, source.dataset, 1, limit).await.unwrap();
    assert_eq!(texts(&page), ["22", "333"]);
}

pub(crate) async fn ranges_of_time_select_rows(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    // Times are nearly in order: the third was accepted before the second, and stored after it.
    for (cell, second) in [("a", 100), ("b", 201), ("c", 200), ("d", 1_000), ("e", 2_000)] {
        store.receive(source.id, Bytes::from(cell), at(second)).await.unwrap();
    }
    for (from, until, expected) in [
        (None, None, "abcde"),
        (Some(100), None, "abcde"),
        (Some(101), None, "bcde"),
        (Some(201), None, "bde"),
        (Some(201), Some(1_000), "b"),
        (Some(200), Some(201), "c"),
        (None, Some(200), "a"),
        (None, Some(100), ""),
        (Some(2_001), None, ""),
        (Some(1_500), Some(1_500), ""),
    ] {
        let query = RowQuery { from: from.map(at), until: until.map(at), ..RowQuery::default() };
        let found = pages(&store, source.dataset, query, ONE).await.concat().concat();
        assert_eq!(found, expected, "{from:?} to {until:?}");
        let query = RowQuery { newest_first: true, ..query };
        let found = pages(&store, source.dataset, query, ONE).await.concat().concat();
        assert_eq!(found, expected.chars().rev().collect::<String>(), "{from:?} to {until:?}");
    }
}

pub(crate) async fn offsets_count_visible_rows(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 6).await;
    let at_offset = |offset| {
        let store = Arc::clone(&store);
        async move {
            let page = store.rows_at(WS, PROJECT, dataset, offset, rows(2)).await.unwrap();
            texts(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
        }
    };
    assert_eq!(at_offset(0).await, ["1", "2"]);
    assert_eq!(at_offset(3).await, ["4", "5"]);
    change(&store, dataset, &[ids[0], ids[3]], BatchChange::Suspend).await.unwrap();
    assert_eq!(at_offset(0).await, ["2", "3"]);
    assert_eq!(at_offset(2).await, ["5", "6"]);
    assert_eq!(at_offset(4).await, [] as [&str; 0]);
    change(&store, dataset, &[ids[0]], BatchChange::Restore).await.unwrap();
    change(&store, dataset, &[ids[1]], BatchChange::Delete).await.unwrap();
    assert_eq!(at_offset(0).await, ["1", "3"]);
    assert_eq!(at_offset(u64::MAX).await, [] as [&str; 0]);
}

pub(crate) async fn batches_are_suspended_restored_and_deleted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 4).await;
    let stats = |store: &SharedStore| {
        let store = Arc::clone(store);
        async move {
            let found = store.dataset(WS, PROJECT, dataset).await.unwrap().unwrap();
            (found.stats.rows, found.stats.suspended, found.updated_at)
        }
    };
    for _ in 0..2 {
        change(&store, dataset, &ids[1..3], BatchChange::Suspend).await.unwrap();
        assert_eq!(cells(&store, dataset).await, ["1", "4"]);
        assert_eq!(stats(&store).await, (2, 2, at(99)));
    }
    let batch = store.batch(WS, PROJECT, dataset, ids[1]).await.unwrap().unwrap();
    assert_eq!((batch.state, batch.bytes), (BatchState::Suspended, 1));
    change(&store, dataset, &ids[..2], BatchChange::Restore).await.unwrap();
    assert_eq!(cells(&store, dataset).await, ["1", "2", "4"]);
    change(&store, dataset, &ids[2..], BatchChange::Delete).await.unwrap();
    assert!(store.batch(WS, PROJECT, dataset, ids[2]).await.unwrap().is_none());

    let store = fixture.open().await;
    assert_eq!(cells(&store, dataset).await, ["1", "2"]);
    assert_eq!(stats(&store).await, (2, 0, at(99)));
    assert_eq!(store.batches(WS, PROJECT, dataset, PAGE).await.unwrap().len(), 2);
}

pub(crate) async fn changes_are_all_or_none(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 2).await;
    // The batch between the two is another dataset's.
    let foreign = BatchId(ids[0].0 + 1);
    for kind in [BatchChange::Suspend, BatchChange::Restore, BatchChange::Delete] {
        for wrong in [foreign, BatchId(0), BatchId(u64::MAX)] {
            let changed = change(&store, dataset, &[ids[0], wrong], kind).await;
            assert!(matches!(changed, Err(StoreError::NotFound(_))), "{kind:?} {wrong}");
        }
    }
    let many = vec![ids[0]; BATCHES_CHANGED_MAX + 1];
    let refused = change(&store, dataset, &many, BatchChange::Suspend).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert_eq!(cells(&store, dataset).await, ["1", "2"]);
    change(&store, dataset, &[], BatchChange::Delete).await.unwrap();
    let twice = change(&store, dataset, &[ids[0], ids[0]], BatchChange::Suspend).await;
    twice.unwrap();
    assert_eq!(cells(&store, dataset).await, ["2"]);
}

pub(crate) async fn batches_are_listed_by_state(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 6).await;
    change(&store, dataset, &[ids[1], ids[4]], BatchChange::Suspend).await.unwrap();
    let listed = |query: BatchQuery| {
        let store = Arc::clone(&store);
        async move {
            let found = store.batches(WS, PROJECT, dataset, query).await.unwrap();
            found.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed(PAGE).await, ids);
    let suspended = BatchQuery { state: Some(BatchState::Suspended), ..PAGE };
    assert_eq!(listed(suspended).await, [ids[1], ids[4]]);
    let active = BatchQuery { state: Some(BatchState::Active), ..PAGE };
    assert_eq!(listed(active).await, [ids[0], ids[2], ids[3], ids[5]]);
    let page = BatchQuery { offset: 1, limit: 2, ..active };
    assert_eq!(listed(page).await, [ids[2], ids[3]]);
    let backward = BatchQuery { newest_first: true, after: Some(ids[4]), limit: 2, ..active };
    assert_eq!(listed(backward).await, [ids[3], ids[2]]);
    let early = BatchQuery { from: Some(at(2)), until: Some(at(4)), ..PAGE };
    assert_eq!(listed(early).await, [ids[1], ids[2]]);
    let late = BatchQuery { from: Some(at(5)), newest_first: true, ..active };
    assert_eq!(listed(late).await, [ids[5]]);
    let forward = BatchQuery { after: Some(ids[4]), ..PAGE };
    assert_eq!(listed(forward).await, [ids[5]]);
}

pub(crate) async fn foreign_projects_see_no_rows(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (dataset, ids) = filled(&store, 1).await;
    for (workspace, project) in [(OTHER_WS, PROJECT), (WS, ProjectId(5))] {
        let query = RowQuery::default();
        assert!(store.rows_after(workspace, project, dataset, query, ONE).await.is_err());
        for kind in [BatchChange::Suspend, BatchChange::Delete] {
            let changes = vec![(ids[0], kind)];
            let changed = store.change_batches(workspace, project, dataset, changes, at(9));
            assert!(matches!(changed.await, Err(StoreError::NotFound(_))));
        }
    }
    assert_eq!(cells(&store, dataset).await, ["1"]);
}
