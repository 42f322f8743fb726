//! A scripted run on the simulated disk, with a crash or a failure at every single call.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::sim::{Fault, Sim, SimTable, Unsynced};
use crate::store::engine::{Engine, Setup};
use crate::store::{Batch, Bytes, Durability, Key, Store, StoreError};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Small enough for the script to fill several.
const SEGMENT: u64 = 4096 + 2048;

fn setup(sim: &Sim) -> Setup {
    let table = sim.clone();
    Setup {
        fs: Arc::new(sim.clone()),
        dir: PathBuf::from("/journal"),
        segment_size: SEGMENT,
        max_size: 1 << 30,
        journal_keep: 2 * SEGMENT,
        renew_from: 0,
        known: sim.position(),
        open_table: Box::new(move |_| Ok(Box::new(SimTable(table.clone())))),
    }
}

pub fn open(sim: &Sim) -> Result<Engine, StoreError> {
    Engine::open(setup(sim), Box::new(|_| {})).map(|(engine, _)| engine)
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A durable commit returned.
    Acknowledged,
    /// A lazy commit returned.
    Seen,
    /// A commit answered with an error, and the machine went on.
    Failed,
    /// The machine stopped during the commit.
    Cut,
}

/// Everything that was tried, in order.
#[derive(Debug, Default)]
struct Log(Vec<(Batch, Fate)>);

impl Log {
    fn commit(&mut self, sim: &Sim, engine: &Engine, durability: Durability) {
        let batch = batch(self.0.len());
        let fate = match engine.commit(&batch, durability) {
            Ok(()) if durability == Durability::Durable => Fate::Acknowledged,
            Ok(()) => Fate::Seen,
            Err(_) if sim.crashed() => Fate::Cut,
            Err(_) => Fate::Failed,
        };
        self.0.push((batch, fate));
    }

    /// The state after the batches `which` says.
    fn state(&self, which: impl Fn(usize, Fate) -> bool) -> BTreeMap<Key, Bytes> {
        let mut state = BTreeMap::new();
        for (number, (batch, fate)) in self.0.iter().enumerate() {
            if which(number, *fate) {
                for (key, value) in batch.operations() {
                    match value {
                        Some(value) => drop(state.insert(key.clone(), value.clone())),
                        None => drop(state.remove(key)),
                    }
                }
            }
        }
        state
    }

    /// Checks what a running store shows: what succeeded and nothing else.
    fn check_running(&self, engine: &Engine, context: &str) {
        let wanted = self.state(|_, fate| matches!(fate, Fate::Acknowledged | Fate::Seen));
        same(&contents(engine), &wanted, context);
    }

    /// Checks what is there after a crash, and takes the batches that are not there out of the log.
    fn check_recovered(&mut self, engine: &Engine, context: &str) {
        let found = contents(engine);
        let there: Vec<bool> = (0..self.0.len()).map(|number| found.contains_key(&marker(number))).collect();
        let last_acknowledged = self.0.iter().rposition(|(_, fate)| *fate == Fate::Acknowledged);
        let last_there = there.iter().rposition(|there| *there);
        for (number, (_, fate)) in self.0.iter().enumerate() {
            let there = there[number];
            match fate {
                Fate::Acknowledged => assert!(there, "acknowledged batch {number} is lost; {context}"),
                Fate::Seen => {
                    assert!(there || last_there < Some(number), "a later batch survived lazy {number}; {context}")
                }
                Fate::Failed => assert!(
                    !there || last_acknowledged < Some(number),
                    "failed batch {number} came back after a later success; {context}"
                ),
                Fate::Cut => {}
            }
        }
        same(&found, &self.state(|number, _| there[number]), &format!("a batch is there in part; {context}"));
        for (number, (_, fate)) in self.0.iter_mut().enumerate() {
            *fate = if there[number] { Fate::Acknowledged } else { Fate::Failed };
        }
    }
}

/// Asserts that two states are the same, and says in few words what differs.
fn same(found: &BTreeMap<Key, Bytes>, wanted: &BTreeMap<Key, Bytes>, context: &str) {
    let keys = found.keys().chain(wanted.keys());
    let different: Vec<_> = keys.filter(|key| found.get(*key) != wanted.get(*key)).collect();
    let different: Vec<_> = different.iter().map(|key| String::from_utf8_lossy(key)).collect();
    assert!(different.is_empty(), "{different:?} differ; {context}");
}

