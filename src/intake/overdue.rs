//! What is kept for a while, and forgotten by keys that begin with when that is.

use crate::store::{Draft, Key, Store, StoreError};

/// How many are looked at in one go, so that a morning's logins do not hold up the writer the next morning.
const LOOKS_AT_ONCE: usize = 2_000;

/// Plans to look through what is due between two such keys, each of which is forgotten then. `look` is given the key, and
/// forgets what it stands for, unless that was renewed since and has a later end of its own.
pub(super) fn look_through(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    (from, to): (Key, Key),
    mut look: impl FnMut(&mut Draft<'_>, &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (key, _) in store.range(&from, &to, LOOKS_AT_ONCE)? {
        look(draft, &key)?;
        draft.delete(key);
    }
    Ok(())
}
