//! Events out of the history, queued for one endpoint again, under their old ids.

use std::collections::HashMap;

use serde::Deserialize;

use super::offer::Offer;
use super::plan::{Plan, Planner};
use crate::store::queue::Queue;
use crate::store::records::{self, EventNumber, EventRecord};
use crate::store::{Draft, StoreError};

/// Sessions whose last event is remembered while a replay goes on page by page, so that each is told in order across the
/// pages. Beyond that all are forgotten at once, and the next page begins new rows.
const MAX_SESSIONS: usize = 100_000;

/// The rows that a replay has begun: of each session the last event that it queued.
#[derive(Debug, Default)]
pub struct Rows(HashMap<String, EventNumber>);

/// What a page of a replay came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Queued.
    pub queued: usize,
    /// Not queued: they wait there already.
    pub waiting: usize,
    /// Not queued: the endpoint does not ask for their type, or for events from there, or has no word for them.
    pub not_wanted: usize,
}

impl Planner {
    /// Plans to queue these events for an endpoint once more, and forgets that they were delivered or given up; `None`
    /// where no such endpoint is configured. With `rehearse` nothing is planned, only counted.
    pub fn replay(
        &self,
        plan: &mut Plan<'_>,
        rows: &mut Rows,
        endpoint: &str,
        events: &[EventNumber],
        rehearse: bool,
        now: i64,
    ) -> Result<Option<Replayed>, StoreError> {
        let Some(at) = self.endpoints.iter().position(|known| *known.name == *endpoint) else { return Ok(None) };
        let known = &self.endpoints[at];
        let Some(route) = &known.route else { return Ok(None) };
        if rows.0.len() > MAX_SESSIONS {
            rows.0.clear();
        }
        let mut replayed = Replayed::default();
        for event in events {
            let Some(record) = read(&plan.draft, *event)? else { continue };
            if !Offer::of(*event, record.head.kind).suits(&plan.draft, route)? {
                replayed.not_wanted += 1;
                continue;
            }
            if plan.draft.get(&records::pending(known.id, *event))?.is_some() {
                replayed.waiting += 1;
                continue;
            }
            replayed.queued += 1;
            if rehearse {
                continue;
            }
            let mut queue = Queue::new(&mut plan.draft, &known.name, known.id);
            let session = session(&record.json).filter(|_| route.in_session_order);
            let after = session.and_then(|session| rows.0.insert(session, *event));
            queue.push_again(*event, now, after)?;
            queue.placed().into_iter().for_each(|place| plan.rung[at].placed(place));
        }
        Ok(Some(replayed))
    }
}

fn read(draft: &Draft<'_>, event: EventNumber) -> Result<Option<EventRecord>, StoreError> {
    let key = records::event(event);
    // One that left the history since it was listed.
    draft.get(&key)?.map(|bytes| EventRecord::decode(&key, &bytes)).transpose()
}

/// The session that an event belongs to.
fn session(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        session: Option<Session>,
    }
    #[derive(Deserialize)]
    struct Session {
        unique_id: Option<String>,
    }
    serde_json::from_slice::<Event>(json).ok()?.data.session?.unique_id
}
