//! The same captures through `radsniff -x` (package freeradius-utils) and through us, attribute by attribute.
//!
//! radsniff sorts attributes by their numbers, so that they are compared as a set per packet. What both print
//! differently is listed in [`translated`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use radhook::radius::dictionary::{DataType, Definition, Dictionary, Loader, Space};
use radhook::radius::numbers;

use crate::verb::{decode, decode_stdin};
use crate::wire::{self, CLIENT, SERVER};

const DICTIONARY: &str = "/usr/share/freeradius/dictionary";

/// A packet as either prints it: its head's words, and its attributes.
#[derive(Debug, Default, PartialEq)]
struct Printed {
    head: String,
    attributes: Vec<(String, String)>,
}

/// What radsniff prints for a capture.
fn theirs(capture: &Path) -> Vec<Printed> {
    let output = Command::new("radsniff")
        .args(["-x", "-I"])
        .arg(capture)
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|error| panic!("radsniff does not start ({error}); tests/run installs what is missing"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let head = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Date, time, (number), code, Id, identifier, …
        words.get(5).filter(|_| words.get(4) == Some(&"Id")).map(|id| format!("{} id {id}", words[3]))
    };
    packets(&text, head)
}

/// What we print.
fn ours(text: &str) -> Vec<Printed> {
    let head = |line: &str| {
        let (_, code) = line.split_once("->")?.1.trim_start().split_once("  ")?;
        Some(code.split(',').next()?.to_owned())
    };
    // Behind them stand the requests without an answer.
    let end = text.find(" without an answer:\n").and_then(|end| text[..end].rfind("\n\n"));
    packets(&text[..end.unwrap_or(text.len())], head)
}

fn packets(text: &str, head: impl Fn(&str) -> Option<String>) -> Vec<Printed> {
    let mut packets: Vec<Printed> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix('\t') {
            Some(attribute) => {
                if let (Some((name, value)), Some(packet)) = (attribute.split_once(" = "), packets.last_mut()) {
                    packet.attributes.push((name.trim_end().to_owned(), value.to_owned()));
                }
            }
            None => packets.extend(head(line).map(|head| Printed { head, attributes: Vec::new() })),
        }
    }
    for packet in &mut packets {
        packet.attributes.sort();
    }
    packets
}

/// One of our values in radsniff's words; None for what we never show and it does: passwords, which it decrypts, EAP,
/// Message-Authenticator.
fn translated(name: &str, ours: &str, dictionary: &Dictionary) -> Option<String> {
    let plain = name.rsplit_once(':').map_or(name, |(plain, _)| plain);
    match dictionary.by_name(plain).map(|definition| definition.kind) {
        _ if ours == "[redacted]" => None,
        // Ours are as in events: RFC 3339, and IEEE 802's way to write addresses.
        Some(DataType::Date) => {
            let time: jiff::Timestamp = ours.parse().ok()?;
            Some(format!("\"{}\"", time.strftime("%b %e %Y %H:%M:%S UTC")))
        }
        Some(DataType::Ether) => Some(ours.replace('-', ":").to_ascii_lowercase()),
        Some(DataType::InterfaceId) => Some(ours.trim_matches('"').to_owned()),
        _ => Some(ours.to_owned()),
    }
}

/// Compares, and answers with how many attributes were the same.
fn compare(capture: &[u8]) -> usize {
    let mut loader = Loader::empty();
    loader.file(DICTIONARY.as_ref()).unwrap_or_else(|error| panic!("{error}; tests/run installs what is missing"));
    let (dictionary, _) = loader.finish();
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("x.pcap");
    fs::write(&file, capture).expect("a file can be written");
    let ended = decode(&file, &["--dictionary", DICTIONARY]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let (ours, theirs) = (ours(&ended.stdout), theirs(&file));
    let heads = |packets: &[Printed]| packets.iter().map(|packet| packet.head.clone()).collect::<Vec<_>>();
    assert_eq!(heads(&ours), heads(&theirs));
    let mut compared = 0;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        let mut left: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (name, value) in &theirs.attributes {
            *left.entry((name.clone(), value.clone())).or_default() += 1;
        }
        for (name, value) in &ours.attributes {
            let Some(value) = translated(name, value, &dictionary) else {
                // It is there, whatever it holds.
                let hidden = left.iter_mut().find(|((theirs, _), count)| theirs == name && **count > 0);
                *hidden.unwrap_or_else(|| panic!("{}: they have no {name}: {theirs:#?}", ours.head)).1 -= 1;
                continue;
            };
            match left.get_mut(&(name.clone(), value.clone())) {
                Some(count) if *count > 0 => *count -= 1,
                _ => {
                    let near: Vec<_> = theirs.attributes.iter().filter(|(theirs, _)| theirs == name).collect();
                    panic!("{}: they do not print {name} = {value}, but {near:?}", ours.head)
                }
            }
            compared += 1;
        }
        left.retain(|_, count| *count > 0);
        assert!(left.is_empty(), "{}: we do not print {left:?}", ours.head);
    }
    compared
}

