use hookyard_core::id::{ApplicationId, CredentialId, GrantId};
use hookyard_core::model::{Application, ApplicationChange, ApplicationSettings, NewApplication};

use super::oauth::{code, tokens};
use super::*;
use crate::{APPLICATIONS_MAX, Issue, StoreError};

pub(crate) fn new_application(client_id: &str) -> NewApplication {
    NewApplication {
        client_id: client_id.to_owned(),
        scopes: "webhook_read webhook_write".parse().unwrap(),
        settings: ApplicationSettings {
            name: "Reports".to_owned(),
            developer: Some("Example Ltd".to_owned()),
            url: Some("https://reports.test/".to_owned()),
            logo_url: Some("https://reports.test/logo.png".to_owned()),
            description: Some("Counts orders".to_owned()),
            redirect_uris: vec!["https://reports.test/back?x=1".to_owned()],
            require_pkce: true,
            device_flow: false,
        },
    }
}

pub(crate) async fn application(store: &SharedStore) -> Application {
    store.create_application(WS, new_application("client-1"), at(0)).await.unwrap()
}

/// A grant of the application, made from a code; `number` distinguishes the tokens.
pub(crate) async fn granted(store: &SharedStore, id: ApplicationId, number: u8) -> GrantId {
    store.add_code(id, [number; 32], code(), at(0)).await.unwrap();
    match store.redeem_code(id, [number; 32], tokens(number), at(1)).await.unwrap() {
        Issue::Issued(grant) => grant.id,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn opens(store: &SharedStore, number: u8) -> bool {
    store.credential(CredentialKind::Token, tokens(number).access).await.unwrap().is_some()
}

pub(crate) async fn applications_live_and_survive(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = application(&store).await;
    assert!(!made.disabled && made.created_at == at(0) && made.workspace == WS);
    let taken = store.create_application(OTHER_WS, new_application("client-1"), at(0)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    let nowhere = store.create_application(WorkspaceId(9), new_application("x"), at(0)).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));

    let store = fixture.open().await;
    assert_eq!(store.application(WS, made.id).await.unwrap(), Some(made.clone()));
    assert_eq!(store.application_of_client("client-1").await.unwrap(), Some(made.clone()));
    assert_eq!(store.application_of_client("client-2").await.unwrap(), None);
    let change = ApplicationChange {
        name: Some("Other".to_owned()),
        url: Some(None),
        redirect_uris: Some(Vec::new()),
        disabled: Some(true),
        ..ApplicationChange::default()
    };
    let changed = store.update_application(WS, made.id, change).await.unwrap();
    assert_eq!((&*changed.settings.name, &changed.settings.url), ("Other", &None));
    assert!(changed.disabled && changed.settings.redirect_uris.is_empty());
    assert_eq!(changed.settings.developer, made.settings.developer, "what is not said stays");
    let store = fixture.open().await;
    assert_eq!(store.application(WS, made.id).await.unwrap(), Some(changed));
    assert!(store.delete_application(WS, made.id).await.unwrap());
    assert!(!store.delete_application(WS, made.id).await.unwrap());
    assert_eq!(store.application_of_client("client-1").await.unwrap(), None);
    let again = application(&store).await;
    assert!(again.id > made.id, "numbers are not used again");
}

pub(crate) async fn foreign_workspaces_see_no_applications(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = application(&store).await;
    let grant = granted(&store, made.id, 1).await;
    assert_eq!(store.application(OTHER_WS, made.id).await.unwrap(), None);
    assert_eq!(store.applications(OTHER_WS, None, 10).await.unwrap(), []);
    let change = ApplicationChange { disabled: Some(true), ..ApplicationChange::default() };
    let changed = store.update_application(OTHER_WS, made.id, change).await;
    assert!(matches!(changed, Err(StoreError::NotFound(_))));
    assert!(!store.delete_application(OTHER_WS, made.id).await.unwrap());
    let listed = store.grants(OTHER_WS, made.id, None, 10).await;
    assert!(matches!(listed, Err(StoreError::NotFound(_))));
    let revoked = store.revoke_grant(OTHER_WS, made.id, grant).await;
    assert!(matches!(revoked, Err(StoreError::NotFound(_))));
    assert_eq!(store.application(WS, made.id).await.unwrap(), Some(made));
    assert!(opens(&store, 1).await);

    let foreign = store.create_application(OTHER_WS, new_application("f"), at(0)).await.unwrap();
    assert!(!store.revoke_grant(OTHER_WS, foreign.id, grant).await.unwrap());
    assert!(opens(&store, 1).await, "a grant of another application is not there");
}

pub(crate) async fn grants_are_listed_and_end(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = application(&store).await;
    let mut ids = Vec::new();
    for number in 1..=3 {
        ids.push(granted(&store, made.id, number).await);
    }
    let store = fixture.open().await;
    let page = store.grants(WS, made.id, None, 2).await.unwrap();
    assert_eq!(page.iter().map(|grant| grant.id).collect::<Vec<_>>(), ids[..2]);
    let rest = store.grants(WS, made.id, Some(ids[1]), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].scopes, rest[0].workspace), (code().scopes, WS));
    assert_eq!((rest[0].approved_by, rest[0].created_at), (CredentialId(1), at(1)));
    assert!(store.revoke_grant(WS, made.id, ids[1]).await.unwrap());
    assert!(!store.revoke_grant(WS, made.id, ids[1]).await.unwrap());
    assert!(!opens(&store, 2).await);
    assert!(opens(&store, 1).await && opens(&store, 3).await);
    let refreshed = store.rotate_tokens(made.id, tokens(2).refresh, tokens(9), at(2)).await;
    assert_eq!(refreshed.unwrap(), Issue::Unknown);
}

pub(crate) async fn what_an_application_had_goes_with_it(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = application(&store).await;
    granted(&store, made.id, 1).await;
    store.add_code(made.id, [2; 32], code(), at(0)).await.unwrap();
    assert!(store.delete_application(WS, made.id).await.unwrap());
    assert!(!opens(&store, 1).await);
    assert_eq!(store.code(made.id, [2; 32]).await.unwrap(), None);
    let late = store.add_code(made.id, [3; 32], code(), at(0)).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    for number in 0..APPLICATIONS_MAX {
        let new = new_application(&format!("many-{number}"));
        store.create_application(WS, new, at(0)).await.unwrap();
    }
    let further = store.create_application(WS, new_application("further"), at(0)).await;
    assert!(matches!(further, Err(StoreError::Conflict(_))));
    let page = store.applications(WS, None, 5).await.unwrap();
    let rest = store.applications(WS, Some(page[4].id), 5_000).await.unwrap();
    assert_eq!(page.len() + rest.len(), APPLICATIONS_MAX);
}
