use hookyard_core::id::DatasetId;
use hookyard_core::model::{Columns, SourceChange, VersionsKept};

use super::*;
use crate::{BatchQuery, DatasetChange, DatasetQuery, NewDataset, RowLimit, StoreError};

pub(super) const PAGE: BatchQuery = BatchQuery {
    state: None,
    after: None,
    from: None,
    until: None,
    newest_first: false,
    offset: 0,
    limit: 100,
};

pub(super) const ONE: RowLimit = RowLimit { rows: 1, bytes: u64::MAX };

/// The visible cells, after checking that the counters say the same.
pub(super) async fn cells(store: &SharedStore, dataset: DatasetId) -> Vec<String> {
    let rows = store.rows_at(WS, PROJECT, dataset, 0, RowLimit::NONE).await.unwrap().rows;
    let stats = store.dataset(WS, PROJECT, dataset).await.unwrap().unwrap().stats;
    assert_eq!(stats.rows, rows.len() as u64);
    assert_eq!(stats.bytes, rows.iter().map(|row| row.cell.len() as u64).sum::<u64>());
    rows.iter().map(|row| String::from_utf8(row.cell.to_vec()).unwrap()).collect()
}

pub(crate) async fn combine_appends_and_replace_replaces(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let combine = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let replace = store.create_source(new_source(Mode::Replace, "b"), at(0)).await.unwrap();
    for cell in ["1", "[2]", r#"{"n": 1.0}"#] {
        store.receive(combine.id, Bytes::from(cell), at(1)).await.unwrap();
        store.receive(replace.id, Bytes::from(cell), at(2)).await.unwrap();
    }
    assert_eq!(cells(&store, combine.dataset).await, ["1", "[2]", r#"{"n": 1.0}"#]);
    assert_eq!(cells(&store, replace.dataset).await, [r#"{"n": 1.0}"#]);
    let batches = store.batches(WS, PROJECT, combine.dataset, PAGE).await.unwrap();
    assert_eq!(batches.len(), 3);
    assert_eq!((batches[1].bytes, batches[1].received_at), (3, at(1)));
    let one = store.batch(WS, PROJECT, combine.dataset, batches[1].id).await.unwrap();
    assert_eq!(one.as_ref(), Some(&batches[1]));
    let newest = BatchQuery { newest_first: true, offset: 1, limit: 1, ..PAGE };
    let page = store.batches(WS, PROJECT, combine.dataset, newest).await.unwrap();
    assert_eq!(page, [batches[1].clone()]);
    let page = store.rows_at(WS, PROJECT, combine.dataset, 1, ONE).await.unwrap();
    assert_eq!((page.rows[0].cell.as_ref(), page.next), (&b"[2]"[..], Some(batches[1].id)));
}

pub(crate) async fn switching_to_replace_hides_many_rows(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    for n in 0..1_200 {
        store.receive(source.id, Bytes::from(n.to_string()), at(1)).await.unwrap();
    }
    assert_eq!(cells(&store, source.dataset).await.len(), 1_200);
    let change = SourceChange { mode: Some(Mode::Replace), ..SourceChange::default() };
    store.update_source(WS, PROJECT, source.id, change).await.unwrap();
    assert_eq!(cells(&store, source.dataset).await.len(), 1_200);
    store.receive(source.id, Bytes::from("\"last\""), at(2)).await.unwrap();
    assert_eq!(cells(&store, source.dataset).await, ["\"last\""]);
    assert_eq!(cells(&fixture.open().await, source.dataset).await, ["\"last\""]);
}

pub(crate) async fn sources_and_datasets_live_apart(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    store.receive(made.id, Bytes::from("1"), at(1)).await.unwrap();
    let change = SourceChange {
        origins: Some("https://a.example".to_owned()),
        secret: Some(None),
        ..SourceChange::default()
    };
    let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    assert_eq!((changed.spec.secret.as_ref(), changed.spec.mode), (None, Mode::Combine));

    let store = fixture.open().await;
    assert_eq!(store.source_by_key("key").await.unwrap(), Some(Arc::clone(&changed)));
    assert_eq!(store.source_by_key("KEY").await.unwrap(), None);
    assert_eq!(store.sources(WS, PROJECT).await.unwrap(), [Arc::clone(&changed)]);
    assert!(store.delete_source(WS, PROJECT, made.id).await.unwrap());
    assert!(!store.delete_source(WS, PROJECT, made.id).await.unwrap());
    let late = store.receive(made.id, Bytes::from("2"), at(2)).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    assert_eq!(store.source_by_key("key").await.unwrap(), None);
    assert_eq!(cells(&store, made.dataset).await, ["1"]);
    assert!(store.dataset(WS, PROJECT, made.dataset).await.unwrap().unwrap().source.is_none());
}

pub(crate) async fn deleting_a_dataset_takes_its_source(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    for n in 0..40 {
        store.receive(made.id, Bytes::from(n.to_string()), at(1)).await.unwrap();
    }
    assert!(store.delete_dataset(WS, PROJECT, made.dataset).await.unwrap());
    assert!(!store.delete_dataset(WS, PROJECT, made.dataset).await.unwrap());
    assert!(store.source(WS, PROJECT, made.id).await.unwrap().is_none());
    assert!(store.datasets(WS, PROJECT).await.unwrap().is_empty());
    let rows = store.rows_at(WS, PROJECT, made.dataset, 0, ONE).await;
    assert!(matches!(rows, Err(StoreError::NotFound(_))));
}

pub(crate) async fn rows_survive(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let receives = (0..200).map(|n| {
        let store = Arc::clone(&store);
        let id = made.id;
        tokio::spawn(async move { store.receive(id, Bytes::from(format!("{n}")), at(1)).await })
    });
    for receive in receives.collect::<Vec<_>>() {
        receive.await.unwrap().unwrap();
    }
    let store = fixture.open().await;
    assert_eq!(cells(&store, made.dataset).await.len(), 200);
    let next = store.receive(made.id, Bytes::from("9"), at(2)).await.unwrap();
    let batches = store.batches(WS, PROJECT, made.dataset, BatchQuery { limit: 500, ..PAGE });
    assert_eq!(batches.await.unwrap().last().unwrap().id, next.batch);
}

pub(crate) async fn foreign_projects_see_nothing(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let batch = store.receive(made.id, Bytes::from("1"), at(1)).await.unwrap().batch;
    for (workspace, project) in [(OTHER_WS, PROJECT), (WS, ProjectId(5))] {
        assert!(store.source(workspace, project, made.id).await.unwrap().is_none());
        assert!(store.sources(workspace, project).await.unwrap().is_empty());
        assert!(store.datasets(workspace, project).await.unwrap().is_empty());
        assert!(store.dataset(workspace, project, made.dataset).await.unwrap().is_none());
        assert!(!store.delete_source(workspace, project, made.id).await.unwrap());
        assert!(!store.delete_dataset(workspace, project, made.dataset).await.unwrap());
        assert!(store.rows_at(workspace, project, made.dataset, 0, ONE).await.is_err());
        let change = DatasetChange { name: Some("x".to_owned()), ..DatasetChange::default() };
        assert!(store.update_dataset(workspace, project, made.dataset, change).await.is_err());
        assert!(store.batches(workspace, project, made.dataset, PAGE).await.is_err());
        assert!(store.batch(workspace, project, made.dataset, batch).await.is_err());
        let change = SourceChange::default();
        assert!(store.update_source(workspace, project, made.id, change).await.is_err());
    }
    let nowhere = NewSource { project: ProjectId(5), ..new_source(Mode::Combine, "x") };
    let refused = store.create_source(nowhere, at(0)).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))));
    assert_eq!(cells(&store, made.dataset).await, ["1"]);
}

