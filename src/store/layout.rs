//! How the table stands in sled: one tree with four kinds of keys, told apart by their first byte, so that one of sled's
//! batches can change all of them at once.

use super::segment::Position;

/// The longest value that stands in its leaf, with a byte before it that says so.
const INLINE: usize = 4095;

/// The size of a longer value's pieces.
pub(super) const PIECE: usize = 4096;

pub(super) const RECORD_KEY: &[u8] = &[0];
/// Whether entries that belong in blocks stand in them: they did not before format 3.
pub(super) const BLOCKS_KEY: &[u8] = &[0, 1];
pub(super) const VALUE: u8 = 1;
pub(super) const VALUES_END: &[u8] = &[2];
/// Stands before the keys of blocks, which are made by [`super::block`].
pub(super) const BLOCK: u8 = 3;
pub(super) const BLOCKS_END: &[u8] = &[4];
const PIECES: u8 = 2;

const TAG_INLINE: u8 = 0;
const TAG_PIECES: u8 = 1;

/// What stands beside the values, changed in one batch with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) position: Position,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Record {
    const LENGTH: usize = 40;

    pub(super) fn encode(&self) -> Vec<u8> {
        let Position { sequence, segment, offset } = self.position;
        [sequence, segment, offset, self.entries, self.bytes].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
        let bytes: &[u8; Record::LENGTH] = bytes.try_into().ok()?;
        let number =
            |at: usize| u64::from_le_bytes(bytes[at * 8..at * 8 + 8].try_into().expect("eight bytes of forty"));
        let position = Position { sequence: number(0), segment: number(1), offset: number(2) };
        Some(Record { position, entries: number(3), bytes: number(4) })
    }
}

/// How sled holds a value.
pub(super) enum Held<'a> {
    Inline(&'a [u8]),
    Pieces(usize),
}

impl<'a> Held<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Held<'a>> {
        match bytes.split_first()? {
            (&TAG_INLINE, value) => Some(Held::Inline(value)),
            (&TAG_PIECES, length) => {
                usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok().map(Held::Pieces)
            }
            _ => None,
        }
    }

    /// How a value is held; its pieces, if there are any, stand under keys of their own.
    pub(super) fn of(value: &'a [u8]) -> Held<'a> {
        if pieces(value.len()) == 0 { Held::Inline(value) } else { Held::Pieces(value.len()) }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Held::Inline(value) => [&[TAG_INLINE], *value].concat(),
            Held::Pieces(length) => {
                let length = u32::try_from(*length).expect("MAX_VALUE fits");
                [&[TAG_PIECES][..], &length.to_le_bytes()].concat()
            }
        }
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Held::Inline(value) => value.len(),
            Held::Pieces(length) => *length,
        }
    }
}

/// How many pieces a value of so many bytes is split into.
pub(super) fn pieces(length: usize) -> usize {
    if length <= INLINE { 0 } else { length.div_ceil(PIECE) }
}

pub(super) fn value_key(key: &[u8]) -> Vec<u8> {
    [&[VALUE], key].concat()
}

pub(super) fn piece_key(key: &[u8], number: usize) -> Vec<u8> {
    let number = u32::try_from(number).expect("MAX_VALUE has fewer pieces");
    [&[PIECES], key, &number.to_be_bytes()].concat()
}
