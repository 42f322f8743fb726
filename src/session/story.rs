//! The story of a session, packet by packet: what each of them lets be told.

use jiff::Timestamp;

use super::card::{Card, user_key};
use super::ends::{self, Closed};
use super::judge::{Move, judge};
use super::people::{Device, Last, Person};
use super::record::{Ended, Progress, Record, Why, began, hex};
use super::{Context, Known, Meaning, SessionKey, Status, Step, Untold, source};
use crate::event::{Counters, Data, Event, EventId, EventType, Fingerprint, Previous, Session};
use crate::exchange::Exchange;
use crate::radius::numbers;

/// Acct-Terminate-Cause of RFC 2866 §5.10 and RFC 3580 §2.2 by name, as the dictionary has them.
const SESSION_TIMEOUT: &str = "Session-Timeout";

/// The causes that are somebody's decision about this one session.
const REVOKED: [&str; 3] = ["Admin-Reset", "Port-Admin-Disabled", "Port-Disabled"];

/// What a start, or the first packet of a session, adds to what is told.
#[derive(Debug, Default, Clone)]
struct Arrival {
    login: Option<&'static str>,
    visit: Option<u32>,
    previous: Option<Previous>,
}

/// Tells a session's packet. `id` is the packet's own event's.
pub(super) fn tell<'a>(
    exchange: &'a Exchange,
    meaning: &'a Meaning<'a>,
    status: Status,
    key: SessionKey,
    known: &'a Known,
    id: EventId,
    context: &Context<'_>,
) -> Step<'a> {
    let before = known.record.as_ref();
    let received_at = exchange.received_at;
    let nas_gone_at = known.nas.as_ref().map(|nas| nas.gone_at);
    let mut step = Step { person: known.person.clone(), device: known.device.clone(), ..Step::default() };
    let to = judge(before, meaning, status, nas_gone_at);
    let mut record = match (to, before) {
        (Move::Late | Move::AfterStop, Some(before)) => {
            let mut record = before.clone();
            // What is of a session before says nothing of how this one is.
            if !before.began_after(meaning) {
                record.hears(received_at);
            }
            record.leaves_untold(meaning);
            if let Some(card) = &mut record.card {
                card.fill(Card::after(None, meaning, exchange));
            }
            step.untold = Some(if to == Move::Late { Untold::Late } else { Untold::AfterStop });
            step.record = Some(record);
            return step;
        }
        (Move::Goes | Move::Returns, Some(before)) => {
            let mut record = before.clone();
            if before.learns_user(meaning) {
                step.closed = Some(Closed::of(before, &key, before.seen_at));
                record.is_listed = false;
            }
            record
        }
        _ => {
            let begins = began(&meaning.facts, meaning.happened_at, status);
            let mut record = Record::begun(begins, status, received_at);
            if let Some(before) = before {
                if before.is_open() {
                    let why = before.gives_way(nas_gone_at);
                    let at = match (why, nas_gone_at) {
                        (Why::NasReboot, Some(gone_at)) => gone_at,
                        _ => begins.as_millisecond(),
                    };
                    let end = Ended { at, noticed_at: received_at.as_millisecond(), why };
                    step.events.push(ends::lost(before, &key, end, context));
                    step.closed = before.is_listed.then(|| Closed::lost(before, &key, end));
                }
                // The order towards receivers goes on, though the session is another.
                record.last_queued.clone_from(&before.last_queued);
                record.untold.clone_from(&before.untold);
            }
            record
        }
    };
    if let Some(closed) = &step.closed {
        // On one device one user may come after another.
        let is_theirs = closed.user_key() == meaning.facts.user_name.map(user_key);
        closed.leave(step.person.as_mut().filter(|_| is_theirs), step.device.as_mut());
    }

    let mut card = Card::after(record.card.as_ref(), meaning, exchange);
    if context.options.acct_unique_id && card.acct_unique.is_none() {
        card.acct_unique = Some(super::acct_unique::of(exchange, &meaning.facts));
    }
    record.limits = record.limits.or(known.login.map(|login| login.limits).unwrap_or_default());
    if record.limits.time.is_none() {
        record.limits.time = exchange.request.get(numbers::SESSION_TIMEOUT).and_then(|value| value.number());
    }
    record.auth_id = record.auth_id.or(known.login.map(|login| *login.event.as_bytes()));
    let mut arrival = Arrival::default();
    let is_new = matches!(to, Move::Opens);
    if !record.is_listed {
        record.is_listed = true;
        step.opened = true;
        match to {
            // Its stop ends it a second time.
            Move::Goes | Move::Returns if record.ended.is_some() => returns(&record, &key, &mut step),
            _ => arrival = arrive(&record, &card, &key, &mut step, context),
        }
    }
    record.card = Some(card);

    let events = std::mem::take(&mut step.events);
    let mut telling = Telling { exchange, meaning, known, key, is_new, context, events };
    if is_new && status != Status::Start {
        let data = telling.data(&record, &arrival, &step, None);
        let inferred =
            Fingerprint::new(EventType::SessionStart.name()).text(Some("inferred")).bytes(Some(id.as_bytes()));
        telling.push(inferred.id(), EventType::SessionStart, record.started_at(), data);
        telling.resumed(&record, &arrival, &step);
    }
    if to == Move::Returns {
        record.ended = None;
        let data = telling.data(&record, &arrival, &step, None);
        telling.push(derived(EventType::SessionResumed, id), EventType::SessionResumed, meaning.happened_at, data);
    }
    let progress = record.takes(meaning, status, received_at);
    // Where it was seen last makes no difference once it has stopped.
    let stopped = status == Status::Stop;
    if stopped {
        record.ended = None;
        let closed = Closed::of(&record, &key, meaning.happened_at.as_millisecond());
        closed.leave(step.person.as_mut(), step.device.as_mut());
        record.is_listed = false;
        // One that begins and ends in one packet never came into the indexes.
        step.closed = (!step.opened).then_some(closed).or(step.closed.take());
        step.opened = false;
    }
    let after = |arrival: &Arrival| match status {
        Status::Start => arrival.clone(),
        _ => Arrival::default(),
    };
    let special = stopped.then(|| special(meaning, &record)).flatten();
    let data = telling.data(&record, &after(&arrival), &step, Some((&progress, special)));
    telling.push(id, meaning.kind, meaning.happened_at, data.clone());
    if is_new && status == Status::Start {
        telling.resumed(&record, &arrival, &step);
    }
    match special {
        Some(Special::Revoked) if !record.revoked => {
            record.revoked = true;
            telling.push(derived(EventType::SessionRevoked, id), EventType::SessionRevoked, meaning.happened_at, data);
        }
        Some(Special::Limit(_)) => {
            let kind = EventType::SessionLimitExceeded;
            telling.push(derived(kind, id), kind, meaning.happened_at, data);
        }
        _ => {}
    }
    record.last_event = telling.events.last().map(|event| *event.id.as_bytes());
    step.events = telling.events;
    step.record = Some(record);
    step
}

