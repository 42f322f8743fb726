//! Ascend's packet filters (`abinary`) in Ascend's words, as FreeRADIUS prints them:
//! `ip in drop tcp dstport > 1023`.
//!
//! A filter has 32 octets: its kind, whether it forwards, its direction, a filler, and 28 octets by its kind. What is
//! unknown in it leaves no text, and the filter is shown as octets, where FreeRADIUS prints `??`; only a protocol
//! without a name is its number. FreeRADIUS also breaks off at a generic filter of the full six octets; we do not.

use std::fmt::{self, Write};
use std::net::Ipv4Addr;

/// Octets of every filter.
pub(super) const FILTER_LENGTH: usize = 32;
/// The most octets that a generic filter compares.
const MAX_COMPARED: usize = 6;

const GENERIC: u8 = 0;
const IP: u8 = 1;
const IPX: u8 = 2;

/// The filter as text; none if it is no filter that is known.
pub(super) fn text(octets: &[u8]) -> Option<Box<str>> {
    let octets: &[u8; FILTER_LENGTH] = octets.try_into().ok()?;
    let [kind, forward, direction, _, body @ ..] = octets;
    let name = match *kind {
        GENERIC => "generic",
        IP => "ip",
        IPX => "ipx",
        _ => return None,
    };
    // Both are flags in the lowest bit.
    let direction = if direction & 1 == 1 { "in" } else { "out" };
    let action = if forward & 1 == 1 { "forward" } else { "drop" };
    let mut text = format!("{name} {direction} {action}");
    match *kind {
        IP => ip(body, &mut text),
        IPX => ipx(body, &mut text),
        _ => generic(body, &mut text),
    }?;
    Some(text.into())
}

/// Addresses, the octets of their masks, protocol, whether only established connections count, ports and how they are
/// compared.
fn ip(body: &[u8; FILTER_LENGTH - 4], text: &mut String) -> Option<()> {
    for (word, at, mask) in [("srcip", 0, body[8]), ("dstip", 4, body[9])] {
        let address = Ipv4Addr::from(u32_at(body, at));
        if !address.is_unspecified() {
            say(text, format_args!(" {word} {address}/{mask}"));
        }
    }
    match body[10] {
        1 => text.push_str(" icmp"),
        6 => text.push_str(" tcp"),
        17 => text.push_str(" udp"),
        89 => text.push_str(" ospf"),
        protocol => say(text, format_args!(" {protocol}")),
    }
    for (word, at, comparison) in [("srcport", 12, body[16]), ("dstport", 14, body[17])] {
        if let Some(comparison) = compared(comparison)? {
            say(text, format_args!(" {word} {comparison} {}", u16_at(body, at)));
        }
    }
    if body[11] != 0 {
        text.push_str(" est");
    }
    Some(())
}

/// Networks, nodes, sockets and how they are compared.
fn ipx(body: &[u8; FILTER_LENGTH - 4], text: &mut String) -> Option<()> {
    for (word, at, comparison) in [("src", 0, body[24]), ("dst", 12, body[25])] {
        let comparison = compared(comparison)?;
        let net = u32_at(body, at);
        if net == 0 {
            continue;
        }
        say(text, format_args!(" {word}ipxnet {net:#06x} {word}ipxnode 0x"));
        hex(&body[at + 4..at + 10], text);
        if let Some(comparison) = comparison {
            say(text, format_args!(" {word}ipxsock {comparison} {:#06x}", u16_at(body, at + 10)));
        }
    }
    Some(())
}

/// Where in a packet, which bits, their value, whether they are to be equal, and whether the next filter belongs to it.
fn generic(body: &[u8; FILTER_LENGTH - 4], text: &mut String) -> Option<()> {
    let length = usize::from(u16_at(body, 2));
    if length > MAX_COMPARED {
        return None;
    }
    say(text, format_args!(" {} ", u16_at(body, 0)));
    hex(&body[6..6 + length], text);
    text.push(' ');
    hex(&body[12..12 + length], text);
    text.push_str(if body[18] == 0 { " ==" } else { " !=" });
    if u16_at(body, 4) != 0 {
        text.push_str(" more");
    }
    Some(())
}

/// How a port or socket is compared: not at all, or by a sign. None where that is unknown.
fn compared(octet: u8) -> Option<Option<&'static str>> {
    Some(match octet {
        0 => None,
        1 => Some("<"),
        2 => Some("="),
        3 => Some(">"),
        4 => Some("!="),
        _ => return None,
    })
}

fn u16_at(body: &[u8; FILTER_LENGTH - 4], at: usize) -> u16 {
    u16::from_be_bytes([body[at], body[at + 1]])
}

fn u32_at(body: &[u8; FILTER_LENGTH - 4], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}

fn hex(octets: &[u8], text: &mut String) {
    octets.iter().for_each(|octet| say(text, format_args!("{octet:02x}")));
}

fn say(text: &mut String, words: fmt::Arguments) {
    text.write_fmt(words).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    fn shown(octets: &str) -> Option<String> {
        let mut octets = sample::hex(octets);
        octets.resize(FILTER_LENGTH, 0);
        text(&octets).map(String::from)
    }

    #[test]
    fn ip_filters_are_said_in_words() {
        for (octets, expected) in [
            ("01 00 01 00 00000000 00000000 00 00 06 00 0000 03ff 00 03", "ip in drop tcp dstport > 1023"),
            ("01 01 01 00 00000000 00000000 00 00 06 01", "ip in forward tcp est"),
            (
                "01 01 00 00 01020304 0a0b0c0d 05 20 11 00 0005 04d2 01 04",
                "ip out forward srcip 1.2.3.4/5 dstip 10.11.12.13/32 udp srcport < 5 dstport != 1234",
            ),
            ("01 00 01 00 00000000 00000000 00 00 00", "ip in drop 0"),
            ("01 00 01 00 00000000 00000000 00 00 59", "ip in drop ospf"),
            ("01 00 01 00 00000000 00000000 00 00 2f", "ip in drop 47"),
        ] {
            assert_eq!(shown(octets).as_deref(), Some(expected));
        }
    }

    #[test]
    fn ipx_and_generic_filters_are_said_in_words() {
        for (octets, expected) in [
            ("02 01 01 00", "ipx in forward"),
            (
                "02 00 00 00 00000007 010203040506 0451 12345678 0a0b0c0d0e0f 0452 02 03",
                "ipx out drop srcipxnet 0x0007 srcipxnode 0x010203040506 srcipxsock = 0x0451 \
                 dstipxnet 0x12345678 dstipxnode 0x0a0b0c0d0e0f dstipxsock > 0x0452",
            ),
            ("00 00 01 00 000c 0002 0000 ffff00000000 080000000000 00", "generic in drop 12 ffff 0800 =="),
            (
                "00 01 01 00 0000 0006 0001 ffffffffffff 010203040506 01",
                "generic in forward 0 ffffffffffff 010203040506 != more",
            ),
        ] {
            assert_eq!(shown(octets).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_known_filter_has_no_words() {
        assert_eq!(shown("03 00 01"), None, "a kind without a name");
        assert_eq!(
            shown("01 00 01 00 00000000 00000000 00 00 06 00 0000 03ff 00 05"),
            None,
            "a comparison without one"
        );
        assert_eq!(shown("00 00 01 00 0000 0007"), None, "more octets than can be compared");
        assert_eq!((text(&[1; 31]), text(&[1; 33])), (None, None));
    }
}
