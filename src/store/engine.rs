//! Journal, view and table as one store: group commit, checkpoints, the size limit. Nothing here runs by itself;
//! [`super::durable`] brings the threads, tests call what they need.
//!
//! **Commit.** See [`super::commit`].
//!
//! **Checkpoint.** The view sets aside what it holds, the table takes it in, and only then is the journal trimmed.
//! When the table fails, it is dropped and opened again with the next try; overlay and journal keep everything.
//!
//! **Size.** `used` is what deleting brings down: the journal's bytes behind the last checkpoint, and the live bytes in
//! the table times [`TABLE_OVERHEAD_TENTHS`]. sled's file never shrinks; it is written anew where it is much larger than that
//! ([`Engine::renew`]).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::commit::Queue;
use super::fs::FileSystem;
use super::journal::{Journal, Replay};
use super::prepare::Preparation;
use super::segment::Position;
use super::table::{Operations, Renewal, Size, Table, View, merge};
use super::{Batch, Bytes, Durability, Key, Store, StoreError};

/// A checkpoint is due when the changes take so much memory.
pub const CHECKPOINT_BYTES: u64 = 32 << 20;

/// What a live byte in sled takes on disk, in tenths: 1,000,000 entries of 700 bytes were seen to take 1.17 GB.
const TABLE_OVERHEAD_TENTHS: u64 = 16;

/// Free space a checkpoint needs beside four times the values it moves: sled must not meet a full disk.
const RESERVE: u64 = 16 << 20;

/// Opens the table: at the start, and again when it failed.
pub type OpenTable = Box<dyn Fn(super::sled::Trust) -> Result<Box<dyn Table>, StoreError> + Send + Sync>;

/// What the engine is told.
pub struct Setup {
    /// The journal's file system.
    pub fs: Arc<dyn FileSystem>,
    /// The journal's directory.
    pub dir: PathBuf,
    /// Bytes of a journal segment.
    pub segment_size: u64,
    /// `store.max_size`.
    pub max_size: u64,
    /// `store.journal_keep`.
    pub journal_keep: u64,
    /// Bytes of the table's files below which they are not written anew.
    pub renew_from: u64,
    /// How far the table is known to reach, before it is opened.
    pub known: Position,
    /// The table beneath.
    pub open_table: OpenTable,
}

impl fmt::Debug for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Setup")
            .field("dir", &self.dir)
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}

/// Figures for metrics and `radhook status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes all journal files take.
    pub journal_bytes: u64,
    /// Bytes sled's file takes.
    pub sled_bytes: u64,
    /// Bytes counted against `store.max_size`.
    pub used: u64,
    /// Keys changed since the last checkpoint.
    pub overlay_entries: u64,
    /// Bytes they take in memory.
    pub overlay_bytes: u64,
    /// Files in sled's `blobs/`; anything but 0 is an alarm.
    pub blobs: u64,
    /// The last batch that is durable.
    pub sequence: u64,
    /// The last batch in sled.
    pub checkpoint_sequence: u64,
}

/// The store without its threads.
pub struct Engine {
    pub(super) setup: Setup,
    pub(super) queue: Mutex<Queue>,
    pub(super) done: Condvar,
    pub(super) journal: Mutex<Journal>,
    view: RwLock<View>,
    table: RwLock<Option<Box<dyn Table>>>,
    /// Held while a checkpoint runs: there is one at a time.
    checkpoint: Mutex<Checkpointed>,
    pub(super) used: AtomicU64,
    pub(super) overlay: AtomicU64,
    /// Called when work for the threads arises.
    pub(super) wake: Box<dyn Fn(Wake) + Send + Sync>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// What the threads are woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A lazy batch waits to be synced.
    Lazy,
    /// A checkpoint is due, or could make room.
    Checkpoint,
}

#[derive(Debug, Default)]
struct Checkpointed {
    position: Position,
}

