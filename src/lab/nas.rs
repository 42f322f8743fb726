//! A simulated NAS: one access point with users coming and going, as pure logic.
//!
//! A [`Nas`] opens sessions, a [`Session`] says one [`Record`] after the other (start, interims, stop, RFC 2866 §2),
//! and a record becomes an Accounting-Request as often as it is asked to: the first time, again byte for byte, again
//! with a raised Acct-Delay-Time, or forged with a secret the other side does not know. No socket and no clock: `at`
//! is an argument, and the same seed gives the same packets.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use radius::core::avp::{AVP, AVPType};
use radius::core::code::Code;
use radius::core::packet::{Packet, PacketError};
use radius::core::{rfc2865, rfc2866, rfc2869};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::secret::Secret;

/// Who the simulated NAS is and whom it serves.
#[derive(Debug, Clone)]
pub struct NasOptions {
    /// NAS-Identifier.
    pub identifier: String,
    /// NAS-IP-Address.
    pub address: Ipv4Addr,
    /// The networks it offers; each has a radio address of its own in Called-Station-Id.
    pub ssids: Vec<String>,
    /// Different users, each with one device. They come in turn; at least 1.
    pub users: u32,
    /// What stands behind the `@` of every User-Name.
    pub realm: String,
    /// Interim-Updates between start and stop.
    pub interims: u32,
    /// Decides everything that looks like chance.
    pub seed: u64,
}

impl Default for NasOptions {
    fn default() -> Self {
        Self {
            identifier: "lobby-ap-1".to_owned(),
            address: Ipv4Addr::new(10, 0, 0, 1),
            ssids: vec!["Guest".to_owned(), "Staff".to_owned()],
            users: 1000,
            realm: "example.org".to_owned(),
            interims: 2,
            seed: 0,
        }
    }
}

/// The first users have names that read well in a demonstration; the rest are numbered.
const NAMES: [&str; 12] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "oscar"];

/// A simulated NAS.
#[derive(Debug)]
pub struct Nas {
    identity: Arc<Identity>,
    options: NasOptions,
    rng: StdRng,
    /// First half of every Acct-Session-Id: what a real NAS takes from its boot time, so that ids do not come back.
    boot: u32,
    opened: u32,
}

#[derive(Debug)]
struct Identity {
    name: String,
    address: Ipv4Addr,
}

/// What stays the same through a session.
#[derive(Debug)]
pub struct Subscriber {
    /// User-Name.
    pub user: String,
    /// Calling-Station-Id, as `02-1A-00-00-00-01`.
    pub mac: String,
    /// Acct-Session-Id.
    pub session: String,
    /// Called-Station-Id: radio address, colon, SSID (RFC 3580 §3.20).
    called: String,
    multi_session: String,
    address: Ipv4Addr,
    port: u32,
}

/// One session from start to stop.
#[derive(Debug)]
pub struct Session {
    identity: Arc<Identity>,
    subscriber: Arc<Subscriber>,
    rng: StdRng,
    interims: u32,
    said: u32,
    started_at: Timestamp,
    last_at: Timestamp,
    /// Octets a second, upload and download.
    rates: [f64; 2],
    usage: Usage,
}

/// Session counters, in the user's direction: input is upload (RFC 2866 §5.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Acct-Session-Time, seconds.
    pub seconds: u32,
    /// Acct-Input-Octets and -Gigawords together.
    pub input_octets: u64,
    /// Acct-Output-Octets and -Gigawords together.
    pub output_octets: u64,
    /// Acct-Input-Packets.
    pub input_packets: u32,
    /// Acct-Output-Packets.
    pub output_packets: u32,
}

/// Acct-Status-Type (RFC 2866 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A session began.
    Start = 1,
    /// A session ended.
    Stop = 2,
    /// A session goes on.
    InterimUpdate = 3,
    /// The NAS came up.
    AccountingOn = 7,
    /// The NAS goes down.
    AccountingOff = 8,
}

/// One accounting fact. Sent twice it is still one fact.
#[derive(Debug, Clone)]
pub struct Record {
    /// What happened.
    pub status: Status,
    /// When: Event-Timestamp (RFC 2869 §5.3), whole seconds.
    pub at: Timestamp,
    /// Whose session; `None` for the NAS's own on and off.
    pub subscriber: Option<Arc<Subscriber>>,
    /// The session's counters at that time; all 0 at its start.
    pub usage: Usage,
    /// Acct-Terminate-Cause of a stop.
    cause: Option<u32>,
    identity: Arc<Identity>,
}

