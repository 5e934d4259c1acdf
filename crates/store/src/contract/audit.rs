use std::net::IpAddr;

use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::EndpointOptions;
use jiff::SignedDuration;

use super::applications::application;
use super::oauth::{code, tokens};
use super::*;
use crate::{
    Actor, ActorKind, AuditEntry, AuditQuery, DeadLetters, DeviceCode, Entity, Keep, Retention,
    Seen, StoreError,
};

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn all() -> AuditQuery {
    AuditQuery { limit: 1_000, ..AuditQuery::default() }
}

async fn entries(store: &SharedStore, query: AuditQuery) -> Vec<AuditEntry> {
    store.audit(WS, query).await.unwrap().entries
}

async fn actions(store: &SharedStore, query: AuditQuery) -> Vec<String> {
    entries(store, query).await.into_iter().map(|entry| entry.action).collect()
}

fn request(second: i64) -> Arc<Actor> {
    Actor::request(at(second), Some(ADDRESS), format!("request-{second}"))
}

async fn rename(store: &SharedStore, actor: Arc<Actor>, name: &str) {
    actor.scope(store.rename_workspace(WS, name.to_owned())).await.unwrap();
}

pub(crate) async fn what_is_seen_is_noted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = endpoint(&store).await;
    for seen in [Seen::EndpointSecret(made.id), Seen::AuditExport] {
        request(7).scope(store.note_seen(WS, seen)).await.unwrap();
    }
    store.note_seen(WS, Seen::AuditExport).await.unwrap();
    let noted = entries(&fixture.open().await, all()).await;
    let noted: Vec<_> =
        noted.iter().map(|entry| (&*entry.action, &*entry.subject, entry.address)).collect();
    let id = made.id.to_string();
    let expected = [("endpoint.read_secret", &*id), ("audit.export", "")];
    assert_eq!(noted, expected.map(|(action, subject)| (action, subject, Some(ADDRESS))));
}

pub(crate) async fn changes_are_noted_with_who_made_them(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    endpoint(&store).await;
    assert!(entries(&store, all()).await.is_empty(), "nobody asked for that");
    let pair = store.credential(CredentialKind::Pair, [1; 32]).await.unwrap().unwrap().credential;
    let actor = request(7);
    actor.identify(&pair);
    let made = Arc::clone(&actor).scope(endpoint(&store)).await;
    Actor::system(at(8)).scope(store.delete_endpoint(WS, made.id, None)).await.unwrap();
    rename(&store, Actor::command(at(9)), "x").await;
    let noted = entries(&fixture.open().await, all()).await;
    let expected = AuditEntry {
        id: noted[0].id,
        at: at(7),
        workspace: WS,
        actor: ActorKind::Request,
        credential: Some(pair.id),
        credential_name: String::new(),
        address: Some(ADDRESS),
        request_id: Some("request-7".to_owned()),
        action: "endpoint.create".to_owned(),
        subject: made.id.to_string(),
        detail: noted[0].detail.clone(),
    };
    assert_eq!(noted[0], expected);
    assert_eq!((noted[1].actor, &*noted[1].action), (ActorKind::System, "endpoint.delete"));
    assert_eq!((noted[2].actor, &*noted[2].action), (ActorKind::Command, "workspace.rename"));
    assert_eq!((noted[2].credential, noted[2].address), (None, None));
    assert!(noted.is_sorted_by_key(|entry| entry.id) && noted.len() == 3);
}

pub(crate) async fn what_fails_is_not_noted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = endpoint(&store).await;
    let tries = async {
        assert!(store.delete_endpoint(WS, made.id, Some(9)).await.is_err());
        assert!(store.delete_project(WS, PROJECT).await.is_err());
        assert_eq!(store.drop_dead_letters(WS, made.id, DeadLetters::All).await.unwrap(), 0);
        assert!(store.revoke_credential(WS, CredentialId(999), at(0)).await.is_err());
        assert!(store.delete_source(WS, PROJECT, hookyard_core::id::SourceId(9)).await.is_ok());
    };
    request(0).scope(tries).await;
    assert_eq!(actions(&store, all()).await, [""; 0]);
}

