//! From written values to typed ones, by the dictionary.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::{Pair, Record, Written};
use crate::radius::dictionary::{DataType, Definition, Dictionary, VendorFormat};
use crate::radius::packet::HEADER_LENGTH;
use crate::radius::{Attribute, AttributeId, Attributes, Packet, Value, decode, numbers, redaction};

/// How far from UTC a clock is whose local times are written with the name of a zone.
#[derive(Debug, Clone)]
pub enum Zone {
    /// Nobody can tell.
    Unknown,
    /// As far as this, whatever its name says.
    Offset(SignedDuration),
    /// As this zone has it, if it goes by the same name at that time.
    Of(TimeZone),
}

/// The record's attributes with their types: see [`typed_attributes`].
pub fn attributes(record: &Record, dictionary: &Dictionary) -> Attributes {
    typed_attributes(&record.pairs, dictionary, &zone(record))
}

/// Attributes with their types: as if they had been decoded from a packet, where the dictionary knows their names. A
/// value that does not fit its type stays what is written, and so does that of an unknown name. Secrets are redacted.
pub fn typed_attributes(pairs: &[Pair], dictionary: &Dictionary, zone: &Zone) -> Attributes {
    let mut attributes = Attributes::with_capacity(pairs.len());
    for pair in pairs {
        match numbered(&pair.name, &pair.value, dictionary) {
            Some(decoded) => decoded.iter().cloned().for_each(|attribute| attributes.push(attribute)),
            None => attributes.push(attribute(&pair.name, &pair.value, dictionary, zone)),
        }
    }
    attributes
}

fn attribute(name: &str, written: &Written, dictionary: &Dictionary, zone: &Zone) -> Attribute {
    // `Tunnel-Type:1`.
    let (plain, tag) = match name.rsplit_once(':') {
        Some((plain, tag)) if tag.bytes().all(|digit| digit.is_ascii_digit()) && !tag.is_empty() => (plain, Some(tag)),
        _ => (name, None),
    };
    let Some(definition) = dictionary.by_name(plain) else {
        let id = id_of(plain).unwrap_or(AttributeId::rfc(0));
        let value =
            if is_secret(plain, dictionary) { Value::Redacted } else { redaction::hide_pairs(id, untyped(written)) };
        return Attribute { id, name: name.into(), value };
    };
    let value = if is_secret(plain, dictionary) {
        Value::Redacted
    } else {
        let value = typed(written, definition, dictionary, zone).unwrap_or_else(|| untyped(written));
        redaction::hide_pairs(definition.id, value)
    };
    // As decoding names it: the tag always, 0 where there is none.
    let name = match (definition.flags.has_tag, tag) {
        (true, tag) => format!("{}:{}", definition.name, tag.unwrap_or("0")).into(),
        (false, Some(_)) => name.into(),
        (false, None) => definition.name.clone(),
    };
    Attribute { id: definition.id, name, value }
}

/// Whether a value under this name is a password, a key or the like.
pub fn is_secret(name: &str, dictionary: &Dictionary) -> bool {
    let plain = name.split(':').next().unwrap_or(name);
    match dictionary.by_name(plain) {
        Some(definition) => numbers::is_sensitive(definition.id) || definition.flags.is_sensitive(),
        None => id_of(plain).is_some_and(numbers::is_sensitive) || redaction::names_secret(plain),
    }
}

