//! What an operator should know of a source at present: said by its threads, read by `radhook status`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Remarks about one source, by what they are about. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Remarks(Arc<Mutex<BTreeMap<String, String>>>);

impl Remarks {
    /// Says something, in the place of what was said about the same before.
    pub fn say(&self, about: impl Into<String>, words: impl Into<String>) {
        self.lock().insert(about.into(), words.into());
    }

    /// There is nothing to be said about this any more.
    pub fn clear(&self, about: &str) {
        self.lock().remove(about);
    }

    /// All that is to be said.
    pub fn all(&self) -> Vec<String> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // It is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
