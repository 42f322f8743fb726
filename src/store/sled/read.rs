//! What sled holds, as the table's users see it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::iter::Peekable;
use std::sync::PoisonError;

use ::sled::IVec;
use smallvec::SmallVec;

use super::{STEP, SledTable, failed};
use crate::store::block::{self, Home, NUMBERED, TOLD, blocks, home, told_block};
use crate::store::layout::{BLOCK, BLOCKS_END, Held, PIECE, Record, VALUE, VALUES_END, piece_key, value_key};
use crate::store::table::{Entries, Table as _};
use crate::store::{Bytes, Key, StoreError};

impl SledTable {
    /// See [`super::Table::get`].
    pub(super) fn find(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match home(key) {
            Home::Single => {
                if self.is_absent(key) {
                    return Ok(None);
                }
                let held = self.call(|tree| tree.get(value_key(key)))?;
                held.map(|held| self.value(key, &held)).transpose()
            }
            Home::Block(block) => self.find_in(&block, key),
            Home::Told => {
                let groups: SmallVec<[u32; 4]> = self.told()?.groups(key).collect();
                for group in groups {
                    if let Some(value) = self.find_in(&told_block(group), key)? {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
        }
    }

    fn find_in(&self, block: &Key, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(octets) = self.block(block)? else { return Ok(None) };
        let row = self.row(block, &octets)?;
        for entry in self.entries_of(block, &row) {
            let (own, value) = entry?;
            if own == key {
                return Ok(Some(value.into()));
            }
        }
        Ok(None)
    }

    /// What a block holds.
    pub(super) fn block(&self, block: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
        let held = self.call(|tree| tree.get(block))?;
        held.map(|held| self.value(block, &held)).transpose()
    }

    /// The row of entries in what a block holds.
    pub(super) fn row<'o>(&self, block: &[u8], octets: &'o [u8]) -> Result<Cow<'o, [u8]>, StoreError> {
        block::unpack(octets).map_err(|_| self.unreadable(block))
    }

    /// The entries of such a row.
    pub(super) fn entries_of<'r>(
        &self,
        block: &[u8],
        row: &'r [u8],
    ) -> impl Iterator<Item = Result<(&'r [u8], &'r [u8]), StoreError>> {
        block::entries(row).map(move |entry| entry.map_err(|_| self.unreadable(block)))
    }

    /// The value of an entry, or of a block, as sled holds it.
    pub(super) fn value(&self, key: &[u8], held: &[u8]) -> Result<Bytes, StoreError> {
        match Held::read(held).ok_or_else(|| self.unreadable(key))? {
            Held::Inline(value) => Ok(value.into()),
            Held::Pieces(length) => {
                let mut value = Vec::with_capacity(length);
                for number in 0..length.div_ceil(PIECE) {
                    let piece = self.call(|tree| tree.get(piece_key(key, number)))?;
                    value.extend_from_slice(&piece.ok_or_else(|| self.unreadable(key))?);
                }
                if value.len() == length { Ok(value.into()) } else { Err(self.unreadable(key)) }
            }
        }
    }

    pub(super) fn unreadable(&self, key: &[u8]) -> StoreError {
        failed(&self.dir, format!("the value of key {key:02x?} is not whole"))
    }

