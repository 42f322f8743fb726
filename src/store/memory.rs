//! A store in memory: for rehearsals, of which nothing is kept, and for tests of what stands on a store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Batch, Bytes, Durability, Key, Store, StoreError};

/// Keeps nothing over its own life.
#[derive(Default)]
pub struct MemoryStore(Mutex<BTreeMap<Key, Bytes>>);

impl MemoryStore {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<Key, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.locked().get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        let map = self.locked();
        let entries = map.range(Key::from(from)..).take_while(|(key, _)| &***key < to).take(limit);
        Ok(entries.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn commit(&self, batch: &Batch, _: Durability) -> Result<(), StoreError> {
        let mut map = self.locked();
        for (key, value) in batch.operations() {
            match value {
                Some(value) => map.insert(key.clone(), value.clone()),
                None => map.remove(key),
            };
        }
        Ok(())
    }
}
