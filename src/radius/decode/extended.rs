//! Extended and Long-Extended attributes (RFC 6929 §2.1 and §2.2) and the vendors' own inside them (§2.4).
//!
//! An Extended attribute holds an octet of extended type and a value; a Long-Extended one also an octet of flags, of
//! which the top bit, M, says that the value goes on in the next attribute. Fragments must follow each other. Unlike
//! FreeRADIUS 3.2.1, which takes two at most, all of them are joined.

use super::{Decoder, Found, MAX_VENDOR, Rest};
use crate::radius::dictionary::{DataType, Definition, Space};
use crate::radius::packet::RawAttribute;

/// The M bit of a Long-Extended attribute's flags.
const MORE: u8 = 0x80;

impl<'d> Decoder<'d> {
    /// The value of an attribute of type `extended`: an extended type and its value.
    pub(super) fn extended(&mut self, found: Found<'d>, definition: &'d Definition, octets: &[u8]) {
        let inner = octets.first().and_then(|number| self.inner(found, definition, *number));
        match (inner, octets) {
            // FreeRADIUS shows an unknown extended type with the whole attribute, and only here.
            (Some(inner), [_, value @ ..]) if inner.definition.is_some() && !value.is_empty() => {
                self.extended_value(inner, value);
            }
            _ => self.broken_extended(found, inner, octets, 1),
        }
    }

    /// Shown whole, unless what its extended type and, in a vendor's space, the vendor's type name may not be seen. So
    /// many octets of it are extended type and flags.
    fn broken_extended(&mut self, found: Found<'d>, inner: Option<Found<'d>>, octets: &[u8], own: usize) {
        let vendors = inner.and_then(|inner| self.vendors_in(inner, octets.get(own..)?));
        let named = vendors.map(|(vendors, _)| vendors).or(inner);
        let hidden = named.is_some_and(|named| named.may_hide(self.dictionary));
        self.numbered(found, octets, hidden);
    }

    /// An attribute of type `long-extended` with the fragments that follow it.
    pub(super) fn long_extended(
        &mut self,
        found: Found<'d>,
        definition: &'d Definition,
        attribute: RawAttribute,
        rest: &mut Rest,
    ) {
        let [number, flags, value @ ..] = attribute.value else { return self.numbered(found, attribute.value, false) };
        let Some(inner) = self.inner(found, definition, *number).filter(|_| !value.is_empty()) else {
            return self.numbered(found, attribute.value, false);
        };
        if flags & MORE == 0 {
            return self.extended_value(inner, value);
        }
        let mut joined = value.to_vec();
        let mut fragments = 1;
        let mut more = true;
        while more {
            let next = rest.next_if(|next| next.number == attribute.number && next.value.first() == Some(number));
            let Some(([_, flags], value)) = next.and_then(|next| next.value.split_first_chunk()) else { break };
            joined.extend(value);
            fragments += 1;
            more = flags & MORE != 0;
        }
        // A last fragment that promises more is taken as the last; a first one without any other is broken.
        if fragments == 1 {
            return self.broken_extended(found, Some(inner), attribute.value, 2);
        }
        self.extended_value(inner, &joined);
    }

    fn inner(&self, found: Found<'d>, definition: &Definition, number: u8) -> Option<Found<'d>> {
        let trail = found.trail.then(number.into())?;
        Some(Found { id: found.id, trail, definition: self.dictionary.get(definition.inside(), number.into()) })
    }

    fn extended_value(&mut self, found: Found<'d>, octets: &[u8]) {
        match found.kind() {
            DataType::ExtendedVendorSpecific => match self.vendors_in(found, octets) {
                Some((vendors, value)) => self.one(vendors, value),
                // There is no value, or the vendor is none.
                None => self.numbered(found, octets, false),
            },
            _ => self.one(found, octets),
        }
    }

    /// What stands in an `evs` attribute: a vendor, an octet of its type, and the value. None if it is anything else, or
    /// broken.
    fn vendors_in<'a>(&self, found: Found<'d>, octets: &'a [u8]) -> Option<(Found<'d>, &'a [u8])> {
        let around = found.definition.filter(|definition| definition.kind == DataType::ExtendedVendorSpecific)?;
        let (vendor, octets) = octets.split_first_chunk()?;
        let (number, value) = octets.split_first().filter(|(_, value)| !value.is_empty())?;
        let (vendor, number) = (u32::from_be_bytes(*vendor), u32::from(*number));
        let trail = found.trail.then(vendor)?.then(number).filter(|_| vendor <= MAX_VENDOR)?;
        let definition = self.dictionary.get(Space::ExtendedVendor(around.place, vendor), number);
        Some((Found { id: found.id, trail, definition }, value))
    }
}
