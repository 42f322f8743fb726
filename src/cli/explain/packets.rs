//! Packets out of a file, as what a source would hand to intake: by the same observer and the same reader of detail records.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::decode::frames::{Frames, InFrame, known_packet};
use crate::cli::decode::{PORTS, beginning, open};
use crate::config::Config;
use crate::exchange::{Exchange, Origin};
use crate::radius::authenticator::verify_request;
use crate::radius::{Code, Dictionary, Packet};
use crate::source::client::{Client, Clients};
use crate::source::detail::{Teller, Told};
use crate::source::observer::{Outcome, Sighting, Watch};
use crate::trace::capture::Capture;
use crate::trace::detail::Reader;
use crate::trace::hex::Dump;
use crate::trace::link::Datagrams;
use crate::trace::pairs::Role;
use crate::trace::{Datagram, Format};

/// The most packets of one file: nobody reads what more of them would come to.
const MAX_PACKETS: u64 = 1_000;

/// The most octets of a file. It holds what somebody wants explained, not a day's traffic.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Where whoever asks is taken to be when a dump does not tell.
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A packet, what is to be said of it, and what it lets a source hand in.
#[derive(Debug)]
pub struct Taken {
    /// What it is, in a few words.
    pub what: String,
    /// What an operator should know of it.
    pub notes: Vec<String>,
    /// What a source would hand in: nothing, or one, or of a request that waited another one before.
    pub exchanges: Vec<Exchange>,
}

/// All packets of a file, in order.
pub fn read(
    file: &Path,
    config: &Config,
    chosen: Option<&Arc<Client>>,
    dictionary: Arc<Dictionary>,
) -> anyhow::Result<Vec<Taken>> {
    let name = if file.as_os_str() == "-" { "stdin".to_owned() } else { file.display().to_string() };
    let mut source = open(file).with_context(|| format!("open {name}"))?;
    let beginning = beginning(&mut source).with_context(|| format!("read {name}"))?;
    let format = Format::of(&beginning).with_context(|| format!("cannot decode {name}"))?;
    let mut reading = Reading::new(config, chosen, dictionary);
    let mut source = beginning.as_slice().chain(source).take(MAX_FILE);
    match format {
        Format::Pcap | Format::Pcapng => reading.capture(format, source).with_context(|| format!("read {name}"))?,
        Format::Hex => reading.dump(&text(&mut source).with_context(|| format!("read {name}"))?)?,
        Format::Detail => reading.detail(file, &text(&mut source).with_context(|| format!("read {name}"))?)?,
    }
    reading.finish();
    if reading.taken.is_empty() {
        bail!("there is no RADIUS packet in {name}");
    }
    Ok(reading.taken)
}

fn text(source: &mut impl Read) -> io::Result<String> {
    let mut octets = Vec::new();
    source.read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

struct Reading<'c> {
    config: &'c Config,
    chosen: Option<&'c Arc<Client>>,
    dictionary: Arc<Dictionary>,
    /// Makes exchanges of everything, whoever sent it.
    believing: Watch,
    /// Tells what a source would make of it.
    judging: Watch,
    taken: Vec<Taken>,
}

impl<'c> Reading<'c> {
    fn new(config: &'c Config, chosen: Option<&'c Arc<Client>>, dictionary: Arc<Dictionary>) -> Self {
        let watch = |clients: Clients| {
            let patience = Duration::from_secs(30);
            Watch::new("capture".into(), "capture", Arc::new(clients), Arc::clone(&dictionary), patience)
        };
        // Whoever was chosen sent everything.
        let clients = match chosen {
            Some(client) => {
                let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a constant network"));
                Clients::new(everywhere.map(|network| Client { network, ..(**client).clone() }).to_vec())
            }
            None => config.clients.clone(),
        };
        let (believing, judging) = (watch(Clients::default()), watch(clients));
        Self { config, chosen, dictionary, believing, judging, taken: Vec::new() }
    }

    fn has_room(&self) -> bool {
        (self.taken.len() as u64) < MAX_PACKETS
    }

    fn capture(&mut self, format: Format, source: impl Read) -> anyhow::Result<()> {
        let mut capture = Capture::open(format, source)?;
        let mut datagrams = Datagrams::default();
        let mut latest = None;
        for frame in &mut capture {
            let frame = frame?;
            let Some(datagram) = datagrams.datagram(&frame) else { continue };
            let ports = [datagram.source.port(), datagram.destination.port()];
            if !ports.iter().any(|port| PORTS.contains(port)) {
                continue;
            }
            if !self.has_room() {
                eprintln!("radhook: only the first {MAX_PACKETS} packets are explained");
                break;
            }
            latest = datagram.time.or(latest);
            self.datagram(datagram, latest.unwrap_or_else(Timestamp::now));
        }
        Ok(())
    }

