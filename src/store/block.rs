//! Entries that stand together in one of sled's values.
//!
//! A leaf of sled's splits above sixteen items, however small they are, and every item that is put costs a walk down the tree and a
//! piece of its log. So what belongs to events that came one after the other shares a block: their events, what was told by them, and
//! per endpoint what is pending, dead or done. History and backlogs begin and end in this order, so that a block is mostly written
//! once and removed once.
//!
//! A block is a row of entries in the order of their keys:
//!
//! ```text
//!  | key length, 2 | value length, 4 | key … | value … |
//! ```
//! All numbers are little-endian. The row stands behind an octet that says whether it is compressed (LZ4, behind its length): the JSON
//! of events that came together repeats itself and becomes a quarter as long, which spares sled that much writing, and reading back.

use std::borrow::Cow;

use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};

use super::Key;
use super::layout::BLOCK;
use super::records;

/// Events in one block: some 1,600 octets each, and 400 compressed. Whoever reads one event unpacks them all.
const EVENTS: u64 = 4;

/// Rows that are shorter are not worth compressing.
const WORTHWHILE: usize = 2_048;

const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;

/// Events whose facts, or whose deliveries at an endpoint, share a block: some fifty octets each.
const SMALL: u64 = 16;

/// Letters whose keys end in the number of an event, in their order.
pub(super) const NUMBERED: [u8; 4] = *b"DEHP";

/// Letters whose values name an event, while their keys are fingerprints; one follows the other.
pub(super) const TOLD: [u8; 2] = *b"TU";

/// Where an entry stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// By itself.
    Single,
    /// In the block under this key.
    Block(Key),
    /// In the block of the event that its value names: [`told_block`].
    Told,
}

/// A block that is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// Where the entry under a table's key stands.
pub(super) fn home(key: &[u8]) -> Home {
    match key {
        [b'E', number @ ..] if number.len() == 8 => Home::Block(block(b"E", number, EVENTS)),
        [b'D' | b'H' | b'P', rest @ ..] if rest.len() == 12 => Home::Block(block(&key[..5], &rest[4..], SMALL)),
        [b'T' | b'U', print @ ..] if print.len() == 16 => Home::Told,
        _ => Home::Single,
    }
}

fn block(of: &[u8], number: &[u8], size: u64) -> Key {
    let number = u64::from_be_bytes(number.try_into().expect("the caller saw eight octets"));
    let mut key = Key::from([BLOCK]);
    key.extend_from_slice(of);
    key.extend_from_slice(&(number / size).to_be_bytes());
    key
}

/// The keys of blocks between which all entries of a letter in [`NUMBERED`] stand whose keys lie in `from..to`; the last is one of
/// them. They may hold others too.
pub(super) fn blocks(letter: u8, from: &[u8], to: &[u8]) -> (Key, Key) {
    // The least and the greatest key that begin so.
    let whole = |key: &[u8], filled: u8| {
        let length = if letter == b'E' { 9 } else { 13 };
        let mut octets = vec![filled; length];
        octets[0] = letter;
        let known = key.len().min(length);
        octets[1..known.max(1)].copy_from_slice(&key[1..known.max(1)]);
        match home(&octets) {
            Home::Block(block) => block,
            _ => unreachable!("it has a numbered key's letter and length"),
        }
    };
    let first = if from.first() == Some(&letter) { whole(from, 0) } else { whole(&[letter], 0) };
    let last = if to.first() == Some(&letter) { whole(to, 0) } else { whole(&[letter], 0xff) };
    (first, last)
}

/// The group of events whose facts share a block; of a value that names none, the first.
pub(super) fn told_group(value: &[u8]) -> u32 {
    let event = records::told_event(value).unwrap_or(0);
    // Four thousand million groups are more than any disk holds.
    u32::try_from(event / SMALL).unwrap_or(u32::MAX)
}

/// The key of such a block.
pub(super) fn told_block(group: u32) -> Key {
    let mut key = Key::from([BLOCK, TOLD[0]]);
    key.extend_from_slice(&group.to_be_bytes());
    key
}

/// The group in the key of such a block.
pub(super) fn read_told_block(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.strip_prefix(&[BLOCK, TOLD[0]])?.try_into().ok()?))
}

/// A row as it is held.
pub(super) fn pack(row: &[u8]) -> Vec<u8> {
    match row.len() >= WORTHWHILE {
        true => [&[COMPRESSED][..], &compress_prepend_size(row)].concat(),
        false => [&[PLAIN][..], row].concat(),
    }
}

