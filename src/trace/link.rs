//! From frames of a link layer to UDP datagrams: Ethernet with up to three VLAN tags, Linux cooked v1 and v2, BSD
//! loopback, raw IP; IPv4 and IPv6 with their extension headers, fragments put together.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, IpNumber, Ipv6FragmentHeaderSlice, LaxNetSlice, LaxSlicedPacket};
use jiff::Timestamp;

use super::Datagram;
use super::capture::Frame;
use super::fragments::{Fragment, Fragments, Key};

/// Source port, destination port, length, checksum (RFC 768).
const UDP_HEADER_LENGTH: usize = 8;
/// RFC 8200 §3.
const IPV6_HEADER_LENGTH: usize = 40;
/// Linux cooked v1: packet type, address type, address length, address, protocol.
const SLL_LENGTH: usize = 16;
/// Linux cooked v2: protocol, reserved, interface, address type, packet type, address length, address.
const SLL2_LENGTH: usize = 20;
/// BSD loopback: the protocol family.
const LOOPBACK_LENGTH: usize = 4;
/// An IP packet may begin here in what the system gives as the network layer: it takes the outermost VLAN tag off, which
/// leaves one of two (IEEE 802.1ad), and some drivers leave one more. Of a tag is left what stands behind its EtherType:
/// two octets of it, and the EtherType of what follows.
pub const NETWORK_STARTS: [usize; 3] = [0, 4, 8];

/// What begins a frame: the numbers of tcpdump.org's list of link-layer header types that RADIUS is captured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkType {
    /// 1.
    Ethernet,
    /// 113: Linux cooked v1.
    LinuxCooked,
    /// 276: Linux cooked v2, what `tcpdump -i any` writes today.
    LinuxCooked2,
    /// 0 and 108: BSD loopback, in the writer's byte order or the network's.
    Loopback,
    /// 101, 228, 229, and 12 and 14 on some systems: an IP packet and nothing before it.
    Ip,
    /// No number: what Linux gives through a packet socket as the network layer, which is an IP packet, at times with
    /// VLAN tags before it.
    Network,
}

impl LinkType {
    /// The type under a number of that list.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Ip,
            113 => Self::LinuxCooked,
            276 => Self::LinuxCooked2,
            _ => return None,
        })
    }
}

/// Finds the UDP datagrams in frames. Remembers fragments.
#[derive(Debug, Default)]
pub struct Datagrams {
    fragments: Fragments,
    cut_fragments: u64,
}

impl Datagrams {
    /// The UDP datagram of a frame, or which a frame's fragment completes. None for anything else.
    pub fn datagram(&mut self, frame: &Frame) -> Option<Datagram> {
        let ip = Ip::of(frame.link, &frame.octets)?;
        let Some(key) = ip.fragment else { return udp(&ip, frame, ip.octets) };
        if ip.cut {
            // A hole in the middle cannot be shown as a packet that is cut at its end.
            self.cut_fragments += 1;
            return None;
        }
        let fragment = Fragment { offset: ip.offset, more: ip.more, octets: ip.octets };
        let whole = self.fragments.add(key, frame.time, fragment)?;
        udp(&ip, frame, &whole)
    }

    /// Datagrams of which not all fragments came, and fragments that the capture cut off.
    pub fn incomplete(&self) -> u64 {
        self.fragments.incomplete() + self.cut_fragments
    }

    /// Gives up what has waited for fragments for a minute by `now`. Answers with how many datagrams were ever given up
    /// of which the beginning was there: where a filter lets no other beginnings through than those of RADIUS, that many
    /// packets were lost.
    pub fn give_up(&mut self, now: Timestamp) -> u64 {
        self.fragments.expire(now);
        self.fragments.beginnings_lost() + self.cut_fragments
    }
}

/// What an IP packet says about the UDP datagram, or the part of one, that it carries.
struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    /// Set for a fragment.
    fragment: Option<Key>,
    offset: usize,
    more: bool,
    cut: bool,
    octets: &'a [u8],
}