fn marker(number: usize) -> Key {
    format!("marker {number:04}").into()
}

/// Batches of several keys, some of them shared with others and some removed by others, of sizes that end anywhere in
/// a sector.
fn batch(number: usize) -> Batch {
    let mut batch = Batch::default();
    batch.put(marker(number), vec![number as u8; number * 37 % 700]);
    batch.put(format!("shared {}", number % 3), format!("of {number}").into_bytes());
    batch.put(format!("passing {number}"), &b"x"[..]);
    batch.delete(format!("passing {}", number.saturating_sub(2)));
    batch
}

fn contents(engine: &Engine) -> BTreeMap<Key, Bytes> {
    let mut found = BTreeMap::new();
    let mut from = Vec::new();
    loop {
        let part = engine.range(&from, &[0xff], 7).expect("a healthy store reads");
        let Some((last, _)) = part.last() else { return found };
        from = [last, &[0][..]].concat();
        for (key, value) in part {
            assert_eq!(engine.get(&key).expect("a healthy store reads"), Some(value.clone()));
            found.insert(key, value);
        }
    }
}

/// Runs everything a store does: commits of both kinds, checkpoints, preparing, recycling, closing, opening again.
/// Stops when the machine does. Answers the store if it is open at the end.
fn script(sim: &Sim, log: &mut Log) -> Option<Engine> {
    let mut engine = open(sim).ok()?;
    for step in 0..44 {
        match step % 11 {
            3 | 6 => log.commit(sim, &engine, Durability::Lazy),
            4 if step > 30 => drop(engine.sync()),
            5 => engine.prepare(),
            8 => drop(engine.checkpoint()),
            9 => drop(engine.renew()),
            10 if step == 21 => {
                if engine.close().is_err() && sim.crashed() {
                    return None;
                }
                drop(engine);
                engine = open(sim).ok()?;
                if sim.crashed() {
                    return None;
                }
                // After a close that failed this is a restart like any other.
                sim.aside(|| log.check_recovered(&engine, "opened again by the script"));
            }
            _ => log.commit(sim, &engine, Durability::Durable),
        }
        if sim.crashed() {
            return None;
        }
    }
    Some(engine)
}

fn calls_of_the_script() -> u64 {
    let (sim, mut log) = (Sim::new(), Log::default());
    let engine = script(&sim, &mut log).expect("without a fault the script runs through");
    log.check_running(&engine, "no fault");
    assert!(log.0.iter().all(|(_, fate)| matches!(fate, Fate::Acknowledged | Fate::Seen)));
    let files = sim.files();
    assert!(files.len() > 2, "several segments: {:?}", files.keys());
    sim.calls()
}

fn after_a_crash(sim: &Sim, log: &mut Log, unsynced: Unsynced, context: &str) {
    sim.reboot(unsynced);
    let engine = open(sim).unwrap_or_else(|error| panic!("a crash must never look like damage: {error}; {context}"));
    log.check_recovered(&engine, context);
    // It goes on from there, and a second stop finds all of it.
    log.commit(sim, &engine, Durability::Durable);
    log.commit(sim, &engine, Durability::Lazy);
    log.commit(sim, &engine, Durability::Durable);
    drop(engine);
    sim.reboot(unsynced);
    let engine = open(sim).unwrap_or_else(|error| panic!("the second start: {error}; {context}"));
    log.check_recovered(&engine, context);
    engine.checkpoint().unwrap();
    engine.close().unwrap();
    let engine = open(sim).unwrap_or_else(|error| panic!("after a clean close: {error}; {context}"));
    log.check_running(&engine, context);
}

const KINDS: [Unsynced; 7] = [
    Unsynced::Dropped,
    Unsynced::Kept,
    Unsynced::Torn(1),
    Unsynced::Torn(2),
    Unsynced::Torn(3),
    Unsynced::Torn(4),
    Unsynced::Torn(5),
];

#[test]
fn a_crash_at_any_call_loses_nothing_acknowledged_and_tears_no_batch() {
    let calls = calls_of_the_script();
    for at in 1..=calls + 1 {
        for unsynced in KINDS {
            let (sim, mut log) = (Sim::new(), Log::default());
            sim.set_fault(Fault::Crash { at });
            drop(script(&sim, &mut log));
            after_a_crash(&sim, &mut log, unsynced, &format!("crash at call {at} of {calls}, {unsynced:?}"));
        }
    }
}

