//! What a batch of exchanges and outcomes changes: planned over a draft, with `now` as an argument and no side effect.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tracing::error;

use super::offer::Offer;
use super::{count, logins, once};
use crate::directory::Directory;
use crate::event::{Event, EventType, Limits, Source, Tells, Told};
use crate::exchange::{Bookmark, Exchange, Origin, Post};
use crate::render::Format;
use crate::route::{self, Enrichment, Interest};
use crate::session::repeat::{self, Before, Verdict};
use crate::session::{self, Context, Meaning, Meaningless, SessionOptions};
use crate::store::bell::{Begun, Bell, Claims, Rung};
use crate::store::history::{self, Forgot};
use crate::store::queue::{self, Arrival, Outcome, Queue};
use crate::store::records::{self, EndpointId, EventHead, EventNumber};
use crate::store::standing::Begin;
use crate::store::{Draft, Durability, Key, Store, StoreError, StoreOptions};

/// An endpoint, as intake sees it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: Arc<str>,
    /// What it wants to hear of.
    pub interest: Interest,
    /// How events are written for it: what there is no word for, it does not get.
    pub format: Format,
    /// Whether events of one session keep their order.
    pub in_session_order: bool,
    /// Whether of the updates of a session that wait only the newest is kept.
    pub coalesces_updates: bool,
    /// Rung when its queue has changed.
    pub bell: Arc<Bell>,
}

/// An endpoint of the store. One that is not configured (any more) has no route, but its pending deliveries still hold
/// their events.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) name: Arc<str>,
    pub(super) id: EndpointId,
    pub(super) route: Option<Route>,
}

/// What an exchange came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// An event.
    Event(EventType),
    /// Nothing new: the same fact was told before.
    Repeat,
    /// Nothing that could be told: news of a session from before what was told last, or from after its stop.
    Untold(session::Untold),
    /// Nothing: the packet carries no such meaning.
    Meaningless(Meaningless),
}

/// A fact, as far as repeats of it are found by.
pub(super) struct Fact {
    pub(super) base: [u8; 16],
    pub(super) occurrence: u32,
    pub(super) happened_at: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) undated: Option<[u8; 16]>,
}

/// Makes plans; holds what does not change between them.
#[derive(Debug)]
pub struct Planner {
    pub(super) node: Arc<str>,
    pub(super) endpoints: Vec<Endpoint>,
    /// The numbers of all of them.
    pub(super) ids: Vec<EndpointId>,
    pub(super) options: SessionOptions,
    /// What the config adds to events.
    pub(super) enrichment: Enrichment,
    /// What is known of users.
    pub(super) directory: Option<Arc<Directory>>,
    /// Since when packets are taken in, in milliseconds since 1970: sessions were not silent before, nobody listened.
    pub(super) awake_since: i64,
}

/// Changes that are not committed yet, and whom to tell once they are.
pub struct Plan<'a> {
    pub(super) draft: Draft<'a>,
    /// In the order of [`Planner::endpoints`].
    pub(super) rung: Vec<Rung>,
    /// The events that were concluded, and are nobody's own.
    pub(super) concluded: Vec<EventType>,
    /// Places claimed for events that are to be sent at once.
    pub(super) claims: Claims,
    /// Of a rehearsal, what was decided: of which event, for which of [`Planner::endpoints`], and what.
    pub(super) judged: Option<Vec<(EventNumber, usize, route::Verdict)>>,
}

impl Planner {
    /// Makes the configured endpoints known to the store, and takes in those it knew before.
    pub fn new(node: Arc<str>, routes: Vec<Route>, store: &dyn Store) -> Result<Self, StoreError> {
        let (endpoints, ids, options, enrichment, directory, awake_since) = Default::default();
        let mut planner = Self { node, endpoints, ids, options, enrichment, directory, awake_since };
        planner.reroute(routes, store)?;
        Ok(planner)
    }

