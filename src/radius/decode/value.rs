//! One value by its data type (RFC 8044 §3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::filter::{self, FILTER_LENGTH};
use crate::radius::Value;
use crate::radius::dictionary::DataType;

/// Reads a value, or nothing if the octets do not fit the type.
pub(super) fn read(kind: DataType, octets: &[u8]) -> Option<Value> {
    Some(match kind {
        DataType::Text => Value::Text(text(octets)),
        // A fixed number is for those who send; any number is shown under the name, as FreeRADIUS does.
        DataType::Octets(_) => Value::Octets(octets.into()),
        DataType::Byte => Value::Integer(u8::from_be_bytes(octets.try_into().ok()?).into()),
        DataType::Short => Value::Integer(u16::from_be_bytes(octets.try_into().ok()?).into()),
        DataType::Integer => Value::Integer(u32::from_be_bytes(octets.try_into().ok()?).into()),
        DataType::Integer64 => Value::Integer(u64::from_be_bytes(octets.try_into().ok()?)),
        DataType::Signed => Value::Signed(i32::from_be_bytes(octets.try_into().ok()?).into()),
        DataType::Date => Value::Date(u32::from_be_bytes(octets.try_into().ok()?)),
        DataType::Ipv4Address => Value::Address(ipv4(octets)?),
        DataType::Ipv6Address => Value::Address(ipv6(octets)?),
        DataType::ComboIp => Value::Address(ipv4(octets).or_else(|| ipv6(octets))?),
        DataType::Ipv4Prefix => Value::Prefix(ipv4_prefix(octets)?),
        DataType::Ipv6Prefix => Value::Prefix(ipv6_prefix(octets)?),
        DataType::InterfaceId => Value::Text(interface_id(octets)?),
        DataType::Ether => Value::Ether(octets.try_into().ok()?),
        DataType::AscendBinary if octets.len() > FILTER_LENGTH => return None,
        DataType::AscendBinary => filter::text(octets).map_or_else(|| Value::Octets(octets.into()), Value::Text),
        // These hold attributes and no value of their own. Where one turns up in a place that cannot be walked into,
        // it is shown as it is.
        DataType::Tlv
        | DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => return None,
    })
}

fn ipv4(octets: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 4] = octets.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

fn ipv6(octets: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = octets.try_into().ok()?;
    Some(Ipv6Addr::from(octets).into())
}

/// A reserved octet, the prefix's length in the low six bits, four octets of address (RFC 8044 §3.11).
fn ipv4_prefix(octets: &[u8]) -> Option<IpNet> {
    let [_reserved, length, address @ ..] = octets else { return None };
    let address: [u8; 4] = address.try_into().ok()?;
    Ipv4Net::new(address.into(), length & 0x3f).ok().map(IpNet::V4)
}

/// A reserved octet, the prefix's length, and as much of the address as the sender cared to send (RFC 3162 §2.3).
fn ipv6_prefix(octets: &[u8]) -> Option<IpNet> {
    let [_reserved, length, address @ ..] = octets else { return None };
    let mut whole = [0; 16];
    whole.get_mut(..address.len())?.copy_from_slice(address);
    Ipv6Net::new(whole.into(), *length).ok().map(IpNet::V6)
}

/// Four groups of hex, as IPv6 addresses are written (RFC 3162 §2.2).
fn interface_id(octets: &[u8]) -> Option<Box<str>> {
    let octets: [u8; 8] = octets.try_into().ok()?;
    let id = u64::from_be_bytes(octets);
    Some(format!("{:x}:{:x}:{:x}:{:x}", id >> 48, id >> 32 & 0xffff, id >> 16 & 0xffff, id & 0xffff).into())
}

