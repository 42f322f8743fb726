//! Logins that wait for their session: an accept is kept for a while under what its session will say too.

use super::overdue;
use super::plan::forgiving;
use crate::event::{EventId, Limits};
use crate::session::{self, LoginKey};
use crate::store::records::{self, Login};
use crate::store::{Draft, Store, StoreError};

/// How long a login waits for its session. A session begins within seconds of its accept; a day covers accounting that
/// was spooled through an outage.
const KEEP_MS: i64 = 24 * 60 * 60 * 1000;

/// The login kept under the first of these keys that has one.
pub(super) fn find(draft: &Draft<'_>, keys: &[LoginKey]) -> Result<Option<session::Login>, StoreError> {
    for key in keys {
        if let Some(login) = forgiving(draft.read::<Login>(&records::login(key)))? {
            return Ok(Some(session::Login { event: login.event, limits: login.limits }));
        }
    }
    Ok(None)
}

/// Keeps a login under all of these keys; a later one takes the place of the one before.
pub(super) fn keep(draft: &mut Draft<'_>, keys: &[LoginKey], event: EventId, limits: Limits, now: i64) {
    let until = now.saturating_add(KEEP_MS);
    for key in keys {
        draft.write(records::login(key), &Login { event, until, limits });
        draft.put(records::login_end(until, key), Vec::new());
    }
}

/// Forgets logins whose time is over.
pub(super) fn forget(draft: &mut Draft<'_>, store: &dyn Store, now: i64) -> Result<(), StoreError> {
    let end = |at| records::login_end(at, &[0; 16]);
    overdue::look_through(draft, store, (end(i64::MIN), end(now.saturating_add(1))), |draft, key| {
        let Some((_, login)) = records::read_login_end(key) else { return Ok(()) };
        let kept = records::login(&login);
        if forgiving(draft.read::<Login>(&kept))?.is_none_or(|kept| kept.until <= now) {
            draft.delete(kept);
        }
        Ok(())
    })
}