fn plain(name: &str) -> NewDataset {
    let keep = VersionsKept::default();
    NewDataset { workspace: WS, project: PROJECT, name: name.to_owned(), folder: None, keep }
}

pub(crate) async fn a_dataset_needs_no_source(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_dataset(plain("events"), at(5)).await.unwrap();
    assert_eq!((made.created_at, made.revision, made.source.as_ref()), (at(5), 1, None));
    for n in 1..=3 {
        let cell = Bytes::from(n.to_string());
        let received = store.append_row(WS, made.id, cell, at(5 + n)).await.unwrap();
        assert_eq!(received.dataset, made.id);
    }
    assert_eq!(cells(&store, made.id).await, ["1", "2", "3"]);
    let found = store.find_dataset(WS, made.id).await.unwrap().unwrap();
    assert_eq!((found.updated_at, found.stats.rows, found.version), (at(8), 3, made.version));
    for (workspace, id) in [(OTHER_WS, made.id), (WS, DatasetId(made.id.0 + 1))] {
        let refused = store.append_row(workspace, id, Bytes::from("1"), at(9)).await;
        assert!(matches!(refused, Err(StoreError::NotFound(_))));
        assert!(store.find_dataset(workspace, id).await.unwrap().is_none());
    }
    let nowhere = NewDataset { project: ProjectId(5), ..plain("x") };
    assert!(store.create_dataset(nowhere, at(0)).await.is_err());
    let in_no_folder = NewDataset { folder: Some(hookyard_core::id::FolderId(1)), ..plain("x") };
    assert!(store.create_dataset(in_no_folder, at(0)).await.is_err());
    assert_eq!(store.datasets(WS, PROJECT).await.unwrap().len(), 1);
}

