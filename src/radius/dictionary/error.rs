//! What can be wrong with a dictionary, and where.

use std::fmt;
use std::sync::Arc;

/// A place in a dictionary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file, as it was named or found.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    /// In octets, counted from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a dictionary cannot be loaded, with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct DictionaryError {
    /// Where.
    pub position: Position,
    /// What.
    pub problem: Problem,
}

/// Something that was passed over while loading: the rest of the dictionary stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}")]
pub struct Warning {
    /// Where.
    pub position: Position,
    /// What.
    pub problem: Problem,
}

/// What is wrong at a place. Which ones end the loading and which are warnings is the loader's to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A file that cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A file that includes itself, directly or not.
    #[error("{path} includes itself")]
    IncludeCycle {
        /// The file.
        path: String,
    },
    /// Includes within includes, too deep.
    #[error("files are included {limit} deep here, which is the limit")]
    IncludeTooDeep {
        /// The limit.
        limit: usize,
    },
    /// Too many files in all.
    #[error("more than {limit} files are included")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// A file above the limit.
    #[error("the file has {actual} octets, the limit is {limit}")]
    FileTooLarge {
        /// Its size.
        actual: u64,
        /// The limit.
        limit: u64,
    },
    /// A line that ends too early.
    #[error("{keyword} needs {what} here")]
    Missing {
        /// The line's keyword.
        keyword: &'static str,
        /// What should follow.
        what: &'static str,
    },
    /// Something that is no number where one must be.
    #[error("\"{word}\" is no {what}")]
    BadNumber {
        /// What stands there.
        word: String,
        /// What should stand there.
        what: &'static str,
    },
    /// A word that means nothing here.
    #[error("\"{word}\" is no {what}")]
    Unknown {
        /// What stands there.
        word: String,
        /// What should stand there.
        what: &'static str,
    },
    /// A name that no line before this one defines.
    #[error("no {what} \"{name}\" is defined")]
    Undefined {
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An END without its BEGIN.
    #[error("{keyword} {name} closes what is not open{}", .open.as_ref().map(|open| format!(", {open} is")).unwrap_or_default())]
    NotOpen {
        /// `END-VENDOR` or `END-TLV`.
        keyword: &'static str,
        /// What it names.
        name: String,
        /// What is open there.
        open: Option<String>,
    },
    /// A BEGIN without its END at the end of its file.
    #[error("{name} is never closed")]
    NeverClosed {
        /// What was begun.
        name: String,
    },
    /// A number that cannot stand in this place.
    #[error("number {number} is above {limit}, the most that fits here")]
    NumberTooLarge {
        /// The number.
        number: u32,
        /// The limit.
        limit: u32,
    },
    /// More dots than anything nests.
    #[error("{word} is nested deeper than {limit}")]
    NestedTooDeep {
        /// What stands there.
        word: String,
        /// The limit.
        limit: usize,
    },
    /// A name that belonged to another number until now.
    #[error("{name} is defined again, with another number")]
    Renumbered {
        /// The name.
        name: String,
    },
}
