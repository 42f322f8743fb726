//! What stands in the table: keys, and records behind a version byte.
//!
//! A key is one letter for its kind and fixed-width big-endian parts, so that the table's order is the order wanted:
//!
//! | key | record |
//! |---|---|
//! | `E` event | [`EventRecord`]: an event and its JSON |
//! | `T` id of the first occurrence | [`Told`]: which event a fact made |
//! | `U` id of the fact without its date | [`Told`]: which event the last dated one made |
//! | `S` session key | the session's record (the session room's) |
//! | `X` time, session key | nothing: when to look whether the session's record can go |
//! | `L` login key | [`Login`]: the `auth.accept` that a session may find |
//! | `Y` time, login key | nothing: when the login is forgotten |
//! | `B` source, 0, item | how far the source has read the item, in its own words |
//! | `N` endpoint name | [`EndpointRecord`]: its number and tally |
//! | `R` endpoint | [`Standing`]: whether it fails, is disabled or verified |
//! | `C` endpoint, key | until when no further event of this key passes `once_per` |
//! | `c` endpoint, key | until when each event of this key counts for `count` |
//! | `d` time, endpoint, key | when that is to be looked through |
//! | `F` time, endpoint, key | nothing: when that is forgotten |
//! | `G` endpoint, event | [`Kept`]: request and answer, word for word |
//! | `P` endpoint, event | [`Pending`]: a delivery not settled yet |
//! | `Q` endpoint, due, event | nothing: pending deliveries that may go out, by due time |
//! | `D` endpoint, event | [`Settled`]: a dead letter |
//! | `H` endpoint, event | [`Settled`]: a delivery made |
//! | `A`, `O`, `J`, `V`, `W`, `K`, `Z` | what is known around sessions: [`super::sessions`] |
//! | `M` name | single values: [`NEXT_EVENT`], [`KEPT_FROM`] |
//!
//! Sessions have further kinds of their own: [`super::sessions`]. No two kinds may have the same letter.
//!
//! Events and endpoints are numbered by arrival; an event's number, not its id, is what other records hold.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::exchanges::Kept;
#[cfg(doc)]
use super::standing::Standing;
use super::{Bytes, Key, StoreError};
use crate::event::{EventId, EventType, Limits, Told};

/// The version of every record written here. A reader meets older ones after an upgrade and newer ones after a
/// downgrade; the latter are refused in words.
const VERSION: u8 = 3;

/// Records of this version and those before it lack the fields that were added since, which all stand at a record's end. Zero, absent, false and
/// empty are written as one zero octet each, so that such a record with [`PADDING`] behind it reads as the present one.
const UNPADDED: u8 = 2;

/// Records of up to so many octets, which are nearly all, are written where there is room already.
const ROOM: usize = 512;

/// More zero octets than fields were added to any record.
const PADDING: [u8; 64] = [0; 64];

/// The number the next event gets.
pub const NEXT_EVENT: &[u8] = b"Mnext-event";

/// Events below this number have left the history, except those still pending or dead somewhere.
pub const KEPT_FROM: &[u8] = b"Mkept-from";

/// An endpoint's number in keys. Given once per name and never again, so that a backlog finds its endpoint again
/// whatever the order of the config.
pub type EndpointId = u32;

/// An event's number in keys.
pub type EventNumber = u64;

/// An event as kept: what lists and repeats need, and the JSON of the `native` format.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// What stands before the JSON.
    pub head: EventHead,
    /// The event in the `native` format.
    pub json: Vec<u8>,
}

/// The part of an [`EventRecord`] that can be read without parsing JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventHead {
    /// The event's id.
    pub id: EventId,
    /// Its type.
    pub kind: EventType,
    /// When it arrived, in milliseconds since 1970.
    pub received_at: i64,
    /// The id of the fact's first occurrence: its `T` key.
    pub base: [u8; 16],
}

impl EventHead {
    /// The bytes of an [`EventRecord`] up to its JSON, which belongs right behind them.
    pub fn begin(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(USUAL_EVENT);
        octets.push(VERSION);
        encode_into(octets, self)
    }
}

/// An event usually takes less.
const USUAL_EVENT: usize = 1_536;

