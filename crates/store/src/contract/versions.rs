use hookyard_core::id::{DatasetId, SourceId, VersionId};
use hookyard_core::model::{SourceChange, Version, VersionsKept};

use super::datasets::{ONE, cells};
use super::*;
use crate::{BatchChange, DatasetChange, RowLimit, RowQuery, StoreError};

async fn replacing(store: &SharedStore) -> (SourceId, DatasetId) {
    let made = store.create_source(new_source(Mode::Replace, "key"), at(0)).await.unwrap();
    (made.id, made.dataset)
}

async fn receive(store: &SharedStore, source: SourceId, cell: &str, second: i64) {
    store.receive(source, Bytes::from(cell.to_owned()), at(second)).await.unwrap();
}

async fn mode(store: &SharedStore, source: SourceId, mode: Mode) {
    let change = SourceChange { mode: Some(mode), ..SourceChange::default() };
    store.update_source(WS, PROJECT, source, change).await.unwrap();
}

async fn keep(store: &SharedStore, dataset: DatasetId, count: u32, bytes: u64) {
    let keep = Some(VersionsKept { count, bytes });
    let change = DatasetChange { keep, ..DatasetChange::default() };
    store.update_dataset(WS, PROJECT, dataset, change).await.unwrap();
}

async fn versions(store: &SharedStore, dataset: DatasetId) -> Vec<Version> {
    store.versions(WS, PROJECT, dataset).await.unwrap()
}

/// The cells of each version, the visible version first.
async fn held(store: &SharedStore, dataset: DatasetId) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for version in versions(store, dataset).await {
        let query = RowQuery { version: Some(version.id), ..RowQuery::default() };
        let page = store.rows_after(WS, PROJECT, dataset, query, RowLimit::NONE).await.unwrap();
        assert_eq!((page.version, page.next), (version.id, None));
        assert_eq!(version.stats.rows, page.rows.len() as u64);
        let bytes: usize = page.rows.iter().map(|row| row.cell.len()).sum();
        assert_eq!(version.stats.bytes, bytes as u64);
        let texts = page.rows.iter().map(|row| String::from_utf8(row.cell.to_vec()).unwrap());
        all.push(texts.collect());
    }
    all
}

async fn restore(store: &SharedStore, dataset: DatasetId, version: VersionId) {
    store.restore_version(WS, PROJECT, dataset, version, at(50)).await.unwrap();
}

pub(crate) async fn replaced_rows_can_be_read_and_restored(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    for (cell, second) in [("1", 1), ("22", 2), ("333", 3)] {
        receive(&store, source, cell, second).await;
    }
    assert_eq!(held(&store, dataset).await, [["333"], ["22"], ["1"]]);
    let listed = versions(&store, dataset).await;
    let replaced: Vec<_> = listed.iter().map(|version| version.replaced_at).collect();
    assert_eq!(replaced, [None, Some(at(3)), Some(at(2))]);
    assert_eq!((listed[2].began_at, listed[2].updated_at), (at(1), at(1)));

    restore(&store, dataset, listed[2].id).await;
    restore(&store, dataset, listed[2].id).await;
    assert_eq!(cells(&store, dataset).await, ["1"]);
    let found = store.dataset(WS, PROJECT, dataset).await.unwrap().unwrap();
    assert_eq!((found.version, found.updated_at, found.stats.bytes), (listed[2].id, at(50), 1));
    mode(&store, source, Mode::Combine).await;
    receive(&store, source, "4", 60).await;
    mode(&store, source, Mode::Replace).await;
    receive(&store, source, "5", 61).await;

    let store = fixture.open().await;
    assert_eq!(held(&store, dataset).await, [vec!["5"], vec!["1", "4"], vec!["333"], vec!["22"]]);
    let gone = store.restore_version(WS, PROJECT, dataset, VersionId(u64::MAX), at(70)).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
}

pub(crate) async fn a_reader_of_a_version_is_not_disturbed(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    mode(&store, source, Mode::Combine).await;
    for cell in ["1", "2", "3"] {
        receive(&store, source, cell, 1).await;
    }
    let first = RowQuery::default();
    let page = store.rows_after(WS, PROJECT, dataset, first, ONE).await.unwrap();
    mode(&store, source, Mode::Replace).await;
    receive(&store, source, "4", 2).await;

    let pinned = RowQuery { version: Some(page.version), after: page.next, ..RowQuery::default() };
    let rest = store.rows_after(WS, PROJECT, dataset, pinned, RowLimit::NONE).await.unwrap();
    let texts: Vec<_> = rest.rows.iter().map(|row| &row.cell[..]).collect();
    assert_eq!(texts, [b"2", b"3"]);
    // A reader without a version reads on in the visible version.
    let loose = RowQuery { after: page.next, ..RowQuery::default() };
    let rest = store.rows_after(WS, PROJECT, dataset, loose, RowLimit::NONE).await.unwrap();
    assert_eq!((rest.rows.len(), &rest.rows[0].cell[..]), (1, &b"4"[..]));

    // A version no longer kept is not taken for an empty version.
    keep(&store, dataset, 0, u64::MAX).await;
    let gone = store.rows_after(WS, PROJECT, dataset, pinned, ONE).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
}

