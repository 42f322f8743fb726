//! Secrets that share an attribute with what is none: their names tell.
//!
//! Most passwords and keys have attributes of their own, known by number ([`numbers::is_sensitive`]) or by the
//! dictionary's flags. Others stand as a pair in a vendor's attribute of many uses, `Cisco-AVPair = "psk=…"`. Of such a
//! text everything behind the key's name is hidden, also what follows the secret: where it ends, the vendors do not
//! agree. Octets that hold such a pair are hidden whole, since nobody knows what else they are.

use super::attribute::REDACTED;
use super::{AttributeId, Value, numbers};

/// What a part of a name ends with when it names a password, a key, or what a password can be guessed from.
const SECRET_ENDINGS: [&str; 13] = [
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "psk",
    "pmk",
    "msk",
    "secret",
    "key",
    "hash",
    "credential",
    "credentials",
];
/// Parts of names that do so only when they stand alone: `pin`, but not `spin`.
const SECRET_WORDS: [&str; 2] = ["pin", "pass"];
/// The last part of names that speak about a secret without holding it: `psk-mode`, `key-exchange`, `password-expiry`.
const ABOUT: [&str; 25] = [
    "age",
    "algorithm",
    "exchange",
    "expiration",
    "expires",
    "expiry",
    "file",
    "format",
    "id",
    "identifier",
    "identity",
    "index",
    "length",
    "lifetime",
    "management",
    "mgmt",
    "mode",
    "name",
    "oid",
    "policy",
    "prompt",
    "retry",
    "timeout",
    "type",
    "usage",
];

/// Whether a name says that its value is a secret: `wpa-psk`, `Tmp-Secret`, `ikev2-password-local`, `wep_key1`.
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let digit = |character: char| character.is_ascii_digit();
    let parts = || {
        name.split(|character: char| !character.is_ascii_alphanumeric())
            .map(|part| part.trim_end_matches(digit))
            .filter(|part| !part.is_empty())
    };
    let tells = |part: &str| SECRET_WORDS.contains(&part) || SECRET_ENDINGS.iter().any(|ending| part.ends_with(ending));
    parts().any(tells) && !parts().next_back().is_some_and(|last| ABOUT.contains(&last))
}

/// The value with the secrets of its pairs hidden. Those of the RFCs' attributes mean one thing each and hold none:
/// they stay as they are, so that no id changes on its way.
pub fn hide_pairs(id: AttributeId, value: Value) -> Value {
    if !may_hold_pairs(id) {
        return value;
    }
    match value {
        Value::Text(text) => match secret_in(text.as_bytes()) {
            Some(at) => Value::Text(format!("{}{REDACTED}", &text[..at]).into()),
            None => Value::Text(text),
        },
        Value::Octets(octets) if secret_in(&octets).is_some() => Value::Redacted,
        other => other,
    }
}

/// Vendors' attributes, those that the RFCs leave to anybody (Extended ones among them), and FreeRADIUS's own.
fn may_hold_pairs(id: AttributeId) -> bool {
    id.vendor != 0 || id == numbers::VENDOR_SPECIFIC || !(1..numbers::FIRST_EXTENDED).contains(&id.number)
}

/// Where the first secret begins: behind the separator that follows its name. The separator is ASCII, and so the place
/// is a boundary between characters.
fn secret_in(octets: &[u8]) -> Option<usize> {
    // Cisco writes optional pairs with an asterisk, others a colon.
    let separators = octets.iter().enumerate().filter(|(_, octet)| matches!(octet, b'=' | b'*' | b':'));
    separators.map(|(at, _)| at + 1).find(|at| *at < octets.len() && names_secret(name_before(&octets[..at - 1])))
}

/// The name that ends where these octets end; it may be quoted, and blanks may follow it.
fn name_before(octets: &[u8]) -> &str {
    let octets = octets.trim_ascii_end();
    let octets = octets.strip_suffix(b"\"").unwrap_or(octets);
    let part = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b'#');
    let begin = octets.iter().rposition(|octet| !part(octet)).map_or(0, |before| before + 1);
    std::str::from_utf8(&octets[begin..]).expect("a name's characters are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let id = AttributeId { vendor: 9, number: 1 };
        hide_pairs(id, Value::Text(text.into())).text().unwrap().to_owned()
    }

    #[test]
    fn of_a_pair_with_a_secret_its_name_is_left() {
        for (text, expected) in [
            ("psk=hunter22", "psk=[redacted]"),
            ("PSK = hunter22", "PSK =[redacted]"),
            ("wpa-psk=hunter22", "wpa-psk=[redacted]"),
            ("mpsk=hunter22,vlan=20", "mpsk=[redacted]"),
            ("ssid=Guest;wpa_passphrase=hunter22 more", "ssid=Guest;wpa_passphrase=[redacted]"),
            ("ipsec:ikev2-password-remote=hunter22", "ipsec:ikev2-password-remote=[redacted]"),
            ("vpdn:l2tp-tunnel-password=hunter22", "vpdn:l2tp-tunnel-password=[redacted]"),
            ("leap:session-key=\\x01é", "leap:session-key=[redacted]"),
            ("shared-secret*hunter22", "shared-secret*[redacted]"),
            ("wep-key#1=hunter22", "wep-key#1=[redacted]"),
            ("uamsecret=hunter22", "uamsecret=[redacted]"),
            ("{\"ssid\":\"Guest\",\"psk\":\"hunter22\"}", "{\"ssid\":\"Guest\",\"psk\":[redacted]"),
            ("é psk=hunter22", "é psk=[redacted]"),
        ] {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn pairs_about_secrets_and_others_stay() {
        for text in [
            "psk-mode=ascii",
            "psk=",
            "ipsec:key-exchange=ike",
            "shell:priv-lvl=15",
            "audit-session-id=0a000001",
            "the password is wrong",
            "url-redirect=https://portal.example.org/?mac=00:11:22:33:44:55&spin=1",
            "ip:inacl#1=permit ip any any",
            "monkeys=3",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn octets_with_such_a_pair_are_hidden_whole_and_the_rfcs_attributes_are_left_alone() {
        let octets = || Value::Octets(b"\x01\xffpsk=hunter22".as_slice().into());
        assert_eq!(hide_pairs(AttributeId { vendor: 9, number: 250 }, octets()), Value::Redacted);
        assert_eq!(hide_pairs(numbers::VENDOR_SPECIFIC, octets()), Value::Redacted);
        assert_eq!(hide_pairs(AttributeId::rfc(245), octets()), Value::Redacted);
        assert_eq!(hide_pairs(numbers::CLASS, octets()), octets());
    }
}
