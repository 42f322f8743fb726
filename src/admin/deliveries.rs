//! `GET /api/v1/deliveries`: deliveries by endpoint, state, type and time, in pages; one whole; and sending again.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Admin;
use super::exchange::Exchange;
#[cfg(doc)]
use super::selection::PAGE;
use super::selection::{Making, Meant};
use crate::event::{EventId, EventType};
use crate::intake::Command;
use crate::store::records::{self, Attempts, EndpointId, EventNumber, EventRecord, Pending, Settled};
use crate::store::{Key, Store, StoreError, exchanges};

/// How many deliveries are revived in one commit.
const REVIVED_AT_ONCE: usize = 1_000;

/// A delivery's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waiting, under way, or to be tried again.
    Pending,
    /// Taken by the receiver.
    Delivered,
    /// Given up, kept as a dead letter.
    Dead,
}

impl State {
    pub(super) const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::Dead];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    pub(super) fn key(self, endpoint: EndpointId, event: EventNumber) -> Key {
        match self {
            Self::Pending => records::pending(endpoint, event),
            Self::Delivered => records::done(endpoint, event),
            Self::Dead => records::dead(endpoint, event),
        }
    }
}

/// Which deliveries are meant. Absent parts do not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Only this endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Only in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only of these events.
    #[serde(flatten)]
    pub meant: Meant,
    /// How many a page holds at most; [`PAGE`] unless smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the last page ended: its `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Some deliveries, and where to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The deliveries, by endpoint, state and arrival of their events.
    pub deliveries: Vec<Delivery>,
    /// Given back as `after`, gets the next page; absent at the end. A page may be empty and yet have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One delivery of one event to one endpoint.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// The event's id.
    pub id: EventId,
    /// The event's number in the store.
    #[serde(skip)]
    number: EventNumber,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The endpoint's name.
    pub endpoint: String,
    /// Its state.
    pub state: State,
    /// When the event arrived.
    pub received_at: Timestamp,
    /// When it was queued, or last brought back.
    pub queued_at: Timestamp,
    /// When the next attempt is due; absent while it waits for an earlier event of its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// An earlier event of its session is still pending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// How many attempts were made.
    pub attempts: u32,
    /// The last attempts, oldest first.
    pub last_attempts: Vec<Attempt>,
    /// An attempt began then and its end is not written down: it is under way, or was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// The last request and answer word for word; only where one delivery is asked for, and where `log_bodies` keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Exchange>,
    /// The event itself; only where one delivery is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Box<RawValue>>,
}

/// One attempt.
#[derive(Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The receiver's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is to be sent again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Retry {
    /// Only counts, and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Which deliveries.
    #[serde(flatten)]
    pub selection: Selection,
}

/// What sending again came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Revived {
    /// How many deliveries are sent again, or would be.
    pub retried: usize,
    /// How many of each endpoint and state.
    pub counts: Vec<Count>,
    /// Given back as `after`, goes on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How many deliveries of an endpoint in a state are sent again, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The endpoint's name.
    pub endpoint: String,
    /// The state they were in.
    pub state: State,
    /// How many.
    pub count: usize,
}

impl Revived {
    /// Adds some of an endpoint and state.
    pub fn add(&mut self, endpoint: &str, state: State, count: usize) {
        self.retried += count;
        match self.counts.iter_mut().find(|known| known.endpoint == endpoint && known.state == state) {
            Some(known) => known.count += count,
            None if count > 0 => self.counts.push(Count { endpoint: endpoint.to_owned(), state, count }),
            None => {}
        }
    }
}

/// A delivery as it stands in the table.
struct Entry<'a> {
    endpoint: &'a str,
    id: EndpointId,
    state: State,
    event: EventNumber,
    key: &'a [u8],
    bytes: &'a [u8],
}

/// Where a page ended.
struct Cursor {
    endpoint: EndpointId,
    state: usize,
    event: EventNumber,
}

/// An `after` that no page has given.
#[derive(Debug, thiserror::Error)]
#[error("`after` is not the `next` of a page: {0:?}")]
pub struct BadCursor(String);

impl BadCursor {
    /// Of this text.
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let bad = || BadCursor(text.to_owned());
        let mut parts = text.split('.').map(str::parse::<u64>);
        let mut part = || parts.next().and_then(Result::ok).ok_or_else(bad);
        let (endpoint, state, event) = (part()?, part()?, part()?);
        Ok(Self {
            endpoint: endpoint.try_into().map_err(|_| bad())?,
            state: state.try_into().map_err(|_| bad())?,
            event,
        })
    }
}

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The caller's mistake.
    #[error(transparent)]
    Cursor(#[from] BadCursor),
    /// No endpoint of this name was ever configured.
    #[error("there is no endpoint {0:?}")]
    NoEndpoint(String),
    /// There is no event of this id, or it has left the history.
    #[error("there is no event {0}: it may have left the history")]
    NoEvent(EventId),
    /// An endpoint that is still configured is not forgotten.
    #[error("{0:?} is configured: remove it from the config first, and reload")]
    Configured(String),
    /// Something else that the caller cannot mean.
    #[error("{0}")]
    Wrong(String),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon is stopping.
    #[error("radhook is stopping")]
    Stopping,
}

