//! Who users are: what a file says of them beyond what RADIUS does, found by User-Name, else by the device.
//!
//! ```text
//! file.rs     users.csv, users.jsonl ──▶ table.rs   rows to facts, by name and by MAC ──▶ Directory
//!             read again when it changes,           all of the file, or nothing
//!             by a thread of its own
//! ```
//!
//! Whoever asks never waits: a new table is made beside the old one and takes its place at once.

pub mod file;
pub mod table;

use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::event::station::Mac;
pub use file::{FileOptions, Watching};
pub use table::People;

/// `[users]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsersOptions {
    /// `alice@example.org` is also looked up as `alice`, and so is `EXAMPLE\alice`.
    pub strip_realm: bool,
    /// Where they stand.
    pub file: Option<FileOptions>,
}

/// Whom an event is about. Absent facts are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who<'a> {
    /// User-Name.
    pub name: Option<&'a str>,
    /// The device, in any notation.
    pub mac: Option<&'a str>,
}

/// What is known of users.
#[derive(Debug)]
pub struct Directory {
    strip_realm: bool,
    people: RwLock<People>,
}

impl Directory {
    /// As these options say; what stands in the file was read with them.
    pub fn new(options: &UsersOptions) -> Self {
        let read = options.file.as_ref().and_then(|file| file.read.clone());
        Self { strip_realm: options.strip_realm, people: RwLock::new(read.unwrap_or_default()) }
    }

    /// What is known of them. Nothing where nothing is.
    pub fn known(&self, who: Who<'_>) -> Map<String, Value> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        let by_name = |name: &str| people.by_name(name);
        let bare = who.name.filter(|_| self.strip_realm).map(without_realm);
        let found = who.name.and_then(by_name).or_else(|| bare.and_then(by_name));
        let found = found.or_else(|| people.by_mac(Mac::parse(who.mac?)?));
        drop(people);
        // Facts are kept as text, in a quarter of the memory; the row was an object when it was read.
        found.and_then(|facts| serde_json::from_str(&facts).ok()).unwrap_or_default()
    }

    /// Puts other people in the place of those who are known.
    pub fn replace(&self, people: People) {
        let mut known = self.people.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *known, people);
        drop(known);
        // To let go of a million rows takes a while, in which nobody is to wait.
        drop(before);
    }
}

/// The name before `@`, or behind `\`.
fn without_realm(name: &str) -> &str {
    match (name.rsplit_once('@'), name.split_once('\\')) {
        (Some((name, _)), _) | (None, Some((_, name))) => name,
        (None, None) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_stands_behind_the_name_or_before_it() {
        let names = ["alice@example.org", "EXAMPLE\\alice", "alice"];
        assert!(names.into_iter().all(|name| without_realm(name) == "alice"));
        assert_eq!(without_realm("a@b@example.org"), "a@b");
    }
}
