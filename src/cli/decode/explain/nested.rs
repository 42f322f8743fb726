//! Into attributes that hold others: Vendor-Specifics, TLVs and Extended ones.
//!
//! The way follows the dictionary, as decoding does, and takes one decoded value for each attribute that holds no
//! others. Where names show that the two do not agree, nothing is told: octets of one attribute must never be shown for
//! those of another, which may be hidden.

use std::fmt::Write;

use super::{ATTRIBUTE_HEADER_LENGTH, Part};
use crate::radius::dictionary::{DataType, Definition, Space, VendorFormat};
use crate::radius::packet::RawAttribute;
use crate::radius::row::{Inner, Row};
use crate::radius::{Attribute, Attributes, Dictionary};

/// A vendor's number.
const VENDOR_LENGTH: usize = 4;

/// The parts of one attribute, each with its own octets: what is around, without a value, and what is inside. None where
/// it holds no others, or where they cannot be told apart.
pub(super) fn parts(raw: &RawAttribute, meaning: &Attributes, dictionary: &Dictionary) -> Option<Vec<Part>> {
    let mut descent = Descent { dictionary, values: meaning.iter(), parts: Vec::new() };
    descent.top_level(raw)?;
    let has_value = descent.parts.iter().any(|part| part.value.is_some());
    (has_value && descent.values.next().is_none()).then_some(descent.parts)
}

struct Descent<'a> {
    dictionary: &'a Dictionary,
    /// What decoding has found, in the same order.
    values: std::slice::Iter<'a, Attribute>,
    parts: Vec<Part>,
}

/// Where an attribute stands and what is known about it.
#[derive(Clone)]
struct Spot<'a> {
    /// Of its first octet, in the packet.
    offset: usize,
    /// How deep it is nested.
    depth: usize,
    /// The numbers that lead to it.
    trail: Vec<u32>,
    definition: Option<&'a Definition>,
}

impl<'a> Spot<'a> {
    /// What stands inside it, so many octets after its own.
    fn within(&self, octets: usize, numbers: &[u32]) -> Self {
        let trail = [&self.trail, numbers].concat();
        Self { offset: self.offset + octets, depth: self.depth + 1, trail, definition: None }
    }

    fn kind(&self) -> Option<DataType> {
        self.definition.map(|definition| definition.kind)
    }

    /// Whether decoding calls what stands here by this name: by the dictionary's, with or without a tag, or by numbers.
    fn is_called(&self, name: &str) -> bool {
        let by_dictionary = self.definition.is_some_and(|definition| {
            name.strip_prefix(&*definition.name).is_some_and(|tag| tag.is_empty() || tag.starts_with(':'))
        });
        by_dictionary || name.strip_prefix("Attr-").is_some_and(|numbers| numbers == dotted(&self.trail))
    }
}

impl<'a> Descent<'a> {
    fn top_level(&mut self, raw: &RawAttribute) -> Option<()> {
        let number = u32::from(raw.number);
        let definition = self.dictionary.get(Space::Vendor(0), number);
        let spot = Spot { offset: raw.offset, depth: 0, trail: vec![number], definition };
        let header = [raw.number, u8::try_from(raw.value.len() + ATTRIBUTE_HEADER_LENGTH).ok()?];
        if let Some((vendor, body)) = raw.vendor() {
            let around = [&header, &raw.value[..VENDOR_LENGTH]].concat();
            self.around(&spot, &around, format!("Vendor-Specific of {}", self.vendor(vendor)));
            let inside = spot.within(around.len(), &[vendor]);
            return self.row(&inside, Space::Vendor(vendor), self.dictionary.vendor_format(vendor), body);
        }
        match spot.kind()? {
            DataType::Tlv => self.attribute(&spot, &header, raw.value),
            DataType::Extended => self.extended(&spot, &header, raw.value, 1),
            DataType::LongExtended => self.extended(&spot, &header, raw.value, 2),
            _ => None,
        }
    }

