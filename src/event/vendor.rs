//! What vendors say in words of their own: limits that were granted, why a session ended, the device's name.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::radius::{AttributeId, Attributes, Value, numbers};

/// What a login may use up. Octets count as the NAS counts them: `input` comes from the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Session-Timeout (RFC 2865 §5.27), in seconds.
    pub time: Option<u64>,
    /// Octets from the user.
    pub input: Option<u64>,
    /// Octets to the user.
    pub output: Option<u64>,
    /// Octets both ways.
    pub total: Option<u64>,
}

const MIKROTIK: u32 = 14_988;
const CHILLISPOT: u32 = 14_559;
const NOMADIX: u32 = 3_309;
const PFSENSE: u32 = 13_644;
const CISCO: u32 = 9;
const ASCEND: u32 = 529;
const LUCENT: u32 = 4_846;
const HUAWEI: u32 = 2_011;
const RUCKUS: u32 = 25_053;
const PALO_ALTO: u32 = 25_461;
const JUNIPER_ERX: u32 = 4_874;
const NOKIA_SR: u32 = 6_527;

/// Host Name of DHCP (RFC 2132 §3.14).
const DHCP_HOST_NAME: u8 = 12;

/// A host name in DHCP is at most so long.
const MAX_HOST_NAME: usize = 255;

impl Limits {
    /// Reads them out of an accept's attributes, or out of accounting where a NAS repeats them. Volumes in units that
    /// differ from NAS to NAS (Huawei's Remanent-Volume) are left alone.
    pub fn read(attributes: &Attributes) -> Self {
        let (mut limits, mut upper) = (Self::default(), [0_u64; 3]);
        for attribute in attributes.iter() {
            let Some(number) = attribute.value.number() else { continue };
            let AttributeId { vendor, number: kind } = attribute.id;
            match (vendor, kind) {
                _ if attribute.id == numbers::SESSION_TIMEOUT => limits.time = limits.time.or(Some(number)),
                (MIKROTIK | CHILLISPOT, 1) | (NOMADIX, 7) => limits.input = Some(number),
                (MIKROTIK | CHILLISPOT, 2) | (NOMADIX, 8) => limits.output = Some(number),
                (MIKROTIK, 17) | (CHILLISPOT | PFSENSE, 3) => limits.total = Some(number),
                (MIKROTIK, 14) | (CHILLISPOT, 21) => upper[0] = number,
                (MIKROTIK, 15) | (CHILLISPOT, 22) => upper[1] = number,
                (MIKROTIK, 18) | (CHILLISPOT, 23) => upper[2] = number,
                _ => {}
            }
        }
        for (limit, upper) in [&mut limits.input, &mut limits.output, &mut limits.total].into_iter().zip(upper) {
            if upper > 0 {
                *limit = Some(((upper & 0xffff_ffff) << 32).saturating_add(limit.unwrap_or(0)));
            }
            // Nobody is let in to move nothing: 0 is how NASes write "no limit".
            *limit = limit.filter(|limit| *limit > 0);
        }
        limits.time = limits.time.filter(|time| *time > 0);
        limits
    }

    /// These, and where they say nothing, the others.
    pub fn or(self, others: Self) -> Self {
        Self {
            time: self.time.or(others.time),
            input: self.input.or(others.input),
            output: self.output.or(others.output),
            total: self.total.or(others.total),
        }
    }

    /// Whether so much traffic uses one of them up.
    pub fn volume_is_used_up(&self, input: Option<u64>, output: Option<u64>) -> bool {
        let reached = |limit: Option<u64>, used: Option<u64>| matches!((limit, used), (Some(l), Some(u)) if u >= l);
        let total = match (input, output) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        };
        reached(self.input, input) || reached(self.output, output) || reached(self.total, total)
    }
}

