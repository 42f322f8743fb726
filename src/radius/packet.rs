//! The packet on the wire: RFC 2865 §3, and the walk over its attributes (§5).
//!
//! Parsing checks every length once and allocates nothing; afterwards everything works on the slice that the
//! Length field names. Octets behind it are padding and take no part in anything, not even an authenticator.

use std::fmt;

use super::numbers;

/// Code, Identifier, Length and Authenticator: the least a packet can be (RFC 2865 §3).
pub const HEADER_LENGTH: usize = 20;
/// The most a packet may be (RFC 2865 §3).
pub const MAX_LENGTH: usize = 4096;
/// Octets in an authenticator (RFC 2865 §3).
pub const AUTHENTICATOR_LENGTH: usize = 16;
/// Type and Length: the least an attribute can be (RFC 2865 §5).
const ATTRIBUTE_HEADER_LENGTH: usize = 2;

/// The Code of a packet (RFC 2865 §3, RFC 2866 §3, RFC 5176 §2.3, RFC 5997 §2). Any octet is one; the named ones are
/// the constants.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u8);

impl Code {
    /// RFC 2865 §4.1.
    pub const ACCESS_REQUEST: Self = Self(1);
    /// RFC 2865 §4.2.
    pub const ACCESS_ACCEPT: Self = Self(2);
    /// RFC 2865 §4.3.
    pub const ACCESS_REJECT: Self = Self(3);
    /// RFC 2866 §4.1.
    pub const ACCOUNTING_REQUEST: Self = Self(4);
    /// RFC 2866 §4.2.
    pub const ACCOUNTING_RESPONSE: Self = Self(5);
    /// RFC 2865 §4.4.
    pub const ACCESS_CHALLENGE: Self = Self(11);
    /// RFC 5997.
    pub const STATUS_SERVER: Self = Self(12);
    /// Reserved by RFC 2865 §3.
    pub const STATUS_CLIENT: Self = Self(13);
    /// RFC 5176 §2.1.
    pub const DISCONNECT_REQUEST: Self = Self(40);
    /// RFC 5176 §2.1.
    pub const DISCONNECT_ACK: Self = Self(41);
    /// RFC 5176 §2.1.
    pub const DISCONNECT_NAK: Self = Self(42);
    /// RFC 5176 §2.2.
    pub const COA_REQUEST: Self = Self(43);
    /// RFC 5176 §2.2.
    pub const COA_ACK: Self = Self(44);
    /// RFC 5176 §2.2.
    pub const COA_NAK: Self = Self(45);

