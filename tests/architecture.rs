//! The rooms' arrows: which room may name which. `docs/ARCHITECTURE.md` draws the picture; this keeps it true.
//!
//! A room is `src/<room>.rs` or everything beneath `src/<room>/`. It names another one by `crate::<room>` (or by as many
//! `super::` as lead out of its own). Comments, strings and what is compiled for tests only do not count.

#[path = "architecture/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::SourceFile;

/// A room and the rooms it may name besides itself and the leaves.
struct Room {
    name: &'static str,
    may_use: &'static [&'static str],
}

/// What every room may use: a value that must not be printed, the names of metrics, where HTTP is answered, which
/// threads come first, and by what a file that has changed is told.
const LEAVES: &[&str] = &["secret", "metrics", "listen", "priority", "stamp"];

const ROOMS: &[Room] = &[
    // Leaves use nothing.
    Room { name: "secret", may_use: &[] },
    Room { name: "metrics", may_use: &[] },
    Room { name: "listen", may_use: &[] },
    Room { name: "priority", may_use: &[] },
    Room { name: "stamp", may_use: &[] },
    // Along the pipeline.
    Room { name: "radius", may_use: &[] },
    Room { name: "trace", may_use: &["radius"] },
    Room { name: "exchange", may_use: &["radius", "event"] },
    Room { name: "event", may_use: &["radius"] },
    Room { name: "session", may_use: &["radius", "exchange", "event"] },
    Room { name: "template", may_use: &["event"] },
    Room { name: "route", may_use: &["event", "template"] },
    Room { name: "directory", may_use: &["event"] },
    Room { name: "render", may_use: &["radius", "event", "template"] },
    Room { name: "store", may_use: &["event"] },
    Room { name: "source", may_use: &["radius", "trace", "event", "exchange"] },
    Room {
        name: "intake",
        may_use: &["radius", "exchange", "event", "session", "template", "route", "directory", "render", "store"],
    },
    Room { name: "deliver", may_use: &["event", "template", "directory", "render", "store"] },
    // Around it.
    Room { name: "admin", may_use: &["event", "session", "directory", "store", "source", "intake", "deliver"] },
    Room {
        name: "config",
        may_use: &[
            "radius",
            "event",
            "session",
            "template",
            "route",
            "directory",
            "store",
            "source",
            "deliver",
            "admin",
        ],
    },
    Room { name: "lab", may_use: &["radius", "deliver"] },
    Room { name: "daemon", may_use: &ALL_BENEATH_DAEMON },
    Room { name: "cli", may_use: &ALL_BENEATH_CLI },
    // The crate's two roots.
    Room { name: "lib", may_use: &[] },
    Room { name: "main", may_use: &["cli"] },
];

const ALL_BENEATH_DAEMON: [&str; 14] = [
    "radius",
    "exchange",
    "event",
    "session",
    "template",
    "route",
    "directory",
    "render",
    "store",
    "source",
    "intake",
    "deliver",
    "admin",
    "config",
];

/// Those, and what only a person at a terminal needs.
const ALL_BENEATH_CLI: [&str; 17] = {
    let mut all = ["lab"; 17];
    let (beneath_daemon, own) = all.split_at_mut(ALL_BENEATH_DAEMON.len());
    beneath_daemon.copy_from_slice(&ALL_BENEATH_DAEMON);
    own.copy_from_slice(&["lab", "daemon", "trace"]);
    all
};

/// Where the picture is drawn.
const PAGE: &str = include_str!("../docs/ARCHITECTURE.md");

/// A longer file tells that there are two things in it.
const MAX_LINES: usize = 500;