/// Why a session ended, where the attribute is a vendor's word on it.
pub(super) fn cause(id: AttributeId, value: &Value) -> Option<String> {
    match (id.vendor, id.number) {
        (CISCO | ASCEND | LUCENT, 195) | (HUAWEI, 181) => match value {
            Value::Named { name, .. } => Some(name.to_string()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Text(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// The name that the device gave itself by DHCP, where the attribute holds it.
pub(super) fn hostname(id: AttributeId, value: &Value) -> Option<Cow<'_, str>> {
    let name: Cow<'_, str> = match (id.vendor, id.number, value) {
        (RUCKUS, 138, Value::Text(text)) | (PALO_ALTO, 9, Value::Text(text)) | (CHILLISPOT, 54, Value::Text(text)) => {
            (&**text).into()
        }
        (JUNIPER_ERX, 55, Value::Octets(options))
        | (NOKIA_SR, 102, Value::Octets(options))
        | (HUAWEI, 187, Value::Octets(options))
        | (CHILLISPOT, 52, Value::Octets(options)) => dhcp_option(options)?.into(),
        // Cisco's device sensor: code and length are two octets each.
        (CISCO, 1, Value::Text(text)) => {
            let option = text.strip_prefix("dhcp-option=")?.as_bytes();
            let rest = option.strip_prefix(&[0, DHCP_HOST_NAME])?;
            let (length, name) = rest.split_first_chunk::<2>()?;
            let name = name.get(..usize::from(u16::from_be_bytes(*length)))?;
            std::str::from_utf8(name).ok()?.into()
        }
        _ => return None,
    };
    let is_name = !name.is_empty() && name.len() <= MAX_HOST_NAME && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

/// The host name among options in the form of RFC 2132 §2: code, length, value.
fn dhcp_option(mut options: &[u8]) -> Option<&str> {
    const PAD: u8 = 0;
    const END: u8 = 255;
    loop {
        match *options {
            [] | [END, ..] => return None,
            [PAD, ref rest @ ..] => options = rest,
            [code, length, ref rest @ ..] => {
                let (value, behind) = rest.split_at_checked(usize::from(length))?;
                if code == DHCP_HOST_NAME {
                    return std::str::from_utf8(value).ok();
                }
                options = behind;
            }
            [_] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::Attribute;

    fn vendor(vendor: u32, number: u32, value: Value) -> Attribute {
        Attribute { id: AttributeId { vendor, number }, name: "x".into(), value }
    }

    #[test]
    fn volumes_of_the_common_vendors_are_limits_gigawords_merged() {
        let of = |pairs: &[(u32, u32, u64)]| {
            Limits::read(&pairs.iter().map(|(v, n, number)| vendor(*v, *n, Value::Integer(*number))).collect())
        };
        assert_eq!(of(&[(0, 27, 3600)]).time, Some(3600));
        assert_eq!(of(&[(MIKROTIK, 17, 1), (MIKROTIK, 18, 1)]).total, Some((1 << 32) + 1));
        assert_eq!(
            of(&[(CHILLISPOT, 1, 500), (NOMADIX, 8, 9)]),
            Limits { input: Some(500), output: Some(9), ..Limits::default() }
        );
        assert_eq!(of(&[(MIKROTIK, 1, 0), (0, 27, 0)]), Limits::default(), "0 is no limit");
        let limits = of(&[(PFSENSE, 3, 100)]);
        assert!(limits.volume_is_used_up(Some(60), Some(40)) && !limits.volume_is_used_up(Some(60), None));
    }

    #[test]
    fn a_host_name_is_found_in_each_vendors_form() {
        let octets = |bytes: &[u8]| Value::Octets(bytes.into());
        let text = |text: &str| Value::Text(text.into());
        let of = |v, n, value: &Value| hostname(AttributeId { vendor: v, number: n }, value).map(Cow::into_owned);
        let name = Some("phone-1".to_owned());
        assert_eq!(of(RUCKUS, 138, &text("phone-1")), name);
        assert_eq!(of(CISCO, 1, &text("dhcp-option=\0\x0c\0\x07phone-1")), name);
        assert_eq!(of(CISCO, 1, &text("dhcp-option=\0\x0c\0\x09phone-1")), None, "cut off");
        assert_eq!(of(JUNIPER_ERX, 55, &octets(b"\x35\x01\x01\0\x0c\x07phone-1\xff")), name);
        for broken in [&b"\x0c"[..], b"\x0c\x09phone-1", b"\xff\x0c\x07phone-1", b"", b"\x0c\x00"] {
            assert_eq!(of(NOKIA_SR, 102, &octets(broken)), None, "{broken:?}");
        }
    }
}