    /// The code of this name, compared without case.
    pub fn named(name: &str) -> Option<Self> {
        (0..=u8::MAX).map(Self).find(|code| code.name().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Whether it is a request or reply of dynamic authorization (RFC 5176), where the NAS is asked.
    pub const fn is_dynamic_authorization(self) -> bool {
        matches!(
            self,
            Self::COA_REQUEST
                | Self::COA_ACK
                | Self::COA_NAK
                | Self::DISCONNECT_REQUEST
                | Self::DISCONNECT_ACK
                | Self::DISCONNECT_NAK
        )
    }

    /// Its name in the RFCs, where it has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ACCESS_REQUEST => "Access-Request",
            Self::ACCESS_ACCEPT => "Access-Accept",
            Self::ACCESS_REJECT => "Access-Reject",
            Self::ACCOUNTING_REQUEST => "Accounting-Request",
            Self::ACCOUNTING_RESPONSE => "Accounting-Response",
            Self::ACCESS_CHALLENGE => "Access-Challenge",
            Self::STATUS_SERVER => "Status-Server",
            Self::STATUS_CLIENT => "Status-Client",
            Self::DISCONNECT_REQUEST => "Disconnect-Request",
            Self::DISCONNECT_ACK => "Disconnect-ACK",
            Self::DISCONNECT_NAK => "Disconnect-NAK",
            Self::COA_REQUEST => "CoA-Request",
            Self::COA_ACK => "CoA-ACK",
            Self::COA_NAK => "CoA-NAK",
            _ => return None,
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Code-{}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a datagram is no RADIUS packet. Always the sender's fault: RFC 2865 §3 asks to discard it silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Not even a header.
    #[error("the datagram has {actual} octets, a packet has at least {HEADER_LENGTH}")]
    DatagramTooShort {
        /// Octets received.
        actual: usize,
    },
    /// The Length field is below the header's size.
    #[error("the length field says {length}, a packet has at least {HEADER_LENGTH} octets")]
    LengthTooSmall {
        /// What the Length field says.
        length: usize,
    },
    /// The Length field is above the protocol's limit.
    #[error("the length field says {length}, a packet has at most {MAX_LENGTH} octets")]
    LengthTooLarge {
        /// What the Length field says.
        length: usize,
    },
    /// The Length field names more than arrived.
    #[error("the length field says {length}, but only {actual} octets arrived")]
    Truncated {
        /// What the Length field says.
        length: usize,
        /// Octets received.
        actual: usize,
    },
    /// A single octet is left behind the last attribute: no room for its type and length.
    #[error("attribute {number} at octet {offset} ends behind its type")]
    AttributeHeader {
        /// The attribute's type.
        number: u8,
        /// Where it begins in the packet.
        offset: usize,
    },
    /// An attribute's length does not even cover its own type and length.
    #[error("attribute {number} at octet {offset} has length {length}, the least is {ATTRIBUTE_HEADER_LENGTH}")]
    AttributeTooShort {
        /// The attribute's type.
        number: u8,
        /// Where it begins in the packet.
        offset: usize,
        /// What its length says.
        length: usize,
    },
    /// An attribute runs past the end of the packet.
    #[error("attribute {number} at octet {offset} has length {length}, but only {left} octets are left")]
    AttributeTooLong {
        /// The attribute's type.
        number: u8,
        /// Where it begins in the packet.
        offset: usize,
        /// What its length says.
        length: usize,
        /// Octets from its begin to the packet's end.
        left: usize,
    },
}

/// A packet whose lengths are right. Borrowed from the datagram; nothing is copied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Exactly the octets of the Length field, walked once.
    bytes: &'a [u8],
    header: &'a [u8; HEADER_LENGTH],
}

impl<'a> Packet<'a> {
    /// Reads a datagram by the rules of RFC 2865 §3 and §5. Octets behind the Length field are ignored.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let actual = datagram.len();
        let header: &[u8; HEADER_LENGTH] = datagram.first_chunk().ok_or(PacketError::DatagramTooShort { actual })?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if length < HEADER_LENGTH {
            return Err(PacketError::LengthTooSmall { length });
        }
        if length > MAX_LENGTH {
            return Err(PacketError::LengthTooLarge { length });
        }
        let bytes = datagram.get(..length).ok_or(PacketError::Truncated { length, actual })?;
        let mut cursor = Cursor { bytes, offset: HEADER_LENGTH };
        while let Some(attribute) = cursor.next() {
            attribute?;
        }
        Ok(Self { bytes, header })
    }

    /// What kind of packet it is.
    pub fn code(&self) -> Code {
        Code(self.header[0])
    }

    /// The number that pairs a reply with its request.
    pub fn identifier(&self) -> u8 {
        self.header[1]
    }

    /// The Request or Response Authenticator, unverified.
    pub fn authenticator(&self) -> &'a [u8; AUTHENTICATOR_LENGTH] {
        self.header.last_chunk().expect("a header is longer than an authenticator")
    }

    /// The packet's octets, without any padding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The attributes in their order, repeats included.
    pub fn attributes(&self) -> RawAttributes<'a> {
        RawAttributes(Cursor { bytes: self.bytes, offset: HEADER_LENGTH })
    }

    /// The value of the first attribute of this type in the RFC space.
    pub fn first(&self, number: u8) -> Option<&'a [u8]> {
        self.attributes().find(|attribute| attribute.number == number).map(|attribute| attribute.value)
    }
}

impl fmt::Debug for Packet<'_> {
    /// Code, identifier and length only: attributes may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} id {} of {} octets", self.code(), self.identifier(), self.bytes.len())
    }
}

/// One attribute as it stands in the packet (RFC 2865 §5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// Its Type.
    pub number: u8,
    /// Its Value, 0 to 253 octets.
    pub value: &'a [u8],
    /// Where its Type octet stands in the packet.
    pub offset: usize,
}

impl<'a> RawAttribute<'a> {
    /// Of a Vendor-Specific (RFC 2865 §5.26): the vendor's number and what the vendor says, to be walked as a
    /// [`Row`](super::row::Row) in the vendor's format. None for any other attribute, and for one that is too short.
    pub fn vendor(&self) -> Option<(u32, &'a [u8])> {
        if u32::from(self.number) != numbers::VENDOR_SPECIFIC.number {
            return None;
        }
        self.value.split_first_chunk().map(|(vendor, rest)| (u32::from_be_bytes(*vendor), rest))
    }
}

/// The walk over a packet's attributes.
#[derive(Clone)]
pub struct RawAttributes<'a>(Cursor<'a>);

