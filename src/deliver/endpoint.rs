//! One endpoint's delivery: takes what is due out of its queue, keeps no more than its concurrency in the air, and hands
//! every outcome to the writer.
//!
//! Only places and numbers are held in memory, never a backlog. An attempt begins when the writer has written down that it
//! does, so that one that a crash cut off is seen afterwards. A delivery is held back from the moment it is taken out until the
//! writer says that its outcome is in the store, so that it is never sent twice at once. A stop leaves what was not finished
//! pending, with its due time.

mod landing;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender as Channel;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

use super::attempt::Made;
pub use super::attempt::Meters;
use super::breaker::{Breaker, Gate};
use super::client::Sender;
use super::hand::{Gathered, Hand};
use super::handshake::{self, Agreement};
use super::health::Health;
use super::options::EndpointOptions;
use super::pace::Pace;
use super::view::View;
use crate::directory::Directory;
use crate::store::bell::{Begun, Bell};
use crate::store::queue::{self, Place};
use crate::store::records::{self, EndpointId, EventNumber, Pending};
use crate::store::standing::{self, Begin, Report, Standing, Verified};
use crate::store::{Store, StoreError};

/// How many deliveries are taken out of the queue at once, unless a batch holds more.
const IN_HAND: usize = 256;

/// How many deliveries begin by one report: the writer's other work waits no longer than for these.
const BEGUN_AT_ONCE: usize = 1_000;

/// The longest sleep until the next due delivery: the wall clock may be set meanwhile, and due times are wall-clock.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// How long to leave the store alone after it could not be read.
const STORE_REST: Duration = Duration::from_secs(1);

/// One endpoint's delivery.
pub struct Delivery {
    /// What was configured.
    pub options: Arc<EndpointOptions>,
    /// Its number in the store.
    pub id: EndpointId,
    /// This radhook's name.
    pub node: Arc<str>,
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Rung by the writer.
    pub bell: Arc<Bell>,
    /// To the writer.
    pub reports: Channel<Report>,
    /// What operators see.
    pub view: Arc<View>,
    /// What is counted.
    pub meters: Meters,
    /// What is known of users, where events may lack it.
    pub directory: Option<Arc<Directory>>,
    /// The endpoint's HTTP client.
    pub sender: Sender,
    /// Where the connections are served of receivers that have not answered yet, or let the last attempt run into its deadline.
    /// One that sends without end keeps a thread busy until then, and that must be no thread that others need.
    pub aside: Handle,
}

/// What is under way beside the endpoint's own task.
enum Landed {
    Attempt(Made),
    Handshake(Result<Verified, String>),
}

/// What a task of [`Landed`] is about, should it end without a word.
struct UnderWay {
    events: Vec<EventNumber>,
    is_probe: bool,
}

/// A batch that waits for the writer to write down that it begins.
struct Ticket {
    events: Vec<EventNumber>,
    /// Reports that are not answered yet.
    parts: usize,
    is_probe: bool,
}

/// An endpoint's delivery at work.
struct Work {
    delivery: Arc<Delivery>,
    hand: Hand,
    /// Everything before it in the queue is in hand, or was not due.
    cursor: Place,
    tickets: HashMap<u64, Ticket>,
    next_ticket: u64,
    in_the_air: JoinSet<Landed>,
    about: HashMap<Id, UnderWay>,
    pace: Pace,
    breaker: Breaker,
    health: Health,
    agreement: Agreement,
    /// The receiver answers. Until it does attempts are made aside, one at a time.
    answers: bool,
    /// The client of attempts that are made aside, whose connections live there too; made when it is first needed.
    aside: Option<Sender>,
}