impl Admin {
    /// One page of the deliveries that are meant.
    pub fn deliveries(&self, selection: &Selection, whole: bool) -> Result<Page, ListError> {
        let from = selection.after.as_deref().map(Cursor::from_str).transpose()?;
        let (lowest, highest) = self.numbers(&selection.meant)?;
        let known = crate::store::queue::endpoints(&*self.store)?;
        let mut endpoints: Vec<(EndpointId, String)> = known
            .into_iter()
            .filter(|(name, _)| selection.endpoint.as_ref().is_none_or(|wanted| wanted == name))
            .map(|(name, record)| (record.id, name))
            .collect();
        if let (Some(wanted), true) = (&selection.endpoint, endpoints.is_empty()) {
            return Err(ListError::NoEndpoint(wanted.clone()));
        }
        endpoints.sort_unstable();
        let mut page = Making::new(selection.limit);
        for (endpoint, name) in &endpoints {
            for (place, state) in State::ALL.into_iter().enumerate() {
                if selection.state.is_some_and(|wanted| wanted != state) {
                    continue;
                }
                let first = match &from {
                    Some(cursor) if (*endpoint, place) < (cursor.endpoint, cursor.state) => continue,
                    Some(cursor) if (*endpoint, place) == (cursor.endpoint, cursor.state) => cursor.event,
                    _ => 0,
                };
                let (first, end) = (first.max(lowest), highest.saturating_add(1));
                if first >= end {
                    continue;
                }
                let (from, to) = (state.key(*endpoint, first), state.key(*endpoint, end));
                for (key, bytes) in self.store.range(&from, &to, page.room())? {
                    let Some(event) = records::read_event_of(&key) else { continue };
                    let entry = Entry { endpoint: name, id: *endpoint, state, event, key: &key, bytes: &bytes };
                    if page.look(self.delivery(selection, &entry, whole)?) {
                        let next = Some(format!("{endpoint}.{place}.{}", event + 1));
                        return Ok(Page { deliveries: page.found, next });
                    }
                }
            }
        }
        Ok(Page { deliveries: page.found, next: None })
    }

    /// Sends one page of the deliveries that are meant again: dead letters, and pending ones before their time.
    pub fn retry(&self, wanted: &Retry) -> Result<Revived, ListError> {
        let limit = Some(wanted.selection.limit.unwrap_or(REVIVED_AT_ONCE).min(REVIVED_AT_ONCE));
        let page = self.deliveries(&Selection { limit, ..wanted.selection.clone() }, false)?;
        let mut revived = Revived { next: page.next, ..Revived::default() };
        let alike = |one: &Delivery, other: &Delivery| one.endpoint == other.endpoint && one.state == other.state;
        for group in page.deliveries.chunk_by(alike) {
            let Delivery { endpoint, state, .. } = &group[0];
            let count = match (state, wanted.dry_run) {
                (State::Delivered, _) => 0,
                (_, true) => group.len(),
                (_, false) => self.revive(endpoint, group.iter().map(|delivery| delivery.number).collect())?,
            };
            revived.add(endpoint, *state, count);
        }
        Ok(revived)
    }

    fn revive(&self, endpoint: &str, events: Vec<EventNumber>) -> Result<usize, ListError> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let command = Command::Revive { endpoint: endpoint.into(), events, answer };
        self.intake.commands.send(command).map_err(|_| ListError::Stopping)?;
        Ok(answered.recv().map_err(|_| ListError::Stopping)??)
    }
}

impl Admin {
    /// A delivery, if it is one of those that are meant.
    fn delivery(&self, selection: &Selection, entry: &Entry<'_>, whole: bool) -> Result<Option<Delivery>, StoreError> {
        let &Entry { endpoint, id, state, event: number, key, bytes } = entry;
        let event_key = records::event(number);
        let Some(record) = self.store.get(&event_key)? else { return Ok(None) };
        let EventRecord { head, json } = EventRecord::decode(&event_key, &record)?;
        if !selection.meant.holds(&head, &json) {
            return Ok(None);
        }
        let (pending, settled_at) = if state == State::Pending {
            (records::decode::<Pending>(key, bytes)?, None)
        } else {
            let Settled { queued_at, settled_at, attempts } = records::decode(key, bytes)?;
            (Pending { attempts, ..Pending::due(queued_at) }, Some(settled_at))
        };
        let Pending { queued_at, due, waits, attempts, begun, .. } = pending;
        let due = (settled_at.is_none() && !waits).then_some(due);
        let exchange = match whole {
            true => exchanges::read(&*self.store, id, number)?.map(Exchange::from),
            false => None,
        };
        let event =
            if whole { String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok()) } else { None };
        Ok(Some(Delivery {
            id: head.id,
            number,
            kind: head.kind,
            endpoint: endpoint.to_owned(),
            state,
            received_at: time(head.received_at),
            queued_at: time(queued_at),
            due: due.map(time),
            waits,
            settled_at: settled_at.map(time),
            attempts: attempts.count,
            last_attempts: shown(attempts),
            begun: begun.map(time),
            exchange,
            event,
        }))
    }
}

fn shown(attempts: Attempts) -> Vec<Attempt> {
    let shown = attempts.last.into_iter().map(|attempt| Attempt {
        at: time(attempt.at),
        took_ms: attempt.took_ms,
        status: attempt.status,
        error: attempt.error,
    });
    shown.collect()
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
