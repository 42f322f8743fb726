//! Accounting-Requests: RFC 2866.

use jiff::{SignedDuration, Timestamp};

use super::{Known, Meaning, Meaningless, Record, SessionKey, nas, session_key};
use crate::event::{Counters, Data, Delta, EventType, Facts, Fingerprint, Session};
use crate::exchange::Exchange;

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

/// Reads what an Accounting-Request means.
pub(super) fn read(exchange: &Exchange) -> Result<Meaning<'_>, Meaningless> {
    let facts = Facts::read(&exchange.request, exchange.swap_octets);
    let status = Status::of(&facts).ok_or(Meaningless::Status)?;
    let session = match status {
        Status::On | Status::Off => None,
        _ => Some(session_key(&facts, exchange.origin.address).ok_or(Meaningless::SessionId)?),
    };
    let happened_at = facts.happened_at(exchange.received_at);
    let is_dated = facts.believable_event_timestamp(exchange.received_at).is_some();
    let print = |time| fingerprint(status, session, &facts, exchange, time);
    Ok(Meaning {
        kind: status.event(),
        status: Some(status),
        session,
        happened_at,
        is_dated,
        undated: is_dated.then(|| *print(None).id().as_bytes()),
        fingerprint: print(facts.event_timestamp),
        facts,
    })
}

/// Puts the session into the event's data; returns its new record.
pub(super) fn tell<'a>(
    data: &mut Data<'a>,
    exchange: &Exchange,
    meaning: &'a Meaning<'a>,
    status: Status,
    key: &SessionKey,
    known: Known,
) -> Record {
    let record = Record::next(known.record, known.login, meaning, status);
    data.session = Some(story(&record, key, meaning, status));
    record.settled(meaning, status, exchange.received_at)
}

/// A fact is told apart by what the NAS meant by it, never by what changes on its way: packet identifier, authenticator,
/// Proxy-State, Acct-Delay-Time, and attributes that a proxy may add; `time` is what its Event-Timestamp says, where that is
/// to count.
fn fingerprint(
    status: Status,
    session: Option<SessionKey>,
    facts: &Facts<'_>,
    exchange: &Exchange,
    time: Option<u64>,
) -> Fingerprint {
    let Counters { input_octets, output_octets, input_packets, output_packets } = facts.counters;
    let of_session = |print: Fingerprint| match session {
        // The name may be rewritten on the way, so that it counts only where nothing else tells the user.
        Some(key) => {
            let user = facts.user_name.filter(|_| facts.calling_station_id.is_none());
            print.bytes(Some(&key)).text(user).text(facts.multi_session_id)
        }
        None => nas(print, facts, exchange.origin.address).text(facts.session_id),
    };
    of_session(Fingerprint::new(status.event().name()))
        .number(time)
        .number(facts.session_time)
        .number(input_octets)
        .number(output_octets)
        .number(input_packets)
        .number(output_packets)
        .text(facts.terminate_cause.as_deref())
}

/// `data.session`, from the record before this packet's counters replace the last ones.
fn story<'a>(record: &Record, key: &SessionKey, meaning: &'a Meaning<'a>, status: Status) -> Session<'a> {
    let facts = &meaning.facts;
    let Counters { input_octets, output_octets, input_packets, output_packets } = facts.counters;
    let started_at = record.started_at();
    Session {
        id: facts.session_id.unwrap_or_default(),
        unique_id: unique_id(key, started_at),
        multi_id: facts.multi_session_id,
        started_at: Some(started_at),
        stopped_at: (status == Status::Stop).then_some(meaning.happened_at),
        duration: facts.session_time,
        input_octets,
        output_octets,
        input_packets,
        output_packets,
        terminate_cause: facts.terminate_cause.as_deref(),
        auth_id: record.auth_id(),
        delta: record.delta(facts).filter(|delta| *delta != Delta::default()),
    }
}

/// The session's key and its start, so that a session id used again after a reboot is another session.
fn unique_id(key: &SessionKey, started_at: Timestamp) -> String {
    let print = Fingerprint::new("unique").bytes(Some(key)).number(Some(started_at.as_second().cast_unsigned()));
    print.finish().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// When the session began, by one packet: a start says so itself, any other says for how long it has lasted.
pub(super) fn began(meaning: &Meaning<'_>, status: Status) -> Timestamp {
    let lasted = match status {
        Status::Start => 0,
        _ => meaning.facts.session_time.unwrap_or(0),
    };
    let lasted = SignedDuration::from_secs(i64::try_from(lasted).unwrap_or(0));
    meaning.happened_at.checked_sub(lasted).unwrap_or(meaning.happened_at)
}
