//! Times: RFC 3339, as events have them, or seconds since 1970.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use minijinja::{Error, Value};

use super::{number, wrong};

/// ISO 8601 as Purple and many others write it.
const DEFAULT_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%z";

/// `time("%d.%m.%Y %H:%M", "Europe/Berlin")`: by strftime's letters, in a zone of the IANA database; UTC without one.
pub(super) fn time(value: Value, format: Option<String>, zone: Option<String>) -> Result<Value, Error> {
    let zone = match zone.as_deref() {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|error| wrong(format!("the time zone {name:?}: {error}")))?,
    };
    let format = format.as_deref().unwrap_or(DEFAULT_FORMAT);
    let Some(at) = instant(&value) else { return Ok(Value::UNDEFINED) };
    let written = BrokenDownTime::from(&at.to_zoned(zone)).to_string(format);
    written.map(Value::from).map_err(|error| wrong(format!("the format {format:?}: {error}")))
}

/// `unix`: seconds since 1970; `unix("ms")`: milliseconds.
pub(super) fn unix(value: Value, unit: Option<String>) -> Result<Value, Error> {
    let Some(at) = instant(&value) else { return Ok(Value::UNDEFINED) };
    match unit.as_deref() {
        None | Some("s") => Ok(at.as_second().into()),
        Some("ms") => Ok(at.as_millisecond().into()),
        Some(other) => Err(wrong(format!("{other:?} is neither \"s\" nor \"ms\""))),
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    match value.as_str() {
        Some(text) => text.parse().ok(),
        None => Timestamp::from_second(number(value)?).ok(),
    }
}
