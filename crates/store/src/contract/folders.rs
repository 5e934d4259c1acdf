use hookyard_core::id::{FolderId, JobId};
use hookyard_core::model::{Folder, VersionsKept};

use super::*;
use crate::{
    DatasetChange, DatasetQuery, FOLDER_DEPTH_MAX, FolderChange, FolderContents, JOBS_KEPT,
    NewDataset, NewFolder, NewJob, StoreError,
};

fn new(name: &str, parent: Option<FolderId>) -> NewFolder {
    NewFolder { workspace: WS, project: PROJECT, name: name.to_owned(), parent }
}

async fn make(store: &SharedStore, name: &str, parent: Option<FolderId>) -> Folder {
    store.create_folder(new(name, parent), at(1)).await.unwrap()
}

async fn dataset(store: &SharedStore, name: &str, folder: Option<FolderId>) {
    let keep = VersionsKept::default();
    let new = NewDataset { workspace: WS, project: PROJECT, name: name.to_owned(), folder, keep };
    store.create_dataset(new, at(1)).await.unwrap();
}

async fn datasets(store: &SharedStore, folder: Option<FolderId>) -> Vec<String> {
    let query = DatasetQuery { folder: Some(folder), limit: 10, ..DatasetQuery::default() };
    let found = store.find_datasets(WS, query).await.unwrap();
    found.into_iter().map(|dataset| dataset.name).collect()
}

pub(crate) async fn folders_hold_datasets_and_folders(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = make(&store, "shop", None).await;
    let orders = make(&store, "orders", Some(shop.id)).await;
    dataset(&store, "a", Some(shop.id)).await;
    dataset(&store, "b", Some(orders.id)).await;
    dataset(&store, "c", None).await;
    assert_eq!(datasets(&store, Some(orders.id)).await, ["b"]);
    assert_eq!(datasets(&store, None).await, ["c"]);

    let moved = FolderChange { name: Some("all orders".to_owned()), parent: Some(None) };
    let moved = store.update_folder(WS, PROJECT, orders.id, moved, at(2)).await.unwrap();
    assert_eq!((moved.name.as_str(), moved.parent, moved.updated_at), ("all orders", None, at(2)));
    let store = fixture.open().await;
    assert_eq!(store.folders(WS, PROJECT).await.unwrap(), [shop.clone(), moved.clone()]);
    assert_eq!(store.find_folder(WS, orders.id).await.unwrap(), Some(moved));

    let a = store.find_datasets(WS, DatasetQuery { limit: 1, ..DatasetQuery::default() });
    let a = a.await.unwrap()[0].id;
    let change = DatasetChange { folder: Some(Some(orders.id)), ..DatasetChange::default() };
    let changed = store.update_dataset(WS, PROJECT, a, change).await.unwrap();
    assert_eq!(changed.folder, Some(orders.id));
    let nowhere = DatasetChange { folder: Some(Some(FolderId(99))), ..DatasetChange::default() };
    assert!(store.update_dataset(WS, PROJECT, a, nowhere).await.is_err());
}

pub(crate) async fn a_source_is_put_in_the_folder_it_names(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = make(&store, "shop", None).await;
    for (key, label, folder) in
        [("a", format!("label_{}", shop.id), Some(shop.id)), ("b", "label_1363".to_owned(), None)]
    {
        let new = NewSource { folder: Some(label), ..new_source(Mode::Combine, key) };
        let made = store.create_source(new, at(0)).await.unwrap();
        let dataset = store.find_dataset(WS, made.dataset).await.unwrap().unwrap();
        assert_eq!(dataset.folder, folder, "{key}");
    }
}

