//! The HTTP client: a pool of connections over the guarded connector.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::connect_error::ConnectError;
use super::connector::Connector;
use super::policy::Guard;
use super::sockets::Sockets;
use super::tls;

/// The most unused connections kept to a host. An endpoint uses a single connection at a time, so
/// 256 busy endpoints at a host need no new connections. A workspace with endpoints at many hosts
/// keeps more connections, for seconds each; all count among the connections of [`Sockets`].
const IDLE_PER_HOST_MAX: usize = 256;

/// The most headers read of an answer. A page of a large site has some 50 headers; beyond the limit
/// the answer counts as none.
const ANSWER_HEADERS_MAX: usize = 1_000;

/// Sends requests to judged addresses only. HTTP/1.1, no redirects; cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Why a request had no answer. The text is for the delivery log: the text names the guard's
/// refusal or the system's error.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    reason: String,
    ours: bool,
}

impl SendError {
    /// Whether this server lacked the means to send. Then nothing was sent, and nothing is known of the
    /// receiver.
    pub fn is_ours(&self) -> bool {
        self.ours
    }
}

impl Client {
    /// A client with the system's root certificates. Fails when TLS cannot be set up.
    pub fn new(guard: Arc<Guard>, sockets: &Sockets) -> Result<Self, rustls::Error> {
        Ok(Self::with_tls(guard, tls::system_config()?, sockets))
    }

    /// A client that accepts any certificate, for receivers under test.
    pub fn danger_accepting_invalid_certs(
        guard: Arc<Guard>,
        sockets: &Sockets,
    ) -> Result<Self, rustls::Error> {
        Ok(Self::with_tls(guard, tls::danger_any_certificate_config()?, sockets))
    }

    fn with_tls(guard: Arc<Guard>, tls: Arc<ClientConfig>, sockets: &Sockets) -> Self {
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(sockets.idle())
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .http1_title_case_headers(true)
            // A user agent must accept folded headers (RFC 9112 section 5.2), and usual clients
            // accept further deviations: the status tells the outcome of the delivery, whatever the
            // other headers look like.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(ANSWER_HEADERS_MAX)
            .build(Connector::new(guard, tls, sockets.clone()));
        Self { inner }
    }

    /// Sends a request and waits for the head of the answer. The caller bounds the time.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, SendError> {
        self.inner
            .request(request)
            .await
            .map_err(|error| SendError { reason: explain(&error), ours: is_ours(&error) })
    }
}

/// The text of the innermost cause with a text.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    loop {
        if let Some(connect) = cause.downcast_ref::<ConnectError>() {
            return connect.to_string();
        }
        match cause.source() {
            Some(source) => cause = source,
            None => return cause.to_string(),
        }
    }
}

