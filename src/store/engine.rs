//! Journal, view and table as one store: group commit, checkpoints, the size limit. Nothing here runs by itself;
//! [`super::durable`] brings the threads, tests call what they need.
//!
//! **Commit.** A durable batch is queued; whoever finds no leader becomes it, writes what is queued (the lazy batches
//! before it too) with one write and one fdatasync, takes it into the view and wakes the others. What arrives meanwhile
//! is the next group: no timer is needed. When the write fails, the durable batches of the group are answered with the
//! error and forgotten; the lazy ones stay queued, for they were visible already.
//!
//! **Checkpoint.** The view sets aside what it holds, the table takes it in, and only then is the journal trimmed.
//! When the table fails, it is dropped and opened again with the next try; overlay and journal keep everything.
//!
//! **Size.** `used` is what deleting brings down: the journal's bytes behind the last checkpoint, and the live bytes in
//! the table times [`TABLE_OVERHEAD`]. sled's file never shrinks, but what is free in it is used again.

mod checkpoint;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::frame;
use super::fs::FileSystem;
use super::journal::{Journal, Replay};
use super::segment::Position;
use super::table::{Operations, Size, Table, View, merge};
use super::{Batch, Bytes, Durability, Key, Store, StoreError};

/// A checkpoint is due when the changes take so much memory.
pub const CHECKPOINT_BYTES: u64 = 32 << 20;

/// When the table has failed for long and the changes take so much memory, commits that put are refused.
const OVERLAY_LIMIT: u64 = 256 << 20;

/// Lazy batches waiting for a disk that fails may take so many bytes before they are refused, too.
const UNSYNCED_LIMIT: u64 = 16 << 20;

/// How far above `max_size` lazy batches may still put: outcomes of deliveries must be written for space to come back.
/// Commits that only delete are never refused for size.
pub const LAZY_HEADROOM: u64 = 64 << 20;

/// One group takes so many bytes; what is more waits for the next.
const GROUP_BYTES: u64 = 4 << 20;

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
    setup: Setup,
    queue: Mutex<Queue>,
    done: Condvar,
    journal: Mutex<Journal>,
    view: RwLock<View>,
    table: RwLock<Option<Box<dyn Table>>>,
    /// Held while a checkpoint runs: there is one at a time.
    checkpoint: Mutex<Checkpointed>,
    used: AtomicU64,
    overlay: AtomicU64,
    /// Called when work for the threads arises.
    wake: Box<dyn Fn(Wake) + Send + Sync>,
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
struct Queue {
    waiting: VecDeque<Waiting>,
    outcomes: HashMap<u64, Result<(), StoreError>>,
    /// The first ticket of the group that is being written.
    leading: Option<u64>,
    next_ticket: u64,
    /// Bytes of the lazy batches that wait.
    lazy_bytes: u64,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    lazy: bool,
    payload: Vec<u8>,
    operations: Operations,
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

