//! What radhook tells of its own house: how endpoints stand, and what was given up. Such events are offered only to those who
//! asked for them, never to the endpoint they are about, and never told of one another.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::offer::Offer;
use super::plan::{Fact, Plan, Planner, forgiving, keep};
use crate::event::{Event, EventType, Fingerprint, Source, rfc3339};
use crate::route::Verdict;
use crate::store::queue::{Arrival, Outcome, Queue};
use crate::store::records::{self, EndpointId, EventNumber, EventRecord};
use crate::store::standing::{self, Disabled, Standing, Turn};
use crate::store::{Key, Store, StoreError};

/// The source of these events.
const SOURCE: &str = "radhook";

/// Its type.
const KIND: &str = "system";

/// How many records of a dropped endpoint go in one commit.
const DROPPED_AT_ONCE: usize = 2_000;

/// Something to be told.
pub(super) struct News<'d> {
    pub(super) kind: EventType,
    pub(super) print: Fingerprint,
    pub(super) at: i64,
    pub(super) data: &'d Value,
    pub(super) about: EndpointId,
}

/// A piece of an endpoint that is being forgotten.
pub struct Piece {
    /// Deliveries in it.
    pub dropped: usize,
    /// Nothing is left.
    pub was_last: bool,
}

impl Planner {
    /// What an operator's word changes: nothing outside where there is no such endpoint, nothing inside where it stands so
    /// already. `disabled` is the reason; `None` enables.
    pub fn turned_by_hand(
        &self,
        store: &dyn Store,
        endpoint: &str,
        disabled: Option<String>,
        now: i64,
    ) -> Result<Option<Option<Turn>>, StoreError> {
        let configured = self.endpoints.iter().find(|known| *known.name == *endpoint && known.route.is_some());
        let Some(id) = configured.map(|known| known.id) else { return Ok(None) };
        let before = standing::read(store, id)?;
        if before.disabled.is_some() == disabled.is_some() {
            return Ok(Some(None));
        }
        let told = if disabled.is_some() { EventType::EndpointDisabled } else { EventType::EndpointEnabled };
        let reason = disabled.as_deref().map_or_else(|| "an operator enabled it".to_owned(), records::shorten);
        let disabled = disabled.map(|_| Disabled { at: now, reason: reason.clone() });
        // Whoever enables it gives it its whole time again, and one that was disabled has to agree once more.
        let standing = Standing { failing_since: None, disabled, verified: None };
        Ok(Some(Some(Turn { endpoint: id, standing, told: Some(told), reason, at: now })))
    }

    /// Plans how an endpoint stands from now on, and to tell the others.
    pub fn turn(&self, plan: &mut Plan<'_>, turn: &Turn, now: i64) -> Result<(), StoreError> {
        let Some(endpoint) = self.endpoints.iter().find(|endpoint| endpoint.id == turn.endpoint) else {
            return Ok(());
        };
        let key = records::standing(turn.endpoint);
        if turn.standing == Standing::default() {
            plan.draft.delete(key);
        } else {
            plan.draft.write(key, &turn.standing);
        }
        let Some(kind) = turn.told else { return Ok(()) };
        let mut data = json!({ "endpoint": { "name": &*endpoint.name }, "reason": turn.reason });
        if let Some(since) = turn.standing.failing_since.and_then(|since| Timestamp::from_millisecond(since).ok()) {
            data["failing_since"] = rfc3339(since).into();
        }
        let print = Fingerprint::new(kind.name()).text(Some(&self.node)).text(Some(&endpoint.name));
        let print = print.number(Some(turn.at.cast_unsigned()));
        self.tell_others(plan, News { kind, print, at: turn.at, data: &data, about: turn.endpoint }, now)
    }

    /// Plans to tell that an endpoint's delivery was given up.
    pub(super) fn exhausted(
        &self,
        plan: &mut Plan<'_>,
        at: usize,
        outcome: &Outcome,
        now: i64,
    ) -> Result<(), StoreError> {
        const KIND: EventType = EventType::DeliveryExhausted;
        if !self.is_wanted(KIND, outcome.endpoint) {
            return Ok(());
        }
        let key = records::event(outcome.event);
        let Some(bytes) = plan.draft.get(&key)? else { return Ok(()) };
        let Some(record) = forgiving(EventRecord::decode(&key, &bytes).map(Some))? else { return Ok(()) };
        // Two dead receivers would tell each other of each other for ever.
        if is_of_the_house(record.head.kind) {
            return Ok(());
        }
        let (name, attempt) = (&*self.endpoints[at].name, &outcome.attempt);
        let mut data = json!({
            "endpoint": { "name": name },
            "event": { "id": record.head.id, "type": record.head.kind },
            "attempt": {},
        });
        if let Some(status) = attempt.status {
            data["attempt"]["status"] = status.into();
        }
        if let Some(error) = &attempt.error {
            data["attempt"]["error"] = error.as_str().into();
        }
        let print = Fingerprint::new(KIND.name()).text(Some(name)).bytes(Some(record.head.id.as_bytes()));
        let print = print.number(Some(attempt.at.cast_unsigned()));
        self.tell_others(plan, News { kind: KIND, print, at: now, data: &data, about: outcome.endpoint }, now)
    }