/// The id of what follows from an event.
pub(super) fn derived(kind: EventType, from: EventId) -> EventId {
    Fingerprint::new(kind.name()).bytes(Some(from.as_bytes())).id()
}

/// A session begins: for its user, on its device.
fn arrive(record: &Record, card: &Card, key: &SessionKey, step: &mut Step<'_>, context: &Context<'_>) -> Arrival {
    let began = record.started_at;
    let window = super::options::whole(context.options.resume_window);
    let session = Last {
        key: *key,
        unique: record.unique(key),
        ended_at: None,
        multi_id: card.multi_id.clone(),
        nas: card.nas_name(),
        ap: card.ap.map(|ap| ap.to_string()),
        user: card.user_key(),
    };
    let mut arrival = Arrival::default();
    let now = context.now;
    let mut is_known = None;
    if card.device_key().is_some() {
        let device = step.device.get_or_insert_with(Device::default);
        is_known = Some(device.sessions > 0);
        arrival.previous = device.goes_on(&session, began, window);
        device.arrives(began, session);
        device.heard_at = now;
    }
    if let Some(user) = &card.user {
        let person = step.person.get_or_insert_with(|| Person { name: user.clone(), ..Person::default() });
        is_known = Some(person.sessions > 0);
        arrival.visit = Some(person.arrives(began, &card.place(), arrival.previous.is_none()));
        person.heard_at = now;
    }
    arrival.login = is_known.map(|is_known| if is_known { "reconnect" } else { "first" });
    arrival
}

/// A session that was taken to be lost is open again.
fn returns(record: &Record, key: &SessionKey, step: &mut Step<'_>) {
    if let Some(person) = &mut step.person {
        person.open += 1;
    }
    if let Some(device) = &mut step.device {
        device.returns(&record.unique(key));
    }
}

/// Why a stop is more than a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Special {
    Revoked,
    Limit(&'static str),
}

