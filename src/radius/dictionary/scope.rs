//! Where a line stands: its file, and the blocks that are open around it.

use std::fmt;
use std::sync::Arc;

use super::Space;
use super::error::{Position, Problem};
use super::statement::{Fault, Word};

/// A file being read, at some line.
pub(super) struct Scope {
    file: Arc<str>,
    line: usize,
    /// From the outermost to the innermost.
    open: Vec<Open>,
}

/// A BEGIN without its END so far.
struct Open {
    block: Block,
    name: String,
    space: Space,
}

/// The two kinds of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Vendor,
    Tlv,
}

impl Block {
    fn begin(self) -> &'static str {
        match self {
            Self::Vendor => "BEGIN-VENDOR",
            Self::Tlv => "BEGIN-TLV",
        }
    }

    fn end(self) -> &'static str {
        match self {
            Self::Vendor => "END-VENDOR",
            Self::Tlv => "END-TLV",
        }
    }
}

impl Scope {
    pub fn new(file: Arc<str>) -> Self {
        Self { file, line: 0, open: Vec::new() }
    }

    pub fn next_line(&mut self) {
        self.line += 1;
    }

    /// A column of the line.
    pub fn at(&self, column: usize) -> Position {
        Position { file: self.file.clone(), line: self.line, column }
    }

    /// Where plain numbers belong.
    pub fn space(&self) -> Space {
        self.open.last().map_or(Space::Vendor(0), |open| open.space)
    }

    pub fn begin(&mut self, block: Block, name: Word, space: Space) {
        self.open.push(Open { block, name: name.text.to_string(), space });
    }

    /// Takes the innermost block off if it is the one that the line closes.
    pub fn end(&mut self, block: Block, name: Word) -> Result<(), Fault> {
        match self.open.last() {
            Some(open) if open.block == block && open.name.eq_ignore_ascii_case(name.text) => {
                self.open.pop();
                Ok(())
            }
            open => {
                let open = open.map(ToString::to_string);
                Err((name.column, Problem::NotOpen { keyword: block.end(), name: name.text.to_string(), open }))
            }
        }
    }

    /// What is open.
    pub fn open(&self) -> impl Iterator<Item = String> {
        self.open.iter().map(ToString::to_string)
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.block.begin(), self.name)
    }
}
