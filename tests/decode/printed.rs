//! Values as FreeRADIUS's own tools print them.

use radhook::radius::Value;
use radhook::radius::dictionary::DataType;

use crate::support::debugged::quoted;

/// A value as FreeRADIUS 3.2 prints it with its quotes.
pub fn printed(kind: Option<DataType>, value: &Value) -> String {
    match value {
        Value::Text(text) if kind == Some(DataType::InterfaceId) => text.to_string(),
        Value::Text(text) => quoted(text),
        Value::Octets(octets) => octets.iter().fold(String::from("0x"), |hex, octet| hex + &format!("{octet:02x}")),
        Value::Integer(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Named { name, .. } => name.to_string(),
        Value::Address(address) => address.to_string(),
        Value::Prefix(prefix) => prefix.to_string(),
        Value::Ether(octets) => octets.map(|octet| format!("{octet:02x}")).join(":"),
        Value::Date(seconds) => {
            let time = jiff::Timestamp::from_second((*seconds).into()).expect("32 bits are a time");
            format!("\"{}\"", time.strftime("%b %e %Y %H:%M:%S UTC"))
        }
        Value::Redacted => "[redacted]".to_owned(),
    }
}