/// An endpoint in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Its number.
    pub id: EndpointId,
    /// What became of every event since the endpoint was first configured.
    pub tally: Tally,
}

/// The conservation equation of one endpoint: `received = delivered + pending + dead + filtered + coalesced`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Events offered to it.
    pub received: u64,
    /// Events it did not subscribe to.
    pub filtered: u64,
    /// Events waiting for it.
    pub pending: u64,
    /// Events it took.
    pub delivered: u64,
    /// Events given up, kept as dead letters.
    pub dead: u64,
    /// Updates in whose place a newer one of their session was sent.
    pub coalesced: u64,
    /// Attempts that were cut off by an end of radhook, so that what they sent may have been taken and is sent again. No
    /// part of the equation: the events are counted above.
    pub interrupted: u64,
}

impl Tally {
    /// Whether every event received is accounted for.
    pub fn adds_up(&self) -> bool {
        self.received == self.delivered + self.pending + self.dead + self.filtered + self.coalesced
    }
}

/// A delivery not settled yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// When it was queued, in milliseconds since 1970.
    pub queued_at: i64,
    /// When it may go out; the due part of its `Q` key, where it has one.
    pub due: i64,
    /// It has no `Q` key: an earlier event of its session is still pending.
    pub waits: bool,
    /// The later event of its session that waits for this one.
    pub next: Option<EventNumber>,
    /// What was tried.
    pub attempts: Attempts,
    /// An attempt has begun, at this time in milliseconds since 1970, and how it ended is not written down: it is under
    /// way, or was cut off.
    pub begun: Option<i64>,
    /// The event that this one waits for.
    pub previous: Option<EventNumber>,
    /// A newer update of its session may take its place.
    pub is_update: bool,
}

impl Pending {
    /// One that is queued `at` this time, due at once and alone.
    pub fn due(at: i64) -> Self {
        Self {
            queued_at: at,
            due: at,
            waits: false,
            next: None,
            attempts: Attempts::default(),
            begun: None,
            previous: None,
            is_update: false,
        }
    }
}

/// A delivery that has ended, well or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// When it was queued, in milliseconds since 1970.
    pub queued_at: i64,
    /// When it ended, in milliseconds since 1970.
    pub settled_at: i64,
    /// What was tried.
    pub attempts: Attempts,
}

/// How many attempts are kept in full: the five retries of the default schedule and the first attempt fit, and a
/// schedule without end does not grow the record.
pub const ATTEMPTS_KEPT: usize = 8;

/// The attempts of one delivery: how many there were, and the last few in full.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// All that were made since it was queued or last revived.
    pub count: u32,
    /// The last [`ATTEMPTS_KEPT`], oldest first.
    pub last: Vec<Attempt>,
}

impl Attempts {
    /// Adds one, forgetting the oldest where there are too many.
    pub fn push(&mut self, attempt: Attempt) {
        self.count = self.count.saturating_add(1);
        if self.last.len() >= ATTEMPTS_KEPT {
            self.last.remove(0);
        }
        self.last.push(attempt);
    }
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, in milliseconds since 1970.
    pub at: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
    /// The status of the answer, if one came in time.
    pub status: Option<u16>,
    /// What went wrong, if no answer came or it was no success. At most [`REASON_KEPT`] bytes.
    pub error: Option<String>,
}

/// How much of an attempt's error is kept: enough for a cause and its cause, and eight of them fit any record.
pub const REASON_KEPT: usize = 240;

/// Shortens an error to [`REASON_KEPT`], at a character's edge.
pub fn shorten(reason: &str) -> String {
    reason[..reason.floor_char_boundary(REASON_KEPT)].to_owned()
}

