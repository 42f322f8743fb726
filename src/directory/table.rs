//! A file of users as a table: CSV with a header, or a JSON object a line. It is taken whole or not at all, and what is wrong with
//! it is told with its line.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Number, Value};

use crate::event::added::OF_USERS;
use crate::event::secrets::names_secret;
use crate::event::station::Mac;

/// The most rows: each is held in memory, some two hundred bytes of it and what it says.
pub const MAX_ROWS: usize = 1_000_000;

/// The most bytes of one row: all of it stands in every event of its user.
pub const MAX_ROW: usize = 16 * 1024;

/// The most columns: more than anybody wants to be told with every login.
pub(super) const MAX_COLUMNS: usize = 128;

/// What users are found by.
const NAMES: [&str; 2] = ["name", "username"];
const MAC: &str = "mac";

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values (RFC 4180) with a header; semicolons or tabs will do, too.
    Csv,
    /// An object a line.
    Lines,
}

/// How rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Columns of a CSV whose cells are numbers, where they can be.
    pub numbers: Vec<String>,
    /// Whether names are the same in capitals and small letters.
    pub ignore_case: bool,
}

/// Users by name and by device. What is known of one is kept as the text of a JSON object.
#[derive(Clone, Default)]
pub struct People {
    ignore_case: bool,
    rows: usize,
    by_name: HashMap<Box<str>, Arc<str>>,
    by_mac: HashMap<Mac, Arc<str>>,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The users.
    pub people: People,
    /// What was left out of it, in words.
    pub remarks: Vec<String>,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// The line, from 1; `None` where the file as a whole is meant.
    pub line: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{line}: {}", self.what),
            None => write!(f, " {}", self.what),
        }
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({} rows)", self.rows)
    }
}

impl People {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What is known of a user.
    pub fn by_name(&self, name: &str) -> Option<Arc<str>> {
        match self.ignore_case {
            true => self.by_name.get(name.to_lowercase().as_str()).cloned(),
            false => self.by_name.get(name).cloned(),
        }
    }

    /// What is known of the user of a device.
    pub fn by_mac(&self, mac: Mac) -> Option<Arc<str>> {
        self.by_mac.get(&mac).cloned()
    }
}

/// Reads a whole file.
pub fn read(bytes: &[u8], form: Form, columns: &Columns) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut making = Making::new(columns);
    match form {
        Form::Csv => making.csv(bytes)?,
        Form::Lines => making.lines(bytes)?,
    }
    Ok(making.table())
}

struct Making<'c> {
    columns: &'c Columns,
    people: People,
    /// Rows that say who somebody is of whom an earlier row did, and the line of the first.
    again: Option<(usize, u64)>,
    left_out: BTreeSet<String>,
}

/// A column of a CSV.
enum Column {
    Name,
    Mac,
    /// Where its cells go, and whether they are numbers.
    Fact(Vec<String>, bool),
    LeftOut,
}

fn at<T>(line: u64, what: impl Into<String>) -> Result<T, TableError> {
    Err(TableError { line: Some(line), what: what.into() })
}

impl<'c> Making<'c> {
    fn new(columns: &'c Columns) -> Self {
        let people = People { ignore_case: columns.ignore_case, ..People::default() };
        Self { columns, people, again: None, left_out: BTreeSet::new() }
    }

    fn table(self) -> Table {
        let mut remarks = Vec::new();
        if !self.left_out.is_empty() {
            let names: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
            let what = "left out, since they hold secrets by their names, or are said of users by events themselves";
            remarks.push(format!("{what}: {}", names.join(", ")));
        }
        if let Some((rows, line)) = self.again {
            let what = "rows name a user or device that an earlier row names; the earlier one counts";
            remarks.push(format!("{rows} {what}; the first of them is line {line}"));
        }
        Table { people: self.people, remarks }
    }

