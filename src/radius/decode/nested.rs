//! Attributes within attributes: Vendor-Specific (RFC 2865 §5.26) in the vendors' own formats, and TLVs.
//!
//! What holds others is walked through to its end before anything of it is taken; if it is broken anywhere, it is
//! shown whole as octets.

use super::{Decoder, Found, MAX_VENDOR, Rest};
use crate::radius::dictionary::{Definition, Space, VendorFormat};
use crate::radius::packet::RawAttribute;
use crate::radius::row::{Header, Inner, Row};
use crate::radius::{AttributeId, numbers};

/// The bit of a continued format's flags that says that the value goes on in the next Vendor-Specific.
const MORE: u8 = 0x80;

impl<'d> Decoder<'d> {
    /// The value of a Vendor-Specific: a vendor and, mostly, its attributes.
    pub(super) fn vendor_specific(&mut self, found: Found<'d>, attribute: RawAttribute, rest: &mut Rest) {
        let octets = attribute.value;
        let Some((vendor @ ..=MAX_VENDOR, body)) = attribute.vendor() else { return self.unreadable(found, octets) };
        let Some(trail) = found.trail.then(vendor) else { return self.unreadable(found, octets) };
        let within = Found { trail, ..found };
        let format = self.dictionary.vendor_format(vendor);
        let taken = if format.continuation {
            self.continued(within, vendor, body, rest)
        } else {
            self.vendors_attributes(within, vendor, body, format)
        };
        if taken.is_none() {
            let hidden = self.hides_something(found, vendor, body, format);
            self.numbered(found, octets, hidden);
        }
    }

    /// All of a vendor's attributes in one Vendor-Specific. None, and nothing taken, if they are broken.
    fn vendors_attributes(&mut self, within: Found<'d>, vendor: u32, body: &[u8], format: VendorFormat) -> Option<()> {
        let row = Row::new(body, format);
        if !row.is_whole() {
            return None;
        }
        for Inner { number, value, .. } in row.flatten() {
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
        let row = Row::new(octets, VendorFormat::default());
        // There must be a value, and another step must be possible.
        if !row.is_whole() || octets.len() <= 2 || found.trail.then(0).is_none() {
            return self.unreadable(found, octets);
        }
        for Inner { number, value, .. } in row.flatten() {
            if let Some(trail) = found.trail.then(number).filter(|_| !value.is_empty()) {
                let definition = self.dictionary.get(definition.inside(), number);
                self.one(Found { id: found.id, trail, definition }, value);
            }
        }
    }
}
