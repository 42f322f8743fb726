//! Every attribute of FreeRADIUS's own dictionaries, sent to a real FreeRADIUS: what it prints is what we decode.
//! It must be installed; `tests/run` sees to that.

mod support;

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::Path;

use radhook::radius::dictionary::{DataType, Definition, Loader, Space, VendorFormat};
use radhook::radius::{Dictionary, Packet, Value, decode, numbers};
use support::debugged::{DICTIONARIES, Debugged, quoted};

/// FreeRADIUS refuses packets with more attributes than 200.
const MAX_ATTRIBUTES: usize = 150;

/// A FreeRADIUS that accepts everybody and prints what it gets.
struct FreeRadius {
    server: Debugged,
    socket: UdpSocket,
}

impl FreeRadius {
    fn start() -> Self {
        let server = Debugged::start(|port| {
            format!(
                "thread pool {{\n start_servers = 1\n max_servers = 1\n}}\n\
                 server default {{\n listen {{\n type = auth\n ipaddr = 127.0.0.1\n port = {port}\n }}\n\
                 authorize {{\n update control {{\n &Auth-Type := Accept\n }}\n }}\n authenticate {{\n }}\n}}\n"
            )
        });
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", server.port())).unwrap();
        Self { server, socket }
    }

    /// Sends a packet and answers with the attributes that it prints: names and values.
    fn prints(&self, packet: &[u8]) -> Vec<(String, String)> {
        self.socket.send(packet).unwrap();
        self.server.lines_until("Received Access-Request");
        let lines = self.server.lines_until("# Executing section authorize");
        let attribute = |line: &String| {
            let (_, line) = line.split_once(")   ")?;
            let (name, value) = line.split_once(" = ")?;
            Some((name.to_string(), value.to_string()))
        };
        lines.iter().filter_map(attribute).collect()
    }
}

