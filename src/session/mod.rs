//! Sessions: accounting packets in, the session's story out, as pure functions. No clock, no store: what is known of a
//! session comes in as a [`Record`] and goes out as one.
//!
//! A session's record is made by its first packet, changed by every further one, and forgotten some time after its end;
//! `intake` keeps it in the store. Two questions are answered here: is this packet a repeat of one already told
//! ([`repeat`]), and which event does it make ([`observe`]).

pub mod record;
pub mod repeat;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::event::station::Mac;
use crate::event::{Counters, Data, Delta, Event, EventId, EventType, Facts, Fingerprint, Session, Source};
use crate::exchange::Exchange;
pub use record::Record;

/// What Acct-Status-Type asks for (RFC 2866 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 1.
    Start,
    /// 2.
    Stop,
    /// 3.
    Interim,
    /// 7: the NAS (re)started accounting; its sessions are gone.
    On,
    /// 8: the NAS is about to stop.
    Off,
}

impl Status {
    /// The statuses that make events; the tunnel statuses of RFC 2867 and Failed do not.
    pub fn of(facts: &Facts<'_>) -> Option<Self> {
        Some(match facts.status_type? {
            1 => Self::Start,
            2 => Self::Stop,
            3 => Self::Interim,
            7 => Self::On,
            8 => Self::Off,
            _ => return None,
        })
    }

    fn event(self) -> EventType {
        match self {
            Self::Start => EventType::SessionStart,
            Self::Stop => EventType::SessionStop,
            Self::Interim => EventType::SessionUpdate,
            Self::On => EventType::NasOn,
            Self::Off => EventType::NasOff,
        }
    }
}

/// An accounting packet that means something: a status and, for the session statuses, the session it belongs to.
#[derive(Debug, Clone)]
pub struct Meaning<'a> {
    /// What it reports.
    pub status: Status,
    /// The session's key; `None` for Accounting-On and -Off.
    pub session: Option<SessionKey>,
    /// The packet's facts.
    pub facts: Facts<'a>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// The fact's fingerprint, the same by every path and for every retransmission.
    fingerprint: Fingerprint,
}

/// Identifies a session among all sessions of all NASes for as long as its record lives.
pub type SessionKey = [u8; 16];

/// Why an accounting packet makes no event. It is acknowledged all the same: it will not get better by being repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaningless {
    /// No Acct-Status-Type, or one that makes no event.
    Status,
    /// A session status without Acct-Session-Id, which RFC 2866 §5.5 demands.
    SessionId,
}

impl<'a> Meaning<'a> {
    /// Reads the meaning out of an exchange.
    pub fn read(exchange: &'a Exchange) -> Result<Self, Meaningless> {
        let facts = Facts::read(&exchange.request, exchange.swap_octets);
        let status = Status::of(&facts).ok_or(Meaningless::Status)?;
        let session = match status {
            Status::On | Status::Off => None,
            _ => Some(session_key(&facts, exchange.origin.address).ok_or(Meaningless::SessionId)?),
        };
        let happened_at = facts.happened_at(exchange.received_at);
        let fingerprint = fingerprint(status, session, &facts, exchange);
        Ok(Self { status, session, facts, happened_at, fingerprint })
    }

    /// What repeats of this fact are found by, whatever occurrence they are: the id of the first.
    pub fn base(&self) -> [u8; 16] {
        *self.id(0).as_bytes()
    }

    /// The id of the fact's `occurrence`, counted from 0 (see [`repeat`]).
    pub fn id(&self, occurrence: u32) -> EventId {
        match occurrence {
            0 => self.fingerprint.clone().id(),
            later => self.fingerprint.clone().number(Some(u64::from(later))).id(),
        }
    }

    /// Whether the packet itself says when it happened, so that equal packets are equal facts however far apart.
    pub fn is_dated(&self, received_at: Timestamp) -> bool {
        self.facts.believable_event_timestamp(received_at).is_some()
    }
}

/// Who the NAS is: NAS-Identifier, else its address in the packet, else where the packet came from. NAS-IP-Address is
/// not mixed in beside an identifier, since FreeRADIUS adds it to what it forwards.
fn nas(fingerprint: Fingerprint, facts: &Facts<'_>, address: IpAddr) -> Fingerprint {
    match facts.nas_identifier {
        Some(identifier) => fingerprint.text(Some(identifier)),
        None => fingerprint.text(Some(&facts.nas_ip.unwrap_or(address).to_canonical().to_string())),
    }
}

