//! A URL: scheme and host are the operator's, a value is a part of the path or of the query and stays that.

use std::ops::ControlFlow;

use percent_encoding::percent_encode;

use super::super::{Mistake, Unfit};
use super::{Piece, UNRESERVED, words};

/// Where requests go may not depend on a packet: nothing is filled in before the path or query begins.
pub(super) fn judge(source: &str) -> Result<(), Mistake> {
    let host = source.find("://").map_or(0, |at| at + 3);
    let authority = source[host..].find(['/', '?', '#']).map_or(source.len(), |at| host + at);
    match ["{{", "{%", "{#"].iter().filter_map(|begin| source.find(begin)).min() {
        Some(at) if at < authority => {
            Err(Mistake::new("scheme, host and port of a URL must stand there as they are", Some(at)))
        }
        _ => Ok(()),
    }
}

pub(super) fn write<'a>(pieces: impl Iterator<Item = Piece<'a>>) -> Result<String, Unfit> {
    let mut written = String::new();
    let mut in_query = false;
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                in_query |= text.contains(['?', '#']);
                written.push_str(text);
            }
            Piece::Value { json, source } => {
                let value = words(json);
                // `/users/` for `/users/{{ user.name }}` is another thing, and worst of all with DELETE.
                if value.is_empty() && !in_query {
                    return Err(Unfit::absent(format!(
                        "{source} is absent, and the URL's path would be another without it"
                    )));
                }
                written.extend(percent_encode(value.as_bytes(), UNRESERVED));
            }
        }
    }
    let path = written.split(['?', '#']).next().unwrap_or_default();
    let climbs =
        path.split('/').try_for_each(|segment| match segment.replace("%2e", ".").replace("%2E", ".").as_str() {
            "." | ".." => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    match climbs {
        ControlFlow::Break(()) => Err(Unfit::new("a part of the URL's path would be . or .., which leads elsewhere")),
        ControlFlow::Continue(()) => Ok(written),
    }
}