/// What `Attr-4 = 0x0a00` and `Attr-26.9.1 = 0x613d62` say: FreeRADIUS writes octets under numbers where its
/// dictionary knows no name, or where they do not fit its type. Ours may know more, so that they are decoded as they
/// stood in the packet. None for anything else, and for what nests deeper or in a vendor's own format.
fn numbered(name: &str, written: &Written, dictionary: &Dictionary) -> Option<Attributes> {
    let Written::Bare(word) = written else { return None };
    let id = id_of(name)?;
    let value = hex(word)?;
    let attribute = |number: u32, value: &[u8]| {
        let length = u8::try_from(value.len() + 2).ok()?;
        Some([&[u8::try_from(number).ok()?, length], value].concat())
    };
    let bytes = match name.split('.').count() {
        1 => attribute(id.number, &value)?,
        3 if id.vendor != 0 && dictionary.vendor_format(id.vendor) == VendorFormat::default() => {
            let inside = attribute(id.number, &value)?;
            attribute(numbers::VENDOR_SPECIFIC.number, &[id.vendor.to_be_bytes().as_slice(), &inside].concat())?
        }
        _ => return None,
    };
    let mut packet = vec![0; HEADER_LENGTH];
    packet[2..4].copy_from_slice(&u16::try_from(HEADER_LENGTH + bytes.len()).ok()?.to_be_bytes());
    packet.extend(bytes);
    let decoded = decode(&Packet::parse(&packet).ok()?, dictionary);
    (!decoded.is_empty()).then_some(decoded)
}

/// The place of `Attr-N` and `Attr-26.vendor.N`, however deep it goes on.
fn id_of(name: &str) -> Option<AttributeId> {
    let mut numbers = name.strip_prefix("Attr-")?.split('.').map(|number| number.parse::<u32>().ok());
    let first = numbers.next()??;
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(vendor), Some(number)) if first == numbers::VENDOR_SPECIFIC.number => {
            Some(AttributeId { vendor, number })
        }
        _ => Some(AttributeId::rfc(first)),
    }
}

fn untyped(written: &Written) -> Value {
    match written {
        Written::Quoted(octets) => text(octets),
        Written::Bare(word) => hex(word).map_or_else(|| Value::Text(word.as_str().into()), Value::Octets),
    }
}

/// As decoding shows a text: octets that are not UTF-8 as `\xNN`, and then a backslash as two.
fn text(octets: &[u8]) -> Value {
    if let Ok(text) = std::str::from_utf8(octets) {
        return Value::Text(text.into());
    }
    let mut text = String::new();
    for chunk in octets.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for octet in chunk.invalid() {
            text.push_str(&format!("\\x{octet:02x}"));
        }
    }
    Value::Text(text.into())
}

fn hex(word: &str) -> Option<Box<[u8]>> {
    let digits = word.strip_prefix("0x").filter(|digits| digits.len().is_multiple_of(2))?;
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

fn typed(written: &Written, definition: &Definition, dictionary: &Dictionary, zone: &Zone) -> Option<Value> {
    let word = match written {
        Written::Bare(word) => word.as_str(),
        // A date and a filter are quoted too.
        Written::Quoted(octets) => match definition.kind {
            DataType::Text | DataType::AscendBinary => return Some(text(octets)),
            DataType::Octets(_) => return Some(Value::Octets(octets.as_slice().into())),
            _ => std::str::from_utf8(octets).ok()?,
        },
    };
    Some(match definition.kind {
        DataType::Text => Value::Text(word.into()),
        DataType::Byte | DataType::Short | DataType::Integer | DataType::Integer64 => {
            integer(word, definition, dictionary)?
        }
        DataType::Signed => Value::Signed(word.parse().ok()?),
        DataType::Date => Value::Date(date(word, zone)?),
        DataType::Ipv4Address | DataType::Ipv6Address | DataType::ComboIp => Value::Address(word.parse().ok()?),
        DataType::Ipv4Prefix | DataType::Ipv6Prefix => Value::Prefix(prefix(word)?),
        DataType::InterfaceId => Value::Text(word.into()),
        DataType::Ether => Value::Ether(ether(word)?),
        DataType::Octets(_)
        | DataType::AscendBinary
        | DataType::Tlv
        | DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => Value::Octets(hex(word)?),
    })
}

/// A number, or the name of one.
fn integer(word: &str, definition: &Definition, dictionary: &Dictionary) -> Option<Value> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    let number = number.or_else(|| dictionary.value_number(definition, word))?;
    Some(match dictionary.value_name(definition, number) {
        Some(name) => Value::Named { number, name: name.clone() },
        None => Value::Integer(number),
    })
}

