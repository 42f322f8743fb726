//! The store: what a durable commit costs by batch size, what reads cost through overlay and sled, what a start costs.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use radhook::store::{Batch, Durability, DurableStore, Store, StoreOptions};
use tempfile::TempDir;

/// An event and its delivery as they are stored: about 800 bytes.
const VALUE: usize = 800;

fn open(dir: &Path) -> DurableStore {
    let options = StoreOptions {
        path: dir.to_owned(),
        max_size: 8 << 30,
        journal_keep: 256 << 20,
        history_keep: Duration::ZERO,
        history_max_records: 0,
    };
    DurableStore::open(&options).expect("a fresh store opens")
}

/// A batch of `puts` events, with keys that rise as a queue's do.
fn batch(next: &mut u64, puts: usize) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..puts {
        *next += 1;
        batch.put(next.to_be_bytes(), vec![0x5a; VALUE]);
    }
    batch
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    for puts in [1, 16, 64, 256] {
        let dir = TempDir::new().expect("a directory");
        let store = open(dir.path());
        let mut next = 0;
        group.throughput(Throughput::Elements(puts as u64));
        group.bench_function(BenchmarkId::new("durable", puts), |bencher| {
            bencher.iter_batched(
                // Each batch removes what the one before put, as delivering does: the store stays small.
                || {
                    let mut batch = batch(&mut next, puts);
                    (1..=puts as u64).for_each(|back| batch.delete((next - puts as u64 * 2 + back).to_be_bytes()));
                    batch
                },
                |batch| store.commit(&batch, Durability::Durable).expect("committed"),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    for (place, checkpoint) in [("overlay", false), ("sled", true)] {
        let dir = TempDir::new().expect("a directory");
        let store = open(dir.path());
        let mut next = 0;
        for _ in 0..20 {
            store.commit(&batch(&mut next, 500), Durability::Durable).expect("committed");
        }
        if checkpoint {
            store.checkpoint().expect("moved into sled");
        }
        let mut at = 0u64;
        group.bench_function(BenchmarkId::new("get", place), |bencher| {
            bencher.iter(|| {
                at = (at + 7919) % 10_000;
                black_box(store.get(&(at + 1).to_be_bytes()).expect("read"))
            });
        });
        group.bench_function(BenchmarkId::new("range of 100", place), |bencher| {
            bencher.iter(|| {
                at = (at + 7919) % 9_000;
                black_box(store.range(&at.to_be_bytes(), &u64::MAX.to_be_bytes(), 100).expect("read"))
            });
        });
    }
    group.finish();
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    let dir = TempDir::new().expect("a directory");
    let mut next = 0;
    {
        let store = open(dir.path());
        for _ in 0..500 {
            store.commit(&batch(&mut next, 50), Durability::Durable).expect("committed");
        }
    }
    group.throughput(Throughput::Elements(next));
    group.bench_function("replaying 20 MB after a crash", |bencher| bencher.iter(|| black_box(open(dir.path()))));
    group.finish();
}

/// Events of a checkpoint that is measured.
const CHECKPOINT: u64 = 10_000;

/// Seventeen octets as random as those of a `T` or `U` key, the same for the same number.
fn scattered(kind: u8, number: u64) -> Vec<u8> {
    let mixed = |salt: u64| (number + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(salt | 1);
    [&[kind][..], &mixed(0x5851_f42d_4c95_7f2d).to_be_bytes(), &mixed(0x1405_7b7e_f767_814f).to_be_bytes()].concat()
}

/// What stands in the store of so many events that are delivered once and wait once.
fn records(numbers: std::ops::Range<u64>) -> Batch {
    let mut batch = Batch::default();
    for number in numbers {
        let octets = number.to_be_bytes();
        let of_endpoint = |kind: u8, endpoint: u32| [&[kind][..], &endpoint.to_be_bytes(), &octets].concat();
        batch.put([b"E", &octets[..]].concat(), vec![0x5a; VALUE]);
        batch.put(scattered(b'T', number), [1; 40]);
        batch.put(scattered(b'U', number), [1; 40]);
        batch.put(of_endpoint(b'P', 1), [2; 30]);
        batch.put(of_endpoint(b'H', 2), [3; 30]);
    }
    batch
}

fn checkpoint(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checkpoint");
    group.sample_size(10);
    group.throughput(Throughput::Elements(CHECKPOINT));
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path());
    let mut next = 0;
    group.bench_function("of 10,000 events", |bencher| {
        bencher.iter_batched(
            || {
                for _ in 0..CHECKPOINT / 100 {
                    store.commit(&records(next..next + 100), Durability::Durable).expect("committed");
                    next += 100;
                }
            },
            |()| store.checkpoint().expect("moved into sled"),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, commit, read, replay, checkpoint);
criterion_main!(benches);