    fn datagram(&mut self, datagram: Datagram, at: Timestamp) {
        let cut = datagram.is_cut().then(|| "the capture kept only its beginning".to_owned());
        let sighting =
            Sighting { at, from: datagram.source, to: datagram.destination, octets: datagram.payload.into() };
        self.see(&sighting, cut.into_iter().collect());
    }

    fn dump(&mut self, text: &str) -> anyhow::Result<()> {
        let (mut dump, mut frames) = (Dump::default(), Frames::default());
        for line in text.lines() {
            if let Some(block) = dump.line(line)? {
                self.block(&mut frames, &block.octets);
            }
        }
        if let Some(block) = dump.end() {
            self.block(&mut frames, &block.octets);
        }
        Ok(())
    }

    /// Packets one after the other, or a frame.
    fn block(&mut self, frames: &mut Frames, octets: &[u8]) {
        let now = Timestamp::now();
        let mut rest = octets;
        while let Some(packet) = known_packet(rest).filter(|_| self.has_room()) {
            let length = packet.bytes().len();
            self.bare(&packet, now);
            rest = &rest[length..];
        }
        if rest.len() < octets.len() {
            return;
        }
        match frames.datagram(octets) {
            InFrame::Datagram(datagram) => self.datagram(datagram, now),
            InFrame::Fragment => {}
            InFrame::Nothing => {
                let why = Packet::parse(octets).err().map(|error| error.to_string());
                let why = why.unwrap_or_else(|| "its code is not known".to_owned());
                self.taken.push(Taken {
                    what: format!("{} octets", octets.len()),
                    notes: vec![format!("no RADIUS packet: {why}")],
                    exchanges: Vec::new(),
                });
            }
        }
    }

    /// A packet without addresses.
    fn bare(&mut self, packet: &Packet<'_>, at: Timestamp) {
        const ANY_PORT: u16 = 49_152;
        let (client, note) = match self.chosen.or_else(|| self.fits(packet)) {
            Some(client) => {
                let address = client.network.addr();
                (address, format!("a dump tells no addresses: taken as sent by {} ({address})", client.name))
            }
            None => (SOMEBODY, format!("a dump tells no addresses: taken as sent from {SOMEBODY}; --client chooses")),
        };
        let asks = SocketAddr::new(client, ANY_PORT);
        let asked = SocketAddr::new(SOMEBODY, port(packet.code()));
        // Of RFC 5176 the NAS is asked.
        let (asks, asked) = match packet.code().is_dynamic_authorization() {
            true => (SocketAddr::new(asked.ip(), asks.port()), SocketAddr::new(asks.ip(), asked.port())),
            false => (asks, asked),
        };
        let (from, to) = match Role::of(packet.code()) {
            Role::Reply => (asked, asks),
            Role::Request | Role::Unknown => (asks, asked),
        };
        self.see(&Sighting { at, from, to, octets: packet.bytes().into() }, vec![note]);
    }

