//! Sessions and logins: what an exchange means, as pure functions. No clock, no store: what is known of a session comes
//! in as a [`Record`] and goes out as one.
//!
//! A session's record is made by its first packet, changed by every further one, and forgotten some time after its end;
//! `intake` keeps it in the store. Two questions are answered here: is this packet a repeat of one already told
//! ([`repeat`]), and which event does it make ([`observe`]).

mod accounting;
mod acct_unique;
pub mod card;
mod counters;
pub mod ends;
mod judge;
pub mod options;
pub mod people;
pub mod record;
pub mod repeat;
mod reply;
mod story;

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::auth::class;
use crate::event::station::Mac;
use crate::event::{Data, Event, EventId, EventType, Facts, Fingerprint, Limits, Source, Told};
use crate::exchange::Exchange;
use crate::radius::Code;
pub use accounting::Status;
pub use card::{Card, NasKey, device_key, nas_key, user_key};
pub use ends::Closed;
pub use judge::Move;
pub use options::{Grace, SessionOptions};
pub use people::{Device, Nas, Person};
pub use record::{Ended, Record, Why};

/// An exchange that means something.
#[derive(Debug, Clone)]
pub struct Meaning<'a> {
    /// The event it makes.
    pub kind: EventType,
    /// What an Accounting-Request reports.
    pub status: Option<Status>,
    /// The key of the session it belongs to; `None` for Accounting-On and -Off, and for what is no accounting.
    pub session: Option<SessionKey>,
    /// The request's facts; what the reply assigned stands in their place.
    pub facts: Facts<'a>,
    /// When it happened.
    pub happened_at: Timestamp,
    /// The packet says itself when it happened, so that equal packets are equal facts however far apart.
    pub is_dated: bool,
    /// Of a dated accounting packet, what it would be found by without its date: FreeRADIUS adds Event-Timestamp to what it
    /// writes down and passes on, so that the same packet is dated by one path and not by another.
    pub undated: Option<[u8; 16]>,
    /// The fact's fingerprint, the same by every path and for every retransmission.
    fingerprint: Fingerprint,
}

/// Identifies a session among all sessions of all NASes for as long as its record lives.
pub type SessionKey = [u8; 16];

/// What a login and its session have in common.
pub type LoginKey = [u8; 16];

/// Why an exchange makes no event. An accounting packet is acknowledged all the same: it will not get better by being
/// repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaningless {
    /// No Acct-Status-Type, or one that makes no event.
    Status,
    /// A session status without Acct-Session-Id, which RFC 2866 §5.5 demands.
    SessionId,
    /// A request without a reply, or with one of another kind, of which the catalogue has no event.
    Reply,
}

impl<'a> Meaning<'a> {
    /// Reads the meaning out of an exchange.
    pub fn read(exchange: &'a Exchange) -> Result<Self, Meaningless> {
        match exchange.code {
            Code::ACCOUNTING_REQUEST => accounting::read(exchange),
            _ => reply::read(exchange),
        }
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

    /// What it does to the session of this record, if it is about one.
    pub fn moves(&self, record: Option<&Record>, nas: Option<&Nas>) -> Option<Move> {
        let status = self.status.filter(|_| self.session.is_some())?;
        Some(judge::judge(record, self, status, nas.map(|nas| nas.gone_at)))
    }

    /// The device it is about.
    pub fn device_key(&self) -> Option<card::WhoKey> {
        device(&self.facts).as_deref().map(device_key)
    }

    /// Under what a login and its session find each other, the surest first: an accept is kept under these, and a session
    /// that begins looks under these. That is the session, where the NAS names it in the login already (RFC 2866 §5.5 has
    /// it use the same Acct-Session-Id then); and the Class of the accept, which the NAS repeats in accounting
    /// (RFC 2865 §5.25), together with the device, since a Class may stand for many.
    pub fn logins(&self, exchange: &Exchange) -> Vec<LoginKey> {
        let address = exchange.origin.address;
        let session = self.session.or_else(|| session_key(&self.facts, address));
        let by_session = session.map(|key| Fingerprint::new("login by session").bytes(Some(&key)).finish());
        let by_class = class(exchange.reply.as_ref().map_or(&exchange.request, |reply| &reply.attributes));
        let by_class = by_class.map(|class| {
            let of_nas = nas(Fingerprint::new("login by class"), &self.facts, address);
            of_nas.bytes(Some(&class)).text(device(&self.facts).as_deref()).finish()
        });
        by_session.into_iter().chain(by_class).collect()
    }
}

/// What one exchange does.
#[derive(Debug, Default)]
pub struct Step<'a> {
    /// What happened, in this order. Events of a session belong to one row.
    pub events: Vec<Event<'a>>,
    /// Why there is nothing to tell.
    pub untold: Option<Untold>,
    /// The session as it now is.
    pub record: Option<Record>,
    /// The session is open now, and was not before.
    pub opened: bool,
    /// A session that was open before, and is not any more.
    pub closed: Option<Closed>,
    /// Its user, as they now are.
    pub person: Option<Person>,
    /// Its device, as it now is.
    pub device: Option<Device>,
}

