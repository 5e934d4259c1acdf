//! Targets that would reach where nobody who may register an endpoint should: refused when they are
//! saved, and again when a connection is made.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::catalogue;
use hookyard_core::clock::Clock;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{ProjectId, WorkspaceId};
use hookyard_core::model::{Project, Workspace};
use hookyard_engine::deliver::{Http, NetTransport, Outgoing, Transport, Unanswered};
use hookyard_engine::endpoints::{EndpointChange, FieldNames};
use hookyard_engine::net::{Guard, Resolve, ResolveError};
use hookyard_engine::{Engine, Error};
use hookyard_store::sqlite::{Options, SqliteStore};
use hookyard_store::{NewWorkspace, TenantStore};
use hookyard_testkit::{Receiver, SimClock};
use http::{HeaderMap, Method, Uri};
use tempfile::TempDir;
use url::Url;

const WORKSPACE: WorkspaceId = WorkspaceId(1);

const NAMES: FieldNames = FieldNames {
    url: "url",
    name: "name",
    comments: "comments",
    basic_username: "basic_username",
    hidden_password: None,
    iam_secret_key: "iam_secret_key",
    maximum_events: "maximum_events",
    maximum_size: "maximum_size",
    event_type: "event_type",
    rule: "rule",
};

/// Every name has one address until it is told to move inside.
#[derive(Debug)]
struct Everywhere {
    address: IpAddr,
    inside: AtomicBool,
}

impl Everywhere {
    fn at(address: &str) -> Arc<Self> {
        Arc::new(Self { address: address.parse().unwrap(), inside: AtomicBool::new(false) })
    }
}

#[async_trait]
impl Resolve for Everywhere {
    async fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let inside = self.inside.load(Ordering::Relaxed);
        Ok(vec![if inside { [127, 0, 0, 1].into() } else { self.address }])
    }
}

struct Setup {
    engine: Engine,
    transport: NetTransport,
    _directory: TempDir,
}

impl Setup {
    async fn new(guard: Guard) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("hookyard.db");
        let options = Options { path, key: [7; 32], entropy: Arc::new(SystemEntropy) };
        let store = SqliteStore::open(options).unwrap();
        let new = NewWorkspace {
            workspace: Workspace { id: WORKSPACE, merchant: "DEMO".into(), name: "demo".into() },
            project: Project { id: ProjectId(1), name: "demo".into() },
            catalogue: catalogue::initial().clone(),
            credentials: Vec::new(),
        };
        store.create_workspace(new).await.unwrap();
        let guard = Arc::new(guard);
        let clock: Arc<dyn Clock> = Arc::new(SimClock::default());
        let transport = NetTransport::new(Arc::clone(&guard), &clock, None, 64);
        let engine = Engine::new(Arc::new(store), clock, Arc::new(SystemEntropy), guard);
        Self { engine, transport: transport.unwrap(), _directory: directory }
    }

    /// Saves an endpoint without subscriptions.
    async fn save(&self, url: &str) -> Result<(), Error> {
        let change = EndpointChange { url: Some(url.to_owned()), ..EndpointChange::none(&NAMES) };
        self.engine.create_endpoint(WORKSPACE, change).await.map(drop)
    }

    async fn assert_not_saved(&self, url: &str) {
        match self.save(url).await {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, "url", "{url:?}"),
            other => panic!("{url:?} was saved: {other:?}"),
        }
    }

    /// Sends to a URL as it is written and as the URL parser understands it, where it is one.
    async fn assert_not_sent(&self, url: &str) {
        let parsed = Url::parse(url).map(String::from);
        for text in [Some(url.to_owned()), parsed.ok()].into_iter().flatten() {
            let Ok(uri) = Uri::try_from(text) else { continue };
            let outgoing = Outgoing {
                method: Method::POST,
                uri,
                headers: HeaderMap::new(),
                body: Bytes::new(),
                events: Arc::from([]),
                timeout: Duration::from_secs(30),
            };
            let to = Http { danger_accept_invalid_certs: true, ..Http::default() };
            let Err(Unanswered::Failed(error)) = self.transport.post(&to, outgoing).await else {
                panic!("{url:?} was sent to, or is no fault of the receiver");
            };
            assert!(!error.contains("connecting to"), "{url:?} was connected to: {error}");
            assert!(!error.contains("handshake"), "{url:?} was connected to: {error}");
        }
    }
}

fn guard(allowed: &[&str], resolver: &Arc<Everywhere>) -> Guard {
    let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
    Guard::with_resolver(allowed, Arc::clone(resolver) as _)
}

fn unescape(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut letters = escape.chars();
        match letters.next().unwrap() {
            'r' => text.push('\r'),
            'n' => text.push('\n'),
            't' => text.push('\t'),
            '0' => text.push('\0'),
            '\\' => text.push('\\'),
            'u' => {
                let (code, after) = escape[2..].split_once('}').unwrap();
                text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                letters = after.chars();
            }
            other => panic!("unknown escape {other} in {line}"),
        }
        rest = letters.as_str();
    }
    text + rest
}

fn section(name: &str) -> Vec<String> {
    let corpus = include_str!("urls.txt");
    let start = corpus.split_once(&format!("[{name}]\n")).unwrap().1;
    let lines = start.lines().take_while(|line| !line.is_empty());
    lines.map(|line| unescape(line.trim_matches('"'))).collect()
}

#[test]
fn the_corpus_is_large_and_has_no_doubles() {
    let mut all: Vec<_> = ["address", "name", "malformed"].into_iter().flat_map(section).collect();
    assert!(all.len() >= 300, "{}", all.len());
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count);
}

/// However it is written, an address that is not public is refused, also where names lead to a
/// public one.
#[tokio::test]
async fn addresses_are_refused_in_every_spelling() {
    let setup = Setup::new(guard(&[], &Everywhere::at("8.8.8.8"))).await;
    for url in section("address") {
        setup.assert_not_saved(&url).await;
    }
    let setup = Setup::new(guard(&[], &Everywhere::at("127.0.0.1"))).await;
    for url in section("address") {
        setup.assert_not_sent(&url).await;
    }
}

/// A name is refused for what it resolves to, however it is written.
#[tokio::test]
async fn names_are_refused_for_their_addresses() {
    for address in ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
        let setup = Setup::new(guard(&[], &Everywhere::at(address))).await;
        for url in section("name") {
            setup.assert_not_saved(&url).await;
            setup.assert_not_sent(&url).await;
        }
    }
}

/// What is no URL with a plain host is refused where every address is allowed.
#[tokio::test]
async fn malformed_urls_are_refused_wherever_they_lead() {
    let setup = Setup::new(guard(&["0.0.0.0/0", "::/0"], &Everywhere::at("8.8.8.8"))).await;
    for url in section("malformed") {
        setup.assert_not_saved(&url).await;
    }
    let setup = Setup::new(guard(&[], &Everywhere::at("127.0.0.1"))).await;
    for url in section("malformed").iter().filter(|url| !url.contains("8.8.8.8")) {
        setup.assert_not_sent(url).await;
    }
}

/// The answer of the name server changes between the check and the connection.
#[tokio::test]
async fn a_name_that_moves_inside_is_refused_at_the_connection() {
    let receiver = Receiver::start().await.unwrap();
    let names = Everywhere::at("8.8.8.8");
    let setup = Setup::new(guard(&[], &names)).await;
    let url = format!("https://rebind.test:{}/", receiver.address().port());
    setup.save(&url).await.unwrap();
    names.inside.store(true, Ordering::Relaxed);
    setup.assert_not_sent(&url).await;
    assert_eq!(receiver.count(), 0);
}
