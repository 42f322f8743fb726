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

criterion_group!(benches, commit, read, replay);
criterion_main!(benches);
