//! What databases answer with as JSON: PostgreSQL's and MySQL's values as they come over the wire for prepared statements.
//! `Ok(None)` is a value that is none, such as a date of `infinity`.

use jiff::civil;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Number, Value};
use uuid::Uuid;

/// A value that cannot be told, such as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untold;

pub(super) type Told = Result<Option<Value>, Untold>;

/// The most digits of a decimal that a double holds whatever they are. One with more is told as text.
const SAFE_DIGITS: usize = 15;

/// A value of PostgreSQL, of a type of this name.
pub(super) fn postgres(name: &str, bytes: &[u8]) -> Told {
    Ok(match name {
        "BOOL" => Some(Value::Bool(array::<1>(bytes)? != [0])),
        "INT2" => Some(i16::from_be_bytes(array(bytes)?).into()),
        "INT4" => Some(i32::from_be_bytes(array(bytes)?).into()),
        "INT8" => Some(i64::from_be_bytes(array(bytes)?).into()),
        "OID" => Some(u32::from_be_bytes(array(bytes)?).into()),
        "FLOAT4" => single(f32::from_be_bytes(array(bytes)?)),
        "FLOAT8" => double(f64::from_be_bytes(array(bytes)?)),
        "NUMERIC" => numeric(bytes)?.map(|digits| decimal(&digits)),
        "UUID" => Some(Uuid::from_bytes(array(bytes)?).to_string().into()),
        "JSON" => json(bytes)?,
        // Its version comes first.
        "JSONB" => json(bytes.strip_prefix(&[1]).ok_or(Untold)?)?,
        "DATE" => {
            let days = i32::from_be_bytes(array(bytes)?);
            let epoch = civil::date(2000, 1, 1);
            let date = epoch.checked_add(SignedDuration::from_hours(24).checked_mul(days).ok_or(Untold)?).ok();
            date.map(|date| date.to_string().into())
        }
        "TIMESTAMP" => moment(i64::from_be_bytes(array(bytes)?)).map(|time| {
            let civil = time.to_zoned(jiff::tz::TimeZone::UTC).datetime();
            civil.to_string().into()
        }),
        "TIMESTAMPTZ" => moment(i64::from_be_bytes(array(bytes)?)).map(|time| time.to_string().into()),
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "citext" | "CITEXT" => Some(text(bytes)?),
        "\"CHAR\"" => Some(text(bytes.split(|octet| *octet == 0).next().unwrap_or_default())?),
        _ => return Err(Untold),
    })
}

/// A value of MySQL or MariaDB, of a type of this name.
pub(super) fn mysql(name: &str, bytes: &[u8]) -> Told {
    let unsigned = name.ends_with(" UNSIGNED");
    Ok(match name.trim_end_matches(" UNSIGNED") {
        "BOOLEAN" => Some(Value::Bool(array::<1>(bytes)? != [0])),
        "TINYINT" | "SMALLINT" | "INT" | "MEDIUMINT" | "BIGINT" | "YEAR" => Some(integer(bytes, unsigned)?),
        "BIT" if bytes.len() <= 8 => {
            Some(bytes.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet)).into())
        }
        "FLOAT" => single(f32::from_le_bytes(array(bytes)?)),
        "DOUBLE" => double(f64::from_le_bytes(array(bytes)?)),
        "DECIMAL" => Some(decimal(std::str::from_utf8(bytes).map_err(|_| Untold)?)),
        "JSON" => json(bytes)?,
        "DATE" => calendar(bytes)?.map(|time| time.date().to_string().into()),
        "DATETIME" => calendar(bytes)?.map(|time| time.to_string().into()),
        // The session's time zone is UTC.
        "TIMESTAMP" => calendar(bytes)?
            .and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .map(|time| time.timestamp().to_string().into()),
        "GEOMETRY" | "TIME" | "BIT" => return Err(Untold),
        // A column whose text is compared by octets looks like one of octets.
        _ => Some(text(bytes)?),
    })
}