/// Whether this server lacked the means to send, by any cause of the error.
pub(crate) fn is_ours(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(connect) = error.downcast_ref::<ConnectError>() {
            return matches!(connect, ConnectError::Unable(_));
        }
        if let Some(send) = error.downcast_ref::<SendError>() {
            return send.is_ours();
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::net::{Resolve, ResolveError};

    // Made with openssl for a hundred years; the root's key was thrown away.
    const ROOT: &[u8] = include_bytes!("testdata/ca.pem");
    const RECEIVER: &[u8] = include_bytes!("testdata/receiver.pem");
    const RECEIVER_KEY: &[u8] = include_bytes!("testdata/receiver.key");

    /// Everything is on this machine.
    #[derive(Debug)]
    struct Here;

    #[async_trait::async_trait]
    impl Resolve for Here {
        async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
            match name {
                // Nothing listens on the first address; the second is tried then.
                "receiver.test" => Ok(vec![[127, 9, 9, 9].into(), Ipv4Addr::LOCALHOST.into()]),
                "other.test" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
                "short.test" => Err(ResolveError::Unable("too many open files".to_owned())),
                _ => Err(ResolveError::Failed("no such name".to_owned())),
            }
        }
    }

    fn here() -> Arc<Guard> {
        Arc::new(Guard::with_resolver(vec!["127.0.0.0/8".parse().unwrap()], Arc::new(Here)))
    }

    fn sockets() -> Sockets {
        Sockets::new(64)
    }

    fn trusting(root: &[u8]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root).unwrap()).unwrap();
        tls::config(roots).unwrap()
    }

    /// Answers each connection's first request with the name it was asked for by SNI.
    async fn serve_tls() -> u16 {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = vec![CertificateDer::from_pem_slice(RECEIVER).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(RECEIVER_KEY).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 4096]).await;
                let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                let head =
                    format!("HTTP/1.1 200 OK\r\nX-Name: {name}\r\nContent-Length: 0\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
            }
        });
        port
    }

    async fn get(client: &Client, uri: String) -> Result<Response<Incoming>, SendError> {
        client.send(Request::get(uri).body(Full::default()).unwrap()).await
    }

    #[tokio::test]
    async fn tls_asks_for_the_name_and_checks_it() {
        let port = serve_tls().await;
        let client = Client::with_tls(here(), trusting(ROOT), &sockets());
        let answer = get(&client, format!("https://receiver.test:{port}/")).await.unwrap();
        assert_eq!(answer.headers()["x-name"], "receiver.test");
        for host in ["other.test", "127.0.0.1"] {
            let error = get(&client, format!("https://{host}:{port}/")).await.unwrap_err();
            assert!(error.to_string().contains("tls"), "{host}: {error}");
        }
    }

    #[tokio::test]
    async fn unknown_roots_are_not_trusted() {
        let port = serve_tls().await;
        let client = Client::new(here(), &sockets()).unwrap();
        let error = get(&client, format!("https://receiver.test:{port}/")).await.unwrap_err();
        assert!(error.to_string().contains("tls"), "{error}");
    }

    #[tokio::test]
    async fn the_danger_is_taken_only_by_name() {
        let port = serve_tls().await;
        let client = Client::danger_accepting_invalid_certs(here(), &sockets()).unwrap();
        for host in ["receiver.test", "other.test", "127.0.0.1"] {
            assert!(get(&client, format!("https://{host}:{port}/")).await.is_ok(), "{host}");
        }
        let guarded = Arc::new(Guard::default());
        let guarded = Client::danger_accepting_invalid_certs(guarded, &sockets()).unwrap();
        let error = get(&guarded, format!("https://127.0.0.1:{port}/")).await.unwrap_err();
        assert!(error.to_string().contains("loopback"), "addresses are judged all the same");
    }

    #[tokio::test]
    async fn headers_are_in_title_case() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(head[..length].to_vec()).unwrap()
        };
        let client = Client::with_tls(here(), trusting(ROOT), &sockets());
        let request = Request::get(format!("http://other.test:{port}/a?b=c#d"))
            .header("x-ultracart-request-id", "1")
            .body(Full::default())
            .unwrap();
        let (head, answer) = tokio::join!(server, client.send(request));
        assert_eq!(answer.unwrap().status(), 204);
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nX-Ultracart-Request-Id: 1\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nHost: other.test:{port}\r\n")), "{head}");
    }

    #[tokio::test]
    async fn refusals_name_the_reason() {
        let client = Client::with_tls(Arc::new(Guard::default()), trusting(ROOT), &sockets());
        for host in ["127.0.0.1:9", "localhost:9", "[::ffff:127.0.0.1]:9"] {
            let error = get(&client, format!("http://{host}/")).await.unwrap_err().to_string();
            assert!(error.contains("127.0.0.0/8 (loopback)"), "{host}: {error}");
        }
        let client = Client::with_tls(here(), trusting(ROOT), &sockets());
        let error = get(&client, "http://none.test/".to_owned()).await.unwrap_err();
        assert_eq!(error.to_string(), "the name did not resolve: no such name");
        assert!(!error.is_ours());
    }

    #[tokio::test]
    async fn what_this_server_lacks_is_no_refusal() {
        let client = Client::with_tls(here(), trusting(ROOT), &sockets());
        let error = get(&client, "http://short.test/".to_owned()).await.unwrap_err();
        assert_eq!(error.to_string(), "this server could not connect: too many open files");
        assert!(error.is_ours());
    }
}
