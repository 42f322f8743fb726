//! What a checkpoint writes.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use ::sled::IVec;

use super::{STEP, SledTable};
use crate::store::block::{self, Home, NUMBERED, TOLD, home, read_told_block, told_block, told_group};
use crate::store::layout::{BLOCKS_KEY, Held, PIECE, RECORD_KEY, Record, piece_key, pieces, value_key};
use crate::store::table::Changes;
use crate::store::{Bytes, Key, StoreError};

/// Changes of the entries of one block, in the order of their keys.
type Moves<'c> = Vec<(&'c [u8], Option<&'c [u8]>)>;

/// What is put and removed at once, by sled's keys; of one key the last counts.
#[derive(Debug, Default)]
pub(super) struct Batch(Vec<(IVec, Option<IVec>)>);

impl Batch {
    pub fn insert(&mut self, key: impl Into<IVec>, value: impl Into<IVec>) {
        self.0.push((key.into(), Some(value.into())));
    }

    pub fn remove(&mut self, key: impl Into<IVec>) {
        self.0.push((key.into(), None));
    }

    /// The part of it before a key.
    pub fn before(&self, end: &[u8]) -> ::sled::Batch {
        of_sled(self.0.iter().filter(|(key, _)| **key < *end).cloned())
    }
}

fn of_sled(changes: impl IntoIterator<Item = (IVec, Option<IVec>)>) -> ::sled::Batch {
    let mut batch = ::sled::Batch::default();
    for (key, change) in changes {
        match change {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
    }
    batch
}

/// A batch in the making, and the record as it is after it.
struct Step<'t> {
    table: &'t SledTable,
    batch: Batch,
    record: Record,
    changes: usize,
    bytes: usize,
}

impl SledTable {
    /// Takes in changes. The record that stands with them has the position of before.
    pub(super) fn take_in(&self, changes: &Changes) -> Result<Record, StoreError> {
        self.know_absent()?;
        let mut step = Step::new(self);
        let mut blocks: BTreeMap<Key, Moves<'_>> = BTreeMap::new();
        for (key, change) in changes {
            let change = change.as_deref();
            match home(key) {
                Home::Single => step.single(key, change)?,
                Home::Block(block) => blocks.entry(block).or_default().push((key, change)),
                Home::Told => {
                    let group = change.map(told_group);
                    // A fact that is told anew may stand with another event.
                    for old in self.told()?.groups(key).filter(|old| Some(*old) != group) {
                        blocks.entry(told_block(old)).or_default().push((key, None));
                    }
                    if let Some(group) = group {
                        blocks.entry(told_block(group)).or_default().push((key, change));
                    }
                }
            }
        }
        for (block, moves) in blocks {
            step.block(&block, moves)?;
        }
        step.finish()
    }

    /// Puts entries that stand by themselves, as they did before format 3, into their blocks.
    pub(super) fn gather(&self) -> Result<(), StoreError> {
        if self.call(|tree| tree.get(BLOCKS_KEY))?.is_some() {
            return Ok(());
        }
        let mut moved = 0_u64;
        for letter in NUMBERED.into_iter().chain(TOLD) {
            let (mut from, to) = (value_key(&[letter]), value_key(&[letter + 1]));
            loop {
                let page: Vec<(IVec, IVec)> = self.raw(&from, &to)?.take(STEP).collect::<Result<_, _>>()?;
                let Some((last, _)) = page.last() else { break };
                from = [last, &[0][..]].concat();
                moved += self.gather_page(&page)?;
            }
        }
        if moved > 0 {
            tracing::info!(entries = moved, "the store's entries were put together anew, several to one of sled's");
        }
        let mut batch = Batch::default();
        batch.insert(BLOCKS_KEY, &[]);
        let record = *self.record();
        self.write(batch, &record)
    }

    fn gather_page(&self, page: &[(IVec, IVec)]) -> Result<u64, StoreError> {
        let mut values: Vec<(&[u8], &[u8], Bytes)> = Vec::new();
        for (place, held) in page {
            if home(&place[1..]) != Home::Single {
                values.push((&place[1..], held, self.value(&place[1..], held)?));
            }
        }
        let mut step = Step::new(self);
        let mut blocks: BTreeMap<Key, Moves<'_>> = BTreeMap::new();
        for (key, held, value) in &values {
            let block = match home(key) {
                Home::Block(block) => block,
                _ => told_block(told_group(value)),
            };
            blocks.entry(block).or_default().push((key, Some(value)));
            step.uncount(key, value.len());
            step.set(&value_key(key), key, Some(held), None)?;
        }
        for (block, moves) in blocks {
            step.apply(&block, moves)?;
        }
        step.finish()?;
        Ok(values.len() as u64)
    }

