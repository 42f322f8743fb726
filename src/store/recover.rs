//! `radhook store recover`: makes a store start again that refuses to, from what its journal still holds.
//!
//! A damaged sled is built again from the journal, the trimmed segments included. A damaged journal is cut before the
//! damage. Nothing is deleted: what is replaced is moved aside, to names that end in `.damaged-1` and so on. Whatever
//! would be given up is told first and done only when it is accepted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::check::{SegmentReport, look_at_sled, survey};
use super::durable::{FORMAT, lock_dir, read_format};
use super::engine::CHECKPOINT_BYTES;
use super::fs::{FileSystem, RealFs, make_dir};
use super::journal::{self, Journal};
use super::mark::{self, Mark};
use super::segment::{HEADER_BLOCK, Position};
use super::sled::{SledTable, Trust};
use super::table::{Operations, Table, View};
use super::{Batch, StoreError, migrate};

/// The segment that a cut journal goes on in; later ones have the configured size again.
const SEGMENT_SIZE: u64 = 1 << 20;

/// What recovery found, and did or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// What is wrong with sled; absent when it is sound.
    pub sled: Option<String>,
    /// What is wrong with the record of sled's last checkpoint; absent when it is sound. It is written anew.
    pub record: Option<String>,
    /// What is wrong with the journal; absent when it is sound.
    pub journal: Option<String>,
    /// The first batch the rebuilt sled holds; absent when sled was sound. Records that were last changed before it are
    /// missing, unless it is 1.
    pub rebuilt_from: Option<u64>,
    /// The last batch that is kept.
    pub kept_through: u64,
    /// Valid batches behind the damage that are given up. The damaged ones themselves cannot be counted.
    pub batches_given_up: u64,
    /// Bytes of those.
    pub bytes_given_up: u64,
    /// Where things were moved.
    pub moved_aside: Vec<PathBuf>,
    /// Whether it was done. It is not when something would be given up and that was not accepted.
    pub done: bool,
}

impl Recovery {
    /// Whether there is nothing to recover.
    pub fn sound(&self) -> bool {
        self.sled.is_none() && self.record.is_none() && self.journal.is_none()
    }

    /// Whether something acknowledged is given up.
    pub fn loses(&self) -> bool {
        self.journal.is_some() || self.rebuilt_from.is_some_and(|first| first > 1)
    }
}

/// Recovers the store in `path`; with `accept_loss` also when that gives something up.
///
/// # Errors
/// [`StoreError::Locked`] while a daemon runs on it, [`StoreError::Newer`], [`StoreError::NoRoom`] for the copy of a store of
/// an older format, [`StoreError::Io`], and [`StoreError::Table`] when even a new sled fails.
pub fn recover(path: &Path, accept_loss: bool) -> Result<Recovery, StoreError> {
    let _lock = lock_dir(path)?;
    let format = read_format(path)?;
    let (dir, sled) = (path.join("journal"), path.join("sled"));
    let fs: Arc<dyn FileSystem> = Arc::new(RealFs);
    let segments = survey(&*fs, &dir)?;
    let mut recovery = Recovery::default();

    let known = match Mark::read(&sled) {
        Ok(mark) => mark.map(|mark| mark.position()).unwrap_or_default(),
        // Whether sled is as new as it should be is then for the journal to say: it has to go on where sled ends.
        Err(error @ StoreError::Damaged { .. }) => {
            recovery.record = Some(error.to_string());
            Position::default()
        }
        Err(error) => return Err(error),
    };
    let start = match look_at_sled(&sled, known) {
        Ok(position) => position,
        Err(error @ (StoreError::Table { .. } | StoreError::Damaged { .. })) => {
            recovery.sled = Some(error.to_string());
            let start = longest_run(&fs, &dir, &segments);
            recovery.rebuilt_from = Some(start.sequence + 1);
            start
        }
        Err(error) => return Err(error),
    };

    // A dry walk first: what would be kept, and what not.
    let mut kept = start;
    let walked = replay(&fs, &dir, start, &mut |_, position, _| {
        kept = position;
        Ok(())
    });
    recovery.kept_through = kept.sequence;
    match walked {
        Ok(end) => recovery.kept_through = end.sequence,
        Err(error @ StoreError::Damaged { .. }) => {
            recovery.journal = Some(error.to_string());
            for segment in segments.iter().filter(|segment| segment.index >= kept.segment) {
                let behind = segment.damage.as_ref();
                recovery.batches_given_up += behind.map_or(0, |damage| damage.batches_behind);
                recovery.bytes_given_up += behind.map_or(0, |damage| damage.bytes_behind);
                if segment.first.is_some_and(|first| first > kept.sequence + 1) {
                    recovery.batches_given_up += segment.batches;
                    recovery.bytes_given_up += segment.used - HEADER_BLOCK;
                }
            }
        }
        Err(error) => return Err(error),
    }
    if recovery.sound() || (recovery.loses() && !accept_loss) {
        recovery.done = recovery.sound();
        return Ok(recovery);
    }

    // What is written below lies as this format has it.
    if let Some(found) = format.filter(|found| *found < FORMAT) {
        migrate::raise(path, found)?;
    }
    let replaced = [(recovery.sled.is_some(), sled.clone()), (true, mark::path(&sled))];
    if recovery.sled.is_some() || recovery.record.is_some() {
        for (_, old) in replaced.iter().filter(|(replace, old)| *replace && old.exists()) {
            recovery.moved_aside.push(aside(old)?);
        }
    }
    let table = SledTable::open(&sled, Trust::Reopen)?;
    rebuild(&fs, &dir, start, kept, &table)?;
    if recovery.journal.is_some() {
        let fresh = journal::begin_after(fs.clone(), &dir, SEGMENT_SIZE, kept.sequence)?;
        table.checkpoint(&Default::default(), fresh)?;
        let damaged = free_name(&dir);
        make_dir(&damaged)?;
        for segment in segments.iter().filter(|segment| segment.index >= kept.segment) {
            let (from, to) = (dir.join(&segment.name), damaged.join(&segment.name));
            fs::rename(&from, &to).map_err(StoreError::io("moving aside", &from))?;
        }
        for synced in [&damaged, &dir, path] {
            fs.sync_dir(synced).map_err(StoreError::io("syncing", synced))?;
        }
        recovery.moved_aside.push(damaged);
    }
    Box::new(table).close()?;
    recovery.done = true;
    Ok(recovery)
}

