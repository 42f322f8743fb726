//! Attributes within attributes.

use super::*;

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
