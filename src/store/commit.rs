//! Committing: the queue of batches, and the group that is written together.
//!
//! A durable batch is queued; whoever finds no leader becomes it, writes what is queued (the lazy batches before it too)
//! with one write and one fdatasync, takes it into the view and wakes the others. What arrives meanwhile is the next
//! group: no timer is needed. When the write fails, the durable batches of the group are answered with the error and
//! forgotten; the lazy ones stay queued, for they were visible already.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::engine::{CHECKPOINT_BYTES, Engine, Wake, lock};
use super::frame;
use super::table::Operations;
use super::{Batch, Durability, StoreError};

/// When the table has failed for long and the changes take so much memory, commits that put are refused.
const OVERLAY_LIMIT: u64 = 256 << 20;

/// Lazy batches waiting for a disk that fails may take so many bytes before they are refused, too.
const UNSYNCED_LIMIT: u64 = 16 << 20;

/// One group takes so many bytes; what is more waits for the next.
const GROUP_BYTES: u64 = 4 << 20;

/// Batches on their way to the journal.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    outcomes: HashMap<u64, Result<(), StoreError>>,
    /// The first ticket of the group that is being written.
    leading: Option<u64>,
    next_ticket: u64,
    /// Bytes of the lazy batches that wait.
    lazy_bytes: u64,
    /// No more commits: the store was closed.
    pub(super) closed: bool,
}

#[derive(Debug)]
struct Waiting {
    ticket: u64,
    lazy: bool,
    payload: Vec<u8>,
    operations: Operations,
}

impl Engine {
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

    /// Whether a batch of so many bytes has room.
    fn admit(&self, batch: &Batch, bytes: u64, durability: Durability) -> Result<(), StoreError> {
        if batch.operations().iter().all(|(_, value)| value.is_none()) {
            return Ok(());
        }
        let limit = self.setup.max_size;
        let used = self.used.load(Ordering::Relaxed);
        // Lazy batches are outcomes of deliveries, and only by them does room come back: refused for size, a store full of
        // what waits would stay full for ever. What they add is bounded by the attempts kept for each delivery.
        if durability == Durability::Durable && used.saturating_add(bytes) > limit {
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

    /// See [`super::Store::commit`].
    pub(super) fn commit_batch(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
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
