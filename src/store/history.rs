//! How long events stay readable. An event leaves the history when it is older than `store.history.keep` or more than
//! `max_records` came after it, or when the store needs its room, but never while it is pending or dead at any endpoint.

use super::records::{self, EndpointId, EventNumber, EventRecord};
use super::{Draft, Store, StoreError, StoreOptions};
use crate::event::Told;

/// How many events one call looks at, so that acknowledgements wait for no more than a few milliseconds of it.
pub const PIECE: usize = 256;

/// The newest events stay whatever room is needed: it is they that the NASes may send again, and a fact is known as a
/// repeat for as long as its event is here.
const SPARED: u64 = 1_000;

/// What one call of [`forget`] came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgot {
    /// About how many bytes it gave back.
    pub given_back: u64,
    /// It ended with its piece: there may be more to forget.
    pub more: bool,
}

/// Forgets what is due to be forgotten at `now` (milliseconds since 1970), and beyond that the oldest events until about
/// `wanted` bytes are given back: a piece of it.
pub fn forget(
    draft: &mut Draft<'_>,
    store: &dyn Store,
    options: &StoreOptions,
    endpoints: &[EndpointId],
    now: i64,
    wanted: u64,
) -> Result<Forgot, StoreError> {
    let kept_from = draft.read::<EventNumber>(records::KEPT_FROM)?.unwrap_or(0);
    let next = draft.read::<EventNumber>(records::NEXT_EVENT)?.unwrap_or(0);
    let keep = i64::try_from(options.history_keep.as_millis()).unwrap_or(i64::MAX);
    let (oldest, fewest) = (now.saturating_sub(keep), next.saturating_sub(options.history_max_records));
    let spared = next.saturating_sub(SPARED);
    let is_due = |number, record: &EventRecord, given_back| {
        number < fewest || record.head.received_at < oldest || (given_back < wanted && number < spared)
    };
    let read = |limit| store.range(&records::event(kept_from), &records::event(next), limit);
    // Usually only age decides, and the first is not old enough: nothing more is to be read then.
    if kept_from >= fewest && (wanted == 0 || kept_from >= spared) {
        let Some((key, bytes)) = read(1)?.pop() else { return Ok(Forgot::default()) };
        let number = records::read_event(&key).unwrap_or(kept_from);
        if !is_due(number, &EventRecord::decode(&key, &bytes)?, 0) {
            return Ok(Forgot::default());
        }
    }
    let entries = read(PIECE)?;
    let mut forgot = Forgot { given_back: 0, more: entries.len() == PIECE };
    let mut new_kept_from = kept_from;
    for (key, bytes) in &entries {
        let Some(number) = records::read_event(key) else { continue };
        let record = EventRecord::decode(key, bytes)?;
        if !is_due(number, &record, forgot.given_back) {
            forgot.more = false;
            break;
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
            forgot.given_back += bytes.len() as u64;
        }
    }
    if new_kept_from != kept_from {
        draft.write(records::KEPT_FROM, &new_kept_from);
    }
    Ok(forgot)
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
