use hookyard_core::id::{ApplicationId, CredentialId};
use hookyard_core::model::{ApplicationChange, GrantVia};

use super::applications::{application, granted, new_application, opens};
use super::*;
use crate::{
    ACCESS_TOKENS_MAX, Code, DEVICE_CODES_MAX, DeviceCode, GRANTS_MAX, Issue, NewTokens, Poll,
    StoreError,
};

/// A code that is good until second 600.
pub(crate) fn code() -> Code {
    Code {
        scopes: "webhook_read".parse().unwrap(),
        approved_by: CredentialId(1),
        redirect_uri: "https://reports.test/back?x=1".to_owned(),
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
        expires_at: at(600),
    }
}

/// Tokens distinguished by their number.
pub(crate) fn tokens(number: u8) -> NewTokens {
    NewTokens {
        access: [100 + number; 32],
        access_expires_at: at(3_600),
        refresh: [200 + number; 32],
        refresh_expires_at: None,
    }
}

fn device(application: ApplicationId) -> DeviceCode {
    DeviceCode { application, scopes: code().scopes, expires_at: at(600) }
}

fn is_issued(issue: &Issue) -> bool {
    matches!(issue, Issue::Issued(_))
}

pub(crate) async fn a_code_is_good_once_and_its_reuse_ends_the_grant(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    store.add_code(id, [1; 32], code(), at(0)).await.unwrap();
    let store = fixture.open().await;
    assert_eq!(store.code(id, [1; 32]).await.unwrap(), Some(code()));
    let Issue::Issued(grant) = store.redeem_code(id, [1; 32], tokens(1), at(1)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((grant.workspace, grant.via, grant.scopes), (WS, GrantVia::Code, code().scopes));
    let opened = store.credential(CredentialKind::Token, tokens(1).access).await.unwrap().unwrap();
    assert_eq!((opened.credential.workspace, opened.credential.scopes), (WS, code().scopes));

    let store = fixture.open().await;
    let again = store.redeem_code(id, [1; 32], tokens(2), at(2)).await.unwrap();
    assert_eq!(again, Issue::Reused);
    assert!(!opens(&store, 1).await && !opens(&store, 2).await);
    assert_eq!(store.grants(WS, id, None, 10).await.unwrap(), []);
    let again = store.redeem_code(id, [1; 32], tokens(3), at(3)).await.unwrap();
    assert_eq!(again, Issue::Reused);
}

pub(crate) async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_family(
    fixture: &dyn Fixture,
) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    granted(&store, id, 1).await;
    let other = granted(&store, id, 9).await;
    for number in 1..4 {
        let refresh = tokens(number).refresh;
        let next = store.rotate_tokens(id, refresh, tokens(number + 1), at(10)).await.unwrap();
        let Issue::Issued(grant) = next else { panic!("{next:?}") };
        assert_eq!((grant.created_at, grant.refreshed_at), (at(1), at(10)));
        assert!(opens(&store, number).await && opens(&store, number + 1).await);
    }
    let store = fixture.open().await;
    let stolen = store.rotate_tokens(id, tokens(2).refresh, tokens(5), at(11)).await.unwrap();
    assert_eq!(stolen, Issue::Reused);
    for number in 1..=5 {
        assert!(!opens(&store, number).await, "{number}");
    }
    let newest = store.rotate_tokens(id, tokens(4).refresh, tokens(6), at(12)).await.unwrap();
    assert_eq!(newest, Issue::Unknown, "it went with its family");
    let left: Vec<_> = store.grants(WS, id, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|grant| grant.id).collect::<Vec<_>>(), [other]);
    assert!(opens(&store, 9).await);
}

