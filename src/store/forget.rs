//! Forgetting events at once, whatever became of them: because of the person they are about.

use super::exchanges::Kept;
use super::records::{self, EndpointId, EventNumber, EventRecord, Pending, Tally};
use super::{Draft, StoreError, history};

/// An endpoint: its name and number.
pub type Endpoint<'n> = (&'n str, EndpointId);

/// Plans to forget an event everywhere: what waits is not sent any more, and what was given up is gone. Returns the endpoints
/// at which it waited, and how many deliveries were still to be made or had been given up.
pub fn event(
    draft: &mut Draft<'_>,
    endpoints: &[Endpoint<'_>],
    number: EventNumber,
    now: i64,
) -> Result<(Vec<EndpointId>, usize), StoreError> {
    let key = records::event(number);
    let Some(bytes) = draft.get(&key)? else { return Ok((Vec::new(), 0)) };
    let record = EventRecord::decode(&key, &bytes)?;
    let (mut waited, mut deliveries) = (Vec::new(), 0);
    for (name, id) in endpoints {
        let pending = records::pending(*id, number);
        if let Some(delivery) = draft.read::<Pending>(&pending)? {
            if !delivery.waits {
                draft.delete(records::due(*id, delivery.due, number));
            }
            draft.delete(pending);
            // What waited for it need not wait any more.
            if let Some(next) = delivery.next {
                free(draft, *id, next, now)?;
            }
            count(draft, (name, *id), |tally| {
                tally.received -= 1;
                tally.pending -= 1;
            })?;
            waited.push(*id);
            deliveries += 1;
        }
        let dead = records::dead(*id, number);
        if draft.get(&dead)?.is_some() {
            draft.delete(dead);
            count(draft, (name, *id), |tally| {
                tally.received -= 1;
                tally.dead -= 1;
            })?;
            deliveries += 1;
        }
        draft.delete(records::done(*id, number));
        // A batch is kept once, under one of its events, and tells of all of them.
        let exchange = records::exchange(*id, number);
        if let Some(Kept::With(first)) = draft.read(&exchange)? {
            draft.delete(records::exchange(*id, first));
        }
        draft.delete(exchange);
    }
    let ids: Vec<EndpointId> = endpoints.iter().map(|(_, id)| *id).collect();
    history::release(draft, &ids, number, &record)?;
    Ok((waited, deliveries))
}

fn free(draft: &mut Draft<'_>, endpoint: EndpointId, event: EventNumber, now: i64) -> Result<(), StoreError> {
    let key = records::pending(endpoint, event);
    if let Some(mut freed) = draft.read::<Pending>(&key)?.filter(|freed| freed.waits) {
        freed.waits = false;
        freed.previous = None;
        freed.due = now;
        draft.put(records::due(endpoint, now, event), Vec::new());
        draft.write(key, &freed);
    }
    Ok(())
}

fn count(draft: &mut Draft<'_>, (name, id): Endpoint<'_>, change: impl FnOnce(&mut Tally)) -> Result<(), StoreError> {
    draft.tally(id, name)?.map(change);
    Ok(())
}