    /// The client whose secret a packet's own authenticator shows.
    fn fits(&self, packet: &Packet<'_>) -> Option<&'c Arc<Client>> {
        let shows = packet.code() == Code::ACCOUNTING_REQUEST || packet.code().is_dynamic_authorization();
        self.config.clients.iter().find(|client| shows && verify_request(packet, client.secret.expose()))
    }

    fn see(&mut self, sighting: &Sighting, mut notes: Vec<String>) {
        let what = match Packet::parse(&sighting.octets) {
            Ok(packet) => format!("{} from {} to {}", packet.code(), sighting.from, sighting.to),
            Err(_) => format!("{} octets from {} to {}", sighting.octets.len(), sighting.from, sighting.to),
        };
        let judged = self.judging.see(sighting, &mut Vec::new());
        let mut exchanges = Vec::new();
        let believed = self.believing.see(sighting, &mut exchanges);
        match (judged.outcome, believed.outcome) {
            (_, Outcome::Dropped("reply_without_request")) => notes.push("its request is not there".to_owned()),
            (Outcome::Dropped(reason), _) => notes.push(format!("a running radhook drops it: {}", dropped(reason))),
            (_, Outcome::Retransmission) => notes.push("it was sent before: nothing new".to_owned()),
            (_, Outcome::Waits) => notes.push("it waits for its reply".to_owned()),
            (_, Outcome::Passed) => notes.push("it makes no event".to_owned()),
            _ => {}
        }
        for exchange in &mut exchanges {
            notes.extend(self.named(exchange));
        }
        self.taken.push(Taken { what, notes, exchanges });
    }

    /// Gives an exchange the names that it would have. Says so where there is no client.
    fn named(&self, exchange: &mut Exchange) -> Option<String> {
        let kinds: &[&str] = match exchange.code {
            Code::ACCOUNTING_REQUEST => &["accounting", "relay", "capture"],
            _ => &["relay", "capture"],
        };
        let taking = |kind: &&str| self.config.sources.iter().find(|source| source.kind() == *kind);
        if let Some(source) = kinds.iter().find_map(taking) {
            (exchange.origin.source, exchange.origin.kind) = (Arc::clone(source.name()), source.kind());
        }
        let accounting = exchange.code == Code::ACCOUNTING_REQUEST;
        match self.client_of(&exchange.origin) {
            Some(client) => {
                exchange.origin.client = Arc::clone(&client.name);
                exchange.swap_octets = accounting && client.swap_octets;
                None
            }
            None => {
                let address = exchange.origin.address;
                // Where it must be answered or verified, it is not even looked at.
                let then = match accounting && exchange.origin.kind == "accounting" {
                    true => "an accounting source drops it; explained all the same",
                    false => "nothing proves that it is genuine; explained all the same",
                };
                Some(format!("no [[client]] has the address {address}: {then}, and --client chooses one"))
            }
        }
    }

    fn client_of(&self, origin: &Origin) -> Option<&Arc<Client>> {
        self.chosen.or_else(|| self.config.clients.lookup(origin.address))
    }

    fn detail(&mut self, file: &Path, text: &str) -> anyhow::Result<()> {
        let own = self.config.sources.iter().find(|source| source.kind() == "detail");
        let teller = Teller {
            name: own.map_or_else(|| "detail".into(), |source| Arc::clone(source.name())),
            clients: Arc::new(self.config.clients.clone()),
            dictionary: Arc::clone(&self.dictionary),
            zone: TimeZone::system(),
        };
        let mut records = Vec::new();
        let mut reader = Reader::default();
        reader.push(text.as_bytes(), |record| records.push(record));
        records.extend(reader.finish());
        for record in records.into_iter().take(MAX_PACKETS as usize) {
            let record = record?;
            let what = format!("the record of line {}", record.line);
            let taken = match teller.tell(&record, file, Timestamp::now()) {
                Told::Exchange(_, mut exchange) => {
                    let mut notes = Vec::new();
                    match self.client_of(&exchange.origin) {
                        Some(client) => exchange.origin.client = Arc::clone(&client.name),
                        None => notes.push(format!("no [[client]] has the address {}", exchange.origin.address)),
                    }
                    Taken { what, notes, exchanges: vec![*exchange] }
                }
                Told::Nothing(kind) => {
                    let note = format!("it makes no event: {}", kind.label().replace('_', " "));
                    Taken { what, notes: vec![note], exchanges: Vec::new() }
                }
            };
            self.taken.push(taken);
        }
        Ok(())
    }

    /// Requests without a reply are over now.
    fn finish(&mut self) {
        let mut exchanges = Vec::new();
        self.believing.expire(Timestamp::MAX, &mut exchanges);
        for mut exchange in exchanges {
            let mut notes = vec!["no reply to it is there: explained as one that nobody answered".to_owned()];
            notes.extend(self.named(&mut exchange));
            let what = format!("{} from {}", exchange.code, exchange.origin.address);
            self.taken.push(Taken { what, notes, exchanges: vec![exchange] });
        }
    }
}

/// The port at which such a packet is taken.
fn port(code: Code) -> u16 {
    match code {
        Code::ACCOUNTING_REQUEST | Code::ACCOUNTING_RESPONSE => 1813,
        code if code.is_dynamic_authorization() => 3799,
        _ => 1812,
    }
}

/// Why a packet is dropped, for an operator.
fn dropped(reason: &str) -> &str {
    match reason {
        "malformed" => "it is no RADIUS packet",
        "unexpected_code" => "its code is none that makes events",
        "bad_authenticator" => "wrong Request Authenticator, the client's secret differs from ours",
        "bad_message_authenticator" => "wrong Message-Authenticator, the client's secret differs from ours",
        "no_message_authenticator" => "no Message-Authenticator, which is required of it",
        "forged_reply" => "wrong Response Authenticator, the client's secret differs from ours",
        "reply_without_request" => "its request was dropped, or is not there",
        other => other,
    }
}
