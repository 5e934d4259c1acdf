use hookyard_core::id::DatasetId;
use hookyard_core::model::SourceChange;

use super::*;
use crate::{BatchQuery, StoreError};

const PAGE: BatchQuery = BatchQuery { newest_first: false, offset: 0, limit: 100 };

async fn cells(store: &SharedStore, dataset: DatasetId) -> Vec<String> {
    let rows = store.rows(WS, PROJECT, dataset, 0, usize::MAX).await.unwrap();
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
    let newest = BatchQuery { newest_first: true, offset: 1, limit: 1 };
    let page = store.batches(WS, PROJECT, combine.dataset, newest).await.unwrap();
    assert_eq!(page, [batches[1].clone()]);
    let page = store.rows(WS, PROJECT, combine.dataset, 1, 1).await.unwrap();
    assert_eq!(page[0].cell, "[2]");
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
    let rows = store.rows(WS, PROJECT, made.dataset, 0, 1).await;
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
        assert!(store.rows(workspace, project, made.dataset, 0, 1).await.is_err());
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
