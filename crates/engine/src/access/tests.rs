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

    /// Makes a pair with the key `key` and the secret `secret`.
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

#[tokio::test(flavor = "multi_thread")]
async fn nobody_shuts_themselves_out() {
    let yard = Yard::start().await;
    let id = yard.make(|_| {}).await;
    let engine = Arc::clone(&yard.engine);
    let own = Actor::request(yard.now(), None, "id".into());
    own.scope(async {
        yard.admit("secret").await.unwrap();
        assert!(matches!(engine.revoke_credential(WS, id).await, Err(Error::Conflict(_))));
        for change in [
            CredentialChange { disabled: Some(true), ..Default::default() },
            CredentialChange { scopes: Some(Scopes::all()), ..Default::default() },
            CredentialChange { allowed_ips: Some(Vec::new()), ..Default::default() },
            CredentialChange { expires_at: Some(None), ..Default::default() },
        ] {
            let refused = engine.change_credential(WS, id, change).await;
            assert!(matches!(refused, Err(Error::Conflict(_))));
        }
        let name = CredentialChange { name: Some("mine".into()), ..Default::default() };
        assert_eq!(engine.change_credential(WS, id, name).await.unwrap().name, "mine");
        let short = engine.rotate_credential(WS, id, SignedDuration::from_secs(3_599)).await;
        assert!(matches!(short, Err(Error::Invalid { .. })));
        engine.rotate_credential(WS, id, SignedDuration::from_hours(1)).await.unwrap();
    })
    .await;
    engine.revoke_credential(WS, id).await.unwrap();
    assert!(matches!(yard.admit("secret").await, Err(Refusal::Unknown)), "at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_is_good_for_its_overlap() {
    let yard = Yard::start().await;
    let id = yard.make(|new| new.name = "till".into()).await;
    let overlap = SignedDuration::from_secs(60);
    let (new, secrets) = yard.engine.rotate_credential(WS, id, overlap).await.unwrap();
    assert_eq!(new.name, "till");
    let secret = secrets.secret.as_deref().unwrap();
    let presented = Presented::Pair { key: &secrets.key, secret };
    assert_eq!(yard.engine.access().admit(presented).await.unwrap().id, new.id);
    assert!(yard.admit("secret").await.is_ok());
    yard.clock.advance(Duration::from_secs(60));
    assert!(matches!(yard.admit("secret").await, Err(Refusal::Expired(_))));
    assert!(yard.engine.access().admit(presented).await.is_ok());
    let late = yard.engine.rotate_credential(WS, id, overlap).await;
    assert!(matches!(late, Err(Error::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_named() {
    let yard = Yard::start().await;
    let good = CredentialSpec {
        kind: CredentialKind::Token,
        scopes: Scopes::all(),
        name: "n".repeat(100),
        expires_at: Some(yard.now() + SignedDuration::from_secs(1)),
        allowed_ips: vec![parse_net("192.0.2.1").unwrap(), parse_net("fd00::/8").unwrap()],
        project: None,
    };
    let limited = |scopes: &str, project| CredentialSpec {
        scopes: scopes.parse().unwrap(),
        project: Some(ProjectId(project)),
        ..good.clone()
    };
    let many = vec![parse_net("192.0.2.1").unwrap(); ALLOWED_IPS_MAX + 1];
    for (field, bad) in [
        ("name", CredentialSpec { name: "n".repeat(101), ..good.clone() }),
        ("name", CredentialSpec { name: "a\nb".into(), ..good.clone() }),
        ("scopes", CredentialSpec { scopes: Scopes::default(), ..good.clone() }),
        ("expires_at", CredentialSpec { expires_at: Some(yard.now()), ..good.clone() }),
        ("allowed_ips", CredentialSpec { allowed_ips: many, ..good.clone() }),
        ("scopes", limited("data_read webhook_read", 1)),
        ("project", limited("data_read", 2)),
    ] {
        let refused = yard.engine.create_credential(WS, bad).await.err().unwrap();
        assert!(matches!(&refused, Error::Invalid { field: at, .. } if at == field), "{refused}");
    }
    let (made, _) = yard.engine.create_credential(WS, limited("data_read", 1)).await.unwrap();
    let more = CredentialChange { scopes: Some(Scopes::all()), ..Default::default() };
    let refused = yard.engine.change_credential(WS, made.id, more).await.err().unwrap();
    assert!(matches!(&refused, Error::Invalid { field, .. } if field == "scopes"), "{refused}");
    yard.engine.create_credential(WS, good).await.unwrap();
    assert_eq!(parse_net("192.0.2.0/33"), None);
    assert_eq!(parse_net("localhost"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_a_project_does_nothing_else_whatever_it_was_given() {
    let yard = Yard::start().await;
    yard.make(|new| new.project = Some(ProjectId(1))).await;
    let admitted = yard.admit("secret").await.unwrap();
    assert_eq!(admitted.scopes, Scopes::of_a_project());
    assert_eq!(admitted.project, Some(ProjectId(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_changed_is_asked_for_again() {
    let yard = Yard::start().await;
    yard.make(|_| {}).await;
    yard.admit("secret").await.unwrap();
    let mut known = lock(&yard.engine.access().known);
    known.follow(0);
    assert_eq!((known.credentials.len(), known.forgotten), (1, 0));
    known.follow(3);
    assert_eq!((known.credentials.len(), known.forgotten), (0, 1));
    known.follow(3);
    assert_eq!(known.forgotten, 1);
}
