//! The real router over the real embedded store, for tests.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use hookyard_core::catalogue;
use hookyard_core::entropy::Entropy;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{CredentialKind, Project, Scope, Scopes, Workspace};
use hookyard_engine::Engine;
use hookyard_engine::limits::Limits;
use hookyard_engine::net::{Guard, Resolve, ResolveError};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{NewCredential, NewWorkspace, SharedStore};
use hookyard_tables::Tables;
use hookyard_testkit::{SeededEntropy, SimClock};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{Settings, router};

/// The workspace, with the merchant `DEMO`.
pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(1);

/// The workspace's project.
pub(crate) const PROJECT: ProjectId = ProjectId(1);

/// Another workspace, with the merchant `OTHER`.
pub(crate) const OTHER_WORKSPACE: WorkspaceId = WorkspaceId(2);

/// A simple key, a key, a secret and a token, all with every scope.
pub(crate) const SIMPLE_KEY: &str =
    "5e0a2f5d1b3c4d018f1f0a2b3c4d5e6f5e0a2f5d1b3c4d018f1f0a2b3c4d5e70";
pub(crate) const API_KEY: &str = "key-of-demo";
pub(crate) const API_SECRET: &str = "secret-of-demo";
pub(crate) const TOKEN: &str = "token-of-demo";

/// A simple key and a pair with reading scopes only.
pub(crate) const READ_KEY: &str = "read-key-of-demo";
pub(crate) const READ_API_KEY: &str = "read-pair-of-demo";

/// A simple key and a pair of the other workspace.
pub(crate) const OTHER_KEY: &str = "key-of-other";
pub(crate) const OTHER_API_KEY: &str = "pair-of-other";

/// Hookyard without the listener. Time stands still, and randomness follows from a seed.
pub(crate) struct TestServer {
    pub(crate) router: Router,
    pub(crate) engine: Arc<Engine>,
    /// The engine's store, for what no API does.
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<SimClock>,
    _directory: TempDir,
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl TestServer {
    /// A server with two workspaces.
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    /// A server with the given settings.
    pub(crate) async fn with(settings: Settings) -> Self {
        Self::limited(settings, Limits::default()).await
    }

    /// A server with limits on callers.
    pub(crate) async fn limited(settings: Settings, limits: Limits) -> Self {
        let directory = TempDir::new().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::from_environment());
        let options = Options {
            path: directory.path().join("hookyard.db"),
            key: [7; 32],
            entropy: Arc::clone(&entropy),
        };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        let demo = workspace(WORKSPACE, "DEMO", [SIMPLE_KEY, API_KEY, TOKEN]);
        store.create_workspace(demo).await.unwrap();
        let other = workspace(OTHER_WORKSPACE, "OTHER", [OTHER_KEY, OTHER_API_KEY, "other-token"]);
        store.create_workspace(other).await.unwrap();
        let readers = [Scope::WebhookRead, Scope::EventRead, Scope::DataRead].into_iter().collect();
        for credential in [
            credential(CredentialKind::Simple, READ_KEY, readers),
            credential(CredentialKind::Pair, READ_API_KEY, readers),
        ] {
            store.create_credential(WORKSPACE, credential).await.unwrap();
        }

        let clock = Arc::new(SimClock::default());
        let allowed = vec!["127.0.0.0/8".parse().unwrap()];
        let guard = Arc::new(Guard::with_resolver(allowed, Arc::new(Names)));
        let engine = Engine::new(Arc::clone(&store), Arc::clone(&clock) as _, entropy, guard);
        let engine = Arc::new(engine.limited(limits));
        let tables = Tables::new(Arc::clone(&store), settings.sql);
        let router = router(Arc::clone(&engine), tables, settings);
        Self { router, engine, store, clock, _directory: directory }
    }

    /// Sends a request, past the network.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

fn workspace(id: WorkspaceId, merchant: &str, [simple, pair, token]: [&str; 3]) -> NewWorkspace {
    NewWorkspace {
        workspace: Workspace { id, merchant: merchant.to_owned(), name: merchant.to_owned() },
        project: Project { id: PROJECT, name: "Main".to_owned() },
        catalogue: catalogue::initial().clone(),
        credentials: vec![
            credential(CredentialKind::Simple, simple, Scopes::all()),
            credential(CredentialKind::Pair, pair, Scopes::all()),
            credential(CredentialKind::Token, token, Scopes::all()),
        ],
    }
}

/// Every pair has the same secret.
pub(crate) fn credential(kind: CredentialKind, text: &str, scopes: Scopes) -> NewCredential {
    let hash = |text: &str| Sha256::digest(text.as_bytes()).into();
    let secret = (kind == CredentialKind::Pair).then(|| hash(API_SECRET));
    let made_at = Timestamp::UNIX_EPOCH;
    NewCredential::new(kind, scopes, hash(text), secret, made_at)
}

/// A public address for every name, but for `inside.test` and `nowhere.test`.
#[derive(Debug)]
struct Names;

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        match name {
            "nowhere.test" => Err(ResolveError::Failed("no such name".to_owned())),
            "inside.test" => Ok(vec![IpAddr::from([10, 0, 0, 1])]),
            _ => Ok(vec![IpAddr::from([93, 184, 215, 14])]),
        }
    }
}