    pub(super) fn write(&self, mut batch: Batch, record: &Record) -> Result<(), StoreError> {
        batch.insert(RECORD_KEY, record.encode());
        let mut renewing = self.renewing();
        let part = renewing.part_of(&batch);
        let batch = of_sled(batch.0);
        let applying = self.applying.write().unwrap_or_else(PoisonError::into_inner);
        self.call(|tree| tree.apply_batch(batch))?;
        drop(applying);
        *self.record() = *record;
        if let Some(part) = part {
            renewing.take_in(self, part);
        }
        Ok(())
    }
}

impl<'t> Step<'t> {
    fn new(table: &'t SledTable) -> Self {
        Self { table, batch: Batch::default(), record: *table.record(), changes: 0, bytes: 0 }
    }

    /// A change of an entry that stands by itself.
    fn single(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let (table, place) = (self.table, value_key(key));
        let held = if table.is_absent(key) { None } else { table.call(|tree| tree.get(&place))? };
        table.comes_or_goes(key, held.is_some(), value.is_some());
        if let Some(held) = &held {
            let length = Held::read(held).ok_or_else(|| table.unreadable(key))?.length();
            self.uncount(key, length);
        }
        if let Some(value) = value {
            self.count(key, value.len());
        }
        self.set(&place, key, held.as_deref(), value)?;
        self.done(value.map_or(0, <[u8]>::len))
    }

    /// Changes of the entries of one block.
    fn block(&mut self, block: &Key, moves: Moves<'_>) -> Result<(), StoreError> {
        let written = self.apply(block, moves)?;
        self.done(written)
    }

    /// The same, as part of more that belongs into one batch. Returns how many octets are written.
    fn apply(&mut self, block: &Key, moves: Moves<'_>) -> Result<usize, StoreError> {
        let table = self.table;
        let held = table.call(|tree| tree.get(block))?;
        let octets = held.as_ref().map(|held| table.value(block, held)).transpose()?.unwrap_or_default();
        let row = table.row(block, &octets)?;
        let mut entries: BTreeMap<&[u8], &[u8]> = table.entries_of(block, &row).collect::<Result<_, _>>()?;
        let group = read_told_block(block);
        for (key, change) in moves {
            let before = match change {
                Some(value) => entries.insert(key, value),
                None => entries.remove(key),
            };
            if let Some(before) = before {
                self.uncount(key, before.len());
            }
            if let Some(value) = change {
                self.count(key, value.len());
            }
            if let Some(group) = group {
                table.is_told(key, group, before.is_some(), change.is_some());
            }
        }
        let mut written = Vec::with_capacity(row.len() + PIECE);
        for (key, value) in &entries {
            block::push(&mut written, key, value);
        }
        let packed = (!written.is_empty()).then(|| block::pack(&written));
        self.set(block, block, held.as_deref(), packed.as_deref())?;
        Ok(packed.map_or(0, |packed| packed.len()))
    }

    /// Sets what sled holds at a place, with the pieces of what is too long for it.
    fn set(&mut self, place: &[u8], of: &[u8], held: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), StoreError> {
        let before = match held {
            Some(held) => pieces(Held::read(held).ok_or_else(|| self.table.unreadable(of))?.length()),
            None => 0,
        };
        for number in value.map_or(0, |value| pieces(value.len()))..before {
            self.batch.remove(piece_key(of, number));
        }
        // What is removed and is not there costs nothing: most deliveries are put and removed between checkpoints.
        let Some(value) = value else {
            if held.is_some() {
                self.batch.remove(place);
            }
            return Ok(());
        };
        self.batch.insert(place, Held::of(value).encode());
        for number in 0..pieces(value.len()) {
            let start = number * PIECE;
            self.batch.insert(piece_key(of, number), &value[start..value.len().min(start + PIECE)]);
        }
        Ok(())
    }

    fn count(&mut self, key: &[u8], value: usize) {
        self.record.entries += 1;
        self.record.bytes += (key.len() + value) as u64;
    }

    fn uncount(&mut self, key: &[u8], value: usize) {
        self.record.entries -= 1;
        self.record.bytes -= (key.len() + value) as u64;
    }

    /// A change is complete: what there is may be written.
    fn done(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.changes += 1;
        self.bytes += bytes;
        if self.changes >= STEP || self.bytes >= STEP * PIECE {
            self.table.write(std::mem::take(&mut self.batch), &self.record)?;
            (self.changes, self.bytes) = (0, 0);
        }
        Ok(())
    }

    fn finish(self) -> Result<Record, StoreError> {
        self.table.write(self.batch, &self.record)?;
        Ok(self.record)
    }
}
