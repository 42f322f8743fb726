//! The step of a session by each of its packets: what is known goes in, what is told and what is known then come out. Beside it what
//! the session's record costs on its way into the store and out again.

mod exchanges;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use exchanges::exchange;
use radhook::lab::nas::{Nas, NasOptions};
use radhook::session::{Context, Known, Meaning, SessionOptions, observe};
use radhook::store::records;

fn steps(criterion: &mut Criterion) {
    let mut session = Nas::new(NasOptions { interims: 1, ..NasOptions::default() }).open(exchanges::now());
    let packets = ["start", "update", "stop"].map(|name| (name, exchange(&mut session)));
    let node: Arc<str> = "node".into();
    let options = SessionOptions::default();
    let context = Context { options: &options, node: &node, now: exchanges::now().as_millisecond() };
    let mut group = criterion.benchmark_group("session step");
    let mut known = Known::default();
    for (name, exchange) in &packets {
        let meaning = Meaning::read(exchange).unwrap();
        group.bench_function(*name, |bencher| {
            bencher.iter(|| observe(black_box(exchange), &meaning, &known, meaning.id(0), &context));
        });
        let step = observe(exchange, &meaning, &known, meaning.id(0), &context);
        group.bench_function(format!("JSON of the {name}"), |bencher| {
            bencher.iter(|| serde_json::to_vec(black_box(&step.events[0])).unwrap());
        });
        known = Known { record: step.record, person: step.person, device: step.device, ..Known::default() };
    }
    let record = known.record.expect("a stop leaves a record");
    let octets = records::encode(&record);
    group.bench_function("record, written", |bencher| bencher.iter(|| records::encode(black_box(&record))));
    group.bench_function("record, read", |bencher| {
        bencher.iter(|| records::decode::<radhook::session::Record>(b"S", black_box(&octets)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