pub(crate) async fn what_is_late_or_anothers_gives_nothing(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    let other = store.create_application(WS, new_application("client-2"), at(0)).await.unwrap().id;
    store.add_code(id, [1; 32], code(), at(0)).await.unwrap();
    assert_eq!(store.code(other, [1; 32]).await.unwrap(), None);
    let anothers = store.redeem_code(other, [1; 32], tokens(1), at(1)).await.unwrap();
    assert_eq!(anothers, Issue::Unknown);
    let late = store.redeem_code(id, [1; 32], tokens(1), at(600)).await.unwrap();
    assert_eq!(late, Issue::Expired);
    assert_eq!(store.redeem_code(id, [2; 32], tokens(1), at(1)).await.unwrap(), Issue::Unknown);
    let code = store.redeem_code(id, [1; 32], tokens(1), at(599)).await.unwrap();
    assert!(is_issued(&code), "what was tried in vain is still good: {code:?}");

    let anothers = store.rotate_tokens(other, tokens(1).refresh, tokens(2), at(600)).await;
    assert_eq!(anothers.unwrap(), Issue::Unknown);
    let short = NewTokens { refresh_expires_at: Some(at(700)), ..tokens(2) };
    let next = store.rotate_tokens(id, tokens(1).refresh, short, at(600)).await.unwrap();
    assert!(is_issued(&next), "{next:?}");
    let late = store.rotate_tokens(id, tokens(2).refresh, tokens(3), at(700)).await.unwrap();
    assert_eq!(late, Issue::Expired);
    assert!(!store.revoke_token(other, tokens(2).refresh).await.unwrap());
    assert!(opens(&store, 2).await && !opens(&store, 3).await);
}

pub(crate) async fn one_of_two_at_once_wins(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    store.add_code(id, [1; 32], code(), at(0)).await.unwrap();
    let race = |number| store.redeem_code(id, [1; 32], tokens(number), at(1));
    let (one, two) = tokio::join!(race(1), race(2));
    let issued = [one.unwrap(), two.unwrap()];
    assert_eq!(issued.iter().filter(|issue| is_issued(issue)).count(), 1, "{issued:?}");
    assert!(issued.contains(&Issue::Reused));
    assert!(!opens(&store, 1).await && !opens(&store, 2).await);
}

pub(crate) async fn a_device_waits_for_its_person(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    let other = store.create_application(WS, new_application("client-2"), at(0)).await.unwrap().id;
    for number in 1..=3 {
        let user = [10 + number; 32];
        store.add_device_code([number; 32], user, device(id), at(0)).await.unwrap();
    }
    let taken = store.add_device_code([9; 32], [11; 32], device(id), at(0)).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))));
    let store = fixture.open().await;
    let (asking, wanted) = store.waiting_device([11; 32], at(1)).await.unwrap().unwrap();
    assert_eq!((asking.id, wanted), (id, code().scopes));
    assert_eq!(store.waiting_device([11; 32], at(600)).await.unwrap(), None);
    assert_eq!(store.waiting_device([99; 32], at(1)).await.unwrap(), None);

    let poll = async |device, number, second| {
        store.poll_device(id, [device; 32], tokens(number), at(second)).await.unwrap()
    };
    assert_eq!(poll(1, 1, 1).await, Poll::Pending);
    assert!(store.decide_device([11; 32], Some(CredentialId(1)), at(2)).await.unwrap());
    assert!(!store.decide_device([11; 32], None, at(3)).await.unwrap(), "it is decided");
    assert_eq!(store.waiting_device([11; 32], at(3)).await.unwrap(), None);
    let anothers = store.poll_device(other, [1; 32], tokens(1), at(6)).await.unwrap();
    assert_eq!(anothers, Poll::Issue(Issue::Unknown));
    let Poll::Issue(Issue::Issued(grant)) = poll(1, 1, 3).await else { panic!() };
    assert_eq!((grant.via, grant.scopes), (GrantVia::Device, code().scopes));
    assert!(opens(&store, 1).await);
    assert_eq!(poll(1, 2, 20).await, Poll::Issue(Issue::Reused));
    assert!(!opens(&store, 1).await && !opens(&store, 2).await);

    assert!(store.decide_device([12; 32], None, at(2)).await.unwrap());
    assert_eq!(poll(2, 3, 4).await, Poll::Denied);
    assert!(!store.decide_device([13; 32], Some(CredentialId(1)), at(600)).await.unwrap());
    assert_eq!(poll(3, 3, 600).await, Poll::Issue(Issue::Expired));
}

