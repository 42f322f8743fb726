//! What an accounting packet costs between its decoding and its storage: the event alone, and batches through the
//! planner into a real store.

mod exchanges;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use exchanges::{Starts, exchange, now, route};
use radhook::intake::Planner;
use radhook::lab::nas::{Nas, NasOptions};
use radhook::session::{self, Context, Known, Meaning, SessionOptions};
use radhook::store::{Durability, DurableStore, Store, StoreOptions};

fn event(criterion: &mut Criterion) {
    let mut session = Nas::new(NasOptions::default()).open(now());
    exchange(&mut session);
    let update = exchange(&mut session);
    let node: Arc<str> = "node".into();
    let mut group = criterion.benchmark_group("event");
    group.throughput(Throughput::Elements(1));
    group.bench_function("meaning and ids", |bencher| {
        bencher.iter(|| {
            let meaning = Meaning::read(black_box(&update)).unwrap();
            (meaning.base(), meaning.id(0))
        });
    });
    let meaning = Meaning::read(&update).unwrap();
    let (options, known) = (SessionOptions::default(), Known::default());
    let context = Context { options: &options, node: &node, now: 0 };
    group.bench_function("native JSON", |bencher| {
        bencher.iter(|| {
            let step = session::observe(black_box(&update), &meaning, &known, meaning.id(0), &context);
            serde_json::to_vec(&step.events).unwrap()
        });
    });
}

fn intake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("intake");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for batch in [1_usize, 64, 512] {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            path: directory.path().to_owned(),
            max_size: 8 << 30,
            journal_keep: 0,
            history_keep: Duration::from_secs(3600),
            history_max_records: 1_000_000,
        };
        let store = DurableStore::open(&options).unwrap();
        let planner = Planner::new("node".into(), vec![route("crm")], &store).unwrap();
        let mut starts = Starts::new();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("{batch} starts, planned and durable"), |bencher| {
            bencher.iter_batched(
                || (0..batch).map(|_| starts.next()).collect::<Vec<_>>(),
                |exchanges| {
                    let store: &dyn Store = &store;
                    let mut plan = planner.plan(store);
                    for exchange in &exchanges {
                        planner.take_in(&mut plan, exchange, now().as_millisecond()).unwrap();
                    }
                    plan.commit(store, Durability::Durable).unwrap()
                },
                BatchSize::LargeInput,
            );
        });
        store.close().unwrap();
    }
}

criterion_group!(benches, event, intake);
criterion_main!(benches);
