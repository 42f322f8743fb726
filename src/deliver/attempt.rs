//! One attempt at a batch, or at a single event: events are read, rendered and sent, and what came of each is decided.
//!
//! A batch larger than a request may be goes out as several, one behind the other, and only as much of it is in memory as the
//! request under way holds. The first failure ends it; what was not sent by then goes back as it came.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use ::metrics::{Counter, Histogram, counter, histogram};
use jiff::Timestamp;
use tokio::time::Instant;

use super::client::{Answered, Sender};
use super::course::{Course, Fate, Verdict};
use super::endpoint::Delivery;
use super::options::EndpointOptions;
use super::policy::{self, Ended};
use crate::event::{EventId, Fingerprint};
use crate::metrics;
use crate::render::{RenderError, Rendered};
use crate::store::StoreError;
use crate::store::exchanges::{Exchange, Kept};
use crate::store::queue::{Outcome, Then};
use crate::store::records::{self, Attempt, EventNumber, EventRecord, Pending, shorten};

/// What an attempt came to.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Of every event of it.
    pub outcomes: Vec<Outcome>,
    /// Every request that was made.
    pub requests: Vec<Request>,
    /// Events of which no request could be made: that tells nothing of the receiver.
    pub impossible: HashSet<EventNumber>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// When, how long, and what came back.
    pub attempt: Attempt,
    /// What the answer asked for.
    pub retry_after: Option<Duration>,
    /// The same, as the policy judges it.
    pub ended: Ended,
    exchange: Option<Exchange>,
}

/// An endpoint's metrics of attempts, looked up once.
pub struct Meters {
    /// In the order of [`Meters::RESULTS`].
    results: [Counter; 6],
    seconds: Histogram,
}

impl Meters {
    const RESULTS: [&str; 6] = ["2xx", "3xx", "4xx", "5xx", "other", "no_answer"];

    /// Those of an endpoint.
    pub fn of(endpoint: &str) -> Self {
        let result =
            |result| counter!(metrics::DELIVERY_ATTEMPTS, "endpoint" => endpoint.to_owned(), "result" => result);
        let seconds = histogram!(metrics::DELIVERY_SECONDS, "endpoint" => endpoint.to_owned());
        Self { results: Self::RESULTS.map(result), seconds }
    }
}

/// An event that is to be sent.
struct Loaded {
    event: EventNumber,
    id: EventId,
    pending: Pending,
    json: Vec<u8>,
}

impl Delivery {
    /// Sends these events, in this order, by one of the endpoint's clients.
    pub(super) async fn attempt(&self, events: Vec<EventNumber>, sender: &Sender) -> Made {
        let mut made = Made::default();
        let mut rest = VecDeque::from(events);
        // The same for all: what failed together comes back together.
        let dice = rand::random();
        while !rest.is_empty() {
            let loaded = self.load(&mut rest, &mut made, dice);
            if !loaded.is_empty() && !self.send(sender, loaded, &mut made, dice).await {
                break;
            }
        }
        let at = Timestamp::now().as_millisecond();
        made.outcomes.extend(rest.into_iter().map(|event| Outcome::unsent(self.id, event, at)));
        made
    }

    /// Reads as many events as one request may hold. Those that cannot be sent have their outcome already.
    fn load(&self, rest: &mut VecDeque<EventNumber>, made: &mut Made, dice: f64) -> Vec<Loaded> {
        let (mut loaded, mut bytes) = (Vec::new(), 0);
        while let Some(event) = rest.pop_front() {
            let now = Timestamp::now();
            let fit = self.read(event).map_err(|error| match error {
                error @ StoreError::Record { .. } => Ended::Impossible(error.to_string()),
                error => Ended::Failed(error.to_string()),
            });
            let retry = &self.options.retry;
            let fit = fit.and_then(|one| match policy::is_too_old(one.pending.queued_at, retry, now) {
                false => Ok(one),
                true => Err(Ended::Impossible("it is older than `retry.max_age`".to_owned())),
            });
            match fit {
                Ok(one) if !loaded.is_empty() && bytes + one.json.len() > self.options.batch.max_bytes => {
                    rest.push_front(event);
                    break;
                }
                Ok(one) => {
                    bytes += one.json.len();
                    loaded.push(one);
                }
                Err(ended) => {
                    if matches!(ended, Ended::Impossible(_)) {
                        made.impossible.insert(event);
                    }
                    let then = policy::decide(&ended, retry, policy::Age::FRESH, dice, now);
                    let attempt = Attempt { at: now.as_millisecond(), took_ms: 0, status: None, error: words(&ended) };
                    made.outcomes.push(Outcome { endpoint: self.id, event, attempt, then, exchange: None });
                }
            }
        }
        loaded
    }

    fn read(&self, event: EventNumber) -> Result<Loaded, StoreError> {
        let missing = |key: &[u8]| StoreError::Record { key: key.into(), what: "is missing".to_owned() };
        let pending_key = records::pending(self.id, event);
        let pending = self.store.get(&pending_key)?.ok_or_else(|| missing(&pending_key))?;
        let event_key = records::event(event);
        let record = self.store.get(&event_key)?.ok_or_else(|| missing(&event_key))?;
        let EventRecord { head, json } = EventRecord::decode(&event_key, &record)?;
        Ok(Loaded { event, id: head.id, pending: records::decode(&pending_key, &pending)?, json })
    }

