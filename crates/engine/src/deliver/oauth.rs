//! Bearer tokens by OAuth2 client credentials (RFC 6749 section 4.4), kept until they expire.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookyard_core::body;
use hookyard_core::clock::Clock;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::{OAuth2Client, Secret};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::outgoing::{Read, Unanswered, after, read};
use crate::net::{Client, check_url};

/// How long a token is used when the answer names no lifetime: a short time, since a wrong guess costs a
/// refused delivery and a right guess only a look at the token endpoint.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);

/// The longest a token is used, whatever the answer says, so that the clock's arithmetic stays sane and a
/// revoked client is noticed within the day.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A token is not used any more this long before it expires: a request takes up to 30 seconds.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// The most tokens that are kept, some kilobytes each and 64 at most. With more clients, tokens are fetched
/// more often: a full cache drops the token that ends soonest of the workspace with the most tokens. So no
/// workspace displaces tokens within another's share.
const TOKENS_MAX: usize = 1_000;

/// The most bytes of a token endpoint's answer; tokens themselves must fit a header.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long the body of a token endpoint's answer may take after the head: the body is one packet.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The most characters of a token endpoint's error that the log repeats.
const ERROR_CHARACTERS_MAX: usize = 100;

/// The workspace, and the digest of all that a token depends on, including the secret.
type Key = (WorkspaceId, [u8; 32]);

/// A token and whether it was kept from an earlier request.
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) kept: bool,
}

/// Fetches and keeps tokens.
pub(super) struct Tokens {
    client: Client,
    clock: Arc<dyn Clock>,
    kept: Mutex<HashMap<Key, (Secret, Duration)>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

/// A number of seconds. Some servers write the number as a text (RFC 6749 section 5.1 has a number).
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn lifetime(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => *seconds,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

#[derive(Deserialize)]
struct Denied {
    error: String,
}

impl Tokens {
    pub(super) fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, kept: Mutex::default() }
    }

    /// A valid token. The caller bounds the time.
    pub(super) async fn token(
        &self,
        workspace: WorkspaceId,
        client: &OAuth2Client,
    ) -> Result<Token, Unanswered> {
        let key = (workspace, key(client));
        if let Some(secret) = self.find(&key) {
            return Ok(Token { secret, kept: true });
        }
        let failed = |reason| format!("there is no access token: {reason}");
        let fetched = self.fetch(client).await.map_err(|why| why.map(failed));
        let (secret, lifetime) = fetched?;
        self.keep(key, &secret, lifetime);
        Ok(Token { secret, kept: false })
    }

    /// Forgets a token that a receiver refused, unless another took its place meanwhile.
    pub(super) fn forget(&self, workspace: WorkspaceId, client: &OAuth2Client, refused: &Secret) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (workspace, key(client));
        if kept.get(&key).is_some_and(|(secret, _)| secret == refused) {
            kept.remove(&key);
        }
    }

    fn find(&self, key: &Key) -> Option<Secret> {
        let now = self.clock.monotonic();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(_, until)| now < *until).map(|(secret, _)| secret.clone())
    }

    fn keep(&self, key: Key, secret: &Secret, lifetime: Duration) {
        let now = self.clock.monotonic();
        let until = now + lifetime.saturating_sub(MARGIN);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= TOKENS_MAX {
            kept.retain(|_, (_, until)| now < *until);
        }
        if kept.len() >= TOKENS_MAX
            && let Some(surplus) = surplus(&kept, key.0)
        {
            kept.remove(&surplus);
        }
        kept.insert(key, (secret.clone(), until));
    }

    async fn fetch(&self, client: &OAuth2Client) -> Result<(Secret, Duration), Unanswered> {
        let response = self.client.send(request(client)?).await;
        let (head, body) = response.map_err(|error| Unanswered::because(&error))?.into_parts();
        let Read { bytes, broken } = read(body, ANSWER_BYTES_MAX, after(ANSWER_TIMEOUT)).await;
        let body = body::without_mark(&bytes);
        let status = head.status.as_u16();
        if status != 200 {
            let said = serde_json::from_slice::<Denied>(body).map(|denied| denied.error);
            let said = said.unwrap_or_default();
            let said: String = said
                .chars()
                .filter(|letter| letter.is_ascii_graphic())
                .take(ERROR_CHARACTERS_MAX)
                .collect();
            let reason = format!("the token endpoint answered {status} {said}");
            return Err(reason.trim().to_owned().into());
        }
        let granted: Granted = serde_json::from_slice(body).map_err(|_| match broken {
            Some(reason) => {
                format!("the token endpoint answered 200, and the answer broke off: {reason}")
            }
            None => "the token endpoint's answer is no token".to_owned(),
        })?;
        let kind = granted.token_type.unwrap_or_default();
        if !(kind.is_empty() || kind.eq_ignore_ascii_case("bearer")) {
            return Err("the token endpoint's answer is no bearer token".to_owned().into());
        }
        let lifetime = granted.expires_in.and_then(|seconds| seconds.lifetime());
        let lifetime = lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX);
        Ok((Secret::new(granted.access_token), lifetime))
    }
}