    /// Configures other endpoints, between two plans. Those that are not among them stay known; after an error all is as before.
    pub fn reroute(&mut self, routes: Vec<Route>, store: &dyn Store) -> Result<(), StoreError> {
        let mut draft = Draft::new(store);
        let mut endpoints = Vec::new();
        for route in routes {
            let id = queue::register(&mut draft, &route.name)?;
            endpoints.push(Endpoint { name: Arc::clone(&route.name), id, route: Some(route) });
        }
        for (name, record) in queue::endpoints(store)? {
            if endpoints.iter().all(|endpoint| *endpoint.name != *name) {
                endpoints.push(Endpoint { name: name.into(), id: record.id, route: None });
            }
        }
        if !draft.is_empty() {
            store.commit(&draft.into_batch(), Durability::Durable)?;
        }
        self.ids = endpoints.iter().map(|endpoint| endpoint.id).collect();
        self.endpoints = endpoints;
        Ok(())
    }

    /// Tells sessions as these options say.
    pub fn with(self, options: SessionOptions) -> Self {
        Self { options, ..self }
    }

    /// Adds to events what these know.
    pub fn enriched(self, enrichment: Enrichment, directory: Option<Arc<Directory>>) -> Self {
        Self { enrichment, directory, ..self }
    }

    /// The number of a configured endpoint.
    pub fn id(&self, name: &str) -> Option<EndpointId> {
        self.endpoints.iter().find(|endpoint| *endpoint.name == *name).map(|endpoint| endpoint.id)
    }

