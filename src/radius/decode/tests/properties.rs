//! What holds of every packet.

use proptest::prelude::*;

use super::*;

/// Packets with a little of everything.
fn samples() -> Vec<Vec<u8>> {
    let plain = sample::attributes(&[
        (1, b"alice@example.org"),
        (2, &[9; 16]),
        (4, &[10, 0, 0, 1]),
        (26, &vendor(9, b"\x01\x05a=b\x02\x05xyz")),
        (26, &vendor(311, &[16, 6, 1, 2, 3, 4])),
        (40, &[0, 0, 0, 1]),
        (55, &[0x65, 0, 0, 0]),
        (64, &[1, 0, 0, 3]),
        (79, &[1; 40]),
        (80, &[1; 16]),
        (97, &[0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0]),
    ]);
    let nested = [
        // Rules in two attributes, a packet filter, a secret in a text.
        "5c 06 61 00 62 63 5c 05 64 00 65 01 05 62 6f 62",
        "1a 28 00000211 f2 22 01 01 01 00 01020304 0a0b0c0d 05 20 06 00 0005 04d2 02 02 000000000000 00000000",
        "04 06 0a000001 1a 0d 00000009 01 07 70 73 6b 3d 78",
        // TLVs, and a WiMAX attribute of two fragments.
        "ad 0e 01 06 00000018 03 06 0a000001 1a 0e 000060b5 01 08 80 01 05 312e30 1a 0c 000060b5 01 06 00 02 03 00",
        // Extended: a value, fragments, a vendor.
        "f1 07 01 00000005 f5 06 63 80 01 02 f5 06 63 00 03 04 f6 0b 1a 00 00007ed9 07 abcd",
    ];
    vec![
        sample::rfc2865_7_1_request(),
        sample::rfc2865_7_1_accept(),
        sample::rfc2865_7_2_request(),
        sample::rfc2865_7_2_accept(),
        sample::rfc5997_6_1_request(),
        sample::packet(4, 1, &plain),
        sample::packet(4, 1, &sample::hex(&nested.concat())),
    ]
}

/// The attributes of a packet, cut where the number changes: only neighbours of one number can mean something together.
fn runs(octets: &[u8]) -> Vec<Vec<u8>> {
    let packet = Packet::parse(octets).unwrap();
    let raw: Vec<_> = packet.attributes().collect();
    let run =
        |run: &[RawAttribute]| run.iter().flat_map(|raw| sample::attributes(&[(raw.number, raw.value)])).collect();
    raw.chunk_by(|one, next| one.number == next.number).map(run).collect()
}

