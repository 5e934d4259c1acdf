use hookyard_core::id::{DatasetId, FolderId};
use hookyard_core::model::{Dataset, Folder, VersionsKept};

use super::datasets::cells;
use super::*;
use crate::{
    DatasetChange, DatasetQuery, FOLDERS_MAX, FolderChange, FolderContents, NewDataset, NewFolder,
    StoreError,
};

async fn make(store: &SharedStore, name: &str, folder: Option<FolderId>) -> DatasetId {
    let keep = VersionsKept::default();
    let new = NewDataset { workspace: WS, project: PROJECT, name: name.to_owned(), folder, keep };
    store.create_dataset(new, at(1)).await.unwrap().id
}

async fn folder(store: &SharedStore, name: &str, parent: Option<FolderId>) -> FolderId {
    let new = NewFolder { workspace: WS, project: PROJECT, name: name.to_owned(), parent };
    store.create_folder(new, at(1)).await.unwrap().id
}

async fn trash(store: &SharedStore, ids: &[DatasetId], second: i64) -> Vec<Dataset> {
    store.trash_datasets(WS, PROJECT, ids.to_vec(), at(second)).await.unwrap()
}

async fn restore(store: &SharedStore, ids: &[DatasetId]) -> Vec<Dataset> {
    store.restore_datasets(WS, PROJECT, ids.to_vec(), at(50)).await.unwrap()
}

/// The datasets in the trash, or the datasets outside.
async fn listed(store: &SharedStore, trashed: bool) -> Vec<DatasetId> {
    let query = DatasetQuery { trashed, limit: 100, ..DatasetQuery::default() };
    let found = store.find_datasets(WS, query).await.unwrap();
    assert!(found.iter().all(|dataset| dataset.trashed.is_some() == trashed));
    found.into_iter().map(|dataset| dataset.id).collect()
}

/// The names of the folders from a dataset to the top, from the inside.
async fn way(store: &SharedStore, id: DatasetId) -> Vec<String> {
    let all: Vec<Folder> = store.folders(WS, PROJECT).await.unwrap();
    let mut next = store.find_dataset(WS, id).await.unwrap().unwrap().folder;
    let mut names = Vec::new();
    while let Some(id) = next {
        let folder = all.iter().find(|folder| folder.id == id).unwrap();
        names.push(folder.name.clone());
        next = folder.parent;
    }
    names
}

pub(crate) async fn a_trashed_dataset_is_in_no_list_and_goes_on(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "key"), at(0)).await.unwrap();
    let replaced = store.create_source(new_source(Mode::Replace, "other"), at(0)).await.unwrap();
    let other = make(&store, "other", None).await;
    let gone = DatasetId(9_999);
    store.receive(source.id, Bytes::from("1"), at(1)).await.unwrap();
    let usage = store.usage(WS).await.unwrap();
    let found = trash(&store, &[source.dataset, gone, replaced.dataset], 5).await;
    let ids = [source.dataset, replaced.dataset];
    assert_eq!(found.iter().map(|dataset| dataset.id).collect::<Vec<_>>(), ids);
    assert_eq!(found[0].trashed.as_ref().map(|trashed| trashed.at), Some(at(5)));
    assert_eq!((found[0].revision, found[0].source.as_ref()), (2, Some(&source)));
    assert_eq!(trash(&store, &[source.dataset], 9).await, found[..1], "it is there already");
    assert_eq!(store.find_dataset(WS, source.dataset).await.unwrap().as_ref(), Some(&found[0]));

    let store = fixture.open().await;
    assert_eq!(listed(&store, false).await, [other]);
    assert_eq!(listed(&store, true).await, ids);
    let all = store.datasets(WS, PROJECT).await.unwrap();
    assert_eq!(all.iter().map(|dataset| dataset.id).collect::<Vec<_>>(), [other]);
    assert_eq!(store.dataset(WS, PROJECT, source.dataset).await.unwrap().as_ref(), Some(&found[0]));
    assert_eq!(store.usage(WS).await.unwrap(), usage, "it is stored all the same");
    // Sources of a dataset in the trash lose nothing.
    store.receive(source.id, Bytes::from("2"), at(6)).await.unwrap();
    store.append_row(WS, source.dataset, Bytes::from("3"), at(7)).await.unwrap();
    for cell in ["4", "5"] {
        store.receive(replaced.id, Bytes::from(cell), at(8)).await.unwrap();
    }
    assert_eq!(cells(&store, source.dataset).await, ["1", "2", "3"]);
    let back = restore(&store, &[source.dataset, gone]).await;
    assert_eq!((back.len(), back[0].revision, back[0].trashed.as_ref()), (1, 3, None));
    assert_eq!(back, restore(&store, &[source.dataset]).await, "it is back already");
    let store = fixture.open().await;
    assert_eq!(listed(&store, true).await, [replaced.dataset]);
    assert_eq!(cells(&store, source.dataset).await, ["1", "2", "3"]);
    assert_eq!(cells(&store, replaced.dataset).await, ["5"]);
    assert!(store.delete_dataset(WS, PROJECT, replaced.dataset).await.unwrap());
    assert!(listed(&store, true).await.is_empty());
}

