use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::radius::dictionary::Loader;
use crate::radius::sample;

fn shown_by(dictionary: &Dictionary, octets: &[u8]) -> Json {
    let bytes = sample::packet(4, 1, octets);
    serde_json::to_value(decode(&Packet::parse(&bytes).unwrap(), dictionary)).unwrap()
}

fn shown(pairs: &[(u8, &[u8])]) -> Json {
    shown_by(&Dictionary::shipped(), &sample::attributes(pairs))
}

/// The shipped dictionary and a few lines more.
fn with(lines: &str) -> Arc<Dictionary> {
    let mut loader = Loader::on(&Dictionary::shipped());
    loader.text("test", lines).unwrap();
    let (dictionary, warnings) = loader.finish();
    assert_eq!(warnings, []);
    Arc::new(dictionary)
}

fn vendor(vendor: u32, inside: &[u8]) -> Vec<u8> {
    [vendor.to_be_bytes().as_slice(), inside].concat()
}

#[test]
fn an_accounting_request_is_decoded_by_name() {
    assert_eq!(
        shown(&[
            (1, b"alice@example.org"),
            (40, &[0, 0, 0, 1]),
            (4, &[10, 0, 0, 1]),
            (5, &[0, 0, 0, 7]),
            (61, &[0, 0, 0, 19]),
            (55, &[0x65, 0, 0, 0]),
            (97, &[0, 64, 0x20, 1, 0xd, 0xb8, 0, 1, 0, 0]),
            (95, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            (25, &[1, 2]),
            (25, &[3]),
        ]),
        json!({
            "User-Name": "alice@example.org", "Acct-Status-Type": "Start", "NAS-IP-Address": "10.0.0.1", "NAS-Port": 7,
            "NAS-Port-Type": "Wireless-802.11", "Event-Timestamp": "2023-09-12T06:06:56.000Z",
            "Framed-IPv6-Prefix": "2001:db8:1::/64", "NAS-IPv6-Address": "2001:db8::1", "Class": ["0x0102", "0x03"],
        })
    );
}

#[test]
fn a_number_without_a_name_stays_a_number_and_keeps_its_value() {
    let bytes = sample::packet(4, 1, &sample::attributes(&[(40, &[0, 0, 0, 99]), (40, &[0, 0, 0, 3])]));
    let attributes = decode(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
    let values: Vec<_> = attributes.iter().map(|attribute| attribute.value.clone()).collect();
    assert_eq!(values, [Value::Integer(99), Value::Named { number: 3, name: "Interim-Update".into() }]);
}

#[test]
fn unknown_attributes_and_values_of_a_wrong_size_are_octets_under_their_numbers() {
    assert_eq!(
        shown(&[(192, b"x"), (4, &[0xab, 0xcd]), (1, b"bob")]),
        json!({"Attr-192": "0x78", "Attr-4": "0xabcd", "User-Name": "bob"})
    );
}

#[test]
fn an_attribute_without_a_value_is_left_out_unless_it_may_be_empty() {
    assert_eq!(
        shown(&[(18, b""), (26, b""), (26, &vendor(9, &[1, 2])), (89, b""), (1, b"bob")]),
        json!({"Chargeable-User-Identity": "0x", "User-Name": "bob"})
    );
}

#[test]
fn rfc2868_3_tags_are_part_of_the_name() {
    assert_eq!(
        shown(&[
            (64, &[0, 0, 0, 3]),
            (64, &[1, 0, 0, 3]),
            (64, &[0x20, 0, 0, 3]),
            (81, b"\x0220"),
            (81, b"20"),
            (65, &[1, 0, 6]),
            (82, b"\x01"),
        ]),
        json!({
            "Tunnel-Type:0": ["L2TP", 0x2000_0003],
            "Tunnel-Type:1": "L2TP",
            "Tunnel-Private-Group-Id:2": "20",
            "Tunnel-Private-Group-Id:0": "20",
            "Attr-65": "0x010006",
            "Tunnel-Assignment-Id:0": "\u{1}",
        })
    );
}

#[test]
fn passwords_keys_and_eap_are_redacted_even_where_they_are_broken() {
    let dictionary = with("VENDOR Microsoft 311\nVENDOR Example 32473\nATTRIBUTE Ex-Key 1 string Example secret\n");
    let octets = sample::attributes(&[
        (2, b"0123456789abcdef"),
        (2, b"x"),
        (3, &[7; 17]),
        (60, &[7; 16]),
        (69, &[1, 0x80, 0, 1]),
        (79, &[2, 0, 0, 4]),
        (80, &[1; 16]),
        (26, &vendor(311, &[16, 6, 1, 2, 3, 4])),
        (26, &vendor(311, &[25, 60, 1, 2])),
        (26, &vendor(32473, &[1, 3, b's'])),
        (26, &vendor(32473, &[1, 9, b's'])),
    ]);
    let bytes = sample::packet(1, 1, &octets);
    let packet = Packet::parse(&bytes).unwrap();
    for dictionary in [&*dictionary, &*with("VENDOR Example 32473\nATTRIBUTE Ex-Key 1 string Example encrypt=2")] {
        let attributes = decode(&packet, dictionary);
        assert_eq!(attributes.len(), 11);
        for attribute in attributes.iter() {
            assert_eq!(attribute.value, Value::Redacted, "{}", attribute.name);
        }
        assert_eq!(serde_json::to_string(&attributes).unwrap(), "{}");
    }
    let nothing = decode(&packet, &Dictionary::default());
    assert_eq!(nothing.iter().filter(|attribute| attribute.value == Value::Redacted).count(), 9);
}

#[test]
fn adjacent_eap_messages_are_one() {
    let bytes = sample::packet(1, 1, &sample::attributes(&[(79, &[1; 253]), (79, &[1; 3]), (1, b"bob"), (79, &[1])]));
    let attributes = decode(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
    let names: Vec<_> = attributes.iter().map(|attribute| &*attribute.name).collect();
    assert_eq!(names, ["EAP-Message", "User-Name", "EAP-Message"]);
}

#[test]
fn vendors_attributes_are_named_and_several_may_stand_in_one() {
    let dictionary = with(
        "VENDOR Example 32473\nBEGIN-VENDOR Example\nATTRIBUTE Ex-Pair 1 string\nATTRIBUTE Ex-Port 2 string\n\
         END-VENDOR Example\n",
    );
    let octets = sample::attributes(&[
        (26, &vendor(32473, b"\x01\x05a=b\x02\x05xyz")),
        (26, &vendor(32473, b"\x01\x05c=d")),
        (26, &vendor(32473, b"\xfa\x05abc")),
        (26, &vendor(99999, b"\x01\x05abc")),
    ]);
    assert_eq!(
        shown_by(&dictionary, &octets),
        json!({
            "Ex-Pair": ["a=b", "c=d"], "Ex-Port": "xyz", "Attr-26.32473.250": "0x616263",
            "Attr-26.99999.1": "0x616263",
        })
    );
}

#[test]
fn a_broken_vendor_specific_is_shown_whole_and_the_others_stay() {
    assert_eq!(
        shown(&[
            (26, &vendor(32473, b"\x01\x09abc")),
            (26, &vendor(32473, b"\x01\x05abc\x02\x01")),
            (26, &vendor(32473, b"")),
            (26, b"abc"),
            (26, &[1, 0, 0, 9, 1, 3, 0]),
            (1, b"bob"),
        ]),
        json!({
            "Attr-26": ["0x00007ed90109616263", "0x00007ed901056162630201", "0x00007ed9", "0x616263", "0x01000009010300"],
            "User-Name": "bob",
        })
    );
}

#[test]
fn vendors_formats_are_read() {
    let dictionary = with(
        "VENDOR Two 99001 format=2,1\nBEGIN-VENDOR Two\nATTRIBUTE Two-A 258 string\nEND-VENDOR Two\n\
         VENDOR Both 99002 format=2,2\nBEGIN-VENDOR Both\nATTRIBUTE Both-A 3 integer\nEND-VENDOR Both\n\
         VENDOR Four 99003 format=4,0\nBEGIN-VENDOR Four\nATTRIBUTE Four-A 0x9001 string\nEND-VENDOR Four\n",
    );
    let octets = sample::attributes(&[
        (26, &vendor(99001, b"\x01\x02\x06abc\x01\x02\x04d")),
        (26, &vendor(99002, &[0, 3, 0, 8, 0, 0, 0, 5])),
        (26, &vendor(99003, b"\0\0\x90\x01hello")),
    ]);
    assert_eq!(shown_by(&dictionary, &octets), json!({"Two-A": ["abc", "d"], "Both-A": 5, "Four-A": "hello"}));
    let broken = sample::attributes(&[
        (26, &vendor(99002, &[0, 3, 1, 7, 0, 0, 0])),
        (26, &vendor(99002, &[0, 0, 0, 5, 1])),
        (26, &vendor(99003, &[1, 0, 0, 1, 1])),
        (26, &vendor(99003, &[0, 0, 1])),
    ]);
    assert_eq!(
        shown_by(&dictionary, &broken),
        json!({"Attr-26": ["0x000182ba00030107000000", "0x000182ba0000000501", "0x000182bb0100000101", "0x000182bb000001"]})
    );
}

#[test]
fn tlvs_are_walked_into() {
    let dictionary = with(
        "VENDOR Example 32473\nBEGIN-VENDOR Example\nATTRIBUTE Ex-Outer 1 tlv\nATTRIBUTE Ex-Inner 1.2 tlv\n\
         ATTRIBUTE Ex-Leaf 1.2.3 integer\nEND-VENDOR Example\n",
    );
    let octets = sample::attributes(&[
        (26, &vendor(32473, &[1, 13, 2, 8, 3, 6, 0, 0, 0, 5, 9, 3, 1])),
        (26, &vendor(32473, &[1, 5, 2, 9, 0])),
    ]);
    assert_eq!(
        shown_by(&dictionary, &octets),
        json!({"Ex-Leaf": 5, "Attr-26.32473.1.9": "0x01", "Attr-26.32473.1": "0x020900"})
    );
}

/// Attributes in hex, decoded by a dictionary with everything that nests.
fn nested(octets: &str) -> Json {
    let dictionary = with(
        "ATTRIBUTE Ext-1 241 extended\nATTRIBUTE Ext-1-EVS 241.26 evs\nATTRIBUTE Ext-1-Text 241.1 string\n\
         ATTRIBUTE Ext-1-TLV 241.2 tlv\nATTRIBUTE Ext-1-TLV-Number 241.2.1 integer\n\
         ATTRIBUTE Ext-5 245 long-extended\nATTRIBUTE Ext-5-EVS 245.26 evs\nATTRIBUTE Ext-5-Number 245.1 integer\n\
         VENDOR Example 11344\nBEGIN-VENDOR Example format=Ext-5-EVS\nATTRIBUTE Example-Number 1 integer\n\
         END-VENDOR Example\n\
         VENDOR Wide 99004 format=1,1,c\nBEGIN-VENDOR Wide\nATTRIBUTE Wide-Capability 1 tlv\n\
         ATTRIBUTE Wide-Release 1.1 string\nATTRIBUTE Wide-Accounting 1.2 byte\nATTRIBUTE Wide-Mode 2 byte\n\
         END-VENDOR Wide\n",
    );
    shown_by(&dictionary, &sample::hex(octets))
}

#[test]
fn rfc6929_2_1_extended_attributes_hold_values_tlvs_and_vendors() {
    assert_eq!(nested("f1 06 01 62 6f 62"), json!({"Ext-1-Text": "bob"}));
    assert_eq!(
        nested("f1 0d 02 01 06 00 00 00 01 07 04 ab cd"),
        json!({"Ext-1-TLV-Number": 1, "Attr-241.2.7": "0xabcd"})
    );
    assert_eq!(nested("f1 0c 1a 00 00 00 01 04 74 65 73 74"), json!({"Attr-241.26.1.4": "0x74657374"}));
}

#[test]
fn a_broken_extended_attribute_is_shown_as_freeradius_shows_it() {
    for (octets, expected) in [
        ("f1 03 01", json!({"Attr-241": "0x01"})),
        ("f1 04 63 01", json!({"Attr-241": "0x6301"})),
        ("f1 06 1a 00 00 00", json!({"Attr-241.26": "0x000000"})),
        ("f1 08 1a 01 00 00 01 04", json!({"Attr-241.26": "0x0100000104"})),
        ("f1 06 02 01 05 00", json!({"Attr-241.2": "0x010500"})),
        ("f5 03 01", json!({"Attr-245": "0x01"})),
        ("f5 04 01 00", json!({"Attr-245": "0x0100"})),
        ("f5 06 01 00 01 02", json!({"Attr-245.1": "0x0102"})),
        ("f5 07 63 00 01 02 03", json!({"Attr-245.99": "0x010203"})),
        ("f5 09 1a 00 00 00 00 01 06", json!({"Attr-245.26": "0x0000000106"})),
        ("f5 0a 1a 00 00 00 00 01 06 01", json!({"Attr-245.26.1.6": "0x01"})),
        ("f5 0d 1a 00 00 00 2c 50 01 00 00 00 01", json!({"Example-Number": 1})),
    ] {
        assert_eq!(nested(octets), expected, "{octets}");
    }
}

#[test]
fn rfc6929_2_2_fragments_are_joined_and_the_next_attribute_stands() {
    for (octets, expected) in [
        ("f5 06 01 80 00 00 f5 06 01 00 00 05", json!({"Ext-5-Number": 5, "User-Name": "bob"})),
        ("f5 05 01 80 00 f5 05 01 80 00 f5 06 01 00 00 05", json!({"Ext-5-Number": 5, "User-Name": "bob"})),
        ("f5 0a 1a 80 00 00 00 01 06 01 f5 05 1a 00 02", json!({"Attr-245.26.1.6": "0x0102", "User-Name": "bob"})),
        ("f5 0a 1a 80 00 00 00 01 06 01 f5 05 1a 80 02", json!({"Attr-245.26.1.6": "0x0102", "User-Name": "bob"})),
        ("f5 06 63 80 01 02", json!({"Attr-245": "0x63800102", "User-Name": "bob"})),
        (
            "f5 06 63 80 01 02 f5 06 64 00 03 04",
            json!({"Attr-245": "0x63800102", "Attr-245.100": "0x0304", "User-Name": "bob"}),
        ),
    ] {
        assert_eq!(nested(&format!("{octets} 01 05 62 6f 62")), expected, "{octets}");
    }
}

#[test]
fn wimax_attributes_go_on_in_the_next_vendor_specific() {
    for (octets, expected) in [
        (
            "1a 11 00 01 82 bc 01 0b 00 01 05 31 2e 30 02 03 01",
            json!({"Wide-Release": "1.0", "Wide-Accounting": 1, "User-Name": "bob"}),
        ),
        (
            "1a 0e 00 01 82 bc 01 08 80 01 05 31 2e 30 1a 0c 00 01 82 bc 01 06 00 02 03 00",
            json!({"Wide-Release": "1.0", "Wide-Accounting": 0, "User-Name": "bob"}),
        ),
        (
            "1a 0b 00 01 82 bc 01 05 80 01 05 1a 0b 00 01 82 bc 01 05 80 31 2e 1a 0a 00 01 82 bc 01 04 00 30",
            json!({"Wide-Release": "1.0", "User-Name": "bob"}),
        ),
        ("1a 0b 00 01 82 bc 31 05 80 00 00", json!({"Attr-26": "0x000182bc3105800000", "User-Name": "bob"})),
        ("1a 0b 00 01 82 bc 01 05 80 00 00", json!({"Attr-26": "0x000182bc0105800000", "User-Name": "bob"})),
        ("1a 0b 00 01 82 bc fa 05 00 01 02", json!({"Attr-26": "0x000182bcfa05000102", "User-Name": "bob"})),
        (
            "1a 0e 00 01 82 bc 02 04 00 01 02 04 00 02",
            json!({"Attr-26": "0x000182bc0204000102040002", "User-Name": "bob"}),
        ),
        ("1a 08 00 01 82 bc 01 02", json!({"Attr-26": "0x000182bc0102", "User-Name": "bob"})),
        ("1a 0a 00 01 82 bc 01 04 00 01", json!({"Attr-26.99004.1": "0x01", "User-Name": "bob"})),
    ] {
        assert_eq!(nested(&format!("{octets} 01 05 62 6f 62")), expected, "{octets}");
    }
}

#[test]
fn values_of_type_text_are_joined_where_the_dictionary_says_so() {
    let dictionary = with("ATTRIBUTE Long-Text 192 string concat\n");
    let octets =
        sample::attributes(&[(192, b"permit "), (192, b"all"), (1, b"bob"), (192, b""), (1, b"x"), (192, b"deny")]);
    assert_eq!(shown_by(&dictionary, &octets), json!({"Long-Text": ["permit all", "deny"], "User-Name": ["bob", "x"]}));
}

#[test]
fn rfc4849_2_filter_rules_end_with_nuls_and_not_with_their_attributes() {
    let rules =
        [(92, b"permit in ip".as_slice()), (92, b" any\0"), (92, b"\0den"), (92, b"y\0"), (1, b"bob"), (92, b"last")];
    assert_eq!(shown(&rules), json!({"NAS-Filter-Rule": ["permit in ip any", "deny", "last"], "User-Name": "bob"}));
    let unnamed = shown_by(&Dictionary::default(), &sample::attributes(&rules[..2]));
    assert_eq!(unnamed, json!({"Attr-92": ["0x7065726d697420696e206970", "0x20616e7900"]}));
}

#[test]
fn rfc3579_2_1_an_empty_eap_message_is_eap_start() {
    let bytes = sample::packet(1, 1, &sample::attributes(&[(79, b""), (1, b"bob")]));
    let attributes = decode(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
    let names: Vec<_> = attributes.iter().map(|attribute| &*attribute.name).collect();
    assert_eq!(names, ["EAP-Message", "User-Name"]);
}

#[test]
fn ascend_s_filters_are_said_in_words_and_broken_ones_in_octets() {
    let filter = sample::hex("01 01 01 00 01020304 0a0b0c0d 05 20 06 00 0005 04d2 02 02 00000000 00000000 0000");
    let inside = |value: &[u8]| vendor(529, &[[242, value.len() as u8 + 2].as_slice(), value].concat());
    assert_eq!(
        shown(&[
            (26, &inside(&filter)),
            (26, &inside(&filter[..4])),
            (26, &inside(&[filter.as_slice(), &[0]].concat()))
        ]),
        json!({
            "Ascend-Data-Filter":
                ["ip in forward srcip 1.2.3.4/5 dstip 10.11.12.13/32 tcp srcport = 5 dstport = 1234", "0x01010100"],
            "Attr-26.529.242": "0x01010100010203040a0b0c0d05200600000504d202020000000000000000000000",
        })
    );
}

#[test]
fn a_secret_in_a_vendor_s_text_is_hidden_and_its_name_stays() {
    let pair = |number: u8, text: &[u8]| [[number, text.len() as u8 + 2].as_slice(), text].concat();
    let octets = sample::attributes(&[
        (26, &vendor(9, &pair(1, b"psk=hunter22"))),
        (26, &vendor(9, &pair(1, b"psk-mode=ascii"))),
        (26, &vendor(9, &pair(99, b"psk=hunter22"))),
        (26, &vendor(9, b"\x01\xffpsk=hunter22")),
        (18, b"password=what you say"),
    ]);
    assert_eq!(
        shown_by(&Dictionary::shipped(), &octets),
        json!({"Cisco-AVPair": ["psk=[redacted]", "psk-mode=ascii"], "Reply-Message": "password=what you say"})
    );
    for dictionary in [&*Dictionary::shipped(), &Dictionary::default()] {
        assert!(!shown_by(dictionary, &octets).to_string().contains("hunter22"));
        assert!(!shown_by(dictionary, &octets).to_string().contains("68756e746572"), "nor in hex");
    }
}

#[test]
fn what_is_broken_is_hidden_only_where_a_secret_may_stand_in_it() {
    let dictionary = with(
        "VENDOR Example 32473\nBEGIN-VENDOR Example\nATTRIBUTE Ex-Key 1 string secret\nATTRIBUTE Ex-Text 2 string\n\
         ATTRIBUTE Ex-Outer 3 tlv\nATTRIBUTE Ex-Inner 3.1 tlv\nATTRIBUTE Ex-Inner-Key 3.1.1 string secret\n\
         END-VENDOR Example\nATTRIBUTE Ext-5 245 long-extended\nATTRIBUTE Ext-5-Key 245.1 string secret\n",
    );
    for (octets, hidden) in [
        (b"\x02\x09abc".as_slice(), false),
        (b"\x02\x03a\x02\x09abc", false),
        (b"\x02\x03a\x02", false),
        (b"\x02\x01", false),
        (b"\xfa\x09abc", false),
        (b"\x01\x09abc", true),
        (b"\x02\x03a\x01\x09abc", true),
        // Where the next one begins, nobody knows.
        (b"\x02\x01abc", true),
        // Well formed but for what is inside it.
        (b"\x03\x06\x01\x09ab", true),
        (b"\x03\x07\x01\x05\x01\x09a", true),
    ] {
        let bytes = sample::packet(4, 1, &sample::attributes(&[(26, &vendor(32473, octets))]));
        let attributes = decode(&Packet::parse(&bytes).unwrap(), &dictionary);
        let values: Vec<_> = attributes.iter().map(|attribute| attribute.value == Value::Redacted).collect();
        assert_eq!(values, [hidden], "{octets:x?}");
    }
    let unfinished = shown_by(&dictionary, &sample::hex("f5 06 01 80 61 62"));
    assert_eq!(unfinished, json!({}), "a fragment without the others is one of a key");
}

/// Packets with a little of everything.
fn samples() -> Vec<Vec<u8>> {
    let pairs = sample::attributes(&[
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
    vec![
        sample::rfc2865_7_1_request(),
        sample::rfc2865_7_1_accept(),
        sample::rfc2865_7_2_request(),
        sample::rfc2865_7_2_accept(),
        sample::rfc5997_6_1_request(),
        sample::packet(4, 1, &pairs),
    ]
}

#[test]
fn a_sample_cut_off_anywhere_is_refused_or_decoded_in_part() {
    let dictionary = Dictionary::shipped();
    for whole in samples() {
        let all = decode(&Packet::parse(&whole).unwrap(), &dictionary);
        for length in 0..whole.len() {
            let mut cut = whole[..length].to_vec();
            assert!(Packet::parse(&cut).is_err(), "the length field still names {} octets", whole.len());
            if length >= 20 {
                cut[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
                if let Ok(packet) = Packet::parse(&cut) {
                    let part = decode(&packet, &dictionary);
                    assert!(part.iter().zip(all.iter()).all(|(part, whole)| part == whole));
                }
            }
        }
    }
}

proptest! {
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
        at in 0..6usize,
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
