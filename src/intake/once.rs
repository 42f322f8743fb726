//! What an endpoint wants to see of an event before it is for it: where it happened, whether its format has a word for it, and
//! `once_per`: what has passed the endpoint's cap, and until when nothing more of its key does.

use serde_json::Value;

use super::plan::forgiving;
use crate::route::OncePer;
use crate::store::records::{self, EndpointId};
use crate::store::{Draft, Store, StoreError};

/// How many are looked at in one go, so that a morning's logins do not hold up the writer the next morning.
const LOOKS_AT_ONCE: usize = 2_000;

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
    let to = records::once_end(now.saturating_add(1), 0, &[0; 16]);
    for (key, _) in store.range(&records::once_end(i64::MIN, 0, &[0; 16]), &to, LOOKS_AT_ONCE)? {
        if let Some((endpoint, of)) = records::read_once_end(&key) {
            let passed = records::once(endpoint, &of);
            // One that passed again since has a later end of its own.
            match forgiving(draft.read::<i64>(&passed))? {
                Some(until) if until > now => {}
                _ => draft.delete(passed),
            }
        }
        draft.delete(key);
    }
    Ok(())
}
