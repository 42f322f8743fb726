//! What is wrong with a config, said like a compiler: `file:line:column: what; help`.
//!
//! No line of the file itself is ever shown: it may hold a secret, also where nobody expected one.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One problem or warning, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The file, as the operator named it.
    pub file: PathBuf,
    /// Where in it; absent where the whole file is meant.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A position in a text file, as editors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A text that knows where its lines begin: ten thousand clients with one mistake each are told in no time.
pub(super) struct Text {
    text: String,
    lines: Vec<usize>,
}

impl Text {
    pub fn new(text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The position of byte `offset`; an offset past the end means the end.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line - 1];
        let before = self.text.get(start..offset).unwrap_or(&self.text[start..]);
        Position { line, column: before.chars().count() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(position) = self.position {
            write!(f, "{position}:")?;
        }
        write!(f, " {}", self.what)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// Why a config was refused: everything that is wrong with it, in the order of files and lines. Displayed one a line
/// with the count at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// At least one.
    pub problems: Vec<Remark>,
    /// What was noticed besides.
    pub warnings: Vec<Remark>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem in the config"),
            count => write!(f, "{count} problems in the config"),
        }
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let at = |text, offset| {
            let Position { line, column } = Text::new(str::to_owned(text)).position(offset);
            (line, column)
        };
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("ab", 1), (1, 2));
        assert_eq!(at("ä = 1\nb", 3), (1, 3));
        assert_eq!(at("ä = 1\nb", 7), (2, 1));
        assert_eq!(at("a\r\nb", 3), (2, 1));
        assert_eq!(at("a\n", 99), (2, 1));
    }
}
