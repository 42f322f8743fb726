//! The queue of each endpoint: pure bookkeeping over the table.
//!
//! A delivery is pending until it is settled: delivered or dead. Of each session only the first pending event of an
//! endpoint has a due time; the later ones wait behind it as a chain ([`Pending::next`]), so that nothing is ever sent
//! before what came before it, and nobody searches for what may go next. Every step keeps the endpoint's [`Tally`].
//!
//! That an attempt begins is written down before it is made ([`Queue::begin`]), so that one that a crash cut off is seen
//! afterwards: only then can an event reach a receiver that took it twice.

use super::exchanges::Kept;
use super::records::{self, Attempt, EndpointId, EndpointRecord, EventNumber, Pending, Settled, Tally};
use super::{Draft, Key, Store, StoreError};

/// The queue of one endpoint, inside a draft.
pub struct Queue<'d, 'a> {
    draft: &'d mut Draft<'a>,
    name: &'d str,
    id: EndpointId,
    placed: Option<Place>,
}

/// What came of one attempt, as delivery reports it to the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The endpoint's number.
    pub endpoint: EndpointId,
    /// The event's number.
    pub event: EventNumber,
    /// The attempt.
    pub attempt: Attempt,
    /// What follows from it.
    pub then: Then,
    /// Request and answer, where they are kept.
    pub exchange: Option<Kept>,
}

impl Outcome {
    /// Of an attempt that was to begin at `at`, in milliseconds since 1970, and was not made.
    pub fn unsent(endpoint: EndpointId, event: EventNumber, at: i64) -> Self {
        let attempt = Attempt { at, took_ms: 0, status: None, error: None };
        Self { endpoint, event, attempt, then: Then::Unsent, exchange: None }
    }
}

/// An event that comes into a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub event: EventNumber,
    /// The last event of its session that was queued here.
    pub after: Option<EventNumber>,
    /// It only tells how a session goes on, so that a newer one of its kind says more.
    pub is_update: bool,
}

/// What an attempt is said to have come to that had begun and never ended.
pub const INTERRUPTED: &str = "radhook ended in the middle of it: the receiver may have taken it";

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It was delivered.
    Delivered,
    /// It is tried again, not before this time in milliseconds since 1970.
    Retry(i64),
    /// It is given up.
    Dead,
    /// Nothing: it was not sent after all.
    Unsent,
}

impl<'d, 'a> Queue<'d, 'a> {
    /// The queue of an endpoint that [`register`] has made known.
    pub fn new(draft: &'d mut Draft<'a>, name: &'d str, id: EndpointId) -> Self {
        Self { draft, name, id, placed: None }
    }

    /// The earliest place at which this queue has put a delivery.
    pub fn placed(&self) -> Option<Place> {
        self.placed
    }

    /// Writes down what came of an attempt.
    pub fn apply(&mut self, outcome: &Outcome, now: i64) -> Result<(), StoreError> {
        let attempt = outcome.attempt.clone();
        // Of what was forgotten meanwhile nothing may be kept: nobody would forget it again.
        if let Some(kept) = &outcome.exchange
            && self.draft.get(&records::pending(self.id, outcome.event))?.is_some()
        {
            self.draft.write(records::exchange(self.id, outcome.event), kept);
        }
        match outcome.then {
            Then::Delivered => self.deliver(outcome.event, attempt, now),
            Then::Retry(due) => self.postpone(outcome.event, attempt, due),
            Then::Dead => self.bury(outcome.event, attempt, now),
            Then::Unsent => self.put_back(outcome.event),
        }
    }

    /// The endpoint did not ask for an event.
    pub fn filter(&mut self) -> Result<(), StoreError> {
        self.count(|tally| {
            tally.received += 1;
            tally.filtered += 1;
        })
    }

    /// Queues an event, due `now`, or behind what its session still has pending here.
    pub fn push(&mut self, arrival: Arrival, now: i64) -> Result<(), StoreError> {
        let last = self.last_pending(arrival.after)?;
        self.push_behind(arrival, now, last)
    }

    fn push_behind(
        &mut self,
        arrival: Arrival,
        now: i64,
        last: Option<(EventNumber, Pending)>,
    ) -> Result<(), StoreError> {
        self.append(arrival, now, last)?;
        self.count(|tally| {
            tally.received += 1;
            tally.pending += 1;
        })
    }

