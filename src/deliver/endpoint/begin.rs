//! Which attempts begin, and when: of what is due, of what was to be sent at once, and how much more of that there is room for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{error, warn};

use super::{Landed, Ticket, UnderWay, Work};
use crate::deliver::breaker::Gate;
use crate::deliver::client::Sender;
use crate::deliver::hand::Gathered;
use crate::deliver::handshake;
use crate::store::StoreError;
use crate::store::bell::Begun;
use crate::store::queue::{self, Outcome};
use crate::store::records::EventNumber;
use crate::store::standing::{Begin, Report};

/// How many deliveries are taken out of the queue at once, unless a batch holds more.
const IN_HAND: usize = 256;

/// How many deliveries begin by one report: the writer's other work waits no longer than for these.
const BEGUN_AT_ONCE: usize = 1_000;

/// The longest sleep until the next due delivery: the wall clock may be set meanwhile, and due times are wall-clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long to leave the store alone after it could not be read.
const STORE_REST: Duration = Duration::from_secs(1);

impl Work {
    /// Begins as many attempts as may begin now, and offers room for more. Returns when to look again at the latest.
    pub(super) fn begin_what_can(&mut self) -> Instant {
        let mut wake = Instant::now() + LONGEST_SLEEP;
        let is_caught_up = self.may_send(&mut wake) && self.begin_what_may(&mut wake);
        self.put_back();
        let is_free = is_caught_up && self.delivery.options.batch.is_single() && self.pace.is_free();
        self.delivery.bell.offer(if is_free { self.room() } else { 0 });
        wake
    }

    /// Whether anything may be sent at all: it is enabled, and has agreed, which it is asked to otherwise.
    fn may_send(&mut self, wake: &mut Instant) -> bool {
        let delivery = Arc::clone(&self.delivery);
        if !delivery.options.enabled || self.health.is_disabled() {
            return false;
        }
        if handshake::has_agreed(&delivery.options, self.health.standing()) {
            return true;
        }
        match self.agreement.ask_at(std::time::Instant::now()) {
            Some(at) => *wake = (*wake).min(at.into()),
            None if self.agreement.is_under_way() => {}
            None => {
                self.agreement.asked();
                let aside = self.aside();
                self.spawn(UnderWay { events: Vec::new(), is_probe: false }, async move {
                    let sender = aside.as_ref().unwrap_or(&delivery.sender);
                    Landed::Handshake(handshake::ask(&delivery, sender).await)
                });
            }
        }
        false
    }

    /// How many more attempts may be under way.
    fn room(&self) -> usize {
        let most = if self.answers { self.delivery.options.concurrency } else { 1 };
        most.saturating_sub(self.in_the_air.len() + self.tickets.len())
    }

    /// Says whether nothing waits any more that is due.
    fn begin_what_may(&mut self, wake: &mut Instant) -> bool {
        let delivery = Arc::clone(&self.delivery);
        while self.room() > 0 {
            let now = std::time::Instant::now();
            if let Some(held_until) = self.pace.held_until(now) {
                *wake = (*wake).min(held_until.into());
                return false;
            }
            let is_probe = match self.breaker.gate(now) {
                Gate::Closed => false,
                Gate::HalfOpen => true,
                Gate::Open(until) => {
                    *wake = until.map_or(*wake, |until| (*wake).min(until.into()));
                    return false;
                }
            };
            if let Some(event) = self.at_once.pop_front() {
                self.starts(is_probe);
                self.send(vec![event], is_probe);
                continue;
            }
            match self.gather() {
                Ok((Gathered::Batch(events), _)) => self.begin(events, is_probe),
                Ok((Gathered::Waits(at), due_in)) => {
                    let waits = u64::try_from(at - Timestamp::now().as_millisecond()).unwrap_or(0);
                    let waits = Duration::from_millis(waits).min(due_in.unwrap_or(LONGEST_SLEEP));
                    *wake = (*wake).min(Instant::now() + waits);
                    return false;
                }
                Ok((Gathered::Nothing, due_in)) => {
                    *wake = due_in.map_or(*wake, |due_in| (*wake).min(Instant::now() + due_in));
                    return !is_probe;
                }
                Err(error) => {
                    error!(endpoint = %delivery.options.name, %error, "the queue cannot be read; tried again");
                    *wake = Instant::now() + STORE_REST;
                    return false;
                }
            }
        }
        false
    }

    /// What was to be sent at once and may not be after all waits like everything else.
    pub(super) fn put_back(&mut self) {
        for event in self.at_once.drain(..) {
            let unsent = Outcome::unsent(self.delivery.id, event, Timestamp::now().as_millisecond());
            self.delivery.report(Report::Outcome(unsent));
        }
    }