/// The token to drop for a new token of this workspace: the token that ends soonest in the workspace with the
/// most. Looks at all tokens, a small cost beside the request for the new token.
fn surplus(kept: &HashMap<Key, (Secret, Duration)>, workspace: WorkspaceId) -> Option<Key> {
    let mut counts: HashMap<WorkspaceId, usize> = HashMap::from([(workspace, 1)]);
    for (workspace, _) in kept.keys() {
        *counts.entry(*workspace).or_default() += 1;
    }
    let (largest, _) = counts.into_iter().max_by_key(|(workspace, count)| (*count, *workspace))?;
    let own = kept.iter().filter(|((workspace, _), _)| *workspace == largest);
    own.min_by_key(|(_, (_, until))| *until).map(|(key, _)| *key)
}

fn key(client: &OAuth2Client) -> [u8; 32] {
    let OAuth2Client { token_url, client_id, client_secret, scope, credentials_in_body } = client;
    let mut digest = Sha256::new();
    let secret = client_secret.as_ref().map_or("", Secret::expose);
    let scope = scope.as_deref().unwrap_or_default();
    let place = if *credentials_in_body { "body" } else { "header" };
    for part in [token_url, client_id, secret, scope, place] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn request(client: &OAuth2Client) -> Result<Request<Full<Bytes>>, String> {
    let url = Url::parse(&client.token_url).map_err(|error| format!("the token url: {error}"))?;
    check_url(&url)?;
    let uri = Uri::try_from(url.as_str()).map_err(|error| format!("the token url: {error}"))?;
    let secret = client.client_secret.as_ref().map_or("", Secret::expose);
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = &client.scope {
        form.append_pair("scope", scope);
    }
    if client.credentials_in_body {
        form.append_pair("client_id", &client.client_id).append_pair("client_secret", secret);
    }
    let mut request = Request::new(Full::new(Bytes::from(form.finish())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, form_type);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if !client.credentials_in_body {
        // Both parts are form-encoded first (RFC 6749 section 2.3.1).
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(&client.client_id), encoded(secret));
        let basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)));
        // Base64 is always a header value.
        if let Ok(mut basic) = basic {
            basic.set_sensitive(true);
            headers.insert(AUTHORIZATION, basic);
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use hookyard_testkit::{Answer, Receiver, SimClock};

    use super::*;
    use crate::net::{Guard, Sockets};

    const WS: WorkspaceId = WorkspaceId(1);

    async fn setup() -> (Receiver, Tokens, Arc<SimClock>, OAuth2Client) {
        let receiver = Receiver::start().await.unwrap();
        let guard = Arc::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
        let clock = Arc::new(SimClock::default());
        let tokens =
            Tokens::new(Client::new(guard, &Sockets::new(64)).unwrap(), Arc::clone(&clock) as _);
        let client = OAuth2Client {
            token_url: receiver.url("/token"),
            client_id: "id:1".to_owned(),
            client_secret: Some(Secret::new("s+cret")),
            scope: Some("a b".to_owned()),
            credentials_in_body: false,
        };
        (receiver, tokens, clock, client)
    }

    fn granted(token: &str) -> Answer {
        Answer::ok()
            .body(format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":100}}"#))
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_expires() {
        let (receiver, tokens, clock, client) = setup().await;
        receiver.script([granted("one"), granted("two"), granted("three")]);
        for (advance, expected, kept) in
            [(0, "one", false), (69, "one", true), (1, "two", false), (0, "two", true)]
        {
            clock.advance(Duration::from_secs(advance));
            let token = tokens.token(WS, &client).await.unwrap();
            assert_eq!((token.secret.expose(), token.kept), (expected, kept));
        }
        tokens.forget(WS, &client, &Secret::new("one"));
        assert!(tokens.token(WS, &client).await.unwrap().kept, "another's refusal is not its own");
        tokens.forget(WS, &client, &Secret::new("two"));
        assert_eq!(tokens.token(WS, &client).await.unwrap().secret.expose(), "three");

        let requests = receiver.requests();
        assert_eq!(requests.len(), 3);
        // `id%3A1:s%2Bcret` in base64.
        assert_eq!(requests[0].header("authorization"), "Basic aWQlM0ExOnMlMkJjcmV0");
        assert_eq!(&requests[0].body[..], b"grant_type=client_credentials&scope=a+b");
    }

    #[tokio::test]
    async fn a_lifetime_may_be_a_text() {
        let (receiver, tokens, clock, client) = setup().await;
        let text = "\u{feff}{\"access_token\":\"one\",\"expires_in\":\"100\"}";
        receiver.script([Answer::ok().body(text), granted("two")]);
        for (advance, expected) in [(0, "one"), (69, "one"), (1, "two")] {
            clock.advance(Duration::from_secs(advance));
            assert_eq!(tokens.token(WS, &client).await.unwrap().secret.expose(), expected);
        }
    }

    #[tokio::test]
    async fn credentials_can_be_in_the_body() {
        let (receiver, tokens, _, client) = setup().await;
        receiver.script([granted("one")]);
        let client = OAuth2Client { credentials_in_body: true, scope: None, ..client };
        tokens.token(WS, &client).await.unwrap();
        let expected = b"grant_type=client_credentials&client_id=id%3A1&client_secret=s%2Bcret";
        assert_eq!(&receiver.requests()[0].body[..], expected);
    }

    #[tokio::test]
    async fn what_goes_wrong_is_said_without_secrets() {
        let (receiver, tokens, _, client) = setup().await;
        receiver.script([
            Answer::status(401).body(r#"{"error":"invalid_client"}"#),
            Answer::status(500).body("x"),
            Answer::close_mid_answer().with_status(400),
            Answer::close_mid_answer(),
            Answer::ok().body("[]"),
            Answer::ok().body(r#"{"access_token":"t","token_type":"mac"}"#),
        ]);
        for expected in [
            "there is no access token: the token endpoint answered 401 invalid_client",
            "there is no access token: the token endpoint answered 500",
            "there is no access token: the token endpoint answered 400",
            "there is no access token: the token endpoint answered 200, and the answer broke off: \
             end of file before message length reached",
            "there is no access token: the token endpoint's answer is no token",
            "there is no access token: the token endpoint's answer is no bearer token",
        ] {
            let failed = Unanswered::Failed(expected.to_owned());
            assert_eq!(tokens.token(WS, &client).await.err().unwrap(), failed);
        }
        let inside = OAuth2Client { token_url: "http://10.0.0.1/".to_owned(), ..client };
        let error = format!("{:?}", tokens.token(WS, &inside).await.err().unwrap());
        assert!(error.starts_with("Failed") && error.contains("10.0.0.0/8 (private)"), "{error}");
    }

    #[tokio::test]
    async fn no_workspace_keeps_out_the_tokens_of_another() {
        let (_, tokens, clock, client) = setup().await;
        let of = |n: usize| OAuth2Client { client_id: n.to_string(), ..client.clone() };
        let hour = Duration::from_secs(3_600);
        let keep = |workspace: i32, n: usize, lifetime| {
            tokens.keep((WorkspaceId(workspace), key(&of(n))), &Secret::new("t"), lifetime);
        };
        let has = |workspace: i32, n: usize| {
            tokens.find(&(WorkspaceId(workspace), key(&of(n)))).is_some()
        };
        for n in 0..2 * TOKENS_MAX {
            keep(1, n, hour * u32::try_from(n / TOKENS_MAX + 1).unwrap());
        }
        for n in 0..10 {
            keep(2, n, hour);
        }
        for n in 0..TOKENS_MAX {
            keep(1, n, hour);
        }
        assert!((0..10).all(|n| has(2, n)), "another's are kept");
        assert!((TOKENS_MAX..2 * TOKENS_MAX).filter(|n| has(1, *n)).count() > 900);
        assert_eq!(tokens.kept.lock().unwrap().len(), TOKENS_MAX);
        clock.advance(hour);
        assert!(!has(2, 0));
    }
}
