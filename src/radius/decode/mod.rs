//! From octets to named values, as FreeRADIUS names them.
//!
//! Nothing that an attribute holds can hurt the others or the packet: a value that does not fit its type is shown as
//! octets under `Attr-N`, and so is a Vendor-Specific whose inside is broken. Nested attributes are called by the
//! numbers that lead to them where no dictionary names them: `Attr-26.9.250`, `Attr-26.24757.1.99`, `Attr-241.7`. An
//! attribute without a value is left out, as it says nothing (RFC 2865 §5); only Chargeable-User-Identity may be
//! empty (RFC 4372 §2.1), and so may octets that can be split: an empty EAP-Message is EAP-Start (RFC 3579 §2.1).
//! Values that must not be seen become [`Value::Redacted`] before they are looked at.

mod extended;
mod filter;
mod nested;
mod value;

use std::fmt::Write;
use std::iter::Peekable;
use std::sync::Arc;

use super::dictionary::{DataType, Definition, Dictionary, Space};
use super::numbers;
use super::packet::{Packet, RawAttribute, RawAttributes};
use super::{Attribute, AttributeId, Attributes, Value, redaction};

/// All attributes of a packet, in its order.
pub fn decode(packet: &Packet, dictionary: &Dictionary) -> Attributes {
    let mut decoder = Decoder { dictionary, attributes: Attributes::with_capacity(packet.attributes().count()) };
    let mut raw = packet.attributes().peekable();
    while let Some(attribute) = raw.next() {
        decoder.top_level(attribute, &mut raw);
    }
    decoder.attributes
}

/// What follows an attribute in its packet: the rest of it may stand there.
type Rest<'p> = Peekable<RawAttributes<'p>>;

struct Decoder<'d> {
    dictionary: &'d Dictionary,
    attributes: Attributes,
}

/// An attribute on its way to a value: where it stands, and what the dictionary knows about it.
#[derive(Clone, Copy)]
struct Found<'d> {
    id: AttributeId,
    trail: Trail,
    definition: Option<&'d Definition>,
}

impl<'d> Found<'d> {
    fn kind(&self) -> DataType {
        self.definition.map_or(DataType::Octets(None), |definition| definition.kind)
    }

    fn is_sensitive(&self) -> bool {
        numbers::is_sensitive(self.id) || self.definition.is_some_and(|definition| definition.flags.is_sensitive())
    }

    /// Whether its octets may not be seen even where they cannot be read: for themselves, or for what may be inside.
    fn may_hide(&self, dictionary: &Dictionary) -> bool {
        self.is_sensitive() || self.definition.is_some_and(|definition| dictionary.has_sensitive_inside(definition))
    }
}

impl<'d> Decoder<'d> {
    fn top_level(&mut self, attribute: RawAttribute, rest: &mut Rest) {
        let number = u32::from(attribute.number);
        let definition = self.dictionary.get(Space::Vendor(0), number);
        let found = Found { id: AttributeId::rfc(number), trail: Trail::from(number), definition };
        if found.id == numbers::NAS_FILTER_RULE && found.kind() == DataType::Text {
            return self.filter_rules(found, attribute, rest);
        }
        if found.definition.is_some_and(|definition| definition.flags.concat) {
            return self.joined(found, attribute, rest);
        }
        if attribute.value.is_empty() && found.id != numbers::CHARGEABLE_USER_IDENTITY {
            return;
        }
        // Vendor-Specific is what it is, even for a dictionary that does not list it.
        if found.id == numbers::VENDOR_SPECIFIC {
            return self.vendor_specific(found, attribute, rest);
        }
        match (found.kind(), found.definition) {
            (DataType::Extended, Some(definition)) => self.extended(found, definition, attribute.value),
            (DataType::LongExtended, Some(definition)) => self.long_extended(found, definition, attribute, rest),
            _ => self.one(found, attribute.value),
        }
    }

    /// A value that is split over adjacent attributes of one number (RFC 3579 §3.1).
    fn joined(&mut self, found: Found<'d>, attribute: RawAttribute, rest: &mut Rest) {
        let octets = neighbours(attribute, rest);
        if !octets.is_empty() || matches!(found.kind(), DataType::Octets(_)) {
            self.one(found, &octets);
        }
    }

    /// Rules with a NUL between two of them; where an attribute ends says nothing (RFC 4849 §2).
    fn filter_rules(&mut self, found: Found<'d>, attribute: RawAttribute, rest: &mut Rest) {
        for rule in neighbours(attribute, rest).split(|octet| *octet == 0).filter(|rule| !rule.is_empty()) {
            self.one(found, rule);
        }
    }

