//! Where in a packet everything stands.
//!
//! Attributes are decoded one by one, each as a packet of its own, so that octets and names are brought together
//! without a second decoder. Where neighbours of one number mean something else together than alone, they are one value
//! that was split (EAP-Message, Long-Extended, WiMAX) and are shown together.

mod nested;

use crate::radius::packet::{AUTHENTICATOR_LENGTH, HEADER_LENGTH, RawAttribute};
use crate::radius::{Attribute, Attributes, Dictionary, Packet, Value, decode};

/// A range of a packet's octets and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where it begins in the packet.
    pub offset: usize,
    /// How many octets it has.
    pub length: usize,
    /// Its octets; of what is not shown, only those before the value.
    pub octets: Vec<u8>,
    /// How many others it stands in; those before it with a smaller depth.
    pub depth: usize,
    /// Its name; none for the first pieces of a split value.
    pub name: Option<String>,
    /// Its value.
    pub value: Option<Value>,
}

impl Part {
    /// Whether the value's octets are left out.
    pub fn is_redacted(&self) -> bool {
        self.octets.len() < self.length
    }
}

/// Type and Length.
const ATTRIBUTE_HEADER_LENGTH: usize = 2;

/// All parts of a packet, in its order.
pub fn parts(packet: &Packet, dictionary: &Dictionary) -> Vec<Part> {
    let bytes = packet.bytes();
    let header = |name: &str, offset: usize, length: usize, value| Part {
        offset,
        length,
        octets: bytes[offset..offset + length].to_vec(),
        depth: 0,
        name: Some(name.to_owned()),
        value,
    };
    let mut parts = vec![
        header("Code", 0, 1, Some(Value::Text(packet.code().to_string().into()))),
        header("Identifier", 1, 1, Some(Value::Integer(packet.identifier().into()))),
        header("Length", 2, 2, Some(Value::Integer(bytes.len() as u64))),
        header("Authenticator", HEADER_LENGTH - AUTHENTICATOR_LENGTH, AUTHENTICATOR_LENGTH, None),
    ];
    let raw: Vec<RawAttribute> = packet.attributes().collect();
    for neighbours in raw.chunk_by(|one, next| one.number == next.number) {
        let explainer = Explainer { packet, dictionary };
        let alone: Vec<Attributes> =
            neighbours.iter().map(|raw| explainer.meaning(std::slice::from_ref(raw))).collect();
        let together = explainer.meaning(neighbours);
        if together.iter().eq(alone.iter().flat_map(Attributes::iter)) {
            for (raw, meaning) in neighbours.iter().zip(&alone) {
                explainer.one(raw, meaning, &mut parts);
            }
        } else {
            explainer.split(neighbours, &together, &mut parts);
        }
    }
    parts
}

struct Explainer<'a> {
    packet: &'a Packet<'a>,
    dictionary: &'a Dictionary,
}

impl Explainer<'_> {
    /// What these attributes say when they are a whole packet.
    fn meaning(&self, raw: &[RawAttribute]) -> Attributes {
        let mut bytes = self.packet.bytes()[..HEADER_LENGTH].to_vec();
        for attribute in raw {
            bytes.extend(self.octets(attribute));
        }
        let length = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        Packet::parse(&bytes).map(|packet| decode(&packet, self.dictionary)).unwrap_or_default()
    }

    fn octets(&self, raw: &RawAttribute) -> &[u8] {
        &self.packet.bytes()[raw.offset..raw.offset + ATTRIBUTE_HEADER_LENGTH + raw.value.len()]
    }

    fn part(&self, raw: &RawAttribute, shown: usize) -> Part {
        let octets = self.octets(raw);
        let octets_shown = octets[..shown.min(octets.len())].to_vec();
        let (offset, length) = (raw.offset, octets.len());
        Part { offset, length, octets: octets_shown, depth: 0, name: None, value: None }
    }

    /// An attribute that stands for itself.
    fn one(&self, raw: &RawAttribute, meaning: &Attributes, parts: &mut Vec<Part>) {
        match nested::parts(raw, meaning, self.dictionary) {
            Some(nested) => parts.extend(nested),
            None => self.split(std::slice::from_ref(raw), meaning, parts),
        }
    }

    /// The pieces of what is one value, or one attribute with several in it: the values stand with the last piece.
    fn split(&self, raw: &[RawAttribute], meaning: &Attributes, parts: &mut Vec<Part>) {
        let redacted = meaning.iter().any(|attribute| attribute.value.is_redacted());
        let shown = if redacted { ATTRIBUTE_HEADER_LENGTH } else { usize::MAX };
        parts.extend(raw.iter().map(|raw| self.part(raw, shown)));
        let Some(last) = parts.last_mut() else { return };
        match meaning.iter().collect::<Vec<_>>().as_slice() {
            [] => last.name = raw.first().map(|raw| format!("Attr-{} without a value", raw.number)),
            [only] => {
                last.name = Some(only.name.to_string());
                last.value = Some(only.value.clone());
            }
            several => {
                let (offset, end) = (last.offset, last.offset + last.length);
                last.name = raw.first().map(|raw| format!("Attr-{}", raw.number));
                parts.extend(several.iter().map(|attribute| within(attribute, offset, end)));
            }
        }
    }
}

