//! Durations and sizes as operators write them: `"10s"`, `"1h30m"`, `"64MiB"`.

use std::time::Duration;

/// A text that does not say what it should: what is wrong with it (it reads on from "`key` is "text", ") and what to
/// write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub what: String,
    pub help: String,
}

impl Complaint {
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

/// Milliseconds of each unit, longest first: the order in which a duration names them.
const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes of each unit; the ones used for printing first, largest first.
const SIZES: [(&str, u64); 11] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
    ("bytes", 1),
];

/// Reads whole numbers with units, from days to milliseconds, each unit once and in falling order.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Complaint> {
    let example = "write it like \"10s\", \"1h30m\" or \"5d\"";
    let units = "the units are d, h, m, s and ms";
    let mut rest = text;
    let mut total: u64 = 0;
    let mut allowed = &DURATIONS[..];
    if text.is_empty() {
        return Err(Complaint::new("which is empty", example));
    }
    while !rest.is_empty() {
        let (number, tail) = leading_number(rest).map_err(|what| Complaint::new(what, example))?;
        let unit = &tail[..tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len())];
        let at = allowed.iter().position(|(name, _)| *name == unit);
        let Some(at) = at else {
            return Err(match unit {
                "" => Complaint::new("which has no unit", format!("write \"{number}s\" for seconds; {units}")),
                _ if DURATIONS.iter().any(|(name, _)| *name == unit) => Complaint::new(
                    format!("where the unit {unit} stands too late"),
                    "longer units come first, each once",
                ),
                _ => Complaint::new(format!("where {unit:?} is no unit"), units),
            });
        };
        total = number
            .checked_mul(allowed[at].1)
            .and_then(|milliseconds| total.checked_add(milliseconds))
            .ok_or_else(|| Complaint::new("which is too long to count", example))?;
        allowed = &allowed[at + 1..];
        rest = &tail[unit.len()..];
    }
    Ok(Duration::from_millis(total))
}

/// Reads a whole number with one unit, decimal (`MB`) or binary (`MiB`).
pub(super) fn parse_size(text: &str) -> Result<u64, Complaint> {
    let example = "write it like \"64MiB\" or \"8GiB\"";
    let units = "the units are B, KB, MB, GB, TB and KiB, MiB, GiB, TiB";
    if text.is_empty() {
        return Err(Complaint::new("which is empty", example));
    }
    let (number, unit) = leading_number(text).map_err(|what| Complaint::new(what, example))?;
    match SIZES.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => number.checked_mul(*bytes).ok_or_else(|| Complaint::new("which is too large", example)),
        None if unit.is_empty() => Err(Complaint::new("which has no unit", units)),
        None => Err(Complaint::new(format!("where {unit:?} is no unit"), units)),
    }
}

fn leading_number(text: &str) -> Result<(u64, &str), String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("where a whole number should stand before {rest:?}"));
    }
    if rest.starts_with(['.', ',']) {
        return Err("which is not a whole number".to_owned());
    }
    number.parse().map(|number| (number, rest)).map_err(|_| "which is too large".to_owned())
}

/// The shortest way to write a duration of whole milliseconds.
pub(crate) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in DURATIONS {
        if rest >= milliseconds {
            text += &format!("{}{unit}", rest / milliseconds);
            rest %= milliseconds;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A size in the largest unit that divides it.
pub(crate) fn show_size(bytes: u64) -> String {
    let fits = |(_, unit): &&(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    let (name, unit) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, milliseconds) in
            [("10s", 10_000), ("1h30m", 5_400_000), ("5d", 432_000_000), ("250ms", 250), ("1m1ms", 60_001), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
            assert_eq!(show_duration(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(parse_duration("90m"), Ok(Duration::from_secs(5_400)));
    }

    #[test]
    fn a_duration_that_is_none_says_why() {
        for (text, what) in [
            ("", "which is empty"),
            ("10", "which has no unit"),
            ("s", "where a whole number should stand before \"s\""),
            ("10x", "where \"x\" is no unit"),
            ("10 s", "where \" s\" is no unit"),
            ("1.5h", "which is not a whole number"),
            ("-1s", "where a whole number should stand before \"-1s\""),
            ("30m1h", "where the unit h stands too late"),
            ("1h1h", "where the unit h stands too late"),
            ("1h30", "which has no unit"),
            ("99999999999999999999s", "which is too large"),
            ("999999999999999999d", "which is too long to count"),
            ("1ü", "where \"ü\" is no unit"),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().what, what, "{text}");
        }
    }

    #[test]
    fn sizes_are_decimal_or_binary() {
        for (text, bytes) in [("64MiB", 64 << 20), ("8GiB", 8 << 30), ("1GB", 1_000_000_000), ("7B", 7), ("2kB", 2_000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert_eq!(show_size(8 << 30), "8GiB");
        assert_eq!(show_size(1_000_000_000), "1GB");
        assert_eq!(show_size(1_500_000), "1500KB");
        assert_eq!(show_size(0), "0B");
        for (text, what) in [
            ("", "which is empty"),
            ("64", "which has no unit"),
            ("64Mib", "where \"Mib\" is no unit"),
            ("1.5GiB", "which is not a whole number"),
            ("99999999TiB", "which is too large"),
        ] {
            assert_eq!(parse_size(text).unwrap_err().what, what, "{text}");
        }
    }
}
