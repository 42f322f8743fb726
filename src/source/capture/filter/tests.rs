use std::net::SocketAddr;

use etherparse::PacketBuilder;

use super::*;
use crate::trace::capture::Frame;
use crate::trace::link::{Datagrams, LinkType};

const PORTS: [u16; 3] = [1812, 1813, 3799];

/// What the system tells of a packet beside its octets.
#[derive(Clone, Copy)]
struct Beside {
    packet_type: u32,
    hardware_type: u32,
}

const ARRIVES: Beside = Beside { packet_type: 0, hardware_type: 1 };

/// The machine, as far as the program uses it: whether a packet passes.
fn passes(program: &[Instruction], packet: &[u8], beside: Beside) -> bool {
    let load = |size: u32, at: u32| -> Option<u32> {
        match at {
            PACKET_TYPE => return Some(beside.packet_type),
            HARDWARE_TYPE => return Some(beside.hardware_type),
            _ => {}
        }
        let octets = packet.get(at as usize..)?;
        Some(match size {
            BPF_B => (*octets.first()?).into(),
            BPF_H => u16::from_be_bytes(*octets.first_chunk()?).into(),
            _ => u32::from_be_bytes(*octets.first_chunk()?),
        })
    };
    let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
    loop {
        let Instruction { code, then, otherwise, value } = program[at];
        at += 1;
        let code = u32::from(code);
        match code & 0x07 {
            BPF_RET => return value != 0,
            BPF_LD if code & 0xe0 == BPF_LEN => a = packet.len() as u32,
            BPF_LD => {
                let place = if code & 0xe0 == BPF_IND { x + value } else { value };
                // What lies beyond the packet's end ends the program, and the packet does not pass.
                let Some(loaded) = load(code & 0x18, place) else { return false };
                a = loaded;
            }
            BPF_LDX if code & 0xe0 == BPF_MSH => {
                let Some(octet) = load(BPF_B, value) else { return false };
                x = 4 * (octet & 0x0f);
            }
            BPF_LDX => x = value,
            BPF_ALU if code & 0xf0 == BPF_AND => a &= value,
            BPF_ALU => a = a.wrapping_add(value),
            BPF_MISC if code & 0xf8 == BPF_TXA => a = x,
            BPF_MISC => x = a,
            BPF_JMP if code & 0xf0 == BPF_JA => at += value as usize,
            BPF_JMP => {
                let other = if code & 0x08 == BPF_X { x } else { value };
                let holds = match code & 0xf0 {
                    BPF_JEQ => a == other,
                    BPF_JGE => a >= other,
                    BPF_JSET => a & other != 0,
                    _ => panic!("{code:#x} is not used"),
                };
                at += usize::from(if holds { then } else { otherwise });
            }
            _ => panic!("{code:#x} is not used"),
        }
    }
}

fn arrives(packet: &[u8]) -> bool {
    passes(&program(&PORTS), packet, ARRIVES)
}

fn udp(from: &str, to: &str) -> Vec<u8> {
    let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
    let mut packet = Vec::new();
    let builder = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64),
        (SocketAddr::V6(from), SocketAddr::V6(to)) => PacketBuilder::ipv6(from.ip().octets(), to.ip().octets(), 64),
        _ => panic!("both ends have the same family"),
    };
    builder.udp(from.port(), to.port()).write(&mut packet, b"what a datagram carries").unwrap();
    packet
}

/// An IPv6 packet whose extension headers, each of eight octets, are of these kinds, before a UDP header to this port.
fn extended(kinds: &[u8], fragment: u16, port: u16) -> Vec<u8> {
    let mut packet = udp("[2001:db8::1]:40000", &format!("[2001:db8::2]:{port}"));
    let mut kinds = kinds.to_vec();
    kinds.push(17);
    packet[6] = kinds[0];
    let headers = kinds[1..].iter().map(|next| [&[*next, 0], fragment.to_be_bytes().as_slice(), &[0; 4]].concat());
    let headers: Vec<u8> = headers.flatten().collect();
    let length = u16::from_be_bytes([packet[4], packet[5]]) + headers.len() as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet.splice(40..40, headers);
    packet
}

/// Behind what is left of these VLAN tags.
fn tagged(tags: &[u16], packet: &[u8]) -> Vec<u8> {
    let ip: [u8; 2] = if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    let mut octets = Vec::new();
    for (number, tag) in tags.iter().enumerate() {
        octets.extend(tag.to_be_bytes());
        octets.extend(if number + 1 == tags.len() { ip } else { [0x81, 0x00] });
    }
    [octets.as_slice(), packet].concat()
}

#[test]
fn datagrams_from_and_to_the_ports_pass_and_no_others() {
    for (from, to, expected) in [
        ("10.0.0.1:40000", "10.0.0.2:1812", true),
        ("10.0.0.2:1813", "10.0.0.1:40000", true),
        ("10.0.0.1:40000", "10.0.0.2:3799", true),
        ("10.0.0.1:40000", "10.0.0.2:1814", false),
        ("[2001:db8::1]:40000", "[2001:db8::2]:1812", true),
        ("[2001:db8::2]:3799", "[2001:db8::1]:40000", true),
        ("[2001:db8::1]:53", "[2001:db8::2]:40000", false),
    ] {
        let packet = udp(from, to);
        assert_eq!(arrives(&packet), expected, "{from} > {to}");
        assert_eq!(arrives(&[packet.as_slice(), b"ethernet's padding"].concat()), expected);
        let mut tcp = packet.clone();
        tcp[if packet[0] >> 4 == 4 { 9 } else { 6 }] = 6;
        assert!(!arrives(&tcp), "{from} > {to} over TCP");
    }
    let mut options = udp("10.0.0.1:40000", "10.0.0.2:1812");
    options[0] = 0x46;
    options[3] += 4;
    options.splice(20..20, [1; 4]);
    assert!(arrives(&options), "the header's own length counts");
    options[3] -= 4;
    options[0] = 0x45;
    assert!(!arrives(&options));
}