    /// An attribute that stands alone: by its type, a value or more attributes.
    fn one(&mut self, found: Found<'d>, octets: &[u8]) {
        if found.is_sensitive() {
            self.redacted(found, octets);
            return;
        }
        match (found.kind(), found.definition) {
            (DataType::Tlv, Some(definition)) => self.tlvs(found, definition, octets),
            (kind, Some(definition)) if definition.flags.has_tag => self.tagged(found, definition, kind, octets),
            (kind, _) => match value::read(kind, octets) {
                Some(value) => self.push(found, value),
                None => self.unreadable(found, octets),
            },
        }
    }

    /// What must not be seen; the tag of its name may be.
    fn redacted(&mut self, found: Found<'d>, octets: &[u8]) {
        match found.definition {
            Some(definition) if definition.flags.has_tag => {
                let tag = octets.first().copied().filter(|tag| *tag <= MAX_TAG).unwrap_or(0);
                let name = format!("{}:{tag}", definition.name).into();
                self.attributes.push(Attribute { id: found.id, name, value: Value::Redacted });
            }
            _ => self.push(found, Value::Redacted),
        }
    }

    /// A value that begins with a tag (RFC 2868 §3). Its name carries the tag, 0 where there is none.
    fn tagged(&mut self, found: Found<'d>, definition: &'d Definition, kind: DataType, octets: &[u8]) {
        let (tag, read) = match (kind, octets) {
            // An integer gives its first octet to the tag; one above the limit belongs to the number.
            (DataType::Integer, [tag @ 0..=MAX_TAG, rest @ ..]) if rest.len() == 3 => {
                (*tag, value::read(kind, &[0, rest[0], rest[1], rest[2]]))
            }
            // A text gives it away and is the rest, if there is one.
            (DataType::Text | DataType::Octets(_), [tag @ 0..=MAX_TAG, rest @ ..]) if !rest.is_empty() => {
                (*tag, value::read(kind, rest))
            }
            _ => (0, value::read(kind, octets)),
        };
        match read {
            Some(value) => {
                let value = self.named(definition, redaction::hide_pairs(found.id, value));
                let name = format!("{}:{tag}", definition.name).into();
                self.attributes.push(Attribute { id: found.id, name, value });
            }
            None => self.unreadable(found, octets),
        }
    }

    /// Adds a value under its dictionary name, or under its numbers.
    fn push(&mut self, found: Found<'d>, value: Value) {
        let value = redaction::hide_pairs(found.id, value);
        let (name, value) = match found.definition {
            Some(definition) => (definition.name.clone(), self.named(definition, value)),
            None => (found.trail.name(), value),
        };
        self.attributes.push(Attribute { id: found.id, name, value });
    }

    /// Adds octets that do not fit what the dictionary says, under their numbers.
    fn unreadable(&mut self, found: Found<'d>, octets: &[u8]) {
        self.numbered(found, octets, found.may_hide(self.dictionary));
    }

    /// Adds octets under their numbers, hidden or not.
    fn numbered(&mut self, found: Found<'d>, octets: &[u8], hidden: bool) {
        let value = match hidden {
            true => Value::Redacted,
            false => redaction::hide_pairs(found.id, Value::Octets(octets.into())),
        };
        self.attributes.push(Attribute { id: found.id, name: found.trail.name(), value });
    }

    fn named(&self, definition: &Definition, value: Value) -> Value {
        let Value::Integer(number) = value else { return value };
        match self.dictionary.value_name(definition, number) {
            Some(name) => Value::Named { number, name: name.clone() },
            None => value,
        }
    }
}

/// The octets of an attribute and of those of its number that follow it.
fn neighbours(attribute: RawAttribute, rest: &mut Rest) -> Vec<u8> {
    let mut octets = attribute.value.to_vec();
    while let Some(next) = rest.next_if(|next| next.number == attribute.number) {
        octets.extend(next.value);
    }
    octets
}

/// The largest tag; above it the octet belongs to the value (RFC 2868 §3.1).
const MAX_TAG: u8 = 0x1f;

/// Private enterprise numbers have three octets; the fourth must be 0 (RFC 2865 §5.26).
const MAX_VENDOR: u32 = 0x00ff_ffff;

/// How deep attributes may nest in one another. The deepest known are five deep.
const MAX_NESTING: usize = 8;

/// The numbers that lead to an attribute: `26.9.1`.
#[derive(Clone, Copy)]
struct Trail {
    numbers: [u32; MAX_NESTING],
    len: usize,
}

impl From<u32> for Trail {
    fn from(number: u32) -> Self {
        let mut numbers = [0; MAX_NESTING];
        numbers[0] = number;
        Self { numbers, len: 1 }
    }
}

impl Trail {
    /// One step further in; nothing where that is too deep.
    fn then(mut self, number: u32) -> Option<Self> {
        *self.numbers.get_mut(self.len)? = number;
        self.len += 1;
        Some(self)
    }

    fn name(&self) -> Arc<str> {
        let mut name = String::from("Attr-");
        for (at, number) in self.numbers[..self.len].iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            write!(name, "{dot}{number}").expect("writing to a String cannot fail");
        }
        name.into()
    }
}

#[cfg(test)]
mod tests;
