//! What is wrong with a template or condition, told where it stands.

use std::path::Path;

use crate::config::reader::Scope;
use crate::config::tree::Node;
use crate::template::Mistake;

/// Notes a mistake in the text of a key.
pub(super) fn refuse(scope: &Scope<'_>, node: &Node, text: &str, mistake: &Mistake) {
    let place = mistake.at.map_or(node.place, |at| scope.inside(node.place, text, at));
    scope.problem(place, format!("`{}`: {}", node.key, mistake.what), None);
}

/// The same in a file of its own.
pub(super) fn refuse_in(scope: &Scope<'_>, node: &Node, file: &Path, text: &str, mistake: &Mistake) {
    let before = &text[..mistake.at.unwrap_or(0).min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let at = format!("{}:{line}:{column}", file.display());
    scope.problem(node.place, format!("`{}`: {at}: {}", node.key, mistake.what), None);
}
