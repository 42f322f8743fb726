//! One endpoint's delivery: takes what is due out of its queue, keeps no more than its concurrency in the air, and hands
//! every outcome to the writer.
//!
//! Only places and numbers are held in memory, at most `IN_HAND` of them, never a backlog. A delivery is held back from
//! the moment it is taken out until the writer says that its outcome is in the store, so that it is never sent twice at
//! once. A stop leaves what was not finished pending, with its due time.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::metrics::{counter, histogram};
use crossbeam_channel::Sender as Channel;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, warn};

use super::client::Sender;
use super::health::{Health, Turned};
use super::options::EndpointOptions;
use super::pace::{Pace, Sign};
use super::policy::{self, Ended};
use super::view::View;
use crate::event::EventType;
use crate::metrics;
use crate::store::bell::Bell;
use crate::store::queue::{self, Outcome, Place, Then};
use crate::store::records::{self, Attempt, EndpointId, EventNumber, EventRecord, Pending, shorten};
use crate::store::standing::{self, Report, Standing, Turn};
use crate::store::{Store, StoreError};

/// How many deliveries are taken out of the queue at once.
const IN_HAND: usize = 256;

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
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Rung by the writer.
    pub bell: Arc<Bell>,
    /// To the writer.
    pub reports: Channel<Report>,
    /// What operators see.
    pub view: Arc<View>,
    /// The endpoint's HTTP client.
    pub sender: Sender,
}

/// What is taken out of the queue and not settled yet.
#[derive(Default)]
struct Hand {
    /// To be sent next.
    ready: VecDeque<EventNumber>,
    /// Ready, in the air, or waiting for their outcome to be written down.
    held: HashSet<EventNumber>,
}

impl Delivery {
    /// Delivers until `stop` becomes true, then lets what is in the air finish for at most `grace`.
    pub async fn run(self, mut stop: watch::Receiver<bool>, grace: Duration) {
        let delivery = Arc::new(self);
        let mut hand = Hand::default();
        let mut cursor: Place = (i64::MIN, 0);
        let mut in_the_air: JoinSet<Outcome> = JoinSet::new();
        let mut pace = Pace::new(delivery.options.rate);
        let mut health = Health::new(delivery.standing(), delivery.options.disable_after);
        loop {
            let rung = delivery.bell.take();
            rung.settled.iter().for_each(|event| {
                hand.held.remove(event);
            });
            if rung.turned {
                health.stands(delivery.standing());
            }
            if let Some(earliest) = rung.earliest {
                cursor = cursor.min(earliest);
            }
            let mut wake = Instant::now() + LONGEST_SLEEP;
            let may_be_tried = delivery.options.enabled && !health.is_disabled();
            while may_be_tried && in_the_air.len() < delivery.options.concurrency {
                if let Some(held_until) = pace.held_until(std::time::Instant::now()) {
                    wake = wake.min(held_until.into());
                    break;
                }
                if hand.ready.is_empty() {
                    match delivery.refill(&mut hand, &mut cursor) {
                        Ok(Some(due_in)) if hand.ready.is_empty() => wake = wake.min(Instant::now() + due_in),
                        Ok(_) => {}
                        Err(error) => {
                            error!(endpoint = %delivery.options.name, %error, "the queue cannot be read; tried again");
                            wake = Instant::now() + STORE_REST;
                        }
                    }
                }
                let Some(event) = hand.ready.pop_front() else { break };
                pace.started(std::time::Instant::now());
                let delivery = Arc::clone(&delivery);
                in_the_air.spawn(async move { delivery.attempt(event).await });
            }
            delivery.view.in_the_air(in_the_air.len());
            tokio::select! {
                _ = stop.changed() => break,
                () = delivery.bell.wait() => {}
                Some(landed) = in_the_air.join_next() => delivery.landed(landed, &mut pace, &mut health),
                () = sleep_until(wake) => {}
            }
        }
        let drain = async {
            while let Some(landed) = in_the_air.join_next().await {
                delivery.landed(landed, &mut pace, &mut health);
            }
        };
        if timeout(grace, drain).await.is_err() {
            warn!(endpoint = %delivery.options.name, "requests still under way at the stop will be made again");
        }
    }