pub(crate) async fn versions_are_bounded_by_count_and_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    keep(&store, dataset, 3, 100).await;
    for cell in ["1", "2", "3", "4", "5"] {
        receive(&store, source, cell, 1).await;
    }
    assert_eq!(held(&store, dataset).await, [["5"], ["4"], ["3"], ["2"]]);
    keep(&store, dataset, 3, 2).await;
    assert_eq!(held(&store, dataset).await, [["5"], ["4"], ["3"]]);
    // The last replaced version stays whatever the size: the version may be a mistake's only copy.
    receive(&store, source, "66666", 2).await;
    receive(&store, source, "7", 3).await;
    assert_eq!(held(&store, dataset).await, [["7"], ["66666"]]);
    receive(&store, source, "8", 4).await;
    assert_eq!(held(&store, dataset).await, [["8"], ["7"]]);
    keep(&store, dataset, 0, u64::MAX).await;
    receive(&store, source, "9", 4).await;
    assert_eq!(held(&store, dataset).await, [["9"]]);
    assert_eq!(held(&fixture.open().await, dataset).await, [["9"]]);
}

pub(crate) async fn many_rows_are_replaced_and_restored(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    mode(&store, source, Mode::Combine).await;
    for n in 0..600 {
        receive(&store, source, &n.to_string(), 1).await;
    }
    let many = versions(&store, dataset).await[0].id;
    mode(&store, source, Mode::Replace).await;
    receive(&store, source, "\"oops\"", 2).await;
    assert_eq!(cells(&store, dataset).await, ["\"oops\""]);
    restore(&store, dataset, many).await;
    assert_eq!(cells(&store, dataset).await.len(), 600);
    keep(&store, dataset, 1, 0).await;
    for n in 0..3 {
        receive(&store, source, &n.to_string(), 3).await;
    }
    assert_eq!(held(&store, dataset).await, [["2"], ["1"]]);
    let store = fixture.open().await;
    assert_eq!(held(&store, dataset).await, [["2"], ["1"]]);
}

pub(crate) async fn many_replacements_at_once_keep_the_newest(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    keep(&store, dataset, 2, u64::MAX).await;
    let receives = (0..200).map(|n: u32| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.receive(source, n.to_string().into(), at(1)).await })
    });
    let mut batches = Vec::new();
    for receive in receives.collect::<Vec<_>>() {
        batches.push(receive.await.unwrap().unwrap().batch);
    }
    batches.sort();
    let listed: Vec<_> = versions(&store, dataset).await.iter().map(|v| v.id.0).collect();
    let newest: Vec<_> = batches.iter().rev().take(3).map(|batch| batch.0).collect();
    assert_eq!(listed, newest);
    assert_eq!(held(&fixture.open().await, dataset).await.concat().len(), 3);
}

pub(crate) async fn versions_are_deleted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    for cell in ["1", "2", "3"] {
        receive(&store, source, cell, 1).await;
    }
    let listed = versions(&store, dataset).await;
    let delete = |version: VersionId| store.delete_version(WS, PROJECT, dataset, version);
    assert!(delete(listed[1].id).await.unwrap());
    assert!(!delete(listed[1].id).await.unwrap());
    assert!(matches!(delete(listed[0].id).await, Err(StoreError::Conflict(_))));
    assert_eq!(held(&store, dataset).await, [["3"], ["1"]]);
    // Replacing a dataset whose only batch was deleted keeps no version.
    let only = hookyard_core::id::BatchId(listed[0].id.0);
    let delete = vec![(only, BatchChange::Delete)];
    store.change_batches(WS, PROJECT, dataset, delete, at(2)).await.unwrap();
    receive(&store, source, "4", 3).await;
    assert_eq!(held(&store, dataset).await, [["4"], ["1"]]);
    assert!(store.delete_dataset(WS, PROJECT, dataset).await.unwrap());
    assert!(store.versions(WS, PROJECT, dataset).await.is_err());
}

pub(crate) async fn foreign_projects_see_no_versions(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (source, dataset) = replacing(&store).await;
    let other = store.create_source(new_source(Mode::Combine, "other"), at(0)).await.unwrap();
    receive(&store, source, "1", 1).await;
    receive(&store, source, "2", 2).await;
    let old = versions(&store, dataset).await[1].id;
    for (workspace, project, dataset) in
        [(OTHER_WS, PROJECT, dataset), (WS, ProjectId(5), dataset), (WS, PROJECT, other.dataset)]
    {
        let restored = store.restore_version(workspace, project, dataset, old, at(9)).await;
        assert!(matches!(restored, Err(StoreError::NotFound(_))));
        let deleted = store.delete_version(workspace, project, dataset, old).await;
        assert!(matches!(deleted, Ok(false) | Err(StoreError::NotFound(_))));
        let query = RowQuery { version: Some(old), ..RowQuery::default() };
        assert!(store.rows_after(workspace, project, dataset, query, ONE).await.is_err());
    }
    assert!(store.versions(OTHER_WS, PROJECT, dataset).await.is_err());
    assert_eq!(held(&store, dataset).await, [["2"], ["1"]]);
}