impl<'a> Iterator for RawAttributes<'a> {
    type Item = RawAttribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // Parsing has walked the same octets without an error, so `ok` hides none.
        self.0.next()?.ok()
    }
}

/// Reads attributes one after the other and cannot run past the end.
#[derive(Clone)]
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<Result<RawAttribute<'a>, PacketError>> {
        let offset = self.offset;
        let rest = self.bytes.get(offset..)?;
        let (number, length) = match *rest {
            [] => return None,
            [number] => return Some(Err(PacketError::AttributeHeader { number, offset })),
            [number, length, ..] => (number, usize::from(length)),
        };
        if length < ATTRIBUTE_HEADER_LENGTH {
            return Some(Err(PacketError::AttributeTooShort { number, offset, length }));
        }
        let Some(value) = rest.get(ATTRIBUTE_HEADER_LENGTH..length) else {
            return Some(Err(PacketError::AttributeTooLong { number, offset, length, left: rest.len() }));
        };
        self.offset = offset + length;
        Some(Ok(RawAttribute { number, value, offset }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::sample;

    #[test]
    fn a_packet_is_walked_in_order_with_its_offsets() {
        let packet = sample::rfc2865_7_1_request();
        let packet = Packet::parse(&packet).unwrap();
        assert_eq!((packet.code(), packet.identifier()), (Code::ACCESS_REQUEST, 0));
        let seen: Vec<_> = packet.attributes().map(|a| (a.number, a.offset, a.value.len())).collect();
        assert_eq!(seen, [(1, 20, 4), (2, 26, 16), (4, 44, 4), (5, 50, 4)]);
        assert_eq!(packet.first(1), Some(b"nemo".as_slice()));
        assert_eq!(packet.first(31), None);
    }

    #[test]
    fn padding_behind_the_length_field_is_ignored() {
        let exact = sample::rfc2865_7_1_request();
        let mut padded = exact.clone();
        padded.extend([0xff; 100]);
        assert_eq!(Packet::parse(&padded).unwrap().bytes(), exact);
    }

    #[test]
    fn lengths_outside_the_protocol_are_refused_with_their_figures() {
        let header = |length: u16| {
            let mut bytes = vec![1, 0];
            bytes.extend(length.to_be_bytes());
            bytes.resize(5000, 0);
            bytes
        };
        assert_eq!(Packet::parse(&header(19)), Err(PacketError::LengthTooSmall { length: 19 }));
        assert_eq!(Packet::parse(&header(4097)), Err(PacketError::LengthTooLarge { length: 4097 }));
        assert!(Packet::parse(&header(20)).is_ok());
        assert_eq!(Packet::parse(&[1; 19]), Err(PacketError::DatagramTooShort { actual: 19 }));
        assert_eq!(Packet::parse(&header(21)[..20]), Err(PacketError::Truncated { length: 21, actual: 20 }));
    }

    #[test]
    fn an_attribute_that_does_not_fit_is_an_error_at_its_offset() {
        let with = |attributes: &[u8]| sample::packet(4, 1, attributes);
        let error = |attributes: &[u8]| Packet::parse(&with(attributes)).unwrap_err();
        let (number, offset) = (9, 23);
        assert_eq!(error(&[1, 3, b'a', 9]), PacketError::AttributeHeader { number, offset });
        assert_eq!(error(&[1, 3, b'a', 9, 1]), PacketError::AttributeTooShort { number, offset, length: 1 });
        assert_eq!(error(&[1, 3, b'a', 9, 0]), PacketError::AttributeTooShort { number, offset, length: 0 });
        assert_eq!(error(&[1, 3, b'a', 9, 4, 0]), PacketError::AttributeTooLong { number, offset, length: 4, left: 3 });
        assert!(Packet::parse(&with(&[1, 2, 9, 2])).is_ok());
    }

    #[test]
    fn a_packet_of_4096_octets_is_read_whole() {
        let mut attributes = Vec::new();
        while attributes.len() + 255 <= MAX_LENGTH - HEADER_LENGTH {
            attributes.extend([25, 255]);
            attributes.extend([b'x'; 253]);
        }
        let left = MAX_LENGTH - HEADER_LENGTH - attributes.len();
        attributes.extend([25, u8::try_from(left).unwrap()]);
        attributes.resize(MAX_LENGTH - HEADER_LENGTH, b'x');
        let bytes = sample::packet(4, 1, &attributes);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.bytes().len(), MAX_LENGTH);
        let octets: usize = packet.attributes().map(|attribute| attribute.value.len() + 2).sum();
        assert_eq!(octets, MAX_LENGTH - HEADER_LENGTH);
    }
}