pub(crate) async fn a_restored_dataset_is_in_its_folder_again(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = folder(&store, "shop", None).await;
    let orders = folder(&store, "orders", Some(shop)).await;
    let (a, b, c) = (
        make(&store, "a", Some(orders)).await,
        make(&store, "b", Some(orders)).await,
        make(&store, "c", None).await,
    );
    let found = trash(&store, &[a, b, c], 2).await;
    let paths: Vec<_> = found.iter().map(|one| one.trashed.as_ref().unwrap().path.len()).collect();
    assert_eq!(paths, [2, 2, 0]);
    // The folder is found by its number, whatever the present name.
    let name = Some("all orders".to_owned());
    let renamed = FolderChange { name, ..FolderChange::default() };
    store.update_folder(WS, PROJECT, orders, renamed, at(3)).await.unwrap();
    restore(&store, &[a, c]).await;
    assert_eq!(way(&store, a).await, ["all orders", "shop"]);
    assert!(way(&store, c).await.is_empty());

    // Once the folder is gone, by the names of the path.
    let store = fixture.open().await;
    assert!(store.delete_folder(WS, PROJECT, orders, FolderContents::Move).await.unwrap());
    assert_eq!(way(&store, a).await, ["shop"], "what is not in the trash moves up");
    restore(&store, &[b]).await;
    assert_eq!(way(&store, b).await, ["orders", "shop"]);
    assert_eq!(store.folders(WS, PROJECT).await.unwrap().len(), 2);

    // A move during the time in the trash decides the later place.
    trash(&store, &[a, b], 4).await;
    for (id, folder) in [(a, None), (b, Some(shop))] {
        let change = DatasetChange { folder: Some(folder), ..DatasetChange::default() };
        let changed = store.update_dataset(WS, PROJECT, id, change).await.unwrap();
        assert_eq!(changed.trashed.as_ref().map(|trashed| trashed.at), Some(at(4)));
    }
    store.delete_folder(WS, PROJECT, shop, FolderContents::Delete).await.unwrap();
    restore(&store, &[a, b]).await;
    assert!(way(&store, a).await.is_empty());
    assert_eq!(way(&store, b).await, ["shop"]);
}

pub(crate) async fn a_folder_goes_and_its_datasets_are_trashed(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = folder(&store, "shop", None).await;
    let orders = folder(&store, "orders", Some(shop)).await;
    let empty = folder(&store, "empty", None).await;
    let (inner, outer) =
        (make(&store, "inner", Some(orders)).await, make(&store, "outer", Some(shop)).await);
    let (before, top) = (make(&store, "before", Some(shop)).await, make(&store, "top", None).await);
    trash(&store, &[before], 2).await;
    let trashed = store.trash_folder(WS, PROJECT, shop, at(3)).await.unwrap().unwrap();
    let ids: Vec<_> = trashed.iter().map(|dataset| dataset.id).collect();
    assert_eq!(ids, [inner, outer], "one that was in the trash was not put there now");
    assert_eq!(trashed[0].trashed.as_ref().unwrap().path, ["shop", "orders"]);
    assert_eq!(store.trash_folder(WS, PROJECT, shop, at(3)).await.unwrap(), None);
    let none = store.trash_folder(WS, PROJECT, empty, at(3)).await.unwrap();
    assert_eq!(none, Some(Vec::new()));

    let store = fixture.open().await;
    assert!(store.folders(WS, PROJECT).await.unwrap().is_empty());
    assert_eq!(listed(&store, false).await, [top]);
    assert_eq!(store.find_dataset(WS, inner).await.unwrap().as_ref(), Some(&trashed[0]));
    restore(&store, &[inner, before, outer]).await;
    assert_eq!(way(&store, inner).await, ["orders", "shop"]);
    assert_eq!(way(&store, outer).await, ["shop"]);
    assert_eq!(way(&store, before).await, ["shop"]);
    assert_eq!(store.folders(WS, PROJECT).await.unwrap().len(), 2, "each is made once");
}