/// Why a packet of a session tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// Newer ones were told.
    Late,
    /// Its session has stopped.
    AfterStop,
}

/// What is known before an exchange.
#[derive(Debug, Default, Clone)]
pub struct Known {
    /// The record of its session so far.
    pub record: Option<Record>,
    /// The `auth.accept` that was kept under one of [`Meaning::logins`].
    pub login: Option<Login>,
    /// Its user.
    pub person: Option<Person>,
    /// Its device.
    pub device: Option<Device>,
    /// Its NAS, if that ever said Accounting-On or -Off.
    pub nas: Option<Nas>,
}

/// What a login leaves to its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login {
    /// The `auth.accept`.
    pub event: EventId,
    /// What it granted.
    pub limits: Limits,
}

/// What a story is told by, beside its packets.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What is set.
    pub options: &'a SessionOptions,
    /// This radhook.
    pub node: &'a Arc<str>,
    /// The wall clock, in milliseconds since 1970.
    pub now: i64,
}

/// Whether a start that was told before in the same words is another one: the NAS restarted in between, and counts its
/// sessions from the beginning.
pub fn is_said_anew(meaning: &Meaning<'_>, told: Option<Told>, nas: Option<&Nas>) -> bool {
    let (Some(told), Some(nas)) = (told, nas) else { return false };
    let happened_at = meaning.happened_at.as_millisecond();
    let restarted = told.happened_at < nas.gone_at && nas.gone_at <= happened_at;
    meaning.status == Some(Status::Start) && !meaning.is_dated && restarted
}

/// Tells the story of one exchange on. `id` comes from [`Meaning::id`].
pub fn observe<'a>(
    exchange: &'a Exchange,
    meaning: &'a Meaning<'a>,
    known: &'a Known,
    id: EventId,
    context: &Context<'_>,
) -> Step<'a> {
    if let (Some(status), Some(key)) = (meaning.status, meaning.session) {
        return story::tell(exchange, meaning, status, key, known, id, context);
    }
    let mut data = Data::new(&meaning.facts, &exchange.request);
    if meaning.status.is_none() {
        reply::tell(&mut data, exchange);
    }
    let source = source(exchange, context.node);
    let event = Event { id, kind: meaning.kind, timestamp: meaning.happened_at, source, data };
    Step { events: vec![event], ..Step::default() }
}

/// How radhook learned of it.
fn source<'a>(exchange: &'a Exchange, node: &Arc<str>) -> Source<'a> {
    Source {
        name: &exchange.origin.source,
        kind: exchange.origin.kind,
        client: Some(&exchange.origin.client),
        address: Some(exchange.origin.address.to_canonical()),
        received_at: exchange.received_at,
        node: Arc::clone(node),
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

/// Calling-Station-Id, a MAC in one form.
fn device(facts: &Facts<'_>) -> Option<String> {
    facts.calling_station_id.map(|id| Mac::parse(id).map_or_else(|| id.to_owned(), |mac| mac.to_string()))
}

/// NAS and Acct-Session-Id, and the device, since factory-set NAS-Identifiers and counted session ids are both common; where
/// no device is named, the user, without the realm that may be taken off on the way.
fn session_key(facts: &Facts<'_>, address: IpAddr) -> Option<SessionKey> {
    let session_id = facts.session_id.filter(|id| !id.is_empty())?;
    let fingerprint = nas(Fingerprint::new("session"), facts, address);
    let who = device(facts);
    let user = facts.user_name.filter(|_| who.is_none()).map(|name| name.split('@').next().unwrap_or(name));
    let user = user.map(|name| name.rsplit('\\').next().unwrap_or(name));
    let print = fingerprint.text(Some(session_id)).text(who.as_deref());
    // A session without either has the key it always had.
    Some(match user {
        Some(user) => print.text(Some(user)).finish(),
        None => print.finish(),
    })
}

#[cfg(test)]
mod tests;
