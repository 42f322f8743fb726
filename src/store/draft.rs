//! A batch in the making, which reads its own changes: what the writer plans on before it commits.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::records::{self, EndpointId, EndpointRecord, EventNumber, Tally};
use super::{Batch, Bytes, Key, Store, StoreError};

/// Changes over a store, visible to whoever reads through the draft and to nobody else until they are committed.
pub struct Draft<'a> {
    store: &'a dyn Store,
    changes: HashMap<Key, Option<Bytes>>,
    /// Records that nearly every step of a batch changes: read once, and written once.
    endpoints: HashMap<EndpointId, (Key, EndpointRecord)>,
    next_event: Option<EventNumber>,
}

impl<'a> Draft<'a> {
    /// An empty draft.
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store, changes: HashMap::new(), endpoints: HashMap::new(), next_event: None }
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
        match self.changes.get(key) {
            Some(change) => change.as_ref().map(|bytes| records::decode(key, bytes)).transpose(),
            None => self.store.get(key)?.map(|bytes| records::decode(key, &bytes)).transpose(),
        }
    }

    /// Sets bytes.
    pub fn put(&mut self, key: impl Into<Key>, bytes: impl Into<Bytes>) {
        self.changes.insert(key.into(), Some(bytes.into()));
    }

    /// Sets a record.
    pub fn write<T: Serialize>(&mut self, key: impl Into<Key>, record: &T) {
        self.put(key, records::encode(record));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Key>) {
        self.changes.insert(key.into(), None);
    }

    /// The next event's number, which nobody else gets.
    pub fn number_event(&mut self) -> Result<EventNumber, StoreError> {
        let number = match self.next_event {
            Some(number) => number,
            None => self.read(records::NEXT_EVENT)?.unwrap_or(0),
        };
        self.next_event = Some(number + 1);
        Ok(number)
    }

    /// What an endpoint's events came to, to be changed; nothing where no such endpoint is known. In a draft in which this was
    /// asked for, the endpoint's record is not to be read or written otherwise.
    pub fn tally(&mut self, endpoint: EndpointId, name: &str) -> Result<Option<&mut Tally>, StoreError> {
        if !self.endpoints.contains_key(&endpoint) {
            let key = records::endpoint(name);
            let Some(record) = self.read(&key)? else { return Ok(None) };
            self.endpoints.insert(endpoint, (key, record));
        }
        Ok(self.endpoints.get_mut(&endpoint).map(|(_, record)| &mut record.tally))
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.endpoints.is_empty() && self.next_event.is_none()
    }

    /// The changes as one batch, in the order of their keys: so they are quickly put where they belong.
    pub fn into_batch(mut self) -> Batch {
        for (_, (key, record)) in std::mem::take(&mut self.endpoints) {
            self.write(key, &record);
        }
        if let Some(next) = self.next_event {
            self.write(records::NEXT_EVENT, &next);
        }
        let mut changes: Vec<_> = self.changes.into_iter().collect();
        changes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut batch = Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            }
        }
        batch
    }
}
