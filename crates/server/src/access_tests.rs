//! An ended or disabled credential, and a credential from a forbidden address, at each API.

use axum::body::Body;
use hookyard_core::clock::Clock;
use hookyard_core::id::CredentialId;
use hookyard_core::model::{CredentialKind, Scopes};
use hookyard_store::{CredentialChange, NewCredential};
use http::Request;
use jiff::SignedDuration;

use crate::Settings;
use crate::peer::Peer;
use crate::test_server::{Answer, TestServer, WORKSPACE, credential};

const KEY: &str = "under-test";

/// One call of each API, with words from the API's refusals.
const CALLS: [(&str, &str); 3] = [
    ("/rest/v2/webhook/webhooks", "developer_message"),
    ("/api/v2/workspaces/1/projects/1/webhooks", "\"detail\""),
    ("/v1/endpoints", "\"code\""),
];

/// A server with a changed token.
async fn server(
    change: impl FnOnce(&TestServer, &mut NewCredential),
) -> (TestServer, CredentialId) {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let server = TestServer::with(Settings { trusted_proxies, ..Settings::default() }).await;
    let mut new = credential(CredentialKind::Token, KEY, Scopes::all());
    change(&server, &mut new);
    let id = server.store.create_credential(WORKSPACE, new).await.unwrap();
    (server, id)
}

async fn call(server: &TestServer, path: &str, forwarded_for: &str) -> Answer {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {KEY}"))
        .header("x-forwarded-for", forwarded_for)
        .extension(Peer([10, 0, 0, 1].into()));
    server.send(request.body(Body::empty()).unwrap()).await
}

async fn assert_all(server: &TestServer, forwarded_for: &str, status: u16, text: &str) {
    for (path, form) in CALLS {
        let answer = call(server, path, forwarded_for).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        if status != 200 {
            assert!(answer.body.contains(form), "{path}: {}", answer.body);
            assert!(answer.body.contains(text), "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_disabled_one_is_gone_until_it_is_enabled() {
    let (server, id) = server(|_, _| {}).await;
    for (disabled, status) in [(true, 410), (false, 200)] {
        let change = CredentialChange { disabled: Some(disabled), ..Default::default() };
        server.store.change_credential(WORKSPACE, id, change).await.unwrap();
        server.engine.access().forget(id);
        assert_all(&server, "192.0.2.1", status, "disabled").await;
    }
}

#[tokio::test]
async fn one_that_ended_is_unknown() {
    let (server, id) = server(|server, new| {
        new.expires_at = Some(server.clock.now() + SignedDuration::from_secs(60));
    })
    .await;
    assert_all(&server, "192.0.2.1", 200, "").await;
    server.clock.advance(std::time::Duration::from_secs(60));
    assert_all(&server, "192.0.2.1", 401, "").await;
    let later = CredentialChange { expires_at: Some(None), ..Default::default() };
    let store = &server.store;
    store.change_credential(WORKSPACE, id, later).await.unwrap();
    server.engine.access().forget(id);
    assert_all(&server, "192.0.2.1", 200, "").await;
    store.revoke_credential(WORKSPACE, id, server.clock.now()).await.unwrap();
    server.engine.access().forget(id);
    assert_all(&server, "192.0.2.1", 401, "").await;
}

#[tokio::test]
async fn addresses_are_told_through_trusted_proxies() {
    let (server, _) =
        server(|_, new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()]).await;
    assert_all(&server, "192.0.2.1", 200, "").await;
    assert_all(&server, "198.51.100.1", 403, "may not be used from 198.51.100.1").await;
    assert_all(&server, "192.0.2.1, 198.51.100.1", 403, "198.51.100.1").await;
    assert_all(&server, "nonsense", 403, "an address that is not known").await;
}

#[tokio::test]
async fn too_many_wrong_credentials_wait_and_good_ones_do_not() {
    let (server, _) = server(|_, _| {}).await;
    let wrong = async |path: &str, from: &str| {
        let request = Request::get(path)
            .header("authorization", "Bearer wrong")
            .header("x-forwarded-for", from)
            .extension(Peer([10, 0, 0, 1].into()));
        server.send(request.body(Body::empty()).unwrap()).await
    };
    for count in 0..300 {
        let (path, _) = CALLS[count % CALLS.len()];
        assert_eq!(wrong(path, "192.0.2.1").await.status, 401, "{count}");
    }
    for (path, form) in CALLS {
        let answer = wrong(path, "192.0.2.1").await;
        assert_eq!(answer.status, 429, "{path}: {}", answer.body);
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
        assert!(answer.body.contains(form) && answer.body.contains("is not valid"), "{path}");
        assert_eq!(wrong(path, "198.51.100.1").await.status, 401, "{path}: another address");
    }
    assert_all(&server, "192.0.2.1", 200, "").await;
    server.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(wrong(CALLS[0].0, "192.0.2.1").await.status, 401);
    assert_eq!(wrong(CALLS[0].0, "192.0.2.1").await.status, 429);
    server.clock.advance(std::time::Duration::from_secs(301));
    for _ in 0..300 {
        assert_eq!(wrong(CALLS[0].0, "192.0.2.1").await.status, 401);
    }
}