pub(crate) async fn removed_folders_leave_the_trash_alone(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = folder(&store, "shop", None).await;
    let orders = folder(&store, "orders", Some(shop)).await;
    let (seen, hidden) =
        (make(&store, "seen", Some(orders)).await, make(&store, "hidden", Some(orders)).await);
    trash(&store, &[hidden], 2).await;
    store.delete_folder(WS, PROJECT, shop, FolderContents::Delete).await.unwrap();
    assert!(store.find_dataset(WS, seen).await.unwrap().is_none());
    assert_eq!(listed(&store, true).await, [hidden]);
    assert_eq!(store.find_dataset(WS, hidden).await.unwrap().unwrap().folder, None);
    restore(&store, &[hidden]).await;
    assert_eq!(way(&store, hidden).await, ["orders", "shop"]);
}

pub(crate) async fn a_full_project_restores_at_its_top(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = folder(&store, "shop", None).await;
    let dataset = make(&store, "a", Some(shop)).await;
    store.trash_folder(WS, PROJECT, shop, at(2)).await.unwrap();
    for n in 0..FOLDERS_MAX {
        folder(&store, &n.to_string(), None).await;
    }
    assert_eq!(restore(&store, &[dataset]).await[0].folder, None);
    assert_eq!(listed(&store, false).await, [dataset]);
}

pub(crate) async fn the_oldest_are_purged(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Replace, "key"), at(0)).await.unwrap();
    for n in 0..40 {
        store.receive(source.id, Bytes::from(n.to_string()), at(1)).await.unwrap();
    }
    let mut ids = vec![source.dataset];
    for name in ["a", "b", "c", "d"] {
        ids.push(make(&store, name, None).await);
    }
    for (second, id) in (10..).zip(&ids) {
        trash(&store, &[*id], second).await;
    }
    restore(&store, &ids[2..3]).await;
    assert_eq!(store.purge_trash(at(9), 10).await.unwrap(), 0);
    assert_eq!(store.purge_trash(at(13), 1).await.unwrap(), 1);
    assert!(store.find_dataset(WS, source.dataset).await.unwrap().is_none());
    assert!(store.source(WS, PROJECT, source.id).await.unwrap().is_none());
    assert!(store.source_by_key("key").await.unwrap().is_none());
    let late = store.receive(source.id, Bytes::from("1"), at(20)).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    assert_eq!(store.purge_trash(at(13), 10).await.unwrap(), 2);
    assert_eq!(store.purge_trash(at(13), 10).await.unwrap(), 0);
    let store = fixture.open().await;
    assert_eq!(
        (listed(&store, false).await, listed(&store, true).await),
        (vec![ids[2]], vec![ids[4]])
    );
}

pub(crate) async fn foreign_projects_see_no_trash(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let shop = folder(&store, "shop", None).await;
    let (kept, trashed) =
        (make(&store, "kept", Some(shop)).await, make(&store, "trashed", Some(shop)).await);
    trash(&store, &[trashed], 2).await;
    for (workspace, project) in [(OTHER_WS, PROJECT), (WS, ProjectId(5))] {
        let ids = vec![kept, trashed];
        let put = store.trash_datasets(workspace, project, ids.clone(), at(3)).await.unwrap();
        assert!(put.is_empty());
        let back = store.restore_datasets(workspace, project, ids, at(3)).await.unwrap();
        assert!(back.is_empty());
        assert!(store.trash_folder(workspace, project, shop, at(3)).await.unwrap().is_none());
        let query = DatasetQuery {
            project: Some(project),
            trashed: true,
            limit: 10,
            ..DatasetQuery::default()
        };
        assert!(store.find_datasets(workspace, query).await.unwrap().is_empty());
    }
    assert_eq!(
        (listed(&store, false).await, listed(&store, true).await),
        (vec![kept], vec![trashed])
    );
    assert_eq!(way(&store, trashed).await, ["shop"]);
}
