//! `GET /api/v1/sessions`: the table of sessions, by user, device and NAS, in pages; and `POST` to close some of them, or to
//! forget a person.

use crossbeam_channel::bounded;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::deliveries::{BadCursor, ListError};
use super::selection::Making;
#[cfg(doc)]
use super::selection::PAGE;
use crate::event::EventId;
use crate::event::station::Mac;
use crate::intake::{Command, Deed};
use crate::session::card::WhoKey;
use crate::session::record::hex;
use crate::session::{Device, Record, SessionKey, user_key};
use crate::store::records::{self, EventRecord};
use crate::store::sessions as keys;
use crate::store::{Bytes, Key, Store};

/// How many sessions are closed, or records forgotten, in one commit.
const DONE_AT_ONCE: usize = 500;

/// Which sessions are meant. Absent parts do not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Only of this user: User-Name as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only of this device: its MAC, in any notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Only on this NAS: its NAS-Identifier or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas: Option<String>,
    /// Only this one: its `unique_id`, or its Acct-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Also those that have ended and are still remembered.
    #[serde(default)]
    pub ended: bool,
    /// How many a page holds at most; [`PAGE`] unless smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the last page ended: its `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Selection {
    /// Whether it means all of them.
    fn means_all(&self) -> bool {
        self.user.is_none() && self.mac.is_none() && self.nas.is_none() && self.session.is_none()
    }

    fn means(&self, session: &Session, mac: Option<&str>) -> bool {
        let is = |wanted: &Option<String>, found: &[Option<&str>]| {
            wanted.as_deref().is_none_or(|wanted| found.contains(&Some(wanted)))
        };
        let address = session.nas_ip.map(|ip| ip.to_string());
        (self.ended || session.state == "open")
            && is(&self.user, &[session.user.as_deref()])
            && mac.is_none_or(|mac| session.mac.as_deref() == Some(mac))
            && is(&self.nas, &[Some(&session.nas), address.as_deref()])
            && is(&self.session, &[Some(&session.unique_id), Some(&session.id)])
    }
}

/// Some sessions, and where to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The sessions, in no order that means anything.
    pub sessions: Vec<Session>,
    /// Given back as `after`, gets the next page; absent at the end. A page may be empty and yet have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One session.
#[derive(Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its unique id, as events tell it.
    pub unique_id: String,
    /// Acct-Session-Id.
    pub id: String,
    #[serde(skip)]
    key: SessionKey,
    /// `open`, `stopped`, or `lost`.
    pub state: String,
    /// Why it was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_because: Option<String>,
    /// User-Name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<std::net::IpAddr>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The NAS: its identifier, or its address.
    pub nas: String,
    /// Its address, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nas_ip: Option<std::net::IpAddr>,
    /// The access point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap: Option<String>,
    /// Its network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// Acct-Multi-Session-Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_id: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last packet happened.
    pub last_seen_at: Timestamp,
    /// Its length so far, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Octets from the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_octets: Option<u64>,
    /// Octets to the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_octets: Option<u64>,
    /// Its login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_id: Option<EventId>,
}

/// What closing came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Closed {
    /// Sessions that were open, and are not any more.
    pub closed: usize,
    /// Given back as `after`, goes on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Who is to be forgotten.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Purge {
    /// User-Name, as it came.
    pub user: String,
    /// Only look for what there is.
    #[serde(default)]
    pub search: bool,
    /// Where the last page ended: its `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What was forgotten on one page, or found by a search.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Purged {
    /// Sessions.
    pub sessions: usize,
    /// Of these, those that were open.
    pub open: usize,
    /// Events, with what became of them at each endpoint.
    pub events: usize,
    /// Deliveries that were still to be made, or were given up.
    pub deliveries: usize,
    /// Memories of the user and of devices.
    pub memories: usize,
    /// Records that were looked at.
    pub looked_at: usize,
    /// Given back as `after`, goes on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where something of a person may stand: events, users, sessions, devices.
