//! The policy for outbound connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use super::connect_error::{ConnectError, Refusal};
use super::ranges;
use super::resolver::{Resolve, ResolveError, SystemResolver};

/// How long [`Guard::judge`] waits for a name: a person saving an endpoint waits for the answer.
const JUDGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Names under which clouds serve credentials to any caller. Whatever the resolved address, only an
/// address allowed by the operator is connected to.
const METADATA_NAMES: [&str; 7] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// The guard of outbound connections. Allowed are public addresses, and addresses allowed by the
/// operator; on any port, or on the ports named by the operator.
#[derive(Debug)]
pub struct Guard {
    allowed: Vec<IpNet>,
    /// Empty for any.
    ports: Vec<RangeInclusive<u16>>,
    resolver: Arc<dyn Resolve>,
}

/// The guard's verdict on a URL's host before any connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The host can be connected to, over public addresses only or among others.
    Public,
    /// Every usable address of the host is in a range allowed by the operator.
    Allowed,
    /// The host can not be connected to; the text names the refused address and the reason.
    Refused(String),
    /// The host has no address now. A connection will judge the addresses at that time.
    Unresolved,
}

/// An address that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    /// The address to connect to.
    pub(super) address: IpAddr,
    /// Whether the operator allowed the address by name.
    pub(super) allowed: bool,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Guard {
    /// A guard that, beyond public addresses, lets through addresses allowed by the operator. Names
    /// are resolved with the system's configuration.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self::with_resolver(allowed, Arc::new(SystemResolver::default()))
    }

    /// A guard with another source of addresses.
    pub fn with_resolver(allowed: Vec<IpNet>, resolver: Arc<dyn Resolve>) -> Self {
        let allowed = allowed.into_iter().map(ranges::canonical_net).collect();
        Self { allowed, ports: Vec::new(), resolver }
    }

    /// The guard, with connections to `ports` only; an empty list allows any port.
    #[must_use]
    pub fn on_ports(self, ports: Vec<RangeInclusive<u16>>) -> Self {
        Self { ports, ..self }
    }

    /// Refuses a port not named by the operator, with a text.
    pub(super) fn check_port(&self, port: u16) -> Result<(), String> {
        if self.ports.is_empty() || self.ports.iter().any(|range| range.contains(&port)) {
            return Ok(());
        }
        Err(format!("port {port} is not allowed: the installation delivers to named ports only"))
    }

    /// Judges the host of a URL, in at most 2 seconds. A URL that is not http or https, has no host
    /// or carries a user or password is refused whatever the host.
    pub async fn judge(&self, url: &Url) -> Verdict {
        let host = match check_url(url) {
            Ok(host) => host.to_owned(),
            Err(reason) => return Verdict::Refused(reason),
        };
        if let Err(reason) = self.check_port(url.port_or_known_default().unwrap_or_default()) {
            return Verdict::Refused(reason);
        }
        match tokio::time::timeout(JUDGE_TIMEOUT, self.addresses(&host)).await {
            Ok(Ok(judged)) if judged.iter().all(|judged| judged.allowed) => Verdict::Allowed,
            Ok(Ok(_)) => Verdict::Public,
            Ok(Err(ConnectError::Refused(refusal))) => Verdict::Refused(refusal.to_string()),
            Ok(Err(_)) | Err(_) => Verdict::Unresolved,
        }
    }

    /// The allowed addresses of a host, at least one.
    pub(super) async fn addresses(&self, host: &Host) -> Result<Vec<Judged>, ConnectError> {
        let (found, named_only) = match host {
            Host::Ipv4(address) => (vec![IpAddr::V4(*address)], false),
            Host::Ipv6(address) => (vec![IpAddr::V6(*address)], false),
            Host::Domain(name) => (self.resolve(name).await?, is_metadata_name(name)),
        };
        let mut judged = Vec::with_capacity(found.len());
        let mut refusal = None;
        for address in found {
            match self.judge_address(address) {
                Ok(passed) if named_only && !passed.allowed => {
                    let reason = "the name serves cloud credentials".to_owned();
                    refusal.get_or_insert(Refusal { address, reason });
                }
                Ok(passed) => judged.push(passed),
                Err(refused) => {
                    refusal.get_or_insert(refused);
                }
            }
        }
        match refusal {
            _ if !judged.is_empty() => Ok(judged),
            Some(refusal) => Err(ConnectError::Refused(refusal)),
            None => Err(ConnectError::Unresolved("the name has no address".to_owned())),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ConnectError> {
        let bare = name.strip_suffix('.').unwrap_or(name);
        // RFC 6761 section 6.3: such names are loopback, and no name server is asked.
        if bare == "localhost" || bare.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let found = self.resolver.resolve(name).await;
        found.map_err(|error| match error {
            ResolveError::Failed(reason) => ConnectError::Unresolved(reason),
            ResolveError::Unable(reason) => ConnectError::Unable(reason),
        })
    }

    /// Judges an address. An allowed range wins over the table of refused ranges. Over the table of
    /// metadata services, only an allowed single address wins. An IPv4 address inside an IPv6
    /// address has to pass as well, because the packets would end up there.
    fn judge_address(&self, address: IpAddr) -> Result<Judged, Refusal> {
        let canonical = ranges::canonical(address);
        let allowed = self.allowed.iter().any(|net| net.contains(&canonical));
        if let Some(cloud) = ranges::metadata(canonical)
            && !self.allowed.iter().any(|net| ranges::is_only(net, canonical))
        {
            let reason = format!("it serves cloud credentials ({cloud})");
            return Err(Refusal { address, reason });
        }
        if !allowed && let Some(range) = ranges::refused(canonical) {
            let reason = format!("it is in {} ({})", range.net, range.purpose);
            return Err(Refusal { address, reason });
        }
        if let IpAddr::V6(v6) = canonical
            && let Some(inner) = ranges::embedded(v6)
            && let Err(refusal) = self.judge_address(IpAddr::V4(inner))
        {
            return Err(Refusal { address, reason: format!("it stands for {refusal}") });
        }
        Ok(Judged { address: canonical, allowed })
    }
}

fn is_metadata_name(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    METADATA_NAMES.iter().any(|metadata| metadata.eq_ignore_ascii_case(bare))
}

/// The host of a URL, if the URL can be a target at all.
pub(crate) fn check_url(url: &Url) -> Result<Host<&str>, String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme {} is not http or https", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the url carries a user or a password".to_owned());
    }
    url.host().ok_or_else(|| "the url has no host".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Debug, Default)]
    struct Scripted(HashMap<&'static str, Vec<IpAddr>>);

    #[async_trait::async_trait]
    impl Resolve for Scripted {
        async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
            if name == "slow.test" {
                std::future::pending::<()>().await;
            }
            self.0.get(name).cloned().ok_or_else(|| ResolveError::Failed("no such name".to_owned()))
        }
    }

    fn guard(allowed: &[&str], names: &[(&'static str, &[&str])]) -> Guard {
        let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
        let names = names.iter().map(|(name, found)| {
            (*name, found.iter().map(|address| address.parse().unwrap()).collect())
        });
        Guard::with_resolver(allowed, Arc::new(Scripted(names.collect())))
    }

    async fn judge(guard: &Guard, url: &str) -> Verdict {
        guard.judge(&Url::parse(url).unwrap()).await
    }

    #[tokio::test]
    async fn literals_are_judged_in_every_spelling() {
        let guard = guard(&[], &[]);
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "017700000001",
            "127.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "0",
            "169.254.169.254",
            "[fd00:ec2::254]",
        ] {
            let verdict = judge(&guard, &format!("http://{host}:8080/x")).await;
            assert!(matches!(verdict, Verdict::Refused(_)), "{host}: {verdict:?}");
        }
        assert_eq!(judge(&guard, "https://8.8.8.8/").await, Verdict::Public);
        assert_eq!(judge(&guard, "https://[::ffff:8.8.8.8]/").await, Verdict::Public);
    }

    #[tokio::test]
    async fn a_refusal_names_the_address_and_the_range() {
        let guard = guard(&["64:ff9b::/96"], &[("in.test", &["10.1.2.3"])]);
        let verdict = judge(&guard, "https://in.test/").await;
        let reason = "10.1.2.3 is not allowed: it is in 10.0.0.0/8 (private)";
        assert_eq!(verdict, Verdict::Refused(reason.to_owned()));
        let verdict = judge(&guard, "https://[64:ff9b::a01:203]/").await;
        let reason = format!("64:ff9b::a01:203 is not allowed: it stands for {reason}");
        assert_eq!(verdict, Verdict::Refused(reason));
    }

    #[tokio::test]
    async fn allowed_ranges_win_and_are_told_apart() {
        let names: &[(_, &[_])] = &[
            ("in.test", &["10.1.2.3"]),
            ("both.test", &["8.8.8.8", "10.1.2.3"]),
            ("half.test", &["192.168.0.1", "8.8.8.8"]),
        ];
        let guard = guard(&["10.0.0.0/8", "127.0.0.0/8"], names);
        assert_eq!(judge(&guard, "http://in.test/").await, Verdict::Allowed);
        assert_eq!(judge(&guard, "http://localhost/").await, Verdict::Allowed);
        assert_eq!(judge(&guard, "http://both.test/").await, Verdict::Public);
        assert_eq!(judge(&guard, "http://half.test/").await, Verdict::Public);
        let host = Host::Domain("half.test".to_owned());
        let passed = guard.addresses(&host).await.unwrap();
        assert_eq!(passed, [Judged { address: "8.8.8.8".parse().unwrap(), allowed: false }]);
    }

    #[tokio::test]
    async fn metadata_names_need_an_allowed_address() {
        let names: &[(_, &[_])] = &[("metadata.google.internal", &["8.8.8.8"])];
        let url = "http://metadata.google.internal/";
        assert!(matches!(judge(&guard(&[], names), url).await, Verdict::Refused(_)));
        assert_eq!(judge(&guard(&["8.8.8.8/32"], names), url).await, Verdict::Allowed);
    }

    #[tokio::test]
    async fn metadata_services_are_allowed_by_themselves_alone() {
        let services = "169.254.169.254 169.254.170.2 169.254.170.23 169.254.42.42 169.254.0.23
            168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254
            fd00:42::42 fe80::a9fe:a9fe";
        let url = |address: &IpAddr| match address {
            IpAddr::V4(address) => format!("http://{address}/"),
            IpAddr::V6(address) => format!("http://[{address}]/"),
        };
        for text in services.split_whitespace() {
            let address: IpAddr = text.parse().unwrap();
            for broad in [&[] as &[&str], &["0.0.0.0/0", "::/0"]] {
                let verdict = judge(&guard(broad, &[]), &url(&address)).await;
                let refused = matches!(&verdict, Verdict::Refused(reason)
                    if reason.contains("it serves cloud credentials"));
                assert!(refused, "{text} in {broad:?}: {verdict:?}");
            }
            let exactly = IpNet::from(address).to_string();
            let verdict = judge(&guard(&[&exactly], &[]), &url(&address)).await;
            assert_eq!(verdict, Verdict::Allowed, "{text}");
        }
        let all = guard(&["0.0.0.0/0", "::/0"], &[]);
        for inside in ["[::ffff:168.63.129.16]", "[64:ff9b::168.63.129.16]", "[2002:a83f:8110::]"] {
            let verdict = judge(&all, &format!("http://{inside}/")).await;
            assert!(matches!(verdict, Verdict::Refused(_)), "{inside}: {verdict:?}");
        }
        assert_eq!(judge(&all, "http://168.63.129.17/").await, Verdict::Allowed);
    }

    #[tokio::test]
    async fn ports_can_be_bounded() {
        let guard = guard(&["10.0.0.0/8"], &[("in.test", &["10.1.2.3"])]);
        let guard = guard.on_ports(vec![443..=443, 8000..=8999]);
        for (url, passes) in [
            ("https://8.8.8.8/", true),
            ("https://8.8.8.8:443/", true),
            ("https://in.test:8000/", true),
            ("https://in.test:8999/", true),
            ("http://8.8.8.8/", false),
            ("https://in.test:9000/", false),
            ("https://8.8.8.8:22/", false),
        ] {
            let verdict = judge(&guard, url).await;
            assert_eq!(!matches!(verdict, Verdict::Refused(_)), passes, "{url}: {verdict:?}");
        }
        let verdict = judge(&guard, "http://8.8.8.8:25/").await;
        let reason = "port 25 is not allowed: the installation delivers to named ports only";
        assert_eq!(verdict, Verdict::Refused(reason.to_owned()));
    }

    #[tokio::test]
    async fn urls_that_cannot_be_targets_are_refused() {
        let guard = guard(&["0.0.0.0/0"], &[]);
        for url in ["ftp://8.8.8.8/", "http://u@8.8.8.8/", "http://:p@8.8.8.8/", "data:x"] {
            assert!(matches!(judge(&guard, url).await, Verdict::Refused(_)), "{url}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_resolve_is_left_to_the_connection() {
        let guard = guard(&[], &[("empty.test", &[])]);
        for name in ["none.test", "empty.test", "slow.test"] {
            assert_eq!(judge(&guard, &format!("https://{name}/")).await, Verdict::Unresolved);
        }
    }
}