    fn csv(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        let mut reader = ReaderBuilder::new().delimiter(delimiter(bytes)).trim(Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(told)?.clone();
        let columns = self.header(&header)?;
        let mut row = StringRecord::new();
        while reader.read_record(&mut row).map_err(told)? {
            let line = row.position().map_or(0, csv::Position::line);
            if row.as_slice().len() > MAX_ROW {
                return at(line, format!("this row has more than {MAX_ROW} bytes; is a quote missing?"));
            }
            let (mut names, mut macs, mut facts) = (None, None, Map::new());
            for (cell, column) in row.iter().zip(&columns).filter(|(cell, _)| !cell.is_empty()) {
                match column {
                    Column::Name => names = Some(cell),
                    Column::Mac => macs = Some(cell),
                    Column::Fact(path, is_number) => {
                        let number = is_number.then(|| serde_json::from_str::<Number>(cell).ok()).flatten();
                        put(&mut facts, path, number.map_or_else(|| cell.into(), Value::Number));
                    }
                    Column::LeftOut => {}
                }
            }
            self.row(line, names, macs, &facts)?;
        }
        Ok(())
    }

    fn header(&mut self, header: &StringRecord) -> Result<Vec<Column>, TableError> {
        if header.len() > MAX_COLUMNS {
            return at(1, format!("it has {} columns, and at most {MAX_COLUMNS} are read", header.len()));
        }
        let find = |wanted: &str| header.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let (name, mac) = (NAMES.into_iter().find_map(find), find(MAC));
        if name.is_none() && mac.is_none() {
            return at(1, "it has no column `name`, `username` or `mac` by which users are found");
        }
        let mut columns = Vec::new();
        for (place, title) in header.iter().enumerate() {
            columns.push(match Some(place) {
                place if place == name => Column::Name,
                place if place == mac => Column::Mac,
                _ if title.is_empty() => return at(1, format!("column {} has no name", place + 1)),
                _ if is_left_out(title) => {
                    self.left_out.insert(title.to_owned());
                    Column::LeftOut
                }
                _ => {
                    let path: Vec<String> = title.split('.').map(str::to_owned).collect();
                    if path.iter().any(String::is_empty) {
                        return at(1, format!("the column `{title}` has an empty part in its name"));
                    }
                    let others = header.iter().enumerate().filter(|(other, _)| *other != place);
                    let within = |other: &str| title.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
                    for (_, other) in others {
                        if other == title {
                            return at(1, format!("two columns are called `{title}`"));
                        }
                        if within(other) {
                            return at(1, format!("the column `{title}` lies in `{other}`, which is a column itself"));
                        }
                    }
                    Column::Fact(path, self.columns.numbers.iter().any(|number| number == title))
                }
            });
        }
        Ok(columns)
    }

    fn lines(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        for (line, text) in (1..).zip(bytes.split(|octet| *octet == b'\n')) {
            if text.trim_ascii().is_empty() {
                continue;
            }
            if text.len() > MAX_ROW {
                return at(line, format!("this row has more than {MAX_ROW} bytes"));
            }
            let mut object = match serde_json::from_slice::<Value>(text) {
                Ok(Value::Object(object)) => object,
                Ok(_) => return at(line, "it is no JSON object"),
                Err(error) => return at(line, format!("it is no JSON: {}", without_place(&error))),
            };
            let mut take = |key: &str| match object.shift_remove(key) {
                Some(Value::String(text)) if text.is_empty() => Ok(None),
                Some(Value::String(text)) => Ok(Some(text)),
                Some(Value::Number(number)) => Ok(Some(number.to_string())),
                Some(Value::Null) | None => Ok(None),
                Some(_) => at(line, format!("`{key}` is no text")),
            };
            let [first, second] = NAMES;
            let name = match take(first)? {
                Some(name) => Some(name),
                None => take(second)?,
            };
            let mac = take(MAC)?;
            clean(&mut object, true, &mut self.left_out);
            self.row(line, name.as_deref(), mac.as_deref(), &object)?;
        }
        Ok(())
    }

    fn row(
        &mut self,
        line: u64,
        name: Option<&str>,
        mac: Option<&str>,
        facts: &Map<String, Value>,
    ) -> Result<(), TableError> {
        if self.people.rows == MAX_ROWS {
            return at(line, format!("it has more than {MAX_ROWS} rows"));
        }
        let mac = match mac.map(|text| Mac::parse(text).ok_or(text)) {
            Some(Err(text)) => {
                return at(line, format!("{:?} is no MAC address", text.chars().take(40).collect::<String>()));
            }
            mac => mac.and_then(Result::ok),
        };
        if name.is_none() && mac.is_none() {
            return at(line, "this row names neither a user nor a device");
        }
        self.people.rows += 1;
        let facts: Arc<str> = serde_json::to_string(facts).unwrap_or_default().into();
        let mut is_again = false;
        if let Some(name) = name {
            let name = if self.columns.ignore_case { name.to_lowercase() } else { name.to_owned() };
            // One user has several devices, each with a row.
            is_again = mac.is_none() && self.people.by_name.contains_key(name.as_str());
            self.people.by_name.entry(name.into()).or_insert_with(|| Arc::clone(&facts));
        }
        if let Some(mac) = mac {
            is_again |= self.people.by_mac.contains_key(&mac);
            self.people.by_mac.entry(mac).or_insert(facts);
        }
        if is_again {
            self.again = Some(self.again.map_or((1, line), |(rows, first)| (rows + 1, first)));
        }
        Ok(())
    }
}

/// Takes out what is empty, and what is not to be told, whose names are noted.
pub(super) fn clean(object: &mut Map<String, Value>, is_top: bool, left_out: &mut BTreeSet<String>) {
    object.retain(|key, value| {
        if names_secret(key) || (is_top && is_left_out(key)) {
            left_out.insert(key.clone());
            return false;
        }
        match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Object(inside) => {
                clean(inside, false, left_out);
                !inside.is_empty()
            }
            _ => true,
        }
    });
}

/// Said by events themselves, or secret by its name, or by a part of it.
pub(super) fn is_left_out(title: &str) -> bool {
    OF_USERS.contains(&title) || title.split('.').any(names_secret)
}

/// Sets a value where a dotted name leads to; no name leads through another one's value.
pub(super) fn put(facts: &mut Map<String, Value>, path: &[String], value: Value) {
    match path {
        [last] => {
            facts.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inside = facts.entry(first.as_str()).or_insert_with(|| Map::new().into());
            if let Value::Object(inside) = inside {
                put(inside, rest, value);
            }
        }
        [] => {}
    }
}

/// What stands most often in the first line: a comma, a semicolon as spreadsheets write it where the comma is in numbers, a tab.
fn delimiter(bytes: &[u8]) -> u8 {
    let header = bytes.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let count = |wanted: &u8| header.iter().filter(|octet| *octet == wanted).count();
    // Of equally many the last of these.
    *b"\t;,".iter().max_by_key(|wanted| count(wanted)).unwrap_or(&b',')
}

/// The parser's words without their place, which counts within the line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let column = error.column();
    match text.split_once(" at line ") {
        Some((what, _)) => format!("{what} at column {column}"),
        None => text,
    }
}

fn told(error: csv::Error) -> TableError {
    let line = error.position().map(csv::Position::line);
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("this row has {len} cells, and the header {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    TableError { line, what }
}

#[cfg(test)]
mod tests;
