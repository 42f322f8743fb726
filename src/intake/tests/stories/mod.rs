//! Stories: packets in, events out. Each is a sentence about what happens on real networks, told through the planner over a
//! store in memory, as the writer does it.

mod counters;
mod ends;
mod identity;
mod order;
mod people;
mod properties;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::{MemoryStore, Planner, route};
use crate::event::rfc3339;
use crate::exchange::{Exchange, Login, Origin, Reply};
use crate::intake::Came;
use crate::radius::{Attribute, AttributeId, Attributes, Code, Value, numbers};
use crate::session::SessionOptions;
use crate::store::records::{self, EventRecord};
use crate::store::{Bytes, Key};
use crate::store::{Durability, Store};

pub(super) const START: u64 = 1;
pub(super) const STOP: u64 = 2;
pub(super) const INTERIM: u64 = 3;
pub(super) const ON: u64 = 7;
pub(super) const OFF: u64 = 8;

/// 2026-11-22T10:00:00Z: second 0 of every story.
pub(super) const BEGIN: i64 = 1_795_341_600;

pub(super) const GIB4: u64 = 1 << 32;

/// What everything that is told must fit.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let native = crate::render::schema::ALL.iter().find(|schema| schema.file == "native.json").unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&(native.make)()).unwrap()
});

/// A packet in the making.
#[derive(Clone)]
pub(super) struct Packet(Exchange);

/// A packet of alice's session `a` on the lobby's access point, undated, with nothing but who and where.
pub(super) fn packet(status: u64) -> Packet {
    let request = Attributes::from_iter([
        number(numbers::ACCT_STATUS_TYPE, status),
        text(numbers::ACCT_SESSION_ID, "a"),
        text(numbers::USER_NAME, "alice"),
        text(numbers::CALLING_STATION_ID, "a8-bb-cc-dd-ee-ff"),
        text(numbers::CALLED_STATION_ID, "00-11-22-33-44-55:Guest"),
        text(numbers::NAS_IDENTIFIER, "lobby"),
    ]);
    let origin = Origin {
        source: "acct".into(),
        kind: "accounting",
        client: "nas".into(),
        address: "10.0.0.1".parse().unwrap(),
    };
    Packet(Exchange {
        origin,
        received_at: Timestamp::from_second(BEGIN).unwrap(),
        code: Code::ACCOUNTING_REQUEST,
        reply: None,
        login: Login::default(),
        request,
        swap_octets: false,
    })
}

/// A login of alice that was accepted, with these attributes in the reply.
pub(super) fn accept(reply: &[(AttributeId, u64)]) -> Packet {
    let mut packet = packet(0).without(numbers::ACCT_STATUS_TYPE);
    packet.0.code = Code::ACCESS_REQUEST;
    packet.0.login.authenticator = Some([7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5, 2]);
    let attributes = reply.iter().map(|(id, value)| number(*id, *value)).collect();
    packet.0.reply = Some(Reply { code: Code::ACCESS_ACCEPT, attributes, latency: None });
    packet
}

fn text(id: AttributeId, value: &str) -> Attribute {
    Attribute { id, name: format!("t{}-{}", id.vendor, id.number).into(), value: Value::Text(value.into()) }
}

fn number(id: AttributeId, value: u64) -> Attribute {
    Attribute { id, name: format!("n{}-{}", id.vendor, id.number).into(), value: Value::Integer(value) }
}

impl Packet {
    /// Arrives so many seconds in.
    pub(super) fn at(mut self, seconds: i64) -> Self {
        self.0.received_at = Timestamp::from_second(BEGIN + seconds).unwrap();
        self
    }
    pub(super) fn without(mut self, id: AttributeId) -> Self {
        self.0.request.remove(id);
        self
    }
    pub(super) fn with(mut self, attribute: Attribute) -> Self {
        self.0.request.remove(attribute.id);
        self.0.request.push(attribute);
        self
    }
    pub(super) fn session(self, id: &str) -> Self {
        self.with(text(numbers::ACCT_SESSION_ID, id))
    }
    pub(super) fn multi(self, id: &str) -> Self {
        self.with(text(numbers::ACCT_MULTI_SESSION_ID, id))
    }
    pub(super) fn user(self, name: &str) -> Self {
        self.with(text(numbers::USER_NAME, name))
    }
    pub(super) fn mac(self, mac: &str) -> Self {
        self.with(text(numbers::CALLING_STATION_ID, mac))
    }
    pub(super) fn ap(self, called: &str) -> Self {
        self.with(text(numbers::CALLED_STATION_ID, called))
    }
    pub(super) fn nas(mut self, identifier: &str, address: &str) -> Self {
        self.0.origin.address = address.parse().unwrap();
        self.with(text(numbers::NAS_IDENTIFIER, identifier))
    }
    /// Acct-Session-Time.
    pub(super) fn time(self, seconds: u64) -> Self {
        self.with(number(numbers::ACCT_SESSION_TIME, seconds))
    }
    /// The lower halves of the octet counters.
    pub(super) fn octets(self, input: u64, output: u64) -> Self {
        self.with(number(numbers::ACCT_INPUT_OCTETS, input)).with(number(numbers::ACCT_OUTPUT_OCTETS, output))
    }
    pub(super) fn packets(self, input: u64, output: u64) -> Self {
        self.with(number(numbers::ACCT_INPUT_PACKETS, input)).with(number(numbers::ACCT_OUTPUT_PACKETS, output))
    }
    pub(super) fn gigawords(self, input: u64, output: u64) -> Self {
        self.with(number(numbers::ACCT_INPUT_GIGAWORDS, input)).with(number(numbers::ACCT_OUTPUT_GIGAWORDS, output))
    }
    /// Event-Timestamp, so many seconds in.
    pub(super) fn dated(self, seconds: i64) -> Self {
        self.with(number(numbers::EVENT_TIMESTAMP, (BEGIN + seconds).cast_unsigned()))
    }
    pub(super) fn delay(self, seconds: u64) -> Self {
        self.with(number(numbers::ACCT_DELAY_TIME, seconds))
    }
    pub(super) fn cause(self, cause: u64, name: &str) -> Self {
        let value = Value::Named { number: cause, name: name.into() };
        self.with(Attribute { id: numbers::ACCT_TERMINATE_CAUSE, name: "Acct-Terminate-Cause".into(), value })
    }
    pub(super) fn swapped(mut self) -> Self {
        self.0.swap_octets = true;
        self
    }
    /// By another path: another source, another address, attributes that were added on the way.
    pub(super) fn by(mut self, source: &str) -> Self {
        self.0.origin.source = source.into();
        self.with(text(AttributeId::rfc(33), "0x3031"))
    }
    /// As a Disconnect-Request that was acknowledged.
    pub(super) fn disconnected(mut self) -> Self {
        self.0.code = Code::DISCONNECT_REQUEST;
        self.0.login.authenticator = Some([9; 16]);
        self.0.reply = Some(Reply { code: Code::DISCONNECT_ACK, attributes: Attributes::default(), latency: None });
        self.without(numbers::ACCT_STATUS_TYPE)
    }
    fn seconds(&self) -> i64 {
        self.0.received_at.as_second() - BEGIN
    }
}

