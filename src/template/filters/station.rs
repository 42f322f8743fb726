//! MAC addresses.

use minijinja::{Error, Value};

use super::wrong;
use crate::event::station::Mac;

/// The notations there are, each by an example in small letters; in capitals they are others.
const NOTATIONS: [(&str, &str, usize); 5] = [
    ("aa-bb-cc-dd-ee-ff", "-", 2),
    ("aa:bb:cc:dd:ee:ff", ":", 2),
    ("aabb.ccdd.eeff", ".", 4),
    ("aabbccddeeff", "", 12),
    ("aabbcc-ddeeff", "-", 6),
];

/// `mac("aa:bb:cc:dd:ee:ff")`: in that notation; without one in capitals with hyphens.
pub(super) fn mac(value: Value, notation: Option<String>) -> Result<Value, Error> {
    let notation = notation.as_deref().unwrap_or("AA-BB-CC-DD-EE-FF");
    let small = notation.to_ascii_lowercase();
    let known = NOTATIONS.iter().find(|(example, ..)| *example == small);
    let capitals = notation.bytes().all(|byte| !byte.is_ascii_lowercase());
    let Some((_, separator, group)) = known.filter(|_| capitals || small == notation) else {
        let examples = NOTATIONS.map(|(example, ..)| example).join(", ");
        return Err(wrong(format!("{notation:?} is no notation of MAC addresses: {examples}, or one in capitals")));
    };
    let Some(mac) = value.as_str().and_then(Mac::parse) else { return Ok(Value::UNDEFINED) };
    let digits: String = mac.to_string().chars().filter(char::is_ascii_hexdigit).collect();
    let digits = if capitals { digits } else { digits.to_ascii_lowercase() };
    let groups: Vec<&str> = (0..digits.len()).step_by(*group).map(|at| &digits[at..at + group]).collect();
    Ok(groups.join(separator).into())
}

/// The half that tells who made the device: `AA-BB-CC`.
pub(super) fn oui(value: Value) -> Value {
    match value.as_str().and_then(Mac::parse) {
        Some(mac) => mac.to_string()[..8].into(),
        None => Value::UNDEFINED,
    }
}
