//! Where in a packet everything stands.
//!
//! Attributes are decoded one by one, each as a packet of its own, so that octets and names are brought together
//! without a second decoder. Where neighbours of one number mean something else together than alone, they are one value
//! that was split (EAP-Message, Long-Extended, WiMAX) and are shown together.

use crate::radius::packet::{AUTHENTICATOR_LENGTH, HEADER_LENGTH, RawAttribute};
use crate::radius::{Attribute, Attributes, Dictionary, Packet, Value, decode, numbers};

/// A range of a packet's octets and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where it begins in the packet.
    pub offset: usize,
    /// How many octets it has.
    pub length: usize,
    /// Its octets; of what is not shown, only those before the value.
    pub octets: Vec<u8>,
    /// Whether it stands inside the part before it.
    pub inside: bool,
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
/// Type, Length and the vendor's number.
const VENDOR_HEADER_LENGTH: usize = 6;

/// All parts of a packet, in its order.
pub fn parts(packet: &Packet, dictionary: &Dictionary) -> Vec<Part> {
    let bytes = packet.bytes();
    let header = |name: &str, offset: usize, length: usize, value| Part {
        offset,
        length,
        octets: bytes[offset..offset + length].to_vec(),
        inside: false,
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
        Part { offset, length, octets: octets_shown, inside: false, name: None, value: None }
    }

    /// An attribute that stands for itself.
    fn one(&self, raw: &RawAttribute, meaning: &Attributes, parts: &mut Vec<Part>) {
        if u32::from(raw.number) == numbers::VENDOR_SPECIFIC.number
            && let Some(inside) = self.vendors(raw, meaning)
        {
            let mut around = self.part(raw, VENDOR_HEADER_LENGTH);
            let vendor = raw.value.first_chunk().map_or(0, |vendor| u32::from_be_bytes(*vendor));
            let name = self
                .dictionary
                .vendor_name(vendor)
                .map_or_else(|| vendor.to_string(), |name| format!("{name}, {vendor}"));
            around.length = VENDOR_HEADER_LENGTH;
            around.name = Some(format!("Vendor-Specific of {name}"));
            parts.push(around);
            parts.extend(inside);
            return;
        }
        self.split(std::slice::from_ref(raw), meaning, parts);
    }

    /// The vendor's attributes, each with its own octets. None where they cannot be told apart.
    fn vendors(&self, raw: &RawAttribute, meaning: &Attributes) -> Option<Vec<Part>> {
        let (vendor, body) = raw.value.split_first_chunk()?;
        let format = self.dictionary.vendor_format(u32::from_be_bytes(*vendor));
        if format.continuation {
            return None;
        }
        let header = usize::from(format.type_octets + format.length_octets);
        let number = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | usize::from(*octet));
        let mut rest = body;
        let mut values = meaning.iter();
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let length = match format.length_octets {
                0 => rest.len(),
                _ => number(rest.get(format.type_octets.into()..header)?),
            };
            if length < header || length > rest.len() {
                return None;
            }
            let attribute = if length > header { values.next() } else { None };
            let shown = if attribute.is_some_and(|attribute| attribute.value.is_redacted()) { header } else { length };
            parts.push(Part {
                offset: raw.offset + VENDOR_HEADER_LENGTH + body.len() - rest.len(),
                length,
                octets: rest[..shown].to_vec(),
                inside: true,
                name: attribute.map(|attribute| attribute.name.to_string()),
                value: attribute.map(|attribute| attribute.value.clone()),
            });
            rest = &rest[length..];
        }
        // A TLV inside has more values than it has ranges here.
        (values.next().is_none() && parts.iter().any(|part| part.value.is_some())).then_some(parts)
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
        inside: true,
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

    #[test]
    fn what_decoding_redacts_is_never_among_the_octets() {
        use proptest::prelude::*;
        proptest!(|(kind in prop_oneof![Just(2_u8), Just(26), Just(69), Just(79), Just(80)], value in proptest::collection::vec(any::<u8>(), 1..40))| {
            let body = if kind == 26 { [[0, 0, 1, 55].as_slice(), &value].concat() } else { value.clone() };
            let attribute = [[kind, body.len() as u8 + 2].as_slice(), &body].concat();
            let bytes = sample::packet(1, 1, &attribute);
            let packet = Packet::parse(&bytes).unwrap();
            let dictionary = Dictionary::shipped();
            let parts = parts(&packet, &dictionary);
            let hidden = decode(&packet, &dictionary).iter().filter(|attribute| attribute.value == Value::Redacted).count();
            let covered = parts.iter().filter(|part| part.value == Some(Value::Redacted)).count();
            prop_assert_eq!(hidden, covered);
            if hidden > 0 {
                prop_assert!(parts.iter().any(Part::is_redacted));
            }
        });
    }
}