const PERSONAL: [u8; 4] = [b'E', keys::PERSON, b'S', keys::DEVICE];

impl Admin {
    /// One page of the sessions that are meant.
    pub fn sessions(&self, selection: &Selection) -> Result<Page, ListError> {
        let mac = match &selection.mac {
            Some(text) => {
                let mac = Mac::parse(text).ok_or_else(|| ListError::Wrong(format!("{text:?} is no MAC address")))?;
                Some(mac.to_string())
            }
            None => None,
        };
        // Who is there is listed by user; everything else is looked for.
        let by_user = selection.user.as_deref().filter(|_| !selection.ended).map(user_key);
        let (first, last) = match &by_user {
            Some(user) => (keys::of_user(user, &[0; 16]), keys::behind(keys::of_user(user, &[0xff; 16]))),
            None => (records::session(&[0; 16]), keys::behind(records::session(&[0xff; 16]))),
        };
        let from = cursor(selection.after.as_deref())?.unwrap_or(first);
        let mut page = Making::new(selection.limit);
        for (key, bytes) in &self.store.range(&from, &last, page.room())? {
            let found = match by_user {
                Some(_) => match keys::read_session(key) {
                    Some(session) => self.record(&session)?.map(|record| (session, record)),
                    None => None,
                },
                None => match keys::read_key(key) {
                    Some(session) => Some((session, records::decode::<Record>(key, bytes)?)),
                    None => None,
                },
            };
            let session = found.and_then(|(key, record)| Session::of(key, &record));
            if page.look(session.filter(|session| selection.means(session, mac.as_deref()))) {
                return Ok(Page { sessions: page.found, next: Some(hex(&keys::behind(key.clone()))) });
            }
        }
        Ok(Page { sessions: page.found, next: None })
    }

    /// Closes one page of the sessions that are meant.
    pub fn close_sessions(&self, selection: &Selection) -> Result<Closed, ListError> {
        if selection.means_all() {
            return Err(ListError::Wrong("name what is to be closed: session, user, mac or nas".to_owned()));
        }
        let page = self.sessions(&Selection { ended: false, limit: Some(DONE_AT_ONCE), ..selection.clone() })?;
        let keys = page.sessions.iter().map(|session| session.key).collect();
        Ok(Closed { closed: self.done(Deed::Close(keys))?, next: page.next })
    }

    /// Forgets a page of what is known of a person, or counts it.
    pub fn purge(&self, wanted: &Purge) -> Result<Purged, ListError> {
        if wanted.user.is_empty() {
            return Err(ListError::Wrong("name the user to be forgotten".to_owned()));
        }
        let user = user_key(&wanted.user);
        let from = cursor(wanted.after.as_deref())?.unwrap_or_else(|| Key::from([PERSONAL[0]]));
        let letter = from.first().copied().filter(|letter| PERSONAL.contains(letter));
        let letter = letter.ok_or_else(|| BadCursor::new(wanted.after.as_deref().unwrap_or_default()))?;
        let entries = self.store.range(&from, &[letter + 1], DONE_AT_ONCE)?;
        let mut purged = Purged { looked_at: entries.len(), ..Purged::default() };
        let (mut sessions, mut events, mut memories) = (Vec::new(), Vec::new(), Vec::new());
        for (key, bytes) in &entries {
            match self.theirs(key, bytes, &wanted.user, &user)? {
                Theirs::Event(number) => events.push(number),
                Theirs::Session(session, is_open) => {
                    purged.open += usize::from(is_open);
                    sessions.push(session);
                }
                Theirs::Memory => memories.push(key.clone()),
                Theirs::Nothing => {}
            }
        }
        (purged.sessions, purged.events, purged.memories) = (sessions.len(), events.len(), memories.len());
        if !wanted.search {
            purged.deliveries = self.done(Deed::Forget { sessions, events, memories })?;
        }
        let place = PERSONAL.iter().position(|known| *known == letter).unwrap_or(PERSONAL.len());
        purged.next = match entries.last().filter(|_| entries.len() == DONE_AT_ONCE) {
            Some((key, _)) => Some(hex(&keys::behind(key.clone()))),
            None => PERSONAL.get(place + 1).map(|letter| hex(&[*letter])),
        };
        Ok(purged)
    }

