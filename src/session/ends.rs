//! Ends that no packet tells, and what is left to do when a session is over.

use std::sync::Arc;

use super::card::{Card, WhoKey};
use super::people::{Device, Person};
use super::record::{Ended, Record, Why, hex, moment};
use super::{Context, SessionKey};
use crate::event::{Counters, Event, EventId, EventType, Fingerprint, Session, Source};

/// A session that ended, as its indexes know it.
#[derive(Debug, Clone)]
pub struct Closed {
    /// The session.
    pub key: SessionKey,
    /// Its unique id.
    pub unique: [u8; 16],
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Who and where.
    pub card: Option<Card>,
}

impl Closed {
    /// A session that ends at `at`, in milliseconds since 1970.
    pub fn of(record: &Record, key: &SessionKey, at: i64) -> Self {
        Self { key: *key, unique: record.unique(key), at, card: record.card.clone() }
    }

    /// A session that is lost. Where nobody knows when it ended, its device was there until its last packet.
    pub fn lost(record: &Record, key: &SessionKey, end: Ended) -> Self {
        let at = match end.why {
            Why::NasReboot | Why::Closed => end.at,
            Why::NoInterim | Why::Silence | Why::IdReused => record.seen_at,
        };
        Self::of(record, key, at)
    }

    /// Whose it was.
    pub fn user_key(&self) -> Option<WhoKey> {
        self.card.as_ref().and_then(Card::user_key)
    }

    /// Counts it off its user and its device.
    pub fn leave(&self, person: Option<&mut Person>, device: Option<&mut Device>) {
        if let Some(person) = person {
            person.leaves();
        }
        if let Some(device) = device {
            device.leaves(&self.unique, self.at);
        }
    }
}

/// `session.lost`: a session is over, and nobody said so.
pub fn lost<'a>(record: &'a Record, key: &SessionKey, end: Ended, context: &Context<'_>) -> Event<'a> {
    let mut event = of_record(record, key, EventType::SessionLost, end.at, context);
    if let Some(session) = &mut event.data.session {
        session.stopped_at = Some(event.timestamp);
        session.last_seen_at = Some(record.seen_at());
        session.terminate_cause = Some(end.why.name());
    }
    event
}

/// `session.revoked`, by a Disconnect-ACK that was seen.
pub fn revoked<'a>(record: &'a Record, key: &SessionKey, at: i64, context: &Context<'_>) -> Event<'a> {
    let mut event = of_record(record, key, EventType::SessionRevoked, at, context);
    if let Some(session) = &mut event.data.session {
        session.revoked = true;
    }
    event
}

/// An event of which no packet of the session tells.
fn of_record<'a>(record: &'a Record, key: &SessionKey, kind: EventType, at: i64, context: &Context<'_>) -> Event<'a> {
    // The last event is what two radhooks that heard the same have in common.
    let from = record.last_event.unwrap_or_else(|| record.unique(key));
    let id = Fingerprint::new(kind.name()).text(Some("record")).bytes(Some(&from)).id();
    let card = record.card.as_ref();
    let mut data = card.map(Card::data).unwrap_or_default();
    let Counters { input_octets, output_octets, input_packets, output_packets } = record.counters;
    data.session = Some(Session {
        id: card.map(|card| &*card.session_id).unwrap_or_default(),
        unique_id: record.unique_id(key),
        acct_unique_id: card.and_then(|card| card.acct_unique).map(|unique| hex(&unique)),
        multi_id: card.and_then(|card| card.multi_id.as_deref()),
        started_at: Some(record.started_at()),
        duration: record.duration,
        input_octets,
        output_octets,
        input_packets,
        output_packets,
        auth_id: record.auth_id(),
        ..Session::default()
    });
    let source = Source {
        name: card.map_or("radhook", |card| &card.source),
        kind: card.map_or("system", |card| &card.kind),
        client: card.map(|card| &*card.client),
        address: card.map(|card| card.address),
        received_at: moment(record.heard_at),
        node: Arc::clone(context.node),
    };
    Event { id, kind, timestamp: moment(at), source, data }
}

impl Record {
    /// The record after it was told to be lost.
    pub fn end(&mut self, end: Ended, told: EventId) {
        self.ended = Some(end);
        self.last_event = Some(*told.as_bytes());
        self.is_listed = false;
    }

    /// The record after it was told to be revoked.
    pub fn revoke(&mut self, told: EventId) {
        self.revoked = true;
        self.last_event = Some(*told.as_bytes());
    }

    /// Whether it was.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }
}