#[test]
fn every_file_belongs_to_a_room_and_names_only_what_its_room_may_use() {
    let files = sources();
    assert!(files.len() > 10, "only {} source files were found", files.len());

    let breaches = breaches(&files);

    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn the_page_has_this_table() {
    let rooms = ROOMS.iter().filter(|room| !LEAVES.contains(&room.name) && !["lib", "main"].contains(&room.name));
    let told: Vec<(String, BTreeSet<String>)> = rooms_of_the_page();
    let held: Vec<&Room> = rooms.collect();
    let names: BTreeSet<&str> = held.iter().map(|room| room.name).collect();
    assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>(), names);
    for room in held {
        let (_, may_use) = told.iter().find(|(name, _)| name == room.name).expect("the names are the same");
        let held: BTreeSet<String> = room.may_use.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(*may_use, held, "`{}` of docs/ARCHITECTURE.md", room.name);
    }
    for leaf in LEAVES {
        assert!(PAGE.contains(&format!("`{leaf}.rs`")), "docs/ARCHITECTURE.md does not name the leaf {leaf}");
    }
}

/// The rooms of the page's table, each with those it may use: named one by one, or `all above` with or without some.
fn rooms_of_the_page() -> Vec<(String, BTreeSet<String>)> {
    let name = |quoted: &str| quoted.trim_end_matches('/').trim_end_matches(".rs").to_owned();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(name).collect::<BTreeSet<String>>();
    let mut rooms: Vec<(String, BTreeSet<String>)> = Vec::new();
    let rows = PAGE.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let above = || rooms.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<String>>();
        let may_use = match cells[2].strip_prefix("all above") {
            Some(but) => above().difference(&quoted(but)).cloned().collect(),
            None => quoted(cells[2]),
        };
        rooms.push((name(cells[0].trim_matches('`')), may_use));
    }
    rooms
}

