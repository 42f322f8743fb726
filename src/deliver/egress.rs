//! Addresses that no request may ever go to. A receiver's URL comes from an operator, but what its name resolves to
//! may be somebody else's choice, and behind some addresses stands the host's own identity.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(segments: [u16; 8], prefix: u8) -> IpNet {
    let [a, b, c, d, e, f, g, h] = segments;
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix))
}

/// What is refused, and what stands there.
const REFUSED: [(IpNet, &str); 11] = [
    (v4(169, 254, 0, 0, 16), "link-local, where cloud hosts serve their metadata"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), "the metadata service of Amazon EC2"),
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), "the metadata service of Google Cloud"),
    (v4(100, 100, 100, 200, 32), "the metadata service of Alibaba Cloud"),
    (v4(168, 63, 129, 16, 32), "the platform service of Azure"),
    (v4(192, 0, 0, 192, 32), "the metadata service of Oracle Cloud"),
    (v4(0, 0, 0, 0, 8), "no address of a receiver"),
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "no address of a receiver"),
    (v4(224, 0, 0, 0, 3), "multicast, reserved or broadcast"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// Where requests may go, as an operator has it (`[egress]`): of the networks that hold an address the one with the longest
/// prefix decides, `allow` before `deny`; an address in none of them is allowed. What is refused always stays refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Egress {
    /// Networks that requests may go to.
    pub allow: Vec<IpNet>,
    /// Networks that they may not go to.
    pub deny: Vec<IpNet>,
}

impl Egress {
    /// Why no request may go to this address, or `None` where it may.
    pub fn refusal(&self, address: IpAddr) -> Option<String> {
        if let Some(why) = refusal(address) {
            return Some(why.to_owned());
        }
        let address = reached(address).to_canonical();
        let longest = |networks: &[IpNet]| {
            let holding = networks.iter().filter(|network| network.contains(&address));
            holding.max_by_key(|network| network.prefix_len()).copied()
        };
        let denied = longest(&self.deny)?;
        let allowed = longest(&self.allow).is_some_and(|allowed| allowed.prefix_len() >= denied.prefix_len());
        (!allowed).then(|| format!("{denied} is denied by [egress]"))
    }
}

/// Why no request may ever go to this address, or `None` where it may. IPv4 addresses written as IPv6 (mapped, NAT64,
/// 6to4) are judged as what they reach.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    let address = reached(address);
    REFUSED.iter().find(|(network, _)| network.contains(&address)).map(|(_, what)| *what)
}

/// Whether this address stays on the host.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The IPv4 address within an IPv6 one: mapped (RFC 4291 §2.5.5.2), compatible (§2.5.5.1), NAT64 (RFC 6052 §2.1) or
/// 6to4 (RFC 3056 §2).
fn reached(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_link_local_addresses_are_refused_in_every_spelling() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert!(refusal(address.parse().unwrap()).is_some(), "{address}");
        }
    }

    #[test]
    fn of_allow_and_deny_the_longer_prefix_decides_and_nothing_allows_the_metadata() {
        let networks = |list: &[&str]| list.iter().map(|network| network.parse().unwrap()).collect();
        let egress = Egress {
            allow: networks(&["10.1.0.0/16", "10.1.2.3/32", "169.254.169.254/32", "2001:db8::/32"]),
            deny: networks(&["10.0.0.0/8", "10.1.2.0/24", "::/0"]),
        };
        let refused = |address: &str| egress.refusal(address.parse().unwrap());
        for allowed in ["10.1.0.1", "10.1.2.3", "::ffff:10.1.2.3", "192.168.1.1", "2001:db8::1"] {
            assert_eq!(refused(allowed), None, "{allowed}");
        }
        assert_eq!(refused("10.1.2.4").as_deref(), Some("10.1.2.0/24 is denied by [egress]"));
        assert_eq!(refused("::ffff:10.9.0.1").as_deref(), Some("10.0.0.0/8 is denied by [egress]"));
        assert!(refused("2001:db9::1").is_some() && refused("169.254.169.254").is_some());
        assert_eq!(Egress::default().refusal("10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn receivers_on_the_lan_the_host_and_the_internet_are_allowed() {
        for address in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "100.100.100.201", "203.0.113.7", "2001:db8::1"]
        {
            assert_eq!(refusal(address.parse().unwrap()), None, "{address}");
        }
    }
}