/// A value as FreeRADIUS prints it, or nothing where it prints it in a way of its own: dates as local time.
fn printed(kind: Option<DataType>, value: &Value) -> Option<String> {
    Some(match value {
        // Not UTF-8: our own way to write it.
        Value::Text(text) if text.contains("\\x") => return None,
        Value::Text(text) if kind == Some(DataType::InterfaceId) => text.to_string(),
        Value::Text(text) => quoted(text),
        Value::Octets(octets) => octets.iter().fold(String::from("0x"), |mut hex, octet| {
            write!(hex, "{octet:02x}").unwrap();
            hex
        }),
        Value::Integer(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Named { name, .. } => name.to_string(),
        Value::Address(address) => address.to_string(),
        Value::Prefix(prefix) => prefix.to_string(),
        Value::Ether(octets) => octets.map(|octet| format!("{octet:02x}")).join(":"),
        Value::Date(_) | Value::Redacted => return None,
    })
}

/// Octets of a value of this type, different from attribute to attribute.
fn example(kind: DataType, seed: usize) -> Option<Vec<u8>> {
    let octet = |at: usize| (seed * 7 + at * 31) as u8;
    let some = |count: usize| (0..count).map(octet).collect::<Vec<_>>();
    Some(match kind {
        DataType::Text => format!("text {seed} \\ \"é\"").into_bytes(),
        DataType::Octets(None) => some(1 + seed % 9),
        DataType::Octets(Some(count)) => some(count.into()),
        DataType::Byte => vec![(seed % 12) as u8],
        DataType::Short => vec![0, (seed % 12) as u8],
        DataType::Integer | DataType::Date => vec![0, 0, 0, (seed % 24) as u8],
        DataType::Integer64 | DataType::InterfaceId => some(8),
        DataType::Signed => vec![0xff, 0xff, 0xff, octet(0)],
        DataType::Ipv4Address => some(4),
        DataType::Ipv6Address => [&[0x20, 1, 0xd, 0xb8], some(12).as_slice()].concat(),
        DataType::ComboIp => some(4),
        DataType::Ipv4Prefix => vec![0, 24, 10, octet(0), octet(1), 0],
        DataType::Ipv6Prefix => vec![0, 48, 0x20, 1, 0xd, 0xb8, octet(0), octet(1)],
        DataType::Ether => some(6),
        // A packet filter: from an address, TCP, to a port below another.
        DataType::AscendBinary => {
            let mut filter =
                vec![1, octet(0), octet(1), 0, 10, 1, 2, octet(2), 0, 0, 0, 0, 24, 0, 6, 0, 0, 0, 3, 255, 0, 1];
            filter.resize(32, 0);
            filter
        }
        DataType::Tlv
        | DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => return None,
    })
}

/// An attribute around a value, as its place in the dictionary asks for.
fn encode(definition: &Definition, dictionary: &Dictionary, mut value: Vec<u8>) -> Option<Vec<u8>> {
    let mut path = definition.path.to_vec();
    let tlv = |number: u32, value: Vec<u8>| -> Option<Vec<u8>> {
        let length = u8::try_from(value.len() + 2).ok()?;
        Some([&[u8::try_from(number).ok()?, length], value.as_slice()].concat())
    };
    let vendor = definition.id.vendor;
    if vendor != 0 {
        while path.len() > 1 {
            value = tlv(path.pop()?, value)?;
        }
        let VendorFormat { type_octets, length_octets, continuation } = dictionary.vendor_format(vendor);
        let number = path[0].to_be_bytes();
        let mut inner = number[4 - usize::from(type_octets)..].to_vec();
        let header = usize::from(type_octets + length_octets) + usize::from(continuation);
        let length = u32::try_from(header + value.len()).ok()?.to_be_bytes();
        inner.extend(&length[4 - usize::from(length_octets)..]);
        inner.extend([0].iter().take(usize::from(continuation)));
        inner.extend(value);
        return tlv(26, [vendor.to_be_bytes().as_slice(), &inner].concat());
    }
    let top = dictionary.get(Space::Vendor(0), path[0])?;
    let first = match top.kind {
        DataType::Extended | DataType::LongExtended => 2,
        _ => 1,
    };
    // [245, 26, vendor, type, …]
    let extended_vendor = first == 2 && path.get(1) == Some(&26) && path.len() >= 4;
    let stop = if extended_vendor { 4 } else { first };
    while path.len() > stop {
        value = tlv(path.pop()?, value)?;
    }
    if extended_vendor {
        let number = u8::try_from(path.pop()?).ok()?;
        value = [path.pop()?.to_be_bytes().as_slice(), &[number], &value].concat();
    }
    if first == 2 {
        let number = u8::try_from(path.pop()?).ok()?;
        let flags: &[u8] = if top.kind == DataType::LongExtended { &[0] } else { &[] };
        value = [&[number], flags, &value].concat();
    }
    tlv(path[0], value)
}

fn packet(identifier: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    [&[1, identifier, length[0], length[1]], [identifier; 16].as_slice(), attributes].concat()
}

/// Compares what both make of attributes, some at a time.
fn compare(dictionary: &Dictionary, attributes: impl Iterator<Item = Vec<u8>>) -> usize {
    let server = FreeRadius::start();
    let mut attributes = attributes.peekable();
    let mut compared = 0;
    let mut identifier = 0_u8;
    while attributes.peek().is_some() {
        let mut octets = vec![1, 5, b'b', b'o', b'b'];
        let mut count = 0;
        while let Some(attribute) =
            attributes.next_if(|attribute| count < MAX_ATTRIBUTES && octets.len() + attribute.len() < 4000)
        {
            octets.extend(attribute);
            count += 1;
        }
        identifier = identifier.wrapping_add(1);
        let bytes = packet(identifier, &octets);
        let theirs = server.prints(&bytes);
        let ours = decode(&Packet::parse(&bytes).unwrap(), dictionary);
        for (at, (ours, (name, value))) in ours.iter().zip(&theirs).enumerate() {
            // FreeRADIUS tries to decrypt these, and calls them by their numbers when it fails.
            if ours.value == Value::Redacted {
                continue;
            }
            assert_eq!(&*ours.name, name, "{value} is attribute {at} of the packet");
            if let Some(printed) = printed(dictionary.by_name(name).map(|definition| definition.kind), &ours.value) {
                assert_eq!(printed, *value, "{name}");
            }
            compared += 1;
        }
        assert_eq!(ours.len(), theirs.len(), "they end with {:?}", theirs.last());
    }
    compared
}

fn dictionary() -> Dictionary {
    let mut loader = Loader::empty();
    let loaded = loader.file(&Path::new(DICTIONARIES).join("dictionary"));
    loaded.unwrap_or_else(|error| panic!("{error}; tests/run installs what is missing"));
    loader.finish().0
}

/// What both can be asked for: not internal, and not encrypted, which FreeRADIUS decrypts and we hide. And not inside
/// a TLV of the RFC space: FreeRADIUS 3.2.1 does not find the names there (RFC 6930: `Attr-173.1`), and we do.
fn leaves(dictionary: &Dictionary) -> impl Iterator<Item = (usize, &Definition)> {
    dictionary.iter().enumerate().filter(|(_, definition)| {
        let top = dictionary.get(Space::Vendor(0), definition.path[0]);
        let in_tlv = definition.id.vendor == 0 && top.is_some_and(|top| top.kind == DataType::Tlv);
        !in_tlv
            && !definition.flags.internal
            && !definition.flags.is_sensitive()
            && !numbers::is_sensitive(definition.id)
    })
}

#[test]
fn every_attribute_is_named_and_read_as_freeradius_does() {
    let dictionary = dictionary();
    let attributes = leaves(&dictionary)
        .filter_map(|(seed, definition)| encode(definition, &dictionary, example(definition.kind, seed)?));
    let compared = compare(&dictionary, attributes);
    assert!(compared > 6000, "{compared} attributes compared");
}

#[test]
fn every_value_of_a_wrong_size_is_shown_as_freeradius_does() {
    let dictionary = dictionary();
    let attributes = leaves(&dictionary).filter_map(|(seed, definition)| {
        let mut value = example(definition.kind, seed)?;
        value.truncate(value.len() - 1);
        value.extend([1; 3]);
        encode(definition, &dictionary, value)
    });
    let compared = compare(&dictionary, attributes);
    assert!(compared > 6000, "{compared} attributes compared");
}

/// Nested attributes at random, most of them broken somewhere.
fn broken(seed: &mut u64) -> Vec<u8> {
    let mut next = |limit: u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % limit
    };
    // Cisco, MikroTik, WISPr, 3GPP, nobody's, WiMAX, Telrad, USR, Starent, Alcatel-ESAM, Lucent.
    let vendors = [9_u32, 14988, 14122, 10415, 99999, 24757, 5323, 429, 8164, 637, 4846, 1 << 24];
    let mut body = Vec::new();
    let number = match next(3) {
        0 => 241 + next(6) as u8,
        _ => {
            body.extend(vendors[next(vendors.len() as u64) as usize].to_be_bytes());
            26
        }
    };
    if number > 26 {
        body.push([1, 2, 26, 26, 99][next(5) as usize]);
        if number >= 245 {
            body.push(0);
        }
        if body[0] == 26 {
            body.extend([9_u32, 11344, 1, 1 << 24][next(4) as usize].to_be_bytes());
            body.push(next(4) as u8);
        }
    }
    let octets = next(3) + next(14);
    for at in 0..octets {
        // Small numbers look like types and lengths, the right length most of all.
        body.push(match next(4) {
            0 => 0,
            1 => next(8) as u8,
            2 => (octets - at + next(2)) as u8,
            _ => next(256) as u8,
        });
    }
    [&[number, body.len() as u8 + 2], body.as_slice()].concat()
}

#[test]
fn what_is_broken_inside_is_shown_as_freeradius_does() {
    let dictionary = dictionary();
    let mut seed = 1;
    let attributes = (0..10_000).map(|_| broken(&mut seed));
    let compared = compare(&dictionary, attributes);
    assert!(compared > 6000, "{compared} attributes compared");
}