#[test]
fn no_source_file_holds_two_things() {
    let long: Vec<_> = sources().iter().filter_map(too_long).collect();

    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

#[test]
fn the_table_has_no_circle() {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    while settled.len() < ROOMS.len() {
        let next = ROOMS
            .iter()
            .find(|room| !settled.contains(room.name) && room.may_use.iter().all(|used| settled.contains(used)));
        let open = || ROOMS.iter().map(|room| room.name).filter(|name| !settled.contains(name)).collect::<Vec<_>>();
        let next = next.unwrap_or_else(|| panic!("these rooms use each other, or one that is not there: {:?}", open()));
        settled.insert(next.name);
    }
}

fn sources() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut directories = vec![root.join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(root).expect("it was found beneath the root");
                files.push(SourceFile::new(path.to_str().expect("sources have UTF-8 names"), text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Each wrong arrow, as `file:line: what is wrong and what the rule is`.
fn breaches(files: &[SourceFile]) -> Vec<String> {
    let test_only: BTreeSet<String> = files.iter().flat_map(SourceFile::test_only_files).collect();
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| !test_only.contains(&file.path)) {
        let Some(room) = room_named(file.room()) else {
            breaches.push(format!(
                "{}:1: there is no room `{}`; a new room gets its line in ROOMS of tests/architecture.rs and in \
                 docs/ARCHITECTURE.md",
                file.path,
                file.room()
            ));
            continue;
        };
        for (line, named) in file.named_rooms() {
            if let Some(breach) = breach(room, &named) {
                breaches.push(format!("{}:{line}: {breach}", file.path));
            }
        }
    }
    breaches
}

fn breach(room: &Room, named: &str) -> Option<String> {
    if named == room.name || LEAVES.contains(&named) || room.may_use.contains(&named) {
        return None;
    }
    if room_named(named).is_none() {
        return Some(format!("`crate::{named}` is no room; what several rooms share lives in one of them"));
    }
    let rule = match room.may_use {
        [] => "no other room".to_owned(),
        rooms => format!("only {}", rooms.join(", ")),
    };
    Some(format!("`{}` may not use `{named}`: it may use {rule} (and {})", room.name, LEAVES.join(", ")))
}

fn too_long(file: &SourceFile) -> Option<String> {
    let lines = file.lines();
    (lines > MAX_LINES)
        .then(|| format!("{}: {lines} lines, at most {MAX_LINES}: split it along its meaning", file.path))
}

fn room_named(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// That the rules above can fail: each with a source that breaks it.
mod it_can_fail {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        breaches(&[SourceFile::new(path, text.to_owned())])
    }

    #[test]
    fn a_wrong_arrow_is_told_with_its_line_and_the_rule() {
        let told = check("src/store/journal.rs", "use std::io;\n\nuse crate::deliver::Attempt;\n");
        assert_eq!(
            told,
            [
                "src/store/journal.rs:3: `store` may not use `deliver`: it may use only event (and secret, metrics, listen, priority, stamp)"
            ]
        );
    }

    #[test]
    fn every_way_to_name_a_room_counts() {
        for text in [
            "use crate::deliver;",
            "use crate::{event::EventType, deliver::{self, options}};",
            "use crate::{\n    event,\n    deliver as d,\n};",
            "pub(in crate::deliver) fn f() {}",
            "fn f() { crate::deliver::go() }",
            "macro_rules! m { () => { $crate::deliver::go() } }",
            "use super::super::deliver;",
            "use super::{super::deliver};",
            "mod inner { use super::super::super::deliver; }",
            "fn f<'a>(x: &'a str) -> char { crate::deliver::go(); 'x' }",
            "const S: &str = \"\\\"\"; use crate::deliver; const T: &str = \"\";",
            "#[cfg(not(test))] use crate::deliver;",
            "#[cfg(test)] mod tests { fn f() {} }\nuse crate::deliver;",
        ] {
            assert_eq!(check("src/store/journal.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_is_allowed_or_not_compiled_in_is_no_breach() {
        for text in [
            "use crate::event::EventType; use crate::store::Batch; use crate::secret::Secret;",
            "use super::Batch;",
            "// use crate::deliver;\n/* crate::deliver /* nested */ crate::deliver */\n/// [`crate::deliver`]\nfn f() {}",
            "const S: &str = \"crate::deliver\"; const R: &str = r#\"\" crate::deliver\"#;",
            "#[cfg(test)]\nmod tests {\n    use crate::deliver;\n    fn f() { if true { } }\n}",
            "#[cfg(test)]\n#[allow(dead_code)]\nuse crate::deliver;",
            "#[cfg(all(test, unix))] fn f() { crate::deliver::go() }",
            "pub(crate) fn f() {}",
        ] {
            assert_eq!(check("src/store/journal.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_module_for_tests_in_its_own_file_does_not_count() {
        let files = [
            SourceFile::new("src/store/mod.rs", "#[cfg(test)]\nmod model;\nmod journal;".to_owned()),
            SourceFile::new("src/store/model.rs", "use crate::deliver;".to_owned()),
            SourceFile::new("src/store/journal.rs", "#[cfg(test)] mod tests;\nuse crate::lab;".to_owned()),
            SourceFile::new("src/store/journal/tests.rs", "use crate::deliver;".to_owned()),
        ];
        let told = breaches(&files);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("src/store/journal.rs:2:"), "{told:?}");
    }

    #[test]
    fn a_room_that_is_not_in_the_table_is_told() {
        assert!(check("src/util/strings.rs", "")[0].contains("no room `util`"));
        assert!(check("src/helpers.rs", "")[0].contains("no room `helpers`"));
        assert!(check("src/store/mod.rs", "use crate::Shortcut;")[0].contains("`crate::Shortcut` is no room"));
    }

    #[test]
    fn the_binary_uses_the_library_through_its_command_line_only() {
        assert_eq!(check("src/main.rs", "fn main() { radhook::cli::main() }"), [""; 0]);
        assert_eq!(check("src/main.rs", "fn main() { radhook::store::open() }").len(), 1);
    }

    #[test]
    fn a_file_of_one_line_too_many_is_told() {
        assert_eq!(too_long(&SourceFile::new("src/store/mod.rs", "\n".repeat(500))), None);
        assert!(too_long(&SourceFile::new("src/store/mod.rs", "\n".repeat(501))).is_some());
    }
}