pub(crate) async fn entries_are_found_by_what_is_asked(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let pair = store.credential(CredentialKind::Pair, [1; 32]).await.unwrap().unwrap().credential;
    for second in 0..6 {
        let actor = request(second);
        if second % 2 == 0 {
            actor.identify(&pair);
        }
        let change = async {
            match second % 3 {
                0 => drop(endpoint(&store).await),
                1 => drop(store.rename_workspace(WS, "x".to_owned()).await.unwrap()),
                _ => drop(store.rename_project(WS, PROJECT, "x".to_owned()).await.unwrap()),
            }
        };
        actor.scope(change).await;
    }
    let ids: Vec<_> = entries(&store, all()).await.iter().map(|entry| entry.id).collect();
    let found = async |query: AuditQuery| {
        let found = entries(&store, query).await;
        let place = |entry: &AuditEntry| ids.iter().position(|id| *id == entry.id).unwrap();
        found.iter().map(place).collect::<Vec<_>>()
    };
    let action = |text: &str| AuditQuery { action: Some(text.to_owned()), ..all() };
    for (query, places) in [
        (AuditQuery { after: Some(ids[1]), before: Some(ids[4]), ..all() }, vec![2, 3]),
        (AuditQuery { from: Some(at(2)), until: Some(at(4)), ..all() }, vec![2, 3]),
        (AuditQuery { credential: Some(pair.id), ..all() }, vec![0, 2, 4]),
        (action("endpoint.create"), vec![0, 3]),
        (action("endpoint.creat"), vec![]),
        (action("workspace."), vec![1, 4]),
        (action("workspace.r."), vec![]),
        (AuditQuery { subject: Some(PROJECT.to_string()), ..action("project.") }, vec![2, 5]),
        (AuditQuery { newest_first: true, limit: 2, ..all() }, vec![5, 4]),
        (AuditQuery { limit: 0, ..all() }, vec![]),
    ] {
        assert_eq!(found(query.clone()).await, places, "{query:?}");
    }
}

pub(crate) async fn secrets_are_not_noted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let canary = || Secret::new("canary");
    let change = async {
        let made = endpoint(&store).await;
        let mut settings = made.settings.clone();
        settings.basic_password = Some(canary());
        settings.url = "https://user:canary@y.test/".to_owned();
        settings.options = EndpointOptions {
            headers: vec![hookyard_core::model::CustomHeader {
                name: "x-key".to_owned(),
                value: Some(canary()),
            }],
            ..EndpointOptions::default()
        };
        store.update_endpoint(WS, made.id, 1, settings, Vec::new()).await.unwrap();
        let source = NewSource { secret: Some(canary()), ..new_source(Mode::Combine, "canary") };
        let source = store.create_source(source, at(0)).await.unwrap();
        store.delete_source(WS, PROJECT, source.id).await.unwrap();
    };
    request(0).scope(change).await;
    let noted = entries(&store, all()).await;
    assert_eq!(noted.len(), 4);
    assert!(noted.iter().all(|entry| !format!("{entry:?}").contains("canary")), "{noted:?}");
    let detail: serde_json::Value = serde_json::from_str(&noted[1].detail).unwrap();
    let changed = detail["changed"].as_array().unwrap();
    for name in ["url", "basic_password", "subscriptions"] {
        assert!(changed.contains(&name.into()), "{name} is missing in {changed:?}");
    }
}

