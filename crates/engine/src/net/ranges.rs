//! The ranges of non-public addresses, and the IPv4 addresses inside IPv6 addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A range refused unless allowed by the operator.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The addresses of the range.
    pub(super) net: IpNet,
    /// The purpose of the addresses.
    pub(super) purpose: &'static str,
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8, purpose: &'static str) -> Range {
    Range { net: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)), purpose }
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8, purpose: &'static str) -> Range {
    let address = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
    Range { net: IpNet::V6(Ipv6Net::new_assert(address, prefix)), purpose }
}

/// The IANA special-purpose registries, completed as in docs/spec/conventions.md#guarded-requests.
/// Narrower ranges stand before wider ranges, so that a refusal names the most specific range.
static REFUSED: [Range; 32] = [
    v4(0, 0, 0, 8, "this network"),
    v4(10, 0, 0, 8, "private"),
    v4(100, 64, 0, 10, "shared by carriers"),
    v4(127, 0, 0, 8, "loopback"),
    v4(169, 254, 0, 16, "link-local"),
    v4(172, 16, 0, 12, "private"),
    v4(192, 0, 0, 24, "protocol assignments"),
    v4(192, 0, 2, 24, "documentation"),
    v4(192, 88, 99, 24, "6to4 relay"),
    v4(192, 168, 0, 16, "private"),
    v4(198, 18, 0, 15, "benchmarking"),
    v4(198, 51, 100, 24, "documentation"),
    v4(203, 0, 113, 24, "documentation"),
    v4(224, 0, 0, 4, "multicast"),
    v4(240, 0, 0, 4, "reserved and broadcast"),
    Range { net: IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)), purpose: "loopback" },
    v6(0, 0, 0, 8, "unspecified and IPv4-embedding"),
    v6(0x64, 0xff9b, 0, 96, "NAT64"),
    v6(0x64, 0xff9b, 1, 48, "local NAT64"),
    v6(0x100, 0, 0, 64, "discard-only"),
    v6(0x2001, 0, 0, 32, "Teredo"),
    v6(0x2001, 0, 0, 23, "protocol assignments"),
    v6(0x2001, 0xdb8, 0, 32, "documentation"),
    v6(0x2002, 0, 0, 16, "6to4"),
    v6(0x3fff, 0, 0, 20, "documentation"),
    v6(0x5f00, 0, 0, 16, "segment routing"),
    v6(0xfc00, 0, 0, 7, "unique local"),
    v6(0xfe80, 0, 0, 10, "link-local"),
    v6(0xfec0, 0, 0, 10, "site-local"),
    v6(0xff00, 0, 0, 8, "multicast"),
    // The whole table is for global unicast; nothing else has been handed out.
    v6(0x4000, 0, 0, 2, "not handed out"),
    v6(0x8000, 0, 0, 1, "not handed out"),
];

/// Addresses where clouds give out the machine's credentials and keys to any caller on the machine.
/// Some addresses are within ranges that an operator may well allow, and Azure's address is in no
/// refused range. So each address is refused unless allowed by itself.
static METADATA: [(IpAddr, &str); 13] = [
    (v4_one(169, 254, 169, 254), "AWS, Azure, Google, DigitalOcean, Oracle, OpenStack and others"),
    (v4_one(169, 254, 170, 2), "AWS ECS"),
    (v4_one(169, 254, 170, 23), "AWS EKS"),
    (v4_one(169, 254, 42, 42), "Scaleway"),
    (v4_one(169, 254, 0, 23), "Tencent Cloud"),
    (v4_one(168, 63, 129, 16), "Azure"),
    (v4_one(100, 100, 100, 200), "Alibaba Cloud"),
    (v4_one(192, 0, 0, 192), "Oracle Cloud"),
    (v6_one([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]), "AWS"),
    (v6_one([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]), "AWS EKS"),
    (v6_one([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]), "Google Cloud"),
    (v6_one([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]), "Scaleway"),
    (v6_one([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), "OpenStack"),
];

const fn v4_one(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6_one(segments: [u16; 8]) -> IpAddr {
    let [a, b, c, d, e, f, g, h] = segments;
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

/// The owner of the metadata service at the address.
pub(super) fn metadata(address: IpAddr) -> Option<&'static str> {
    METADATA.iter().find(|(known, _)| *known == address).map(|(_, cloud)| *cloud)
}

/// Whether a range is the address and no other.
pub(super) fn is_only(net: &IpNet, address: IpAddr) -> bool {
    net.prefix_len() == net.max_prefix_len() && net.addr() == address
}

/// The refused range around the address.
pub(super) fn refused(address: IpAddr) -> Option<&'static Range> {
    REFUSED.iter().find(|range| range.net.contains(&address))
}

/// The address really used by a connection: an IPv4-mapped address becomes IPv4.
pub(super) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The range really used: a range of IPv4-mapped addresses becomes a range of IPv4 addresses.
pub(super) fn canonical_net(net: IpNet) -> IpNet {
    if let IpNet::V6(v6) = net
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(net) = Ipv4Net::new(v4, prefix)
    {
        return IpNet::V4(net);
    }
    net
}

/// The IPv4 destination of a translator or tunnel for the IPv6 address.
pub(super) fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = address.octets();
    let at = |index: usize| {
        Ipv4Addr::new(octets[index], octets[index + 1], octets[index + 2], octets[index + 3])
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible, IPv4-mapped and IPv4-translated (RFC 4291, RFC 2765).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(at(12)),
        // NAT64, well-known and local (RFC 6052, RFC 8215).
        [0x64, 0xff9b, 0 | 1, ..] => Some(at(12)),
        // 6to4 (RFC 3056).
        [0x2002, ..] => Some(at(2)),
        // Teredo keeps the client's address inverted (RFC 4380).
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!at(12).to_bits())),
        // ISATAP, under any prefix (RFC 5214).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Some(at(12)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused() {
        let special = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1
            127.255.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1
            192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255
            240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:0:7f00:1 64:ff9b::a00:1
            64:ff9b:1::a00:1 100::1 2001::1 2001:1ff::1 2001:db8::1 2002:a00:1:: 3fff::1 5f00::1
            fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 4000::1 7fff::1 8000::1 f000::1";
        for text in special.split_whitespace() {
            assert!(refused(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        let public = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.0.0.1
            128.0.0.1 172.15.255.255 172.32.0.0 192.0.1.1 192.167.1.1 198.17.0.1 198.20.0.1
            223.255.255.255 2001:200::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1";
        for text in public.split_whitespace() {
            assert_eq!(refused(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn embedded_addresses_are_found() {
        let inner = Some(Ipv4Addr::new(10, 0, 0, 1));
        for text in [
            "::10.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "2002:a00:1::",
            "2001:0:808:808:0:0:f5ff:fffe",
            "2a00::5efe:10.0.0.1",
            "2a00::200:5efe:10.0.0.1",
        ] {
            assert_eq!(embedded(text.parse().unwrap()), inner, "{text}");
        }
        for text in ["::", "::1", "2a00::10.0.0.1", "fe80::1"] {
            assert_eq!(embedded(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn mapped_ranges_are_ranges_of_ipv4() {
        let net = canonical_net("::ffff:10.0.0.0/104".parse().unwrap());
        assert_eq!(net, "10.0.0.0/8".parse::<IpNet>().unwrap());
        for text in ["10.0.0.0/8", "fc00::/7", "::ffff:0:0/90"] {
            let net: IpNet = text.parse().unwrap();
            assert_eq!(canonical_net(net), net);
        }
    }
}
