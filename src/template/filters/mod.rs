//! Filters for what RADIUS events hold: `{{ client.mac | mac("aa:bb:cc:dd:ee:ff") }}`.
//!
//! Of an absent fact each makes nothing. What it cannot read (a name where a time should be) it makes nothing of either, where a
//! packet decides it; what the operator wrote wrongly (a notation, a time zone) is an error.

mod amount;
mod privacy;
mod station;
mod time;

use minijinja::{Environment, Error, ErrorKind, Value};

/// Makes them known.
pub(super) fn add(language: &mut Environment<'_>) {
    language.add_filter("mac", station::mac);
    language.add_filter("oui", station::oui);
    language.add_filter("time", time::time);
    language.add_filter("unix", time::unix);
    language.add_filter("bytes", amount::bytes);
    language.add_filter("duration", amount::duration);
    language.add_filter("sha256", privacy::sha256);
    language.add_filter("hmac_sha256", privacy::hmac_sha256);
    language.add_filter("mask", privacy::mask);
    language.add_filter("subnet", privacy::subnet);
    language.add_filter("json", as_json);
}

/// A value as JSON text: for a string inside another format.
fn as_json(value: Value) -> Result<Value, Error> {
    match value.is_undefined() {
        true => Ok(Value::UNDEFINED),
        false => serde_json::to_string(&value)
            .map(Value::from)
            .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string())),
    }
}

/// A whole number, however it came.
fn number(value: &Value) -> Option<i64> {
    match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => i64::try_from(value.clone()).ok(),
    }
}

fn wrong(what: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}
