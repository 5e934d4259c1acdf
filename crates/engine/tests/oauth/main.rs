//! Serving OAuth2, over the embedded store and on a clock that stands still until it is moved.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use hookyard_core::catalogue;
use hookyard_core::clock::Clock;
use hookyard_core::entropy::Entropy;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::*;
use hookyard_engine::Engine;
use hookyard_engine::access::{Presented, Refusal};
use hookyard_engine::net::Guard;
use hookyard_engine::oauth::*;
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{NewWorkspace, SharedStore};
use hookyard_testkit::{SeededEntropy, SimClock};
use tempfile::TempDir;

mod authorizing;
mod devices;
mod tokens;

const WS: WorkspaceId = WorkspaceId(1);
const BACK: &str = "https://a.test/cb";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const LIVES: Lifetimes = Lifetimes {
    access: jiff::SignedDuration::from_secs(3_600),
    refresh: Some(jiff::SignedDuration::from_hours(24)),
};

struct Fixture {
    engine: Engine,
    clock: Arc<SimClock>,
    _directory: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::from_environment());
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::clone(&entropy) };
        let store: SharedStore = Arc::new(SqliteStore::open(options).unwrap());
        for (id, merchant) in [(WS, "DEMO"), (WorkspaceId(2), "OTHER")] {
            let workspace =
                Workspace { id, merchant: merchant.to_owned(), name: merchant.to_owned() };
            let project = Project { id: ProjectId(1), name: "Main".to_owned() };
            let catalogue = catalogue::initial().clone();
            let new = NewWorkspace { workspace, project, catalogue, credentials: Vec::new() };
            store.create_workspace(new).await.unwrap();
        }
        let clock = Arc::new(SimClock::default());
        let guard = Arc::new(Guard::new(Vec::new()));
        let engine = Engine::new(store, Arc::clone(&clock) as Arc<dyn Clock>, entropy, guard);
        Self { engine, clock, _directory: directory }
    }

    async fn application(&self, change: impl FnOnce(&mut ApplicationSettings)) -> Application {
        let mut settings = ApplicationSettings {
            name: "Reports".to_owned(),
            redirect_uris: vec![BACK.to_owned(), "https://a.test/cb?x=1".to_owned()],
            ..ApplicationSettings::default()
        };
        change(&mut settings);
        let scopes = "webhook_read webhook_write".parse().unwrap();
        self.engine.create_application(WS, scopes, settings).await.unwrap()
    }

    async fn ask(&self, request: Request) -> Result<Asked, Stop> {
        self.engine.authorization(request).await.unwrap()
    }

    /// A code for the application.
    async fn code(&self, application: &Application, change: impl FnOnce(&mut Request)) -> String {
        let mut request = request(application);
        change(&mut request);
        let asked = self.ask(request).await.unwrap();
        let url = self.engine.approve(&asked, &person(Scopes::all())).await.unwrap();
        parameter(&url, "code").unwrap()
    }

    async fn exchange(
        &self,
        application: &Application,
        exchange: Exchange,
    ) -> Result<Tokens, ExchangeError> {
        self.engine.exchange(application, exchange, LIVES).await
    }

    async fn redeem(&self, application: &Application, code: &str) -> Result<Tokens, ExchangeError> {
        self.exchange(application, with_code(code, None)).await
    }

    /// The credential that an access token is, as long as callers are let in with it.
    async fn opens(&self, access: &str) -> Option<Credential> {
        self.engine.access().admit(Presented::Token(access)).await.ok()
    }
}

fn request(application: &Application) -> Request {
    Request {
        client_id: Some(application.client_id.clone()),
        response_type: Some("code".to_owned()),
        redirect_uri: Some(BACK.to_owned()),
        state: Some("s 1&".to_owned()),
        ..Request::default()
    }
}

fn with_code(code: &str, verifier: Option<&str>) -> Exchange {
    Exchange::Code {
        code: code.to_owned(),
        redirect_uri: BACK.to_owned(),
        verifier: verifier.map(str::to_owned),
    }
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn useless(result: Result<Tokens, ExchangeError>) -> &'static str {
    match result {
        Err(ExchangeError::Useless(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Somebody with these scopes in the workspace.
fn person(scopes: Scopes) -> Credential {
    Credential {
        id: hookyard_core::id::CredentialId(1),
        workspace: WS,
        kind: CredentialKind::Simple,
        scopes,
        name: String::new(),
        created_at: None,
        expires_at: None,
        allowed_ips: Vec::new(),
        last_used_at: None,
        revoked_at: None,
        disabled: false,
        application: None,
        project: None,
    }
}