/// What attributes say, alone in a packet.
fn said(octets: &[u8]) -> Vec<Attribute> {
    let bytes = sample::packet(4, 1, octets);
    let attributes = decode(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
    attributes.iter().cloned().collect()
}

#[test]
fn a_sample_cut_off_anywhere_is_refused_or_decoded_in_part() {
    for whole in samples() {
        for length in 0..whole.len() {
            let mut cut = whole[..length].to_vec();
            assert!(Packet::parse(&cut).is_err(), "the length field still names {} octets", whole.len());
            if length < 20 {
                continue;
            }
            cut[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            if Packet::parse(&cut).is_ok() {
                // Of the last run a part may be missing.
                let runs = runs(&cut);
                let before = said(&runs[..runs.len().saturating_sub(1)].concat());
                assert_eq!(said(&cut[20..])[..before.len()], before);
            }
        }
    }
}

#[test]
fn a_value_cut_off_anywhere_changes_only_what_it_belongs_to() {
    for whole in samples() {
        let runs = runs(&whole);
        for (at, run) in runs.iter().enumerate() {
            let (before, after) = (runs[..at].concat(), runs[at + 1..].concat());
            let bytes = sample::packet(4, 1, run);
            let raw: Vec<_> = Packet::parse(&bytes).unwrap().attributes().map(|raw| (raw.number, raw.value)).collect();
            for (which, (number, value)) in raw.iter().enumerate() {
                for length in 0..value.len() {
                    let mut cut = raw.clone();
                    cut[which] = (*number, &value[..length]);
                    let found = said(&[before.clone(), sample::attributes(&cut), after.clone()].concat());
                    let (before, after) = (said(&before), said(&after));
                    assert_eq!(found[..before.len()], before);
                    assert_eq!(found[found.len() - after.len()..], after);
                }
            }
        }
    }
}

#[test]
fn a_changed_octet_changes_nothing_before_it_and_in_a_value_nothing_behind_it() {
    for whole in samples() {
        let runs = runs(&whole);
        let mut begin = 20;
        for (at, run) in runs.iter().enumerate() {
            let (before, after) = (said(&runs[..at].concat()), said(&runs[at + 1..].concat()));
            // Types and lengths.
            let packet = sample::packet(4, 1, run);
            let headers: Vec<_> = Packet::parse(&packet)
                .unwrap()
                .attributes()
                .flat_map(|raw| [raw.offset - 20, raw.offset - 19])
                .collect();
            for position in 0..run.len() {
                for bit in 0..8 {
                    let mut changed = whole.clone();
                    changed[begin + position] ^= 1 << bit;
                    let Ok(packet) = Packet::parse(&changed) else { continue };
                    let found: Vec<_> = decode(&packet, &Dictionary::shipped()).iter().cloned().collect();
                    // A number that becomes that of the run before belongs to it.
                    if at == 0 || changed[begin] != runs[at - 1][0] {
                        assert_eq!(found[..before.len()], before, "octet {position} of {run:x?}");
                    }
                    if !headers.contains(&position) {
                        assert_eq!(found[found.len() - after.len()..], after, "octet {position} of {run:x?}");
                    }
                }
            }
            begin += run.len();
        }
    }
}

/// The types that hold a value, as dictionaries name them.
const TYPES: [&str; 14] = [
    "string",
    "octets",
    "byte",
    "short",
    "integer",
    "integer64",
    "signed",
    "date",
    "ipaddr",
    "ipv6addr",
    "ifid",
    "ether",
    "ipv4prefix",
    "ipv6prefix",
];

/// Some value of one of the types, and its octets as RFC 8044 §3 writes them.
fn value_of(kind: &'static str) -> BoxedStrategy<(Value, Vec<u8>)> {
    use std::net::{Ipv4Addr, Ipv6Addr};
    match kind {
        "string" => {
            "[a-zA-Z0-9é @.]{1,40}".prop_map(|text| (Value::Text(text.as_str().into()), text.into_bytes())).boxed()
        }
        "octets" => proptest::collection::vec(any::<u8>(), 1..40)
            .prop_map(|octets| (Value::Octets(octets.as_slice().into()), octets))
            .boxed(),
        "byte" => any::<u8>().prop_map(|number| (Value::Integer(number.into()), vec![number])).boxed(),
        "short" => {
            any::<u16>().prop_map(|number| (Value::Integer(number.into()), number.to_be_bytes().to_vec())).boxed()
        }
        "integer" => {
            any::<u32>().prop_map(|number| (Value::Integer(number.into()), number.to_be_bytes().to_vec())).boxed()
        }
        "integer64" => any::<u64>().prop_map(|number| (Value::Integer(number), number.to_be_bytes().to_vec())).boxed(),
        "signed" => {
            any::<i32>().prop_map(|number| (Value::Signed(number.into()), number.to_be_bytes().to_vec())).boxed()
        }
        "date" => any::<u32>().prop_map(|seconds| (Value::Date(seconds), seconds.to_be_bytes().to_vec())).boxed(),
        "ipaddr" => any::<[u8; 4]>().prop_map(|octets| (Value::Address(octets.into()), octets.to_vec())).boxed(),
        "ipv6addr" => any::<[u8; 16]>().prop_map(|octets| (Value::Address(octets.into()), octets.to_vec())).boxed(),
        "ether" => any::<[u8; 6]>().prop_map(|octets| (Value::Ether(octets), octets.to_vec())).boxed(),
        "ifid" => any::<[u16; 4]>()
            .prop_map(|groups| {
                let text = groups.map(|group| format!("{group:x}")).join(":");
                (Value::Text(text.into()), groups.map(u16::to_be_bytes).concat())
            })
            .boxed(),
        "ipv4prefix" => (0..=32_u8, any::<[u8; 4]>())
            .prop_map(|(length, octets)| {
                let net = ipnet::Ipv4Net::new(Ipv4Addr::from(octets), length).unwrap();
                (Value::Prefix(net.into()), [[0, length].as_slice(), &octets].concat())
            })
            .boxed(),
        "ipv6prefix" => (0..=128_u8, any::<[u8; 16]>())
            .prop_map(|(length, octets)| {
                let net = ipnet::Ipv6Net::new(Ipv6Addr::from(octets), length).unwrap();
                (Value::Prefix(net.into()), [[0, length].as_slice(), &octets].concat())
            })
            .boxed(),
        other => panic!("{other} holds no value"),
    }
}

type Write = fn(u8, &[u8]) -> Vec<u8>;

/// Where an attribute can stand, and how it is written there with the number of its type.
const PLACES: [(&str, Write); 7] = [
    ("top", |number, value| tlv(200 + number, value)),
    ("vendor", |number, value| tlv(26, &vendor(32473, &tlv(number, value)))),
    ("wide", |number, value| {
        let length = value.len() as u8 + 4;
        tlv(26, &vendor(99002, &[&[2, number, 0, length], value].concat()))
    }),
    ("flagged", |number, value| {
        let length = value.len() as u8 + 3;
        tlv(26, &vendor(99004, &[&[number, length, 0], value].concat()))
    }),
    ("tlv", |number, value| tlv(26, &vendor(32473, &tlv(100, &tlv(number, value))))),
    ("extended", |number, value| tlv(241, &[&[number], value].concat())),
    ("long", |number, value| tlv(245, &[&[number, 0], value].concat())),
];

fn tlv(number: u8, value: &[u8]) -> Vec<u8> {
    sample::attributes(&[(number, value)])
}

/// A dictionary with every type at every place.
fn dictionary_of_places() -> Arc<Dictionary> {
    let mut lines = String::from(
        "ATTRIBUTE Ext-1 241 extended\nATTRIBUTE Ext-5 245 long-extended\nVENDOR Plain 32473\n\
         VENDOR Wide 99002 format=2,2\nVENDOR Flagged 99004 format=1,1,c\n\
         BEGIN-VENDOR Plain\nATTRIBUTE Plain-TLV 100 tlv\nEND-VENDOR Plain\n",
    );
    for (at, kind) in (1..).zip(TYPES) {
        let (top, wide) = (200 + at, 512 + at);
        lines += &format!(
            "ATTRIBUTE top-{kind} {top} {kind}\nATTRIBUTE extended-{kind} 241.{at} {kind}\n\
             ATTRIBUTE long-{kind} 245.{at} {kind}\n\
             BEGIN-VENDOR Plain\nATTRIBUTE vendor-{kind} {at} {kind}\nATTRIBUTE tlv-{kind} 100.{at} {kind}\n\
             END-VENDOR Plain\nBEGIN-VENDOR Wide\nATTRIBUTE wide-{kind} {wide} {kind}\nEND-VENDOR Wide\n\
             BEGIN-VENDOR Flagged\nATTRIBUTE flagged-{kind} {at} {kind}\nEND-VENDOR Flagged\n"
        );
    }
    let mut loader = Loader::empty();
    loader.text("test", &lines).unwrap();
    let (dictionary, warnings) = loader.finish();
    assert_eq!(warnings, []);
    Arc::new(dictionary)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_whatever_its_type_and_wherever_it_stands(
        written in proptest::collection::vec(
            (0..PLACES.len(), 0..TYPES.len()).prop_flat_map(|(place, kind)| {
                value_of(TYPES[kind]).prop_map(move |(value, octets)| (place, kind, value, octets))
            }),
            1..20,
        ),
    ) {
        let mut octets = Vec::new();
        let mut expected = Vec::new();
        for (place, kind, value, own) in written {
            let (name, write) = PLACES[place];
            octets.extend(write(u8::try_from(kind + 1).unwrap(), &own));
            expected.push((format!("{name}-{}", TYPES[kind]), value));
        }
        let bytes = sample::packet(4, 1, &octets);
        let packet = Packet::parse(&bytes).unwrap();
        static DICTIONARY: std::sync::LazyLock<Arc<Dictionary>> = std::sync::LazyLock::new(dictionary_of_places);
        let found: Vec<_> = decode(&packet, &DICTIONARY)
            .iter()
            .map(|attribute| (attribute.name.to_string(), attribute.value.clone()))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_octets_are_refused_or_decoded(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(packet) = Packet::parse(&octets) {
            decode(&packet, &Dictionary::shipped());
        }
        let bytes = sample::packet(4, 1, &octets);
        if let Ok(packet) = Packet::parse(&bytes) {
            let walked: usize = packet.attributes().map(|attribute| attribute.value.len() + 2).sum();
            prop_assert_eq!(walked, octets.len());
            decode(&packet, &Dictionary::shipped());
        }
    }

    #[test]
    fn one_changed_octet_changes_at_most_what_it_belongs_to(
        at in 0..7usize,
        position in any::<proptest::sample::Index>(),
        octet: u8,
    ) {
        let original = samples().swap_remove(at);
        let mut changed = original.clone();
        changed[position.index(original.len())] = octet;
        if let Ok(packet) = Packet::parse(&changed) {
            decode(&packet, &Dictionary::shipped());
            let theirs = radius::core::packet::Packet::decode(&changed, sample::SECRET);
            prop_assert!(theirs.is_ok(), "the radius crate refuses what we take: {:?}", theirs.err());
        } else {
            prop_assert!(radius::core::packet::Packet::decode(&changed, sample::SECRET).is_err());
        }
    }

    #[test]
    fn the_radius_crate_reads_the_same_values(name in "[a-zA-Z0-9@.]{1,60}", port: u32, address: [u8; 4], class in proptest::collection::vec(any::<u8>(), 1..253)) {
        use radius::core::{rfc2865, rfc2866};
        let mut request = radius::core::packet::Packet::new(radius::core::code::Code::AccountingRequest, sample::SECRET);
        rfc2865::add_user_name(&mut request, &name);
        rfc2865::add_nas_port(&mut request, port);
        rfc2865::add_nas_ip_address(&mut request, &address.into());
        rfc2865::add_class(&mut request, &class);
        rfc2866::add_acct_status_type(&mut request, rfc2866::ACCT_STATUS_TYPE_STOP);
        let bytes = request.encode().unwrap();
        let packet = Packet::parse(&bytes).unwrap();
        let ours = decode(&packet, &Dictionary::shipped());
        let values: Vec<_> = ours.iter().map(|attribute| attribute.value.clone()).collect();
        prop_assert_eq!(values, vec![
            Value::Text(name.into()),
            Value::Integer(port.into()),
            Value::Address(std::net::Ipv4Addr::from(address).into()),
            Value::Octets(class.into()),
            Value::Named { number: 2, name: "Stop".into() },
        ]);
    }
}
