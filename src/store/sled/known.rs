//! What is known of sled's keys without asking sled: which it surely does not hold, and where the facts stand.

use std::sync::{MutexGuard, PoisonError};

use super::SledTable;
use crate::store::StoreError;
use crate::store::absent::Absent;
use crate::store::block::{TOLD, read_told_block};
use crate::store::layout::{BLOCK, VALUE, VALUES_END};
use crate::store::told::Told;

/// Where the facts stand, once that is known.
pub(super) struct KnownTold<'t>(MutexGuard<'t, Option<Told>>);

impl KnownTold<'_> {
    /// See [`Told::groups`].
    pub fn groups(&self, key: &[u8]) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(move |told| told.groups(key))
    }
}

impl SledTable {
    fn absent(&self) -> MutexGuard<'_, Option<Absent>> {
        // Every change of it is whole.
        self.absent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a key that stands by itself surely is not there.
    pub(super) fn is_absent(&self, key: &[u8]) -> bool {
        self.absent().as_ref().is_some_and(|absent| absent.is_absent(key))
    }

    /// Finds out which keys stand by themselves, unless that is known already and there is room for more. Nothing else may change
    /// sled meanwhile.
    pub(super) fn know_absent(&self) -> Result<(), StoreError> {
        let mut keys = match &*self.absent() {
            Some(absent) if !absent.is_full() => return Ok(()),
            known => known.as_ref().map_or(0, Absent::keys),
        };
        let found = loop {
            let found = self.find_absent(keys)?;
            if !found.is_full() {
                break found;
            }
            // There are more than were thought: begin again with twice the room.
            keys = found.keys();
        };
        // Only when it is whole may anybody see it: of a part, what is not in it yet would be taken for absent.
        *self.absent() = Some(found);
        Ok(())
    }

    /// The keys that stand by themselves, up to as many as there is room for when so many are thought to be there.
    fn find_absent(&self, keys: usize) -> Result<Absent, StoreError> {
        let mut found = Absent::with_room_for(keys);
        let mut held = self.tree()?.range([VALUE].as_slice()..VALUES_END).keys();
        while !found.is_full()
            && let Some(key) = self.call(|_| held.next().transpose())?
        {
            found.put(&key[1..]);
        }
        Ok(found)
    }

    /// Notes that a key that stands by itself was there or not, and will be or not.
    pub(super) fn comes_or_goes(&self, key: &[u8], was: bool, is: bool) {
        if let Some(absent) = &mut *self.absent() {
            match (was, is) {
                (true, false) => absent.remove(key),
                (false, true) => absent.put(key),
                _ => {}
            }
        }
    }

    /// Where the facts stand: read out of their blocks when it is first asked for.
    pub(super) fn told(&self) -> Result<KnownTold<'_>, StoreError> {
        let mut known = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let mut found = Told::default();
            for held in self.raw(&[BLOCK, TOLD[0]], &[BLOCK, TOLD[0] + 1])? {
                let (block, held) = held?;
                let group = read_told_block(&block).ok_or_else(|| self.unreadable(&block))?;
                let octets = self.value(&block, &held)?;
                for entry in self.entries_of(&block, &self.row(&block, &octets)?) {
                    found.put(entry?.0, group);
                }
            }
            *known = Some(found);
        }
        Ok(KnownTold(known))
    }

    /// Notes that a group held a fact or not, and will hold it or not.
    pub(super) fn is_told(&self, key: &[u8], group: u32, was: bool, is: bool) {
        if let Some(told) = &mut *self.told.lock().unwrap_or_else(PoisonError::into_inner) {
            match (was, is) {
                (true, false) => told.remove(key, group),
                (false, true) => told.put(key, group),
                _ => {}
            }
        }
    }
}