fn special(meaning: &Meaning<'_>, record: &Record) -> Option<Special> {
    let cause = meaning.facts.terminate_cause.as_deref();
    if record.revoked || cause.is_some_and(|cause| REVOKED.contains(&cause)) {
        return Some(Special::Revoked);
    }
    let Counters { input_octets, output_octets, .. } = record.counters;
    if record.limits.volume_is_used_up(input_octets, output_octets) {
        return Some(Special::Limit("volume"));
    }
    let is_over = matches!((record.limits.time, record.duration), (Some(limit), Some(lasted)) if lasted >= limit);
    (is_over || cause == Some(SESSION_TIMEOUT)).then_some(Special::Limit("time"))
}

/// The events that a packet makes.
struct Telling<'a, 'c> {
    exchange: &'a Exchange,
    meaning: &'a Meaning<'a>,
    known: &'a Known,
    key: SessionKey,
    is_new: bool,
    context: &'c Context<'c>,
    events: Vec<Event<'a>>,
}

impl<'a> Telling<'a, '_> {
    fn push(&mut self, id: EventId, kind: EventType, timestamp: Timestamp, data: Data<'a>) {
        let source = source(self.exchange, self.context.node);
        self.events.push(Event { id, kind, timestamp, source, data });
    }

    /// `session.resumed`, where the session goes on from one before.
    fn resumed(&mut self, record: &Record, arrival: &Arrival, step: &Step<'a>) {
        if arrival.previous.is_some() {
            let from = self.events.last().map(|event| event.id);
            let data = self.data(record, arrival, step, None);
            let kind = EventType::SessionResumed;
            let id =
                from.map_or_else(|| Fingerprint::new(kind.name()).bytes(Some(&self.key)).id(), |id| derived(kind, id));
            self.push(id, kind, record.started_at(), data);
        }
    }

    /// What is told of the session now. `packet`: the event is the packet's own, and tells its figures.
    fn data(
        &self,
        record: &Record,
        arrival: &Arrival,
        step: &Step<'a>,
        packet: Option<(&Progress, Option<Special>)>,
    ) -> Data<'a> {
        let facts = &self.meaning.facts;
        let mut data = Data::new(facts, &self.exchange.request);
        if let Some(card) = self.known.record.as_ref().and_then(|record| record.card.as_ref()).filter(|_| !self.is_new)
        {
            card.complete(&mut data);
        }
        let is_stop = self.meaning.status == Some(Status::Stop);
        let counts = step.opened || is_stop;
        if let (Some(user), Some(person), true) = (&mut data.user, &step.person, counts) {
            user.first_seen_at = Some(super::record::moment(person.first_seen));
            user.sessions = Some(person.open);
        }
        if let (Some(device), true) = (&step.device, counts) {
            data.client.first_seen_at = Some(super::record::moment(device.first_seen));
        }
        let mut session = Session {
            id: facts.session_id.unwrap_or_default(),
            unique_id: record.unique_id(&self.key),
            acct_unique_id: record.card.as_ref().and_then(|card| card.acct_unique).map(|unique| hex(&unique)),
            multi_id: facts.multi_session_id,
            started_at: Some(record.started_at()),
            auth_id: record.auth_id(),
            login: arrival.login,
            visit: arrival.visit.filter(|_| counts),
            previous: arrival.previous.clone(),
            ..Session::default()
        };
        match packet {
            None => session.inferred = self.is_new && record.inferred,
            Some((progress, special)) => {
                let said = facts.counters;
                let total = record.counters;
                session.stopped_at = is_stop.then_some(self.meaning.happened_at);
                session.duration = facts.session_time.and(record.duration);
                session.input_octets = said.input_octets.and(total.input_octets);
                session.output_octets = said.output_octets.and(total.output_octets);
                session.input_packets = said.input_packets.and(total.input_packets);
                session.output_packets = said.output_packets.and(total.output_packets);
                session.noticed.extend(progress.noticed.wrapped.then_some("wrapped"));
                session.noticed.extend(progress.noticed.reset.then_some("reset"));
                session.vendor_cause = facts.vendor_cause.as_deref();
                session.terminate_cause = facts.terminate_cause.as_deref().or(session.vendor_cause);
                session.delta = Some(progress.delta).filter(|delta| *delta != Default::default());
                session.rate = progress.rate;
                match special {
                    Some(Special::Revoked) => session.revoked = true,
                    Some(Special::Limit(limit)) => session.limit = Some(limit),
                    None => {}
                }
            }
        }
        data.session = Some(session);
        data
    }
}