/// A number with a point, where there is one that is no other: `NaN` and infinity are none.
pub(super) fn double(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

/// As short as it was written: 1.1 is 1.10000002384 as a double.
fn single(number: f32) -> Option<Value> {
    number.to_string().parse().ok().and_then(double)
}

pub(super) fn text(bytes: &[u8]) -> Result<Value, Untold> {
    std::str::from_utf8(bytes).map(Value::from).map_err(|_| Untold)
}

fn json(bytes: &[u8]) -> Told {
    serde_json::from_slice(bytes).map(Some).map_err(|_| Untold)
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Untold> {
    bytes.try_into().map_err(|_| Untold)
}

/// Little-endian, of one, two, four or eight bytes.
fn integer(bytes: &[u8], unsigned: bool) -> Result<Value, Untold> {
    Ok(match (bytes.len(), unsigned) {
        (1, true) => u8::from_le_bytes(array(bytes)?).into(),
        (1, false) => i8::from_le_bytes(array(bytes)?).into(),
        (2, true) => u16::from_le_bytes(array(bytes)?).into(),
        (2, false) => i16::from_le_bytes(array(bytes)?).into(),
        (4, true) => u32::from_le_bytes(array(bytes)?).into(),
        (4, false) => i32::from_le_bytes(array(bytes)?).into(),
        (8, true) => u64::from_le_bytes(array(bytes)?).into(),
        (8, false) => i64::from_le_bytes(array(bytes)?).into(),
        _ => return Err(Untold),
    })
}

/// Digits as a number, where a double holds them; else as they are.
fn decimal(digits: &str) -> Value {
    let significant = digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let is_whole = !digits.contains('.');
    let number = match (is_whole, significant <= SAFE_DIGITS) {
        (true, _) => digits.parse::<i64>().ok().map(Value::from),
        (false, true) => digits.parse().ok().and_then(double),
        (false, false) => None,
    };
    number.unwrap_or_else(|| digits.into())
}

/// PostgreSQL's decimal as digits: groups of four, of which the first has the weight, behind a head of four numbers.
fn numeric(bytes: &[u8]) -> Result<Option<String>, Untold> {
    /// What says that there is a minus.
    const NEGATIVE: u16 = 0x4000;
    let (head, groups) = bytes.split_at_checked(8).ok_or(Untold)?;
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign, scale) = (i32::from(word(2) as i16), word(4), usize::from(word(6)));
    if sign != 0 && sign != NEGATIVE {
        return Ok(None);
    }
    let groups: Vec<u16> = groups.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let group = |place: i32| usize::try_from(weight - place).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let whole: String = (0..=weight.max(0)).rev().map(|place| format!("{:04}", group(place))).collect();
    let mut digits = if sign == NEGATIVE { "-".to_owned() } else { String::new() };
    digits.push_str(match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    });
    if scale > 0 {
        let places = i32::try_from(scale.div_ceil(4)).unwrap_or(0);
        let fraction: String = (1..=places).map(|place| format!("{:04}", group(-place))).collect();
        digits.push('.');
        digits.push_str(fraction.get(..scale).unwrap_or(&fraction));
    }
    Ok(Some(digits))
}

/// Microseconds since the year 2000. The ends of their range are PostgreSQL's infinities.
fn moment(microseconds: i64) -> Option<Timestamp> {
    /// From 1970 to 2000.
    const EPOCH: i64 = 946_684_800_000_000;
    Timestamp::from_microsecond(microseconds.checked_add(EPOCH)?).ok()
}