    /// Sends what was read, in parts where the receiver wants it so. Says whether the receiver can be sent more.
    async fn send(&self, sender: &Sender, mut loaded: Vec<Loaded>, made: &mut Made, dice: f64) -> bool {
        if let Some(directory) = &self.directory {
            directory.join(loaded.iter_mut().map(|one| &mut one.json)).await;
        }
        let mut course = Course::new(loaded.len());
        let before = made.requests.len();
        while let Some(part) = course.next() {
            let request = self.request(sender, &mut loaded[part]).await;
            course.landed(match &request.ended {
                // What cannot be rendered together can perhaps be rendered in parts.
                Ended::Impossible(_) => Verdict::Refused,
                Ended::Answered { status, .. } => Verdict::of(Some(*status)),
                Ended::Failed(_) => Verdict::Failed,
            });
            made.requests.push(request);
        }
        let now = Timestamp::now();
        let Made { outcomes, requests, impossible } = made;
        let requests = &mut requests[before..];
        let mut first_of: Vec<Option<EventNumber>> = vec![None; requests.len()];
        let mut goes_on = true;
        for (one, (fate, by)) in loaded.iter().zip(course.fates()) {
            let request = &mut requests[by];
            if matches!(request.ended, Ended::Impossible(_)) {
                impossible.insert(one.event);
            }
            let then = match fate {
                Fate::Taken => Then::Delivered,
                Fate::Poison => Then::Dead,
                Fate::Failed => {
                    goes_on = false;
                    let age = policy::Age { made: one.pending.attempts.count + 1, queued_at: one.pending.queued_at };
                    policy::decide(&request.ended, &self.options.retry, age, dice, now)
                }
            };
            let exchange = match first_of[by] {
                Some(first) => self.options.log_bodies.then_some(Kept::With(first)),
                None => request.exchange.take().map(Kept::Whole),
            };
            first_of[by].get_or_insert(one.event);
            let attempt = request.attempt.clone();
            outcomes.push(Outcome { endpoint: self.id, event: one.event, attempt, then, exchange });
        }
        goes_on
    }

    async fn request(&self, sender: &Sender, part: &mut [Loaded]) -> Request {
        let (started, now) = (Instant::now(), Timestamp::now());
        let (ended, exchange) = match self.render(part) {
            Ok((id, rendered)) => {
                let Answered { ended, exchange } = sender.attempt(&self.options, &id, rendered, now).await;
                (ended, exchange)
            }
            Err(error) => (Ended::Impossible(error.to_string()), None),
        };
        let (status, retry_after) = match &ended {
            Ended::Answered { status, retry_after } => (Some(*status), *retry_after),
            Ended::Failed(_) | Ended::Impossible(_) => (None, None),
        };
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let attempt = Attempt { at: now.as_millisecond(), took_ms, status, error: words(&ended) };
        self.count(&attempt);
        Request { attempt, retry_after, ended, exchange }
    }

    /// The request's id and what it holds.
    fn render(&self, part: &mut [Loaded]) -> Result<(String, Rendered), RenderError> {
        match part {
            [one] => alone(&self.options, one.id, std::mem::take(&mut one.json)),
            _ => batch(&self.options, part.iter().map(|one| (one.id, one.json.as_slice()))),
        }
    }

    fn count(&self, attempt: &Attempt) {
        let result = match attempt.status {
            Some(200..300) => 0,
            Some(300..400) => 1,
            Some(400..500) => 2,
            Some(500..600) => 3,
            Some(_) => 4,
            None => 5,
        };
        self.meters.results[result].increment(1);
        self.meters.seconds.record(f64::from(attempt.took_ms) / 1_000.0);
    }
}

/// One event as a request: by itself, or, where events come in batches, as a batch of one.
pub(super) fn alone(options: &EndpointOptions, id: EventId, json: Vec<u8>) -> Result<(String, Rendered), RenderError> {
    match options.batch.is_single() {
        true => Ok((id.to_string(), options.templates.one(options.format, json)?)),
        false => batch(options, [(id, json.as_slice())].into_iter()),
    }
}

/// A batch has the same id as often as it is the same batch.
fn batch<'e>(
    options: &EndpointOptions,
    events: impl Iterator<Item = (EventId, &'e [u8])> + Clone,
) -> Result<(String, Rendered), RenderError> {
    let print = events.clone().fold(Fingerprint::new("batch"), |print, (id, _)| print.bytes(Some(id.as_bytes())));
    let events: Vec<&[u8]> = events.map(|(_, json)| json).collect();
    Ok((print.id().to_string(), options.templates.many(options.format, &events)?))
}

/// Why there was no answer.
fn words(ended: &Ended) -> Option<String> {
    match ended {
        Ended::Answered { .. } => None,
        Ended::Failed(reason) | Ended::Impossible(reason) => Some(shorten(reason)),
    }
}