pub(crate) async fn entries_go_by_age_and_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    for second in 0..10 {
        rename(&store, request(second), &"n".repeat(1_000)).await;
    }
    let expire = async |store: &SharedStore, audit, second| {
        let keep = Retention { audit, ..Retention::default() };
        let mut rest = Some(store.expiry(keep, at(second)).await.unwrap());
        let mut count = 0;
        while let Some(expiry) = rest {
            let done = store.expire(expiry).await.unwrap();
            count += done.audit;
            rest = done.rest;
        }
        count
    };
    let aged = Keep { age: Some(SignedDuration::from_secs(6)), bytes: None };
    assert_eq!(expire(&store, aged, 9).await, 3);
    let store = fixture.open().await;
    assert_eq!(expire(&store, aged, 9).await, 0);
    let sized = |bytes| Keep { age: None, bytes: Some(bytes) };
    assert_eq!(expire(&store, sized(4_800), 9).await, 3);
    assert_eq!(entries(&store, all()).await[0].at, at(6));
    assert_eq!(expire(&store, sized(4_800), 9).await, 0);
    let last = entries(&store, all()).await.pop().unwrap().id;
    assert_eq!(expire(&store, sized(0), 9).await, 4);
    rename(&store, request(20), "x").await;
    assert!(entries(&store, all()).await[0].id > last, "no number is used again");
}

pub(crate) async fn foreign_workspaces_see_no_entries(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    rename(&store, request(0), "x").await;
    assert_eq!(entries(&store, all()).await.len(), 1);
    assert_eq!(store.audit(OTHER_WS, all()).await.unwrap().entries, []);
}

pub(crate) async fn decisions_and_tokens_are_noted(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    let device = || DeviceCode { application: id, scopes: code().scopes, expires_at: at(600) };
    for number in [1, 2] {
        let codes = ([50 + number; 32], [60 + number; 32]);
        store.add_device_code(codes.0, codes.1, device(), at(0)).await.unwrap();
    }
    let person = Some(CredentialId(1));
    let steps = async {
        store.note_denial(id, code().scopes).await.unwrap();
        store.add_code(id, [1; 32], code(), at(0)).await.unwrap();
        store.redeem_code(id, [1; 32], tokens(1), at(1)).await.unwrap();
        store.rotate_tokens(id, tokens(1).refresh, tokens(2), at(2)).await.unwrap();
        // The second reuse ends nothing any more.
        for _ in 0..2 {
            store.rotate_tokens(id, tokens(1).refresh, tokens(3), at(3)).await.unwrap();
        }
        store.decide_device([61; 32], person, at(0)).await.unwrap();
        store.decide_device([62; 32], None, at(0)).await.unwrap();
        store.poll_device(id, [51; 32], tokens(4), at(4)).await.unwrap();
        assert!(store.revoke_token(id, tokens(4).access).await.unwrap());
        store.add_code(id, [2; 32], code(), at(0)).await.unwrap();
        store.redeem_code(id, [2; 32], tokens(5), at(5)).await.unwrap();
        for _ in 0..2 {
            store.redeem_code(id, [2; 32], tokens(6), at(6)).await.unwrap();
        }
        // Unknown tokens leave no entry.
        store.rotate_tokens(id, [7; 32], tokens(7), at(7)).await.unwrap();
        assert!(!store.revoke_token(id, [7; 32]).await.unwrap());
    };
    request(1).scope(steps).await;
    let noted = entries(&store, all()).await;
    let expected = [
        ("application.deny", "\"via\":\"code\""),
        ("application.approve", "\"scopes\":\"webhook_read\""),
        ("token.issue", "\"via\":\"code\""),
        ("token.refresh", "\"approved_by\":1"),
        ("grant.revoke", "\"reason\":\"refresh_token_reused\""),
        ("application.approve", "\"via\":\"device\""),
        ("application.deny", "\"via\":\"device\""),
        ("token.issue", "\"via\":\"device\""),
        ("grant.revoke", "\"reason\":\"given_back\""),
        ("application.approve", "\"via\":\"code\""),
        ("token.issue", "\"via\":\"code\""),
        ("grant.revoke", "\"reason\":\"code_reused\""),
    ];
    assert_eq!(noted.len(), expected.len(), "{noted:?}");
    for (entry, (action, detail)) in noted.iter().zip(expected) {
        assert_eq!(entry.action, action);
        assert!(entry.detail.contains(detail), "{entry:?}");
        assert_eq!((entry.at, entry.address), (at(1), Some(ADDRESS)));
    }
    let gone = store.note_denial(ApplicationId(99), code().scopes).await;
    assert!(matches!(gone, Err(StoreError::NotFound(Entity::Application))));
}