    /// The next batch, and where there is none how long it is until the next delivery is due.
    fn gather(&mut self) -> Result<(Gathered, Option<Duration>), StoreError> {
        let delivery = Arc::clone(&self.delivery);
        let batch = &delivery.options.batch;
        let mut due_in = None;
        if self.hand.ready() < batch.max_events {
            let quiet = self.quiet_until.map(|until| until.saturating_duration_since(Instant::now()));
            due_in = match quiet {
                Some(quiet) if !quiet.is_zero() => Some(quiet),
                _ => self.refill(batch.max_events)?,
            };
        }
        let now = Timestamp::now().as_millisecond();
        let gathered = self.hand.gather(batch, now, |event| delivery.behind(event))?;
        Ok((gathered, due_in))
    }

    /// Takes out what is due, as far as it is not in hand already, until so many are ready or nothing more is due. Returns how
    /// long it is until the first delivery behind that is due.
    fn refill(&mut self, wanted: usize) -> Result<Option<Duration>, StoreError> {
        let delivery = Arc::clone(&self.delivery);
        let page = wanted.max(IN_HAND);
        loop {
            let now = Timestamp::now().as_millisecond();
            let places = queue::due(&*delivery.store, delivery.id, self.cursor, now, page)?;
            // What is to be sent at once was told before it could be seen in the queue.
            let (released, held) = delivery.bell.take_held();
            self.hold_back(released, held);
            if let Some((at, event)) = places.last() {
                self.cursor = (*at, event.saturating_add(1));
            }
            let full = places.len() == page;
            self.hand.take(places);
            if self.hand.ready() >= wanted {
                return Ok(None);
            }
            // A whole page may have been in hand already.
            if full {
                continue;
            }
            let next = queue::first_from(&*delivery.store, delivery.id, self.cursor)?;
            let due_in = next.map(|(at, _)| Duration::from_millis(u64::try_from(at - now).unwrap_or(0)));
            self.quiet_until = Some(Instant::now() + due_in.map_or(LONGEST_SLEEP, |due_in| due_in.min(LONGEST_SLEEP)));
            return Ok(due_in);
        }
    }

    /// Asks the writer to write down that a batch begins.
    fn begin(&mut self, events: Vec<EventNumber>, is_probe: bool) {
        self.starts(is_probe);
        let (endpoint, ticket) = (self.delivery.id, self.next_ticket);
        self.next_ticket += 1;
        for part in events.chunks(BEGUN_AT_ONCE) {
            self.delivery.report(Report::Begin(Begin { endpoint, ticket, events: part.to_vec() }));
        }
        let parts = events.len().div_ceil(BEGUN_AT_ONCE);
        self.tickets.insert(ticket, Ticket { events, parts, is_probe });
    }

    fn starts(&mut self, is_probe: bool) {
        self.pace.started(std::time::Instant::now());
        if is_probe {
            self.breaker.probes();
        }
    }

    /// It is written down.
    pub(super) fn begun(&mut self, begun: Begun) {
        let Some(ticket) = self.tickets.get_mut(&begun.ticket) else { return };
        for event in begun.gone {
            ticket.events.retain(|own| *own != event);
            self.hand.release(event);
        }
        ticket.parts -= 1;
        if ticket.parts > 0 {
            return;
        }
        let Some(Ticket { events, is_probe, .. }) = self.tickets.remove(&begun.ticket) else { return };
        if events.is_empty() {
            if is_probe {
                self.breaker.probe_fell_through();
            }
            return;
        }
        self.send(events, is_probe);
    }

    /// Sends what has begun.
    fn send(&mut self, events: Vec<EventNumber>, is_probe: bool) {
        let delivery = Arc::clone(&self.delivery);
        let about = UnderWay { events: events.clone(), is_probe };
        let aside = self.aside();
        let attempt = async move {
            let sender = aside.as_ref().unwrap_or(&delivery.sender);
            Landed::Attempt(delivery.attempt(events, sender).await)
        };
        self.spawn(about, attempt);
    }

    /// The client of attempts that are made aside; none where they need not be.
    fn aside(&mut self) -> Option<Sender> {
        if self.answers {
            return None;
        }
        if self.aside.is_none() {
            let options = &self.delivery.options;
            let made = self.delivery.sender.aside(options, self.delivery.aside.clone());
            self.aside =
                made.inspect_err(|error| warn!(endpoint = %options.name, %error, "cannot be tried aside")).ok();
        }
        self.aside.clone()
    }

    fn spawn(&mut self, about: UnderWay, task: impl Future<Output = Landed> + Send + 'static) {
        let id = self.in_the_air.spawn(task).id();
        self.about.insert(id, about);
    }
}
