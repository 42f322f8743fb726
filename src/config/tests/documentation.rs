//! The example and the page are complete: what the schema knows stands in both, with its default.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::super::tree::{Table, Value};
use super::*;
use crate::template::{Facts, Place, Template};

pub(super) const EXAMPLE: &str = include_str!("../../../examples/radhook.toml");
const PAGE: &str = include_str!("../../../docs/configuration.md");

/// Where the example begins to tell of the database that users may stand in, which excludes their file.
const DATABASE: &str = "# Or in a database";

/// The example with every setting switched on that stands there commented out, but for the database of users.
pub(super) fn all_settings() -> String {
    let (before, behind) = EXAMPLE.split_once(DATABASE).unwrap();
    let (_, behind) = behind.split_once("\n\n").unwrap();
    switched_on(&format!("{before}\n{behind}"))
}

/// The same with the database in place of the file.
fn all_settings_with_a_database() -> String {
    let (before, behind) = EXAMPLE.split_once(DATABASE).unwrap();
    let (before, _) = before.split_once("#[users]").unwrap();
    switched_on(&format!("{before}\n#[users]\n{DATABASE}{behind}"))
}

fn switched_on(example: &str) -> String {
    let switch_on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    example.lines().map(switch_on).collect()
}

/// A directory with the files that the example names.
pub(super) fn example_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["example.com".to_owned()]).unwrap();
    for (name, content) in [
        ("radius-secret", "sixteen bytes or more\n"),
        ("crm-signing-key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"),
        ("crm-authorization", "Bearer abc\n"),
        ("admin-token", "0123456789abcdef\n"),
        ("password", "correct horse battery\n"),
        ("token", "0123456789abcdef\n"),
        ("users.csv", "name,email\nalice,alice@example.org\n"),
        ("users-database", "postgres://radhook:hunter2@10.0.0.5/hotel\n"),
        ("corporate-ca.pem", &certificate.cert.pem()),
        ("iacbox.json", include_str!("../../../examples/iacbox.json")),
    ] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// Reads a form of the example, with the environment it asks for; answers with the keys of the schema too.
fn read_example(text: &str) -> (Result<Config, Vec<Remark>>, BTreeSet<String>, Table) {
    read_example_in(example_directory().path(), text)
}

/// As [`read_example`], beside these files.
fn read_example_in(directory: &Path, text: &str) -> (Result<Config, Vec<Remark>>, BTreeSet<String>, Table) {
    let files = Files::of(directory, &[("radhook.toml", text)]);
    let credentials = directory.as_os_str().to_owned();
    let environment = move |name: &str| match name {
        "SIEM_KEY" => Some("sixteen bytes or more".into()),
        "CREDENTIALS_DIRECTORY" => Some(credentials.clone()),
        _ => None,
    };
    let scope = Scope::new(&files, &environment);
    let merged = merge(&scope, files.parse().unwrap());
    let config = Reader::top(&scope, &merged, schema::config);
    let (problems, _, known) = scope.finish();
    (config.filter(|_| problems.is_empty()).ok_or(problems), known, merged)
}

/// Whether a table, or one of the tables of an array, holds the key at the end of a dotted path.
fn holds(table: &Table, path: &str) -> bool {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let within = |value: &Value, rest: &str| matches!(value, Value::Table(table) if holds(table, rest));
    match (table.get(key).map(|node| &node.value), rest) {
        (found, None) => found.is_some(),
        (Some(Value::List(items)), Some(rest)) => items.iter().any(|item| within(&item.value, rest)),
        (Some(value), Some(rest)) => within(value, rest),
        (None, _) => false,
    }
}

#[test]
fn the_example_loads_as_it_stands_and_with_every_setting_switched_on() {
    read_example(EXAMPLE).0.unwrap();
    let config = read_example(&all_settings()).0.unwrap();
    assert_eq!(config.endpoints.len(), 10);
    assert!(config.users.is_some_and(|users| users.file.is_some() && users.database.is_none()));
    let other = read_example(&all_settings_with_a_database()).0.unwrap();
    assert!(other.users.is_some_and(|users| users.file.is_none() && users.database.is_some()));
    assert_eq!(&*config.node, "radhook-1");
    assert!(config.admin.token.is_some() && config.endpoints[0].delivery.ca.is_some());
}

