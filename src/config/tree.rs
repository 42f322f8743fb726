//! A config file as a tree whose every value knows where it stands, and several such trees merged into one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A byte of one of the files read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which file, in the order of reading.
    pub file: usize,
    /// Which byte of it.
    pub offset: usize,
}

/// A value, the key it was set by, and where both stand. The elements of an array carry the array's key.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub key: Rc<str>,
    pub key_place: Place,
    pub place: Place,
    pub value: Value,
}

/// What TOML can say.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    /// `None` where the number is beyond 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Flag(bool),
    Time,
    List(Vec<Node>),
    Table(Table),
}

/// Keys in lexicographic order.
pub(super) type Table = BTreeMap<String, Node>;

impl Value {
    /// In the words of an error message; never the text of a string, which may be a secret.
    pub fn describe(&self) -> String {
        match self {
            Self::Text(_) => "a string".to_owned(),
            Self::Integer(Some(number)) => format!("the integer {number}"),
            Self::Integer(None) => "an integer of more than 64 bits".to_owned(),
            Self::Float(number) => format!("the number {number:?}"),
            Self::Flag(flag) => format!("the boolean {flag}"),
            Self::Time => "a date or time".to_owned(),
            Self::List(_) => "an array".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }

    fn is_list_of_tables(&self) -> bool {
        matches!(self, Self::List(items) if items.iter().all(|item| matches!(item.value, Self::Table(_))))
    }
}

/// Takes over what the TOML parser read from file number `file`.
pub(super) fn table(parsed: &DeTable<'_>, file: usize) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<_>)| {
        let key_place = Place { file, offset: key.span().start };
        let name: &str = AsRef::<std::borrow::Cow<'_, str>>::as_ref(key);
        (name.to_owned(), node(name.into(), key_place, value))
    };
    parsed.iter().map(entry).collect()
}

fn node(key: Rc<str>, key_place: Place, parsed: &Spanned<DeValue<'_>>) -> Node {
    let place = Place { file: key_place.file, offset: parsed.span().start };
    let value = match parsed.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Time,
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(key.clone(), key_place, item)).collect()),
        DeValue::Table(entries) => Value::Table(table(entries, place.file)),
    };
    Node { key, key_place, place, value }
}

/// Adds what a later file says: tables merge, arrays of tables grow, and what is set in both is handed to `clash` as
/// the value that stands and the one that came too late.
pub(super) fn merge(into: &mut Table, from: Table, clash: &mut impl FnMut(&Node, &Node)) {
    for (key, late) in from {
        match into.entry(key) {
            Entry::Vacant(vacant) => {
                vacant.insert(late);
            }
            Entry::Occupied(mut standing) => {
                let standing = standing.get_mut();
                if standing.value.is_list_of_tables() && late.value.is_list_of_tables() {
                    if let (Value::List(standing), Value::List(late)) = (&mut standing.value, late.value) {
                        standing.extend(late);
                    }
                    continue;
                }
                match (&mut standing.value, late.value) {
                    (Value::Table(standing), Value::Table(late)) => merge(standing, late, clash),
                    (_, value) => clash(standing, &Node { value, ..late }),
                }
            }
        }
    }
}
