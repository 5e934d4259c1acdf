use hookyard_core::catalogue;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, Scopes, Workspace};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{CredentialChange, NewCredential, NewWorkspace};
use hookyard_testkit::{SeededEntropy, SimClock};
use tempfile::TempDir;

use super::*;
use crate::Engine;
use crate::net::Guard;

const WS: WorkspaceId = WorkspaceId(1);

struct Yard {
    engine: Arc<Engine>,
    clock: Arc<SimClock>,
    _directory: TempDir,
}

impl Yard {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::clone(&entropy) as _ };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        let workspace = NewWorkspace {
            workspace: Workspace { id: WS, merchant: "DEMO".into(), name: "Demo".into() },
            project: Project { id: ProjectId(1), name: "Main".into() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        store.create_workspace(workspace).await.unwrap();
        let clock = Arc::new(SimClock::default());
        let guard = Arc::new(Guard::new(Vec::new()));
        let engine = Engine::new(store, Arc::clone(&clock) as _, entropy, guard);
        Self { engine: Arc::new(engine), clock, _directory: directory }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a pair whose key is `key` and whose secret is `secret`.
    async fn make(&self, change: impl FnOnce(&mut NewCredential)) -> CredentialId {
        let (kind, secret) = (CredentialKind::Pair, Some(hash("secret")));
        let mut new = NewCredential::new(kind, Scopes::all(), hash("key"), secret, self.now());
        change(&mut new);
        self.engine.store().create_credential(WS, new).await.unwrap()
    }

    async fn admit(&self, secret: &str) -> Result<Credential, Refusal> {
        self.engine.access().admit(Presented::Pair { key: "key", secret }).await
    }

    async fn admit_from(&self, address: &str) -> Result<Credential, Refusal> {
        let actor = Actor::request(self.now(), Some(address.parse().unwrap()), "id".into());
        actor.scope(self.admit("secret")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_secret_of_the_right_kind_opens() {
    let yard = Yard::start().await;
    let id = yard.make(|_| {}).await;
    assert_eq!(yard.admit("secret").await.unwrap().id, id);
    for presented in [
        Presented::Pair { key: "key", secret: "secret2" },
        Presented::Pair { key: "key", secret: "" },
        Presented::Pair { key: "secret", secret: "secret" },
        Presented::Simple("key"),
        Presented::Token("key"),
    ] {
        let refused = yard.engine.access().admit(presented).await;
        assert!(matches!(refused, Err(Refusal::Unknown)), "{presented:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_asked_for_again() {
    let yard = Yard::start().await;
    let id = yard.make(|_| {}).await;
    yard.admit("secret").await.unwrap();
    let (store, access) = (yard.engine.store(), yard.engine.access());
    let disable = |disabled| CredentialChange { disabled: Some(disabled), ..Default::default() };
    store.change_credential(WS, id, disable(true)).await.unwrap();
    assert!(yard.admit("secret").await.is_ok(), "another process did this: it may take seconds");
    access.forget(id);
    assert!(matches!(yard.admit("secret").await, Err(Refusal::Disabled)));
    store.change_credential(WS, id, disable(false)).await.unwrap();
    yard.clock.advance(CACHE_FOR);
    assert!(yard.admit("secret").await.is_ok());
    store.revoke_credential(WS, id, yard.now()).await.unwrap();
    access.forget(id);
    assert!(matches!(yard.admit("secret").await, Err(Refusal::Unknown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_comes_without_waiting_for_the_cache() {
    let yard = Yard::start().await;
    let end = yard.now() + SignedDuration::from_secs(2);
    yard.make(|new| new.expires_at = Some(end)).await;
    assert!(yard.admit("secret").await.is_ok());
    yard.clock.advance(Duration::from_secs(2));
    assert!(matches!(yard.admit("secret").await, Err(Refusal::Expired(at)) if at == end));
    assert!(matches!(yard.admit("wrong").await, Err(Refusal::Unknown)));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_those_of_the_actor() {
    let yard = Yard::start().await;
    yard.make(|new| new.allowed_ips = vec!["192.0.2.0/24".parse().unwrap()]).await;
    assert!(yard.admit_from("192.0.2.200").await.is_ok());
    let refused = yard.admit_from("192.0.3.1").await.unwrap_err();
    assert_eq!(refused.to_string(), "the credential may not be used from 192.0.3.1");
    let refused = yard.admit("secret").await.unwrap_err();
    assert!(matches!(refused, Refusal::Address(_)), "without an address there is no saying");
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_are_noted_once_a_minute() {
    let yard = Yard::start().await;
    let id = yard.make(|_| {}).await;
    let upkeep = Upkeep::new(Arc::clone(&yard.engine));
    let noted = async || {
        upkeep.once().await.unwrap();
        yard.engine.store().credential_by_id(WS, id).await.unwrap().unwrap().last_used_at
    };
    assert_eq!(noted().await, None);
    let first = yard.now();
    yard.admit("secret").await.unwrap();
    yard.admit("wrong").await.unwrap_err();
    assert_eq!(noted().await, Some(first));
    yard.clock.advance(Duration::from_secs(30));
    yard.admit("secret").await.unwrap();
    assert_eq!(noted().await, Some(first), "within a minute of the last note");
    yard.clock.advance(Duration::from_secs(30));
    let second = yard.now();
    yard.admit("secret").await.unwrap();
    assert_eq!(noted().await, Some(second));
}