/// Where a rebuild starts: before the longest run of batches without a gap, and of equally long ones the earliest.
fn longest_run(fs: &Arc<dyn FileSystem>, dir: &Path, segments: &[SegmentReport]) -> Position {
    let mut longest = (Position::default(), 0);
    let mut seen = 0;
    for segment in segments {
        let Some(sequence) = segment.first.and_then(|first| first.checked_sub(1)) else { continue };
        // What another run has passed through would only be a part of that run.
        if segment.index <= seen {
            continue;
        }
        let start = Position { sequence, segment: segment.index, offset: HEADER_BLOCK };
        let mut batches = 0;
        // Where it breaks off is the next one's affair.
        let _ = replay(fs, dir, start, &mut |_, position, _| {
            batches += 1;
            seen = position.segment;
            Ok(())
        });
        if batches > longest.1 {
            longest = (start, batches);
        }
    }
    longest.0
}

/// Moves the batches behind `start` up to `kept` into the table.
fn rebuild(
    fs: &Arc<dyn FileSystem>,
    dir: &Path,
    start: Position,
    kept: Position,
    table: &SledTable,
) -> Result<(), StoreError> {
    let mut view = View::new(start);
    let move_on = |view: &mut View| {
        let Some(frozen) = view.freeze() else { return Ok(()) };
        table.checkpoint(&frozen.changes, frozen.position)?;
        view.thawed();
        Ok(())
    };
    let replayed = replay(fs, dir, start, &mut |batch, position, bytes| {
        view.apply(None, Operations::from(&batch), bytes);
        view.reached(position);
        if view.size().bytes > CHECKPOINT_BYTES { move_on(&mut view) } else { Ok(()) }
    });
    // The dry walk met the same damage, and it was accepted.
    if let Err(error) = replayed
        && !matches!(error, StoreError::Damaged { .. })
    {
        return Err(error);
    }
    move_on(&mut view)?;
    if table.position().sequence < kept.sequence {
        table.checkpoint(&Default::default(), kept)?;
    }
    Ok(())
}

/// Walks the journal behind `start`. Answers where it ends.
fn replay(
    fs: &Arc<dyn FileSystem>,
    dir: &Path,
    start: Position,
    visit: &mut dyn FnMut(Batch, Position, u64) -> Result<(), StoreError>,
) -> Result<Position, StoreError> {
    Journal::open(fs.clone(), dir, SEGMENT_SIZE, start, visit).map(|(journal, _)| journal.position())
}

/// Moves a file or directory aside.
fn aside(path: &Path) -> Result<PathBuf, StoreError> {
    let to = free_name(path);
    fs::rename(path, &to).map_err(StoreError::io("moving aside", path))?;
    Ok(to)
}

/// The first name of the form `<path>.damaged-<n>` that is free.
fn free_name(path: &Path) -> PathBuf {
    let named = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    (1..).map(named).find(|path| !path.exists()).expect("a directory holds fewer than 2^32 names")
}