impl Nas {
    /// A NAS that has not opened a session yet.
    pub fn new(options: NasOptions) -> Self {
        let mut rng = StdRng::seed_from_u64(options.seed);
        let identity = Arc::new(Identity { name: options.identifier.clone(), address: options.address });
        Self { identity, boot: rng.random(), rng, options, opened: 0 }
    }

    /// Opens the next user's session. Its first record comes from [`Session::next`].
    pub fn open(&mut self, started_at: Timestamp) -> Session {
        let number = self.opened;
        self.opened = self.opened.wrapping_add(1);
        let mut rng = StdRng::from_rng(&mut self.rng);
        let user = number % self.options.users.max(1);
        let name = match NAMES.get(user as usize) {
            Some(name) => format!("{name}@{}", self.options.realm),
            None => format!("user{user:05}@{}", self.options.realm),
        };
        let radio = rng.random_range(0..self.options.ssids.len().max(1));
        let ssid = self.options.ssids.get(radio).map_or("", String::as_str);
        let [_, _, third, fourth] = self.options.address.octets();
        let subscriber = Subscriber {
            user: name,
            mac: mac([0x02, 0x1a], user),
            session: format!("{:08X}-{number:08X}", self.boot),
            called: format!("00-11-22-{third:02X}-{fourth:02X}-{radio:02X}:{ssid}"),
            multi_session: format!("{:08X}-{number:08X}-{:04X}", self.boot, rng.random::<u16>()),
            address: Ipv4Addr::from_bits(Ipv4Addr::new(10, 1, 0, 0).to_bits() + (user & 0x003f_ffff)),
            port: number % u32::from(u16::MAX) + 1,
        };
        // Spread evenly over the orders of magnitude, from 10 kB/s to 100 MB/s: at such rates a few minutes carry
        // some sessions beyond 4 GiB, where the Gigawords begin.
        let mut rate = |share: f64| 10f64.powf(rng.random_range(4.0..8.0)) * share;
        let rates = [rate(0.2), rate(1.0)];
        Session {
            identity: Arc::clone(&self.identity),
            subscriber: Arc::new(subscriber),
            rng,
            interims: self.options.interims,
            said: 0,
            started_at,
            last_at: started_at,
            rates,
            usage: Usage::default(),
        }
    }

    /// Accounting-On: the NAS came up and knows no session.
    pub fn on(&self, at: Timestamp) -> Record {
        self.own(Status::AccountingOn, at, None)
    }

    /// Accounting-Off: the NAS goes down, and with it every session.
    pub fn off(&self, at: Timestamp) -> Record {
        self.own(Status::AccountingOff, at, Some(rfc2866::ACCT_TERMINATE_CAUSE_ADMIN_REBOOT))
    }

    fn own(&self, status: Status, at: Timestamp, cause: Option<u32>) -> Record {
        Record { status, at, subscriber: None, usage: Usage::default(), cause, identity: Arc::clone(&self.identity) }
    }
}

/// A device address: two bytes for the maker, four for the number, no two alike.
fn mac([first, second]: [u8; 2], number: u32) -> String {
    let [a, b, c, d] = number.wrapping_add(1).to_be_bytes();
    format!("{first:02X}-{second:02X}-{a:02X}-{b:02X}-{c:02X}-{d:02X}")
}

impl Session {
    /// What the NAS says next: the start, then each interim, then the stop, then nothing more. `at` is the time of
    /// the fact; counters grow by what the session carried since the last one.
    pub fn next(&mut self, at: Timestamp) -> Option<Record> {
        let status = match self.said {
            0 => Status::Start,
            said if said <= self.interims => Status::InterimUpdate,
            said if said == self.interims + 1 => Status::Stop,
            _ => return None,
        };
        self.said += 1;
        if status == Status::Start {
            self.started_at = at;
        } else {
            self.carry(at);
        }
        self.last_at = at;
        let cause = (status == Status::Stop).then(|| match self.rng.random_range(0..10) {
            0..6 => rfc2866::ACCT_TERMINATE_CAUSE_USER_REQUEST,
            6..8 => rfc2866::ACCT_TERMINATE_CAUSE_LOST_CARRIER,
            // No administrator and no limit: each record is one event, so that whoever plays them knows how many to expect.
            _ => rfc2866::ACCT_TERMINATE_CAUSE_IDLE_TIMEOUT,
        });
        let subscriber = Some(Arc::clone(&self.subscriber));
        Some(Record { status, at, subscriber, usage: self.usage, cause, identity: Arc::clone(&self.identity) })
    }

