//! Reading one table: the schema asks for typed keys, and what it did not ask for is unknown. All problems are
//! collected; nothing stops at the first.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::Files;
use super::problem::Remark;
use super::tree::{Node, Place, Table, Value};
use crate::secret::Secret;

/// What every part of the schema shares while a config is read.
pub(super) struct Scope<'a> {
    files: &'a Files,
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    problems: RefCell<Vec<(Option<Place>, Remark)>>,
    warnings: RefCell<Vec<(Option<Place>, Remark)>>,
    /// Every key asked for, as a dotted path: what the documentation must name.
    known: RefCell<BTreeSet<String>>,
    /// Files warned about as readable by everybody.
    exposed: RefCell<BTreeSet<usize>>,
    /// Makes up secrets whose files are not there yet; where it is absent, that is a problem.
    invent: Option<&'a dyn Fn() -> Secret>,
    invented: RefCell<Vec<(PathBuf, Secret)>>,
}

/// The permission bit that lets every user of the host read a file.
pub(super) const WORLD_READABLE: u32 = 0o004;

impl<'a> Scope<'a> {
    pub fn new(files: &'a Files, environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        let (problems, warnings, known, exposed, invented) = Default::default();
        Self { files, environment, problems, warnings, known, exposed, invent: None, invented }
    }

    /// Reads a secret whose file is not there as one that `invent` makes up.
    pub fn inventing(self, invent: &'a dyn Fn() -> Secret) -> Self {
        Self { invent: Some(invent), ..self }
    }

    /// What the file at `path`, which is not there, is to hold.
    pub fn invent(&self, path: &Path) -> Option<Secret> {
        let invent = self.invent?;
        let mut invented = self.invented.borrow_mut();
        if let Some((_, secret)) = invented.iter().find(|(known, _)| known == path) {
            return Some(secret.clone());
        }
        let secret = invent();
        invented.push((path.to_owned(), secret.clone()));
        Some(secret)
    }

    /// Files that are to be written, with the secrets that were made up for them.
    pub fn take_invented(&self) -> Vec<(PathBuf, Secret)> {
        self.invented.take()
    }

    /// Notes a problem; a `place` of `None` means the config as a whole.
    pub fn problem(&self, place: impl Into<Option<Place>>, what: impl Into<String>, help: impl Into<Option<String>>) {
        let place = place.into();
        self.problems.borrow_mut().push((place, self.files.remark(place, what.into(), help.into())));
    }

    /// Notes a warning.
    pub fn warn(&self, place: impl Into<Option<Place>>, what: impl Into<String>, help: impl Into<Option<String>>) {
        let place = place.into();
        self.warnings.borrow_mut().push((place, self.files.remark(place, what.into(), help.into())));
    }

    /// Notes that a value is of the wrong type.
    pub fn wrong_type(&self, node: &Node, expected: &str) {
        let found = node.value.describe();
        self.problem(node.place, format!("`{}` must be {expected}, found {found}", node.key), None);
    }

    /// `file:line:column` of a place, to point from one problem to another place.
    pub fn point_to(&self, place: Place) -> String {
        let (file, position) = self.files.locate(place);
        format!("{}:{position}", file.display())
    }

    /// The place of a byte of a string's text, where that stands in the file as it is; else that of the string.
    pub fn inside(&self, place: Place, text: &str, at: usize) -> Place {
        match self.files.text_of(place, text) {
            Some(begin) => Place { offset: begin + at, ..place },
            None => place,
        }
    }

    /// Notes that a secret stands in the config itself, which is worth a warning where everybody may read that file.
    pub fn inline_secret(&self, place: Place) {
        let everybody = self.files.mode(place).is_some_and(|mode| mode & WORLD_READABLE != 0);
        if everybody && self.exposed.borrow_mut().insert(place.file) {
            let what = "this file holds a secret and everybody may read it";
            self.warn(place, what, "chmod o-r it, or keep the secret in a file of its own".to_owned());
        }
    }

    /// A path of the config: relative ones start at the directory of the main file.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.files.directory().join(path)
    }

    /// The environment variable `name`.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        (self.environment)(name)
    }

    /// Problems and warnings in the order of files and lines, what is about the whole last; and the keys known.
    pub fn finish(self) -> (Vec<Remark>, Vec<Remark>, BTreeSet<String>) {
        let in_order = |remarks: RefCell<Vec<(Option<Place>, Remark)>>| {
            let mut remarks = remarks.into_inner();
            remarks.sort_by_key(|(place, _)| (place.is_none(), *place));
            remarks.into_iter().map(|(_, remark)| remark).collect()
        };
        (in_order(self.problems), in_order(self.warnings), self.known.into_inner())
    }
}

