//! sled's file, written anew. sled frees a segment of its file only when nothing in it lives any more, and moves what is left in one
//! only now and then: where small entries that stay are put in beside much that goes soon, the file becomes dozens of times as large
//! as what lives in it, without end. So everything is copied, in the order of its keys, into a sled beside this one,
//!
//! ```text
//!  sled/                      read, and changed by checkpoints, all the while
//!  sled.anew-<sequence>/      takes what was copied up to a key; what checkpoints change before that key goes to both
//! ```
//! and when all is there and on disk the two directories change places in one step (renameat2 with RENAME_EXCHANGE). Both hold the same
//! at that moment, so that after a kill or a power cut whichever is found is right, and the other is removed. The copy is made a
//! part at a time between checkpoints, and is given up for a while when anything about it fails: nothing depends on it.
//!
//! sled keeps the path it was opened with, and uses it for nothing later but what it puts into `blobs/` (`super`). Since no two copies
//! have the same name, it could only fail there, and is then opened again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::write::Batch;
use super::{STEP, SledTable};
use crate::store::StoreError;
use crate::store::fs::{FileSystem as _, RealFs, make_dir, remove_dir};
use crate::store::layout::{BLOCKS_END, PIECE};
use crate::store::table::{Renewal, Table as _};

/// How many times as large as what lives in it the file may become. Just written it is twice as large, and three times where the
/// entries are small: less would be written over and over for little.
const RATIO: u64 = 4;

/// A file that was written anew has to become this many times as large before it is due again, whatever lives in it.
const GROWN: u64 = 2;

/// Free space that a copy leaves: twice what checkpoints need at the least.
const SPARE: u64 = 64 << 20;

/// After a copy failed, the next is begun no sooner.
const PAUSE: Duration = Duration::from_secs(600);

/// What every copy's name begins with, after that of sled's directory.
const ANEW: &str = "anew-";

/// A copy in the making, and when one may be made.
#[derive(Debug, Default)]
pub(super) struct Renewing {
    copy: Option<Duplicate>,
    /// The file's length when it had been written anew.
    fresh: u64,
    /// When a copy failed, and why.
    failed: Option<(Instant, String)>,
}

#[derive(Debug)]
struct Duplicate {
    table: Box<SledTable>,
    /// Everything before this key is in it, as it is now.
    reached: Vec<u8>,
    began: Instant,
}

impl SledTable {
    /// Whether a copy is being made.
    pub(super) fn is_renewing(&self) -> bool {
        self.renewing().copy.is_some()
    }

    /// Whether one is due: see [`crate::store::table::Table::renew`].
    pub(super) fn is_to_be_renewed(&self, floor: u64) -> bool {
        let renewing = self.renewing();
        let least = floor.max(RATIO.saturating_mul(self.live_bytes())).max(GROWN.saturating_mul(renewing.fresh));
        self.disk_bytes() > least && renewing.failed.as_ref().is_none_or(|(failed, _)| failed.elapsed() >= PAUSE)
    }

    /// Begins a copy or goes on with it, by `most` entries. [`Renewal::NotDue`] when that failed.
    pub(super) fn renew_part(&self, most: usize) -> Renewal<Box<SledTable>> {
        let mut renewing = self.renewing();
        let renewal = self.go_on(&mut renewing, most);
        self.unless_failed(&mut renewing, renewal).unwrap_or(Renewal::NotDue)
    }

    fn go_on(&self, renewing: &mut Renewing, most: usize) -> Result<Renewal<Box<SledTable>>, StoreError> {
        let mut copy = match renewing.copy.take() {
            Some(copy) => copy,
            None => self.begin()?,
        };
        let copied = self.copy(&mut copy, most);
        let placed = copied.and_then(|all| if all { self.take_place(&mut copy).map(|()| true) } else { Ok(false) });
        if let Ok(true) = placed {
            return Ok(Renewal::Done(copy.table));
        }
        // Also where it failed: whoever hears of that gives it up.
        renewing.copy = Some(copy);
        placed.map(|_| Renewal::Going)
    }

    fn begin(&self) -> Result<Duplicate, StoreError> {
        // Never larger than what it is made from is allowed to be.
        self.has_room(RATIO.saturating_mul(self.live_bytes()))?;
        let dir = self.dir.with_extension(format!("{ANEW}{}", self.position().sequence));
        remove_dir(&dir)?;
        match try_exchange(&dir).and_then(|()| SledTable::open_files(&dir)) {
            Ok(table) => Ok(Duplicate { table: Box::new(table), reached: Vec::new(), began: Instant::now() }),
            Err(error) => remove_dir(&dir).and(Err(error)),
        }
    }

    /// Copies the next entries. Answers whether all are there.
    fn copy(&self, copy: &mut Duplicate, most: usize) -> Result<bool, StoreError> {
        self.has_room(0)?;
        let mut entries = self.raw(&copy.reached, BLOCKS_END)?;
        let mut left = most;
        while left > 0 {
            let mut batch = ::sled::Batch::default();
            let (mut count, mut bytes) = (0, 0);
            while count < STEP.min(left) && bytes < STEP * PIECE {
                let Some(entry) = entries.next() else {
                    copy.table.call(|tree| tree.apply_batch(batch))?;
                    copy.reached = BLOCKS_END.to_vec();
                    return Ok(true);
                };
                let (key, value) = entry?;
                copy.reached.clear();
                copy.reached.extend_from_slice(&key);
                copy.reached.push(0);
                count += 1;
                bytes += key.len() + value.len();
                batch.insert(key, value);
            }
            left -= count;
            copy.table.call(|tree| tree.apply_batch(batch))?;
        }
        Ok(false)
    }

