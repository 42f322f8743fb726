//! How long events stay readable. An event leaves the history when it is older than `store.history.keep` or more than
//! `max_records` came after it, or when the store needs its room, but never while it is pending or dead at any endpoint.

use super::records::{self, EndpointId, EventNumber, EventRecord};
use super::{Draft, Store, StoreError, StoreOptions};
use crate::event::Told;

/// How many events one call looks at, so that a large purge does not hold up the writer: at one call a second this
/// forgets twice as fast as a busy site takes in.
pub const AT_ONCE: usize = 10_000;

/// How many events are read at a time: usually the first of them is not due, and nothing more was to be read.
const PAGE: usize = 256;

/// The newest events stay whatever room is needed: it is they that the NASes may send again, and a fact is known as a
/// repeat for as long as its event is here.
const SPARED: u64 = 1_000;

/// Forgets what is due to be forgotten at `now` (milliseconds since 1970), and beyond that the oldest events until about
/// `wanted` bytes are given back; a bounded number a call. Returns about how many bytes that gave back.
pub fn forget(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    options: &StoreOptions,
    endpoints: &[EndpointId],
    now: i64,
    wanted: u64,
) -> Result<u64, StoreError> {
    let kept_from = draft.read::<EventNumber>(records::KEPT_FROM)?.unwrap_or(0);
    let next = draft.read::<EventNumber>(records::NEXT_EVENT)?.unwrap_or(0);
    let keep = i64::try_from(options.history_keep.as_millis()).unwrap_or(i64::MAX);
    let (oldest, fewest) = (now.saturating_sub(keep), next.saturating_sub(options.history_max_records));
    let spared = next.saturating_sub(SPARED);
    let mut given_back = 0;
    let mut new_kept_from = kept_from;
    'pages: for _ in 0..AT_ONCE / PAGE {
        let entries = store.range(&records::event(new_kept_from), &records::event(next), PAGE)?;
        for (key, bytes) in &entries {
            let Some(number) = records::read_event(key) else { continue };
            let record = EventRecord::decode(key, bytes)?;
            let makes_room = given_back < wanted && number < spared;
            if number >= fewest && record.head.received_at >= oldest && !makes_room {
                break 'pages;
            }
            new_kept_from = number + 1;
            for endpoint in endpoints {
                let done = records::done(*endpoint, number);
                if draft.get(&done)?.is_some() {
                    draft.delete(done);
                    draft.delete(records::exchange(*endpoint, number));
                }
            }
            if release(draft, endpoints, number, &record)? {
                given_back += bytes.len() as u64;
            }
        }
        if entries.len() < PAGE {
            break;
        }
    }
    if new_kept_from != kept_from {
        draft.write(records::KEPT_FROM, &new_kept_from);
    }
    Ok(given_back)
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
    draft.delete(records::exchange(endpoint, event));
    let key = records::event(event);
    match draft.get(&key)? {
        Some(bytes) => {
            let record = EventRecord::decode(&key, &bytes)?;
            release(draft, endpoints, event, &record).map(drop)
        }
        None => Ok(()),
    }
}

/// Removes an event, unless somebody still holds it. Says whether it is gone.
pub(super) fn release(
    draft: &mut Draft<'_>,
    endpoints: &[EndpointId],
    number: EventNumber,
    record: &EventRecord,
) -> Result<bool, StoreError> {
    for endpoint in endpoints {
        if draft.get(&records::pending(*endpoint, number))?.is_some()
            || draft.get(&records::dead(*endpoint, number))?.is_some()
        {
            return Ok(false);
        }
    }
    draft.delete(records::event(number));
    let key = records::told(&record.head.base);
    // A later occurrence of the same fact may have taken the place over.
    let of_this = |told: &Told| told.event == number;
    if let Some(told) = told_under(draft, &key)?.filter(of_this) {
        draft.delete(key);
        if let Some(undated) = told.undated {
            let key = records::told_dated(&undated);
            if told_under(draft, &key)?.is_some_and(|told| of_this(&told)) {
                draft.delete(key);
            }
        }
    }
    Ok(true)
}

/// What was told under a key. A record that cannot be read is no reason to keep its event: it is removed with it.
fn told_under(draft: &mut Draft<'_>, key: &[u8]) -> Result<Option<Told>, StoreError> {
    match draft.read::<Told>(key) {
        Err(StoreError::Record { .. }) => {
            draft.delete(key);
            Ok(None)
        }
        other => other,
    }
}
