//! How far a file was read, and how its content is known again: what the bookmarks hold.
//!
//! A file is known by device and inode as long as it lives. Inodes are used again and files are truncated and written anew,
//! so a place also holds marks of what was read: a checksum of the file's first octets and of those before the place.
//! By these marks the same content is known again under another inode, too: a copy, or the compressed file. Only in the
//! same directory, though: what stands in a record need not tell which NAS it is about where the directory does.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::trace::detail::Position;

/// Octets that go into a mark. A record has some hundreds, with its time and its session in it.
pub(super) const WINDOW: u64 = 1024;

/// The version of what stands in a bookmark.
const VERSION: u8 = 1;

/// A file for as long as it lives: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id {
    pub device: u64,
    pub inode: u64,
}

/// The directory in which a file stands, by a checksum of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Directory(u32);

impl Directory {
    /// That of the file at `path`.
    pub fn of(path: &Path) -> Self {
        Self(crc32fast::hash(path.parent().unwrap_or(path).as_os_str().as_bytes()))
    }
}

/// How far a file was read. Octets and lines are those of the text, unpacked where the file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Everything before this octet was read.
    pub offset: u64,
    /// The line that begins there, counted from 1.
    pub line: u64,
    /// The mark of the text's first octets; of a compressed file, of its own.
    pub head: u32,
    /// The mark of the text's octets before the place.
    pub tail: u32,
    /// Of a compressed file.
    pub packed: Option<Packed>,
}

/// How far a compressed file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Packed {
    /// Up to the place.
    Begun,
    /// To its end, which makes it a matter of the past.
    Read,
}

impl Default for Place {
    fn default() -> Self {
        let Position { offset, line } = Position::default();
        Self { offset, line, head: 0, tail: 0, packed: None }
    }
}

impl Place {
    /// Where to read on.
    pub fn position(&self) -> Position {
        Position { offset: self.offset, line: self.line }
    }

    /// How many octets from the text's beginning its head is made of.
    pub fn head_length(&self) -> u64 {
        self.offset.min(WINDOW)
    }

    /// Where the octets begin of which its tail is made.
    pub fn tail_begins(&self) -> u64 {
        self.offset - self.offset.min(WINDOW)
    }
}

/// What a bookmark is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// A file that is followed.
    File(Id),
    /// What was read of a file that is gone, or was truncated.
    Past {
        /// Where it stood.
        directory: Directory,
        /// The place's own.
        head: u32,
        /// The place's own.
        tail: u32,
        /// The place's own.
        offset: u64,
    },
}

/// What stands in the bookmark of something past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Past {
    /// Where it stood.
    pub directory: Directory,
    /// How far it was read.
    pub place: Place,
    /// Since when it is past, in seconds since 1970.
    pub since: i64,
}

impl Past {
    /// What its bookmark is called.
    pub fn item(&self) -> Item {
        let Place { head, tail, offset, .. } = self.place;
        Item::Past { directory: self.directory, head, tail, offset }
    }
}

impl Item {
    /// As the store's key holds it.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::File(Id { device, inode }) => [b"f".as_slice(), &device.to_be_bytes(), &inode.to_be_bytes()].concat(),
            Self::Past { directory: Directory(directory), head, tail, offset } => {
                let words = [directory, head, tail].map(|word| word.to_be_bytes());
                [b"p".as_slice(), words.as_flattened(), &offset.to_be_bytes()].concat()
            }
        }
    }

    /// From what [`Item::encode`] makes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (rest, last) = rest.split_last_chunk::<8>()?;
        let last = u64::from_be_bytes(*last);
        match (kind, rest.as_chunks::<4>()) {
            (b'f', ([high, low], [])) => {
                let device = u64::from(u32::from_be_bytes(*high)) << 32 | u64::from(u32::from_be_bytes(*low));
                Some(Self::File(Id { device, inode: last }))
            }
            (b'p', ([directory, head, tail], [])) => {
                let [directory, head, tail] = [directory, head, tail].map(|word| u32::from_be_bytes(*word));
                Some(Self::Past { directory: Directory(directory), head, tail, offset: last })
            }
            _ => None,
        }
    }
}

/// What stands in a bookmark, as the store's value holds it.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("plain values always serialise into memory")
}

/// From what [`encode`] makes; `None` for anything else.
pub(super) fn decode<T: for<'d> Deserialize<'d>>(bytes: &[u8]) -> Option<T> {
    postcard::from_bytes(bytes.strip_prefix(&[VERSION])?).ok()
}

/// The mark of a text's first octets.
pub(super) fn head_mark(octets: &[u8]) -> u32 {
    // A line that is cut off may be the one that is written over.
    let end = octets.iter().rposition(|octet| *octet == b'\n').map_or(octets.len(), |at| at + 1);
    mark(&octets[..end])
}

/// The mark of the octets before a place.
pub(super) fn tail_mark(octets: &[u8]) -> u32 {
    let cut = octets.len() as u64 >= WINDOW;
    let begin = octets.iter().position(|octet| *octet == b'\n').filter(|_| cut).map_or(0, |at| at + 1);
    mark(&octets[begin..])
}

/// A checksum that stays the same when FreeRADIUS's reader with `track = yes` writes `\tDone` over `\tTime`.
fn mark(octets: &[u8]) -> u32 {
    const BEFORE: &[u8] = b"\tTime";
    const AFTER: &[u8] = b"\tDone";
    let mut sum = crc32fast::Hasher::new();
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        match line.strip_prefix(AFTER) {
            Some(rest) => {
                sum.update(BEFORE);
                sum.update(rest);
            }
            None => sum.update(line),
        }
    }
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bookmarks_read_back_as_they_were_written() {
        let place = Place { offset: 1 << 40, line: 7, head: 1, tail: u32::MAX, packed: Some(Packed::Begun) };
        assert_eq!(decode::<Place>(&encode(&place)), Some(place));
        let past = Past { directory: Directory::of(Path::new("/log/a/detail")), place, since: 1_795_342_530 };
        assert_eq!(decode::<Past>(&encode(&past)), Some(past));
        for item in [Item::File(Id { device: 5, inode: u64::MAX }), past.item()] {
            assert_eq!(Item::decode(&item.encode()), Some(item));
        }
        assert_ne!(past.directory, Directory::of(Path::new("/log/b/detail")));
        assert_eq!(Item::decode(b"x1234567812345678"), None);
        assert_eq!(Item::decode(b"f1234"), None);
        assert_eq!(decode::<Place>(&[9, 9, 9]), None);
    }

    #[test]
    fn a_mark_is_the_same_after_records_were_marked_as_done() {
        let text: String = (0..40).map(|n| format!("now\n\tNAS-Port = {n}\n\tTimestamp = 179534253{n}\n\n")).collect();
        let done = text.replace("\tTimestamp", "\tDonestamp");
        let window = WINDOW as usize;
        for (end, _) in
            text.match_indices("\n\n").map(|(at, end)| (at + end.len(), end)).filter(|(end, _)| *end > window)
        {
            let of = |text: &str| tail_mark(&text.as_bytes()[end - window..end]);
            assert_eq!(of(&text), of(&done), "{end}");
        }
        for end in 0..=window {
            let of = |text: &str| head_mark(&text.as_bytes()[..end]);
            assert_eq!(of(&text), of(&done), "{end}");
        }
        assert_ne!(head_mark(text.as_bytes()), head_mark(text.replace("= 7", "= 8").as_bytes()));
        assert_ne!(tail_mark(text.as_bytes()), tail_mark(text.replace("= 7", "= 8").as_bytes()));
    }
}