/// Where a story plays.
pub(super) struct Stage {
    pub(super) store: MemoryStore,
    pub(super) planner: Planner,
    pub(super) came: Vec<Came>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(SessionOptions::default())
    }

    pub(super) fn with(options: SessionOptions) -> Self {
        let store = MemoryStore::default();
        let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap().with(options);
        Self { store, planner, came: Vec::new() }
    }

    /// One packet, in a batch of its own.
    pub(super) fn take(&mut self, packet: Packet) -> &mut Self {
        let now = (BEGIN + packet.seconds()) * 1000;
        let mut plan = self.planner.plan(&self.store);
        self.came.push(self.planner.take_in(&mut plan, &packet.0, now).unwrap());
        plan.commit(&self.store, Durability::Durable).unwrap();
        self
    }

    pub(super) fn take_all(&mut self, packets: impl IntoIterator<Item = Packet>) -> &mut Self {
        packets.into_iter().for_each(|packet| {
            self.take(packet);
        });
        self
    }

    /// Time passes, up to so many seconds in, and whatever is due is done.
    pub(super) fn wait(&mut self, seconds: i64) -> &mut Self {
        loop {
            let mut plan = self.planner.plan(&self.store);
            let more = self.planner.tend(&mut plan, &self.store, (BEGIN + seconds) * 1000).unwrap();
            plan.commit(&self.store, Durability::Lazy).unwrap();
            if !more {
                return self;
            }
        }
    }

    /// Every event, in the order in which they were told.
    pub(super) fn events(&self) -> Vec<Json> {
        let entries = self.store.range(b"E", b"F", usize::MAX).unwrap();
        let json = |(key, bytes): &(Key, Bytes)| EventRecord::decode(key, bytes).unwrap().json;
        let events: Vec<Json> = entries.iter().map(|entry| serde_json::from_slice(&json(entry)).unwrap()).collect();
        for event in &events {
            let errors: Vec<String> = SCHEMA.iter_errors(event).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}: {event:#}");
        }
        events
    }

    /// Their types; those of sessions without the word before the dot.
    pub(super) fn told(&self) -> Vec<String> {
        let kind = |event: &Json| event["type"].as_str().unwrap().trim_start_matches("session.").to_owned();
        self.events().iter().map(kind).collect()
    }

    /// One fact of one event, by its path under `data`.
    pub(super) fn fact(&self, event: usize, path: &str) -> Json {
        let path = format!("/data/{}", path.replace('.', "/"));
        self.events()[event].pointer(&path).cloned().unwrap_or(Json::Null)
    }

    /// One fact of every event of a session.
    pub(super) fn facts(&self, path: &str) -> Vec<Json> {
        (0..self.events().len()).map(|event| self.fact(event, path)).collect()
    }

    pub(super) fn time(&self, event: usize) -> String {
        self.events()[event]["timestamp"].as_str().unwrap().to_owned()
    }

    /// Whether nothing is left in the indexes of open sessions.
    pub(super) fn nobody_is_here(&self) -> bool {
        [b"A", b"O"].iter().all(|letter| {
            let to = [letter[0] + 1];
            self.store.range(&letter[..], &to, 1).unwrap().is_empty()
        }) && (self.active_users(), self.open_sessions()) == (0, 0)
    }

    pub(super) fn active_users(&self) -> u64 {
        self.count(crate::store::sessions::ACTIVE_USERS)
    }

    pub(super) fn open_sessions(&self) -> u64 {
        self.count(crate::store::sessions::OPEN_SESSIONS)
    }

    fn count(&self, key: &[u8]) -> u64 {
        self.store.get(key).unwrap().map_or(0, |bytes| records::decode(key, &bytes).unwrap())
    }
}

/// So many seconds in, as events write it.
pub(super) fn at(seconds: i64) -> Json {
    rfc3339(Timestamp::from_second(BEGIN + seconds).unwrap()).into()
}
