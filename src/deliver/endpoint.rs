//! One endpoint's delivery: takes what is due out of its queue, keeps no more than its concurrency in the air, and hands
//! every outcome to the writer.
//!
//! Only places and numbers are held in memory, never a backlog. An attempt begins when the writer has written down that it
//! does, so that one that a crash cut off is seen afterwards: because it was asked to, or, where delivery is caught up and has
//! offered room, in the batch that queues the event. A delivery is held back from the moment it is taken out until the
//! writer says that its outcome is in the store, so that it is never sent twice at once. A stop leaves what was not finished
//! pending, with its due time.

mod begin;
mod landing;

use std::collections::{HashMap, VecDeque};
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
use super::hand::Hand;
use super::handshake::{self, Agreement};
use super::health::Health;
use super::options::EndpointOptions;
use super::pace::Pace;
use super::view::View;
use crate::directory::Directory;
use crate::store::bell::Bell;
use crate::store::queue::Place;
use crate::store::records::{self, EndpointId, EventNumber, Pending};
use crate::store::standing::{self, Report, Standing, Verified};
use crate::store::{Store, StoreError};

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
    /// Nothing else is due before then, unless the bell says so.
    quiet_until: Option<Instant>,
    tickets: HashMap<u64, Ticket>,
    next_ticket: u64,
    /// Their attempts have begun by what is stored, in the room that was offered.
    at_once: VecDeque<EventNumber>,
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
            quiet_until: None,
            tickets: HashMap::new(),
            next_ticket: 0,
            at_once: VecDeque::new(),
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
        self.hold_back(rung.settled, rung.claimed);
        self.at_once.extend(rung.at_once);
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
            self.quiet_until = None;
        }
    }

    fn hold_back(&mut self, released: Vec<EventNumber>, held: Vec<EventNumber>) {
        released.into_iter().for_each(|event| self.hand.release(event));
        held.into_iter().for_each(|event| self.hand.hold(event));
    }

    /// The stricter of the operator's rate and the one that the receiver has granted.
    fn heed_the_standing(&mut self) {
        let granted = self.health.standing().verified.as_ref().and_then(handshake::rate);
        self.pace.keep_to(handshake::stricter(self.delivery.options.rate, granted));
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
        let delivery = Arc::clone(&self.delivery);
        delivery.bell.offer(0);
        self.put_back();
        while !(self.in_the_air.is_empty() && self.tickets.is_empty()) || delivery.bell.is_claimed() {
            tokio::select! {
                () = delivery.bell.wait() => {
                    self.heed_the_bell();
                    self.put_back();
                }
                Some(landed) = self.in_the_air.join_next_with_id() => self.landed(landed),
            }
        }
    }
}