impl<'a> Ip<'a> {
    fn of(link: LinkType, frame: &'a [u8]) -> Option<Self> {
        let ether_type = |at: usize| Some(EtherType(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?)));
        let sliced = match link {
            LinkType::Ethernet => LaxSlicedPacket::from_ethernet(frame).ok()?,
            LinkType::LinuxCooked => {
                LaxSlicedPacket::from_ether_type(ether_type(SLL_LENGTH - 2)?, frame.get(SLL_LENGTH..)?)
            }
            LinkType::LinuxCooked2 => LaxSlicedPacket::from_ether_type(ether_type(0)?, frame.get(SLL2_LENGTH..)?),
            // The family's number differs from system to system; the packet's first octet tells as much.
            LinkType::Loopback => LaxSlicedPacket::from_ip(frame.get(LOOPBACK_LENGTH..)?).ok()?,
            LinkType::Ip => LaxSlicedPacket::from_ip(frame).ok()?,
            LinkType::Network => LaxSlicedPacket::from_ip(behind_tags(frame)?).ok()?,
        };
        let (source, destination, identification, offset, more, payload) = match sliced.net? {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                let offset = usize::from(header.fragments_offset().byte_offset());
                let identification = u32::from(header.identification());
                let (source, destination) = (header.source_addr().into(), header.destination_addr().into());
                (source, destination, identification, offset, header.more_fragments(), ip.payload().clone())
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                let (source, destination) = (header.source_addr().into(), header.destination_addr().into());
                let found = fragment_header(header.next_header(), ip.extensions().slice());
                let (identification, offset, more) = found.map_or((0, 0, false), |header| {
                    let offset = usize::from(header.fragment_offset().byte_offset());
                    (header.identification(), offset, header.more_fragments())
                });
                (source, destination, identification, offset, more, ip.payload().clone())
            }
            LaxNetSlice::Arp(_) => return None,
        };
        if payload.ip_number != IpNumber::UDP {
            return None;
        }
        let key = Key { source, destination, identification, protocol: payload.ip_number.0 };
        Some(Self {
            source,
            destination,
            fragment: (more || offset > 0).then_some(key),
            offset,
            more,
            cut: payload.incomplete,
            octets: payload.payload,
        })
    }
}

/// The IP packet in what the system gives as the network layer. A VLAN's number can look like the first octet of an IP
/// packet; then the length that would be the packet's gives it away. `source/capture/filter.rs` has the system follow the
/// same rule.
fn behind_tags(frame: &[u8]) -> Option<&[u8]> {
    NETWORK_STARTS.into_iter().find_map(|start| {
        let octets = frame.get(start..)?;
        let field = |at: usize| Some(usize::from(u16::from_be_bytes(*octets.get(at..)?.first_chunk()?)));
        let (length, ether_type) = match octets.first()? >> 4 {
            4 => (field(2)?, EtherType::IPV4),
            6 => (field(4)? + IPV6_HEADER_LENGTH, EtherType::IPV6),
            _ => return None,
        };
        let told = start == 0 || frame[start - 2..start] == ether_type.0.to_be_bytes();
        (told && length <= octets.len()).then_some(octets)
    })
}

/// The fragment header among IPv6's extension headers, of which each but the authentication header tells its length in
/// units of eight octets beyond the first eight (RFC 8200 §4, RFC 4302 §2.2).
///
/// etherparse 0.21 has an iterator for them, which reads behind their end where the last one is cut off.
fn fragment_header(first: IpNumber, headers: &[u8]) -> Option<Ipv6FragmentHeaderSlice<'_>> {
    let (mut kind, mut rest) = (first, headers);
    loop {
        let length = usize::from(*rest.get(1)?);
        let length = match kind {
            IpNumber::IPV6_FRAGMENTATION_HEADER => return Ipv6FragmentHeaderSlice::from_slice(rest).ok(),
            IpNumber::IPV6_HEADER_HOP_BY_HOP | IpNumber::IPV6_ROUTE_HEADER | IpNumber::IPV6_DESTINATION_OPTIONS => {
                (length + 1) * 8
            }
            IpNumber::AUTHENTICATION_HEADER => (length + 2) * 4,
            _ => return None,
        };
        kind = IpNumber(rest[0]);
        rest = rest.get(length..)?;
    }
}