/// MySQL's date and time behind their length, of which what is zero may be left out. A date of zeros is none.
fn calendar(bytes: &[u8]) -> Result<Option<civil::DateTime>, Untold> {
    let (length, parts) = bytes.split_first().ok_or(Untold)?;
    if parts.len() != usize::from(*length) || ![0, 4, 7, 11].contains(length) {
        return Err(Untold);
    }
    let part = |at: usize| parts.get(at).copied().unwrap_or(0);
    let small = |at: usize| part(at) as i8;
    let year = i16::from_le_bytes([part(0), part(1)]);
    let microseconds = u32::from_le_bytes([part(7), part(8), part(9), part(10)]);
    let nanoseconds = i32::try_from(microseconds).ok().and_then(|micro| micro.checked_mul(1_000)).ok_or(Untold)?;
    Ok(civil::DateTime::new(year, small(2), small(3), small(4), small(5), small(6), nanoseconds).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numeric_of(weight: i16, sign: u16, scale: u16, groups: &[u16]) -> Vec<u8> {
        let head = [groups.len() as u16, weight as u16, sign, scale];
        head.iter().chain(groups).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn decimals_are_numbers_as_long_as_a_double_holds_them() {
        for (bytes, expected) in [
            (numeric_of(0, 0, 2, &[12, 5000]), json!(12.5)),
            (numeric_of(1, 0x4000, 0, &[1, 2345]), json!(-12_345)),
            (numeric_of(2, 0, 0, &[1]), json!(100_000_000)),
            (numeric_of(-1, 0, 4, &[42]), json!(0.0042)),
            (numeric_of(-2, 0, 8, &[42]), json!(0.000_000_42)),
            (numeric_of(0, 0, 0, &[]), json!(0)),
            (numeric_of(3, 0, 2, &[1234, 5678, 9012, 3456, 7800]), json!("1234567890123456.78")),
            (numeric_of(5, 0, 0, &[1, 0, 0, 0, 0, 1]), json!("100000000000000000001")),
        ] {
            assert_eq!(postgres("NUMERIC", &bytes), Ok(Some(expected)));
        }
        assert_eq!(postgres("NUMERIC", &numeric_of(0, 0xC000, 0, &[])), Ok(None));
        assert_eq!(mysql("DECIMAL", b"-12.50"), Ok(Some(json!(-12.5))));
        assert_eq!(mysql("DECIMAL", b"12345678901234567890"), Ok(Some(json!("12345678901234567890"))));
    }

    #[test]
    fn times_are_written_as_rfc_3339_and_infinity_is_none() {
        let day = 86_400_000_000_i64;
        assert_eq!(postgres("DATE", &9_461_i32.to_be_bytes()), Ok(Some(json!("2025-11-26"))));
        assert_eq!(postgres("DATE", &i32::MAX.to_be_bytes()), Ok(None));
        assert_eq!(postgres("TIMESTAMPTZ", &day.to_be_bytes()), Ok(Some(json!("2000-01-02T00:00:00Z"))));
        assert_eq!(postgres("TIMESTAMP", &(day + 1_500_000).to_be_bytes()), Ok(Some(json!("2000-01-02T00:00:01.5"))));
        for infinity in [i64::MAX, i64::MIN] {
            assert_eq!(postgres("TIMESTAMPTZ", &infinity.to_be_bytes()), Ok(None));
            assert_eq!(postgres("TIMESTAMP", &infinity.to_be_bytes()), Ok(None));
        }
        assert_eq!(mysql("DATE", &[4, 0xE9, 7, 11, 25]), Ok(Some(json!("2025-11-25"))));
        assert_eq!(mysql("DATETIME", &[7, 0xE9, 7, 11, 25, 1, 2, 3]), Ok(Some(json!("2025-11-25T01:02:03"))));
        assert_eq!(mysql("TIMESTAMP", &[7, 0xE9, 7, 11, 25, 1, 2, 3]), Ok(Some(json!("2025-11-25T01:02:03Z"))));
        assert_eq!(mysql("DATETIME", &[4, 0, 0, 0, 0]), Ok(None));
    }

    #[test]
    fn what_is_not_as_long_as_its_type_or_no_text_is_untold() {
        for name in ["BOOL", "INT8", "FLOAT4", "NUMERIC", "UUID", "JSON", "JSONB", "DATE", "TIMESTAMPTZ", "BYTEA"] {
            assert_eq!(
                postgres(name, &[0xFF]),
                if name == "BOOL" { Ok(Some(json!(true))) } else { Err(Untold) },
                "{name}"
            );
        }
        for name in ["INT", "DOUBLE", "JSON", "DATE", "TIMESTAMP", "BLOB", "GEOMETRY"] {
            let expected = if name == "INT" { Ok(Some(json!(-1))) } else { Err(Untold) };
            assert_eq!(mysql(name, &[0xFF]), expected, "{name}");
        }
        assert_eq!(mysql("BIGINT UNSIGNED", &[0xFF; 8]), Ok(Some(json!(u64::MAX))));
        assert_eq!(mysql("FLOAT", &1.1_f32.to_le_bytes()), Ok(Some(json!(1.1))));
        assert_eq!(postgres("FLOAT8", &f64::NAN.to_be_bytes()), Ok(None));
    }
}
