//! The records a dictionary is made of.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Place, Space};
use crate::radius::AttributeId;

/// One attribute: what a number is called and what its value holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its vendor and number; for a nested attribute, those of the top-level attribute around it.
    pub id: AttributeId,
    /// Its name.
    pub name: Arc<str>,
    /// How its value is read.
    pub kind: DataType,
    /// What else is to be known about it.
    pub flags: Flags,
    /// Where it stands: the key to its values and to the attributes inside it.
    pub place: Place,
    /// The numbers that lead to it, from the top: `[241, 1]` for 241.1. For what stands in an `evs` attribute, the
    /// vendor is one of them: `[245, 26, 11344, 1]`.
    pub path: Box<[u32]>,
}

impl Definition {
    /// Where the attributes inside it are looked up.
    pub fn inside(&self) -> Space {
        Space::Inside(self.place)
    }
}

/// How a value is read: FreeRADIUS's names, RFC 8044's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// `string`: text (RFC 8044 §3.4).
    Text,
    /// `octets`, with their number where it should always be the same (§3.5).
    Octets(Option<u16>),
    /// `byte`, `uint8`.
    Byte,
    /// `short`, `uint16`.
    Short,
    /// `integer`, `uint32` (§3.1).
    Integer,
    /// `integer64`, `uint64` (§3.12).
    Integer64,
    /// `signed`, `int32`.
    Signed,
    /// `date` (§3.3).
    Date,
    /// `ipaddr` (§3.8).
    Ipv4Address,
    /// `ipv6addr` (§3.9).
    Ipv6Address,
    /// `combo-ip`: either of the two, told by its size.
    ComboIp,
    /// `ipv4prefix` (§3.11).
    Ipv4Prefix,
    /// `ipv6prefix` (§3.10).
    Ipv6Prefix,
    /// `ifid` (§3.7).
    InterfaceId,
    /// `ether`.
    Ether,
    /// `abinary`: Ascend's packet filters.
    AscendBinary,
    /// `tlv` (§3.13).
    Tlv,
    /// `vsa` (§3.14).
    VendorSpecific,
    /// `extended` (§3.15).
    Extended,
    /// `long-extended` (§3.16).
    LongExtended,
    /// `evs` (§3.17).
    ExtendedVendorSpecific,
}

impl DataType {
    /// The type of a dictionary's word, compared without case.
    pub fn from_keyword(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if let Some(size) = word.strip_prefix("octets[") {
            return size.strip_suffix(']')?.parse().ok().map(|size| Self::Octets(Some(size)));
        }
        Some(match word.as_str() {
            "string" | "text" => Self::Text,
            "octets" => Self::Octets(None),
            "byte" | "uint8" => Self::Byte,
            "short" | "uint16" => Self::Short,
            "integer" | "uint32" => Self::Integer,
            "integer64" | "uint64" => Self::Integer64,
            "signed" | "int32" => Self::Signed,
            "date" => Self::Date,
            "ipaddr" | "ipv4addr" => Self::Ipv4Address,
            "ipv6addr" => Self::Ipv6Address,
            "combo-ip" => Self::ComboIp,
            "ipv4prefix" | "cidr" => Self::Ipv4Prefix,
            "ipv6prefix" => Self::Ipv6Prefix,
            "ifid" => Self::InterfaceId,
            "ether" => Self::Ether,
            "abinary" => Self::AscendBinary,
            "tlv" => Self::Tlv,
            "vsa" => Self::VendorSpecific,
            "extended" => Self::Extended,
            "long-extended" => Self::LongExtended,
            "evs" => Self::ExtendedVendorSpecific,
            _ => return None,
        })
    }

    /// Whether a value of this type can be a password or a key.
    pub(super) fn may_be_secret(self) -> bool {
        matches!(self, Self::Text | Self::Octets(_) | Self::Tlv)
    }
}

/// What a dictionary says about an attribute beside its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The value begins with a tag (RFC 2868 §3).
    pub has_tag: bool,
    /// The value is encrypted on the wire.
    pub encrypt: Option<Encryption>,
    /// The value may be split over adjacent attributes.
    pub concat: bool,
    /// The value holds several of its type.
    pub array: bool,
    /// It never stands in a packet.
    pub internal: bool,
    /// Its value is not to be shown.
    pub secret: bool,
}

impl Flags {
    /// Whether its value is not to be shown: marked so, or worth encrypting.
    pub fn is_sensitive(self) -> bool {
        self.secret || self.encrypt.is_some()
    }

    /// Sets the flag of a dictionary's word, compared without case. False if there is no such flag.
    pub fn set(&mut self, word: &str) -> bool {
        match word.to_ascii_lowercase().as_str() {
            "has_tag" => self.has_tag = true,
            "encrypt=1" => self.encrypt = Some(Encryption::UserPassword),
            "encrypt=2" => self.encrypt = Some(Encryption::TunnelPassword),
            "encrypt=3" => self.encrypt = Some(Encryption::AscendSecret),
            "concat" => self.concat = true,
            "array" => self.array = true,
            "virtual" => self.internal = true,
            "secret" => self.secret = true,
            // What stands between two commas that follow each other.
            "" => {}
            _ => return false,
        }
        true
    }
}

/// How a value is encrypted on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// `encrypt=1`: as User-Password (RFC 2865 §5.2).
    UserPassword,
    /// `encrypt=2`: as Tunnel-Password, salted (RFC 2868 §3.5).
    TunnelPassword,
    /// `encrypt=3`: as Ascend-Send-Secret.
    AscendSecret,
}

/// How a vendor writes its attributes inside Vendor-Specific: `format=T,L` of a VENDOR line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VendorFormat {
    /// Octets of the type: 1, 2 or 4.
    pub type_octets: u8,
    /// Octets of the length: 0 (the rest is the value), 1 or 2.
    pub length_octets: u8,
    /// An octet of flags follows; its top bit says that the value goes on in the next one (WiMAX).
    pub continuation: bool,
}

impl VendorFormat {
    /// The format of a dictionary's word: `format=T,L` or `format=T,L,c`.
    pub fn from_keyword(word: &str) -> Option<Self> {
        let format = word.strip_prefix("format=")?;
        let (octets, continuation) = match format.strip_suffix(",c") {
            Some(octets) => (octets, true),
            None => (format, false),
        };
        let (type_octets, length_octets) = match octets {
            "1,0" => (1, 0),
            "1,1" => (1, 1),
            "1,2" => (1, 2),
            "2,0" => (2, 0),
            "2,1" => (2, 1),
            "2,2" => (2, 2),
            "4,0" => (4, 0),
            "4,1" => (4, 1),
            "4,2" => (4, 2),
            _ => return None,
        };
        // Continuation is WiMAX's, and there is no other layout of its octet of flags.
        let known = !continuation || (type_octets, length_octets) == (1, 1);
        known.then_some(Self { type_octets, length_octets, continuation })
    }
}

impl Default for VendorFormat {
    /// What RFC 2865 §5.26 recommends.
    fn default() -> Self {
        Self { type_octets: 1, length_octets: 1, continuation: false }
    }
}

/// A number's definition with the names of its values.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub definition: Definition,
    /// The attribute that it stands in.
    pub around: Option<Place>,
    pub values: BTreeMap<u64, Arc<str>>,
    /// By name in lower case.
    pub value_names: HashMap<Box<str>, u64>,
}

/// One VENDOR.
#[derive(Debug, Clone)]
pub(super) struct Vendor {
    pub name: Arc<str>,
    pub format: VendorFormat,
}
