//! Random runs against a `BTreeMap`: on the simulated disk with crashes, and on a real one with sled beneath.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::crash;
use super::options;
use super::sim::{Sim, Unsynced};
use crate::store::{Batch, Bytes, Durability, DurableStore, Key, Store};

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Option<usize>)>, bool),
    Get(u8),
    Range(u8, u8, usize),
    Sync,
    Checkpoint,
    /// Closed and opened again, or crashed with what was not synced dropped, kept or torn.
    Restart(Option<Unsynced>),
}

/// Keys are few, so that they are overwritten and removed in every layer.
const KEYS: u8 = 24;

fn step() -> impl Strategy<Value = Step> {
    // Lengths around the pieces of sled's values.
    let length = prop_oneof![4 => 0..200usize, 1 => 4090..4100usize, 1 => 8190..8195usize];
    let operation = (0..KEYS, prop::option::weighted(0.6, length));
    let unsynced = prop_oneof![
        Just(None),
        Just(Some(Unsynced::Dropped)),
        Just(Some(Unsynced::Kept)),
        any::<u64>().prop_map(|seed| Some(Unsynced::Torn(seed))),
    ];
    prop_oneof![
        12 => (prop::collection::vec(operation, 1..6), any::<bool>()).prop_map(|(ops, lazy)| Step::Commit(ops, lazy)),
        3 => (0..KEYS).prop_map(Step::Get),
        4 => (0..KEYS, 0..=KEYS, 0..10usize).prop_map(|(from, to, limit)| Step::Range(from, to, limit)),
        1 => Just(Step::Sync),
        2 => Just(Step::Checkpoint),
        1 => unsynced.prop_map(Step::Restart),
    ]
}

type Model = BTreeMap<Key, Bytes>;

fn key(number: u8) -> Key {
    [b'k', number].into()
}

/// Runs one step that both kinds of store share. Batches are appended to `log`; answers how many of them are durable.
fn run(store: &dyn Store, step: &Step, log: &mut Vec<Batch>, model: &mut Model, durable: usize) -> usize {
    match step {
        Step::Commit(operations, lazy) => {
            let mut batch = Batch::default();
            for (number, length) in operations {
                match length {
                    Some(length) => batch.put(key(*number), vec![log.len() as u8; *length]),
                    None => batch.delete(key(*number)),
                }
            }
            apply(model, &batch);
            store.commit(&batch, if *lazy { Durability::Lazy } else { Durability::Durable }).unwrap();
            log.push(batch);
            return if *lazy { durable } else { log.len() };
        }
        Step::Get(number) => assert_eq!(store.get(&key(*number)).unwrap().as_ref(), model.get(&key(*number))),
        Step::Range(from, to, limit) => {
            let found = store.range(&key(*from), &key(*to), *limit).unwrap();
            let wanted: Vec<_> = model
                .iter()
                .filter(|(name, _)| (key(*from)..key(*to)).contains(*name))
                .take(*limit)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            assert!(found == wanted, "range {from}..{to} limit {limit}");
        }
        Step::Sync | Step::Checkpoint | Step::Restart(_) => {}
    }
    durable
}

fn apply(model: &mut Model, batch: &Batch) {
    for (key, value) in batch.operations() {
        match value {
            Some(value) => drop(model.insert(key.clone(), value.clone())),
            None => drop(model.remove(key)),
        }
    }
}

fn all(store: &dyn Store) -> Model {
    store.range(b"k", b"l", usize::MAX).unwrap().into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_store_that_crashes_is_the_model_after_some_prefix_with_all_that_was_acknowledged(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let sim = Sim::new();
        let mut store = crash::open(&sim).unwrap();
        let (mut log, mut model, mut durable) = (Vec::new(), Model::new(), 0);
        for step in &steps {
            durable = run(&store, step, &mut log, &mut model, durable);
            match step {
                Step::Sync => {
                    store.sync().unwrap();
                    durable = log.len();
                }
                Step::Checkpoint => drop(store.checkpoint().unwrap()),
                Step::Restart(None) => {
                    store.close().unwrap();
                    store = crash::open(&sim).unwrap();
                    durable = log.len();
                    prop_assert!(all(&store) == model);
                }
                Step::Restart(Some(unsynced)) => {
                    drop(store);
                    sim.reboot(*unsynced);
                    store = crash::open(&sim).unwrap();
                    let found = all(&store);
                    model = Model::new();
                    log[..durable].iter().for_each(|batch| apply(&mut model, batch));
                    let mut length = durable;
                    while model != found {
                        prop_assert!(length < log.len(), "what is there is no prefix of what was committed");
                        apply(&mut model, &log[length]);
                        length += 1;
                    }
                    log.truncate(length);
                    durable = length;
                }
                _ => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_store_on_disk_is_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let dir = TempDir::new().unwrap();
        let mut store = DurableStore::open(&options(dir.path())).unwrap();
        let (mut log, mut model, mut durable) = (Vec::new(), Model::new(), 0);
        for step in &steps {
            durable = run(&store, step, &mut log, &mut model, durable);
            match step {
                Step::Sync => store.sync().unwrap(),
                Step::Checkpoint => store.checkpoint().unwrap(),
                Step::Restart(unsynced) => {
                    if unsynced.is_some() {
                        store.sync().unwrap();
                    } else {
                        store.close().unwrap();
                    }
                    drop(store);
                    store = DurableStore::open(&options(dir.path())).unwrap();
                    prop_assert!(all(&store) == model);
                }
                _ => {}
            }
        }
        prop_assert_eq!(store.stats().figures.blobs, 0);
    }
}
