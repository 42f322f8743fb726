//! What is remembered of a session between its packets.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::card::Card;
use super::counters::{Base, Noticed, advance};
use super::options::whole;
use super::{Meaning, SessionKey, SessionOptions, Status};
use crate::event::{Counters, Delta, EventId, Facts, Fingerprint, Limits, Rate};

/// A session between two packets, as the store keeps it. Fields are only ever added at the end: a record that was written
/// before they were reads as one in which they are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it began, in milliseconds since 1970.
    pub(super) started_at: i64,
    /// When its last packet happened, in milliseconds since 1970.
    pub(super) seen_at: i64,
    /// When its last packet arrived here, in milliseconds since 1970.
    pub(super) heard_at: i64,
    /// Whether its stop was seen.
    pub(super) stopped: bool,
    /// Acct-Session-Time of the last packet that had one.
    pub(super) duration: Option<u64>,
    /// The counters so far.
    pub(super) counters: Counters,
    /// Per endpoint, the last event of this session that was queued for it: what keeps their order.
    pub(super) last_queued: Vec<(u32, u64)>,
    /// The `auth.accept` that let it begin.
    pub(super) auth_id: Option<[u8; 16]>,
    /// What stands beneath the counters of its packets.
    pub(super) base: Base,
    /// The longest time between two of its packets, in milliseconds; 0 where there was but one.
    pub(super) interval: u64,
    /// The look that is planned, in milliseconds since 1970.
    pub look_at: i64,
    /// The last event that was told of it.
    pub(super) last_event: Option<[u8; 16]>,
    /// No start was seen.
    pub(super) inferred: bool,
    /// `session.revoked` was told.
    pub(super) revoked: bool,
    /// It was taken to be over, without a stop.
    pub(super) ended: Option<Ended>,
    /// What its login was granted.
    pub(super) limits: Limits,
    /// Who and where.
    pub(super) card: Option<Card>,
    /// It stands in the indexes of its NAS and user, and is counted among the user's open ones.
    pub is_listed: bool,
    /// When it was opened its NAS's clock was ahead, so that later packets may have happened before its start.
    pub(super) ahead: bool,
    /// The last packets of which nothing was told, by the beginnings of their fingerprints: what was late once is late when it
    /// is sent again.
    pub(super) untold: Vec<[u8; 8]>,
}

/// How many packets of which nothing was told are remembered of a session. A NAS that empties its queue in the wrong order
/// does so once.
const MAX_UNTOLD: usize = 32;

/// Clocks may differ by so much, in milliseconds: seconds, each rounded.
pub(super) const ROUNDED: i64 = 5_000;

/// Why a session was taken to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// When that was found out, by the wall clock.
    pub noticed_at: i64,
    /// Why.
    pub why: Why,
}

/// Why a session was taken to be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// Its interims stayed away.
    NoInterim,
    /// It never sent interims, and was not heard of for long.
    Silence,
    /// Its NAS said Accounting-On or -Off.
    NasReboot,
    /// Another session has its id.
    IdReused,
    /// An operator closed it.
    Closed,
}

impl Why {
    /// As `terminate_cause` says it. `NAS-Reboot` is RFC 2866's own word.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoInterim => "No-Interim",
            Self::Silence => "Silence",
            Self::NasReboot => "NAS-Reboot",
            Self::IdReused => "Id-Reused",
            Self::Closed => "Closed",
        }
    }
}

/// A session that has just begun has moved nothing, also where its start does not say so.
const ZERO: Counters =
    Counters { input_octets: Some(0), output_octets: Some(0), input_packets: Some(0), output_packets: Some(0) };

/// How far a packet takes a session on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) delta: Delta,
    pub(super) rate: Option<Rate>,
    pub(super) noticed: Noticed,
}

impl Record {
    /// The record of a session that begins.
    pub(super) fn begun(began: Timestamp, status: Status, received_at: Timestamp) -> Self {
        let is_start = status == Status::Start;
        Self {
            started_at: began.as_millisecond(),
            seen_at: began.as_millisecond(),
            heard_at: received_at.as_millisecond(),
            duration: is_start.then_some(0),
            counters: if is_start { ZERO } else { Counters::default() },
            inferred: !is_start,
            ahead: began.as_millisecond() > received_at.as_millisecond().saturating_add(ROUNDED),
            ..Self::default()
        }
    }

    /// Takes in a packet that takes the session on, and says how far.
    pub(super) fn takes(&mut self, meaning: &Meaning<'_>, status: Status, received_at: Timestamp) -> Progress {
        let facts = &meaning.facts;
        let happened_at = meaning.happened_at.as_millisecond();
        let (counters, base, noticed) = advance(self.counters, self.base, facts);
        let added = |now: Option<u64>, before: Option<u64>| now?.checked_sub(before?);
        let delta = Delta {
            duration: added(facts.session_time, self.duration),
            input_octets: facts.counters.input_octets.and(added(counters.input_octets, self.counters.input_octets)),
            output_octets: facts.counters.output_octets.and(added(counters.output_octets, self.counters.output_octets)),
        };
        // By the NAS's own clock where it has one: what waited in a queue arrives all at once.
        let by_clock = u64::try_from(happened_at.saturating_sub(self.seen_at)).unwrap_or(0);
        let passed =
            delta.duration.filter(|seconds| *seconds > 0).map_or(by_clock, |seconds| seconds.saturating_mul(1000));
        let bits = |octets: Option<u64>| {
            let bits = u128::from(octets?) * 8 * 1000;
            u64::try_from(bits.checked_div(u128::from(passed))?).ok()
        };
        let rate = Rate { input_bps: bits(delta.input_octets), output_bps: bits(delta.output_octets) };
        let goes_on = delta.duration.is_some_and(|seconds| seconds > 0);
        if status == Status::Interim && self.last_event.is_some() {
            self.interval = self.interval.max(passed);
        }
        // A NAS whose clock was set right goes on in the past.
        self.seen_at = if goes_on { happened_at } else { self.seen_at.max(happened_at) };
        self.duration = self.duration.max(facts.session_time);
        (self.counters, self.base) = (counters, base);
        self.stopped |= status == Status::Stop;
        self.hears(received_at);
        Progress { delta, rate: Some(rate).filter(|rate| *rate != Rate::default()), noticed }
    }

