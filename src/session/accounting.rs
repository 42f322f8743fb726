//! Accounting-Requests: RFC 2866.

use super::{Meaning, Meaningless, SessionKey, nas, session_key};
use crate::event::{Counters, EventType, Facts, Fingerprint};
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
