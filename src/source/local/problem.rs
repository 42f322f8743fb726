//! What is wrong with a post.

use serde::Serialize;

/// What is wrong with a post, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Problem {
    /// Where: a place in the body, or a part of the request.
    pub at: String,
    /// What, and what to do.
    pub what: String,
}

impl Problem {
    /// Of a body.
    pub fn body(what: &str) -> Self {
        Self { at: "body".to_owned(), what: what.to_owned() }
    }

    /// Of JSON that is none.
    pub fn syntax(error: &serde_json::Error) -> Self {
        Self {
            at: format!("line {}, column {}", error.line(), error.column()),
            what: format!("it is no JSON: {error}"),
        }
    }

    /// Of a parameter of the query.
    pub fn query(name: &str, what: &str) -> Self {
        Self { at: "query".to_owned(), what: format!("{} {what}", shown(name)) }
    }

    /// Of an attribute.
    pub fn attribute(name: &str, what: &str) -> Self {
        Self { at: shown(name), what: format!("it {what}") }
    }
}

/// A name somebody else chose, cut to what an answer and a log line can hold.
pub fn shown(name: &str) -> String {
    const LONGEST: usize = 64;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
