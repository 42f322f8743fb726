//! Who users are: what a file or a database says of them beyond what RADIUS does, found by User-Name, else by the device.
//!
//! ```text
//! file.rs     users.csv, users.jsonl ──▶ table.rs   rows to facts, by name and by MAC ──▶ Directory
//!             read again when it changes,           all of the file, or nothing
//!             by a thread of its own
//! sql/        a question to a database for each, whose answer is kept for a while     ──▶ Directory
//! join.rs     what was not kept when an event was written down is added on its way out
//! ```
//!
//! Whoever asks for what is known never waits: a new table is made beside the old one and takes its place at once, and of a
//! database only what is kept counts. Only `join` waits, and not for long.

pub mod file;
mod join;
pub mod sql;
pub mod table;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::event::station::Mac;
pub use file::{FileOptions, Watching};
use sql::{Answer, Key, Lookups, SqlOptions};
pub use table::People;

/// `[users]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsersOptions {
    /// `alice@example.org` is also looked up as `alice`, and so is `EXAMPLE\alice`.
    pub strip_realm: bool,
    /// Where they stand: in a file,
    pub file: Option<FileOptions>,
    /// or in a database.
    pub database: Option<SqlOptions>,
}

/// Whom an event is about. Absent facts are `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who<'a> {
    /// User-Name.
    pub name: Option<&'a str>,
    /// The realm of it.
    pub realm: Option<&'a str>,
    /// The device, in any notation.
    pub mac: Option<&'a str>,
}

/// What is known of users.
#[derive(Debug)]
pub struct Directory {
    strip_realm: bool,
    people: RwLock<People>,
    lookups: Option<Arc<Lookups>>,
}

/// Whom a database is asked for: by the name as it is, then without its realm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    first: Key,
    then: Option<Key>,
}

impl Directory {
    /// As these options say; what stands in the file was read with them.
    pub fn new(options: &UsersOptions) -> Self {
        let read = options.file.as_ref().and_then(|file| file.read.clone());
        Self {
            strip_realm: options.strip_realm,
            people: RwLock::new(read.unwrap_or_default()),
            lookups: options.database.as_ref().map(|database| Arc::new(Lookups::new(database))),
        }
    }

    /// What is known of them. Nothing where nothing is, or where a database would have to be asked.
    pub fn known(&self, who: Who<'_>) -> Map<String, Value> {
        let found = match &self.lookups {
            Some(lookups) => match self.asked(who).and_then(|asked| asked.kept(lookups)) {
                Some(Answer::Facts(facts)) => Some(facts),
                Some(Answer::Nobody | Answer::Missing) | None => None,
            },
            None => self.in_file(who),
        };
        // Facts are kept as text, in a quarter of the memory; the row was an object when it was read.
        found.and_then(|facts| serde_json::from_str(&facts).ok()).unwrap_or_default()
    }

    fn in_file(&self, who: Who<'_>) -> Option<Arc<str>> {
        let people = self.people.read().unwrap_or_else(PoisonError::into_inner);
        let by_name = |name: &str| people.by_name(name);
        let bare = who.name.filter(|_| self.strip_realm).map(without_realm);
        let found = who.name.and_then(by_name).or_else(|| bare.and_then(by_name));
        found.or_else(|| people.by_mac(Mac::parse(who.mac?)?))
    }

    /// How a database is asked for them; `None` where nothing is known by which it could be.
    fn asked(&self, who: Who<'_>) -> Option<Asked> {
        let statement = self.lookups.as_ref()?.statement();
        let first = Key::of(statement, who.name, who.mac, who.realm)?;
        let bare = who.name.filter(|_| self.strip_realm).map(without_realm);
        let then = bare.and_then(|bare| Key::of(statement, Some(bare), who.mac, who.realm));
        Some(Asked { then: then.filter(|then| *then != first), first })
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

impl Asked {
    /// What is kept of them; `None` where they would have to be asked for.
    fn kept(&self, lookups: &Lookups) -> Option<Answer> {
        match (lookups.kept(&self.first)?, &self.then) {
            (Answer::Nobody, Some(then)) => lookups.kept(then),
            (answer, _) => Some(answer),
        }
    }

    async fn ask(&self, lookups: &Arc<Lookups>) -> Answer {
        match (lookups.ask(self.first.clone()).await, &self.then) {
            (Answer::Nobody, Some(then)) => lookups.ask(then.clone()).await,
            (answer, _) => answer,
        }
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