#[test]
fn later_fragments_of_udp_pass_whatever_their_ports_are() {
    let mut packet = udp("10.0.0.1:40000", "10.0.0.2:53");
    for (offset, expected) in [(0, false), (0x2000, false), (0x2001, true), (0x1fff, true), (0x4000, false)] {
        packet[6..8].copy_from_slice(&u16::to_be_bytes(offset));
        assert_eq!(arrives(&packet), expected, "{offset:#x}");
    }
    packet[9] = 6;
    packet[6..8].copy_from_slice(&[0x20, 1]);
    assert!(!arrives(&packet), "fragments of TCP do not");

    for (fragment, port, expected) in [(1, 1812, true), (1, 53, false), (8, 53, true), (8, 1812, true)] {
        assert_eq!(arrives(&extended(&[44], fragment, port)), expected, "{fragment} {port}");
    }
    let mut tcp = extended(&[44], 8, 1812);
    tcp[40] = 6;
    assert!(!arrives(&tcp));
}

#[test]
fn rare_extension_headers_pass() {
    for kinds in [&[0_u8][..], &[60], &[43, 44], &[44, 60]] {
        assert!(arrives(&extended(kinds, 0, 53)), "{kinds:?}");
    }
    assert!(!arrives(&extended(&[58], 0, 1812)), "ICMPv6 does not");
}

#[test]
fn what_the_system_leaves_of_vlan_tags_is_looked_behind() {
    let four = udp("10.0.0.1:40000", "10.0.0.2:1812");
    let six = udp("[2001:db8::1]:40000", "[2001:db8::2]:1813");
    // Priority 2 and VLAN 1280, or priority 3: they look like the beginning of an IP packet.
    for tags in [&[5_u16][..], &[0x4500], &[0x6005], &[5, 6], &[0x4500, 0x4511], &[0x6011, 0x6011]] {
        for packet in [&four, &six] {
            assert!(arrives(&tagged(tags, packet)), "{tags:x?}");
        }
        assert!(!arrives(&tagged(tags, &udp("10.0.0.1:40000", "10.0.0.2:53"))), "{tags:x?}");
    }
    assert!(!arrives(&tagged(&[5, 6, 7], &four)), "three tags are one too many");
}

#[test]
fn loopback_shows_each_packet_once_and_other_interfaces_what_leaves_them() {
    let packet = udp("127.0.0.1:40000", "127.0.0.1:1812");
    let passes = |packet_type: u8, hardware_type: u16| {
        let beside = Beside { packet_type: packet_type.into(), hardware_type: hardware_type.into() };
        passes(&program(&PORTS), &packet, beside)
    };
    assert!(passes(libc::PACKET_HOST, libc::ARPHRD_LOOPBACK));
    assert!(!passes(libc::PACKET_OUTGOING, libc::ARPHRD_LOOPBACK));
    assert!(passes(libc::PACKET_HOST, libc::ARPHRD_ETHER));
    assert!(passes(libc::PACKET_OUTGOING, libc::ARPHRD_ETHER));
    assert!(passes(libc::PACKET_OTHERHOST, libc::ARPHRD_ETHER), "what a mirrored port carries is for others");
}

/// Whoever reads what passes, and the filter, must agree on where a packet begins.
#[test]
fn a_packet_that_is_cut_or_changed_anywhere_passes_if_its_ports_are_found_in_it() {
    let found = |octets: &[u8]| {
        let frame = Frame { time: None, link: LinkType::Network, octets: octets.to_vec() };
        let datagram = Datagrams::default().datagram(&frame)?;
        let has = |at: SocketAddr| PORTS.contains(&at.port());
        (has(datagram.source) || has(datagram.destination)).then_some(())
    };
    let packets = [
        udp("10.0.0.1:40000", "10.0.0.2:1812"),
        tagged(&[5], &udp("[2001:db8::1]:40000", "[2001:db8::2]:1812")),
        tagged(&[0x4500, 7], &udp("10.0.0.1:1813", "10.0.0.2:40000")),
        extended(&[44], 0, 1812),
        extended(&[0], 0, 1812),
    ];
    let program = program(&PORTS);
    for packet in &packets {
        assert!(found(packet).is_some());
        for length in 0..packet.len() {
            passes(&program, &packet[..length], ARRIVES);
        }
        for at in 0..packet.len() {
            for value in 0..=255 {
                let mut packet = packet.clone();
                packet[at] = value;
                if found(&packet).is_some() {
                    assert!(passes(&program, &packet, ARRIVES), "octet {at} is {value:#x}: {packet:02x?}");
                }
            }
        }
    }
}

#[test]
fn as_many_ports_as_the_config_allows_find_room() {
    let ports: Vec<u16> = (1..=16).collect();
    let program = program(&ports);
    assert!(program.len() < 200, "{}", program.len());
    assert!(passes(&program, &udp("10.0.0.1:40000", "10.0.0.2:16"), ARRIVES));
    assert!(!passes(&program, &udp("10.0.0.1:40000", "10.0.0.2:17"), ARRIVES));
}