impl Delivery {
    /// Delivers until `stop` becomes true, then lets what is in the air finish for at most `grace`.
    pub async fn run(self, mut stop: watch::Receiver<bool>, grace: Duration) {
        let mut work = Work::new(Arc::new(self));
        loop {
            work.heed_the_bell();
            let wake = work.begin_what_can();
            work.show();
            let delivery = Arc::clone(&work.delivery);
            tokio::select! {
                _ = stop.changed() => break,
                () = delivery.bell.wait() => {}
                Some(landed) = work.in_the_air.join_next_with_id() => work.landed(landed),
                () = sleep_until(wake) => {}
            }
        }
        if timeout(grace, work.finish()).await.is_err() {
            warn!(endpoint = %work.delivery.options.name, "requests still under way at the stop will be made again");
        }
    }

    /// How the endpoint stands by the store. One that cannot be read is tried: not to try would lose nothing, but look
    /// like an outage of ours.
    fn standing(&self) -> Standing {
        standing::read(&*self.store, self.id).unwrap_or_else(|error| {
            error!(endpoint = %self.options.name, %error, "how it stands cannot be read; it is tried");
            Standing::default()
        })
    }

    /// The event that waits for this one in its session.
    fn behind(&self, event: EventNumber) -> Result<Option<EventNumber>, StoreError> {
        let key = records::pending(self.id, event);
        let pending = self.store.get(&key)?.map(|bytes| records::decode::<Pending>(&key, &bytes)).transpose();
        match pending {
            Ok(pending) => Ok(pending.and_then(|pending| pending.next)),
            // Said when it is sent.
            Err(StoreError::Record { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn report(&self, report: Report) {
        // The writer outlives delivery; if it is gone, so is everything, and the delivery stays pending.
        drop(self.reports.send(report));
    }
}

impl Work {
    fn new(delivery: Arc<Delivery>) -> Self {
        let options = &delivery.options;
        let standing = delivery.standing();
        let mut work = Self {
            hand: Hand::default(),
            cursor: (i64::MIN, 0),
            tickets: HashMap::new(),
            next_ticket: 0,
            in_the_air: JoinSet::new(),
            about: HashMap::new(),
            pace: Pace::new(options.rate),
            breaker: Breaker::default(),
            health: Health::new(standing, options.disable_after),
            agreement: Agreement::default(),
            answers: false,
            aside: None,
            delivery,
        };
        work.heed_the_standing();
        work
    }

    /// Takes in what the writer, operators and receivers have said.
    fn heed_the_bell(&mut self) {
        let rung = self.delivery.bell.take();
        rung.settled.into_iter().for_each(|event| self.hand.release(event));
        for begun in rung.begun {
            self.begun(begun);
        }
        if rung.turned {
            self.health.stands(self.delivery.standing());
            self.agreement = Agreement::default();
            self.heed_the_standing();
        }
        if let Some(per_minute) = self.delivery.view.take_granted() {
            self.agreed(Ok(handshake::verified(&self.delivery.options, per_minute, Timestamp::now())));
        }
        if let Some(earliest) = rung.earliest {
            self.cursor = self.cursor.min(earliest);
        }
    }

    /// The stricter of the operator's rate and the one that the receiver has granted.
    fn heed_the_standing(&mut self) {
        let granted = self.health.standing().verified.as_ref().and_then(handshake::rate);
        self.pace.keep_to(handshake::stricter(self.delivery.options.rate, granted));
    }

    /// Begins as many attempts as may begin now. Returns when to look again at the latest.
    fn begin_what_can(&mut self) -> Instant {
        let mut wake = Instant::now() + LONGEST_SLEEP;
        let delivery = Arc::clone(&self.delivery);
        if !delivery.options.enabled || self.health.is_disabled() {
            return wake;
        }
        let now = std::time::Instant::now();
        if !handshake::has_agreed(&delivery.options, self.health.standing()) {
            match self.agreement.ask_at(now) {
                Some(at) => wake = wake.min(at.into()),
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
            return wake;
        }
        let most = if self.answers { delivery.options.concurrency } else { 1 };
        while self.in_the_air.len() + self.tickets.len() < most {
            let now = std::time::Instant::now();
            if let Some(held_until) = self.pace.held_until(now) {
                wake = wake.min(held_until.into());
                break;
            }
            let is_probe = match self.breaker.gate(now) {
                Gate::Closed => false,
                Gate::HalfOpen => true,
                Gate::Open(until) => {
                    wake = until.map_or(wake, |until| wake.min(until.into()));
                    break;
                }
            };
            match self.gather() {
                Ok((Gathered::Batch(events), _)) => self.begin(events, is_probe),
                Ok((Gathered::Waits(at), due_in)) => {
                    let waits = u64::try_from(at - Timestamp::now().as_millisecond()).unwrap_or(0);
                    let waits = Duration::from_millis(waits).min(due_in.unwrap_or(LONGEST_SLEEP));
                    wake = wake.min(Instant::now() + waits);
                    break;
                }
                Ok((Gathered::Nothing, due_in)) => {
                    wake = due_in.map_or(wake, |due_in| wake.min(Instant::now() + due_in));
                    break;
                }
                Err(error) => {
                    error!(endpoint = %delivery.options.name, %error, "the queue cannot be read; tried again");
                    wake = Instant::now() + STORE_REST;
                    break;
                }
            }
        }
        wake
    }

    /// The next batch, and where there is none how long it is until the next delivery is due.
    fn gather(&mut self) -> Result<(Gathered, Option<Duration>), StoreError> {
        let delivery = Arc::clone(&self.delivery);
        let batch = &delivery.options.batch;
        let mut due_in = None;
        if self.hand.ready() < batch.max_events {
            due_in = self.refill(batch.max_events)?;
        }
        let now = Timestamp::now().as_millisecond();
        let gathered = self.hand.gather(batch, now, |event| delivery.behind(event))?;
        Ok((gathered, due_in))
    }

    /// Takes out what is due, as far as it is not in hand already, until so many are ready or nothing more is due. Returns how
    /// long it is until the first delivery behind that is due.
    fn refill(&mut self, wanted: usize) -> Result<Option<Duration>, StoreError> {
        let (store, id) = (&*self.delivery.store, self.delivery.id);
        let page = wanted.max(IN_HAND);
        loop {
            let now = Timestamp::now().as_millisecond();
            let places = queue::due(store, id, self.cursor, now, page)?;
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
            let next = queue::first_from(store, id, self.cursor)?;
            return Ok(next.map(|(at, _)| Duration::from_millis(u64::try_from(at - now).unwrap_or(0))));
        }
    }

    /// Asks the writer to write down that a batch begins.
    fn begin(&mut self, events: Vec<EventNumber>, is_probe: bool) {
        self.pace.started(std::time::Instant::now());
        if is_probe {
            self.breaker.probes();
        }
        let (endpoint, ticket) = (self.delivery.id, self.next_ticket);
        self.next_ticket += 1;
        for part in events.chunks(BEGUN_AT_ONCE) {
            self.delivery.report(Report::Begin(Begin { endpoint, ticket, events: part.to_vec() }));
        }
        let parts = events.len().div_ceil(BEGUN_AT_ONCE);
        self.tickets.insert(ticket, Ticket { events, parts, is_probe });
    }

    /// It is written down.
    fn begun(&mut self, begun: Begun) {
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

    fn show(&self) {
        let now = std::time::Instant::now();
        let rests_until = match self.breaker.gate(now) {
            Gate::Open(Some(until)) => Timestamp::now().checked_add(until.saturating_duration_since(now)).ok(),
            _ => None,
        };
        self.delivery.view.shows(self.in_the_air.len(), rests_until);
    }

    /// Lets what has begun come to its end.
    async fn finish(&mut self) {
        while !(self.in_the_air.is_empty() && self.tickets.is_empty()) {
            let delivery = Arc::clone(&self.delivery);
            tokio::select! {
                () = delivery.bell.wait() => self.heed_the_bell(),
                Some(landed) = self.in_the_air.join_next_with_id() => self.landed(landed),
            }
        }
    }
}
