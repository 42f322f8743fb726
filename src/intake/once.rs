//! `once_per`: what has passed an endpoint's cap, and until when nothing more of its key does.

use serde_json::Value;

use super::overdue;
use super::plan::forgiving;
use crate::route::OncePer;
use crate::store::records::{self, EndpointId};
use crate::store::{Draft, Store, StoreError};

/// Until when an endpoint's cap holds an event back; `None` where it passes.
pub(super) fn held_until(
    draft: &Draft<'_>,
    cap: &OncePer,
    event: &Value,
    endpoint: EndpointId,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let Some(of) = cap.key(event) else { return Ok(None) };
    let until = forgiving(draft.read::<i64>(&records::once(endpoint, &of)))?;
    Ok(until.filter(|_| !cap.passes(until, now)))
}

/// Plans that an event of this key has passed, if it has one: from now on others do not.
pub(super) fn passed(draft: &mut Draft<'_>, cap: &OncePer, of: Option<[u8; 16]>, endpoint: EndpointId, now: i64) {
    let Some(of) = of else { return };
    let until = cap.until(now);
    draft.write(records::once(endpoint, &of), &until);
    draft.put(records::once_end(until, endpoint, &of), Vec::new());
}

/// Forgets what may pass again.
pub(super) fn forget(draft: &mut Draft<'_>, store: &dyn Store, now: i64) -> Result<(), StoreError> {
    let end = |at| records::once_end(at, 0, &[0; 16]);
    overdue::look_through(draft, store, (end(i64::MIN), end(now.saturating_add(1))), |draft, key| {
        let Some((endpoint, of)) = records::read_once_end(key) else { return Ok(()) };
        let passed = records::once(endpoint, &of);
        if forgiving(draft.read::<i64>(&passed))?.is_none_or(|until| until <= now) {
            draft.delete(passed);
        }
        Ok(())
    })
}
