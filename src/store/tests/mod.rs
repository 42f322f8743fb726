//! Tests that look at the store through its public face, or at several of its parts at once.

mod crash;
mod durable;
mod engine;
mod journal;
mod model;
mod recover;
mod sim;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Batch, StoreOptions};

fn options(path: &Path) -> StoreOptions {
    StoreOptions {
        path: path.to_owned(),
        // Segments are a thirty-second of it.
        max_size: 64 << 20,
        journal_keep: 64 << 20,
        history_keep: Duration::ZERO,
        history_max_records: 0,
    }
}

/// Every file beneath `dir` with its bytes, by its path within.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// Does `what` and asserts that it changed no file.
fn changes_nothing<T>(dir: &Path, what: impl FnOnce() -> T) -> T {
    let before = files(dir);
    let answer = what();
    let after = files(dir);
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for (path, bytes) in before {
        assert!(after[&path] == bytes, "{} was changed", path.display());
    }
    answer
}

fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Batch {
    let mut batch = Batch::default();
    batch.put(key.as_ref(), value.as_ref());
    batch
}

fn delete(key: impl AsRef<[u8]>) -> Batch {
    let mut batch = Batch::default();
    batch.delete(key.as_ref());
    batch
}
