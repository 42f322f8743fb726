//! What is fuzzed: one function for each thing that strangers can send, which takes any octets and must come back.
//!
//! They check more than that nothing panics: what must hold of every input is asserted. The same functions run over
//! all seeds in `tests/corpora.rs`.

use std::sync::Arc;
use std::time::Duration;

use radhook::exchange::Exchange;
use radhook::radius::authenticator::{verify_request, verify_request_message};
use radhook::radius::dictionary::Loader;
use radhook::radius::{Dictionary, Packet, Value, decode, numbers, redaction};
use radhook::session::{Context, Known, Login, Meaning, SessionOptions, observe};
use radhook::source::client::Clients;
use radhook::source::observer::{Sighting, Watch};
use radhook::trace::capture::Capture;
use radhook::trace::detail::{BadRecord, Reader, Record, attributes};
use radhook::trace::link::Datagrams;
use radhook::trace::pairs::{Pairs, Role, Seen};
use radhook::trace::{Datagram, Format};

/// A datagram: walked, decoded by name, checked against a secret.
pub fn packet(octets: &[u8]) {
    let Ok(packet) = Packet::parse(octets) else { return };
    let walked: usize = packet.attributes().map(|attribute| attribute.value.len() + 2).sum();
    assert_eq!(walked + 20, packet.bytes().len(), "the walk covers the packet");
    for attribute in decode(&packet, &Dictionary::shipped()).iter() {
        let (id, name) = (attribute.id, &attribute.name);
        assert!(!numbers::is_sensitive(id) || attribute.value == Value::Redacted, "{name} is shown");
        // What is hidden once has nothing left to hide.
        let again = redaction::hide_pairs(id, attribute.value.clone());
        assert!(again == attribute.value, "{name} shows a secret among its pairs");
    }
    // Whoever gets this right by chance has found MD5's end.
    let _ = (verify_request(&packet, b"secret"), verify_request_message(&packet, b"secret"));
}

/// A dictionary file. One that includes others is left out: what is on the disk is not part of the input.
pub fn dictionary(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if text.to_ascii_uppercase().contains("$INCLUDE") {
        return;
    }
    let mut loader = Loader::on(&Dictionary::shipped());
    let loaded = loader.text("fuzzed", &text);
    let (dictionary, _) = loader.finish();
    if loaded.is_ok() {
        for definition in dictionary.iter() {
            assert!(dictionary.by_name(&definition.name).is_some(), "{} is found by its name", definition.name);
        }
    }
}

/// Datagrams one behind the other, as they pass a relay: requests and replies, up to the events that they become.
pub fn event(octets: &[u8]) {
    let clients = Arc::new(Clients::default());
    let mut watch = Watch::new("fuzzed".into(), "relay", clients, Dictionary::shipped(), Duration::from_secs(30));
    let (nas, server) = (([192, 0, 2, 1], 40_000).into(), ([192, 0, 2, 2], 1812).into());
    let at = |ms: i64| jiff::Timestamp::from_millisecond(1_795_342_530_000 + ms).expect("it is a time");
    let mut exchanges = Vec::new();
    let (mut rest, mut ms) = (octets, 0_i64);
    while let Ok(packet) = Packet::parse(rest) {
        let (from, to) = if Role::of(packet.code()) == Role::Reply { (server, nas) } else { (nas, server) };
        watch.see(&Sighting { at: at(ms), from, to, octets: packet.bytes().into() }, &mut exchanges);
        rest = &rest[packet.bytes().len()..];
        ms += 1;
    }
    watch.expire(at(60_000), &mut exchanges);
    for exchange in &exchanges {
        told(exchange);
    }
}

/// Tells an exchange twice, as a session goes on.
fn told(exchange: &Exchange) {
    let Ok(meaning) = Meaning::read(exchange) else { return };
    let (options, node) = (SessionOptions { acct_unique_id: true, ..SessionOptions::default() }, "node".into());
    let context = Context { options: &options, node: &node, now: 0 };
    let nothing = Known::default();
    let first = observe(exchange, &meaning, &nothing, meaning.id(0), &context);
    let told = serde_json::to_string(&first.events).expect("every event is JSON");
    assert_eq!(meaning.id(0), Meaning::read(exchange).expect("as before").id(0), "the same fact has the same id");
    let login = Some(Login { event: meaning.id(0), limits: Default::default() });
    let (record, person, device) = (first.record, first.person, first.device);
    let known = Known { record, login, person, device, nas: None };
    let again = observe(exchange, &meaning, &known, meaning.id(1), &context);
    let again = serde_json::to_string(&again.events).expect("every event is JSON");
    // What is hidden as a whole is left out; of a pair its name stays.
    assert!(!told.contains("\"[redacted]\"") && !again.contains("\"[redacted]\""));
}

/// A detail file, taken whole and in pieces: the same records come out.
pub fn detail(octets: &[u8]) {
    let whole = records(octets, octets.len().max(1));
    assert_eq!(whole, records(octets, 7));
    let dictionary = Dictionary::shipped();
    for record in whole.iter().flatten() {
        assert!(attributes(record, &dictionary).len() >= record.pairs.len(), "nothing is lost");
    }
}

fn records(octets: &[u8], piece: usize) -> Vec<Result<Record, BadRecord>> {
    let mut records = Vec::new();
    let mut reader = Reader::default();
    for piece in octets.chunks(piece) {
        reader.push(piece, |record| records.push(record));
    }
    records.extend(reader.finish());
    records
}

/// A capture: its frames, their datagrams, their packets and which answers which.
pub fn pcap(octets: &[u8]) {
    let Ok(format @ (Format::Pcap | Format::Pcapng)) = Format::of(octets) else { return };
    let Ok(capture) = Capture::open(format, octets) else { return };
    let mut datagrams = Datagrams::default();
    let mut pairs = Pairs::default();
    for (number, frame) in (1..).zip(capture) {
        let Ok(frame) = frame else { break };
        let Some(Datagram { time, source, destination, payload, length }) = datagrams.datagram(&frame) else {
            continue;
        };
        assert!(payload.len() <= length, "no more is there than was sent");
        packet(&payload);
        if let Ok(packet) = &Packet::parse(&payload) {
            pairs.see(Seen { number, time, path: Some((source, destination)), packet });
        }
    }
    let (unanswered, count) = pairs.finish();
    assert!(unanswered.len() as u64 <= count);
}