fn prefix(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

fn ether(word: &str) -> Option<[u8; 6]> {
    let octets: Option<Vec<u8>> = word.split([':', '-']).map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets?.try_into().ok()
}

/// Seconds since 1970: as a number, with a zone in figures, or as FreeRADIUS writes it, `Nov 22 2026 10:15:30 CET`,
/// where `zone` says how far that is from UTC.
fn date(word: &str, zone: &Zone) -> Option<u32> {
    if let Ok(seconds) = word.parse() {
        return Some(seconds);
    }
    if let Ok(time) = word.parse::<Timestamp>() {
        return time.as_second().try_into().ok();
    }
    let (local, name) = word.rsplit_once(' ')?;
    let local = strtime::parse("%b %d %Y %H:%M:%S", local).ok()?.to_datetime().ok()?;
    let offset = if matches!(name, "UTC" | "GMT") { SignedDuration::ZERO } else { zone.offset(local, name)? };
    seconds(local).checked_sub(offset.as_secs())?.try_into().ok()
}

impl Zone {
    /// How far `local` is from UTC, where `name` stands behind it.
    fn offset(&self, local: DateTime, name: &str) -> Option<SignedDuration> {
        let zone = match self {
            Self::Unknown => return None,
            Self::Offset(offset) => return Some(*offset),
            Self::Of(zone) => zone,
        };
        // In the hour that comes twice a year, the name tells which of the two it is.
        let (first, second) = match zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => (offset, offset),
            AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after } => (before, after),
        };
        [first, second].into_iter().find_map(|offset| {
            let time = offset.to_timestamp(local).ok()?;
            let goes_by_it = zone.to_offset_info(time).abbreviation() == name;
            goes_by_it.then(|| SignedDuration::from_secs(offset.seconds().into()))
        })
    }
}

/// How far the server's clock is from UTC: its header tells the local time of `Timestamp`. Whoever runs radhook may
/// live elsewhere.
fn zone(record: &Record) -> Zone {
    let offset = || {
        let offset = seconds(record.local_time()?) - record.time()?.as_second();
        // Both are read from the clock one after the other; zones differ in quarters of an hour, and not by days.
        let rounded = (offset + 450).div_euclid(900) * 900;
        ((offset - rounded).abs() <= 5 && rounded.abs() <= 15 * 3600).then(|| SignedDuration::from_secs(rounded))
    };
    offset().map_or(Zone::Unknown, Zone::Offset)
}