    /// Takes out what is due, as far as it is not in hand already. Returns how long it is until the first delivery
    /// behind that is due.
    fn refill(&self, hand: &mut Hand, cursor: &mut Place) -> Result<Option<Duration>, StoreError> {
        loop {
            let now = Timestamp::now().as_millisecond();
            let places = queue::due(&*self.store, self.id, *cursor, now, IN_HAND)?;
            if let Some((at, event)) = places.last() {
                *cursor = (*at, event.saturating_add(1));
            }
            let full = places.len() == IN_HAND;
            hand.ready.extend(places.into_iter().map(|(_, event)| event).filter(|event| hand.held.insert(*event)));
            // A whole page may have been in hand already.
            if hand.ready.is_empty() && full {
                continue;
            }
            if !hand.ready.is_empty() {
                return Ok(None);
            }
            let next = queue::first_from(&*self.store, self.id, *cursor)?;
            return Ok(next.map(|(at, _)| Duration::from_millis(u64::try_from(at - now).unwrap_or(0))));
        }
    }

    async fn attempt(&self, event: EventNumber) -> Outcome {
        let started = Instant::now();
        let now = Timestamp::now();
        let (made, ended) = match self.load(event) {
            Ok((pending, record)) => {
                let id = record.head.id.to_string();
                let ended = match self.options.format.one(record.json) {
                    Ok(rendered) => self.sender.attempt(&self.options, &id, rendered, now).await,
                    Err(error) => Ended::Impossible(error.to_string()),
                };
                (pending.attempts.count + 1, ended)
            }
            Err(error @ StoreError::Record { .. }) => (u32::MAX, Ended::Impossible(error.to_string())),
            Err(error) => (1, Ended::Failed(error.to_string())),
        };
        let landed = Timestamp::now();
        let then = policy::decide(&ended, &self.options.retry, made, rand::random(), landed);
        let (status, error) = match ended {
            Ended::Answered { status, .. } => (Some(status), None),
            Ended::Failed(reason) | Ended::Impossible(reason) => (None, Some(shorten(&reason))),
        };
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let attempt = Attempt { at: now.as_millisecond(), took_ms, status, error };
        self.count(&attempt);
        self.view.attempted(&self.options.name, &attempt, then, landed);
        Outcome { endpoint: self.id, event, attempt, then }
    }

    fn count(&self, attempt: &Attempt) {
        let result = match attempt.status {
            Some(200..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..600) => "5xx",
            Some(_) => "other",
            None => "no_answer",
        };
        let endpoint = || self.options.name.to_string();
        counter!(metrics::DELIVERY_ATTEMPTS, "endpoint" => endpoint(), "result" => result).increment(1);
        let seconds = f64::from(attempt.took_ms) / 1e3;
        histogram!(metrics::DELIVERY_SECONDS, "endpoint" => endpoint()).record(seconds);
    }

    fn load(&self, event: EventNumber) -> Result<(Pending, EventRecord), StoreError> {
        let missing = |key: &[u8]| StoreError::Record { key: key.to_vec(), what: "is missing".to_owned() };
        let pending_key = records::pending(self.id, event);
        let pending = self.store.get(&pending_key)?.ok_or_else(|| missing(&pending_key))?;
        let event_key = records::event(event);
        let record = self.store.get(&event_key)?.ok_or_else(|| missing(&event_key))?;
        Ok((records::decode(&pending_key, &pending)?, EventRecord::decode(&event_key, &record)?))
    }

    /// How the endpoint stands by the store. One that cannot be read is tried: not to try would lose nothing, but look
    /// like an outage of ours.
    fn standing(&self) -> Standing {
        standing::read(&*self.store, self.id).unwrap_or_else(|error| {
            error!(endpoint = %self.options.name, %error, "how it stands cannot be read; it is tried");
            Standing::default()
        })
    }

    fn landed(&self, landed: Result<Outcome, tokio::task::JoinError>, pace: &mut Pace, health: &mut Health) {
        match landed {
            Ok(outcome) => {
                let Attempt { status, error, at, took_ms } = &outcome.attempt;
                pace.landed(Sign::of(*status));
                let (delivered, at) = (outcome.then == Then::Delivered, at.saturating_add((*took_ms).into()));
                let turned = health.landed(delivered, *status, error.as_deref(), at);
                // The writer outlives delivery; if it is gone, so is everything, and the delivery stays pending.
                drop(self.reports.send(Report::Outcome(outcome)));
                if let Some(Turned { told, reason }) = turned {
                    if told == Some(EventType::EndpointDisabled) {
                        error!(endpoint = %self.options.name, reason, "disabled: its events wait for `radhook endpoints enable`");
                    }
                    let standing = health.standing().clone();
                    drop(self.reports.send(Report::Turn(Turn { endpoint: self.id, standing, told, reason, at })));
                }
            }
            Err(error) => error!(endpoint = %self.options.name, %error, "an attempt was cut off; it stays pending"),
        }
    }
}