/// How the value of a key is read: `None` after a problem was noted.
pub(super) trait Parse<T>: Fn(&Scope<'_>, &Node) -> Option<T> {}

impl<T, F: Fn(&Scope<'_>, &Node) -> Option<T>> Parse<T> for F {}

/// One table while it is read.
pub(super) struct Reader<'a> {
    scope: &'a Scope<'a>,
    table: &'a Table,
    /// The table's header, or its opening brace.
    place: Place,
    /// Such as `endpoint.retry`; empty at the top.
    path: String,
    /// Whether the table is one of several, `[[endpoint]]`.
    repeated: bool,
    asked: BTreeSet<&'static str>,
    skipped: bool,
}

impl<'a> Reader<'a> {
    /// Reads the merged files as a whole.
    pub fn top<T>(scope: &'a Scope<'a>, table: &'a Table, read: impl FnOnce(&mut Reader<'a>) -> T) -> T {
        Self::run(scope, table, Place { file: 0, offset: 0 }, String::new(), false, read)
    }

    fn run<T>(
        scope: &'a Scope<'a>,
        table: &'a Table,
        place: Place,
        path: String,
        repeated: bool,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let (asked, skipped) = Default::default();
        let mut reader = Self { scope, table, place, path, repeated, asked, skipped };
        let result = read(&mut reader);
        if !reader.skipped {
            reader.refuse_unknown_keys();
        }
        result
    }

    /// The shared part.
    pub fn scope(&self) -> &'a Scope<'a> {
        self.scope
    }

    /// The value of a key, if it is there, without reading it.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.insert(key);
        self.scope.known.borrow_mut().insert(self.below(key));
        self.table.get(key)
    }

    /// A key that may be absent.
    pub fn optional<T>(&mut self, key: &'static str, parse: impl Parse<T>) -> Option<T> {
        self.node(key).and_then(|node| parse(self.scope, node))
    }

    /// A key with a default.
    pub fn or<T>(&mut self, key: &'static str, parse: impl Parse<T>, default: T) -> T {
        self.optional(key, parse).unwrap_or(default)
    }

    /// A key that must be there. `example` is a value to write.
    pub fn required<T>(&mut self, key: &'static str, example: &str, parse: impl Parse<T>) -> Option<T> {
        match self.node(key) {
            Some(node) => parse(self.scope, node),
            None => {
                let help = format!("add {key} = {example}");
                self.problem(format!("{} needs `{key}`", self.title()), help);
                None
            }
        }
    }

    /// A table that may be absent.
    pub fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let node = self.node(key)?;
        match &node.value {
            Value::Table(table) => Some(Self::run(self.scope, table, node.place, self.below(key), false, read)),
            Value::List(_) => {
                let help = format!("write [{0}] with single brackets", self.below(key));
                let what = format!("`{key}` must be one table, found an array");
                self.scope.problem(node.place, what, help);
                None
            }
            _ => {
                self.scope.wrong_type(node, "a table");
                None
            }
        }
    }

    /// All tables of `[[key]]`, at most `limit` of them; `None` where there is none at all.
    pub fn tables<T>(
        &mut self,
        key: &'static str,
        limit: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let node = self.node(key)?;
        let path = self.below(key);
        let Value::List(items) = &node.value else {
            let what = format!("`{key}` must be an array of tables, found {}", node.value.describe());
            self.scope.problem(node.place, what, format!("write [[{path}]] with double brackets"));
            return Some(Vec::new());
        };
        if let Some(beyond) = items.get(limit) {
            let what = format!("there are {} [[{path}]], and at most {limit} are allowed", items.len());
            self.scope.problem(beyond.place, what, None);
        }
        let one = |item: &'a Node| match &item.value {
            Value::Table(table) => Self::run(self.scope, table, item.place, path.clone(), true, &mut read),
            _ => {
                self.scope.wrong_type(item, "an array of tables");
                None
            }
        };
        let read = items.iter().take(limit).filter_map(one).collect();
        if items.is_empty() { None } else { Some(read) }
    }

    /// Leaves the rest of the table unread: what it means is not known.
    pub fn skip_the_rest(&mut self) {
        self.skipped = true;
    }

    /// Notes a problem with the table as a whole.
    pub fn problem(&self, what: impl Into<String>, help: impl Into<String>) {
        self.scope.problem(self.place, what, help.into());
    }

    /// Where the value of a key begins, or the table if it is not there.
    pub fn place_of(&self, key: &str) -> Place {
        self.table.get(key).map_or(self.place, |node| node.place)
    }

    /// Whether a key is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn title(&self) -> String {
        match self.repeated {
            true => format!("[[{}]]", self.path),
            false => format!("[{}]", self.path),
        }
    }

    fn refuse_unknown_keys(&self) {
        let location =
            if self.path.is_empty() { "at the top level".to_owned() } else { format!("in {}", self.title()) };
        for (key, node) in self.table.iter().filter(|(key, _)| !self.asked.contains(key.as_str())) {
            let help = nearest(key, self.asked.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let what = format!("unknown key `{}` {location}", shown(key));
            self.scope.problem(node.key_place, what, help);
        }
    }
}

/// The name an operator probably meant: the nearest one, if it is near enough to be a slip.
pub(super) fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let near = |name: &&'n str| strsim::osa_distance(written, name);
    names.min_by_key(near).filter(|name| near(name) <= name.chars().count().max(3) / 3)
}

/// The longest piece of the operator's own text that a message repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// A text from the config for a message: on one line, and cut where it grows long.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_QUOTE).flat_map(char::escape_debug).collect();
    if text.chars().count() > LONGEST_QUOTE {
        shown.push('…');
    }
    shown
}

/// Names, addresses and networks that only one table may have, with the place of the first.
pub(super) struct Claims<K>(BTreeMap<K, Place>);

impl<K: Ord> Claims<K> {
    pub fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes `key` for what stands at `place`; where it was taken before, notes the problem.
    pub fn claim(&mut self, scope: &Scope<'_>, key: K, place: Place, taken: impl FnOnce(&K) -> String) {
        match self.0.entry(key) {
            Entry::Occupied(first) => {
                let help = format!("the first is at {}", scope.point_to(*first.get()));
                scope.problem(place, taken(first.key()), help);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(place);
            }
        }
    }
}
