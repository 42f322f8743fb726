//! Attributes within attributes: Vendor-Specific (RFC 2865 §5.26) in the vendors' own formats, and TLVs.
//!
//! What holds others is walked through to its end before anything of it is taken; if it is broken anywhere, it is
//! shown whole as octets.

use super::{Decoder, Found};
use crate::radius::dictionary::{Definition, Space, VendorFormat};
use crate::radius::{AttributeId, Value, numbers};

/// Private enterprise numbers have three octets; the fourth must be 0 (RFC 2865 §5.26).
const MAX_VENDOR: u32 = 0x00ff_ffff;

impl<'d> Decoder<'d> {
    /// The value of a Vendor-Specific: a vendor and, mostly, its attributes.
    pub(super) fn vendor_specific(&mut self, found: Found<'d>, octets: &[u8]) {
        let vendor = octets.first_chunk().map(|vendor| u32::from_be_bytes(*vendor));
        let (Some(vendor @ ..=MAX_VENDOR), Some(body)) = (vendor, octets.get(4..)) else {
            return self.unreadable(found, octets);
        };
        let format = self.dictionary.vendor_format(vendor);
        let inside: Option<Vec<_>> = Inside { octets: body, format }.collect();
        let (Some(inside), Some(trail)) = (inside.filter(|inside| !inside.is_empty()), found.trail.then(vendor)) else {
            // Passwords and keys may stand in there.
            if numbers::vendor_has_sensitive(vendor) || self.dictionary.vendor_has_sensitive(vendor) {
                let name = found.trail.name();
                return self.attributes.push(crate::radius::Attribute { id: found.id, name, value: Value::Redacted });
            }
            return self.unreadable(found, octets);
        };
        for (number, value) in inside {
            if let Some(trail) = trail.then(number).filter(|_| !value.is_empty()) {
                let definition = self.dictionary.get(Space::Vendor(vendor), number);
                self.one(Found { id: AttributeId { vendor, number }, trail, definition }, value);
            }
        }
    }

    /// A value that is a row of TLVs (RFC 8044 §3.13).
    pub(super) fn tlvs(&mut self, found: Found<'d>, definition: &'d Definition, octets: &[u8]) {
        let inside: Option<Vec<_>> = Inside { octets, format: VendorFormat::default() }.collect();
        // Another step must be possible.
        let (Some(inside), Some(_)) = (inside, found.trail.then(0)) else {
            return self.unreadable(found, octets);
        };
        for (number, value) in inside {
            if let Some(trail) = found.trail.then(number).filter(|_| !value.is_empty()) {
                let definition = self.dictionary.get(definition.inside(), number);
                self.one(Found { id: found.id, trail, definition }, value);
            }
        }
    }
}

/// The numbers and values in a row of nested attributes. Ends with `None` where the row is broken.
struct Inside<'a> {
    octets: &'a [u8],
    format: VendorFormat,
}

impl<'a> Iterator for Inside<'a> {
    type Item = Option<(u32, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.octets.is_empty() {
            return None;
        }
        let attribute = self.split();
        if attribute.is_none() {
            self.octets = &[];
        }
        Some(attribute)
    }
}

impl<'a> Inside<'a> {
    fn split(&mut self) -> Option<(u32, &'a [u8])> {
        let VendorFormat { type_octets, length_octets, .. } = self.format;
        let type_octets = usize::from(type_octets);
        let header = type_octets + usize::from(length_octets);
        let big_endian = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
        let number = big_endian(self.octets.get(..type_octets)?);
        let length = match length_octets {
            0 => self.octets.len(),
            _ => big_endian(self.octets.get(type_octets..header)?) as usize,
        };
        let value = self.octets.get(header..length)?;
        self.octets = &self.octets[length..];
        Some((number, value))
    }
}