pub(crate) async fn a_device_that_hurries_is_slowed(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    store.add_device_code([1; 32], [2; 32], device(id), at(0)).await.unwrap();
    for (second, expected) in [
        (0, Poll::Pending),
        (5, Poll::Pending),
        (9, Poll::TooSoon),
        // Ten seconds from now on.
        (18, Poll::TooSoon),
        // Fifteen.
        (33, Poll::Pending),
    ] {
        let told = store.poll_device(id, [1; 32], tokens(1), at(second)).await.unwrap();
        assert_eq!(told, expected, "at second {second}");
    }
}

pub(crate) async fn a_token_ends_its_grant(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    for number in 1..=3 {
        granted(&store, id, number).await;
    }
    assert!(store.revoke_token(id, tokens(1).access).await.unwrap());
    assert!(store.revoke_token(id, tokens(2).refresh).await.unwrap());
    assert!(!store.revoke_token(id, tokens(1).access).await.unwrap());
    assert!(!opens(&store, 1).await && !opens(&store, 2).await && opens(&store, 3).await);
    let lookup = store.credential(CredentialKind::Pair, [1; 32]).await.unwrap();
    assert!(!store.revoke_token(id, [1; 32]).await.unwrap(), "no other credential is a token");
    assert_eq!(store.credential(CredentialKind::Pair, [1; 32]).await.unwrap(), lookup);
}

pub(crate) async fn what_is_kept_is_bounded(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let id = application(&store).await.id;
    let first = granted(&store, id, 0).await;
    let many = |number: usize| {
        let hash = |kind: u8| {
            let mut hash = [kind; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            hash
        };
        NewTokens { access: hash(1), refresh: hash(2), ..tokens(0) }
    };
    let mut refresh = tokens(0).refresh;
    for number in 0..ACCESS_TOKENS_MAX {
        let next = store.rotate_tokens(id, refresh, many(number), at(2)).await.unwrap();
        assert!(is_issued(&next));
        refresh = many(number).refresh;
    }
    assert!(!opens(&store, 0).await, "the first of one too many");
    let second = store.credential(CredentialKind::Token, many(0).access).await.unwrap();
    assert!(second.is_some());

    for number in 100..100 + GRANTS_MAX {
        let code_hash = many(number).access;
        store.add_code(id, code_hash, code(), at(3)).await.unwrap();
        let grant = store.redeem_code(id, code_hash, many(number), at(3)).await.unwrap();
        assert!(is_issued(&grant));
    }
    let grants = store.grants(WS, id, None, 2 * GRANTS_MAX).await.unwrap();
    assert_eq!(grants.len(), GRANTS_MAX);
    assert!(grants[0].id > first, "the one without a new token for longest is gone");

    for number in 0..DEVICE_CODES_MAX {
        let (device_hash, user) = (many(number).access, many(number).refresh);
        store.add_device_code(device_hash, user, device(id), at(0)).await.unwrap();
    }
    let further = store.add_device_code([3; 32], [4; 32], device(id), at(0)).await;
    assert!(matches!(further, Err(StoreError::Conflict(_))));
    let later = DeviceCode { expires_at: at(1_200), ..device(id) };
    store.add_device_code([3; 32], [4; 32], later, at(601)).await.unwrap();
}

pub(crate) async fn the_tokens_of_a_disabled_application_say_so(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (id, other) = (application(&store).await.id, ApplicationId(999));
    granted(&store, id, 1).await;
    let token = async || {
        let found = store.credential(CredentialKind::Token, tokens(1).access).await.unwrap();
        found.unwrap().credential
    };
    let made = token().await;
    assert_eq!((made.application, made.expires_at), (Some(id), Some(at(3_600))));
    for disabled in [true, false] {
        let change = ApplicationChange { disabled: Some(disabled), ..Default::default() };
        let nobodys = store.update_application(WS, other, change.clone()).await;
        assert!(matches!(nobodys, Err(StoreError::NotFound(_))));
        store.update_application(WS, id, change).await.unwrap();
        assert_eq!(token().await.disabled, disabled);
    }
}