    /// An empty plan over `store`.
    pub fn plan<'a>(&self, store: &'a dyn Store) -> Plan<'a> {
        let rung = vec![Rung::default(); self.endpoints.len()];
        Plan { draft: Draft::new(store), rung, concluded: Vec::new(), claims: Claims::default(), judged: None }
    }

    /// Plans one exchange.
    pub fn take_in(&self, plan: &mut Plan<'_>, exchange: &Exchange, now: i64) -> Result<Came, StoreError> {
        let meaning = match Meaning::read(exchange) {
            Ok(meaning) => meaning,
            Err(why) => return Ok(Came::Meaningless(why)),
        };
        let base = meaning.base();
        let nas = self.nas_of(&plan.draft, &meaning, exchange)?;
        let before = before(&plan.draft, &meaning)?;
        let occurrence = match repeat::judge(before, meaning.happened_at, meaning.is_dated) {
            // A NAS that restarted meanwhile says the same words about something new.
            Verdict::Repeat(_) if session::is_said_anew(&meaning, before.same, nas.as_ref()) => {
                before.same.map_or(0, |told| told.occurrence.saturating_add(1))
            }
            Verdict::Repeat(_) => return Ok(Came::Repeat),
            Verdict::New(occurrence) => occurrence,
        };
        let known = self.known(&plan.draft, &meaning, exchange, nas)?;
        let id = meaning.id(occurrence);
        let context = Context { options: &self.options, node: &self.node, now };
        let step = session::observe(exchange, &meaning, &known, id, &context);
        if meaning.kind == EventType::AuthAccept {
            let limits = exchange.reply.as_ref().map(|reply| Limits::read(&reply.attributes)).unwrap_or_default();
            logins::keep(&mut plan.draft, &meaning.logins(exchange), id, limits, now);
        }
        let (happened_at, received_at) = (meaning.happened_at, exchange.received_at);
        let told = Fact { base, occurrence, happened_at, received_at, undated: meaning.undated };
        self.take_step(plan, exchange, &meaning, &told, step, now)
    }

    /// Plans a posted event.
    pub fn take_post(&self, plan: &mut Plan<'_>, post: &Post, now: i64) -> Result<Came, StoreError> {
        let happened_at = post.timestamp.unwrap_or(post.received_at);
        let base = *post.id.as_bytes();
        let told = forgiving(plan.draft.read::<Told>(&records::told(&base)))?;
        // Whoever gives the same id says the same, however long ago.
        if told.is_some() {
            return Ok(Came::Repeat);
        }
        let Origin { source, kind, client, address } = &post.origin;
        let received_at = post.received_at;
        let node = Arc::clone(&self.node);
        let (client, address) = (Some(&**client), Some(*address));
        let source = Source { name: source, kind, client, address, received_at, node };
        let data = Cow::Borrowed(&post.data);
        let mut event = Event { id: post.id, kind: post.kind, timestamp: happened_at, source, data };
        self.tell(plan, &mut event, &Fact { base, occurrence: 0, happened_at, received_at, undated: None }, None, now)?;
        Ok(Came::Event(post.kind))
    }

    /// Plans how far a source has read.
    pub fn mark(&self, plan: &mut Plan<'_>, bookmark: &Bookmark) {
        let key = records::bookmark(&bookmark.source, &bookmark.item);
        match &bookmark.place {
            Some(place) => plan.draft.put(key, place.clone()),
            None => plan.draft.delete(key),
        }
    }

    /// Plans to keep an event and to queue it for every endpoint that asked for it.
    pub(super) fn tell(
        &self,
        plan: &mut Plan<'_>,
        event: &mut Event<'_, impl Tells>,
        fact: &Fact,
        mut record: Option<&mut session::Record>,
        now: i64,
    ) -> Result<(), StoreError> {
        self.enrich(plan, event, now)?;
        let number = keep(plan, event, fact)?;
        let mut offer = Offer::of(number, event.kind);
        for (at, (endpoint, rung)) in self.endpoints.iter().zip(&mut plan.rung).enumerate() {
            let Some(route) = &endpoint.route else { continue };
            let verdict = offer.judge(&plan.draft, endpoint.id, route, now)?;
            plan.judged.iter_mut().for_each(|judged| judged.push((number, at, verdict)));
            offer.came(&mut plan.draft, endpoint.id, route, now)?;
            if verdict != route::Verdict::Wanted {
                Queue::new(&mut plan.draft, &endpoint.name, endpoint.id).filter()?;
                continue;
            }
            offer.passed(&mut plan.draft, endpoint.id, route, now)?;
            let mut queue = Queue::new(&mut plan.draft, &endpoint.name, endpoint.id);
            let after = match &mut record {
                Some(record) if route.in_session_order => record.queued(endpoint.id, number),
                _ => None,
            };
            let arrival = Arrival { event: number, after, is_update: event.kind == EventType::SessionUpdate };
            let replaced = match route.coalesces_updates {
                true => queue.push_newest(arrival, now)?,
                false => queue.push(arrival, now).map(|()| None)?,
            };
            // It is first in its session's row, and delivery is waiting for it: no need to be asked whether it may begin.
            if queue.placed() == Some((now, number)) && plan.claims.claim(&route.bell, number) {
                queue.begin(number, now)?;
                rung.at_once.push(number);
            } else {
                queue.placed().into_iter().for_each(|place| rung.placed(place));
            }
            if let Some(older) = replaced {
                plan.draft.delete(records::exchange(endpoint.id, older));
                history::settled(&mut plan.draft, &self.ids, endpoint.id, older)?;
            }
        }
        Ok(())
    }

    /// Plans that attempts begin, of a delivery of those that are configured.
    pub fn begin(&self, plan: &mut Plan<'_>, begin: &Begin, now: i64) -> Result<(), StoreError> {
        let Some(at) = self.endpoints.iter().position(|endpoint| endpoint.id == begin.endpoint) else {
            return Ok(());
        };
        let endpoint = &self.endpoints[at];
        let mut queue = Queue::new(&mut plan.draft, &endpoint.name, endpoint.id);
        let mut gone = Vec::new();
        for event in &begin.events {
            if !queue.begin(*event, now)? {
                gone.push(*event);
            }
        }
        plan.rung[at].begun.push(Begun { ticket: begin.ticket, gone });
        Ok(())
    }

    /// Plans the outcome of an attempt.
    pub fn settle(&self, plan: &mut Plan<'_>, outcome: &Outcome, now: i64) -> Result<(), StoreError> {
        let Some(at) = self.endpoints.iter().position(|endpoint| endpoint.id == outcome.endpoint) else {
            return Ok(());
        };
        let endpoint = &self.endpoints[at];
        let mut queue = Queue::new(&mut plan.draft, &endpoint.name, endpoint.id);
        queue.apply(outcome, now)?;
        queue.placed().into_iter().for_each(|place| plan.rung[at].placed(place));
        plan.rung[at].settled.push(outcome.event);
        if outcome.then == queue::Then::Dead {
            self.exhausted(plan, at, outcome, now)?;
        }
        if outcome.then == queue::Then::Delivered {
            history::settled(&mut plan.draft, &self.ids, outcome.endpoint, outcome.event)?;
        }
        Ok(())
    }

    /// Plans to send dead or waiting deliveries at once. Returns how many of `events` there were.
    pub fn revive(
        &self,
        plan: &mut Plan<'_>,
        endpoint: &str,
        events: &[EventNumber],
        now: i64,
    ) -> Result<usize, StoreError> {
        let Some(at) = self.endpoints.iter().position(|known| *known.name == *endpoint) else { return Ok(0) };
        let endpoint = &self.endpoints[at];
        let mut queue = Queue::new(&mut plan.draft, &endpoint.name, endpoint.id);
        let mut revived = 0;
        for event in events {
            revived += usize::from(queue.revive(*event, now)?);
        }
        queue.placed().into_iter().for_each(|place| plan.rung[at].placed(place));
        Ok(revived)
    }

    /// Plans to forget a piece of the old events, and beyond that delivered ones until about `wanted` bytes are given back.
    pub fn forget_events(
        &self,
        plan: &mut Plan<'_>,
        store: &dyn Store,
        options: &StoreOptions,
        now: i64,
        wanted: u64,
    ) -> Result<Forgot, StoreError> {
        history::forget(&mut plan.draft, store, options, &self.ids, now, wanted)
    }

    /// Plans to forget what else is overdue (logins, what was told once, counts), a bounded number of each.
    pub fn forget_overdue(&self, plan: &mut Plan<'_>, store: &dyn Store, now: i64) -> Result<(), StoreError> {
        logins::forget(&mut plan.draft, store, now)?;
        once::forget(&mut plan.draft, store, now)?;
        count::forget(&mut plan.draft, store, now)
    }

    /// Tells the endpoints what was committed.
    pub fn ring(&self, rung: Vec<Rung>) {
        for (endpoint, rung) in self.endpoints.iter().zip(rung) {
            if let Some(route) = &endpoint.route {
                route.bell.ring(rung);
            }
        }
    }
}