    /// Asks the bell of an endpoint to say that it stands otherwise.
    pub fn heed(&self, rung: &mut [crate::store::bell::Rung], endpoint: EndpointId) {
        for (known, rung) in self.endpoints.iter().zip(rung) {
            rung.turned |= known.id == endpoint;
        }
    }

    /// Plans to forget a piece of an endpoint that is not configured; `None` where there is no such one.
    pub fn drop_piece(
        &self,
        plan: &mut Plan<'_>,
        store: &dyn Store,
        endpoint: &str,
    ) -> Result<Option<Piece>, StoreError> {
        let parked = self.endpoints.iter().find(|known| *known.name == *endpoint && known.route.is_none());
        let Some(id) = parked.map(|known| known.id) else { return Ok(None) };
        let due = (records::due(id, i64::MIN, 0), records::due(id, i64::MAX, u64::MAX));
        for (key, _) in store.range(&due.0, &due.1, DROPPED_AT_ONCE)? {
            plan.draft.delete(key);
        }
        let mut dropped = 0;
        for (of, is_delivery) in [
            (records::pending as fn(EndpointId, EventNumber) -> Key, true),
            (records::dead, true),
            (records::done, true),
            (records::exchange, false),
        ] {
            for (key, _) in store.range(&of(id, 0), &of(id, u64::MAX), DROPPED_AT_ONCE)? {
                plan.draft.delete(key);
                dropped += usize::from(is_delivery);
            }
        }
        for (key, _) in store.range(&records::once(id, &[0; 16]), &records::once(id, &[0xff; 16]), DROPPED_AT_ONCE)? {
            plan.draft.delete(key);
        }
        let was_last = plan.draft.is_empty();
        if was_last {
            plan.draft.delete(records::endpoint(endpoint));
            plan.draft.delete(records::standing(id));
        }
        Ok(Some(Piece { dropped, was_last }))
    }

    /// An endpoint was forgotten.
    pub fn dropped(&mut self, endpoint: &str) {
        self.endpoints.retain(|known| *known.name != *endpoint);
        self.ids = self.endpoints.iter().map(|known| known.id).collect();
    }

    fn is_wanted(&self, kind: EventType, about: EndpointId) -> bool {
        let wants =
            |route: &super::plan::Route| route.interest.subscription.wants(kind) && route.interest.scope.is_none();
        self.endpoints.iter().any(|known| known.id != about && known.route.as_ref().is_some_and(wants))
    }

    /// Plans an event for those who asked for it. Nobody else is offered it, so that no tally counts it as filtered, and
    /// where nobody asked it is not even kept.
    pub(super) fn tell_others(&self, plan: &mut Plan<'_>, news: News<'_>, now: i64) -> Result<(), StoreError> {
        let News { kind, print, at, data, about } = news;
        if !self.is_wanted(kind, about) {
            return Ok(());
        }
        let timestamp = Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let id = print.id();
        let node = Arc::clone(&self.node);
        let source = Source { name: SOURCE, kind: KIND, client: None, address: None, received_at: timestamp, node };
        let data = Cow::Owned(data.as_object().cloned().unwrap_or_default());
        let mut event = Event { id, kind, timestamp, source, data };
        self.enrich(plan, &mut event, now)?;
        let (base, happened_at) = (*id.as_bytes(), timestamp);
        let fact = Fact { base, occurrence: 0, happened_at, received_at: timestamp, undated: None };
        let number = keep(plan, &event, &fact)?;
        let mut offer = Offer::of_the_house(number, kind, about);
        for (at, (endpoint, rung)) in self.endpoints.iter().zip(&mut plan.rung).enumerate() {
            let Some(route) = &endpoint.route else { continue };
            let verdict = offer.judge(&plan.draft, endpoint.id, route, now)?;
            plan.judged.iter_mut().for_each(|judged| judged.push((number, at, verdict)));
            if verdict != Verdict::Wanted {
                continue;
            }
            let mut queue = Queue::new(&mut plan.draft, &endpoint.name, endpoint.id);
            queue.push(Arrival { event: number, after: None, is_update: false }, now)?;
            queue.placed().into_iter().for_each(|place| rung.placed(place));
        }
        Ok(())
    }
}

/// Whether an event is radhook's own, and then the name of the endpoint it is about, if it is about one. Somebody may have
/// posted another of the same type, which is an event like others.
pub(super) fn about(kind: EventType, event: &Value) -> Option<Option<&str>> {
    let is_own = is_of_the_house(kind) || kind == EventType::SystemUserlimitExceeded;
    (is_own && event["source"]["type"] == KIND).then(|| event["data"]["endpoint"]["name"].as_str())
}

/// Whether an event tells of radhook's own house.
fn is_of_the_house(kind: EventType) -> bool {
    matches!(
        kind,
        EventType::EndpointDisabled
            | EventType::EndpointEnabled
            | EventType::EndpointRecovered
            | EventType::DeliveryExhausted
    )
}
