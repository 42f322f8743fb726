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

/// Why no request may go to this address, or `None` where it may. IPv4 addresses written as IPv6 (mapped, NAT64,
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
    fn receivers_on_the_lan_the_host_and_the_internet_are_allowed() {
        for address in
            ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "100.100.100.201", "203.0.113.7", "2001:db8::1"]
        {
            assert_eq!(refusal(address.parse().unwrap()), None, "{address}");
        }
    }
}