pub(crate) async fn a_removed_folder_leaves_or_takes_what_is_in_it(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let outer = make(&store, "outer", None).await;
    let inner = make(&store, "inner", Some(outer.id)).await;
    let innermost = make(&store, "innermost", Some(inner.id)).await;
    dataset(&store, "a", Some(inner.id)).await;
    dataset(&store, "b", Some(innermost.id)).await;
    dataset(&store, "c", None).await;
    let delete = |id, contents| store.delete_folder(WS, PROJECT, id, contents);
    assert!(delete(inner.id, FolderContents::Move).await.unwrap());
    assert!(!delete(inner.id, FolderContents::Move).await.unwrap());
    assert_eq!(datasets(&store, Some(outer.id)).await, ["a"]);
    let left = store.find_folder(WS, innermost.id).await.unwrap().unwrap();
    assert_eq!(left.parent, Some(outer.id));
    assert!(delete(outer.id, FolderContents::Delete).await.unwrap());
    assert!(store.folders(WS, PROJECT).await.unwrap().is_empty());
    let left = store.datasets(WS, PROJECT).await.unwrap();
    assert_eq!(left.iter().map(|dataset| dataset.name.as_str()).collect::<Vec<_>>(), ["c"]);
}

pub(crate) async fn folders_are_no_ring_and_not_too_deep(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut chain = vec![make(&store, "0", None).await.id];
    for level in 1..FOLDER_DEPTH_MAX {
        chain.push(make(&store, &level.to_string(), chain.last().copied()).await.id);
    }
    let deeper = store.create_folder(new("x", chain.last().copied()), at(1)).await;
    assert!(matches!(deeper, Err(StoreError::Conflict(_))));
    let put = |id, parent| {
        let change = FolderChange { parent: Some(Some(parent)), ..FolderChange::default() };
        store.update_folder(WS, PROJECT, id, change, at(2))
    };
    for (id, parent) in [(chain[0], chain[3]), (chain[2], chain[2])] {
        assert!(matches!(put(id, parent).await, Err(StoreError::Conflict(_))));
    }
    let other = make(&store, "other", None).await.id;
    assert!(matches!(put(chain[0], other).await, Err(StoreError::Conflict(_))));
    put(chain[1], other).await.unwrap();
    assert!(matches!(put(other, FolderId(99)).await, Err(StoreError::NotFound(_))));
}

pub(crate) async fn foreign_projects_see_no_folders(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = make(&store, "shop", None).await;
    for (workspace, project) in [(OTHER_WS, PROJECT), (WS, ProjectId(5))] {
        assert!(store.folders(workspace, project).await.unwrap().is_empty());
        let into = NewFolder { workspace, project, ..new("x", Some(shop.id)) };
        assert!(store.create_folder(into, at(1)).await.is_err());
        let change = FolderChange::default();
        assert!(store.update_folder(workspace, project, shop.id, change, at(2)).await.is_err());
        let contents = FolderContents::Delete;
        assert!(!store.delete_folder(workspace, project, shop.id, contents).await.unwrap());
    }
    assert!(store.find_folder(OTHER_WS, shop.id).await.unwrap().is_none());
    let keep = VersionsKept::default();
    let into = NewDataset {
        workspace: OTHER_WS,
        project: PROJECT,
        name: "x".to_owned(),
        folder: Some(shop.id),
        keep,
    };
    assert!(store.create_dataset(into, at(1)).await.is_err());
    assert_eq!(store.folders(WS, PROJECT).await.unwrap(), [shop]);
}

pub(crate) async fn jobs_are_kept_and_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let new = |number: usize| NewJob {
        operation: "delete_batches".to_owned(),
        path: format!("/{number}"),
        response: "{}".to_owned(),
        project: PROJECT,
    };
    let foreign = store.add_job(OTHER_WS, new(0), at(1)).await.unwrap();
    let first = store.add_job(WS, new(1), at(2)).await.unwrap();
    assert_eq!((first.created_at, first.path.as_str()), (at(2), "/1"));
    assert_eq!(store.job(WS, first.id).await.unwrap().unwrap().project, Some(PROJECT));
    assert!(store.job(WS, foreign.id).await.unwrap().is_none());
    assert_eq!(fixture.open().await.job(WS, first.id).await.unwrap(), Some(first.clone()));
    for number in 0..JOBS_KEPT {
        store.add_job(WS, new(number), at(3)).await.unwrap();
    }
    assert!(store.job(WS, first.id).await.unwrap().is_none());
    assert!(store.job(WS, JobId(first.id.0 + 1)).await.unwrap().is_some());
    assert!(store.job(OTHER_WS, foreign.id).await.unwrap().is_some());
}
