use hookyard_core::id::SourceId;
use hookyard_core::model::{SourceChange, SourceOptionsChange, SuccessAnswer};
use hookyard_core::provider::Verification;

use super::*;
use crate::SourceQuery;

const ALL_SOURCES: SourceQuery = SourceQuery { project: None, after: None, limit: 100 };

pub(crate) async fn sources_are_listed_in_pages(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut made = Vec::new();
    for key in ["a", "b", "c"] {
        made.push(store.create_source(new_source(Mode::Combine, key), at(0)).await.unwrap());
    }
    let foreign = NewSource { workspace: OTHER_WS, ..new_source(Mode::Combine, "d") };
    let foreign = store.create_source(foreign, at(0)).await.unwrap();
    let page = async |query| {
        let page = store.sources_page(WS, query).await.unwrap();
        page.iter().map(|source| source.id).collect::<Vec<SourceId>>()
    };
    let ids: Vec<_> = made.iter().map(|source| source.id).collect();
    assert_eq!(page(ALL_SOURCES).await, ids);
    assert_eq!(page(SourceQuery { limit: 2, ..ALL_SOURCES }).await, ids[..2]);
    assert_eq!(page(SourceQuery { after: Some(ids[1]), ..ALL_SOURCES }).await, ids[2..]);
    assert_eq!(page(SourceQuery { project: Some(PROJECT), ..ALL_SOURCES }).await, ids);
    assert_eq!(page(SourceQuery { project: Some(ProjectId(5)), ..ALL_SOURCES }).await, []);
    let found = store.workspace_source(WS, ids[0]).await.unwrap();
    assert_eq!(found.as_ref(), Some(&made[0]));
    assert_eq!(store.workspace_source(WS, foreign.id).await.unwrap(), None);
}

pub(crate) async fn every_setting_is_kept(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let answer = SuccessAnswer { status: Some(202), body: "ok".to_owned(), content_type: None };
    let change = SourceChange {
        name: Some("Renamed".to_owned()),
        options: SourceOptionsChange {
            answer: Some(Some(answer.clone())),
            ..SourceOptionsChange::default()
        },
        ..SourceChange::default()
    };
    let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    assert_eq!(changed.spec.options.answer.as_ref(), Some(&answer));
    assert_eq!((changed.spec.name.as_str(), changed.spec.mode), ("Renamed", Mode::Combine));
    assert_eq!(changed.spec.secret, made.spec.secret);
    let store = fixture.open().await;
    assert_eq!(store.workspace_source(WS, made.id).await.unwrap(), Some(changed));
    let name = Some("Again".to_owned());
    let change = SourceChange { name, ..SourceChange::default() };
    let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    assert_eq!(changed.spec.options.answer, Some(answer), "what a change does not name stays");
    // The dataset keeps a separate name.
    let dataset = store.dataset(WS, PROJECT, made.dataset).await.unwrap().unwrap();
    assert_eq!(dataset.name, "Source");
}

pub(crate) async fn a_verification_is_kept_with_its_secrets(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let verification = Verification {
        provider: Some("meta".to_owned()),
        secrets: vec![Secret::new("new"), Secret::new("old")],
        handshake_secret: Some(Secret::new("token")),
        ..Verification::default()
    };
    let changed = |options| SourceChange { options, ..SourceChange::default() };
    let set = |verification| SourceOptionsChange {
        verification: Some(verification),
        ..SourceOptionsChange::default()
    };
    let change = changed(set(Some(verification.clone())));
    let source = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    assert_eq!(source.spec.options.verification.as_ref(), Some(&verification));
    let store = fixture.open().await;
    assert_eq!(store.workspace_source(WS, made.id).await.unwrap(), Some(source));
    let mut whole = new_source(Mode::Combine, "b");
    whole.options.verification = Some(verification);
    let made_whole = store.create_source(whole, at(0)).await.unwrap();
    let store = fixture.open().await;
    assert_eq!(store.workspace_source(WS, made_whole.id).await.unwrap(), Some(made_whole));
    let source = store.update_source(WS, PROJECT, made.id, changed(set(None))).await.unwrap();
    assert_eq!(source.spec.options.verification, None);
}

pub(crate) async fn a_secret_is_learnt_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let mut new = new_source(Mode::Combine, "a");
    let provider = Some("asana".to_owned());
    new.options.verification = Some(Verification { provider, ..Verification::default() });
    let made = store.create_source(new, at(0)).await.unwrap();
    for secret in ["first", "second"] {
        let learnt = Some(Secret::new(secret));
        let options = SourceOptionsChange { learnt, ..SourceOptionsChange::default() };
        let change = SourceChange { options, ..SourceChange::default() };
        let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
        let kept = &changed.spec.options.verification.as_ref().unwrap().secrets;
        assert_eq!(kept, &[Secret::new("first")]);
    }
}

pub(crate) async fn a_new_key_takes_the_place(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "old"), at(0)).await.unwrap();
    let key = Some("new".to_owned());
    let change = SourceChange { key, ..SourceChange::default() };
    let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    for store in [store, fixture.open().await] {
        assert_eq!(store.source_by_key("old").await.unwrap(), None);
        assert_eq!(store.source_by_key("new").await.unwrap(), Some(Arc::clone(&changed)));
    }
}

pub(crate) async fn what_was_rotated_is_found_as_long_as_it_is_there(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let made = store.create_source(new_source(Mode::Combine, "old"), at(0)).await.unwrap();
    let outgoing = |value: &str| Some(Some(Outgoing { value: Secret::new(value), until: at(9) }));
    let change = SourceChange {
        key: Some("new".to_owned()),
        previous_key: outgoing("old"),
        secret: Some(Some(Secret::new("fresh"))),
        previous_secret: outgoing("topsecret"),
        ..SourceChange::default()
    };
    let changed = store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    for store in [store, fixture.open().await] {
        for key in ["old", "new"] {
            let found = store.source_by_key(key).await.unwrap();
            assert_eq!(found, Some(Arc::clone(&changed)), "{key}");
        }
    }
    let store = fixture.open().await;
    let change = SourceChange { previous_key: Some(None), ..SourceChange::default() };
    store.update_source(WS, PROJECT, made.id, change).await.unwrap();
    assert_eq!(store.source_by_key("old").await.unwrap(), None);
    assert!(store.source_by_key("new").await.unwrap().is_some());
    assert!(store.delete_source(WS, PROJECT, made.id).await.unwrap());
    assert_eq!(store.source_by_key("new").await.unwrap(), None);
}
