//! From a URI to a connection: resolve, judge, connect to a judged address, then TLS.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsConnector;
use tower::Service;
use url::Host;

use super::connect_error::{CONNECT_TIMEOUT, ConnectError};
use super::policy::{Guard, Judged};
use super::shortage::is_shortage_at;
use super::sockets::Sockets;

/// The most addresses tried of a name. With more, each address's share of the time would be too
/// short for a far receiver to answer.
const ADDRESSES_MAX: usize = 4;

/// Makes connections to judged addresses only.
#[derive(Clone)]
pub(super) struct Connector {
    guard: Arc<Guard>,
    tls: TlsConnector,
    sockets: Sockets,
}

impl Connector {
    pub(super) fn new(guard: Arc<Guard>, tls: Arc<ClientConfig>, sockets: Sockets) -> Self {
        Self { guard, tls: TlsConnector::from(tls), sockets }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let socket = self.sockets.take().await?;
        let connecting = self.connect_unbounded(&uri);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
        let io = connected.unwrap_or(Err(ConnectError::TimedOut))?;
        Ok(Stream { io, _socket: socket })
    }

    async fn connect_unbounded(&self, uri: &Uri) -> Result<TokioIo<Box<dyn Io>>, ConnectError> {
        let target = Target::parse(uri)?;
        self.guard.check_port(target.port).map_err(ConnectError::Unusable)?;
        let addresses = self.guard.addresses(&target.host).await?;
        let tcp = connect_any(&alternate(addresses), target.port).await?;
        // A request is written whole; waiting for more to send would only delay the request.
        tcp.set_nodelay(true).map_err(ConnectError::Tls)?;
        if !target.tls {
            return Ok(TokioIo::new(Box::new(tcp)));
        }
        let name = match target.host {
            Host::Domain(name) => ServerName::try_from(name)
                .map_err(|_| ConnectError::Unusable("the host is no valid name".to_owned()))?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(address)),
        };
        let stream = self.tls.connect(name, tcp).await.map_err(ConnectError::Tls)?;
        Ok(TokioIo::new(Box::new(stream)))
    }
}

/// Where a URI leads.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    host: Host,
    port: u16,
    tls: bool,
}

impl Target {
    fn parse(uri: &Uri) -> Result<Self, ConnectError> {
        let unusable = |reason: &str| ConnectError::Unusable(reason.to_owned());
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(unusable("the scheme is not http or https")),
        };
        let authority = uri.authority().ok_or_else(|| unusable("the url has no host"))?;
        if authority.as_str().contains('@') {
            return Err(unusable("the url carries a user or a password"));
        }
        let host = Host::parse(authority.host()).map_err(|_| unusable("the host is not valid"))?;
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, port, tls })
    }
}

/// The addresses to try, in order but with the families taking turns, so that a dead family does
/// not use up the tries.
fn alternate(addresses: Vec<Judged>) -> Vec<IpAddr> {
    let first_is_v4 = addresses.first().is_some_and(|judged| judged.address.is_ipv4());
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .map(|judged| judged.address)
        .partition(|address| address.is_ipv4() == first_is_v4);
    let mut second = second.into_iter();
    let mut order = Vec::with_capacity(ADDRESSES_MAX);
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order.truncate(ADDRESSES_MAX);
    order
}

/// Connects to the first address that accepts the connection. Each address gets an equal share of
/// the time.
async fn connect_any(addresses: &[IpAddr], port: u16) -> Result<TcpStream, ConnectError> {
    let share = CONNECT_TIMEOUT / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = ConnectError::TimedOut;
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match tokio::time::timeout(share, dial(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(source)) if is_shortage_at(&source, address) => {
                return Err(ConnectError::Unable(source.to_string()));
            }
            Ok(Err(source)) => last = ConnectError::Tcp { address, source },
            Err(_) => last = ConnectError::TimedOut,
        }
    }
    Err(last)
}

#[expect(clippy::disallowed_methods, reason = "the one place that connects, to a judged address")]
async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// Something to read from and write to.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, with or without TLS.
pub(super) struct Stream {
    io: TokioIo<Box<dyn Io>>,
    /// Given back when the connection has ended.
    _socket: OwnedSemaphorePermit,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(addresses: &[&str]) -> Vec<String> {
        let judged = addresses
            .iter()
            .map(|address| Judged { address: address.parse().unwrap(), allowed: false });
        alternate(judged.collect()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn families_take_turns_and_tries_are_bounded() {
        let mixed = ["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4", "2a00::1", "2a00::2"];
        assert_eq!(order(&mixed), ["8.8.8.1", "2a00::1", "8.8.8.2", "2a00::2"]);
        assert_eq!(order(&["2a00::1", "8.8.8.1", "8.8.8.2"]), ["2a00::1", "8.8.8.1", "8.8.8.2"]);
        assert_eq!(order(&["8.8.8.1"]), ["8.8.8.1"]);
    }

    #[test]
    fn targets_are_read_from_uris() {
        let target = |uri: &str| Target::parse(&uri.parse().unwrap());
        let domain = Host::Domain("a.test".to_owned());
        let expected = Target { host: domain.clone(), port: 443, tls: true };
        assert_eq!(target("https://a.test/x?y").unwrap(), expected);
        let expected = Target { host: domain, port: 8080, tls: false };
        assert_eq!(target("http://A.test:8080/").unwrap(), expected);
        let v6 = Host::Ipv6("::1".parse().unwrap());
        assert_eq!(target("http://[::1]/").unwrap(), Target { host: v6, port: 80, tls: false });
        for uri in ["http://u:p@a.test/", "ftp://a.test/", "/x"] {
            assert!(matches!(target(uri), Err(ConnectError::Unusable(_))), "{uri}");
        }
    }
}
