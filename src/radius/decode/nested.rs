//! Attributes within attributes: Vendor-Specific (RFC 2865 §5.26) in the vendors' own formats, and TLVs.
//!
//! What holds others is walked through to its end before anything of it is taken; if it is broken anywhere, it is
//! shown whole as octets.

use super::{Decoder, Found, MAX_VENDOR, Rest};
use crate::radius::dictionary::{Definition, Space, VendorFormat};
use crate::radius::{AttributeId, numbers};

/// The largest type of a vendor's attribute; of four octets the first must be 0.
const MAX_TYPE: u32 = 0x00ff_ffff;
/// The bit of a continued format's flags that says that the value goes on in the next Vendor-Specific.
const MORE: u8 = 0x80;

impl<'d> Decoder<'d> {
    /// The value of a Vendor-Specific: a vendor and, mostly, its attributes.
    pub(super) fn vendor_specific(&mut self, found: Found<'d>, octets: &[u8], rest: &mut Rest) {
        let split = octets.split_first_chunk().map(|(vendor, body)| (u32::from_be_bytes(*vendor), body));
        let Some((vendor @ ..=MAX_VENDOR, body)) = split else { return self.unreadable(found, octets) };
        let Some(trail) = found.trail.then(vendor) else { return self.unreadable(found, octets) };
        let within = Found { trail, ..found };
        let format = self.dictionary.vendor_format(vendor);
        let taken = if format.continuation {
            self.continued(within, vendor, body, rest)
        } else {
            self.vendors_attributes(within, vendor, body, format)
        };
        if taken.is_none() {
            self.broken_vendor_specific(found, vendor, octets, body, format);
        }
    }

    /// All of a vendor's attributes in one Vendor-Specific. None, and nothing taken, if they are broken.
    fn vendors_attributes(&mut self, within: Found<'d>, vendor: u32, body: &[u8], format: VendorFormat) -> Option<()> {
        let inside: Vec<_> = Inside { octets: body, format }.collect::<Option<_>>()?;
        if inside.is_empty() {
            return None;
        }
        for (number, value) in inside {
            if let Some(found) = self.vendors(within, vendor, number).filter(|_| !value.is_empty()) {
                self.one(found, value);
            }
        }
        Some(())
    }

    /// The one attribute of a Vendor-Specific of a continued format, with what follows of it in the next ones: type,
    /// length, flags, value. None, and nothing taken, if it is broken or, as FreeRADIUS does, if nothing defines it.
    fn continued(&mut self, within: Found<'d>, vendor: u32, body: &[u8], rest: &mut Rest) -> Option<()> {
        let (header, value) = body.split_first_chunk()?;
        let [number, length, flags] = *header;
        let found = self.vendors(within, vendor, number.into()).filter(|found| found.definition.is_some())?;
        if value.is_empty() || usize::from(length) != body.len() {
            return None;
        }
        if flags & MORE == 0 {
            self.one(found, value);
            return Some(());
        }
        let mut joined = value.to_vec();
        let mut fragments = 1;
        let mut more = true;
        while more {
            // The same vendor and type, and again filled by one attribute.
            let next = rest.next_if(|next| {
                let length = next.value.len().checked_sub(4).and_then(|length| u8::try_from(length).ok());
                u32::from(next.number) == numbers::VENDOR_SPECIFIC.number
                    && next.value.first_chunk() == Some(&vendor.to_be_bytes())
                    && next.value.get(4) == Some(&number)
                    && next.value.get(5).copied() == length
                    && next.value.len() > 7
            });
            let Some((flags, value)) = next.and_then(|next| next.value.get(6..)?.split_first()) else { break };
            joined.extend(value);
            fragments += 1;
            more = flags & MORE != 0;
        }
        if fragments == 1 {
            return None;
        }
        self.one(found, &joined);
        Some(())
    }

    /// A vendor's attribute, known or not.
    fn vendors(&self, within: Found<'d>, vendor: u32, number: u32) -> Option<Found<'d>> {
        let definition = self.dictionary.get(Space::Vendor(vendor), number);
        Some(Found { id: AttributeId { vendor, number }, trail: within.trail.then(number)?, definition })
    }

    fn broken_vendor_specific(
        &mut self,
        found: Found<'d>,
        vendor: u32,
        octets: &[u8],
        body: &[u8],
        format: VendorFormat,
    ) {
        let hidden = self.hides_something(found, vendor, body, format);
        self.numbered(found, octets, hidden);
    }

    /// Whether passwords and keys may stand in a vendor's broken octets, as far as their headers can be followed.
    fn hides_something(&self, within: Found<'d>, vendor: u32, body: &[u8], format: VendorFormat) -> bool {
        if !numbers::vendor_has_sensitive(vendor) && !self.dictionary.vendor_has_sensitive(vendor) {
            return false;
        }
        let mut rest = body;
        while let Some(Header { number, length, octets }) = Header::of(rest, format) {
            let found = self.vendors(within, vendor, number);
            if found.is_none_or(|found| found.may_hide(self.dictionary)) {
                return true;
            }
            match rest.get(length.unwrap_or(rest.len())..) {
                // Shorter than itself: whose the octets behind it are, nobody knows.
                _ if length.is_some_and(|length| length < octets) => return rest.len() > octets,
                Some(next) => rest = next,
                // The rest is its value.
                None => return false,
            }
        }
        false
    }

    /// A value that is a row of TLVs (RFC 8044 §3.13).
    pub(super) fn tlvs(&mut self, found: Found<'d>, definition: &'d Definition, octets: &[u8]) {
        let inside: Option<Vec<_>> = Inside { octets, format: VendorFormat::default() }.collect();
        // There must be a value, and another step must be possible.
        let (Some(inside), Some(_)) = (inside.filter(|_| octets.len() > 2), found.trail.then(0)) else {
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
        let Header { number, length, octets } = Header::of(self.octets, self.format)?;
        // 0 is an attribute only where types have one octet, as FreeRADIUS sees it: some vendors use it there.
        if self.format.type_octets > 1 && (number == 0 || number > MAX_TYPE) {
            return None;
        }
        let length = length?;
        let value = self.octets.get(octets..length)?;
        self.octets = &self.octets[length..];
        Some((number, value))
    }
}

/// What a nested attribute begins with.
struct Header {
    number: u32,
    /// What its length says, itself included; where a format has none, all that is there. None if it is cut off.
    length: Option<usize>,
    /// How many octets it takes.
    octets: usize,
}

impl Header {
    /// None if not even a type is there.
    fn of(octets: &[u8], format: VendorFormat) -> Option<Self> {
        let type_octets = usize::from(format.type_octets);
        let header = type_octets + usize::from(format.length_octets);
        let big_endian = |octets: &[u8]| octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet));
        let number = big_endian(octets.get(..type_octets)?);
        let length = match format.length_octets {
            0 => Some(octets.len()),
            _ => octets.get(type_octets..header).map(|length| big_endian(length) as usize),
        };
        Some(Self { number, length, octets: header })
    }
}
