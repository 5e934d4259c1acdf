use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::Credential;

use super::*;
use crate::{CREDENTIALS_MAX, CredentialChange, CredentialQuery, Entity, Rotation, StoreError};

const PAGE: CredentialQuery = CredentialQuery { after: None, application: None, limit: 100 };

fn simple(hash: u8) -> NewCredential {
    let scopes = "webhook_read".parse().unwrap();
    NewCredential::new(CredentialKind::Simple, scopes, [hash; 32], None, at(0))
}

/// A credential with every setting.
fn bound(hash: u8) -> NewCredential {
    NewCredential {
        name: "the shop".to_owned(),
        expires_at: Some(at(1_000)),
        allowed_ips: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        ..simple(hash)
    }
}

async fn find(store: &SharedStore, hash: u8) -> Credential {
    store.credential(CredentialKind::Simple, [hash; 32]).await.unwrap().unwrap().credential
}

async fn listed(store: &SharedStore, workspace: WorkspaceId) -> Vec<CredentialId> {
    let page = store.credentials(workspace, PAGE).await.unwrap();
    page.iter().map(|credential| credential.id).collect()
}

pub(crate) async fn one_can_open_a_project_alone(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let other = store.create_project(WS, None, "Tills".to_owned()).await.unwrap().id;
    let limited = |hash, project| NewCredential { project: Some(project), ..simple(hash) };
    let nowhere = store.create_credential(WS, limited(5, ProjectId(99))).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(Entity::Project))));
    let id = store.create_credential(WS, limited(5, other)).await.unwrap();
    assert_eq!(find(&fixture.open().await, 5).await.project, Some(other));
    let rotation = Rotation { lookup: [6; 32], secret: None, old_until: at(10), now: at(0) };
    let successor = store.rotate_credential(WS, id, rotation).await.unwrap();
    assert_eq!(successor.project, Some(other));

    // A later project with the number would be open to the credentials. An ended credential can get more
    // time; a revoked credential cannot.
    for credential in [successor.id, id] {
        let opened = store.delete_project(WS, other).await;
        assert!(matches!(opened, Err(StoreError::Conflict(_))), "{opened:?}");
        store.revoke_credential(WS, credential, at(20)).await.unwrap();
    }
    store.delete_project(WS, other).await.unwrap();
}

pub(crate) async fn credentials_are_found_by_kind_and_hash(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let new = simple(5);
    let id = store.create_credential(OTHER_WS, new.clone()).await.unwrap();
    let nowhere = store.create_credential(WorkspaceId(9), new.clone()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));

    let found = store.credential(CredentialKind::Simple, [5; 32]).await.unwrap().unwrap();
    assert_eq!((found.credential.id, found.credential.workspace), (id, OTHER_WS));
    assert_eq!((found.credential.scopes, found.secret), (new.scopes, None));
    let pair = store.credential(CredentialKind::Pair, [1; 32]).await.unwrap().unwrap();
    assert_eq!((pair.credential.workspace, pair.secret), (WS, Some([9; 32])));
    assert!(store.credential(CredentialKind::Token, [5; 32]).await.unwrap().is_none());
    assert!(store.credential(CredentialKind::Simple, [6; 32]).await.unwrap().is_none());
}

pub(crate) async fn what_is_said_of_one_survives(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = store.create_credential(WS, bound(5)).await.unwrap();
    let made = find(&fixture.open().await, 5).await;
    let new = bound(5);
    assert_eq!((&made.name, &made.allowed_ips), (&new.name, &new.allowed_ips));
    assert_eq!((made.created_at, made.expires_at), (Some(at(0)), Some(at(1_000))));
    assert_eq!((made.last_used_at, made.revoked_at, made.application), (None, None, None));
    assert!(!made.disabled);

    let none = CredentialChange::default();
    assert_eq!(store.change_credential(WS, id, none).await.unwrap(), made);
    let change = CredentialChange {
        name: Some("till".to_owned()),
        scopes: Some(Scopes::all()),
        expires_at: Some(None),
        allowed_ips: Some(Vec::new()),
        disabled: Some(true),
    };
    let changed = store.change_credential(WS, id, change).await.unwrap();
    let expected = Credential {
        name: "till".to_owned(),
        scopes: Scopes::all(),
        expires_at: None,
        allowed_ips: Vec::new(),
        disabled: true,
        ..made
    };
    assert_eq!(changed, expected);
    assert_eq!(find(&fixture.open().await, 5).await, expected);
    assert_eq!(store.credential_by_id(WS, id).await.unwrap(), Some(expected));
}

pub(crate) async fn revoked_ones_stay_revoked(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = store.create_credential(WS, simple(5)).await.unwrap();
    for second in [7, 8] {
        let revoked = store.revoke_credential(WS, id, at(second)).await.unwrap();
        assert_eq!(revoked.revoked_at, Some(at(7)), "the first moment stays");
    }
    let store = fixture.open().await;
    assert_eq!(find(&store, 5).await.revoked_at, Some(at(7)));
    let changed = store.change_credential(WS, id, CredentialChange::default()).await;
    assert!(matches!(changed, Err(StoreError::Conflict(_))));
    let rotation = Rotation { lookup: [6; 32], secret: None, old_until: at(9), now: at(9) };
    let rotated = store.rotate_credential(WS, id, rotation).await;
    assert!(matches!(rotated, Err(StoreError::Conflict(_))));
    assert!(store.credential(CredentialKind::Simple, [6; 32]).await.unwrap().is_none());
}