    /// What sled holds with `from <= key < to`, by sled's keys.
    pub(super) fn raw<'t>(
        &'t self,
        from: &[u8],
        to: &[u8],
    ) -> Result<impl Iterator<Item = Result<(IVec, IVec), StoreError>> + use<'t>, StoreError> {
        let mut entries = if from < to { self.tree()?.range(from..to) } else { self.tree()?.range(from..from) };
        Ok(std::iter::from_fn(move || self.call(|_| entries.next().transpose()).transpose()))
    }

    /// See [`super::Table::range`].
    pub(super) fn entries(&self, from: &[u8], to: &[u8]) -> Result<Entries<'_>, StoreError> {
        if from >= to {
            return Ok(Box::new(std::iter::empty()));
        }
        let (first, last) = (value_key(from), value_key(to));
        let singles = self.raw(&first, last.as_slice().min(VALUES_END))?.map(|entry| {
            let (key, held) = entry?;
            Ok((Key::from(&key[1..]), self.value(&key[1..], &held)?))
        });
        // In the order of their letters, the facts last.
        let mut shared: Vec<Entries<'_>> = Vec::new();
        let touches = |letter: u8| from < &[letter + 1][..] && &[letter][..] < to;
        for letter in NUMBERED.into_iter().filter(|letter| touches(*letter)) {
            shared.push(Box::new(self.in_blocks(letter, from, to)?));
        }
        if TOLD.into_iter().any(touches) {
            shared.push(Box::new(self.told_between(from, to)?.into_iter().map(Ok)));
        }
        if shared.is_empty() {
            return Ok(Box::new(singles));
        }
        let shared = shared.into_iter().flatten();
        Ok(Box::new(Merged(singles.peekable(), shared.peekable())))
    }

    /// The entries of a numbered letter; a block is read when its first entry is asked for.
    fn in_blocks(
        &self,
        letter: u8,
        from: &[u8],
        to: &[u8],
    ) -> Result<impl Iterator<Item = Result<(Key, Bytes), StoreError>> + use<'_>, StoreError> {
        let (first, mut last) = blocks(letter, from, to);
        last.push(0);
        let (from, to) = (Key::from(from), Key::from(to));
        let mut held = self.raw(&first, &last)?;
        let mut read = VecDeque::new();
        Ok(std::iter::from_fn(move || {
            loop {
                if let Some(entry) = read.pop_front() {
                    return Some(Ok(entry));
                }
                let between = |key: &[u8]| *from <= *key && *key < *to;
                match held.next()?.and_then(|(block, held)| self.read_block(&block, &held, between)) {
                    Ok(entries) => read.extend(entries),
                    Err(error) => return Some(Err(error)),
                }
            }
        }))
    }

    fn read_block(
        &self,
        block: &[u8],
        held: &[u8],
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        let octets = match Held::read(held) {
            // What is in pieces may have been changed since its head was read.
            Some(Held::Pieces(_)) => self.block(block)?.unwrap_or_default(),
            _ => self.value(block, held)?,
        };
        let row = self.row(block, &octets)?;
        let mut found = Vec::new();
        for entry in self.entries_of(block, &row) {
            let (key, value) = entry?;
            if wanted(key) {
                found.push((Key::from(key), Bytes::from(value)));
            }
        }
        Ok(found)
    }

    /// The facts of a range of fingerprints. Nobody asks for that but who looks through everything: they are read whole.
    fn told_between(&self, from: &[u8], to: &[u8]) -> Result<Vec<(Key, Bytes)>, StoreError> {
        let mut found = Vec::new();
        for held in self.raw(&[BLOCK, TOLD[0]], &[BLOCK, TOLD[0] + 1])? {
            let (block, held) = held?;
            found.extend(self.read_block(&block, &held, |key| from <= key && key < to)?);
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found)
    }

    /// Reads everything and compares it with the checkpoint's record.
    pub(in crate::store) fn count(&self) -> Result<(), StoreError> {
        let mut counted = Record { position: self.position(), ..Record::default() };
        // Pieces are read with their values.
        for (first, end) in [(VALUE, VALUES_END), (BLOCK, BLOCKS_END)] {
            let mut from = vec![first];
            loop {
                let mut read = 0;
                for entry in self.raw(&from, end)?.take(STEP) {
                    let (key, held) = entry?;
                    read += 1;
                    self.count_one(&mut counted, &key, &held)?;
                    from = key.to_vec();
                }
                from.push(0);
                if read < STEP {
                    break;
                }
            }
        }
        let record = *self.record();
        if counted != record {
            let what = format!(
                "it should hold {} entries of {} bytes, and holds {} of {}",
                record.entries, record.bytes, counted.entries, counted.bytes
            );
            return Err(failed(&self.dir, what));
        }
        Ok(())
    }

    /// Counts an entry that stands by itself, or those of a block.
    fn count_one(&self, counted: &mut Record, place: &[u8], held: &[u8]) -> Result<(), StoreError> {
        if place[0] == VALUE {
            counted.entries += 1;
            counted.bytes += (place.len() - 1 + self.value(&place[1..], held)?.len()) as u64;
            return Ok(());
        }
        let octets = self.value(place, held)?;
        for entry in self.entries_of(place, &self.row(place, &octets)?) {
            let (key, value) = entry?;
            counted.entries += 1;
            counted.bytes += (key.len() + value.len()) as u64;
        }
        Ok(())
    }
}

/// Two rows in key order, no key in both, as one. After an error nothing is asked for.
struct Merged<A: Iterator, B: Iterator>(Peekable<A>, Peekable<B>);

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = Result<(Key, Bytes), StoreError>>,
    B: Iterator<Item = Result<(Key, Bytes), StoreError>>,
{
    type Item = Result<(Key, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.0.peek(), self.1.peek()) {
            (Some(Ok((one, _))), Some(Ok((other, _)))) if one > other => self.1.next(),
            (Some(_), Some(Err(_))) | (None, _) => self.1.next(),
            (Some(_), _) => self.0.next(),
        }
    }
}