impl Plan<'_> {
    /// Commits the changes, if there are any; returns what [`Planner::ring`] then wants: also where nothing changes somebody
    /// may wait for an answer.
    pub fn commit(self, store: &dyn Store, durability: Durability) -> Result<Vec<Rung>, StoreError> {
        if !self.draft.is_empty() {
            store.commit(&self.draft.into_batch(), durability)?;
        }
        self.claims.fulfilled();
        Ok(self.rung)
    }
}

/// What was told before under the fingerprints of a fact.
fn before(draft: &Draft<'_>, meaning: &Meaning<'_>) -> Result<Before, StoreError> {
    let told = |key: Key| forgiving(draft.read::<Told>(&key));
    let base = meaning.base();
    let same = told(records::told(&base))?;
    Ok(match (&meaning.undated, meaning.status) {
        // A fact told under its own date needs no other.
        (Some(_), _) if same.is_some() => Before { same, ..Before::default() },
        (Some(undated), _) => {
            Before { same, undated: told(records::told(undated))?, dated: told(records::told_dated(undated))? }
        }
        (None, Some(_)) => Before { same, undated: None, dated: told(records::told_dated(&base))? },
        (None, None) => Before { same, ..Before::default() },
    })
}

/// Plans to keep an event under the next number, and that it was told.
pub(super) fn keep(
    plan: &mut Plan<'_>,
    event: &Event<'_, impl Serialize>,
    fact: &Fact,
) -> Result<EventNumber, StoreError> {
    let number = plan.draft.number_event()?;
    let received_at = fact.received_at.as_millisecond();
    let head = EventHead { id: event.id, kind: event.kind, received_at, base: fact.base };
    let mut octets = head.begin();
    serde_json::to_writer(&mut octets, event).expect("an event has only string keys and serialises into memory");
    plan.draft.put(records::event(number), octets);
    let happened_at = fact.happened_at.as_millisecond();
    let told = Told { event: number, happened_at, occurrence: fact.occurrence, undated: fact.undated };
    plan.draft.write(records::told(&fact.base), &told);
    if let Some(undated) = &fact.undated {
        plan.draft.write(records::told_dated(undated), &told);
    }
    Ok(number)
}

/// A record that cannot be read must not silence its NAS for ever: it is reported, and written anew as if it had not
/// been there. Errors of the store itself pass on.
pub(super) fn forgiving<T>(read: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Err(StoreError::Record { key, what }) => {
            error!(?key, what, "a record cannot be read and is made anew");
            Ok(None)
        }
        other => other,
    }
}
