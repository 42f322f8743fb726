//! One file of the journal: a header block, then frames, then whatever the preallocated rest holds.
//!
//! A segment's header is on disk before the file gets its name, so a named segment with a bad header is damage, never
//! a crash. Its first sequence supersedes every frame of that number or a higher one in earlier segments: that is how a
//! torn tail is cut off, and how the journal goes on after a write that failed.

use std::path::{Path, PathBuf};

use super::frame::{self, Frame, Kind};
use super::{Batch, StoreError};

/// Where frames begin. A block of its own, so that no later write can tear the header.
pub const HEADER_BLOCK: u64 = 4096;

/// The format of segments and frames that this code writes, and the newest it reads.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"RADHOOKJ";
const HEADER_LENGTH: usize = 44;
const EXTENSION: &str = ".journal";

/// What stands in the header block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The segment's number, as in its file name; rises by one or more from segment to segment.
    pub index: u64,
    /// Random; seeds the checksum of this segment's frames.
    pub salt: u64,
    /// The sequence of its first frame.
    pub first: u64,
}

impl Header {
    /// The header's bytes: magic, format, zero, index, salt, first, CRC-32 of all before.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_LENGTH);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for number in [self.index, self.salt, self.first] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment at `path`, whose name says `index`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], or [`StoreError::Newer`] when a newer radhook wrote it.
    pub fn decode(path: &Path, index: u64, bytes: &[u8]) -> Result<Header, StoreError> {
        let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), offset: 0, what };
        let Some(header) = bytes.first_chunk::<HEADER_LENGTH>() else {
            return Err(damaged(format!("a segment's header takes {HEADER_LENGTH} bytes, found {}", bytes.len())));
        };
        let short = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes of an array"));
        let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes of an array"));
        if &header[..8] != MAGIC || crc32fast::hash(&header[..HEADER_LENGTH - 4]) != short(HEADER_LENGTH - 4) {
            return Err(damaged("the segment's header is not valid".to_owned()));
        }
        if short(8) > FORMAT {
            return Err(StoreError::Newer { path: path.to_owned(), found: short(8), known: FORMAT });
        }
        let header = Header { index: long(16), salt: long(24), first: long(32) };
        if header.index != index {
            return Err(damaged(format!("the name says segment {index}, the header says {}", header.index)));
        }
        Ok(header)
    }
}

/// A segment's file name.
pub fn name(index: u64) -> String {
    format!("{index:010}{EXTENSION}")
}

/// The index in a segment's file name; `None` for any other file.
pub fn index(name: &str) -> Option<u64> {
    name.strip_suffix(EXTENSION).filter(|digits| digits.len() >= 10)?.parse().ok()
}

/// A place between two frames. What a checkpoint names: everything up to it is in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The last sequence before it; 0 before the first.
    pub sequence: u64,
    /// The segment it lies in; 0 when there is none yet.
    pub segment: u64,
    /// The byte in that segment where the next frame begins, if it stands in this one.
    pub offset: u64,
}

/// A segment read into memory.
#[derive(Debug)]
pub struct Segment {
    /// Its file.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// All its bytes.
    pub bytes: Vec<u8>,
}

/// How a walk over a segment's frames ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At the sequence a later segment supersedes.
    Superseded,
    /// Behind the closing mark, with no frame anywhere after it: it may be appended to.
    Closed,
    /// Where the next frame would be expected. `torn` when a frame was begun there that was never acknowledged.
    Tail {
        /// Whether something was cut off.
        torn: bool,
    },
}

impl Segment {
    /// Visits every valid frame from `from` on, in order, until one is expected that a later segment supersedes
    /// (`until`) or no valid one follows. Answers where it stopped and why.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the frame that is not valid was acknowledged once, and what `visit` answers.
    pub fn walk(
        &self,
        from: Position,
        until: Option<u64>,
        visit: &mut dyn FnMut(&Frame<'_>, Position) -> Result<(), StoreError>,
    ) -> Result<(Position, End), StoreError> {
        let mut position = from;
        let mut closed = false;
        loop {
            let expected = position.sequence + 1;
            if until.is_some_and(|until| until <= expected) {
                return Ok((position, End::Superseded));
            }
            let offset = usize::try_from(position.offset).unwrap_or(usize::MAX);
            let frame = frame::read(&self.bytes, offset, self.header.salt).filter(|frame| frame.sequence == expected);
            let Some(frame) = frame else {
                if let Some(witness) = frame::find_witness(&self.bytes, offset, self.header.salt, expected) {
                    return Err(self.damaged(
                        position.offset,
                        format!("batch {expected} is not valid, and the frame at byte {witness} says it was durable"),
                    ));
                }
                // A frame begins with its checksum; a begun one is recognised by its sequence behind it.
                let torn = self.bytes.get(offset + 8..offset + 16) == Some(&expected.to_le_bytes()[..]);
                // Behind a closing mark nothing was under way; a frame there is left from a later, torn write, and
                // appending before it could one day join it to a batch it does not belong to.
                let clean = closed && !torn && frame::find_any(&self.bytes, offset, self.header.salt).is_none();
                return Ok((position, if clean { End::Closed } else { End::Tail { torn } }));
            };
            closed = frame.kind == Kind::Close;
            position.sequence = expected;
            position.offset += frame.length as u64;
            visit(&frame, position)?;
        }
    }

    /// The batch in one of this segment's frames, which begins at `offset`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`]: its checksum was right and it still does not read.
    pub fn batch(&self, frame: &Frame<'_>, offset: u64) -> Result<Batch, StoreError> {
        frame::decode(frame.payload)
            .ok_or_else(|| self.damaged(offset, format!("batch {} does not read as puts and deletes", frame.sequence)))
    }

    fn damaged(&self, offset: u64, what: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), offset, what }
    }
}