    /// Whether a packet is the first to say whose session it is: from then on it is listed, and counted, as theirs.
    pub fn learns_user(&self, meaning: &Meaning<'_>) -> bool {
        let is_known = self.card.as_ref().is_some_and(|card| card.user.is_some());
        self.is_listed && !is_known && meaning.facts.user_name.is_some()
    }

    /// A packet arrived, whether or not it says anything new.
    pub(super) fn hears(&mut self, received_at: Timestamp) {
        self.heard_at = self.heard_at.max(received_at.as_millisecond());
    }

    /// Nothing is told of a packet.
    pub(super) fn leaves_untold(&mut self, meaning: &Meaning<'_>) {
        if !self.was_untold(meaning) {
            if self.untold.len() >= MAX_UNTOLD {
                self.untold.remove(0);
            }
            self.untold.push(mark(meaning));
        }
    }

    /// Whether nothing was told of a packet when it came before.
    pub(super) fn was_untold(&self, meaning: &Meaning<'_>) -> bool {
        !self.untold.is_empty() && self.untold.contains(&mark(meaning))
    }

    /// When the session began.
    pub fn started_at(&self) -> Timestamp {
        moment(self.started_at)
    }

    /// When its last packet happened.
    pub fn seen_at(&self) -> Timestamp {
        moment(self.seen_at)
    }

    /// Whether it goes on, as far as is known.
    pub fn is_open(&self) -> bool {
        !self.stopped && self.ended.is_none()
    }

    /// Why it was taken to be over, where no stop was seen.
    pub fn ended(&self) -> Option<Ended> {
        self.ended.filter(|_| !self.stopped)
    }

    /// Who and where; `None` of a session of which only an earlier version of radhook has heard.
    pub fn card(&self) -> Option<&Card> {
        self.card.as_ref()
    }

    /// The figures so far: seconds and counters.
    pub fn figures(&self) -> (Option<u64>, Counters) {
        (self.duration, self.counters)
    }

    /// The `auth.accept` that let it begin, if one was found.
    pub fn auth_id(&self) -> Option<EventId> {
        self.auth_id.map(EventId::from_bytes)
    }

    /// The session's key and its start, so that a session id used again after a reboot is another session.
    pub fn unique(&self, key: &SessionKey) -> [u8; 16] {
        let seconds = moment(self.started_at).as_second().cast_unsigned();
        Fingerprint::new("unique").bytes(Some(key)).number(Some(seconds)).finish()
    }

    /// The same as it is told.
    pub fn unique_id(&self, key: &SessionKey) -> String {
        hex(&self.unique(key))
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

    /// When it has to be looked at, unless a packet arrives before: an open one may be lost then, an ended one is forgotten.
    /// Nothing could be heard before `awake_since`. All in milliseconds since 1970.
    pub fn due(&self, options: &SessionOptions, awake_since: i64) -> i64 {
        let heard_at = self.heard_at.max(awake_since);
        match self.ended {
            _ if self.stopped => self.heard_at.saturating_add(whole(options.keep_ended)),
            Some(ended) => ended.noticed_at.saturating_add(whole(options.keep_ended)),
            None => heard_at.saturating_add(options.grace(self.interval)),
        }
    }

    /// Why an open session that was silent for its grace is lost, and since when.
    pub fn fades(&self, options: &SessionOptions, now: i64) -> Ended {
        let why = if self.interval == 0 { Why::Silence } else { Why::NoInterim };
        Ended { at: self.seen_at.saturating_add(options.grace(self.interval)).min(now), noticed_at: now, why }
    }
}

/// What a packet is found by among the untold: a part of its fingerprint is enough within one session.
fn mark(meaning: &Meaning<'_>) -> [u8; 8] {
    let base = meaning.base();
    std::array::from_fn(|at| base[at])
}

/// Milliseconds since 1970 as a time.
pub(super) fn moment(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// When the session began, by one packet: a start says so itself, any other says for how long it has lasted.
pub(super) fn began(facts: &Facts<'_>, happened_at: Timestamp, status: Status) -> Timestamp {
    let lasted = match status {
        Status::Start => 0,
        _ => facts.session_time.unwrap_or(0),
    };
    let lasted = SignedDuration::from_secs(i64::try_from(lasted).unwrap_or(0));
    happened_at.checked_sub(lasted).unwrap_or(happened_at)
}

/// Octets as they are told.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
