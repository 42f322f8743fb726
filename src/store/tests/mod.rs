//! Tests that look at the store through its public face, or at several of its parts at once.

mod crash;
mod durable;
mod journal;
mod model;
mod sim;

use std::path::Path;
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
