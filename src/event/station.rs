//! Stations: MAC addresses and SSIDs out of Calling-Station-Id and Called-Station-Id (RFC 3580 §3.20, §3.21).

use std::fmt;

/// A MAC address, shown in capitals with hyphens as RFC 3580 §3.20 wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Reads a whole text in any usual notation: `aa:bb:cc:dd:ee:ff`, `AA-BB-…`, `aabb.ccdd.eeff`, `aabbccddeeff`,
    /// `aabbcc-ddeeff`.
    pub fn parse(text: &str) -> Option<Self> {
        match Self::split(text) {
            Some((mac, "")) => Some(mac),
            _ => None,
        }
    }

    /// Whether nobody's factory gave it: the bit for locally administered addresses is set (IEEE 802 §8.4), as in those that
    /// phones make up for each network.
    pub fn is_local(self) -> bool {
        self.0[0] & 0b10 != 0
    }

    /// Reads a MAC at the start of `text` and returns what stands behind it.
    fn split(text: &str) -> Option<(Self, &str)> {
        let mut mac = [0; 6];
        let mut digits = 0;
        let mut separator = None;
        let mut since_separator = 0;
        for (at, character) in text.char_indices() {
            if let Some(digit) = character.to_digit(16) {
                mac[digits / 2] = mac[digits / 2] << 4 | digit as u8;
                digits += 1;
                since_separator += 1;
                if digits == 12 {
                    return Some((Self(mac), &text[at + 1..]));
                }
            } else if matches!(character, ':' | '-' | '.')
                && separator.is_none_or(|first| first == character)
                && matches!(since_separator, 2 | 4 | 6)
            {
                separator = Some(character);
                since_separator = 0;
            } else {
                return None;
            }
        }
        None
    }
}

const DIGITS: [u8; 16] = *b"0123456789ABCDEF";

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Written for every packet, several times: formatting numbers costs ten times as much.
        let mut text = [b'-'; 17];
        for (octet, digits) in self.0.iter().zip(text.chunks_mut(3)) {
            digits[0] = DIGITS[usize::from(octet >> 4)];
            digits[1] = DIGITS[usize::from(octet & 15)];
        }
        f.write_str(std::str::from_utf8(&text).expect("digits and hyphens"))
    }
}

/// What a Called-Station-Id says of the access point: its MAC and, behind a colon, the SSID. `None` where it does not
/// begin with a MAC (a phone number, a host name).
pub fn access_point(called_station_id: &str) -> Option<(Mac, Option<&str>)> {
    let (mac, rest) = Mac::split(called_station_id)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((mac, None)),
        None => None,
        Some("") => Some((mac, None)),
        Some(ssid) => Some((mac, Some(ssid))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_notation_is_the_same_mac() {
        for text in [
            "aa:bb:cc:dd:ee:0f",
            "AA-BB-CC-DD-EE-0F",
            "aabb.ccdd.ee0f",
            "aabbccddee0f",
            "AABBCC-DDEE0F",
            "aabb-ccdd-ee0f",
        ] {
            assert_eq!(Mac::parse(text).map(|mac| mac.to_string()).as_deref(), Some("AA-BB-CC-DD-EE-0F"), "{text}");
        }
    }

    #[test]
    fn an_address_that_a_phone_made_up_is_told_from_one_of_a_factory() {
        let is_local = |text| Mac::parse(text).unwrap().is_local();
        assert!(is_local("da:a1:19:00:00:01") && is_local("02-00-00-00-00-00"));
        assert!(!is_local("00-11-22-33-44-55") && !is_local("aabb.ccdd.eeff".replace("aa", "a8").as_str()));
    }

    #[test]
    fn what_is_no_mac_is_none() {
        for text in [
            "",
            "alice",
            "+491701234567",
            "10.1.2.3",
            "aa:bb:cc:dd:ee",
            "aa:bb-cc:dd:ee:ff",
            "a:abb:cc:dd:ee:ff",
            "aabbccddeeff00",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_ssid_stands_behind_the_mac_whatever_it_holds() {
        let split = |text| access_point(text).map(|(mac, ssid)| (mac.to_string(), ssid));
        let mac = || "00-11-22-33-44-55".to_owned();
        assert_eq!(split("00-11-22-33-44-55:Guest"), Some((mac(), Some("Guest"))));
        assert_eq!(split("00:11:22:33:44:55:Café: free"), Some((mac(), Some("Café: free"))));
        assert_eq!(split("001122334455:x"), Some((mac(), Some("x"))));
        assert_eq!(split("00-11-22-33-44-55"), Some((mac(), None)));
        assert_eq!(split("00-11-22-33-44-55:"), Some((mac(), None)));
        assert_eq!(split("00-11-22-33-44-55é"), None);
        assert_eq!(split("vpn.example.org"), None);
    }
}