    fn theirs(&self, key: &Key, bytes: &Bytes, name: &str, user: &WhoKey) -> Result<Theirs, ListError> {
        Ok(match key.first() {
            Some(b'E') => match records::read_event(key) {
                Some(number) if is_about(&EventRecord::decode(key, bytes)?.json, name) => Theirs::Event(number),
                _ => Theirs::Nothing,
            },
            Some(b'S') => {
                let record: Record = records::decode(key, bytes)?;
                let is_theirs = record.card().is_some_and(|card| card.user.as_deref() == Some(name));
                match keys::read_key(key).filter(|_| is_theirs) {
                    Some(session) => Theirs::Session(session, record.is_open()),
                    None => Theirs::Nothing,
                }
            }
            Some(&keys::PERSON) if *key == keys::person(user) => Theirs::Memory,
            Some(&keys::DEVICE) => {
                let device: Device = records::decode(key, bytes)?;
                match device.last.is_some_and(|last| last.user.as_ref() == Some(user)) {
                    true => Theirs::Memory,
                    false => Theirs::Nothing,
                }
            }
            _ => Theirs::Nothing,
        })
    }

    fn record(&self, session: &SessionKey) -> Result<Option<Record>, ListError> {
        let key = records::session(session);
        Ok(self.store.get(&key)?.map(|bytes| records::decode(&key, &bytes)).transpose()?)
    }

    fn done(&self, deed: Deed) -> Result<usize, ListError> {
        let (answer, answered) = bounded(1);
        self.intake.commands.send(Command::Sessions { deed, answer }).map_err(|_| ListError::Stopping)?;
        Ok(answered.recv().map_err(|_| ListError::Stopping)??)
    }
}

/// What a record is to a person.
enum Theirs {
    Event(records::EventNumber),
    Session(SessionKey, bool),
    Memory,
    Nothing,
}

/// Whether an event is about a user, by whichever of the names it has for them.
fn is_about(json: &[u8], name: &str) -> bool {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(json) else { return false };
    let data = &event["data"];
    let names = [&data["user"]["name"], &data["attributes"]["User-Name"], &data["reply_attributes"]["User-Name"]];
    names
        .into_iter()
        .any(|named| named == name || named.as_array().is_some_and(|all| all.iter().any(|one| one == name)))
}

impl Session {
    fn of(key: SessionKey, record: &Record) -> Option<Self> {
        let card = record.card()?;
        let (duration, counters) = record.figures();
        let state = match record.ended() {
            _ if record.is_open() => "open",
            Some(_) => "lost",
            None => "stopped",
        };
        Some(Self {
            unique_id: record.unique_id(&key),
            id: card.session_id.clone(),
            key,
            state: state.to_owned(),
            lost_because: record.ended().map(|ended| ended.why.name().to_owned()),
            user: card.user.clone(),
            mac: card.mac.map(|mac| mac.to_string()),
            ip: card.ip,
            hostname: card.hostname.clone(),
            nas: card.nas_name(),
            nas_ip: card.nas_ip,
            ap: card.ap.map(|ap| ap.to_string()),
            ssid: card.ssid.clone(),
            multi_id: card.multi_id.clone(),
            started_at: record.started_at(),
            last_seen_at: record.seen_at(),
            duration,
            input_octets: counters.input_octets,
            output_octets: counters.output_octets,
            auth_id: record.auth_id(),
        })
    }
}

/// The key in a cursor.
fn cursor(after: Option<&str>) -> Result<Option<Key>, BadCursor> {
    let Some(text) = after else { return Ok(None) };
    let octets =
        (0..text.len()).step_by(2).map(|at| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok()));
    octets.collect::<Option<Key>>().filter(|key| !key.is_empty()).map(Some).ok_or_else(|| BadCursor::new(text))
}