#[test]
fn a_failure_at_any_call_is_answered_and_later_commits_work_once_the_disk_does() {
    let calls = calls_of_the_script();
    for error in [EIO, ENOSPC] {
        for lasting in [1, 2, 5, 1000] {
            for at in 1..=calls {
                let context = format!("error {error} from call {at} of {calls} for {lasting}");
                let (sim, mut log) = (Sim::new(), Log::default());
                sim.set_fault(Fault::Fail { at, until: at + lasting, error });
                let engine = script(&sim, &mut log);
                sim.set_fault(Fault::None);
                if let Some(engine) = &engine {
                    // The table may have to be opened again, which a checkpoint does.
                    engine.checkpoint().unwrap();
                    log.check_running(engine, &context);
                    log.commit(&sim, engine, Durability::Durable);
                    assert_eq!(log.0.last().unwrap().1, Fate::Acknowledged, "{context}");
                    log.check_running(engine, &context);
                }
                drop(engine);
                after_a_crash(&sim, &mut log, KINDS[at as usize % KINDS.len()], &context);
            }
        }
    }
}

#[test]
fn a_crash_soon_after_a_failure_loses_nothing_either() {
    let calls = calls_of_the_script();
    for at in 1..=calls {
        let (sim, mut log) = (Sim::new(), Log::default());
        sim.set_fault(Fault::Fail { at, until: at + 1 + at % 4, error: EIO });
        drop(script(&sim, &mut log));
        let context = format!("EIO at call {at} of {calls}, then a crash");
        after_a_crash(&sim, &mut log, KINDS[at as usize % KINDS.len()], &context);
    }
}

/// Runs the script, stops it, flips every byte of the files' used parts and opens. Answers how many flips were refused.
fn flip_everything(clean: bool) -> usize {
    let (sim, mut log) = (Sim::new(), Log::default());
    let engine = script(&sim, &mut log).unwrap();
    engine.checkpoint().unwrap();
    for _ in 0..9 {
        log.commit(&sim, &engine, Durability::Durable);
    }
    if clean {
        // What closing does, but for the last checkpoint, which would leave nothing to be replayed.
        engine.mark_closed().unwrap();
    }
    drop(engine);
    sim.reboot(Unsynced::Dropped);
    let files = sim.files();
    let live = crate::store::segment::name(sim.position().segment);
    let mut refused = 0;
    for (path, bytes) in &files {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == 0 && at % 64 != 0 {
                continue;
            }
            let mut damaged = files.clone();
            damaged.get_mut(path).unwrap()[at] ^= 1 << (at % 8);
            sim.restore(&damaged);
            let context = format!("{} byte {at}", path.display());
            match open(&sim) {
                Ok(engine) => {
                    let found = contents(&engine);
                    let whole = log.state(|_, fate| matches!(fate, Fate::Acknowledged | Fate::Seen));
                    // Nobody can say of the very last batch before a crash that it was whole once.
                    let last = log.0.len() - 1;
                    let but_last = log.state(|number, _| number != last);
                    assert!(found == whole || (!clean && found == but_last), "silently lost: {context}");
                }
                Err(StoreError::Damaged { path: told, offset, .. }) => {
                    refused += 1;
                    assert!(told == *path || at < 4096, "{context} was told as {}", told.display());
                    assert!(offset <= at as u64, "{context} was told as byte {offset}");
                    let segment = path.file_name().unwrap().to_str().unwrap();
                    assert!(segment >= live.as_str(), "damage before the checkpoint is none of a start's: {context}");
                }
                Err(StoreError::Newer { .. }) => refused += 1,
                Err(other) => panic!("{other}: {context}"),
            }
            assert_eq!(sim.files(), damaged, "a refusal changes nothing: {context}");
        }
    }
    sim.restore(&files);
    log.check_running(&open(&sim).unwrap(), "undamaged");
    refused
}

#[test]
fn every_damaged_byte_of_acknowledged_data_is_told_after_a_clean_close() {
    assert!(flip_everything(true) > 1000);
}

#[test]
fn every_damaged_byte_but_those_of_the_last_batch_is_told_after_a_crash() {
    assert!(flip_everything(false) > 1000);
}