#[test]
fn packets_of_every_code_are_printed_as_radsniff_prints_them() {
    let forth = |port: u16, packet: &[u8]| wire::ethernet(&wire::udp(CLIENT, &format!("10.0.0.2:{port}"), packet));
    let back = |port: u16, packet: &[u8]| wire::ethernet(&wire::udp(&format!("10.0.0.2:{port}"), CLIENT, packet));
    let asked = wire::attributes(&[
        (1, b"bob"),
        (4, &[10, 0, 0, 1]),
        (6, &[0, 0, 0, 2]),
        (55, &[0x65, 0, 0, 1]),
        (64, &[1, 0, 0, 13]),
        (79, &[2, 0, 0, 4]),
        // radsniff takes no EAP-Message without one (RFC 3579 §3.2), and does not check it.
        (80, &[0; 16]),
    ]);
    let said = wire::attributes(&[(18, b"a \"b\" \\ \n"), (97, &[0, 64, 0x20, 1, 0xd, 0xb8]), (101, &[0, 0, 1, 0xf7])]);
    let mut frames = Vec::new();
    for (id, request, replies, port) in [
        (1, 1, &[2, 3, 11][..], 1812),
        (20, 4, &[5], 1813),
        (30, 40, &[41, 42], 3799),
        (40, 43, &[44, 45], 3799),
        (50, 12, &[2], 1812),
    ] {
        for (at, reply) in (0..).zip(replies) {
            let packet = match request {
                1 | 12 => wire::packet(request, id + at, [id + at; 16], &asked),
                _ => wire::signed_request(request, id + at, &asked),
            };
            frames.push(forth(port, &packet));
            frames.push(back(port, &wire::signed_reply(*reply, &packet, &said)));
        }
    }
    let compared = compare(&wire::pcap(&frames));
    assert!(compared >= 9 * 7, "{compared} attributes compared");
}

#[test]
fn every_attribute_of_freeradius_s_dictionaries_is_printed_as_radsniff_prints_it() {
    let mut loader = Loader::empty();
    loader.file(DICTIONARY.as_ref()).unwrap_or_else(|error| panic!("{error}; tests/run installs what is missing"));
    let (dictionary, _) = loader.finish();
    let mut attributes = dictionary
        .iter()
        .enumerate()
        .filter(|(_, definition)| is_comparable(definition, &dictionary))
        .filter_map(|(seed, definition)| encoded(definition, &dictionary, example(definition.kind, seed)?))
        .peekable();
    let mut frames = Vec::new();
    while attributes.peek().is_some() {
        let mut octets = Vec::new();
        // radsniff takes no more than a frame of Ethernet holds, and refuses packets with more than 200 attributes.
        while let Some(attribute) = attributes.next_if(|attribute| octets.len() + attribute.len() < 1400) {
            octets.extend(attribute);
        }
        let id = frames.len() as u8;
        let number = (frames.len() as u16).to_be_bytes();
        let authenticator = [number, [id, 1], number, [id, 2], number, [id, 3], number, [id, 4]].concat();
        let packet = wire::packet(1, id, authenticator.try_into().expect("sixteen octets"), &octets);
        let from = format!("10.0.1.{}:{}", frames.len() / 200, 40_000 + frames.len());
        frames.push(wire::ethernet(&wire::udp(&from, SERVER, &packet)));
    }
    let compared = compare(&wire::pcap(&frames));
    assert!(compared > 6000, "{compared} attributes compared");
}

/// What both can be asked for. Not internal; not encrypted, which radsniff decrypts and we hide; not a TLV's insides in
/// the RFC space, whose names FreeRADIUS 3.2.1 does not find (RFC 6930: `Attr-173.1`) and we do.
fn is_comparable(definition: &Definition, dictionary: &Dictionary) -> bool {
    let top = dictionary.get(Space::Vendor(0), definition.path[0]);
    let in_tlv = definition.id.vendor == 0 && top.is_some_and(|top| top.kind == DataType::Tlv);
    !in_tlv && !definition.flags.internal && !definition.flags.is_sensitive() && !numbers::is_sensitive(definition.id)
}

