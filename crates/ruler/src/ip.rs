//! IP literals and blocks of addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address; an IPv4-mapped IPv6 literal is the mapped IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    /// Reads an IPv4 or IPv6 literal; never a name, a port, a zone or a dotted tail.
    pub(crate) fn parse(text: &[u8]) -> Option<Address> {
        match text.iter().find(|byte| !byte.is_ascii_digit())? {
            b'.' => parse_v4(text).map(Address::V4),
            b':' | b'a'..=b'f' | b'A'..=b'F' => parse_v6(text),
            _ => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Address::V4(bits) => Ipv4Addr::from_bits(bits).fmt(f),
            Address::V6(bits) => Ipv6Addr::from_bits(bits).fmt(f),
        }
    }
}

/// Four runs of decimal digits, each 0 to 255; leading zeros change nothing.
fn parse_v4(text: &[u8]) -> Option<u32> {
    let mut bits = 0;
    let mut parts = 0;
    for part in text.split(|byte| *byte == b'.') {
        parts += 1;
        if parts > 4 || part.is_empty() {
            return None;
        }
        let mut value = 0;
        for digit in part {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u32::from(digit - b'0');
            if value > 255 {
                return None;
            }
        }
        bits = bits << 8 | value;
    }
    (parts == 4).then_some(bits)
}

fn parse_v6(text: &[u8]) -> Option<Address> {
    if !text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':') {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(match address.to_ipv4_mapped() {
        Some(mapped) => Address::V4(mapped.to_bits()),
        None => Address::V6(address.to_bits()),
    })
}

/// A block of addresses: all addresses with the same first `bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cidr {
    /// The lowest address of the block.
    pub(crate) base: Address,
    pub(crate) bits: u32,
}

/// Why a text is not a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CidrError {
    Slash,
    Address,
    Bits,
    BitsRange,
}

impl Cidr {
    /// Reads `address/bits`. As the original does, takes leading zeros and a plus sign in the bits,
    /// and slashes after the bits.
    pub(crate) fn parse(text: &str) -> Result<Cidr, CidrError> {
        let text = text.trim_end_matches('/');
        let (address, bits) = text.split_once('/').ok_or(CidrError::Slash)?;
        if bits.contains('/') {
            return Err(CidrError::Slash);
        }
        let bits: u32 = bits.parse().map_err(|_| CidrError::Bits)?;
        let address = Address::parse(address.as_bytes()).ok_or(CidrError::Address)?;
        let width = if matches!(address, Address::V4(_)) { 32 } else { 128 };
        if bits >= width {
            return Err(CidrError::BitsRange);
        }
        Ok(Cidr::around(address, bits))
    }

    /// The block of `bits` bits around the address.
    pub(crate) fn around(address: Address, bits: u32) -> Cidr {
        let base = match address {
            Address::V4(value) => {
                Address::V4(value & u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0))
            }
            Address::V6(value) => Address::V6(
                value & u128::MAX.checked_shl(128_u32.saturating_sub(bits)).unwrap_or(0),
            ),
        };
        Cidr { base, bits }
    }

    pub(crate) fn contains(self, address: Address) -> bool {
        Cidr::around(address, self.bits) == self
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<Address> {
        Address::parse(text.as_bytes())
    }

    #[test]
    fn literals_of_one_address_are_equal() {
        assert_eq!(address("::1"), address("0:0:0:0:0:0:0:1"));
        assert_eq!(address("2001:DB8::1"), address("2001:db8:0::1"));
        assert_eq!(address("10.0.0.1"), address("010.000.000.001"));
        assert_eq!(address("::ffff:a00:1"), address("10.0.0.1"));
        assert!(address("fe80::1").is_some());
    }

    #[test]
    fn look_alikes_are_not_addresses() {
        for text in ["10.0.0.256", "12:30", "a:b", "::g", "10.0.0.1:80", "1.2.3", "1.2.3.4.5"] {
            assert_eq!(address(text), None, "{text}");
        }
        for text in ["", "5", "fe80::1%eth0", "::ffff:10.0.0.1", "1.2.3.", "+1.2.3.4", "face"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn blocks_hold_their_own_family_only() {
        let block = Cidr::parse("10.1.2.3/8").unwrap();
        assert!(block.contains(address("10.255.0.1").unwrap()));
        assert!(!block.contains(address("11.0.0.1").unwrap()));
        assert!(!block.contains(address("a00:1::").unwrap()));
        assert!(Cidr::parse("::/0").unwrap().contains(address("::1").unwrap()));
        assert!(!Cidr::parse("::/0").unwrap().contains(address("1.1.1.1").unwrap()));
        assert_eq!(block.to_string(), "10.0.0.0/8");
    }

    #[test]
    fn refuses_malformed_blocks() {
        assert_eq!(Cidr::parse("10.0.0.0"), Err(CidrError::Slash));
        assert_eq!(Cidr::parse("10.0.0.0/8/8"), Err(CidrError::Slash));
        assert_eq!(Cidr::parse("10.0.0.0/x"), Err(CidrError::Bits));
        assert_eq!(Cidr::parse("10.0.0.0/-1"), Err(CidrError::Bits));
        assert_eq!(Cidr::parse("10.0.0.0/32"), Err(CidrError::BitsRange));
        assert_eq!(Cidr::parse("::/128"), Err(CidrError::BitsRange));
        assert_eq!(Cidr::parse("a:b/8"), Err(CidrError::Address));
        assert!(Cidr::parse("10.0.0.0/+08//").is_ok());
    }
}