pub(crate) async fn datasets_are_listed_by_what_is_asked(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    for name in ["Orders", "orders of today", "parcels"] {
        store.create_dataset(plain(name), at(0)).await.unwrap();
    }
    let names = |query| {
        let store = Arc::clone(&store);
        async move {
            let found = store.find_datasets(WS, query).await.unwrap();
            found.into_iter().map(|dataset| dataset.name).collect::<Vec<_>>()
        }
    };
    let all = DatasetQuery { limit: 10, ..DatasetQuery::default() };
    assert_eq!(names(all.clone()).await, ["Orders", "orders of today", "parcels"]);
    let named = DatasetQuery { name: Some("ORDER".to_owned()), ..all.clone() };
    assert_eq!(names(named.clone()).await, ["Orders", "orders of today"]);
    assert_eq!(names(DatasetQuery { limit: 1, ..named }).await, ["Orders"]);
    let first = store.find_datasets(WS, all.clone()).await.unwrap()[0].id;
    let rest = DatasetQuery { after: Some(first), ..all.clone() };
    assert_eq!(names(rest).await, ["orders of today", "parcels"]);
    let elsewhere = DatasetQuery { project: Some(ProjectId(5)), ..all.clone() };
    assert!(names(elsewhere).await.is_empty());
    let top = DatasetQuery { folder: Some(None), ..all.clone() };
    assert_eq!(names(top).await.len(), 3);
    assert!(store.find_datasets(OTHER_WS, all).await.unwrap().is_empty());
}

pub(crate) async fn settings_change_by_revision(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let columns = Columns { name: Some("payload".to_owned()), batch: Vec::new() };
    let keep = VersionsKept { count: 3, bytes: 7 };
    let change = DatasetChange {
        if_revision: Some(1),
        name: Some("orders".to_owned()),
        keep: Some(keep),
        columns: Some(columns.clone()),
        ..DatasetChange::default()
    };
    let changed = store.update_dataset(WS, PROJECT, made.dataset, change.clone()).await.unwrap();
    assert_eq!((changed.revision, changed.keep, &changed.columns), (2, keep, &columns));
    assert_eq!(changed.source.as_ref().unwrap().spec.name, "orders");
    let stale = store.update_dataset(WS, PROJECT, made.dataset, change).await;
    assert!(matches!(stale, Err(StoreError::Conflict(_))));

    let store = fixture.open().await;
    let found = store.dataset(WS, PROJECT, made.dataset).await.unwrap().unwrap();
    assert_eq!(found, changed);
    assert_eq!(found.source.unwrap().spec.name, "orders");
}

pub(crate) async fn numbers_are_not_used_again(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let mut last = store.receive(made.id, Bytes::from("1"), at(1)).await.unwrap().batch;
    for delete_all in [false, true] {
        if delete_all {
            assert!(store.delete_dataset(WS, PROJECT, made.dataset).await.unwrap());
        } else {
            let delete = vec![(last, crate::BatchChange::Delete)];
            let changed = store.change_batches(WS, PROJECT, made.dataset, delete, at(2));
            changed.await.unwrap();
        }
        let store = fixture.open().await;
        let other = store.create_dataset(plain("other"), at(3)).await.unwrap();
        let next = store.append_row(WS, other.id, Bytes::from("2"), at(3)).await.unwrap().batch;
        assert!(next > last && other.version.0 > last.0, "{next} after {last}");
        last = next;
    }
}