    /// An Extended attribute, of which so many octets are its extended type and flags.
    fn extended(&mut self, spot: &Spot<'a>, header: &[u8], octets: &[u8], own: usize) -> Option<()> {
        let (more, value) = octets.split_at_checked(own)?;
        let number = u32::from(more[0]);
        let definition = self.dictionary.get(spot.definition?.inside(), number)?;
        let header = [header, more].concat();
        let inner = Spot { trail: vec![spot.trail[0], number], definition: Some(definition), ..spot.clone() };
        match definition.kind {
            DataType::Tlv => self.attribute(&inner, &header, value),
            DataType::ExtendedVendorSpecific => {
                let (vendor, body) = value.split_first_chunk::<VENDOR_LENGTH>()?;
                let around = [header.as_slice(), vendor].concat();
                let vendor = u32::from_be_bytes(*vendor);
                self.around(&inner, &around, format!("{} of {}", definition.name, self.vendor(vendor)));
                let (number, value) = body.split_first()?;
                let mut inside = inner.within(around.len(), &[vendor, (*number).into()]);
                inside.definition =
                    self.dictionary.get(Space::ExtendedVendor(definition.place, vendor), (*number).into());
                self.attribute(&inside, &body[..1], value)
            }
            // It holds one value and is one part.
            _ => None,
        }
    }

    /// All attributes of a row.
    fn row(&mut self, at: &Spot<'a>, space: Space, format: VendorFormat, octets: &[u8]) -> Option<()> {
        let row = Row::new(octets, format);
        if !row.is_whole() {
            return None;
        }
        let mut begin = 0;
        for Inner { number, header, value } in row.flatten() {
            let mut spot = Spot { offset: at.offset + begin, trail: [&at.trail, [number].as_slice()].concat(), ..*at };
            spot.definition = self.dictionary.get(space, number);
            self.attribute(&spot, &octets[begin..begin + header], value)?;
            begin += header + value.len();
        }
        Some(())
    }

    /// An attribute with its header and its value, or with what is inside it.
    fn attribute(&mut self, spot: &Spot<'a>, header: &[u8], value: &[u8]) -> Option<()> {
        if value.is_empty() {
            // Decoding leaves it out.
            self.parts.push(part(spot, header, header.len()));
            return Some(());
        }
        if let Some(definition) = spot.definition.filter(|definition| definition.kind == DataType::Tlv)
            && !definition.flags.is_sensitive()
            && Row::new(value, VendorFormat::default()).is_whole()
        {
            self.around(spot, header, definition.name.to_string());
            let inside = spot.within(header.len(), &[]);
            return self.row(&inside, definition.inside(), VendorFormat::default(), value);
        }
        let found = self.values.next().filter(|found| spot.is_called(&found.name))?;
        let shown = if found.value.is_redacted() { header.to_vec() } else { [header, value].concat() };
        let mut part = part(spot, &shown, header.len() + value.len());
        part.name = Some(found.name.to_string());
        part.value = Some(found.value.clone());
        self.parts.push(part);
        Some(())
    }

    /// What an attribute with others inside begins with.
    fn around(&mut self, spot: &Spot, octets: &[u8], name: String) {
        let mut part = part(spot, octets, octets.len());
        part.name = Some(name);
        self.parts.push(part);
    }

    /// A vendor by name and number, or by number.
    fn vendor(&self, vendor: u32) -> String {
        self.dictionary.vendor_name(vendor).map_or_else(|| vendor.to_string(), |name| format!("{name}, {vendor}"))
    }
}

fn part(spot: &Spot, octets: &[u8], length: usize) -> Part {
    Part { offset: spot.offset, length, octets: octets.to_vec(), depth: spot.depth, name: None, value: None }
}

fn dotted(numbers: &[u32]) -> String {
    numbers.iter().fold(String::new(), |mut text, number| {
        let dot = if text.is_empty() { "" } else { "." };
        let _ = write!(text, "{dot}{number}");
        text
    })
}