impl Engine {
    /// Opens the table, then replays the journal over it. The journal is walked once before the table is opened, so
    /// that damage is told before anything is touched.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn open(setup: Setup, wake: Box<dyn Fn(Wake) + Send + Sync>) -> Result<(Engine, Replay), StoreError> {
        Journal::open(setup.fs.clone(), &setup.dir, setup.segment_size, setup.known, &mut |_, _, _| Ok(()))?;
        let table = (setup.open_table)(super::sled::Trust::Verify)?;
        let from = table.position();
        let mut view = View::new(from);
        let (journal, replay) =
            Journal::open(setup.fs.clone(), &setup.dir, setup.segment_size, from, &mut |batch, position, bytes| {
                view.apply(None, Operations::from(&batch), bytes);
                view.reached(position);
                // Far more than usual is there when sled was replaced or had failed for long.
                if view.size().bytes > CHECKPOINT_BYTES
                    && let Some(frozen) = view.freeze()
                {
                    table.checkpoint(&frozen.changes, frozen.position)?;
                    view.thawed();
                }
                Ok(())
            })?;
        view.reached(journal.position());
        journal.remove_leftovers();
        let engine = Engine {
            setup,
            queue: Mutex::default(),
            done: Condvar::new(),
            journal: Mutex::new(journal),
            view: RwLock::new(view),
            checkpoint: Mutex::new(Checkpointed { position: table.position() }),
            table: RwLock::new(Some(table)),
            used: AtomicU64::new(0),
            overlay: AtomicU64::new(0),
            wake,
        };
        engine.measure(engine.view().size());
        Ok((engine, replay))
    }

    /// Takes `used` anew.
    pub(super) fn measure(&self, size: Size) {
        // While the table is away its last figure stands.
        if let Some(table) = self.table().as_ref() {
            let live = table.live_bytes().saturating_mul(TABLE_OVERHEAD_TENTHS) / 10;
            self.used.store(size.journal.saturating_add(live), Ordering::Relaxed);
        }
        self.overlay.store(size.bytes, Ordering::Relaxed);
    }

    /// Moves what the view holds into the table, and trims the journal. Answers whether there was anything to do.
    ///
    /// # Errors
    /// What the table answers, or [`StoreError::Io`] when there is too little free space for it. Nothing is lost, and
    /// the next call tries again.
    pub fn checkpoint(&self) -> Result<bool, StoreError> {
        let mut checkpointed = lock(&self.checkpoint);
        self.have_table(checkpointed.position)?;
        let values = self.view().size().values;
        let needed = RESERVE + 4 * values;
        let free = self.setup.fs.free_space(&self.setup.dir).map_err(StoreError::io("measuring", &self.setup.dir))?;
        if free < needed && values > 0 {
            self.trim(checkpointed.position, 0);
            let free =
                self.setup.fs.free_space(&self.setup.dir).map_err(StoreError::io("measuring", &self.setup.dir))?;
            if free < needed {
                return Err(StoreError::Io {
                    doing: format!("a checkpoint needs {needed} bytes of free space, and {free} are there"),
                    source: io::ErrorKind::StorageFull.into(),
                });
            }
        }
        let Some(frozen) = self.view_mut().freeze() else { return Ok(false) };
        let taken = match self.table().as_ref() {
            Some(table) => table.checkpoint(&frozen.changes, frozen.position),
            None => return Ok(false),
        };
        if let Err(error) = taken {
            // After an error sled answers every call with it; dropped and opened again, it may work.
            drop(write(&self.table).take());
            return Err(error);
        }
        let size = {
            let mut view = self.view_mut();
            view.thawed();
            view.size()
        };
        checkpointed.position = frozen.position;
        self.measure(size);
        self.trim(frozen.position, self.setup.journal_keep);
        Ok(true)
    }

    /// Goes on writing the table's files anew where that is due. Answers whether there is more to do.
    pub fn renew(&self) -> bool {
        let _alone = lock(&self.checkpoint);
        let renewal = self.table().as_ref().map_or(Renewal::NotDue, |table| table.renew(self.setup.renew_from));
        match renewal {
            Renewal::NotDue => false,
            Renewal::Going => true,
            Renewal::Done(table) => {
                let old = write(&self.table).replace(table);
                // Its threads end here, when nobody waits for the table any more.
                drop(old);
                false
            }
        }
    }

    /// Opens the table again when it was dropped after a failure.
    fn have_table(&self, position: Position) -> Result<(), StoreError> {
        if self.table().is_some() {
            return Ok(());
        }
        let table = (self.setup.open_table)(super::sled::Trust::Reopen)?;
        let found = table.position().sequence;
        if found < position.sequence {
            return Err(StoreError::Table {
                path: self.setup.dir.with_file_name("sled"),
                what: format!("opened again, it reaches to batch {found} and not to {}", position.sequence),
            });
        }
        *write(&self.table) = Some(table);
        Ok(())
    }

    /// Drops the trimmed segments there is no room for, or makes one of them the next segment. What cannot be removed
    /// is tried again when the store is opened the next time.
    fn trim(&self, checkpoint: Position, keep: u64) {
        let table_bytes = self.table().as_ref().map_or(0, |table| table.disk_bytes());
        let mut journal = lock(&self.journal);
        let live = journal.disk_bytes() - journal.retained(checkpoint);
        let room = self.setup.max_size.saturating_sub(live + table_bytes);
        let mut gone = journal.trim(checkpoint, keep.min(room));
        let recycling = journal.recycling(&mut gone);
        let removals: Vec<_> = gone.into_iter().map(|trimmed| journal.removal(trimmed)).collect();
        if let Err(error) = journal.cut_sealed() {
            tracing::warn!(%error, "a sealed journal segment keeps more room than it needs");
        }
        drop(journal);
        for removal in removals {
            if let Err(error) = removal() {
                tracing::warn!(%error, "a trimmed journal segment could not be removed");
            }
        }
        self.run(recycling);
    }

    /// Prepares the next segment when there is none, and room enough.
    pub fn prepare(&self) {
        let room = self.setup.fs.free_space(&self.setup.dir).unwrap_or(0);
        if room > RESERVE + 2 * self.setup.segment_size {
            let preparation = lock(&self.journal).preparation();
            self.run(preparation);
        }
    }

    fn run(&self, preparation: Option<Preparation>) {
        match preparation.map(Preparation::run) {
            None => {}
            Some(Ok(file)) => lock(&self.journal).prepared(file),
            Some(Err(error)) => tracing::warn!(%error, "the next journal segment will be made when it is needed"),
        }
    }

    /// Ends the store's use: a last checkpoint and the closing marks. Commits are refused from here on.
    ///
    /// # Errors
    /// The first thing that failed; the rest was done all the same, and nothing is lost that was durable.
    pub fn close(&self) -> Result<(), StoreError> {
        self.queue().closed = true;
        let synced = self.sync();
        let checkpointed = self.checkpoint();
        let marked = if synced.is_ok() { self.mark_closed() } else { Ok(()) };
        let closed = write(&self.table).take().map_or(Ok(()), |table| table.close());
        synced.and(checkpointed.map(drop)).and(marked).and(closed)
    }

    /// Writes the journal's closing mark.
    pub(super) fn mark_closed(&self) -> Result<(), StoreError> {
        lock(&self.journal).close()
    }

    /// The figures of this moment.
    pub fn figures(&self) -> Figures {
        let size = self.view().size();
        let (journal_bytes, sequence) = {
            let journal = lock(&self.journal);
            (journal.disk_bytes(), journal.position().sequence)
        };
        let table = self.table();
        let table = table.as_ref();
        Figures {
            journal_bytes,
            sled_bytes: table.map_or(0, |table| table.disk_bytes()),
            used: self.used(),
            overlay_entries: size.entries,
            overlay_bytes: size.bytes,
            blobs: table.map_or(0, |table| table.blobs()),
            sequence,
            checkpoint_sequence: table.map_or(0, |table| table.position().sequence),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        write(&self.view)
    }

    fn table(&self) -> RwLockReadGuard<'_, Option<Box<dyn Table>>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the table beneath; what is read with a view of `freezes` counts only if no later checkpoint began.
    fn beneath<T>(&self, read: impl FnOnce(&dyn Table) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.table().as_ref() {
            Some(table) => read(&**table),
            None => Err(StoreError::Table {
                path: self.setup.dir.with_file_name("sled"),
                what: "it failed, and is being opened again".to_owned(),
            }),
        }
    }
}

impl Store for Engine {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        loop {
            let (known, freezes) = {
                let view = self.view();
                (view.get(key), view.freezes())
            };
            if let Some(change) = known {
                return Ok(change);
            }
            let found = self.beneath(|table| table.get(key));
            // A checkpoint that began meanwhile may have been half way through the pieces of this value.
            if self.view().freezes() == freezes {
                return found;
            }
        }
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        loop {
            let slice = self.view().slice(from, to, limit);
            let merged = self.beneath(|table| merge(slice.changes, table.range(from, to), limit));
            if self.view().freezes() == slice.freezes {
                return merged;
            }
        }
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.commit_batch(batch, durability)
    }

    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// Locks, whether or not a thread panicked with it: everything guarded here is changed in steps that leave it whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
