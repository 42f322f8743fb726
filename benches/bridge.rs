//! What an accounting packet costs between its decoding and its storage: the event alone, and batches through the
//! planner into a real store.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use radhook::deliver::options::Format;
use radhook::exchange::{Exchange, Login, Origin};
use radhook::intake::{Planner, Route};
use radhook::lab::nas::{Nas, NasOptions, Session};
use radhook::radius::{Code, Dictionary, Packet, decode};
use radhook::route::Interest;
use radhook::secret::Secret;
use radhook::session::{self, Context, Known, Meaning, SessionOptions};
use radhook::store::bell::Bell;
use radhook::store::{Durability, DurableStore, Store, StoreOptions};

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// Exchanges of sessions that nobody has heard of yet: each is a new start.
struct Starts(Nas);

impl Starts {
    fn new() -> Self {
        Self(Nas::new(NasOptions { users: 100_000, ..NasOptions::default() }))
    }

    fn next(&mut self) -> Exchange {
        exchange(&mut self.0.open(now()))
    }
}

fn exchange(session: &mut Session) -> Exchange {
    let record = session.next(now()).unwrap();
    let packet = record.packet(1, &Secret::new("secret"), 0).unwrap();
    Exchange {
        origin: Origin {
            source: "accounting".into(),
            kind: "accounting",
            client: "nas".into(),
            address: "10.0.0.1".parse().unwrap(),
        },
        received_at: now(),
        code: Code::ACCOUNTING_REQUEST,
        reply: None,
        login: Login::default(),
        request: decode(&Packet::parse(&packet).unwrap(), &Dictionary::shipped()),
        swap_octets: false,
    }
}

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
        let route = Route {
            name: "crm".into(),
            interest: Interest::default(),
            format: Format::default(),
            in_session_order: true,
            coalesces_updates: false,
            bell: Arc::new(Bell::default()),
        };
        let planner = Planner::new("node".into(), vec![route], &store).unwrap();
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
