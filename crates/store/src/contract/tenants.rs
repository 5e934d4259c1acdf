use super::*;
use hookyard_core::model::{QuotaSetting, QuotaSettings, VersionsKept};

use crate::{Entity, NewDataset, PROJECTS_MAX, StoreError};

pub(crate) async fn workspaces_are_unique(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let again = store.create_workspace(new_workspace(WS, "NEW")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
    let again = store.create_workspace(new_workspace(WorkspaceId(3), "DEMO")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));

    let store = fixture.open().await;
    let known: Vec<_> = store.workspaces().await.unwrap().iter().map(|w| w.id).collect();
    assert_eq!(known, [WS, OTHER_WS]);
    assert_eq!(store.workspace(WS).await.unwrap().unwrap().merchant, "DEMO");
    assert!(store.workspace(WorkspaceId(3)).await.unwrap().is_none());
    assert_eq!(*store.catalogue(WS).await.unwrap(), *catalogue::initial());
    assert!(store.has_project(WS, PROJECT).await.unwrap());
    assert!(!store.has_project(WS, ProjectId(5)).await.unwrap());
    assert_eq!(store.projects(WS).await.unwrap()[0].id, PROJECT);
}

pub(crate) async fn tenants_get_other_names(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let renamed = store.rename_workspace(WS, "Shop".to_owned()).await.unwrap();
    assert_eq!((renamed.id, &*renamed.merchant, &*renamed.name), (WS, "DEMO", "Shop"));
    let project = store.rename_project(WS, PROJECT, "Tills".to_owned()).await.unwrap();
    let store = fixture.open().await;
    assert_eq!(store.workspace(WS).await.unwrap(), Some(renamed));
    assert_eq!(store.projects(WS).await.unwrap(), [project]);
    let nowhere = store.rename_workspace(WorkspaceId(9), "x".to_owned()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(Entity::Workspace))));
    let nothing = store.rename_project(WS, ProjectId(9), "x".to_owned()).await;
    assert!(matches!(nothing, Err(StoreError::NotFound(Entity::Project))));
}

pub(crate) async fn projects_are_numbered_and_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let add =
        async |id: Option<i32>| store.create_project(WS, id.map(ProjectId), "New".to_owned()).await;
    assert_eq!(add(None).await.unwrap().id, ProjectId(5));
    assert_eq!(add(Some(2)).await.unwrap().id, ProjectId(2));
    assert!(matches!(add(Some(5)).await, Err(StoreError::Conflict(_))));
    assert!(store.has_project(WS, ProjectId(2)).await.unwrap());
    let last = ProjectId(i32::MAX);
    assert_eq!(add(Some(last.0)).await.unwrap().id, last);
    assert_eq!(add(None).await.unwrap().id, ProjectId(1), "the lowest free number");
    store.delete_project(WS, last).await.unwrap();
    store.delete_project(WS, ProjectId(1)).await.unwrap();
    let nowhere = store.create_project(WorkspaceId(9), None, "x".to_owned()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(Entity::Workspace))));
    for _ in 3..PROJECTS_MAX {
        add(None).await.unwrap();
    }
    assert!(matches!(add(None).await, Err(StoreError::Conflict(_))));
    assert_eq!(fixture.open().await.projects(WS).await.unwrap().len(), PROJECTS_MAX);
}

pub(crate) async fn a_project_goes_when_it_is_empty(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let only = store.delete_project(WS, PROJECT).await;
    assert!(matches!(only, Err(StoreError::Conflict(_))), "the only one stays");
    let other = store.create_project(WS, None, "Other".to_owned()).await.unwrap().id;
    let source = store.create_source(new_source(Mode::Combine, "k"), at(0)).await.unwrap();
    let full = store.delete_project(WS, PROJECT).await;
    assert!(matches!(full, Err(StoreError::Conflict(_))));
    assert!(store.delete_dataset(WS, PROJECT, source.dataset).await.unwrap());
    store.delete_project(WS, PROJECT).await.unwrap();
    let again = store.delete_project(WS, PROJECT).await;
    assert!(matches!(again, Err(StoreError::NotFound(Entity::Project))));
    assert!(!store.has_project(WS, PROJECT).await.unwrap());
    let late = store.create_source(new_source(Mode::Combine, "l"), at(0)).await;
    assert!(matches!(late, Err(StoreError::NotFound(Entity::Project))));
    let left = fixture.open().await.projects(WS).await.unwrap();
    assert_eq!(left.iter().map(|project| project.id).collect::<Vec<_>>(), [other]);
}

pub(crate) async fn foreign_workspaces_see_no_projects(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let own = store.create_project(WS, None, "Own".to_owned()).await.unwrap().id;
    assert!(!store.has_project(OTHER_WS, own).await.unwrap());
    let gone = |result| matches!(result, Err(StoreError::NotFound(Entity::Project)));
    assert!(gone(store.rename_project(OTHER_WS, own, "x".to_owned()).await));
    assert!(gone(store.delete_project(OTHER_WS, own).await.map(|()| panic!())));
    assert_eq!(store.projects(OTHER_WS).await.unwrap().len(), 1);
    assert_eq!(store.projects(WS).await.unwrap()[1].name, "Own");
}

pub(crate) async fn quotas_and_use_are_kept(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    assert_eq!(store.quotas(WS).await.unwrap(), QuotaSettings::default());
    let quotas = QuotaSettings {
        endpoints: QuotaSetting::At(3),
        sources: QuotaSetting::Off,
        bytes_hour: QuotaSetting::At(1 << 40),
        ..QuotaSettings::default()
    };
    store.set_quotas(WS, quotas).await.unwrap();
    let before = store.usage(WS).await.unwrap();
    let keep = VersionsKept::default();
    let new =
        NewDataset { workspace: WS, project: PROJECT, name: "one".to_owned(), folder: None, keep };
    let dataset = store.create_dataset(new, at(0)).await.unwrap();
    for cell in ["1", "[2]"] {
        store.append_rows(WS, dataset.id, vec![cell.into()], None, at(0)).await.unwrap();
    }
    let store = fixture.open().await;
    assert_eq!(store.quotas(WS).await.unwrap(), quotas);
    assert_eq!(store.quotas(OTHER_WS).await.unwrap(), QuotaSettings::default());
    let usage = store.usage(WS).await.unwrap();
    assert_eq!(usage.datasets, before.datasets + 1);
    assert_eq!(usage.stored_bytes, before.stored_bytes + 4);
    assert_eq!(usage.event_types, catalogue::initial().iter().count() as u64);
    let nowhere = store.set_quotas(WorkspaceId(9), quotas).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(Entity::Workspace))));
    assert!(store.quotas(WorkspaceId(9)).await.is_err());
}
