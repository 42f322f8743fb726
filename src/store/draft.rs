//! A batch in the making, which reads its own changes: what the writer plans on before it commits.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Batch, Bytes, Key, Store, StoreError, records};

/// Changes over a store, visible to whoever reads through the draft and to nobody else until they are committed.
pub struct Draft<'a> {
    store: &'a dyn Store,
    changes: BTreeMap<Key, Option<Bytes>>,
}

impl<'a> Draft<'a> {
    /// An empty draft.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, changes: BTreeMap::new() }
    }

    /// The store beneath, without the changes.
    pub fn store(&self) -> &'a dyn Store {
        self.store
    }

    /// The bytes under `key`, as they would be after the commit.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.store.get(key),
        }
    }

    /// The record under `key`, as it would be after the commit.
    pub fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(key)?.map(|bytes| records::decode(key, &bytes)).transpose()
    }

    /// Sets bytes.
    pub fn put(&mut self, key: Key, bytes: Bytes) {
        self.changes.insert(key, Some(bytes));
    }

    /// Sets a record.
    pub fn write<T: Serialize>(&mut self, key: Key, record: &T) {
        self.put(key, records::encode(record));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: Key) {
        self.changes.insert(key, None);
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes as one batch.
    pub fn into_batch(self) -> Batch {
        let mut batch = Batch::default();
        for (key, value) in self.changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch
    }
}