/// The row in what is held; nothing of it is an empty one.
pub(super) fn unpack(held: &[u8]) -> Result<Cow<'_, [u8]>, Broken> {
    match held.split_first() {
        None => Ok(Cow::Borrowed(&[])),
        Some((&PLAIN, row)) => Ok(Cow::Borrowed(row)),
        Some((&COMPRESSED, packed)) => decompress_size_prepended(packed).map(Cow::Owned).map_err(|_| Broken),
        Some(_) => Err(Broken),
    }
}

/// Adds an entry at the end.
pub(super) fn push(octets: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    octets.extend_from_slice(&u16::try_from(key.len()).expect("MAX_KEY fits").to_le_bytes());
    octets.extend_from_slice(&u32::try_from(value.len()).expect("MAX_VALUE fits").to_le_bytes());
    octets.extend_from_slice(key);
    octets.extend_from_slice(value);
}

/// The entries of a block.
pub(super) fn entries(octets: &[u8]) -> Entries<'_> {
    Entries(octets)
}

/// See [`entries`].
pub(super) struct Entries<'a>(&'a [u8]);

impl<'a> Entries<'a> {
    fn read(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let (key, rest) = self.0.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key)))?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*value)).ok()?)?;
        self.0 = rest;
        Some((key, value))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read();
        if read.is_none() {
            self.0 = &[];
        }
        Some(read.ok_or(Broken))
    }
}

#[cfg(test)]
mod tests {
    use super::super::records;
    use super::*;

    #[test]
    fn blocks_stand_in_the_order_of_what_they_hold_and_apart_by_endpoint() {
        let of = |key: Key| match home(&key) {
            Home::Block(block) => block,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(records::event(4)), of(records::event(7)));
        assert!(of(records::event(7)) < of(records::event(8)));
        assert!(of(records::event(255)) < of(records::event(256)));
        assert_eq!(of(records::pending(1, 0)), of(records::pending(1, 15)));
        assert!(of(records::pending(1, u64::MAX)) < of(records::pending(2, 0)));
        assert!(of(records::done(1, 0)) < of(records::pending(0, 0)));
        assert_eq!(home(&records::told(&[7; 16])), Home::Told);
        assert_eq!(home(&records::due(1, 2, 3)), Home::Single);
        assert_eq!(home(b"E"), Home::Single);
    }

    #[test]
    fn a_range_of_keys_lies_within_its_range_of_blocks() {
        let (first, last) = blocks(b'E', b"A", b"Z");
        assert!(first <= told_or(home(&records::event(0))) && told_or(home(&records::event(u64::MAX))) <= last);
        let (first, last) = blocks(b'E', &records::event(9), &records::event(21));
        assert_eq!((first, last), (told_or(home(&records::event(8))), told_or(home(&records::event(20)))));
        let (first, last) = blocks(b'P', &records::pending(3, 0)[..5], b"P\0\0\0\x04");
        assert_eq!((first, last), (told_or(home(&records::pending(3, 0))), told_or(home(&records::pending(4, 0)))));
    }

    fn told_or(home: Home) -> Key {
        match home {
            Home::Block(block) => block,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn entries_are_read_as_they_were_put_and_what_is_cut_off_is_noticed() {
        let mut octets = Vec::new();
        push(&mut octets, b"one", b"");
        push(&mut octets, b"", b"two");
        let read: Result<Vec<_>, _> = entries(&octets).collect();
        assert_eq!(read.unwrap(), [(&b"one"[..], &b""[..]), (b"", b"two")]);
        for cut in 1..octets.len() {
            let whole = entries(&octets[..cut]).collect::<Result<Vec<_>, _>>();
            assert!(whole.is_err() || cut == 9, "{cut}");
        }
    }

    #[test]
    fn rows_are_had_back_whether_they_were_compressed_or_not() {
        for length in [0, 1, 2_047, 2_048, 100_000] {
            let row: Vec<u8> = (0..length).map(|at: usize| (at % 7) as u8).collect();
            let held = pack(&row);
            assert_eq!(&*unpack(&held).unwrap(), &row[..]);
            assert!(length < 2_048 || held.len() < length / 2, "{length} octets became {}", held.len());
        }
        assert_eq!(unpack(&[COMPRESSED, 1, 2]), Err(Broken));
        assert_eq!(unpack(&[9]), Err(Broken));
    }
}
