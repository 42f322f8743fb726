//! `count`: how often what an endpoint asked for came, by key, over restarts.

use super::overdue;
use super::plan::forgiving;
use crate::route::Count;
use crate::store::records::{self, EndpointId};
use crate::store::{Draft, Store, StoreError};

/// How many there are with the one of this key.
pub(super) fn with_this(
    draft: &Draft<'_>,
    count: &Count,
    of: &[u8; 16],
    endpoint: EndpointId,
    now: i64,
) -> Result<usize, StoreError> {
    let ends = forgiving(draft.read::<Vec<i64>>(&records::counted(endpoint, of)))?;
    Ok(count.with_this(&ends.unwrap_or_default(), now))
}

/// Plans that one more came.
pub(super) fn came(
    draft: &mut Draft<'_>,
    count: &Count,
    of: &[u8; 16],
    endpoint: EndpointId,
    now: i64,
) -> Result<(), StoreError> {
    let key = records::counted(endpoint, of);
    let ends = forgiving(draft.read::<Vec<i64>>(&key))?.unwrap_or_default();
    let ends = count.after_this(&ends, now);
    let last = ends.last().copied().unwrap_or(now);
    draft.write(key, &ends);
    draft.put(records::counted_end(last, endpoint, of), Vec::new());
    Ok(())
}

/// Forgets what does not count any more.
pub(super) fn forget(draft: &mut Draft<'_>, store: &dyn Store, now: i64) -> Result<(), StoreError> {
    let end = |at| records::counted_end(at, 0, &[0; 16]);
    overdue::look_through(draft, store, (end(i64::MIN), end(now.saturating_add(1))), |draft, key| {
        let Some((endpoint, of)) = records::read_counted_end(key) else { return Ok(()) };
        let counted = records::counted(endpoint, &of);
        let ends = forgiving(draft.read::<Vec<i64>>(&counted))?.unwrap_or_default();
        let left: Vec<i64> = ends.into_iter().filter(|end| *end > now).collect();
        match left.is_empty() {
            true => draft.delete(counted),
            false => draft.write(counted, &left),
        }
        Ok(())
    })
}
