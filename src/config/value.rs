//! How single values are read: types, bounds, choices and lists, each with an exact complaint.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Parse, Scope, nearest, shown};
use super::tree::{Node, Value};
use super::units::{self, Complaint};

/// A text that `parse` understands.
pub(super) fn parsed<T>(expected: &'static str, parse: impl Fn(&str) -> Result<T, Complaint>) -> impl Parse<T> {
    move |scope: &Scope<'_>, node: &Node| {
        let Value::Text(text) = &node.value else {
            scope.wrong_type(node, expected);
            return None;
        };
        let complain = |Complaint { what, help }| {
            let what = format!("`{}` is \"{}\", {what}", node.key, shown(text));
            scope.problem(node.place, what, Some(help).filter(|help| !help.is_empty()));
        };
        parse(text).map_err(complain).ok()
    }
}

/// `true` or `false`.
pub(super) fn flag(scope: &Scope<'_>, node: &Node) -> Option<bool> {
    let Value::Flag(flag) = node.value else {
        scope.wrong_type(node, "true or false");
        return None;
    };
    Some(flag)
}

/// A whole number within bounds.
pub(super) fn integer(bounds: RangeInclusive<u64>) -> impl Parse<u64> {
    move |scope: &Scope<'_>, node: &Node| {
        let Value::Integer(Some(number)) = node.value else {
            scope.wrong_type(node, "a whole number");
            return None;
        };
        let found = u64::try_from(number).ok();
        within(scope, node, number, found, &bounds, |bound| bound.to_string())
    }
}

/// A number within bounds, whole or not.
pub(super) fn number(bounds: RangeInclusive<f64>) -> impl Parse<f64> {
    move |scope: &Scope<'_>, node: &Node| {
        let number = match node.value {
            Value::Float(number) => number,
            Value::Integer(Some(number)) => number as f64,
            _ => {
                scope.wrong_type(node, "a number");
                return None;
            }
        };
        within(scope, node, number, Some(number), &bounds, |bound| format!("{bound:?}"))
    }
}

/// A duration within bounds.
pub(super) fn duration(bounds: RangeInclusive<Duration>) -> impl Parse<Duration> {
    let read = parsed("a duration such as \"10s\"", units::parse_duration);
    move |scope: &Scope<'_>, node: &Node| {
        let found = read(scope, node)?;
        within(scope, node, units::show_duration(found), Some(found), &bounds, |bound| units::show_duration(*bound))
    }
}

/// A size in bytes within bounds.
pub(super) fn size(bounds: RangeInclusive<u64>) -> impl Parse<u64> {
    let read = parsed("a size such as \"64MiB\"", units::parse_size);
    move |scope: &Scope<'_>, node: &Node| {
        let found = read(scope, node)?;
        within(scope, node, units::show_size(found), Some(found), &bounds, |bound| units::show_size(*bound))
    }
}

fn within<T: PartialOrd>(
    scope: &Scope<'_>,
    node: &Node,
    written: impl Display,
    found: Option<T>,
    bounds: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Option<T> {
    let found = found.filter(|found| bounds.contains(found));
    if found.is_none() {
        let (least, most) = (show(bounds.start()), show(bounds.end()));
        scope.problem(node.place, format!("`{}` is {written}, and must be from {least} to {most}", node.key), None);
    }
    found
}

/// One of a few words.
pub(super) fn one_of<T: Clone>(choices: &'static [(&'static str, T)]) -> impl Parse<T> {
    parsed("a word in quotes", move |text| {
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Ok(choice.clone());
        }
        let names = || choices.iter().map(|(name, _)| *name);
        let all = match names().collect::<Vec<_>>().as_slice() {
            [only] => format!("write \"{only}\""),
            names => format!("choose from {}", names.join(", ")),
        };
        let same_letters = || names().find(|name| name.eq_ignore_ascii_case(text));
        match nearest(text, names()).or_else(same_letters) {
            Some(near) => Err(Complaint::new("which is none of its values", format!("did you mean \"{near}\"?"))),
            None => Err(Complaint::new("which is none of its values", all)),
        }
    })
}

/// A name for people, commands and metrics.
pub(super) fn name(scope: &Scope<'_>, node: &Node) -> Option<std::sync::Arc<str>> {
    let valid = parsed("a name in quotes", |text| match text.chars().count() {
        0 => Err(Complaint::new("which is empty", "give it a name")),
        count if count > MAX_NAME => {
            Err(Complaint::new(format!("which has {count} characters"), format!("use at most {MAX_NAME}")))
        }
        _ if text.contains(char::is_control) => {
            Err(Complaint::new("which holds a control character", "use letters, digits and signs"))
        }
        _ if text.trim() != text => Err(Complaint::new("which begins or ends with a space", "remove it")),
        _ => Ok(text.into()),
    });
    valid(scope, node)
}

/// The longest name, in characters: it stands in every metric, log line and table of the command line.
const MAX_NAME: usize = 64;

/// A path, relative to the main file's directory.
pub(super) fn path(scope: &Scope<'_>, node: &Node) -> Option<PathBuf> {
    let given = parsed("a path in quotes", |text| match text {
        "" => Err(Complaint::new("which is empty", "name a file or directory")),
        _ if text.contains('\0') => Err(Complaint::new("which holds a NUL", "no path can")),
        _ => Ok(PathBuf::from(text)),
    });
    Some(scope.path(given(scope, node)?))
}

/// An array of at most `limit` values. The bad ones are reported and left out, so that the others are judged too.
pub(super) fn list<T>(expected: &'static str, limit: usize, element: impl Parse<T>) -> impl Parse<Vec<T>> {
    move |scope: &Scope<'_>, node: &Node| {
        let Value::List(items) = &node.value else {
            scope.wrong_type(node, expected);
            return None;
        };
        if items.len() > limit {
            let what = format!("`{}` has {} values, and at most {limit} are allowed", node.key, items.len());
            scope.problem(node.place, what, None);
            return None;
        }
        Some(items.iter().filter_map(|item| element(scope, item)).collect())
    }
}

/// One value, or an array of 1 to `limit`.
pub(super) fn one_or_more<T>(expected: &'static str, limit: usize, element: impl Parse<T>) -> impl Parse<Vec<T>> {
    move |scope: &Scope<'_>, node: &Node| match &node.value {
        Value::List(items) if items.is_empty() => {
            scope.problem(node.place, format!("`{}` is an empty array, and must be {expected}", node.key), None);
            None
        }
        Value::List(_) => list(expected, limit, &element)(scope, node),
        _ => element(scope, node).map(|value| vec![value]),
    }
}
