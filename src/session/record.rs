//! What is remembered of a session between its packets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::accounting::began;
use super::{Meaning, Status};
use crate::event::{Counters, Delta, EventId, Facts};

/// A session between two packets, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it began, in milliseconds since 1970.
    started_at: i64,
    /// When its last packet happened, in milliseconds since 1970.
    seen_at: i64,
    /// When its last packet arrived here, in milliseconds since 1970.
    heard_at: i64,
    /// Whether its stop was seen.
    stopped: bool,
    /// Acct-Session-Time of the last packet that had one.
    duration: Option<u64>,
    /// The counters of the last packet that had them.
    counters: Counters,
    /// Per endpoint, the last event of this session that was queued for it: what keeps their order.
    last_queued: Vec<(u32, u64)>,
    /// The `auth.accept` that let it begin.
    auth_id: Option<[u8; 16]>,
}

impl Record {
    /// The record that a packet finds: the known one, or, for a start of a session that already ended or began at
    /// another time (a session id used again) and for a session never heard of, a new one.
    pub(super) fn next(known: Option<Self>, login: Option<EventId>, meaning: &Meaning<'_>, status: Status) -> Self {
        let begins = began(meaning, status);
        let login = login.map(|id| *id.as_bytes());
        match known {
            Some(record) if status != Status::Start || !record.is_over_before(begins) => {
                Self { auth_id: record.auth_id.or(login), ..record }
            }
            // The order towards receivers goes on, though the session is another.
            known => Self {
                started_at: begins.as_millisecond(),
                seen_at: begins.as_millisecond(),
                heard_at: begins.as_millisecond(),
                stopped: false,
                duration: (status == Status::Start).then_some(0),
                counters: if status == Status::Start { ZERO } else { Counters::default() },
                last_queued: known.map(|record| record.last_queued).unwrap_or_default(),
                auth_id: login,
            },
        }
    }

    /// A start makes another session of it: after its stop, or when it begins later than this one was last heard of.
    fn is_over_before(&self, begins: Timestamp) -> bool {
        self.stopped || begins.as_millisecond() > self.seen_at
    }

    /// The record after the packet.
    pub(super) fn settled(mut self, meaning: &Meaning<'_>, status: Status, received_at: Timestamp) -> Self {
        let Facts { session_time, counters, .. } = meaning.facts;
        self.seen_at = self.seen_at.max(meaning.happened_at.as_millisecond());
        self.heard_at = received_at.as_millisecond();
        self.stopped |= status == Status::Stop;
        // A late packet's smaller figures do not take the session back.
        self.duration = self.duration.max(session_time);
        self.counters = Counters {
            input_octets: self.counters.input_octets.max(counters.input_octets),
            output_octets: self.counters.output_octets.max(counters.output_octets),
            input_packets: self.counters.input_packets.max(counters.input_packets),
            output_packets: self.counters.output_packets.max(counters.output_packets),
        };
        self
    }

    /// When the session began.
    pub fn started_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.started_at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The `auth.accept` that let it begin, if one was found.
    pub fn auth_id(&self) -> Option<EventId> {
        self.auth_id.map(EventId::from_bytes)
    }

    /// Notes that `event` of this session is queued for an endpoint, and returns the one queued before it.
    pub fn queued(&mut self, endpoint: u32, event: u64) -> Option<u64> {
        match self.last_queued.iter_mut().find(|(id, _)| *id == endpoint) {
            Some((_, last)) => Some(std::mem::replace(last, event)),
            None => {
                self.last_queued.push((endpoint, event));
                None
            }
        }
    }

    /// When it can be forgotten, unless a packet arrives before, in milliseconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.heard_at + if self.stopped { STOPPED_KEEP_MS } else { SILENT_KEEP_MS }
    }

    /// What a packet adds. A figure that was not known before, or that went backwards, adds nothing known.
    pub(super) fn delta(&self, facts: &Facts<'_>) -> Option<Delta> {
        let added = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        Some(Delta {
            duration: added(facts.session_time, self.duration),
            input_octets: added(facts.counters.input_octets, self.counters.input_octets),
            output_octets: added(facts.counters.output_octets, self.counters.output_octets),
        })
    }
}

/// How long a session is remembered after its stop, for packets that arrive late: an hour covers a NAS that empties its
/// accounting queue after an outage of its uplink in the usual way.
const STOPPED_KEEP_MS: i64 = 60 * 60 * 1000;

/// How long a session without a stop is remembered after its last packet. Interim updates come at least daily where they
/// come at all; a week bounds what stops that were never sent can leave behind.
const SILENT_KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// A session that has just begun has moved nothing, also where its start does not say so.
const ZERO: Counters =
    Counters { input_octets: Some(0), output_octets: Some(0), input_packets: Some(0), output_packets: Some(0) };