    /// Makes everything committed so far durable, lazy batches too.
    ///
    /// # Errors
    /// [`StoreError::Io`]; what waits goes on waiting.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut queue = self.queue();
        let last = queue.next_ticket;
        while queue.waiting.front().is_some_and(|waiting| waiting.ticket < last)
            || queue.leading.is_some_and(|first| first < last)
        {
            if queue.leading.is_some() {
                queue = self.done.wait(queue).unwrap_or_else(PoisonError::into_inner);
            } else {
                let (again, outcome) = self.lead(queue);
                outcome?;
                queue = again;
            }
        }
        Ok(())
    }

    /// Writes the next group. The caller saw that nobody else leads.
    fn lead<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> (MutexGuard<'a, Queue>, Result<(), StoreError>) {
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.waiting.front()
            && (group.is_empty() || bytes + next.payload.len() as u64 <= GROUP_BYTES)
        {
            bytes += next.payload.len() as u64;
            group.extend(queue.waiting.pop_front());
        }
        queue.leading = group.first().map(|first: &Waiting| first.ticket);
        drop(queue);
        let written = lock(&self.journal).append(group.iter().map(|waiting| waiting.payload.as_slice()));
        let mut queue = self.queue();
        queue.leading = None;
        let outcome = match written {
            Ok(position) => {
                let mut view = self.view_mut();
                for waiting in group {
                    let length = frame::length(waiting.payload.len()) as u64;
                    if waiting.lazy {
                        queue.lazy_bytes -= waiting.payload.len() as u64;
                    } else {
                        queue.outcomes.insert(waiting.ticket, Ok(()));
                    }
                    view.apply(waiting.lazy.then_some(waiting.ticket), waiting.operations, length);
                }
                view.reached(position);
                let size = view.size();
                drop(view);
                self.measure(size);
                if size.bytes >= CHECKPOINT_BYTES {
                    (self.wake)(Wake::Checkpoint);
                }
                Ok(())
            }
            Err(error) => {
                for waiting in group.into_iter().rev() {
                    if waiting.lazy {
                        queue.waiting.push_front(waiting);
                    } else {
                        queue.outcomes.insert(waiting.ticket, Err(again(&error)));
                    }
                }
                Err(error)
            }
        };
        self.done.notify_all();
        (queue, outcome)
    }

    /// Takes `used` anew.
    fn measure(&self, size: Size) {
        // While the table is away its last figure stands.
        if let Some(table) = self.table().as_ref() {
            let live = table.live_bytes().saturating_mul(TABLE_OVERHEAD_TENTHS) / 10;
            self.used.store(size.journal.saturating_add(live), Ordering::Relaxed);
        }
        self.overlay.store(size.bytes, Ordering::Relaxed);
    }

    /// Whether a batch of so many bytes has room.
    fn admit(&self, batch: &Batch, bytes: u64, durability: Durability) -> Result<(), StoreError> {
        if batch.operations().iter().all(|(_, value)| value.is_none()) {
            return Ok(());
        }
        let headroom = if durability == Durability::Lazy { LAZY_HEADROOM } else { 0 };
        let limit = self.setup.max_size;
        let used = self.used.load(Ordering::Relaxed);
        if used.saturating_add(bytes) > limit.saturating_add(headroom) {
            (self.wake)(Wake::Checkpoint);
            return Err(StoreError::Full { used, limit });
        }
        if self.overlay.load(Ordering::Relaxed) > OVERLAY_LIMIT {
            (self.wake)(Wake::Checkpoint);
            let what = format!("no checkpoint could be made for so long that {OVERLAY_LIMIT} bytes wait in memory");
            return Err(StoreError::Table { path: self.setup.dir.with_file_name("sled"), what });
        }
        Ok(())
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
            used: self.used.load(Ordering::Relaxed),
            overlay_entries: size.entries,
            overlay_bytes: size.bytes,
            blobs: table.map_or(0, |table| table.blobs()),
            sequence,
            checkpoint_sequence: table.map_or(0, |table| table.position().sequence),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
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
                return Ok(change.map(|value| value.to_vec()));
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
        if batch.is_empty() {
            return Ok(());
        }
        let payload = frame::encode(batch)?;
        let bytes = payload.len() as u64;
        self.admit(batch, bytes, durability)?;
        let operations = Operations::from(batch);
        let lazy = durability == Durability::Lazy;
        let mut queue = self.queue();
        if queue.closed {
            let source = io::Error::new(io::ErrorKind::BrokenPipe, "the store was closed");
            return Err(StoreError::Io { doing: "committing".to_owned(), source });
        }
        if lazy && queue.lazy_bytes + bytes > UNSYNCED_LIMIT {
            // Either the disk fails or it is slower than what is committed: then the committer has to wait for it.
            drop(queue);
            self.sync()?;
            queue = self.queue();
        }
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        if lazy {
            self.view_mut().stage(ticket, &operations);
            queue.lazy_bytes += bytes;
            queue.waiting.push_back(Waiting { ticket, lazy, payload, operations });
            drop(queue);
            (self.wake)(Wake::Lazy);
            return Ok(());
        }
        queue.waiting.push_back(Waiting { ticket, lazy, payload, operations });
        loop {
            if let Some(outcome) = queue.outcomes.remove(&ticket) {
                return outcome;
            }
            queue = if queue.leading.is_some() {
                self.done.wait(queue).unwrap_or_else(PoisonError::into_inner)
            } else {
                // The outcome of this batch is among the others; that of another group is none of ours.
                self.lead(queue).0
            };
        }
    }
}

/// The same error once more, for everybody who waited for the same write.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Io { doing, source } => {
            let source = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            };
            StoreError::Io { doing: doing.clone(), source }
        }
        other => {
            StoreError::Io { doing: "writing the journal".to_owned(), source: io::Error::other(other.to_string()) }
        }
    }
}

/// Locks, whether or not a thread panicked with it: everything guarded here is changed in steps that leave it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