/// A value of this type, different from attribute to attribute.
fn example(kind: DataType, seed: usize) -> Option<Vec<u8>> {
    let some = |count: usize| (0..count).map(|at| (seed * 7 + at * 31) as u8).collect::<Vec<_>>();
    Some(match kind {
        DataType::Text => format!("text {seed} \\ \"é\"").into_bytes(),
        DataType::Octets(count) => some(count.map_or(1 + seed % 9, usize::from)),
        DataType::Byte => vec![(seed % 12) as u8],
        DataType::Short => vec![0, (seed % 12) as u8],
        DataType::Integer | DataType::Date => vec![0, 0, 0, (seed % 24) as u8],
        DataType::Integer64 | DataType::InterfaceId => some(8),
        DataType::Signed => [[0xff; 3].as_slice(), &some(1)].concat(),
        DataType::Ipv4Address | DataType::ComboIp => some(4),
        DataType::Ipv6Address => [&[0x20, 1, 0xd, 0xb8], some(12).as_slice()].concat(),
        DataType::Ipv4Prefix => vec![0, 24, 10, some(1)[0], 1, 0],
        DataType::Ipv6Prefix => [&[0, 48, 0x20, 1, 0xd, 0xb8], some(2).as_slice()].concat(),
        DataType::Ether => some(6),
        DataType::AscendBinary => filter(seed),
        // These hold attributes and no value.
        DataType::Tlv
        | DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => {
            return None;
        }
    })
}

/// A packet filter: of each of the three kinds, and one too short to be any.
fn filter(seed: usize) -> Vec<u8> {
    let [number, flag] = [seed as u8, (seed % 2) as u8];
    let body: &[u8] = match seed % 4 {
        0 => &[1, flag, 1 - flag, 0, 10, 1, 2, number, 0, 0, 0, 0, 24, 0, 6, flag, 0, 5, 4, 210, flag, 3],
        1 => &[2, flag, 1, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, number, 4, 81, 18, 52, 86, 120, 6, 5, 4, 3, 2, 1, 4, 82, 2, 3],
        2 => &[0, flag, 0, 0, 0, 12, 0, 2, 0, flag, 255, number, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, flag],
        _ => return vec![1, flag, 0, number],
    };
    let mut filter = body.to_vec();
    filter.resize(32, 0);
    filter
}

/// An attribute with its value, in whatever the dictionary puts around it.
fn encoded(definition: &Definition, dictionary: &Dictionary, value: Vec<u8>) -> Option<Vec<u8>> {
    let tlv = |number: u32, value: &[u8]| {
        Some([&[u8::try_from(number).ok()?, u8::try_from(value.len() + 2).ok()?], value].concat())
    };
    let inner = |path: &[u32]| path.iter().rev().try_fold(value.clone(), |value, number| tlv(*number, &value));
    let vendor = definition.id.vendor;
    if vendor != 0 {
        let format = dictionary.vendor_format(vendor);
        let value = inner(&definition.path[1..])?;
        let length =
            usize::from(format.type_octets + format.length_octets) + usize::from(format.continuation) + value.len();
        let number = definition.path[0].to_be_bytes();
        let mut body = vendor.to_be_bytes().to_vec();
        body.extend(&number[4 - usize::from(format.type_octets)..]);
        body.extend(&u32::try_from(length).ok()?.to_be_bytes()[4 - usize::from(format.length_octets)..]);
        body.extend(vec![0; usize::from(format.continuation)]);
        return tlv(26, &[body, value].concat());
    }
    let flags: &[u8] = match dictionary.get(Space::Vendor(0), definition.path[0])?.kind {
        DataType::Extended => &[],
        DataType::LongExtended => &[0],
        _ => return inner(&definition.path),
    };
    let (top, extended) = (definition.path[0], u8::try_from(*definition.path.get(1)?).ok()?);
    let body = match definition.path[2..] {
        // In a vendor's space: vendor, type, value.
        [vendor, number, ref rest @ ..] if extended == 26 => {
            [vendor.to_be_bytes().as_slice(), &[u8::try_from(number).ok()?], &inner(rest)?].concat()
        }
        ref rest => inner(rest)?,
    };
    tlv(top, &[&[extended], flags, &body].concat())
}

#[test]
fn what_we_print_is_taken_apart_into_packets_and_attributes() {
    let packet = wire::packet(1, 7, [9; 16], &wire::attributes(&[(1, b"bob")]));
    let text = decode_stdin(&wire::pcap(&[wire::ethernet(&wire::udp(CLIENT, SERVER, &packet))]), &[]).stdout;
    let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let attributes =
        vec![attribute("Authenticator-Field", "0x09090909090909090909090909090909"), attribute("User-Name", "\"bob\"")];
    assert_eq!(ours(&text), [Printed { head: "Access-Request id 7".to_owned(), attributes }]);
}
