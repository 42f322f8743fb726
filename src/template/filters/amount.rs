//! Octets and seconds.

use minijinja::{Error, Value};

use super::{number, wrong};

/// Units of octets: powers of 1024 by IEC 80000-13, of 1000 by the SI.
const UNITS: [(&str, f64); 9] = [
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
];

/// How many of them are used where none was asked for.
const IEC: usize = 5;

/// `bytes`: `1.5 GiB`; `bytes("MB")`: how many of these, with two decimals, as a number.
pub(super) fn bytes(value: Value, unit: Option<String>) -> Result<Value, Error> {
    let factor = match unit.as_deref() {
        None => None,
        Some(wanted) => match UNITS.iter().find(|(name, _)| *name == wanted) {
            Some((_, factor)) => Some(*factor),
            None => return Err(wrong(format!("{wanted:?} is none of {}", UNITS.map(|(name, _)| name).join(", ")))),
        },
    };
    let Some(octets) = number(&value) else { return Ok(Value::UNDEFINED) };
    let octets = octets as f64;
    if let Some(factor) = factor {
        return Ok(((octets / factor * 100.0).round() / 100.0).into());
    }
    let fits = UNITS[..IEC].iter().rev().find(|(_, factor)| octets.abs() >= *factor);
    let (name, factor) = fits.unwrap_or(&UNITS[0]);
    Ok(match *factor {
        1.0 => format!("{octets} B"),
        factor => format!("{:.1} {name}", octets / factor),
    }
    .into())
}

/// `duration`: `1h 2m 5s`; `duration("clock")`: `01:02:05`; `duration("minutes")`, `duration("hours")`: with two decimals, as a
/// number.
pub(super) fn duration(value: Value, how: Option<String>) -> Result<Value, Error> {
    let how = how.as_deref();
    if let Some(how) = how.filter(|how| !["clock", "minutes", "hours"].contains(how)) {
        return Err(wrong(format!("{how:?} is none of \"clock\", \"minutes\", \"hours\"")));
    }
    let Some(seconds) = number(&value).filter(|seconds| *seconds >= 0) else { return Ok(Value::UNDEFINED) };
    let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let share = |of: f64| Value::from((seconds as f64 / of * 100.0).round() / 100.0);
    Ok(match how {
        Some("minutes") => share(60.0),
        Some("hours") => share(3_600.0),
        Some(_) => format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60).into(),
        None if seconds == 0 => "0s".into(),
        None => {
            let said = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
            said.collect::<Vec<_>>().join(" ").into()
        }
    })
}