#[test]
fn every_key_of_the_schema_stands_in_the_example() {
    let (_, _, table) = read_example(&all_settings());
    let (_, known, other) = read_example(&all_settings_with_a_database());
    assert!(known.len() > 40, "{known:?}");
    let missing: Vec<_> = known.iter().filter(|path| !holds(&table, path) && !holds(&other, path)).collect();
    assert!(missing.is_empty(), "not in examples/radhook.toml: {missing:?}");
}

#[test]
fn every_key_of_the_schema_stands_in_the_page_under_its_table() {
    let (_, known, _) = read_example(&all_settings_with_a_database());
    let row = |path: &&String| {
        let (table, key) = path.split_once('.').unwrap_or(("Top level", path));
        let section = PAGE
            .split("\n## ")
            .find(|section| section.lines().next().is_some_and(|title| title.trim_matches(['[', ']']) == table));
        let named = |section: &str| {
            section.lines().filter(|line| line.starts_with('|')).any(|line| {
                let keys = line.split('|').nth(1).unwrap_or_default();
                keys.split(',').any(|named| named.trim() == format!("`{key}`"))
            })
        };
        section.is_some_and(named)
    };
    let missing: Vec<_> = known.iter().filter(|path| !row(path)).collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
}

#[test]
fn the_page_has_no_row_for_a_key_that_the_schema_does_not_know() {
    let (_, known, _) = read_example(&all_settings_with_a_database());
    for section in PAGE.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap();
        let table = title.trim_matches(['[', ']']);
        for row in section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')) {
            let path = if title == "Top level" { row.0.to_owned() } else { format!("{table}.{}", row.0) };
            // The forms of a secret are rows too, and the types of a source.
            assert!(known.contains(&path) || title == "How it is read" || is_type(&path), "{path}");
        }
    }
}

fn is_type(path: &str) -> bool {
    matches!(path.strip_prefix("source."), Some("accounting" | "relay" | "capture" | "detail" | "local"))
}

#[test]
fn the_page_names_every_event_type() {
    for kind in crate::event::EventType::ALL {
        assert!(PAGE.contains(&format!("`{}`", kind.name())), "{kind}");
    }
}

#[test]
fn the_example_shows_the_defaults() {
    let directory = example_directory();
    let shown = read_example_in(directory.path(), EXAMPLE).0.unwrap();
    let bare = read_example_in(
        directory.path(),
        "[[client]]\nname = \"freeradius\"\naddress = \"127.0.0.1\"\nsecret = { file = \"radius-secret\" }\n\
         [[source]]\ntype = \"accounting\"\nlisten = \"0.0.0.0:1813\"\n\
         [[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example.com/hooks/wifi\"\n\
         signature = { scheme = \"standard\", secret = { file = \"crm-signing-key\" } }\n",
    );
    assert_eq!(format!("{shown:#?}"), format!("{:#?}", bare.0.unwrap()));
}

#[test]
fn the_page_of_the_language_has_every_filter_with_an_example() {
    let page = include_str!("../../../docs/mapping.md");
    let code = include_str!("../../template/filters/mod.rs");
    let filters: Vec<&str> =
        code.split("add_filter(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)).collect();
    assert!(filters.len() > 10, "{filters:?}");
    let event = serde_json::json!({ "timestamp": "2026-11-22T10:15:30Z", "data": {
        "user": { "name": "alice@example.org" }, "client": { "mac": "00-01-02-AA-BB-CC", "ip": "10.1.2.3" },
        "session": { "duration": 3725, "input_octets": 5_368_709_120_u64 }, "attributes": { "NAS-Port": 1 },
    } });
    for filter in filters {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{filter}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/mapping.md has no row for the filter {filter}"));
        // What the example comes to stands first in the next cell, where it can be said in a word.
        let cells: Vec<String> = row.replace("\\|", "\0").split('|').map(|cell| cell.replace('\0', "|")).collect();
        let quoted = |cell: &str| cell.split('`').nth(1).unwrap_or_default().to_owned();
        let example = format!("{{{{ {} }}}}", quoted(&cells[2]));
        assert!(example.contains(&format!(" | {filter}")), "no example: {row}");
        let made = Template::parse(&example, Place::Text).unwrap().render(&Facts::of(Arc::new(event.clone()))).unwrap();
        let is_told = cells[3].trim_start().starts_with('`');
        assert!(if is_told { made == quoted(&cells[3]) } else { !made.is_empty() }, "{example} is {made}: {row}");
    }
}
