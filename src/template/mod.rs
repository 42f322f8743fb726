//! The one language of conditions (`when`), URLs, headers and bodies: minijinja, which is Jinja2 without loops that do not
//! end.
//!
//! What comes out of a packet is a value and stays one. Each is written for the place it stands in (`place/`), by the text
//! around it and not by the word of whoever wrote the template, so that no user name closes a string, an element, or a header.
//! An absent fact is nothing: it prints as nothing (`null` where JSON wants a value), and no comparison with it holds.
//!
//! Steps, and the bytes that they make, are bounded by `FUEL`.

mod condition;
mod facts;
mod filters;
mod guard;
mod place;
mod text;
mod words;

use std::ops::Range;

use minijinja::{Environment, UndefinedBehavior};
use thiserror::Error;

pub use condition::{COUNT, Condition};
pub use facts::Facts;
pub use place::Place;
pub use text::Template;

/// What one evaluation may cost: a step is one, and so are 64 bytes that are written. A body of a megabyte made of twenty
/// thousand events stays below it; a loop within a loop over them does not.
const FUEL: u64 = 2_000_000;

/// The largest template, in bytes. A body with its comments and branches has a few kilobytes.
pub const MAX_SOURCE: usize = 64 * 1024;

/// What is wrong with a template or condition: the operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What.
    pub what: String,
    /// Where in its text, in bytes, where that is known.
    pub at: Option<usize>,
}

/// Why nothing came of a template for an event, though it is well-formed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what}")]
pub struct Unfit {
    what: String,
    is_absence: bool,
}

impl Unfit {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_absence: false }
    }

    /// A fact is absent without which there is nothing to be sent.
    fn absent(what: impl Into<String>) -> Self {
        Self { is_absence: true, ..Self::new(what) }
    }

    /// Whether all that is wrong is that this event lacks a fact.
    pub fn is_absence(&self) -> bool {
        self.is_absence
    }
}

impl Mistake {
    fn new(what: impl Into<String>, at: Option<usize>) -> Self {
        Self { what: what.into(), at }
    }

    /// What minijinja has to say, in one sentence.
    fn of(error: &minijinja::Error) -> Self {
        Self::new(said(error), error.range().map(|Range { start, .. }| start))
    }
}

/// An error's words without the place, which is told apart.
fn said(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

/// The language, for templates and for conditions.
fn language() -> Environment<'static> {
    let mut language = Environment::new();
    language.set_undefined_behavior(UndefinedBehavior::Chainable);
    language.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    language.set_fuel(Some(FUEL));
    // Without it an error does not say where.
    language.set_debug(true);
    // What they promise is done for every value, or must not be.
    for pointless in ["safe", "escape", "e", "indent", "pprint"] {
        language.remove_filter(pointless);
    }
    language.remove_global("debug");
    filters::add(&mut language);
    language
}

/// What stands at the top: the event's own keys, and what stands in `data` of what radhook makes. Other keys of posted events
/// are found as `data.key`.
const NAMES: &[&str] = &[
    "id",
    "type",
    "timestamp",
    "source",
    "data",
    "event",
    "user",
    "client",
    "nas",
    "ap",
    "venue",
    "company",
    "facts",
    "session",
    "auth",
    "attributes",
    "reply_attributes",
    "endpoint",
    "attempt",
    "reason",
    "failing_since",
    "limit",
    "active_users",
    "pending",
    "voucher",
    "lease",
    "changes",
    "actor",
    "setting",
    "old",
    "new",
    "version",
    "path",
];

/// Functions of the language.
const FUNCTIONS: [&str; 3] = ["range", "dict", "namespace"];

/// Names that are used and never said, such as a misspelt `sesion.id`: the first of them, with what was probably meant.
fn refuse_unknown(used: impl IntoIterator<Item = String>, known: &[&str], source: &str) -> Result<(), Mistake> {
    let mut unknown: Vec<String> =
        used.into_iter().filter(|name| !known.contains(&&**name) && !FUNCTIONS.contains(&&**name)).collect();
    unknown.sort();
    let Some(top) = unknown.first() else { return Ok(()) };
    let near = known.iter().map(|known| (strsim::osa_distance(top, known), known)).min();
    let help = match near {
        Some((distance, near)) if distance <= top.chars().count().max(3) / 3 => format!("did you mean {near}?"),
        _ => format!("there are {}; what else a posted event holds is data.{top}", known.join(", ")),
    };
    Err(Mistake::new(format!("{top} is no fact of an event: {help}"), word(source, top)))
}

/// Where a name stands as a word of its own.
fn word(source: &str, name: &str) -> Option<usize> {
    let part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
    source.match_indices(name).map(|(at, _)| at).find(|at| {
        !source[..*at].chars().next_back().is_some_and(part)
            && !source[at + name.len()..].chars().next().is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

#[cfg(test)]
mod tests;
