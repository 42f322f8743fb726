//! Where requests never go: addresses by which a host asks its own cloud for credentials, and link-local ones. A
//! receiver's name is resolved first and its addresses checked then, so that no name leads there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses outside the link-local ranges at which cloud providers answer with credentials: Alibaba Cloud's, Oracle
/// Cloud's, Azure's host agent, and the IPv6 one of AWS.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether requests to this address are refused, always. An IPv4 address is found in its IPv6 disguises too.
pub fn is_refused(address: IpAddr) -> bool {
    let address = match address {
        IpAddr::V6(v6) => embedded_v4(v6).map_or(address, IpAddr::V4),
        v4 => v4,
    };
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    link_local || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

/// IPv4-mapped (`::ffff:0:0/96`), IPv4-compatible, and NAT64 (`64:ff9b::/96`, RFC 6052) addresses.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = v6.segments();
    let last = || Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(last()),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => Some(last()),
        _ => v6.to_ipv4_mapped(),
    }
}

/// The system's resolver, without the addresses that are refused.
#[derive(Debug, Clone, Copy)]
pub struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = all.iter().copied().filter(|address| !is_refused(address.ip())).collect();
            if allowed.is_empty() && !all.is_empty() {
                let what = format!("{name} resolves only to refused addresses ({})", all[0].ip());
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, what).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_and_metadata_addresses_are_refused_in_every_disguise() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ] {
            assert!(is_refused(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn receivers_on_the_lan_and_on_this_host_are_allowed() {
        for address in
            ["127.0.0.1", "::1", "10.0.0.5", "192.168.1.1", "172.16.0.1", "fd00::1", "203.0.113.5", "2001:db8::1"]
        {
            assert!(!is_refused(address.parse().unwrap()), "{address}");
        }
    }
}
