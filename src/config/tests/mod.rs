//! The room from its outer side: texts in, options or messages out.

mod dialects;
mod documentation;
mod judgements;
mod loading;
mod properties;
mod refusals;
mod templates;
mod users;

use std::ffi::OsString;
use std::path::Path;

use super::*;

/// The smallest config that is good; it sets no key that another file could clash with.
const SMALLEST: &str = r#"
[[client]]
name = "freeradius"
address = "127.0.0.1"
secret = "sixteen bytes or more"
[[source]]
type = "accounting"
listen = "127.0.0.1:1813"
[[endpoint]]
name = "crm"
url = "https://crm.example.com/"
signature = { scheme = "standard", secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }
"#;

/// The smallest config without one of its three tables.
fn without(table: &str) -> String {
    let others: Vec<&str> = SMALLEST.split("\n[[").filter(|part| !part.starts_with(table)).collect();
    others.join("\n[[")
}

/// An environment with two variables.
fn environment(name: &str) -> Option<OsString> {
    match name {
        "CRM_SECRET" => Some("from the environment".into()),
        "EMPTY" => Some("".into()),
        _ => None,
    }
}

/// Reads files that stand in memory, within a directory for what they point to.
fn read_in(directory: &Path, files: &[(&str, &str)]) -> Result<(Config, Vec<Remark>), Problems> {
    read(Ok(Files::of(directory, files)), &environment, schema::config)
}

/// Reads one file.
fn read_text(text: &str) -> Result<(Config, Vec<Remark>), Problems> {
    read_in(Path::new("/nowhere"), &[("radhook.toml", text)])
}

/// Every problem of a text that stands beside the smallest config, as lines.
fn problems_of(text: &str) -> Vec<String> {
    match read_in(Path::new("/nowhere"), &[("smallest.toml", SMALLEST), ("x.toml", text)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.problems.iter().map(ToString::to_string).collect(),
    }
}

/// Every warning of a good text that stands beside the smallest config, as lines.
fn warnings_of(text: &str) -> Vec<String> {
    let (_, warnings) = read_in(Path::new("/nowhere"), &[("smallest.toml", SMALLEST), ("x.toml", text)]).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

/// Each text stands in `x.toml` beside a good config; each message is whole.
#[track_caller]
fn says(text: &str, messages: &[&str]) {
    assert_eq!(problems_of(text), messages, "for:\n{text}");
}

/// Like [`says`], for the keys of an endpoint that is good but for them; they begin in line 4.
#[track_caller]
fn endpoint_says(keys: &str, messages: &[&str]) {
    says(&format!("[[endpoint]]\nname = \"x\"\nurl = \"https://example.com\"\n{keys}\n"), messages);
}
