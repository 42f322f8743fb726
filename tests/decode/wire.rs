//! Packets, frames and captures for tests.

use std::net::SocketAddr;

use radhook::radius::authenticator::{self, Authenticator};

pub const SECRET: &str = "testing123";
pub const CLIENT: &str = "10.0.0.1:40000";
pub const SERVER: &str = "10.0.0.2:1812";

/// Attributes one after the other.
pub fn attributes(pairs: &[(u8, &[u8])]) -> Vec<u8> {
    pairs.iter().flat_map(|(number, value)| [&[*number, value.len() as u8 + 2], *value].concat()).collect()
}

/// A packet that is not signed.
pub fn packet(code: u8, id: u8, authenticator: Authenticator, attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).expect("a packet's length fits its field").to_be_bytes();
    [&[code, id, length[0], length[1]], authenticator.as_slice(), attributes].concat()
}

/// A request whose authenticator is computed: Accounting-, CoA- or Disconnect-Request.
pub fn signed_request(code: u8, id: u8, attributes: &[u8]) -> Vec<u8> {
    let mut bytes = packet(code, id, [0; 16], attributes);
    let value = authenticator::request_authenticator(&bytes, SECRET.as_bytes());
    bytes[4..20].copy_from_slice(&value);
    bytes
}

/// A reply to a request, with a Message-Authenticator before its attributes.
pub fn signed_reply(code: u8, request: &[u8], attributes: &[u8]) -> Vec<u8> {
    let mut bytes = packet(code, request[1], [0; 16], &[[80, 18].as_slice(), &[0; 16], attributes].concat());
    let asked: Authenticator = request[4..20].try_into().expect("sixteen octets");
    let message = authenticator::message_authenticator(&bytes, 20, &asked, SECRET.as_bytes());
    bytes[22..38].copy_from_slice(&message);
    let value = authenticator::response_authenticator(&bytes, &asked, SECRET.as_bytes());
    bytes[4..20].copy_from_slice(&value);
    bytes
}

/// An IPv4 or IPv6 packet with a UDP datagram.
pub fn udp(source: &str, destination: &str, payload: &[u8]) -> Vec<u8> {
    let address = |text: &str| text.parse::<SocketAddr>().expect("addresses with ports");
    let (from, to) = (address(source), address(destination));
    let length = u16::try_from(8 + payload.len()).expect("it fits one packet");
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    let mut ip = match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let total = (20 + length).to_be_bytes();
            let mut ip = [
                [0x45, 0, total[0], total[1], 0, 1, 0, 0, 64, 17, 0, 0].as_slice(),
                &from.ip().octets(),
                &to.ip().octets(),
            ]
            .concat();
            let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
            let folded = (sum & 0xffff) + (sum >> 16);
            ip[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
            ip
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let total = length.to_be_bytes();
            [[0x60, 0, 0, 0, total[0], total[1], 17, 64].as_slice(), &from.ip().octets(), &to.ip().octets()].concat()
        }
        _ => panic!("both ends have the same family"),
    };
    ip.extend(ports);
    ip.extend(payload);
    ip
}

/// The same in an Ethernet frame.
pub fn ethernet(ip: &[u8]) -> Vec<u8> {
    let kind: [u8; 2] = if ip[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    [[2; 12].as_slice(), &kind, ip].concat()
}

/// A pcap file of Ethernet frames, each a millisecond after the one before.
pub fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    pcap_with(1, usize::MAX, frames)
}

/// A pcap file of frames of a link type, of each of which no more than `kept` octets are kept.
pub fn pcap_with(link: u32, kept: usize, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = [0xa1b2_c3d4_u32.to_le_bytes(), [2, 0, 4, 0], [0; 4], [0; 4]].concat();
    octets.extend(u32::try_from(kept.min(262_144)).expect("it fits").to_le_bytes());
    octets.extend(link.to_le_bytes());
    for (at, frame) in frames.iter().enumerate() {
        let there = &frame[..frame.len().min(kept)];
        let fields = [1_795_342_530, 1000 * (at as u32 % 1000), there.len() as u32, frame.len() as u32];
        octets.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        octets.extend(there);
    }
    octets
}

/// A pcapng file of the same, without options.
pub fn pcapng(frames: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let padded = body.len().next_multiple_of(4);
        let length = (padded as u32 + 12).to_le_bytes();
        let mut block = [kind.to_le_bytes(), length].concat();
        block.extend(body);
        block.resize(8 + padded, 0);
        block.extend(length);
        block
    };
    let mut octets =
        block(0x0a0d_0d0a, &[0x1a2b_3c4d_u32.to_le_bytes().as_slice(), &[1, 0, 0, 0], &[0xff; 8]].concat());
    octets.extend(block(1, &[1, 0, 0, 0, 0, 0, 0, 0]));
    for (at, frame) in frames.iter().enumerate() {
        let time = 1_795_342_530_000_000 + 1000 * at as u64;
        let length = frame.len() as u32;
        let fields = [0, (time >> 32) as u32, time as u32, length, length];
        let header: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        octets.extend(block(6, &[header.as_slice(), frame].concat()));
    }
    octets
}

/// As `xxd` prints octets.
pub fn xxd(octets: &[u8]) -> String {
    dump(octets, |at| format!("{at:08x}: "))
}

/// As `tcpdump -x` prints an IP packet.
pub fn tcpdump_x(octets: &[u8]) -> String {
    let head = "10:15:30.000000 IP 10.0.0.1.40000 > 10.0.0.2.1812: RADIUS, Access-Request (1)\n";
    head.to_owned() + &dump(octets, |at| format!("\t0x{at:04x}:  "))
}

fn dump(octets: &[u8], offset: impl Fn(usize) -> String) -> String {
    let row = |(at, row): (usize, &[u8])| {
        let groups: Vec<String> = row.chunks(2).map(hex).collect();
        let characters: String =
            row.iter().map(|octet| if octet.is_ascii_graphic() { char::from(*octet) } else { '.' }).collect();
        format!("{}{:<39}  {characters}\n", offset(at * 16), groups.join(" "))
    };
    octets.chunks(16).enumerate().map(row).collect()
}

/// Bare digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Octets from digits with any white space between.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: String = digits.split_whitespace().collect();
    if digits.len() % 2 == 1 || digits.is_empty() {
        return None;
    }
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