pub(super) fn key(kind: u8, parts: &[&[u8]]) -> Key {
    let mut key = Key::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The key of an event.
pub fn event(number: EventNumber) -> Key {
    key(b'E', &[&number.to_be_bytes()])
}

/// The key of a told fact.
pub fn told(base: &[u8; 16]) -> Key {
    key(b'T', &[base])
}

/// The key of a told fact that was dated, by what it is without its date.
pub fn told_dated(undated: &[u8; 16]) -> Key {
    key(b'U', &[undated])
}

/// The key of a session.
pub fn session(session: &[u8; 16]) -> Key {
    key(b'S', &[session])
}

/// The key of a look at a session, at a time in milliseconds since 1970.
pub fn expiry(at: i64, session: &[u8; 16]) -> Key {
    key(b'X', &[&ordered(at), session])
}

/// The parts of an [`expiry`] key.
pub fn read_expiry(key: &[u8]) -> Option<(i64, [u8; 16])> {
    let rest = key.strip_prefix(b"X")?;
    let (at, session) = rest.split_first_chunk::<8>()?;
    Some((unordered(*at), session.try_into().ok()?))
}

/// A login that waits for its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The `auth.accept`.
    pub event: EventId,
    /// When it can be forgotten, in milliseconds since 1970.
    pub until: i64,
    /// What it granted.
    pub limits: Limits,
}

/// The key of a login.
pub fn login(login: &[u8; 16]) -> Key {
    key(b'L', &[login])
}

/// The key of the end of a login, at a time in milliseconds since 1970.
pub fn login_end(at: i64, login: &[u8; 16]) -> Key {
    key(b'Y', &[&ordered(at), login])
}

/// The parts of a [`login_end`] key.
pub fn read_login_end(key: &[u8]) -> Option<(i64, [u8; 16])> {
    let rest = key.strip_prefix(b"Y")?;
    let (at, login) = rest.split_first_chunk::<8>()?;
    Some((unordered(*at), login.try_into().ok()?))
}

/// The key of a bookmark. A source's name holds no NUL.
pub fn bookmark(source: &str, item: &[u8]) -> Key {
    key(b'B', &[source.as_bytes(), &[0], item])
}

/// The item in a [`bookmark`] key of this source.
pub fn read_bookmark<'k>(source: &str, key: &'k [u8]) -> Option<&'k [u8]> {
    key.strip_prefix(b"B")?.strip_prefix(source.as_bytes())?.strip_prefix(&[0])
}

/// The key of an endpoint.
pub fn endpoint(name: &str) -> Key {
    key(b'N', &[name.as_bytes()])
}

/// The name in an [`endpoint`] key.
pub fn read_endpoint(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(b"N")?).ok()
}

/// The key of how an endpoint stands.
pub fn standing(endpoint: EndpointId) -> Key {
    key(b'R', &[&endpoint.to_be_bytes()])
}

/// The key of a pending delivery.
pub fn pending(endpoint: EndpointId, event: EventNumber) -> Key {
    key(b'P', &[&endpoint.to_be_bytes(), &event.to_be_bytes()])
}

/// The key of a dead letter.
pub fn dead(endpoint: EndpointId, event: EventNumber) -> Key {
    key(b'D', &[&endpoint.to_be_bytes(), &event.to_be_bytes()])
}

/// The key of a delivery made.
pub fn done(endpoint: EndpointId, event: EventNumber) -> Key {
    key(b'H', &[&endpoint.to_be_bytes(), &event.to_be_bytes()])
}

/// The key of a request and its answer.
pub fn exchange(endpoint: EndpointId, event: EventNumber) -> Key {
    key(b'G', &[&endpoint.to_be_bytes(), &event.to_be_bytes()])
}

/// The key of what passed `once_per`.
pub fn once(endpoint: EndpointId, of: &[u8; 16]) -> Key {
    key(b'C', &[&endpoint.to_be_bytes(), of])
}

/// The key by which it is found when it is to be forgotten.
pub fn once_end(at: i64, endpoint: EndpointId, of: &[u8; 16]) -> Key {
    key(b'F', &[&ordered(at), &endpoint.to_be_bytes(), of])
}

/// The parts of a [`once_end`] key.
pub fn read_once_end(key: &[u8]) -> Option<(EndpointId, [u8; 16])> {
    read_end(b'F', key)
}

fn read_end(letter: u8, key: &[u8]) -> Option<(EndpointId, [u8; 16])> {
    let rest = key.strip_prefix(&[letter])?.get(8..)?;
    let (endpoint, of) = rest.split_first_chunk::<4>()?;
    Some((EndpointId::from_be_bytes(*endpoint), of.try_into().ok()?))
}

/// The key of what is counted by `count`.
pub fn counted(endpoint: EndpointId, of: &[u8; 16]) -> Key {
    key(b'c', &[&endpoint.to_be_bytes(), of])
}