/// NAS and Acct-Session-Id, and the device, since factory-set NAS-Identifiers and counted session ids are both common.
fn session_key(facts: &Facts<'_>, address: IpAddr) -> Option<SessionKey> {
    let session_id = facts.session_id.filter(|id| !id.is_empty())?;
    let device = facts.calling_station_id.map(|id| Mac::parse(id).map_or_else(|| id.to_owned(), |mac| mac.to_string()));
    let fingerprint = nas(Fingerprint::new("session"), facts, address);
    Some(fingerprint.text(Some(session_id)).text(device.as_deref()).finish())
}

/// A fact is told apart by what the NAS meant by it, never by what changes on its way: packet identifier, authenticator,
/// Proxy-State, Acct-Delay-Time, and attributes that a proxy may add.
fn fingerprint(status: Status, session: Option<SessionKey>, facts: &Facts<'_>, exchange: &Exchange) -> Fingerprint {
    let Counters { input_octets, output_octets, input_packets, output_packets } = facts.counters;
    let of_session = |print: Fingerprint| match session {
        Some(key) => print.bytes(Some(&key)).text(facts.user_name).text(facts.multi_session_id),
        None => nas(print, facts, exchange.origin.address).text(facts.session_id),
    };
    of_session(Fingerprint::new(status.event().name()))
        .number(facts.event_timestamp)
        .number(facts.session_time)
        .number(input_octets)
        .number(output_octets)
        .number(input_packets)
        .number(output_packets)
        .text(facts.terminate_cause.as_deref())
}

/// What one packet does: the session's new record, if it belongs to a session, and the event.
#[derive(Debug)]
pub struct Step<'a> {
    /// The session as it now is.
    pub record: Option<Record>,
    /// What happened.
    pub event: Event<'a>,
}

/// Tells the story of one packet on. `known` is the session's record so far; `id` comes from [`Meaning::id`].
pub fn observe<'a>(
    exchange: &'a Exchange,
    meaning: &'a Meaning<'a>,
    known: Option<Record>,
    id: EventId,
    node: &Arc<str>,
) -> Step<'a> {
    let facts = &meaning.facts;
    let mut data = Data::new(facts, &exchange.request);
    let record = meaning.session.map(|key| {
        let record = Record::next(known, meaning);
        data.session = Some(story(&record, &key, meaning));
        record
    });
    let event = Event {
        id,
        kind: meaning.status.event(),
        timestamp: meaning.happened_at,
        source: source(exchange, node),
        data,
    };
    Step { record: record.map(|record| record.settled(meaning, exchange.received_at)), event }
}

/// How radhook learned of it.
fn source<'a>(exchange: &'a Exchange, node: &Arc<str>) -> Source<'a> {
    Source {
        name: &exchange.origin.source,
        kind: exchange.origin.kind,
        client: &exchange.origin.client,
        address: exchange.origin.address.to_canonical(),
        received_at: exchange.received_at,
        node: Arc::clone(node),
    }
}

/// `data.session`, from the record before this packet's counters replace the last ones.
fn story<'a>(record: &Record, key: &SessionKey, meaning: &'a Meaning<'a>) -> Session<'a> {
    let facts = &meaning.facts;
    let Counters { input_octets, output_octets, input_packets, output_packets } = facts.counters;
    let started_at = record.started_at();
    Session {
        id: facts.session_id.unwrap_or_default(),
        unique_id: unique_id(key, started_at),
        multi_id: facts.multi_session_id,
        started_at: Some(started_at),
        stopped_at: (meaning.status == Status::Stop).then_some(meaning.happened_at),
        duration: facts.session_time,
        input_octets,
        output_octets,
        input_packets,
        output_packets,
        terminate_cause: facts.terminate_cause.as_deref(),
        delta: record.delta(facts).filter(|delta| *delta != Delta::default()),
    }
}

/// The session's key and its start, so that a session id used again after a reboot is another session.
fn unique_id(key: &SessionKey, started_at: Timestamp) -> String {
    let print = Fingerprint::new("unique").bytes(Some(key)).number(Some(started_at.as_second().cast_unsigned()));
    print.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// When the session began, by one packet: a start says so itself, any other says for how long it has lasted.
fn began(meaning: &Meaning<'_>) -> Timestamp {
    let lasted = match meaning.status {
        Status::Start => 0,
        _ => meaning.facts.session_time.unwrap_or(0),
    };
    let lasted = SignedDuration::from_secs(i64::try_from(lasted).unwrap_or(0));
    meaning.happened_at.checked_sub(lasted).unwrap_or(meaning.happened_at)
}

#[cfg(test)]
mod tests;
