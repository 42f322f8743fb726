//! How long events stay readable. An event leaves the history when it is older than `store.history.keep` or more than
//! `max_records` came after it, but never while it is pending or dead at any endpoint.

use super::records::{self, EndpointId, EventNumber, EventRecord};
use super::{Draft, Store, StoreError, StoreOptions};
use crate::event::Told;

/// How many events one call looks at, so that a large purge does not hold up the writer: at one call a second this
/// forgets twice as fast as a busy site takes in.
pub const AT_ONCE: usize = 10_000;

/// Forgets what is due to be forgotten at `now` (milliseconds since 1970), a bounded number a call. Returns how many
/// events were looked at.
pub fn forget(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    options: &StoreOptions,
    endpoints: &[EndpointId],
    now: i64,
) -> Result<usize, StoreError> {
    let kept_from = draft.read::<EventNumber>(records::KEPT_FROM)?.unwrap_or(0);
    let next = draft.read::<EventNumber>(records::NEXT_EVENT)?.unwrap_or(0);
    let keep = i64::try_from(options.history_keep.as_millis()).unwrap_or(i64::MAX);
    let (oldest, fewest) = (now.saturating_sub(keep), next.saturating_sub(options.history_max_records));
    let entries = store.range(&records::event(kept_from), &records::event(next), AT_ONCE)?;
    let mut looked_at = 0;
    let mut new_kept_from = kept_from;
    for (key, bytes) in &entries {
        let Some(number) = records::read_event(key) else { continue };
        let record = EventRecord::decode(key, bytes)?;
        if number >= fewest && record.head.received_at >= oldest {
            break;
        }
        looked_at += 1;
        new_kept_from = number + 1;
        for endpoint in endpoints {
            let done = records::done(*endpoint, number);
            if draft.get(&done)?.is_some() {
                draft.delete(done);
            }
        }
        release(draft, endpoints, number, &record)?;
    }
    if new_kept_from != kept_from {
        draft.write(records::KEPT_FROM.to_vec(), &new_kept_from);
    }
    Ok(looked_at)
}

/// An event that had left the history was settled at an endpoint: forgets that, and the event, if that was the last
/// place that held it.
pub fn settled(
    draft: &mut Draft<'_>,
    endpoints: &[EndpointId],
    endpoint: EndpointId,
    event: EventNumber,
) -> Result<(), StoreError> {
    if event >= draft.read::<EventNumber>(records::KEPT_FROM)?.unwrap_or(0) {
        return Ok(());
    }
    draft.delete(records::done(endpoint, event));
    let key = records::event(event);
    match draft.get(&key)? {
        Some(bytes) => {
            let record = EventRecord::decode(&key, &bytes)?;
            release(draft, endpoints, event, &record)
        }
        None => Ok(()),
    }
}

/// Removes an event that nobody holds any more.
fn release(
    draft: &mut Draft<'_>,
    endpoints: &[EndpointId],
    number: EventNumber,
    record: &EventRecord,
) -> Result<(), StoreError> {
    for endpoint in endpoints {
        if draft.get(&records::pending(*endpoint, number))?.is_some()
            || draft.get(&records::dead(*endpoint, number))?.is_some()
        {
            return Ok(());
        }
    }
    draft.delete(records::event(number));
    let told = records::told(&record.head.base);
    // A later occurrence of the same fact has taken the place over.
    if draft.read::<Told>(&told)?.is_some_and(|told| told.event == number) {
        draft.delete(told);
    }
    Ok(())
}
