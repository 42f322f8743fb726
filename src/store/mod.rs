//! The store: one ordered key-value table for everybody above. A batch is atomic, and durable when a
//! [`Durability::Durable`] commit returns.
//!
//! Beneath the trait stand `journal` (what acknowledges), `table` (what readers see first) and `sled` (what holds).

mod absent;
pub mod bell;
mod block;
pub mod check;
mod commit;
pub mod draft;
pub mod durable;
mod engine;
pub mod exchanges;
pub mod forget;
mod frame;
pub mod fs;
pub mod history;
mod journal;
mod key;
mod layout;
mod mark;
pub mod memory;
mod migrate;
mod prepare;
mod probe;
pub mod queue;
mod quiet;
pub mod records;
pub mod recover;
mod seen;
mod segment;
pub mod sessions;
mod sled;
pub mod standing;
mod table;
mod told;

#[cfg(test)]
mod tests;

pub use durable::{DurableStore, Stats};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

pub use draft::Draft;
pub use key::Key;

/// What a key holds. Shared: the batch on its way to the journal, the overlay and whoever reads have the same octets.
pub type Bytes = Arc<[u8]>;

/// The longest key. Keys are built by `records` from fixed-width parts; the bound keeps a frame's arithmetic small.
pub const MAX_KEY: usize = 1024;

/// The longest value. An event of one 4,096-byte packet, every octet of it escaped as JSON, stays far below.
pub const MAX_VALUE: usize = 16 * 1024 * 1024;

/// An ordered key-value table with atomic batches.
pub trait Store: Send + Sync {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The first `limit` entries with `from <= key < to`, in key order.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError>;

    /// Applies a batch whole or not at all. After an error nothing of it is visible, now or after a restart that
    /// follows a later successful commit; after a crash instead of an answer, the batch may be there, whole.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError>;

    /// Bytes that count against [`StoreOptions::max_size`]; 0 where nothing is limited. What was deleted counts until
    /// the next checkpoint.
    fn used(&self) -> u64 {
        0
    }
}

/// How far a commit must have come when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk, fdatasync done: what an acknowledgement needs.
    Durable,
    /// Visible now, on disk with the next durable commit or at most 50 ms later. A crash may lose it; it never tears it,
    /// and never keeps a later commit while losing this one.
    Lazy,
}

/// Puts and deletes that belong together. Later operations on a key win over earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<(Key, Option<Bytes>)>,
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, key: impl Into<Key>, value: impl Into<Bytes>) {
        self.operations.push((key.into(), Some(value.into())));
    }

    /// Removes a key; removing what is not there is no error.
    pub fn delete(&mut self, key: impl Into<Key>) {
        self.operations.push((key.into(), None));
    }

    /// The operations in the order they were made; `None` is a delete.
    pub fn operations(&self) -> &[(Key, Option<Bytes>)] {
        &self.operations
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

/// What the operator sets under `[store]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// The data directory; holds `journal/` and `sled/`.
    pub path: PathBuf,
    /// Journal and sled together, in bytes. At this size durable commits that put are refused with [`StoreError::Full`];
    /// lazy ones pass.
    pub max_size: u64,
    /// Trimmed journal segments kept for `radhook store recover`, in bytes.
    pub journal_keep: u64,
    /// How long delivered events stay readable.
    pub history_keep: Duration,
    /// How many delivered events stay readable, whatever their age.
    pub history_max_records: u64,
}

/// Why the store refused, grouped by whose move it is.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operator's limit: delete, deliver or raise it. Clears by itself when space returns.
    #[error("the store holds {used} bytes and store.max_size is {limit}")]
    Full {
        /// Bytes in use.
        used: u64,
        /// `store.max_size`.
        limit: u64,
    },
    /// The disk said no. Tried again with the next commit.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the file's path.
        doing: String,
        /// What the system answered.
        source: io::Error,
    },
    /// Acknowledged data is damaged. Nothing was changed on disk.
    #[error("{path} is damaged at byte {offset}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was expected and what stood there.
        what: String,
    },
    /// The table beneath cannot be opened or read. Nothing was changed on disk.
    #[error("sled in {path}: {what}")]
    Table {
        /// sled's directory.
        path: PathBuf,
        /// What it said, or how it panicked.
        what: String,
    },
    /// Another process has it open.
    #[error("{path} is in use by another process")]
    Locked {
        /// The data directory.
        path: PathBuf,
    },
    /// Written by a newer radhook.
    #[error(
        "{path} is of format {found}, of a newer radhook; this one reads up to {known}. Install the newer one again; or, giving \
         up what came since the upgrade, put its copy before-format-{found} in the directory's place"
    )]
    Newer {
        /// The data directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The directory is of an older format, and there is no room for the copy that is made before it is raised.
    #[error(
        "{path} is of the older format {found} and is copied before it is used: {needed} bytes are needed for that on its \
         file system, and {free} are free"
    )]
    NoRoom {
        /// The data directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// What the copy takes, and a little beside it.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// A record does not read as what its key says.
    #[error("record {key:02x?}: {what}")]
    Record {
        /// The record's key.
        key: Key,
        /// What is wrong with it.
        what: String,
    },
    /// A batch breaks [`MAX_KEY`] or [`MAX_VALUE`]: a programming error above, refused before anything is written.
    #[error("batch refused: {0}")]
    TooLarge(String),
}

impl StoreError {
    /// Tells what was being done with which file when the system said no.
    fn io<'a>(doing: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + use<'a> {
        move |source| StoreError::Io { doing: format!("{doing} {}", path.display()), source }
    }
}