fn seconds(civil: DateTime) -> i64 {
    civil.to_zoned(TimeZone::UTC).map_or(0, |time| time.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::dictionary::Loader;
    use crate::trace::detail::Reader;

    fn shown(text: &str) -> serde_json::Value {
        shown_by(&Dictionary::shipped(), text)
    }

    fn shown_by(dictionary: &Dictionary, text: &str) -> serde_json::Value {
        let mut attributes_read = Vec::new();
        let mut reader = Reader::default();
        reader.push(text.as_bytes(), |record| attributes_read.push(attributes(&record.unwrap(), dictionary)));
        assert_eq!(attributes_read.len(), 1);
        serde_json::to_value(&attributes_read[0]).unwrap()
    }

    #[test]
    fn values_have_the_types_of_the_dictionary() {
        let read = shown(
            "Sun Nov 22 11:15:31 2026\n\tUser-Name = \"bob\"\n\tService-Type = Framed-User\n\tNAS-Port = 7\n\
             \tNAS-IP-Address = 10.0.0.1\n\tFramed-IPv6-Prefix = 2001:db8::/64\n\tClass = 0xab01\n\
             \tEvent-Timestamp = \"Nov 22 2026 11:15:30 CET\"\n\tTunnel-Type:1 = VLAN\n\tTunnel-Medium-Type = IEEE-802\n\
             \tAttr-4 = 0x0a000002\n\tAttr-4 = 0x0a\n\tAcct-Session-Time = lots\n\tX-Unknown = \"x\"\n\tX-Number = 5\n\tAttr-26.32473.250 = 0x61\n\
             \tTimestamp = 1795342530\n\n",
        );
        assert_eq!(
            read,
            serde_json::json!({
                "User-Name": "bob", "Service-Type": "Framed-User", "NAS-Port": 7, "NAS-IP-Address": ["10.0.0.1", "10.0.0.2"], "Attr-4": "0x0a",
                "Framed-IPv6-Prefix": "2001:db8::/64", "Class": "0xab01",
                "Event-Timestamp": "2026-11-22T10:15:30.000Z", "Tunnel-Type:1": "VLAN",
                "Tunnel-Medium-Type:0": "IEEE-802", "Acct-Session-Time": "lots", "X-Unknown": "x", "X-Number": "5",
                "Attr-26.32473.250": "0x61", "Timestamp": "1795342530",
            })
        );
    }

    #[test]
    fn a_date_needs_a_zone_that_is_known() {
        let date = |header: &str, zone: &str, stamp: &str| {
            shown(&format!("{header}\n\tEvent-Timestamp = \"Nov 22 2026 10:15:30 {zone}\"\n{stamp}\n"))["Event-Timestamp"].clone()
        };
        let now = "\tTimestamp = 1795342530\n";
        assert_eq!(date("whenever", "UTC", ""), "2026-11-22T10:15:30.000Z");
        assert_eq!(date("Sun Nov 22 05:15:30 2026", "EST", now), "2026-11-22T15:15:30.000Z");
        assert_eq!(date("whenever", "CET", now), "Nov 22 2026 10:15:30 CET");
        assert_eq!(date("Sun Nov 22 10:16:40 2026", "CET", now), "Nov 22 2026 10:15:30 CET");
    }

    #[test]
    fn a_zone_of_rules_tells_summer_from_winter_by_name() {
        let berlin = Zone::Of(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let at =
            |word: &str| date(word, &berlin).map(|seconds| Timestamp::from_second(seconds.into()).unwrap().to_string());
        assert_eq!(at("Nov 22 2026 10:15:30 CET").as_deref(), Some("2026-11-22T09:15:30Z"));
        assert_eq!(at("Jul 22 2026 10:15:30 CEST").as_deref(), Some("2026-07-22T08:15:30Z"));
        assert_eq!(at("Oct 25 2026 02:30:00 CEST").as_deref(), Some("2026-10-25T00:30:00Z"));
        assert_eq!(at("Oct 25 2026 02:30:00 CET").as_deref(), Some("2026-10-25T01:30:00Z"));
        assert_eq!(at("Nov 22 2026 10:15:30 EST"), None, "another host's clock");
    }

    #[test]
    fn secrets_are_not_shown_whoever_knows_their_names() {
        let read = shown(
            "now\n\tUser-Name = \"bob\"\n\tUser-Password = \"hunter2\"\n\tCleartext-Password = \"hunter2\"\n\
             \tAttr-26.311.16 = 0x68756e74657232\n\tEAP-Message = 0x68756e74657232\n\tMy-WPA-Key = \"hunter2\"\n\
             \tCisco-AVPair = \"psk=hunter2\"\n\tTmp-String-0 = \"psk=hunter2\"\n\tX-Unknown = \"a, psk=hunter2\"\n\n",
        );
        assert_eq!(
            read,
            serde_json::json!({
                "User-Name": "bob", "Cisco-AVPair": "psk=[redacted]", "Tmp-String-0": "psk=[redacted]",
                "X-Unknown": "a, psk=[redacted]",
            })
        );
        let mut loader = Loader::empty();
        loader.text("test", "ATTRIBUTE Cleartext-Password 1100 string\nATTRIBUTE EAP-Type 1018 string\n").unwrap();
        let (unmarked, _) = loader.finish();
        let read = shown_by(&unmarked, "now\n\tCleartext-Password = \"hunter2\"\n\tEAP-Type = \"PEAP\"\n\n");
        assert_eq!(read, serde_json::json!({ "EAP-Type": "PEAP" }));
    }
}