/// Text as it is, but for a NUL at its end, which some NASes send as C would and FreeRADIUS leaves out too. Where it
/// is not UTF-8, the octets that are not become `\xNN` and a backslash becomes `\\`, so that the octets can be had
/// back.
fn text(octets: &[u8]) -> Box<str> {
    let octets = octets.strip_suffix(b"\0").unwrap_or(octets);
    if let Ok(text) = std::str::from_utf8(octets) {
        return text.into();
    }
    let mut text = String::with_capacity(octets.len() + 16);
    for chunk in octets.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                text.push('\\');
            }
            text.push(character);
        }
        for octet in chunk.invalid() {
            text.push_str("\\x");
            text.extend([octet >> 4, octet & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(kind: DataType, octets: &[u8]) -> Option<serde_json::Value> {
        read(kind, octets).map(|value| serde_json::to_value(value).unwrap())
    }

    #[test]
    fn rfc8044_3_every_data_type_is_read() {
        use DataType::*;
        let v6 = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5];
        let v6_prefix = [[0, 64].as_slice(), &v6[..8]].concat();
        for (kind, octets, expected) in [
            (Text, b"nemo".as_slice(), json!("nemo")),
            (Octets(None), &[0xab, 1], json!("0xab01")),
            (Octets(Some(2)), &[0xab, 1], json!("0xab01")),
            (Octets(Some(2)), &[0xab], json!("0xab")),
            (Byte, &[255], json!(255)),
            (Short, &[1, 0], json!(256)),
            (Integer, &[255; 4], json!(4_294_967_295_u32)),
            (Integer64, &[255; 8], json!(u64::MAX)),
            (Signed, &[255; 4], json!(-1)),
            (Date, &[0; 4], json!("1970-01-01T00:00:00.000Z")),
            (Ipv4Address, &[192, 0, 2, 1], json!("192.0.2.1")),
            (Ipv6Address, &v6, json!("2001:db8:1:2::5")),
            (ComboIp, &[192, 0, 2, 1], json!("192.0.2.1")),
            (ComboIp, &v6, json!("2001:db8:1:2::5")),
            (Ipv4Prefix, &[0, 24, 192, 0, 2, 0], json!("192.0.2.0/24")),
            (Ipv6Prefix, &v6_prefix, json!("2001:db8:1:2::/64")),
            (Ipv6Prefix, &[0, 0], json!("::/0")),
            (InterfaceId, &[0, 1, 2, 3, 4, 5, 6, 7], json!("1:203:405:607")),
            (Ether, &[0, 0x11, 0x22, 0x33, 0x44, 0xff], json!("00-11-22-33-44-FF")),
        ] {
            assert_eq!(shown(kind, octets), Some(expected), "{kind:?}");
        }
    }

    #[test]
    fn values_of_a_wrong_size_are_not_read() {
        use DataType::*;
        for (kind, octets) in [
            (Byte, [].as_slice()),
            (Short, &[0; 3]),
            (Integer, &[0; 5]),
            (Integer64, &[0; 4]),
            (Signed, &[0; 2]),
            (Date, &[0; 8]),
            (Ipv4Address, &[0; 3]),
            (Ipv6Address, &[0; 4]),
            (ComboIp, &[0; 5]),
            (Ipv4Prefix, &[0, 33, 0, 0, 0, 0]),
            (Ipv4Prefix, &[0, 24, 192]),
            (Ipv6Prefix, &[0, 129]),
            (Ipv6Prefix, &[0; 19]),
            (Ipv6Prefix, &[0]),
            (InterfaceId, &[0; 7]),
            (Ether, &[0; 5]),
        ] {
            assert_eq!(read(kind, octets), None, "{kind:?}");
        }
    }

    #[test]
    fn a_nul_at_the_end_of_a_text_is_left_out_and_others_stay() {
        assert_eq!([text(b"bob\0"), text(b"b\0b\0\0")].map(String::from), ["bob", "b\0b\0"]);
    }

    #[test]
    fn octets_of_a_text_that_is_not_utf_8_can_be_had_back() {
        assert_eq!(&*text(br"DOMAIN\caf\xe9"), r"DOMAIN\caf\xe9", "UTF-8 stays as it is");
        assert_eq!(&*text(b"DOMAIN\\caf\xe9 \xc3\xa9"), r"DOMAIN\\caf\xe9 é");
    }
}
