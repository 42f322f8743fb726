//! What the config adds to events, as `radhook check` shows it.

use serde_json::{Value, json};

use super::list;
use crate::config::{Config, show_duration};
use crate::directory::sql::{self, SqlOptions, Tried};
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
    if let Some(database) = &users.database {
        let SqlOptions { address, cache_size, cache_ttl, timeout, .. } = database;
        let (ttl, timeout) = (show_duration(*cache_ttl), show_duration(*timeout));
        lines.push(("users", format!("asked of {address}, each within {timeout}")));
        lines.push(("", format!("{cache_size} answers kept, each for {ttl}")));
    }
    lines
}

/// What became of asking the database once, as `--ask-database` wants it.
pub(super) enum Asked {
    /// It has answered.
    Answered(Tried),
    /// It has not, or refuses the query.
    Failed(String),
    /// The config names none.
    None,
}

/// Asks it for a name that nobody has.
pub(super) fn ask(config: &Config) -> anyhow::Result<Asked> {
    let Some(database) = config.users.as_ref().and_then(|users| users.database.as_ref()) else {
        return Ok(Asked::None);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(match runtime.block_on(sql::try_out(database)) {
        Ok(tried) => Asked::Answered(tried),
        Err(why) => Asked::Failed(why),
    })
}

impl Asked {
    /// Whether all is well.
    pub(super) fn is_well(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Answered(Tried { took, found: false }) => format!("answers, in {} ms", took.as_millis()),
            Self::Answered(Tried { took, found: true }) => {
                let took = took.as_millis();
                format!(
                    "answers, in {took} ms, and has a row for a name that nobody has: does `query` ask for one user?"
                )
            }
            Self::Failed(why) => format!("gives no answer: {why}"),
            Self::None => "there is none: [users] names no `database`".to_owned(),
        }
    }

    /// For programs.
    pub(super) fn object(&self) -> Value {
        match self {
            Self::Answered(Tried { took, found }) => {
                let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                json!({ "kind": "database", "answers": true, "took_ms": took, "found_nobody": !found })
            }
            Self::Failed(why) => json!({ "kind": "database", "answers": false, "error": why }),
            Self::None => json!({ "kind": "database", "answers": false, "error": self.line() }),
        }
    }
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
    if let Some(database) = &users.database {
        let SqlOptions { address, cache_size, cache_ttl, timeout, .. } = database;
        object["database"] = address.to_string().into();
        object["cache"] = json!({ "size": cache_size, "ttl": show_duration(*cache_ttl) });
        object["timeout"] = show_duration(*timeout).into();
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
