//! Addresses, hosts and URLs.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use hookyard_engine::deliver::ApiUserHost;
use http::HeaderValue;
use ipnet::IpNet;
use url::Url;

/// The longest `User-Agent`, in bytes: longer than those of browsers.
const USER_AGENT_BYTES_MAX: usize = 200;

/// A range of addresses that is open to deliveries although not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Net(pub(crate) IpNet);

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let net =
            text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
        net.map(Self).map_err(|_| {
            format!("`{text}` is no range of addresses: write one such as 10.0.0.0/8 or fd00::/8")
        })
    }
}

/// A port, or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) RangeInclusive<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let range = port(from).zip(port(to)).filter(|(from, to)| from <= to);
        range.map(|(from, to)| Self(from..=to)).ok_or_else(|| {
            format!("`{text}` is no port from 1 to 65535: write one such as 443, or 8000-8999")
        })
    }
}

/// A host that may get the API user's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialHost(pub(crate) ApiUserHost);

impl FromStr for CredentialHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().map(Self)
    }
}

/// Where to listen: an address or the name of a host, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    Address(SocketAddr),
    Name(String, u16),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
                && name.bytes().any(|byte| byte.is_ascii_alphabetic())
        };
        let parts = text.rsplit_once(':').filter(|(name, _)| is_name(name));
        let named =
            parts.and_then(|(name, port)| Some(Self::Name(name.to_owned(), port.parse().ok()?)));
        named.ok_or_else(|| {
            format!(
                "`{text}` is nowhere to listen: write an address or the name of a host and a port, \
                 as in 127.0.0.1:8080, [::1]:8080 or localhost:8080"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

impl Listen {
    /// The addresses to try, IPv4 first: most callers of `localhost` connect by IPv4.
    #[expect(clippy::disallowed_methods, reason = "it is the operator who says where to listen")]
    pub(crate) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (name, port) = match self {
            Self::Address(address) => return Ok(vec![*address]),
            Self::Name(name, port) => (name.as_str(), *port),
        };
        let mut found: Vec<_> = tokio::net::lookup_host((name, port)).await?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        Ok(found)
    }
}

/// The URL of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebUrl(pub(crate) Url);

impl FromStr for WebUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(|url| url.path() == "/" && url.query().is_none());
        url.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no server: write scheme, host and port, as in http://sqs.local:9324"
            )
        })
    }
}

/// The public URL of this server, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicUrl(pub(crate) String);

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sound = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        // Kept as written: providers sign the URL to the letter.
        let url = Url::parse(text).ok().filter(sound);
        url.map(|_| Self(text.trim_end_matches('/').to_owned())).ok_or_else(|| {
            format!(
                "`{text}` is no public URL: write scheme and host, and a path if a proxy adds one, \
                 as in https://hooks.example.com"
            )
        })
    }
}

/// The `User-Agent` of deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserAgent(pub(crate) HeaderValue);

impl FromStr for UserAgent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        let sound = printable && !text.trim().is_empty() && text.len() <= USER_AGENT_BYTES_MAX;
        let value = sound.then(|| HeaderValue::from_str(text).ok()).flatten();
        value.map(Self).ok_or_else(|| {
            format!(
                "must be 1 to {USER_AGENT_BYTES_MAX} characters of printable ASCII on a single line"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_to_listen_is_an_address_or_a_name() {
        let read = |text: &str| text.parse::<Listen>();
        for address in ["127.0.0.1:8080", "[::1]:0", "0.0.0.0:80"] {
            assert_eq!(read(address), Ok(Listen::Address(address.parse().unwrap())), "{address}");
        }
        let named = read("localhost:8080").unwrap();
        assert_eq!(
            (&named, named.to_string().as_str()),
            (&Listen::Name("localhost".into(), 8080), "localhost:8080")
        );
        let addresses = named.addresses().await.unwrap();
        assert_eq!(addresses[0], "127.0.0.1:8080".parse().unwrap());
        for text in [
            "localhost",
            ":8080",
            "localhost:",
            "a b:1",
            "1.2.3:80",
            "localhost:70000",
            "http://a:1",
        ] {
            assert!(read(text).unwrap_err().contains("localhost:8080"), "{text}");
        }
    }

    #[test]
    fn public_urls_are_kept_to_the_letter() {
        for (text, kept) in [
            ("https://hooks.example.com", "https://hooks.example.com"),
            ("https://Hooks.example.com:443/in/", "https://Hooks.example.com:443/in"),
        ] {
            assert_eq!(text.parse(), Ok(PublicUrl(kept.to_owned())));
        }
        for text in
            ["", "hooks.example.com", "ftp://a", "https://a?b", "https://a#b", "https://u:p@a"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn user_agents_are_header_values() {
        assert_eq!("Acme Webhooks/1.0".parse::<UserAgent>().unwrap().0, "Acme Webhooks/1.0");
        for text in ["", " ", "a\nb", "é", &"a".repeat(201)] {
            assert!(text.parse::<UserAgent>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ranges_take_single_addresses() {
        assert_eq!("127.0.0.1".parse::<Net>().unwrap().0.to_string(), "127.0.0.1/32");
        assert_eq!(" fd00::/8".parse::<Net>().unwrap().0.to_string(), "fd00::/8");
        assert!("localhost".parse::<Net>().unwrap_err().contains("no range of addresses"));
    }
}
