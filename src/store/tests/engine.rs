//! The engine without its threads: what one call costs, shows and refuses.

use super::crash::open;
use super::sim::{Fault, Sim, Unsynced};
use super::{delete, put};
use crate::store::{Durability, Store, StoreError};

#[test]
fn a_durable_commit_takes_the_lazy_ones_before_it_along_with_one_write_and_one_sync() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.commit(&put("first", "makes the segment"), Durability::Durable).unwrap();
    let before = sim.calls();
    for number in 0..10u8 {
        store.commit(&put([number], "lazy"), Durability::Lazy).unwrap();
    }
    assert_eq!(sim.calls(), before, "a lazy commit touches no disk");
    store.commit(&put("durable", "x"), Durability::Durable).unwrap();
    assert_eq!(sim.calls() - before, 2);
    drop(store);
    sim.reboot(Unsynced::Dropped);
    assert_eq!(open(&sim).unwrap().range(&[], &[10], 99).unwrap().len(), 10);
}

#[test]
fn a_lazy_commit_is_seen_at_once_and_a_durable_one_that_fails_never() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.commit(&put("a", "old"), Durability::Durable).unwrap();
    store.commit(&put("b", "lazy"), Durability::Lazy).unwrap();
    assert_eq!(store.get(b"b").unwrap(), Some(b"lazy"[..].into()));
    sim.set_fault(Fault::Fail { at: sim.calls() + 2, until: sim.calls() + 3, error: 5 });
    let error = store.commit(&put("a", "new"), Durability::Durable).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    assert_eq!(store.get(b"a").unwrap(), Some(b"old"[..].into()));
    // The lazy one was in the same group, and stays.
    assert_eq!(store.range(b"", b"z", 9).unwrap().len(), 2);
    store.sync().unwrap();
    drop(store);
    sim.reboot(Unsynced::Dropped);
    let store = open(&sim).unwrap();
    assert_eq!(store.get(b"a").unwrap(), Some(b"old"[..].into()));
    assert_eq!(store.get(b"b").unwrap(), Some(b"lazy"[..].into()));
}

#[test]
fn a_checkpoint_waits_for_free_space_and_commits_go_on() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.commit(&put("a", [1; 1000]), Durability::Durable).unwrap();
    sim.set_free(1 << 20);
    let error = store.checkpoint().unwrap_err();
    assert!(error.to_string().contains("1048576"), "{error}");
    store.commit(&put("b", "2"), Durability::Durable).unwrap();
    assert_eq!(store.range(b"", b"z", 9).unwrap().len(), 2);
    assert_eq!(sim.position().sequence, 0);
    sim.set_free(1 << 30);
    assert!(store.checkpoint().unwrap());
    assert_eq!(sim.position().sequence, 2);
    assert!(!store.checkpoint().unwrap(), "there is nothing more to do");
}

#[test]
fn deletes_alone_need_no_free_space_in_the_table() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.commit(&delete("a"), Durability::Durable).unwrap();
    sim.set_free(0);
    assert!(store.checkpoint().unwrap());
}

#[test]
fn a_table_that_fails_is_opened_again_and_the_same_changes_moved_once_more() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    for number in 0..5u8 {
        store.commit(&put([number], "x"), Durability::Durable).unwrap();
    }
    // One call measures free space, the third change fails.
    sim.set_fault(Fault::Fail { at: sim.calls() + 4, until: sim.calls() + 5, error: 28 });
    store.checkpoint().unwrap_err();
    // What is in memory is still read; what is not has to wait for the table.
    assert_eq!(store.get(&[3]).unwrap(), Some(b"x"[..].into()));
    assert!(matches!(store.get(b"elsewhere"), Err(StoreError::Table { .. })));
    store.commit(&put([3], "newer"), Durability::Durable).unwrap();
    assert_eq!(store.get(&[3]).unwrap(), Some(b"newer"[..].into()));
    assert!(store.checkpoint().unwrap());
    assert_eq!(sim.position().sequence, 5);
    assert_eq!(store.get(&[3]).unwrap(), Some(b"newer"[..].into()));
    assert_eq!(store.get(b"elsewhere").unwrap(), None);
    store.checkpoint().unwrap();
    drop(store);
    sim.reboot(Unsynced::Dropped);
    assert_eq!(open(&sim).unwrap().get(&[3]).unwrap(), Some(b"newer"[..].into()));
}

#[test]
fn after_closing_commits_are_refused() {
    let sim = Sim::new();
    let store = open(&sim).unwrap();
    store.commit(&put("a", "1"), Durability::Lazy).unwrap();
    store.close().unwrap();
    assert!(store.commit(&put("b", "2"), Durability::Durable).is_err());
    assert!(store.commit(&put("b", "2"), Durability::Lazy).is_err());
    drop(store);
    sim.reboot(Unsynced::Dropped);
    assert_eq!(open(&sim).unwrap().get(b"a").unwrap(), Some(b"1"[..].into()));
}
