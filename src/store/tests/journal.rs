//! What the scripted crashes do not meet by chance: the journal with its bytes arranged.

use std::path::Path;
use std::sync::Arc;

use super::put;
use super::sim::{Fault, Sim, Unsynced};
use crate::store::frame;
use crate::store::fs::FileSystem;
use crate::store::journal::{Journal, Replay};
use crate::store::segment::{self, HEADER_BLOCK, Position};
use crate::store::{Batch, StoreError};

const DIR: &str = "/journal";
const SEGMENT: u64 = HEADER_BLOCK + 4096;

fn open_at(sim: &Sim, from: Position) -> Result<(Journal, Replay, Vec<Batch>), StoreError> {
    let mut batches = Vec::new();
    let fs: Arc<dyn FileSystem> = Arc::new(sim.clone());
    let opened = Journal::open(fs, Path::new(DIR), SEGMENT, from, &mut |batch, _, _| {
        batches.push(batch);
        Ok(())
    });
    opened.map(|(journal, replay)| (journal, replay, batches))
}

fn open(sim: &Sim) -> (Journal, Replay, Vec<Batch>) {
    open_at(sim, Position::default()).unwrap()
}

fn append(journal: &mut Journal, batches: &[Batch]) -> Result<Position, StoreError> {
    let payloads: Vec<_> = batches.iter().map(|batch| frame::encode(batch).unwrap()).collect();
    journal.append(payloads.iter().map(Vec::as_slice))
}

/// Batches whose frames are of one length.
fn even(name: &str) -> Batch {
    put(format!("{name:>8}"), vec![b'v'; 100])
}

#[test]
fn what_a_torn_group_left_behind_never_joins_later_batches() {
    for closed_before in [false, true] {
        let sim = Sim::new();
        let (mut journal, ..) = open(&sim);
        append(&mut journal, &[even("first")]).unwrap();
        if closed_before {
            journal.close().unwrap();
        }
        let torn_at = journal.position().offset as usize;
        append(&mut journal, &[even("lost"), even("left")]).unwrap();
        drop(journal);
        // A crash in the middle of the write: the second frame reached the disk, the first did not.
        let mut files = sim.files();
        let bytes = files.get_mut(&Path::new(DIR).join(segment::name(1))).unwrap();
        let length = frame::length(frame::encode(&even("lost")).unwrap().len());
        bytes[torn_at..torn_at + length].fill(0);
        sim.restore(&files);

        let (mut journal, _, batches) = open(&sim);
        assert_eq!(batches, [even("first")]);
        append(&mut journal, &[even("new")]).unwrap();
        drop(journal);
        sim.reboot(Unsynced::Kept);
        assert_eq!(open(&sim).2, [even("first"), even("new")], "closed before: {closed_before}");
    }
}

#[test]
fn a_torn_tail_is_told_with_its_place_and_a_clean_end_is_not_torn() {
    let sim = Sim::new();
    let (mut journal, replay, _) = open(&sim);
    assert!(!replay.clean);
    let end = append(&mut journal, &[even("a")]).unwrap();
    append(&mut journal, &[even("b")]).unwrap();
    let mut files = sim.files();
    let path = Path::new(DIR).join(segment::name(1));
    files.get_mut(&path).unwrap()[end.offset as usize + 40] ^= 1;
    let torn = Sim::new();
    torn.restore(&files);
    let (_, replay, batches) = open(&torn);
    assert_eq!((batches, replay.torn, replay.clean), (vec![even("a")], Some((path, end.offset)), false));
    journal.close().unwrap();
    drop(journal);
    let (_, replay, batches) = open(&sim);
    assert_eq!((batches.len(), replay.torn, replay.clean), (2, None, true));
}

#[test]
fn after_a_clean_close_the_same_segment_is_used_on() {
    let sim = Sim::new();
    for round in 1..=5 {
        let (mut journal, _, batches) = open(&sim);
        assert_eq!(batches.len(), round - 1);
        append(&mut journal, &[even("x")]).unwrap();
        journal.close().unwrap();
    }
    assert_eq!(sim.files().len(), 1);
}

