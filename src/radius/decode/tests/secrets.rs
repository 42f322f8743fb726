//! What is never shown.

use super::*;

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
         END-VENDOR Example\nATTRIBUTE Ext-5 245 long-extended\nATTRIBUTE Ext-5-Key 245.1 string secret\n\
         ATTRIBUTE Ext-5-EVS 245.26 evs\nBEGIN-VENDOR Example format=Ext-5-EVS\nATTRIBUTE Ex-EVS-Key 1 string secret\n\
         END-VENDOR Example\n",
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
    let vendors =
        shown_by(&dictionary, &sample::hex("f5 0b 1a 80 00007ed9 01 6162 01 03 62 f5 0b 1a 80 00007ed9 02 6162"));
    assert_eq!(vendors, json!({"User-Name": "b", "Attr-245": "0x1a8000007ed9026162"}), "and a vendor's by its type");
}