pub(crate) async fn a_successor_is_the_same_but_for_its_secret(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let application = Some(ApplicationId(3));
    let pair = NewCredential { kind: CredentialKind::Pair, secret: Some([1; 32]), ..bound(5) };
    let new = NewCredential { application, ..pair };
    let id = store.create_credential(WS, new).await.unwrap();
    let disabled = CredentialChange { disabled: Some(true), ..CredentialChange::default() };
    let old = store.change_credential(WS, id, disabled).await.unwrap();
    let rotate = async |lookup: u8, old_until| {
        let secret = Some([2; 32]);
        let rotation = Rotation { lookup: [lookup; 32], secret, old_until, now: at(20) };
        store.rotate_credential(WS, id, rotation).await
    };
    let successor = rotate(6, at(100)).await.unwrap();
    assert_ne!(successor.id, id);
    let same = Credential { id: successor.id, created_at: Some(at(20)), ..old.clone() };
    assert_eq!(successor, same);
    let found = store.credential(CredentialKind::Pair, [6; 32]).await.unwrap().unwrap();
    assert_eq!((found.credential, found.secret), (successor, Some([2; 32])));
    let ends = async || store.credential_by_id(WS, id).await.unwrap().unwrap().expires_at;
    assert_eq!(ends().await, Some(at(100)));
    rotate(7, at(200)).await.unwrap();
    assert_eq!(ends().await, Some(at(100)), "what ends sooner is not made longer");
}

pub(crate) async fn uses_only_go_forward(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = store.create_credential(WS, simple(5)).await.unwrap();
    for (second, last) in [(10, 10), (5, 10), (12, 12)] {
        let nobody = CredentialId(999);
        store.credentials_used(vec![(id, at(second)), (nobody, at(second))]).await.unwrap();
        assert_eq!(find(&store, 5).await.last_used_at, Some(at(last)));
    }
}

pub(crate) async fn ended_ones_are_forgotten(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let lasting = store.create_credential(WS, simple(5)).await.unwrap();
    store
        .create_credential(WS, NewCredential { expires_at: Some(at(10)), ..simple(6) })
        .await
        .unwrap();
    let revoked = store.create_credential(WS, simple(7)).await.unwrap();
    store.revoke_credential(WS, revoked, at(20)).await.unwrap();
    let first = listed(&store, WS).await[0];
    for (before, limit, forgotten) in [(10, 9, 0), (11, 9, 1), (20, 9, 0), (21, 0, 0), (21, 9, 1)] {
        let count = store.forget_credentials(at(before), limit).await.unwrap();
        assert_eq!(count, forgotten, "{before} {limit}");
    }
    assert_eq!(listed(&store, WS).await, [first, lasting]);
}

pub(crate) async fn credentials_are_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let hash = |number: usize| {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        hash
    };
    let new = |number| NewCredential { lookup: hash(number), ..bound(0) };
    // A credential is there from the start.
    for number in 1..CREDENTIALS_MAX {
        store.create_credential(WS, new(number)).await.unwrap();
    }
    let more = store.create_credential(WS, new(0)).await;
    assert!(matches!(more, Err(StoreError::Conflict(_))));
    store.create_credential(OTHER_WS, new(0)).await.unwrap();
    let page = CredentialQuery { after: Some(CredentialId(5)), ..PAGE };
    let page = store.credentials(WS, page).await.unwrap();
    assert_eq!((page.len(), page[0].id), (100, CredentialId(6)));
    // Ended credentials do not count.
    let later = NewCredential { created_at: at(1_000), ..new(CREDENTIALS_MAX + 1) };
    store.create_credential(WS, later).await.unwrap();
}

pub(crate) async fn foreign_workspaces_see_no_credentials(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let application = Some(ApplicationId(3));
    let id = store.create_credential(WS, simple(5)).await.unwrap();
    let other = NewCredential { application, ..simple(6) };
    let of_application = store.create_credential(WS, other).await.unwrap();
    assert!(!listed(&store, OTHER_WS).await.contains(&id));
    assert!(listed(&store, WS).await.contains(&id));
    assert!(!listed(&store, WS).await.contains(&of_application));
    let page = CredentialQuery { application, ..PAGE };
    assert!(store.credentials(OTHER_WS, page).await.unwrap().is_empty());
    assert_eq!(store.credentials(WS, page).await.unwrap()[0].id, of_application);
    let before = find(&store, 5).await;
    assert_eq!(store.credential_by_id(OTHER_WS, id).await.unwrap(), None);
    let gone = |result| matches!(result, Err(StoreError::NotFound(Entity::Credential)));
    let change = CredentialChange { disabled: Some(true), ..CredentialChange::default() };
    assert!(gone(store.change_credential(OTHER_WS, id, change).await));
    assert!(gone(store.revoke_credential(OTHER_WS, id, at(1)).await));
    let rotation = Rotation { lookup: [7; 32], secret: None, old_until: at(9), now: at(1) };
    assert!(gone(store.rotate_credential(OTHER_WS, id, rotation).await));
    assert_eq!(find(&store, 5).await, before);
}