#[test]
fn a_missing_segment_is_damage() {
    let sim = Sim::new();
    let (mut journal, ..) = open(&sim);
    let mut positions = Vec::new();
    for _ in 0..90 {
        positions.push(append(&mut journal, &[even("x")]).unwrap());
    }
    drop(journal);
    let files = sim.files();
    assert!(files.len() >= 3);
    let without = |index| {
        let mut fewer = files.clone();
        fewer.remove(&Path::new(DIR).join(segment::name(index))).unwrap();
        sim.restore(&fewer);
    };
    without(1);
    assert!(matches!(open_at(&sim, Position::default()), Err(StoreError::Damaged { .. })));
    without(2);
    assert!(matches!(open_at(&sim, Position::default()), Err(StoreError::Damaged { .. })));
    // A segment that a checkpoint ends in is needed even when all of its batches are in the table.
    without(1);
    assert!(matches!(open_at(&sim, positions[2]), Err(StoreError::Damaged { .. })));
    // One before it is not.
    let later = *positions.iter().find(|position| position.segment == 2).unwrap();
    assert_eq!(open_at(&sim, later).unwrap().2.len() as u64, 90 - later.sequence);
}

#[test]
fn damage_before_the_checkpoint_does_not_keep_the_store_from_starting() {
    let sim = Sim::new();
    let (mut journal, ..) = open(&sim);
    append(&mut journal, &[even("a")]).unwrap();
    let checkpoint = append(&mut journal, &[even("b")]).unwrap();
    append(&mut journal, &[even("c")]).unwrap();
    drop(journal);
    let mut files = sim.files();
    files.values_mut().next().unwrap()[HEADER_BLOCK as usize + 33] ^= 0x10;
    sim.restore(&files);
    assert_eq!(open_at(&sim, checkpoint).unwrap().2, [even("c")]);
    assert!(matches!(open_at(&sim, Position::default()), Err(StoreError::Damaged { offset: HEADER_BLOCK, .. })));
}

#[test]
fn a_disk_that_fails_every_sync_is_not_filled_with_segments() {
    let sim = Sim::new();
    let (mut journal, ..) = open(&sim);
    append(&mut journal, &[even("a")]).unwrap();
    for round in 0..50 {
        // The sync of the frames: the second call, or the last of eight when a segment has to be made first.
        let at = sim.calls() + if round == 0 { 2 } else { 8 };
        sim.set_fault(Fault::Fail { at, until: at + 1, error: 5 });
        append(&mut journal, &[even("b")]).unwrap_err();
    }
    sim.set_fault(Fault::None);
    append(&mut journal, &[even("c")]).unwrap();
    drop(journal);
    assert!(sim.files().len() <= 3, "{:?}", sim.files().keys());
    assert_eq!(open(&sim).2, [even("a"), even("c")]);
}

#[test]
fn one_group_costs_one_write_and_one_sync() {
    let sim = Sim::new();
    let (mut journal, ..) = open(&sim);
    append(&mut journal, &[even("a")]).unwrap();
    let before = sim.calls();
    append(&mut journal, &[even("b"), even("c"), even("d")]).unwrap();
    assert_eq!(sim.calls() - before, 2);
}

#[test]
fn a_batch_larger_than_a_segment_gets_a_segment_of_its_own_size() {
    let sim = Sim::new();
    let (mut journal, ..) = open(&sim);
    let large = put("large", vec![1; 3 * SEGMENT as usize]);
    append(&mut journal, &[even("a")]).unwrap();
    append(&mut journal, std::slice::from_ref(&large)).unwrap();
    append(&mut journal, &[even("b")]).unwrap();
    drop(journal);
    assert_eq!(open(&sim).2, [even("a"), large, even("b")]);
}
