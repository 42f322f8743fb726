//! A store as it will be when a batch that is on its way is in it: what the writer plans the next batch on meanwhile.

use std::io;

use super::seen::Seen;
use super::table::{Change, merge};
use super::{Batch, Bytes, Durability, Key, Store, StoreError};

/// A batch that others are planned on before it is stored.
#[derive(Debug, Default)]
pub struct Layer {
    batch: Batch,
    seen: Seen,
}

impl Layer {
    /// Of a batch as [`Draft::into_batch`](super::Draft::into_batch) makes it: in the order of its keys, each once.
    pub fn new(batch: Batch) -> Self {
        debug_assert!(batch.operations().is_sorted_by(|(one, _), (other, _)| one < other));
        let mut seen = Seen::default();
        batch.operations().iter().for_each(|(key, _)| seen.put(key));
        Self { batch, seen }
    }

    /// The batch.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    fn get(&self, key: &[u8]) -> Option<&Change> {
        let changes = self.batch.operations();
        let found = self.seen.may_hold(key).then(|| changes.binary_search_by(|(other, _)| (**other).cmp(key)))?;
        found.ok().map(|at| &changes[at].1)
    }

    fn slice(&self, from: &[u8], to: &[u8]) -> &[(Key, Change)] {
        let changes = self.batch.operations();
        let place = |bound: &[u8]| changes.partition_point(|(key, _)| **key < *bound);
        let (first, behind) = (place(from), place(to));
        &changes[first..behind.max(first)]
    }
}

/// A store with a [`Layer`] over it. For reading: what is planned on it can only be stored after the layer.
pub struct Ahead<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// What is on its way into it.
    pub layer: &'a Layer,
}

impl Store for Ahead<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.layer.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.store.get(key),
        }
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        let slice = self.layer.slice(from, to);
        if slice.is_empty() {
            return self.store.range(from, to, limit);
        }
        let removed = slice.iter().filter(|(_, change)| change.is_none()).count();
        let beneath = self.store.range(from, to, limit.saturating_add(removed))?;
        merge(slice.to_vec(), Box::new(beneath.into_iter().map(Ok)), limit)
    }

    fn commit(&self, _: &Batch, _: Durability) -> Result<(), StoreError> {
        let doing = "committing ahead of a batch that is on its way".to_owned();
        Err(StoreError::Io { doing, source: io::ErrorKind::Unsupported.into() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Draft;
    use crate::store::memory::MemoryStore;

    fn changes() -> impl Strategy<Value = Vec<(u8, Option<u8>)>> {
        prop::collection::vec((0..40_u8, any::<Option<u8>>()), 0..30)
    }

    fn batch(store: &dyn Store, changes: &[(u8, Option<u8>)]) -> Batch {
        let mut draft = Draft::new(store);
        for (key, value) in changes {
            match value {
                Some(value) => draft.put([*key].as_slice(), vec![*value]),
                None => draft.delete([*key].as_slice()),
            }
        }
        draft.into_batch()
    }

    proptest! {
        #[test]
        fn it_reads_as_the_store_will_read_when_the_batch_is_in(
            before in changes(), coming in changes(), from in 0..41_u8, to in 0..41_u8, limit in 0..12_usize,
        ) {
            let store = MemoryStore::default();
            store.commit(&batch(&store, &before), Durability::Durable).unwrap();
            let layer = Layer::new(batch(&store, &coming));
            let ahead = Ahead { store: &store, layer: &layer };
            let read = |store: &dyn Store| {
                let got: Vec<_> = (0..41_u8).map(|key| store.get(&[key]).unwrap()).collect();
                (got, store.range(&[from], &[to], limit).unwrap())
            };
            let foreseen = read(&ahead);
            store.commit(layer.batch(), Durability::Durable).unwrap();
            prop_assert_eq!(foreseen, read(&store));
        }
    }
}