fn udp(ip: &Ip, frame: &Frame, octets: &[u8]) -> Option<Datagram> {
    let (header, rest) = octets.split_first_chunk::<UDP_HEADER_LENGTH>()?;
    let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let length = usize::from(field(4)).checked_sub(UDP_HEADER_LENGTH)?;
    Some(Datagram {
        time: frame.time,
        source: SocketAddr::new(ip.source, field(0)),
        destination: SocketAddr::new(ip.destination, field(2)),
        payload: rest[..rest.len().min(length)].to_vec(),
        length,
    })
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    const PAYLOAD: &[u8] = b"what a datagram carries";

    fn ip_packet() -> Vec<u8> {
        let mut octets = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(40_000, 1812).write(&mut octets, PAYLOAD).unwrap();
        octets
    }

    fn frame(link: LinkType, octets: Vec<u8>) -> Frame {
        Frame { time: None, link, octets }
    }

    fn read(link: LinkType, octets: Vec<u8>) -> Option<Datagram> {
        Datagrams::default().datagram(&frame(link, octets))
    }

    #[test]
    fn a_datagram_is_found_behind_every_link_layer() {
        let ethernet = |tags: &[u8]| [&[2; 12], tags, &[8, 0], ip_packet().as_slice(), b"ethernet's padding"].concat();
        for (link, octets) in [
            (LinkType::Ethernet, ethernet(&[])),
            (LinkType::Ethernet, ethernet(&[0x81, 0, 0, 5])),
            (LinkType::Ethernet, ethernet(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6])),
            (LinkType::LinuxCooked, [[0; 14].as_slice(), &[8, 0], &ip_packet()].concat()),
            (LinkType::LinuxCooked, [[0; 14].as_slice(), &[0x81, 0, 0, 5, 8, 0], &ip_packet()].concat()),
            (LinkType::LinuxCooked2, [[8, 0].as_slice(), &[0; 18], &ip_packet()].concat()),
            (LinkType::Loopback, [[2, 0, 0, 0].as_slice(), &ip_packet()].concat()),
            (LinkType::Loopback, [[0, 0, 0, 2].as_slice(), &ip_packet()].concat()),
            (LinkType::Ip, ip_packet()),
            (LinkType::Network, ip_packet()),
            // Of VLAN 5; and of VLAN 1280 with priority 2 inside another, which looks like an IP packet's beginning.
            (LinkType::Network, [[0, 5, 8, 0].as_slice(), &ip_packet()].concat()),
            (LinkType::Network, [[0, 6, 0x81, 0, 0x45, 0, 8, 0].as_slice(), &ip_packet()].concat()),
        ] {
            let found = read(link, octets).unwrap_or_else(|| panic!("{link:?}"));
            assert_eq!(found.payload, PAYLOAD, "{link:?}");
            assert_eq!(found.source, "10.0.0.1:40000".parse().unwrap());
            assert_eq!(found.destination, "10.0.0.2:1812".parse().unwrap());
            assert!(!found.is_cut());
        }
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_cut_or_nothing() {
        let whole = [&[2; 12], [8, 0].as_slice(), &ip_packet()].concat();
        for length in 0..whole.len() {
            if let Some(found) = read(LinkType::Ethernet, whole[..length].to_vec()) {
                assert!(found.is_cut() && found.length == PAYLOAD.len(), "{length}");
                assert!(PAYLOAD.starts_with(&found.payload), "{length}");
            }
        }
    }

    #[test]
    fn ipv6_s_extension_headers_are_passed_over_and_may_be_cut_off_anywhere() {
        let udp = [[0x9c, 0x40, 7, 0x14, 0, 12, 0, 0].as_slice(), b"data"].concat();
        // Each begins with the kind of the next one.
        let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
        let options = [43, 0, 1, 4, 0, 0, 0, 0];
        let routing = [[51, 1].as_slice(), &[0; 14]].concat();
        let authentication = [[44, 1].as_slice(), &[0; 10]].concat();
        let fragment = [17, 0, 0, 0, 0, 0, 0, 9];
        let headers = [&hop_by_hop, options.as_slice(), &routing, &authentication, &fragment].concat();
        let length = (headers.len() + udp.len()) as u8;
        let packet = [[0x60, 0, 0, 0, 0, length, 0, 64].as_slice(), &[0xfd; 32], &headers, &udp].concat();
        assert_eq!(read(LinkType::Ip, packet.clone()).unwrap().payload, b"data");
        for cut in 0..packet.len() {
            assert!(read(LinkType::Ip, packet[..cut].to_vec()).is_none_or(|found| found.is_cut()), "{cut}");
        }
        for at in 40..packet.len() {
            for octet in 0..=255 {
                let mut packet = packet.clone();
                packet[at] = octet;
                read(LinkType::Ip, packet);
            }
        }
    }

    #[test]
    fn fragments_of_ipv4_and_ipv6_become_one_datagram() {
        let udp = [[0x9c, 0x40, 7, 0x14, 0, 28, 0, 0].as_slice(), b"twenty octets, no"].concat();
        let udp = [udp.as_slice(), b"...!"].concat();
        let v4 = |offset: u16, more: bool, part: &[u8]| {
            let length = (20 + part.len() as u16).to_be_bytes();
            let fragment = ((u16::from(more) << 13) | (offset / 8)).to_be_bytes();
            let header = [0x45, 0, length[0], length[1], 0, 7, fragment[0], fragment[1], 64, 17, 0, 0];
            [header.as_slice(), &[10, 0, 0, 1], &[10, 0, 0, 2], part].concat()
        };
        let v6 = |offset: u16, more: bool, part: &[u8]| {
            let length = (8 + part.len() as u16).to_be_bytes();
            let fragment = (offset | u16::from(more)).to_be_bytes();
            let header = [0x60, 0, 0, 0, length[0], length[1], 44, 64];
            let extension = [17, 0, fragment[0], fragment[1], 0, 0, 0, 9];
            [header.as_slice(), &[0xfd; 32], &extension, part].concat()
        };
        for packet in [&v4 as &dyn Fn(u16, bool, &[u8]) -> Vec<u8>, &v6] {
            let mut datagrams = Datagrams::default();
            assert_eq!(datagrams.datagram(&frame(LinkType::Ip, packet(16, false, &udp[16..]))), None);
            assert_eq!(datagrams.incomplete(), 1);
            let found = datagrams.datagram(&frame(LinkType::Ip, packet(0, true, &udp[..16]))).unwrap();
            assert_eq!(found.payload, udp[8..28]);
            assert_eq!(datagrams.incomplete(), 0);
        }
    }
}
