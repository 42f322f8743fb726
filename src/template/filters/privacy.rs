//! Less of a value than there is: for receivers that need to tell people apart and not to know them.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac as _};
use ipnet::IpNet;
use minijinja::{Error, Value};
use sha2::{Digest, Sha256};

use super::wrong;

/// How much of an address is left where nothing was asked for: a site, in both families.
const DEFAULT_V4: u8 = 24;
const DEFAULT_V6: u8 = 48;

/// `sha256("salt")`: hex of SHA-256 over salt and value. Without a salt whoever can guess the value can check it.
pub(super) fn sha256(value: Value, salt: Option<String>) -> Value {
    hashed(&value, |text| {
        let digest = Sha256::new().chain_update(salt.unwrap_or_default()).chain_update(text).finalize();
        hex(&digest)
    })
}

/// `hmac_sha256("key")`: hex of HMAC-SHA256.
pub(super) fn hmac_sha256(value: Value, key: String) -> Value {
    hashed(&value, |text| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    })
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn hashed(value: &Value, hash: impl FnOnce(&str) -> String) -> Value {
    match (value.is_undefined() || value.is_none(), value.as_str()) {
        (true, _) => Value::UNDEFINED,
        (false, Some(text)) => hash(text).into(),
        (false, None) => hash(&value.to_string()).into(),
    }
}

/// `mask(2)`: the first two characters, and stars for the others; of a mail address or a name with a realm what stands behind
/// the `@` stays.
pub(super) fn mask(value: Value, keep: Option<usize>) -> Value {
    let Some(text) = value.as_str() else { return Value::UNDEFINED };
    let (name, realm) = text.rfind('@').map_or((text, ""), |at| text.split_at(at));
    let keep = keep.unwrap_or(1);
    let masked: String = name.chars().enumerate().map(|(at, one)| if at < keep { one } else { '*' }).collect();
    format!("{masked}{realm}").into()
}

/// `subnet(24, 48)`: the network an address is in, so many bits of IPv4 and of IPv6.
pub(super) fn subnet(value: Value, v4: Option<u8>, v6: Option<u8>) -> Result<Value, Error> {
    let (v4, v6) = (v4.unwrap_or(DEFAULT_V4), v6.unwrap_or(DEFAULT_V6));
    if v4 > 32 || v6 > 128 {
        return Err(wrong("an IPv4 prefix has at most 32 bits, and an IPv6 prefix 128"));
    }
    let Some(address) = value.as_str().and_then(|text| text.parse::<IpAddr>().ok()) else {
        return Ok(Value::UNDEFINED);
    };
    let net = IpNet::new(address, if address.is_ipv4() { v4 } else { v6 }).map_err(|error| wrong(error.to_string()))?;
    Ok(net.trunc().to_string().into())
}
