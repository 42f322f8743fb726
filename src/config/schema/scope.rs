//! `venues` and `organization` of an `[[endpoint]]`: where its events come from.

use crate::config::reader::{Reader, Scope as Reading, shown};
use crate::config::tree::{Node, Value};
use crate::config::units::Complaint;
use crate::config::value::{one_or_more, parsed};
use crate::route::Scope;

/// More venues than an operator writes by hand; whole families are globs.
const MAX_VENUES: usize = 1_000;

/// The longest name or pattern, in characters.
const MAX_LENGTH: usize = 256;

/// `None` where the endpoint takes events from everywhere.
pub(super) fn scope(table: &mut Reader<'_>) -> Option<Scope> {
    let venues = table.optional("venues", one_or_more("a venue's id or name, or an array of them", MAX_VENUES, venue));
    let organization = table.optional("organization", parsed("a name in quotes", text));
    (venues.is_some() || organization.is_some()).then(|| Scope { venues: venues.unwrap_or_default(), organization })
}

/// An id, or an id or name with `*`.
fn venue(scope: &Reading<'_>, node: &Node) -> Option<String> {
    match node.value {
        Value::Integer(Some(id)) => Some(id.to_string()),
        _ => parsed("an id, or a name in quotes", text)(scope, node),
    }
}

fn text(text: &str) -> Result<String, Complaint> {
    match text.chars().count() {
        0 => Err(Complaint::new("which is empty", "name it")),
        count if count > MAX_LENGTH => {
            Err(Complaint::new(format!("which has {count} characters"), format!("use at most {MAX_LENGTH}")))
        }
        _ => Ok(text.to_owned()),
    }
}

/// `description`: a line for operators.
pub(super) fn description(table: &mut Reader<'_>) -> Option<String> {
    let line = parsed("a text in quotes", |line| match text(line) {
        Ok(line) if line.chars().any(char::is_control) => {
            Err(Complaint::new("which holds a control character", format!("write one line: \"{}\"", shown(&line))))
        }
        other => other,
    });
    table.optional("description", line)
}