    /// As [`Queue::push`], but an update takes the place of the update that it would wait for, unless an attempt at that has
    /// begun. Returns the one whose place was taken.
    pub fn push_newest(&mut self, arrival: Arrival, now: i64) -> Result<Option<EventNumber>, StoreError> {
        let last = self.last_pending(arrival.after)?;
        // Whoever waits and cannot tell for whom was queued before this was known.
        let gives_way = |pending: &Pending| {
            pending.is_update && pending.begun.is_none() && (!pending.waits || pending.previous.is_some())
        };
        let (older, pending) = match last {
            Some((older, pending)) if arrival.is_update && gives_way(&pending) => (older, pending),
            last => return self.push_behind(arrival, now, last).map(|()| None),
        };
        self.take(older)?;
        let ahead = match pending.previous {
            Some(previous) => self.draft.read(&records::pending(self.id, previous))?.map(|ahead| (previous, ahead)),
            None => None,
        };
        self.append(arrival, now, ahead)?;
        self.count(|tally| {
            tally.received += 1;
            tally.coalesced += 1;
        })?;
        Ok(Some(older))
    }

    /// The last pending event of the row that `after` stands in, if that is still pending.
    fn last_pending(&self, after: Option<EventNumber>) -> Result<Option<(EventNumber, Pending)>, StoreError> {
        let mut last = None;
        let mut next = after;
        while let Some(event) = next
            && let Some(pending) = self.draft.read::<Pending>(&records::pending(self.id, event))?
        {
            next = pending.next;
            last = Some((event, pending));
        }
        Ok(last)
    }

    /// Puts an event in, behind `ahead` where there is one.
    fn append(&mut self, arrival: Arrival, now: i64, ahead: Option<(EventNumber, Pending)>) -> Result<(), StoreError> {
        let Arrival { event, is_update, .. } = arrival;
        let previous = ahead.as_ref().map(|(previous, _)| *previous);
        if let Some((previous, mut ahead)) = ahead {
            ahead.next = Some(event);
            self.draft.write(records::pending(self.id, previous), &ahead);
        }
        self.put(event, &Pending { waits: previous.is_some(), previous, is_update, ..Pending::due(now) });
        Ok(())
    }

    /// An attempt begins now. Says whether there is anything to attempt: it may have been settled, or another has taken its
    /// place. An attempt that had begun before and never ended was cut off, which is written down and counted.
    pub fn begin(&mut self, event: EventNumber, now: i64) -> Result<bool, StoreError> {
        let key = records::pending(self.id, event);
        let Some(mut pending) = self.draft.read::<Pending>(&key)? else { return Ok(false) };
        let interrupted = pending.begun.replace(now);
        if let Some(at) = interrupted {
            pending.attempts.push(Attempt { at, took_ms: 0, status: None, error: Some(INTERRUPTED.to_owned()) });
        }
        self.draft.write(key, &pending);
        if interrupted.is_some() {
            self.count(|tally| tally.interrupted += 1)?;
        }
        Ok(true)
    }

    /// An attempt that was to begin was not made.
    fn put_back(&mut self, event: EventNumber) -> Result<(), StoreError> {
        let Some(mut pending) = self.take(event)? else { return Ok(()) };
        pending.begun = None;
        self.put(event, &pending);
        Ok(())
    }

    /// Queues an event again that was settled here before, or never came here: it is offered once more, and what became of
    /// it before is forgotten.
    pub fn push_again(&mut self, event: EventNumber, now: i64, after: Option<EventNumber>) -> Result<(), StoreError> {
        self.draft.delete(records::done(self.id, event));
        self.draft.delete(records::exchange(self.id, event));
        let dead = records::dead(self.id, event);
        if self.draft.get(&dead)?.is_some() {
            self.draft.delete(dead);
            // It was offered, and is not given up any more.
            self.count(|tally| {
                tally.received -= 1;
                tally.dead -= 1;
            })?;
        }
        // What is told once more is told whole: no update of it gives way to another.
        self.push(Arrival { event, after, is_update: false }, now)
    }

    /// An attempt failed; the next is due at `due`.
    pub fn postpone(&mut self, event: EventNumber, attempt: Attempt, due: i64) -> Result<(), StoreError> {
        let Some(mut pending) = self.take(event)? else { return Ok(()) };
        pending.attempts.push(attempt);
        pending.due = due;
        pending.begun = None;
        self.put(event, &pending);
        Ok(())
    }

    /// The endpoint took the event.
    pub fn deliver(&mut self, event: EventNumber, attempt: Attempt, now: i64) -> Result<(), StoreError> {
        let Some(settled) = self.settle(event, attempt, now)? else { return Ok(()) };
        self.draft.write(records::done(self.id, event), &settled);
        self.count(|tally| {
            tally.pending -= 1;
            tally.delivered += 1;
        })
    }

    /// The event is given up and kept as a dead letter.
    pub fn bury(&mut self, event: EventNumber, attempt: Attempt, now: i64) -> Result<(), StoreError> {
        let Some(settled) = self.settle(event, attempt, now)? else { return Ok(()) };
        self.draft.write(records::dead(self.id, event), &settled);
        self.count(|tally| {
            tally.pending -= 1;
            tally.dead += 1;
        })
    }

