//! The cost of a packet of 200 octets: walked, decoded by name, made an event, verified; beside the `radius` crate, whose
//! decoding copies the attributes under their numbers: it looks up no names, reads no types and enters no
//! Vendor-Specific, and there is no way to list what it has found.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use radhook::exchange::{Exchange, Login, Origin};
use radhook::radius::dictionary::Loader;
use radhook::radius::{Dictionary, Packet, authenticator, decode, response};
use radhook::session::{Context, Known, Meaning, SessionOptions, observe};

const SECRET: &[u8] = b"xyzzy5461";
const FREERADIUS: &str = "/usr/share/freeradius/dictionary";

/// An Interim-Update as a Wi-Fi controller sends it: 18 attributes, 200 octets.
fn interim_update() -> Vec<u8> {
    let mut octets = vec![4, 7, 0, 200];
    octets.extend([0; 16]);
    let mut add = |number: u8, value: &[u8]| {
        octets.extend([number, value.len() as u8 + 2]);
        octets.extend(value);
    };
    add(1, b"alice@example.org");
    add(40, &[0, 0, 0, 3]);
    add(44, b"5F1A-00012345");
    add(4, &[10, 0, 0, 1]);
    add(5, &[0, 0, 0, 7]);
    add(61, &[0, 0, 0, 19]);
    add(8, &[10, 1, 2, 3]);
    add(30, b"00-11-22-33-44-55:Guest");
    add(31, b"AA-BB-CC-DD-EE-FF");
    add(46, &[0, 0, 14, 16]);
    add(42, &[0, 0, 3, 232]);
    add(43, &[0, 0, 3, 232]);
    add(52, &[0, 0, 0, 1]);
    add(53, &[0, 0, 0, 0]);
    add(55, &[0x65, 0, 0, 0]);
    add(45, &[0, 0, 0, 1]);
    add(6, &[0, 0, 0, 2]);
    add(25, b"0123456789abcdef012345");
    assert_eq!(octets.len(), 200);
    let signature = authenticator::request_authenticator(&octets, SECRET);
    octets[4..20].copy_from_slice(&signature);
    octets
}

/// From octets to the event's JSON, as it would be stored: of a session that was not seen before.
fn event(octets: &[u8], dictionary: &Dictionary, origin: &Origin) -> Option<String> {
    let packet = Packet::parse(octets).ok()?;
    let exchange = Exchange {
        origin: origin.clone(),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        code: packet.code(),
        reply: None,
        login: Login::default(),
        request: decode(&packet, dictionary),
        swap_octets: false,
    };
    let meaning = Meaning::read(&exchange).ok()?;
    let (options, node, known) = (SessionOptions::default(), "node".into(), Known::default());
    let context = Context { options: &options, node: &node, now: 0 };
    let observed = observe(&exchange, &meaning, &known, meaning.id(0), &context);
    serde_json::to_string(&observed.events).ok()
}

fn packet(criterion: &mut Criterion) {
    let octets = interim_update();
    let dictionary = Dictionary::shipped();
    let packet = Packet::parse(&octets).expect("it is well formed");
    let mut group = criterion.benchmark_group("200 octets");
    group.bench_function("parse and walk", |bencher| {
        bencher.iter(|| Packet::parse(black_box(&octets)).map(|packet| packet.attributes().count()))
    });
    group.bench_function("decode by name", |bencher| bencher.iter(|| decode(black_box(&packet), &dictionary)));
    let address = [192, 0, 2, 1].into();
    let origin = Origin { source: "acct".into(), kind: "accounting", client: "freeradius".into(), address };
    assert!(event(&octets, &dictionary, &origin).is_some_and(|json| json.contains("alice@example.org")));
    group.bench_function("parse, decode by name, make an event, write its JSON", |bencher| {
        bencher.iter(|| event(black_box(&octets), &dictionary, &origin))
    });
    group.bench_function("verify the authenticator", |bencher| {
        bencher.iter(|| authenticator::verify_request(black_box(&packet), SECRET))
    });
    group.bench_function("build the answer", |bencher| {
        bencher.iter(|| response::accounting_response(black_box(&packet), SECRET))
    });
    group.bench_function("radius crate: decode, without names, types and vendors", |bencher| {
        bencher.iter(|| radius::core::packet::Packet::decode(black_box(&octets), SECRET))
    });
    group.bench_function("radius crate: verify the authenticator", |bencher| {
        bencher.iter(|| radius::core::packet::Packet::is_authentic_request(black_box(&octets), SECRET))
    });
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load a dictionary");
    group.bench_function("shipped", |bencher| {
        bencher.iter(|| {
            let mut loader = Loader::empty();
            loader.shipped().expect("it has no errors");
            loader.finish()
        })
    });
    if Path::new(FREERADIUS).exists() {
        group.sample_size(20).bench_function("all of FreeRADIUS's", |bencher| {
            bencher.iter(|| {
                let mut loader = Loader::empty();
                loader.file(Path::new(FREERADIUS)).expect("it has no errors");
                loader.finish()
            })
        });
    }
    group.finish();
}

criterion_group!(benches, packet, load);
criterion_main!(benches);