    /// Counts what went through since the last record.
    fn carry(&mut self, at: Timestamp) {
        /// Octets in an average packet: small for acknowledgements going up, large for what is fetched.
        const PACKET: [u64; 2] = [200, 1100];
        let elapsed = at.duration_since(self.last_at).as_secs_f64().max(0.0);
        let mut octets = |rate: f64| (rate * elapsed * self.rng.random_range(0.5..1.5)) as u64;
        let [input, output] = self.rates.map(&mut octets);
        let usage = &mut self.usage;
        usage.seconds = u32::try_from(at.duration_since(self.started_at).as_secs()).unwrap_or(0);
        usage.input_octets += input;
        usage.output_octets += output;
        // The packet counters have no Gigawords: they wrap (RFC 2866 §5.8).
        usage.input_packets = usage.input_packets.wrapping_add((input / PACKET[0]) as u32);
        usage.output_packets = usage.output_packets.wrapping_add((output / PACKET[1]) as u32);
    }
}

impl Record {
    /// This fact as an Accounting-Request (RFC 2866 §4.1). The same arguments give the same bytes, which is what an
    /// identical retransmission is; a raised `delay` (seconds since the fact) changes the content, so it asks for
    /// another `identifier` too (RFC 2866 §5.2). A `secret` the other side does not know makes a forged packet.
    ///
    /// Fails when a name in [`NasOptions`] is longer than an attribute can hold: 253 bytes.
    pub fn packet(&self, identifier: u8, secret: &Secret, delay: u32) -> Result<Vec<u8>, PacketError> {
        let mut packet = Packet::new_with_identifier(Code::AccountingRequest, secret.expose(), identifier);
        let number = |kind: AVPType, value: u32| AVP::from_u32(kind, value);
        let text = |kind: AVPType, value: &str| AVP::from_string(kind, value);
        packet.extend(vec![
            number(rfc2866::ACCT_STATUS_TYPE_TYPE, self.status as u32),
            text(rfc2865::NAS_IDENTIFIER_TYPE, &self.identity.name),
            AVP::from_ipv4(rfc2865::NAS_IP_ADDRESS_TYPE, &self.identity.address),
            number(rfc2869::EVENT_TIMESTAMP_TYPE, u32::try_from(self.at.as_second()).unwrap_or(0)),
            number(rfc2866::ACCT_DELAY_TIME_TYPE, delay),
        ]);
        if let Some(subscriber) = &self.subscriber {
            packet.extend(vec![
                text(rfc2865::USER_NAME_TYPE, &subscriber.user),
                text(rfc2865::CALLING_STATION_ID_TYPE, &subscriber.mac),
                text(rfc2865::CALLED_STATION_ID_TYPE, &subscriber.called),
                number(rfc2865::NAS_PORT_TYPE, subscriber.port),
                text(rfc2869::NAS_PORT_ID_TYPE, "wlan0"),
                number(rfc2865::NAS_PORT_TYPE_TYPE, rfc2865::NAS_PORT_TYPE_WIRELESS_802_11),
                AVP::from_ipv4(rfc2865::FRAMED_IP_ADDRESS_TYPE, &subscriber.address),
                text(rfc2866::ACCT_SESSION_ID_TYPE, &subscriber.session),
                text(rfc2866::ACCT_MULTI_SESSION_ID_TYPE, &subscriber.multi_session),
                number(rfc2866::ACCT_AUTHENTIC_TYPE, rfc2866::ACCT_AUTHENTIC_RADIUS),
            ]);
        }
        if matches!(self.status, Status::InterimUpdate | Status::Stop) {
            let Usage { seconds, input_octets, output_octets, input_packets, output_packets } = self.usage;
            packet.extend(vec![
                number(rfc2866::ACCT_SESSION_TIME_TYPE, seconds),
                number(rfc2866::ACCT_INPUT_OCTETS_TYPE, input_octets as u32),
                number(rfc2869::ACCT_INPUT_GIGAWORDS_TYPE, (input_octets >> 32) as u32),
                number(rfc2866::ACCT_OUTPUT_OCTETS_TYPE, output_octets as u32),
                number(rfc2869::ACCT_OUTPUT_GIGAWORDS_TYPE, (output_octets >> 32) as u32),
                number(rfc2866::ACCT_INPUT_PACKETS_TYPE, input_packets),
                number(rfc2866::ACCT_OUTPUT_PACKETS_TYPE, output_packets),
            ]);
        }
        if let Some(cause) = self.cause {
            packet.add(number(rfc2866::ACCT_TERMINATE_CAUSE_TYPE, cause));
        }
        packet.encode()
    }
}
