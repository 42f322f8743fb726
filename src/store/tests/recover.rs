//! `check` and `recover` on damaged stores.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{changes_nothing, options, put};
use crate::store::check::{Report, check};
use crate::store::recover::{Recovery, recover};
use crate::store::{Durability, DurableStore, Store, StoreError, StoreOptions};

/// Bytes that fill a segment of these tests with three batches.
const VALUE: usize = 600_000;

/// A store of `batches` batches, one key each, with a checkpoint after the first `checkpointed`. Stopped without close.
fn store(dir: &Path, journal_keep: u64, batches: u32, checkpointed: u32) {
    let options = StoreOptions { journal_keep, ..options(dir) };
    let store = DurableStore::open(&options).unwrap();
    for number in 1..=batches {
        store.commit(&put(number.to_be_bytes(), vec![number as u8; VALUE]), Durability::Durable).unwrap();
        if number == checkpointed {
            store.checkpoint().unwrap();
        }
    }
}

/// The batches there after opening.
fn there(dir: &Path) -> Vec<u32> {
    let store = DurableStore::open(&options(dir)).unwrap();
    let found = store.range(&[], &[0xff], 1000).unwrap();
    let numbers = found.iter().map(|(key, value)| {
        let number = u32::from_be_bytes(key[..].try_into().unwrap());
        assert!(**value == *vec![number as u8; VALUE]);
        number
    });
    numbers.collect()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

fn segment(dir: &Path, index: u64) -> PathBuf {
    dir.join("journal").join(crate::store::segment::name(index))
}

fn damage_sled(dir: &Path) {
    let db = dir.join("sled/db");
    let length = fs::metadata(&db).unwrap().len() as usize;
    let bytes = fs::read(&db).unwrap();
    fs::write(&db, &bytes[..length / 3]).unwrap();
}

fn checked(dir: &Path) -> Report {
    changes_nothing(dir, || check(dir).unwrap())
}

fn only_told(dir: &Path) -> Recovery {
    let recovery = changes_nothing(dir, || recover(dir, false).unwrap());
    assert!(!recovery.done);
    recovery
}

#[test]
fn a_sound_store_is_checked_and_nothing_is_changed() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 9, 4);
    let report = checked(dir.path());
    assert!(report.sound(), "{report:?}");
    assert_eq!((report.checkpoint, report.sled, report.replay), (4, Some(4), Some(5)));
    assert_eq!(report.segments.iter().map(|segment| segment.batches).sum::<u64>(), 9);
    assert_eq!(report.segments.last().unwrap().last, Some(9));
    let recovery = changes_nothing(dir.path(), || recover(dir.path(), true).unwrap());
    assert!(recovery.sound() && recovery.done);
    assert_eq!(recovery.kept_through, 9);
}

#[test]
fn a_store_in_use_is_not_looked_at() {
    let dir = TempDir::new().unwrap();
    let _store = DurableStore::open(&options(dir.path())).unwrap();
    assert!(matches!(check(dir.path()), Err(StoreError::Locked { .. })));
    assert!(matches!(recover(dir.path(), true), Err(StoreError::Locked { .. })));
}

#[test]
fn a_damaged_sled_is_built_again_from_the_whole_journal_without_loss() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 12, 8);
    damage_sled(dir.path());
    let damaged = fs::read(dir.path().join("sled/db")).unwrap();
    let report = checked(dir.path());
    assert!(!report.sound() && report.sled.is_none());
    let recovery = recover(dir.path(), false).unwrap();
    assert!(recovery.done && !recovery.loses(), "{recovery:?}");
    assert_eq!((recovery.rebuilt_from, recovery.kept_through), (Some(1), 12));
    assert_eq!(fs::read(dir.path().join("sled.damaged-1/db")).unwrap(), damaged);
    assert!(checked(dir.path()).sound());
    assert_eq!(there(dir.path()), (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_damaged_sled_with_a_trimmed_journal_is_built_again_only_when_the_loss_is_accepted() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 2 << 20, 12, 10);
    damage_sled(dir.path());
    let first = only_told(dir.path()).rebuilt_from.unwrap();
    assert!((2..=10).contains(&first), "{first}");
    let recovery = recover(dir.path(), true).unwrap();
    assert!(recovery.done);
    assert_eq!(there(dir.path()), (first as u32..=12).collect::<Vec<_>>());
}

#[test]
fn a_damaged_journal_is_cut_before_the_damage_only_when_the_loss_is_accepted() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 12, 1);
    // Three batches a segment: the second of the second segment is the fifth.
    flip(&segment(dir.path(), 2), 4096 + VALUE + 1000);
    let report = checked(dir.path());
    assert!(!report.sound());
    let told = only_told(dir.path());
    assert_eq!((told.kept_through, told.batches_given_up), (4, 7));
    assert!(told.bytes_given_up > 7 * VALUE as u64);
    let damaged = fs::read(segment(dir.path(), 2)).unwrap();
    assert!(recover(dir.path(), true).unwrap().done);
    assert_eq!(fs::read(dir.path().join("journal.damaged-1/0000000002.journal")).unwrap(), damaged);
    assert_eq!(there(dir.path()), [1, 2, 3, 4]);
    // It goes on from there.
    let again = DurableStore::open(&options(dir.path())).unwrap();
    again.commit(&put(5u32.to_be_bytes(), vec![5; VALUE]), Durability::Durable).unwrap();
    drop(again);
    assert_eq!(there(dir.path()), [1, 2, 3, 4, 5]);
    assert!(checked(dir.path()).sound());
}

#[test]
fn a_damaged_segment_header_is_recovered_from_like_any_damage() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 9, 1);
    flip(&segment(dir.path(), 2), 17);
    assert!(!checked(dir.path()).sound());
    assert!(recover(dir.path(), true).unwrap().done);
    assert_eq!(there(dir.path()), [1, 2, 3]);
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 9, 5);
    // The segment that the checkpoint ends in.
    flip(&segment(dir.path(), 2), 17);
    assert!(recover(dir.path(), true).unwrap().done);
    assert_eq!(there(dir.path()), [1, 2, 3, 4, 5]);
}

#[test]
fn both_damaged_at_once_keep_what_the_journal_holds_before_its_damage() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 12, 8);
    damage_sled(dir.path());
    flip(&segment(dir.path(), 3), 4096 + 500);
    let told = only_told(dir.path());
    assert_eq!((told.rebuilt_from, told.kept_through), (Some(1), 6));
    assert!(recover(dir.path(), true).unwrap().done);
    assert_eq!(there(dir.path()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn sled_is_built_again_from_the_run_that_holds_most() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 12, 11);
    damage_sled(dir.path());
    flip(&segment(dir.path(), 1), 4096 + VALUE + 1000);
    let told = only_told(dir.path());
    assert_eq!((told.rebuilt_from, told.kept_through, told.journal), (Some(4), 12, None));
    assert!(recover(dir.path(), true).unwrap().done);
    assert_eq!(there(dir.path()), (4..=12).collect::<Vec<_>>());
}

#[test]
fn a_damaged_checkpoint_record_is_written_anew_without_loss() {
    let dir = TempDir::new().unwrap();
    store(dir.path(), 1 << 30, 6, 4);
    flip(&dir.path().join("sled.checkpoint"), 5);
    assert!(!checked(dir.path()).sound());
    let recovery = recover(dir.path(), false).unwrap();
    assert!(recovery.done && recovery.sled.is_none(), "{recovery:?}");
    assert_eq!(there(dir.path()), [1, 2, 3, 4, 5, 6]);
}