    /// Brings a dead letter back, or makes a pending delivery due, at once. Says whether there was one.
    ///
    /// A pending delivery that waits for an earlier event of its session stays where it is: that one is what is stuck.
    pub fn revive(&mut self, event: EventNumber, now: i64) -> Result<bool, StoreError> {
        if let Some(mut pending) = self.take(event)? {
            pending.due = pending.due.min(now);
            self.put(event, &pending);
            return Ok(true);
        }
        let key = records::dead(self.id, event);
        if self.draft.read::<Settled>(&key)?.is_none() {
            return Ok(false);
        }
        self.draft.delete(key);
        self.put(event, &Pending::due(now));
        self.count(|tally| {
            tally.dead -= 1;
            tally.pending += 1;
        })?;
        Ok(true)
    }

    /// Ends a pending delivery and lets the one that waited for it go.
    fn settle(&mut self, event: EventNumber, attempt: Attempt, now: i64) -> Result<Option<Settled>, StoreError> {
        let Some(mut pending) = self.take(event)? else { return Ok(None) };
        if let Some(next) = pending.next
            && let Some(mut freed) = self.take(next)?
        {
            freed.waits = false;
            freed.previous = None;
            freed.due = now;
            self.put(next, &freed);
        }
        pending.attempts.push(attempt);
        Ok(Some(Settled { queued_at: pending.queued_at, settled_at: now, attempts: pending.attempts }))
    }

    fn put(&mut self, event: EventNumber, pending: &Pending) {
        if !pending.waits {
            let place = (pending.due, event);
            self.placed = Some(self.placed.map_or(place, |earliest| earliest.min(place)));
            self.draft.put(records::due(self.id, pending.due, event), Vec::new());
        }
        self.draft.write(records::pending(self.id, event), pending);
    }

    /// Takes a pending delivery out, with its due key.
    fn take(&mut self, event: EventNumber) -> Result<Option<Pending>, StoreError> {
        let key = records::pending(self.id, event);
        let Some(pending) = self.draft.read::<Pending>(&key)? else { return Ok(None) };
        if !pending.waits {
            self.draft.delete(records::due(self.id, pending.due, event));
        }
        self.draft.delete(key);
        Ok(Some(pending))
    }

    fn count(&mut self, change: impl FnOnce(&mut Tally)) -> Result<(), StoreError> {
        let Some(tally) = self.draft.tally(self.id, self.name)? else {
            let what = "endpoint not registered".to_owned();
            return Err(StoreError::Record { key: records::endpoint(self.name), what });
        };
        change(tally);
        Ok(())
    }
}

/// The number of an endpoint, given at its first appearance.
pub fn register(draft: &mut Draft<'_>, name: &str) -> Result<EndpointId, StoreError> {
    let key = records::endpoint(name);
    if let Some(record) = draft.read::<EndpointRecord>(&key)? {
        return Ok(record.id);
    }
    let highest = draft.read::<EndpointId>(LAST_ENDPOINT)?;
    let id = highest.map_or(0, |id| id + 1);
    draft.write(LAST_ENDPOINT, &id);
    draft.write(key, &EndpointRecord { id, tally: Tally::default() });
    Ok(id)
}

/// The highest endpoint number given so far.
const LAST_ENDPOINT: &[u8] = b"Mlast-endpoint";

/// Every endpoint the store knows, configured or not, by name.
pub fn endpoints(store: &dyn Store) -> Result<Vec<(String, EndpointRecord)>, StoreError> {
    store
        .range(b"N", b"O", MAX_ENDPOINTS)?
        .into_iter()
        .map(|(key, bytes)| {
            let record = records::decode(&key, &bytes)?;
            Ok((records::read_endpoint(&key).unwrap_or_default().to_owned(), record))
        })
        .collect()
}

/// More endpoints than anybody configures, those of past configs included.
const MAX_ENDPOINTS: usize = 100_000;

/// A place in an endpoint's queue: due time and event.
pub type Place = (i64, EventNumber);

/// Up to `limit` pending deliveries from `from` on that are due at `now`, in order of their due times.
pub fn due(
    store: &dyn Store,
    endpoint: EndpointId,
    from: Place,
    now: i64,
    limit: usize,
) -> Result<Vec<Place>, StoreError> {
    let entries = store.range(
        &records::due(endpoint, from.0, from.1),
        &records::due(endpoint, now.saturating_add(1), 0),
        limit,
    )?;
    Ok(entries.iter().filter_map(|(key, _)| records::read_due(key)).collect())
}

/// The first pending delivery from `from` on, due or not.
pub fn first_from(store: &dyn Store, endpoint: EndpointId, from: Place) -> Result<Option<Place>, StoreError> {
    let to: Key = records::due(endpoint, i64::MAX, u64::MAX);
    let entries = store.range(&records::due(endpoint, from.0, from.1), &to, 1)?;
    Ok(entries.first().and_then(|(key, _)| records::read_due(key)))
}

#[cfg(test)]
mod tests;