/// The key by which it is found when it may count no more.
pub fn counted_end(at: i64, endpoint: EndpointId, of: &[u8; 16]) -> Key {
    key(b'd', &[&ordered(at), &endpoint.to_be_bytes(), of])
}

/// The parts of a [`counted_end`] key.
pub fn read_counted_end(key: &[u8]) -> Option<(EndpointId, [u8; 16])> {
    read_end(b'd', key)
}

/// The event in a [`pending`], [`dead`] or [`done`] key.
pub fn read_event_of(key: &[u8]) -> Option<EventNumber> {
    Some(EventNumber::from_be_bytes(key.get(5..)?.try_into().ok()?))
}

/// The event in an [`event`] key.
pub fn read_event(key: &[u8]) -> Option<EventNumber> {
    Some(EventNumber::from_be_bytes(key.strip_prefix(b"E")?.try_into().ok()?))
}

/// The key by which a pending delivery is found when due.
pub fn due(endpoint: EndpointId, at: i64, event: EventNumber) -> Key {
    key(b'Q', &[&endpoint.to_be_bytes(), &ordered(at), &event.to_be_bytes()])
}

/// Due time and event of a [`due`] key.
pub fn read_due(key: &[u8]) -> Option<(i64, EventNumber)> {
    let rest = key.get(5..)?;
    let (at, event) = rest.split_first_chunk::<8>()?;
    Some((unordered(*at), EventNumber::from_be_bytes(event.try_into().ok()?)))
}

/// Signed times in bytewise order.
pub(super) fn ordered(at: i64) -> [u8; 8] {
    (at.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

pub(super) fn unordered(at: [u8; 8]) -> i64 {
    (u64::from_be_bytes(at) ^ (1 << 63)).cast_signed()
}

/// A record's bytes.
pub fn encode<T: Serialize>(record: &T) -> Bytes {
    let mut room = [VERSION; ROOM];
    match postcard::to_slice(record, &mut room[1..]).map(|written| written.len()) {
        Ok(length) => room[..=length].into(),
        Err(_) => encode_into(vec![VERSION], record).into(),
    }
}

fn encode_into<T: Serialize>(octets: Vec<u8>, record: &T) -> Vec<u8> {
    postcard::to_extend(record, octets).expect("plain records always serialise into memory")
}

/// Reads a record's bytes.
pub fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    let padded;
    let (bytes, spare) = match bytes.first() {
        Some(1..=UNPADDED) => {
            padded = [bytes, &PADDING].concat();
            (padded.as_slice(), PADDING.len())
        }
        _ => (bytes, 0),
    };
    let (record, rest) = open(key, bytes)?;
    if rest.len() <= spare { Ok(record) } else { Err(unreadable(key, format!("{} trailing bytes", rest.len()))) }
}

impl EventRecord {
    /// Its bytes.
    pub fn encode(&self) -> Bytes {
        let mut bytes = self.head.begin();
        bytes.extend_from_slice(&self.json);
        bytes.into()
    }

    /// Reads its bytes.
    pub fn decode(key: &[u8], bytes: &[u8]) -> Result<Self, StoreError> {
        let (head, json) = open(key, bytes)?;
        Ok(Self { head, json: json.to_vec() })
    }
}

/// The event in the bytes of what was told of a fact.
pub(super) fn told_event(bytes: &[u8]) -> Option<EventNumber> {
    open::<Told>(&[], bytes).ok().map(|(told, _)| told.event)
}

fn open<'a, T: DeserializeOwned>(key: &[u8], bytes: &'a [u8]) -> Result<(T, &'a [u8]), StoreError> {
    match bytes.split_first() {
        Some((&(1..=VERSION), record)) => {
            postcard::take_from_bytes(record).map_err(|error| unreadable(key, error.to_string()))
        }
        Some((other, _)) => Err(unreadable(key, format!("record version {other}; this radhook reads {VERSION}"))),
        None => Err(unreadable(key, "empty record".to_owned())),
    }
}

fn unreadable(key: &[u8], what: String) -> StoreError {
    StoreError::Record { key: key.into(), what }
}

#[cfg(test)]
mod tests;
