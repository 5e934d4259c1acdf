//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, Request};
use ipnet::IpNet;

/// The header in which a proxy names its callers: addresses between commas, each proxy's own caller last.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most addresses read: a request goes through a few proxies.
const HOPS_MAX: usize = 16;

/// The address at the other end of a request's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The address of the caller: the other end of the connection or, behind trusted proxies, the last named
/// address that is no trusted proxy. `None` for an unknown address.
pub(crate) fn caller<B>(request: &Request<B>, trusted: &[IpNet]) -> Option<IpAddr> {
    let Peer(peer) = *request.extensions().get()?;
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let mut nearest = peer;
    for hop in hops(request.headers()).take(HOPS_MAX) {
        // An unreadable address ends the search: the hops beyond are no proxy's word.
        nearest = address(hop)?;
        if !is_trusted(&nearest) {
            return Some(nearest);
        }
    }
    Some(nearest)
}

/// The addresses named by proxies, the nearest first.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or("?").rsplit(','))
}

/// An address, written with a port by some proxies.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller_of(peer: &str, said: &[&str]) -> Option<String> {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for line in said {
            request.headers_mut().append(FORWARDED_FOR, line.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        caller(&request, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn only_the_word_of_trusted_proxies_is_taken() {
        for (peer, said, expected) in [
            ("192.0.2.1", &[] as &[_], Some("192.0.2.1")),
            ("192.0.2.1", &["198.51.100.7"], Some("192.0.2.1")),
            ("::ffff:192.0.2.1", &["198.51.100.7"], Some("192.0.2.1")),
            ("10.0.0.1", &[], Some("10.0.0.1")),
            ("10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("::ffff:10.0.0.1", &["198.51.100.7:4711"], Some("198.51.100.7")),
            ("10.0.0.1", &["[2001:db8::1]:80"], Some("2001:db8::1")),
            ("10.0.0.1", &["[2001:db8::1]"], Some("2001:db8::1")),
            // What the caller says itself stands first, and is not reached.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], Some("198.51.100.7")),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7", "10.0.0.2"], Some("198.51.100.7")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            ("10.0.0.1", &["198.51.100.7, unknown"], None),
            ("10.0.0.1", &[""], None),
        ] {
            assert_eq!(caller_of(peer, said).as_deref(), expected, "{peer} {said:?}");
        }
        assert_eq!(caller(&Request::new(()), &[]), None);
    }

    #[test]
    fn a_long_list_is_not_read_to_its_end() {
        let said = ["10.0.0.2"; 100_000].join(",");
        assert_eq!(caller_of("10.0.0.1", &[&said]).as_deref(), Some("10.0.0.2"));
    }
}