/// A value somewhere inside a part: its octets are shown there.
fn within(attribute: &Attribute, offset: usize, end: usize) -> Part {
    Part {
        offset,
        length: end - offset,
        octets: Vec::new(),
        depth: 1,
        name: Some(attribute.name.to_string()),
        value: Some(attribute.value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    fn explained(attributes: &[u8]) -> Vec<(usize, usize, usize, Option<String>)> {
        let bytes = sample::packet(1, 1, attributes);
        let dictionary = Dictionary::shipped();
        let parts = parts(&Packet::parse(&bytes).unwrap(), &dictionary);
        parts[4..].iter().map(|part| (part.offset, part.length, part.octets.len(), part.name.clone())).collect()
    }

    #[test]
    fn every_octet_of_a_packet_is_explained_once_and_secrets_are_not_shown() {
        let bytes = sample::rfc2865_7_1_request();
        let parts = parts(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
        let mut next = 0;
        for part in &parts {
            assert_eq!(part.offset, next, "{part:?}");
            next += part.length;
        }
        assert_eq!(next, bytes.len());
        let password = &parts[5];
        assert_eq!((password.name.as_deref(), password.octets.as_slice()), (Some("User-Password"), [2, 18].as_slice()));
        assert_eq!(password.value, Some(Value::Redacted));
    }

    #[test]
    fn a_vendor_s_attributes_have_ranges_of_their_own_and_only_a_secret_one_is_hidden() {
        // Microsoft: MS-MPPE-Send-Key (16) and an attribute that nothing names.
        let body = [0, 0, 1, 55, 16, 5, 1, 2, 3, 200, 3, 9];
        let found = explained(&[[26, 14].as_slice(), &body].concat());
        let found: Vec<_> = found.iter().map(|(offset, length, shown, _)| (*offset, *length, *shown)).collect();
        assert_eq!(found, [(20, 6, 6), (26, 5, 2), (31, 3, 3)]);
    }

    #[test]
    fn a_value_that_is_split_is_shown_with_its_last_piece() {
        let found = explained(&[79, 4, 1, 2, 79, 3, 3, 1, 3, b'x']);
        assert_eq!(
            found,
            [(20, 4, 2, None), (24, 3, 2, Some("EAP-Message".to_owned())), (27, 3, 3, Some("User-Name".to_owned())),]
        );
    }

    /// Offset, length, octets shown, depth and name of what stands behind the packet's header.
    fn nested(attributes: &str) -> Vec<(usize, usize, usize, usize, String)> {
        let bytes = sample::packet(1, 1, &sample::hex(attributes));
        let parts = parts(&Packet::parse(&bytes).unwrap(), &Dictionary::shipped());
        let name = |part: &Part| part.name.clone().unwrap_or_default();
        parts[4..].iter().map(|part| (part.offset, part.length, part.octets.len(), part.depth, name(part))).collect()
    }

    #[test]
    fn tlvs_have_ranges_of_their_own_at_every_depth() {
        assert_eq!(
            nested("1a 11 000060b5 01 0b 00 01 05 312e30 02 03 01"),
            [
                (20, 6, 6, 0, "Vendor-Specific of WiMAX, 24757".to_owned()),
                (26, 3, 3, 1, "WiMAX-Capability".to_owned()),
                (29, 5, 5, 2, "WiMAX-Release".to_owned()),
                (34, 3, 3, 2, "WiMAX-Accounting-Capabilities".to_owned()),
            ]
        );
        assert_eq!(
            nested("ad 0e 01 06 00000018 03 06 0a000001"),
            [
                (20, 2, 2, 0, "IPv6-6rd-Configuration".to_owned()),
                (22, 6, 6, 1, "IPv6-6rd-IPv4MaskLen".to_owned()),
                (28, 6, 6, 1, "IPv6-6rd-BR-IPv4-Address".to_owned()),
            ]
        );
        // WiMAX-E-UTRAN-Vector with an answer that is not shown (XRES) between two that are (RAND and AUTN).
        assert_eq!(
            nested("1a 17 000060b5 91 11 00 01 0e 02 04 aaaa 03 04 bbbb 04 04 cccc"),
            [
                (20, 6, 6, 0, "Vendor-Specific of WiMAX, 24757".to_owned()),
                (26, 3, 3, 1, "WiMAX-Authentication-Info".to_owned()),
                (29, 2, 2, 2, "WiMAX-E-UTRAN-Vector".to_owned()),
                (31, 4, 4, 3, "WiMAX-E-UTRAN-Vector-RAND".to_owned()),
                (35, 4, 2, 3, "WiMAX-E-UTRAN-Vector-XRES".to_owned()),
                (39, 4, 4, 3, "WiMAX-E-UTRAN-Vector-AUTN".to_owned()),
            ]
        );
    }

    #[test]
    fn vendors_in_extended_attributes_have_ranges_of_their_own() {
        assert_eq!(
            nested("f5 0b 1a 00 00007eda 07 abcd"),
            [
                (20, 8, 8, 0, "Extended-Vendor-Specific-5 of 32474".to_owned()),
                (28, 3, 3, 1, "Attr-245.26.32474.7".to_owned()),
            ]
        );
        assert_eq!(nested("f1 07 01 00000005"), [(20, 7, 7, 0, "Frag-Status".to_owned())], "one value is one part");
    }

    #[test]
    fn of_a_broken_row_all_is_one_part() {
        assert_eq!(nested("1a 0b 00007ed9 01 09 616263"), [(20, 11, 11, 0, "Attr-26".to_owned())]);
        assert_eq!(nested("ad 06 01 06 0000"), [(20, 6, 6, 0, "Attr-173".to_owned())]);
        // Well formed, but of WiMAX's attributes decoding takes only those that have a name.
        assert_eq!(nested("1a 0b 000060b5 fa 05 00 0102"), [(20, 11, 11, 0, "Attr-26".to_owned())]);
    }

    #[test]
    fn a_secret_within_a_text_is_not_among_the_octets() {
        let found = nested("1a 0d 00000009 01 07 70 73 6b 3d 78");
        assert_eq!(
            found,
            [(20, 6, 6, 0, "Vendor-Specific of Cisco, 9".to_owned()), (26, 7, 2, 1, "Cisco-AVPair".to_owned())]
        );
    }

    #[test]
    fn what_decoding_hides_is_never_among_the_octets_and_no_octet_is_told_twice() {
        use proptest::prelude::*;
        let value = || proptest::collection::vec(any::<u8>(), 0..40);
        let inner = || (any::<u8>(), value()).prop_map(|(number, value)| tlv(number, &value));
        let row = || proptest::collection::vec(prop_oneof![inner(), value()], 1..4).prop_map(|row| row.concat());
        let vendor = prop_oneof![Just(9_u32), Just(311), Just(24757), Just(8164), Just(25053)];
        let attribute = prop_oneof![
            (prop_oneof![Just(2_u8), Just(69), Just(79), Just(80), Just(92), Just(173), Just(245)], row())
                .prop_map(|(number, row)| tlv(number, &row)),
            // In WiMAX's format and in the others'.
            (vendor, proptest::option::of(any::<u8>()), row()).prop_map(|(vendor, number, row)| {
                let flagged = number.map(|number| [&[number, row.len() as u8 + 3, 0], row.as_slice()].concat());
                tlv(26, &[vendor.to_be_bytes().as_slice(), &flagged.unwrap_or(row)].concat())
            }),
        ];
        proptest!(|(attributes in proptest::collection::vec(attribute, 1..4))| {
            let bytes = sample::packet(1, 1, &attributes.concat());
            let packet = Packet::parse(&bytes).unwrap();
            let dictionary = Dictionary::shipped();
            let parts = parts(&packet, &dictionary);
            let hidden = decode(&packet, &dictionary).iter().filter(|attribute| attribute.value.is_redacted()).count();
            let covered = parts.iter().filter(|part| part.value.as_ref().is_some_and(Value::is_redacted)).count();
            prop_assert_eq!(hidden, covered);
            // An empty EAP-Message has no octets to be left out.
            let hides = |part: &Part| part.is_redacted() || part.length == ATTRIBUTE_HEADER_LENGTH;
            prop_assert!(hidden == 0 || parts.iter().any(hides));
            // Values of which only the attribute around is known stand behind it, without octets of their own.
            let mut next = 0;
            for part in parts.iter().filter(|part| !part.octets.is_empty()) {
                prop_assert_eq!(part.offset, next);
                next += part.length;
            }
            prop_assert_eq!(next, bytes.len());
        });
    }

    fn tlv(number: u8, value: &[u8]) -> Vec<u8> {
        let value = &value[..value.len().min(253)];
        [&[number, value.len() as u8 + 2], value].concat()
    }
}