    fn has_room(&self, needed: u64) -> Result<(), StoreError> {
        let free = RealFs.free_space(&self.dir).map_err(StoreError::io("measuring", &self.dir))?;
        if free < needed.saturating_add(SPARE) {
            return Err(StoreError::Io {
                doing: format!("{needed} bytes and {SPARE} to spare are needed, and {free} are free"),
                source: io::ErrorKind::StorageFull.into(),
            });
        }
        Ok(())
    }

    /// Lets a copy that holds everything take this one's place on disk.
    fn take_place(&self, copy: &mut Duplicate) -> Result<(), StoreError> {
        let Duplicate { table, began, .. } = copy;
        table.sync()?;
        table.sync_names()?;
        let (at, was) = (table.dir.clone(), self.disk_bytes());
        exchange(&at, &self.dir)?;
        // From here on it is this one, whatever fails: both hold the same still. The next checkpoint's mark syncs the exchange too.
        *table.record() = *self.record();
        table.dir.clone_from(&self.dir);
        table.absent = self.absent.clone();
        table.told = self.told.clone();
        table.renewing().fresh = table.disk_bytes();
        if let Err(error) = sync_parent(&self.dir).and_then(|()| remove_dir(&at)) {
            tracing::warn!(%error, "what sled's file was before it was written anew stays until the next start");
        }
        tracing::info!(
            bytes_before = was,
            bytes = table.disk_bytes(),
            live_bytes = table.live_bytes(),
            seconds = began.elapsed().as_secs_f64(),
            "sled's file was written anew"
        );
        Ok(())
    }

    /// What came out, unless it failed: then the copy is given up, and this is told.
    fn unless_failed<T>(&self, renewing: &mut Renewing, outcome: Result<T, StoreError>) -> Option<T> {
        let error = match outcome {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let why = error.to_string();
        if renewing.failed.as_ref().is_none_or(|(_, before)| *before != why) {
            tracing::warn!(
                dir = %self.dir.display(), error = why, again_in_seconds = PAUSE.as_secs(),
                "sled's file cannot be written anew, and stays larger than it needs to be"
            );
        }
        renewing.failed = Some((Instant::now(), why));
        renewing.give_up();
        None
    }
}

impl Renewing {
    /// The part of a batch that the copy has to take in too.
    pub fn part_of(&self, batch: &Batch) -> Option<::sled::Batch> {
        self.copy.as_ref().map(|copy| batch.before(&copy.reached))
    }

    /// Lets the copy take it in.
    pub fn take_in(&mut self, table: &SledTable, part: ::sled::Batch) {
        let taken = self.copy.as_ref().map_or(Ok(()), |copy| copy.table.call(|tree| tree.apply_batch(part)));
        table.unless_failed(self, taken);
    }

    /// Ends a copy in the making, and removes it.
    pub fn give_up(&mut self) {
        if let Some(Duplicate { table, .. }) = self.copy.take() {
            let dir = table.dir.clone();
            drop(table);
            if let Err(error) = remove_dir(&dir) {
                tracing::warn!(%error, "a copy of sled that is not needed any more stays until the next start");
            }
        }
    }
}

/// Removes copies that were not finished, and what stood in the place of one that was. What goes wrong is no reason not to start.
/// Where sled itself is missing they stay: whoever has to find out why may want them.
pub(super) fn tidy(dir: &Path) {
    if !dir.join("db").exists() {
        return;
    }
    let removed = copies(dir).map_err(StoreError::io("listing", dir)).and_then(|copies| {
        if !copies.is_empty() {
            // What stands in sled's place stands there durably before the other one goes.
            sync_parent(dir)?;
        }
        copies.iter().try_for_each(|copy| remove_dir(copy))
    });
    if let Err(error) = removed {
        tracing::warn!(%error, "a copy of sled that is not needed any more stays");
    }
}

fn copies(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let begins = dir.with_extension(ANEW);
    let is_copy =
        |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(begins.as_os_str().as_encoded_bytes());
    let paths = fs::read_dir(parent(dir))?.map(|entry| entry.map(|entry| entry.path()));
    paths.filter(|path| path.as_ref().map_or(true, is_copy)).collect()
}

/// Lets two directories change places.
fn exchange(one: &Path, other: &Path) -> Result<(), StoreError> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
        .map_err(|errno| StoreError::io("exchanging", one)(errno.into()))
}

/// Makes a directory, and finds out in it whether two can change places here: not every file system lets them, and to learn that when
/// all was copied would be late.
fn try_exchange(dir: &Path) -> Result<(), StoreError> {
    let (one, other) = (dir.join("one"), dir.join("other"));
    make_dir(&one).and_then(|()| make_dir(&other)).and_then(|()| exchange(&one, &other))?;
    remove_dir(&one).and_then(|()| remove_dir(&other))
}

fn sync_parent(dir: &Path) -> Result<(), StoreError> {
    RealFs.sync_dir(parent(dir)).map_err(StoreError::io("syncing", parent(dir)))
}

fn parent(dir: &Path) -> &Path {
    dir.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
