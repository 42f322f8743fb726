//! Decoded attributes: what a packet says, under the names of the dictionary.
//!
//! Data types follow RFC 8044. A list keeps the packet's order and its repeats.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Where an attribute stands in the RADIUS name space: a vendor (0 is the RFC space; otherwise an SMI private
/// enterprise number) and its type within it. For attributes nested deeper than that (TLVs, Extended types of
/// RFC 6929) `number` is the top-level type; the attribute's name tells the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeId {
    /// 0, or the vendor's private enterprise number.
    pub vendor: u32,
    /// The type within the vendor's space.
    pub number: u32,
}

impl AttributeId {
    /// An attribute of the RFC space, as in RFC 2865 §5.
    pub const fn rfc(number: u32) -> Self {
        Self { vendor: 0, number }
    }
}

/// One attribute of a packet, detail record or local post.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Its place in the name space, for matching.
    pub id: AttributeId,
    /// Its dictionary name, with the tag behind it where it has one (`Tunnel-Type:1`). Where no dictionary names it,
    /// the numbers that lead to it, as FreeRADIUS writes them: `Attr-192`, `Attr-26.9.250`, `Attr-241.7`.
    pub name: Arc<str>,
    /// What it holds.
    pub value: Value,
}

/// What is shown in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The value of one attribute, by its data type (RFC 8044 §3).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `string` in FreeRADIUS's words, `text` in RFC 8044's. Bytes that are not UTF-8 are shown as `\xNN`, and a
    /// backslash in such a value as `\\`, so that the bytes can be had back. A NUL at the end is left out. In place of a
    /// secret within a vendor's text stands [`REDACTED`], and nothing after it. Ascend's packet filters are texts too.
    Text(Box<str>),
    /// `octets`, and every value whose size does not fit its type. Shown as `0x` and lower-case hex.
    Octets(Box<[u8]>),
    /// Unsigned integers of any size.
    Integer(u64),
    /// Signed integers.
    Signed(i64),
    /// An integer with a VALUE name in the dictionary.
    Named {
        /// The number on the wire.
        number: u64,
        /// The dictionary's name for it.
        name: Arc<str>,
    },
    /// `ipaddr`, `ipv6addr`, `combo-ip`.
    Address(IpAddr),
    /// `ipv4prefix`, `ipv6prefix` (RFC 3162 §2.3).
    Prefix(IpNet),
    /// `date`: seconds since 1970-01-01T00:00:00.000Z, unsigned 32 bits (RFC 8044 §3.3).
    Date(u32),
    /// `ether`: shown as `00-11-22-33-44-55`.
    Ether([u8; 6]),
    /// A password, a key, or EAP material: its presence is known, its bytes are gone. Never part of an event.
    Redacted,
}

impl Value {
    /// The text of a [`Value::Text`].
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether anything of it is hidden: all of it, or what follows a key's name in a text.
    pub fn is_redacted(&self) -> bool {
        match self {
            Self::Redacted => true,
            Self::Text(text) => text.ends_with(REDACTED),
            _ => false,
        }
    }

    /// The number of an integer, named or not, or of a date in seconds.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Integer(number) | Self::Named { number, .. } => Some(*number),
            Self::Date(seconds) => Some(u64::from(*seconds)),
            _ => None,
        }
    }

    /// The address of an [`Value::Address`].
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            _ => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Octets(bytes) => {
                let mut hex = String::with_capacity(2 + bytes.len() * 2);
                hex.push_str("0x");
                for byte in bytes {
                    hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
                    hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
                }
                serializer.serialize_str(&hex)
            }
            Self::Integer(number) => serializer.serialize_u64(*number),
            Self::Signed(number) => serializer.serialize_i64(*number),
            Self::Named { name, .. } => serializer.serialize_str(name),
            Self::Address(address) => serializer.collect_str(address),
            Self::Prefix(prefix) => serializer.collect_str(prefix),
            Self::Date(seconds) => match jiff::Timestamp::from_second(i64::from(*seconds)) {
                // As every time in an event: with milliseconds, though RADIUS has none.
                Ok(time) => serializer.collect_str(&format_args!("{time:.3}")),
                Err(_) => serializer.serialize_u32(*seconds),
            },
            Self::Ether([a, b, c, d, e, f]) => {
                serializer.collect_str(&format_args!("{a:02X}-{b:02X}-{c:02X}-{d:02X}-{e:02X}-{f:02X}"))
            }
            Self::Redacted => serializer.serialize_str(REDACTED),
        }
    }
}

/// The attributes of one packet, in its order, repeats included.
///
/// As JSON: an object by name; a name that stands several times holds an array in packet order. Redacted values are
/// left out, so that what is serialised can go into an event as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    /// None yet, with room for so many.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Adds one at the end.
    pub fn push(&mut self, attribute: Attribute) {
        self.0.push(attribute);
    }

    /// All of them, in packet order.
    pub fn iter(&self) -> std::slice::Iter<'_, Attribute> {
        self.0.iter()
    }

    /// Leaves out every value of an attribute.
    pub fn remove(&mut self, id: AttributeId) {
        self.0.retain(|attribute| attribute.id != id);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of an attribute.
    pub fn get(&self, id: AttributeId) -> Option<&Value> {
        self.0.iter().find(|attribute| attribute.id == id).map(|attribute| &attribute.value)
    }

    /// The first value under a dictionary name, compared without case as FreeRADIUS does.
    pub fn by_name(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)).map(|attribute| &attribute.value)
    }
}

impl IntoIterator for Attributes {
    type Item = Attribute;
    type IntoIter = std::vec::IntoIter<Attribute>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Repeats<'a>(&'a [Attribute], &'a str);
        impl Serialize for Repeats<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(
                    self.0.iter().filter(|attribute| *attribute.name == *self.1 && shown(attribute)).map(|a| &a.value),
                )
            }
        }
        fn shown(attribute: &Attribute) -> bool {
            attribute.value != Value::Redacted
        }
        let mut map = serializer.serialize_map(None)?;
        for (at, attribute) in self.0.iter().enumerate().filter(|(_, attribute)| shown(attribute)) {
            let same = |other: &&Attribute| other.name == attribute.name && shown(other);
            if self.0[..at].iter().any(|other| same(&other)) {
                continue;
            }
            if self.0[at + 1..].iter().any(|other| same(&other)) {
                map.serialize_entry(&*attribute.name, &Repeats(&self.0[at..], &attribute.name))?;
            } else {
                map.serialize_entry(&*attribute.name, &attribute.value)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(name: &str, value: Value) -> Attribute {
        Attribute { id: AttributeId::rfc(1), name: name.into(), value }
    }

    #[test]
    fn repeated_names_become_arrays_and_redacted_values_vanish() {
        let attributes = Attributes::from_iter([
            attribute("Class", Value::Octets(Box::new([0xab, 0x01]))),
            attribute("User-Password", Value::Redacted),
            attribute("Cisco-AVPair", Value::Text("a=b".into())),
            attribute("NAS-Port", Value::Integer(7)),
            attribute("Cisco-AVPair", Value::Text("c=d".into())),
            attribute("Event-Timestamp", Value::Date(0)),
        ]);
        assert_eq!(
            serde_json::to_string(&attributes).unwrap(),
            r#"{"Class":"0xab01","Cisco-AVPair":["a=b","c=d"],"NAS-Port":7,"Event-Timestamp":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
