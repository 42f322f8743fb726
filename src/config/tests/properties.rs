//! What holds for every text: no panic, no refusal without a reason, and no secret in any output.

use proptest::prelude::*;

use super::documentation::{EXAMPLE, all_settings, example_directory};
use super::*;

/// Stands where secrets stand.
const MARKER: &str = "hunter2ZqXj";

/// A config with the marker in every place that is secret.
const SECRETIVE: &str = r#"
node = "n"
[store]
path = "/x"
[[client]]
name = "c"
address = "127.0.0.1"
secret = "hunter2ZqXj"
[[source]]
type = "accounting"
listen = "127.0.0.1:1813"
[[endpoint]]
name = "standard"
url = "https://example.com/"
headers = { "Authorization" = "Bearer hunter2ZqXj", "X-A" = "hunter2ZqXj" }
signature = { scheme = "standard", secret = ["hunter2ZqXj", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] }
[[endpoint]]
name = "hmac"
url = "https://example.com/"
[endpoint.signature]
scheme = "hmac-sha256"
secret = "hunter2ZqXj"
[admin]
listen = "127.0.0.1:8463"
token = "hunter2ZqXj"
"#;

/// Everything that can be printed of a reading.
fn all_output(read: &Result<(Config, Vec<Remark>), Problems>) -> String {
    match read {
        Ok((config, warnings)) => {
            let shown = warnings.iter().map(ToString::to_string).collect::<String>();
            format!("{config:?}{config:#?}{warnings:?}{shown}")
        }
        Err(problems) => {
            let json = serde_json::to_string(&problems.problems).unwrap();
            let shown = problems.warnings.iter().map(ToString::to_string).collect::<String>();
            format!("{problems}{problems:?}{json}{shown}")
        }
    }
}

/// A change of one character or one line, at a place and with a text chosen by chance.
#[derive(Debug, Clone)]
enum Change {
    Remove(prop::sample::Index),
    Insert(prop::sample::Index, String),
    RemoveLine(prop::sample::Index),
    RepeatLine(prop::sample::Index),
    SwapLines(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    // Single characters that mean something in TOML, and whole values of every type.
    let piece = prop_oneof![
        "[\\PC\\n]",
        prop::sample::select(vec![
            "\"",
            "'",
            "=",
            ".",
            ",",
            "[",
            "]",
            "{",
            "}",
            "#",
            "\n",
            "1",
            "-1",
            "1e9",
            "true",
            "\"x\"",
            "[]",
            "{}",
            "[[",
            "]]",
            "nan",
            "\\",
            "\u{0}",
            "99999999999999999999",
            "2026-01-01",
            "\"\"\"",
            "/",
            ":",
            "://",
            "@",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![
        at().prop_map(Change::Remove),
        (at(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        at().prop_map(Change::RemoveLine),
        at().prop_map(Change::RepeatLine),
        (at(), at()).prop_map(|(one, other)| Change::SwapLines(one, other)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    changes.iter().fold(text.to_owned(), |text, change| {
        let mut characters: Vec<char> = text.chars().collect();
        let mut lines: Vec<&str> = text.split('\n').collect();
        match change {
            Change::Remove(at) if !characters.is_empty() => {
                characters.remove(at.index(characters.len()));
            }
            Change::Insert(at, piece) => {
                let at = at.index(characters.len() + 1);
                characters.splice(at..at, piece.chars());
            }
            Change::Remove(_) => {}
            Change::RemoveLine(at) => {
                lines.remove(at.index(lines.len()));
                return lines.join("\n");
            }
            Change::RepeatLine(at) => {
                let at = at.index(lines.len());
                lines.insert(at, lines[at]);
                return lines.join("\n");
            }
            Change::SwapLines(one, other) => {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
                return lines.join("\n");
            }
        }
        characters.into_iter().collect()
    })
}

/// Either a config, or at least one problem, each at a place that exists.
fn sound(text: &str, read: &Result<(Config, Vec<Remark>), Problems>) -> Result<(), TestCaseError> {
    let Err(Problems { problems, .. }) = read else { return Ok(()) };
    prop_assert!(!problems.is_empty());
    for problem in problems {
        prop_assert!(!problem.what.contains('\n'), "{problem}");
        if let Some(Position { line, column }) = problem.position {
            let there = text.split('\n').nth(line - 1).is_some_and(|line| column <= line.chars().count() + 1);
            prop_assert!(there, "{problem}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\\n]{0,200}") {
        sound(&text, &read_text(&text))?;
    }

    #[test]
    fn no_row_of_toml_tokens_makes_it_panic(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\"", "'", " ", "client", "source", "endpoint", "store", "admin",
            "dictionary", "node", "name", "url", "listen", "secret", "type", "retry", "schedule", "history", "headers", "tls", "1",
            "-1", "0.5", "true", "\"accounting\"", "\"10s\"", "\"https://x\"", "\"0.0.0.0:1\"", "inf", "file", "env",
        ]), 0..60)
    ) {
        let text = tokens.concat();
        sound(&text, &read_text(&text))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_change_of_the_example_makes_it_panic(changes in prop::collection::vec(change(), 1..6)) {
        let directory = example_directory();
        for text in [EXAMPLE.to_owned(), all_settings()] {
            let text = changed(&text, &changes);
            sound(&text, &read_in(directory.path(), &[("radhook.toml", &text)]))?;
        }
    }

    #[test]
    fn no_secret_is_ever_shown(changes in prop::collection::vec(change(), 0..3)) {
        let text = changed(SECRETIVE, &changes);
        let output = all_output(&read_text(&text));
        prop_assert!(!output.contains(MARKER), "{text}\n{output}");
    }
}

#[test]
fn a_good_config_full_of_secrets_shows_none_of_them() {
    let read = read_text(SECRETIVE);
    assert!(read.is_ok(), "{read:?}");
    assert!(!all_output(&read).contains(MARKER));
}
