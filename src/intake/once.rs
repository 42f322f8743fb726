//! What an endpoint wants to see of an event before it is for it: where it happened, whether its format has a word for it, and
//! `once_per`: what has passed the endpoint's cap, and until when nothing more of its key does.

use serde_json::Value;

use super::plan::{Route, forgiving};
use crate::store::records::{self, EndpointId, EventNumber, EventRecord};
use crate::store::{Draft, Store, StoreError};

/// How many are looked at in one go, so that a morning's logins do not hold up the writer the next morning.
const LOOKS_AT_ONCE: usize = 2_000;

/// An event while endpoints look at it; read at most once, and only where one does.
pub(super) struct Seen {
    number: EventNumber,
    event: Option<Value>,
}

impl Seen {
    /// The event of this number, which is in the draft.
    pub(super) fn new(number: EventNumber) -> Self {
        Self { number, event: None }
    }

    /// Whether the event is for an endpoint that asked for its type, and passes its cap. If it does, that is planned, and from
    /// now on others do not.
    pub(super) fn passes(
        &mut self,
        draft: &mut Draft<'_>,
        route: &Route,
        endpoint: EndpointId,
        now: i64,
    ) -> Result<bool, StoreError> {
        if route.looks_inside() && !route.takes(self.event(draft)?) {
            return Ok(false);
        }
        let Some(cap) = &route.once_per else { return Ok(true) };
        let Some(of) = cap.key(self.event(draft)?) else { return Ok(true) };
        let key = records::once(endpoint, &of);
        if !cap.passes(forgiving(draft.read::<i64>(&key))?, now) {
            return Ok(false);
        }
        let until = cap.until(now);
        draft.write(key, &until);
        draft.put(records::once_end(until, endpoint, &of), Vec::new());
        Ok(true)
    }

    fn event(&mut self, draft: &Draft<'_>) -> Result<&Value, StoreError> {
        if self.event.is_none() {
            let key = records::event(self.number);
            let record = draft.get(&key)?.map(|bytes| EventRecord::decode(&key, &bytes)).transpose()?;
            self.event = record.and_then(|record| serde_json::from_slice(&record.json).ok());
        }
        Ok(self.event.get_or_insert(Value::Null))
    }
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
