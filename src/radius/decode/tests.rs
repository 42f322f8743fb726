mod nested;
mod properties;
mod secrets;

use std::sync::Arc;

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
fn adjacent_eap_messages_are_one() {
    let bytes = sample::packet(1, 1, &sample::attributes(&[(79, &[1; 253]), (79, &[1; 3]), (1, b"bob"), (79, &[1])]));
    let attributes = decode(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
    let names: Vec<_> = attributes.iter().map(|attribute| &*attribute.name).collect();
    assert_eq!(names, ["EAP-Message", "User-Name", "EAP-Message"]);
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
