//! What the config adds to events, as `radhook check` shows it.

use serde_json::{Value, json};

use super::list;
use crate::config::Config;
use crate::directory::{FileOptions, People};

/// For people.
pub(super) fn shown(config: &Config) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let venues = names(config);
    if !venues.is_empty() {
        lines.push(("venues", list(venues.iter().map(text))));
    }
    let keys = |told: &Value| list(told.as_object().into_iter().flat_map(|told| told.keys().cloned()));
    lines.extend(config.enrichment.company.as_deref().map(|company| ("company", keys(company))));
    lines.extend(config.enrichment.facts.as_deref().map(|facts| ("facts", keys(facts))));
    let Some(users) = &config.users else { return lines };
    if let Some(file) = &users.file {
        let held = match rows(file) {
            Some(rows) => format!("{rows} users in {}", file.path.display()),
            None => format!("{} cannot be used", file.path.display()),
        };
        lines.push(("users", held));
    }
    lines
}

/// For programs.
pub(super) fn objects(config: &Config) -> Vec<Value> {
    let mut objects = Vec::new();
    let venues = names(config);
    if !venues.is_empty() {
        objects.push(json!({ "kind": "venues", "venues": venues }));
    }
    let Some(users) = &config.users else { return objects };
    let mut object = json!({ "kind": "users" });
    if let Some(file) = &users.file {
        object["file"] = file.path.to_string_lossy().into();
        if let Some(rows) = rows(file) {
            object["rows"] = rows.into();
        }
    }
    objects.push(object);
    objects
}

/// The name of each venue, or its id where it has none.
fn names(config: &Config) -> Vec<&Value> {
    let name = |told: &'_ Value| if told.get("name").is_some() { "name" } else { "id" };
    config.enrichment.venues.iter().filter_map(|venue| venue.told.get(name(&venue.told))).collect()
}

fn text(value: &&Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows(file: &FileOptions) -> Option<usize> {
    file.read.as_ref().map(People::rows)
}
