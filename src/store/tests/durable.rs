//! The store on a real disk, with sled beneath.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::{delete, options, put};
use crate::store::{Durability, DurableStore, Store, StoreError};

fn open(dir: &TempDir) -> DurableStore {
    DurableStore::open(&options(dir.path())).expect("the store opens")
}

/// Every file beneath `dir` with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn open_fails_and_changes_nothing(dir: &TempDir) -> StoreError {
    let before = files(dir.path());
    let error = DurableStore::open(&options(dir.path())).expect_err("the store must refuse");
    let after = files(dir.path());
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after), "{error}");
    for (path, bytes) in before {
        assert!(after[&path] == bytes, "{} was changed; {error}", path.display());
    }
    error
}

#[test]
fn what_was_committed_is_there_after_a_clean_restart() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let long = vec![7; 100_000];
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    store.commit(&put("b", &long), Durability::Durable).unwrap();
    store.commit(&put("c", "3"), Durability::Lazy).unwrap();
    store.checkpoint().unwrap();
    store.commit(&delete("a"), Durability::Durable).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&dir);
    assert!(store.stats().replay.clean);
    assert_eq!(store.get(b"a").unwrap(), None);
    assert_eq!(store.get(b"b").unwrap(), Some(long.clone()));
    let all = store.range(b"", b"z", 10).unwrap();
    assert_eq!(all, [(b"b".to_vec(), long), (b"c".to_vec(), b"3".to_vec())]);
}

#[test]
fn what_was_durable_is_there_after_a_stop_without_close() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.stats().replay.batches, 1);
    assert_eq!(store.get(b"a").unwrap(), Some(b"1".to_vec()));
    store.commit(&put("b", "2"), Durability::Durable).unwrap();
    store.checkpoint().unwrap();
    drop(store);
    let store = open(&dir);
    assert_eq!(store.stats().replay.batches, 0);
    assert_eq!(store.range(b"", b"z", 10).unwrap().len(), 2);
}

#[test]
fn a_second_opening_is_refused_as_locked() {
    let dir = TempDir::new().unwrap();
    let _store = open(&dir);
    assert!(matches!(DurableStore::open(&options(dir.path())), Err(StoreError::Locked { .. })));
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    open(&dir).close().unwrap();
    fs::write(dir.path().join("format"), "2\n").unwrap();
    let error = open_fails_and_changes_nothing(&dir);
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn directories_and_files_are_closed_to_others() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("new/data");
    let store = DurableStore::open(&options(&path)).unwrap();
    store.commit(&put("a", "1"), Durability::Durable).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The process's umask may take more away.
    assert_eq!(mode(&path) & !0o750, 0);
    assert_eq!(mode(&path.join("journal")) & !0o750, 0);
    for file in fs::read_dir(path.join("journal")).unwrap() {
        assert_eq!(mode(&file.unwrap().path()) & !0o640, 0);
    }
}

#[test]
fn threads_share_the_work_and_every_batch_arrives() {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(open(&dir));
    let threads: Vec<_> = (0..8u32)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for number in 0..50u32 {
                    let key = [thread.to_be_bytes(), number.to_be_bytes()].concat();
                    store.commit(&put(&key, "x"), Durability::Durable).unwrap();
                    assert!(store.get(&key).unwrap().is_some());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(store.range(&[], &[0xff], 1000).unwrap().len(), 400);
    assert_eq!(store.stats().figures.sequence, 400);
}
