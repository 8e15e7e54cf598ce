//! Networks of IP addresses in CIDR form, and whether an address given as text lies in one.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network; of addresses of the other family none lies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Network {
    V4 { base: u32, mask: u32 },
    V6 { base: u128, mask: u128 },
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`; bits behind the prefix are masked, which the flag tells.
    pub(crate) fn parse(text: &str) -> Option<(Self, bool)> {
        let (address, length) = text.split_once('/')?;
        let is_plain =
            length.bytes().all(|byte| byte.is_ascii_digit()) && (length == "0" || !length.starts_with('0'));
        if length.is_empty() || length.len() > 3 || !is_plain {
            return None;
        }
        let length: u32 = length.parse().ok()?;
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(length)?).unwrap_or(0);
                let base = address.to_bits() & mask;
                Some((Network::V4 { base, mask }, base != address.to_bits()))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(length)?).unwrap_or(0);
                let base = address.to_bits() & mask;
                Some((Network::V6 { base, mask }, base != address.to_bits()))
            }
        }
    }

    /// Whether `text` is an address in it.
    pub(crate) fn contains(self, text: &str) -> bool {
        match self {
            Network::V4 { base, mask } => {
                text.parse::<Ipv4Addr>().is_ok_and(|address| address.to_bits() & mask == base)
            }
            Network::V6 { base, mask } => {
                text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_bits() & mask == base)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_address_are_inside_and_families_do_not_mix() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.0.0.0", true),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "010.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", false),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("2001:db8::/32", "2001:DB8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::1/128", "::1", true),
            ("::/0", "1.2.3.4", false),
            ("10.1.2.3/8", "10.9.9.9", true),
        ] {
            let (parsed, _) = Network::parse(network).expect("a network");
            assert_eq!(parsed.contains(address), expected, "{network} {address}");
        }
        assert!(Network::parse("10.1.2.3/8").is_some_and(|(_, masked)| masked));
        assert!(Network::parse("10.0.0.0/8").is_some_and(|(_, masked)| !masked));
        for wrong in [
            "10.0.0.1",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "010.0.0.0/8",
            "x/8",
            "/8",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
