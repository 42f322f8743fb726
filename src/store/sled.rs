//! sled as the table beneath the journal, written only by checkpoints.
//!
//! sled 0.34 never makes an fsync; it takes sync_file_range for enough. Two things make it survive a power cut: its file
//! is made synchronous ([`synchronous`]), so that what sled holds for written is, and each checkpoint ends with `flush`
//! **and** an fdatasync, before and after its position is written.
//!
//! sled splits a leaf above 16 entries and puts leaves above 128 KiB into files it never syncs at all. Values are held
//! in pieces of 4 KiB ([`super::layout`]), so that 16 of them with a key each stay below. Any file in `blobs/` is
//! therefore an alarm.
//!
//! sled panics on some damage, and repairs other damage in silence by cutting it off. So before its files are opened
//! they are compared with what the last close left ([`super::mark`]), or, after a crash, tried on a copy, read whole
//! and counted ([`super::probe`]); every call is made behind `catch_unwind`.

mod known;
mod read;
mod renew;
mod write;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use ::sled::Tree;
use nix::fcntl::{Flock, FlockArg};

use super::absent::Absent;
use super::layout::{RECORD_KEY, Record};
use super::mark::Mark;
use super::probe::try_on_copy;
use super::quiet::quietly;
use super::segment::Position;
use super::table::{Changes, Entries, Renewal, Table};
use super::told::Told;
use super::{Bytes, StoreError};
use renew::Renewing;
use write::Batch;

/// Memory for sled's page cache. It is no strict bound; the default of 1 GiB is sized for another kind of program. What is asked for
/// was put a moment ago, and stands above sled, or is read once, in a row: four times as much made nothing faster.
const CACHE: u64 = 8 << 20;

/// Keys taken in with one of sled's batches. Reads wait while one is applied: 256 take about a millisecond.
const STEP: usize = 256;

/// Entries copied at a time while the file is written anew: some forty milliseconds. Smaller parts only make it longer, and
/// acknowledgements wait more the longer it takes.
const PART: usize = 16 * STEP;

/// How long a closed sled may hold its lock: its threads let go a moment after it was dropped.
const LETTING_GO: Duration = Duration::from_secs(5);

/// How much is done before sled's files are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Compare with what the last close left, else try a copy.
    Verify,
    /// Only the checkpoint's position: this process had it open a moment ago.
    Reopen,
}

/// sled, open.
#[derive(Debug)]
pub struct SledTable {
    dir: PathBuf,
    /// Taken out when it is closed or dropped; both can panic inside sled.
    open: Option<(::sled::Db, Tree)>,
    /// A handle of sled's file, for the fdatasync that sled does not make.
    file: File,
    record: Mutex<Record>,
    /// Held while a batch is applied, and by whoever reads a block that stands in pieces: a change of its neighbours moves it.
    applying: RwLock<()>,
    /// Unknown until the first checkpoint: to find it out means to read every key that stands by itself. Shared with what takes its
    /// place.
    absent: Arc<Mutex<Option<Absent>>>,
    /// Unknown until it is first asked for. Shared, too.
    told: Arc<Mutex<Option<Told>>>,
    renewing: Mutex<Renewing>,
    blobs: AtomicU64,
}

impl SledTable {
    /// Opens sled in `dir`, or begins a new one when there is none and no checkpoint was ever made.
    ///
    /// # Errors
    /// [`StoreError::Table`] with what is wrong; with [`Trust::Verify`] the files are then as they were.
    pub fn open(dir: &Path, trust: Trust) -> Result<SledTable, StoreError> {
        renew::tidy(dir);
        let mark = Mark::read(dir)?;
        let position = mark.as_ref().map(Mark::position).unwrap_or_default();
        if !dir.join("db").exists() {
            if position.sequence > 0 {
                let what = format!("it is missing, and held everything up to batch {}", position.sequence);
                return Err(failed(dir, what));
            }
            return SledTable::create(dir);
        }
        if trust == Trust::Verify && !mark.as_ref().is_some_and(|mark| mark.matches(dir)) {
            match try_on_copy(dir, position) {
                Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => tracing::warn!(
                    dir = %dir.display(),
                    "no room for trying sled on a copy after an unclean stop; opening it without"
                ),
                tried => drop(tried?),
            }
        }
        // From here on sled may write, and what the last close left is no longer what must be found.
        Mark::unclean(position).write(dir)?;
        let table = SledTable::open_files(dir)?;
        table.at_least(position)?;
        table.gather()?;
        Ok(table)
    }

    fn create(dir: &Path) -> Result<SledTable, StoreError> {
        super::fs::make_dir(dir)?;
        let table = SledTable::open_files(dir)?;
        table.gather()?;
        table.sync()?;
        table.sync_names()?;
        Mark::unclean(Position::default()).write(dir)?;
        Ok(table)
    }

    /// Makes durable what sled never syncs: its settings and the names of its files.
    fn sync_names(&self) -> Result<(), StoreError> {
        ["conf", "db", "."].iter().try_for_each(|name| {
            let path = self.dir.join(name);
            File::open(&path).and_then(|file| file.sync_all()).map_err(StoreError::io("syncing", &path))
        })
    }

    pub(super) fn open_files(dir: &Path) -> Result<SledTable, StoreError> {
        let deadline = Instant::now() + LETTING_GO;
        let config = ::sled::Config::new().path(dir).cache_capacity(CACHE).flush_every_ms(None);
        let (db, tree) = loop {
            let opened = quietly(|| config.open().and_then(|db| db.open_tree("radhook").map(|tree| (db, tree))));
            match opened {
                Ok(Ok(opened)) => break opened,
                // Another handle of this process is letting go of it.
                Ok(Err(::sled::Error::Io(error)))
                    if error.to_string().contains("could not acquire lock") && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Ok(Err(error)) => return Err(failed(dir, format!("it cannot be opened: {error}"))),
                Err(panic) => return Err(failed(dir, format!("it cannot be opened: sled panicked: {panic}"))),
            }
        };
        let path = dir.join("db");
        let file = File::options().read(true).write(true).open(&path).map_err(StoreError::io("opening", &path))?;
        if let Err(error) = synchronous(&file) {
            tracing::warn!(
                file = %path.display(), %error,
                "writes to sled's file cannot be made synchronous here; a power cut may leave it to be recovered"
            );
        }
        let table = SledTable {
            dir: dir.to_owned(),
            open: Some((db, tree)),
            file,
            record: Mutex::default(),
            applying: RwLock::default(),
            absent: Arc::default(),
            told: Arc::default(),
            renewing: Mutex::default(),
            blobs: AtomicU64::new(0),
        };
        let record = match table.call(|tree| tree.get(RECORD_KEY))? {
            None => Record::default(),
            Some(bytes) => Record::decode(&bytes)
                .ok_or_else(|| failed(dir, format!("its checkpoint record of {} bytes is not one", bytes.len())))?,
        };
        *table.record() = record;
        table.look_for_blobs();
        Ok(table)
    }

    /// Whether the checkpoint reaches as far as it was seen to reach.
    pub(super) fn at_least(&self, position: Position) -> Result<(), StoreError> {
        let found = self.position().sequence;
        if found < position.sequence {
            let what = format!("it reaches to batch {found}, and the last checkpoint was at {}", position.sequence);
            return Err(failed(&self.dir, what));
        }
        Ok(())
    }

    fn tree(&self) -> Result<&Tree, StoreError> {
        self.open.as_ref().map(|(_, tree)| tree).ok_or_else(|| failed(&self.dir, "it is closed".to_owned()))
    }

    fn call<T>(&self, what: impl FnOnce(&Tree) -> Result<T, ::sled::Error>) -> Result<T, StoreError> {
        let tree = self.tree()?;
        match quietly(|| what(tree)) {
            Ok(answer) => answer.map_err(|error| failed(&self.dir, error.to_string())),
            Err(panic) => Err(failed(&self.dir, format!("sled panicked: {panic}"))),
        }
    }

    fn renewing(&self) -> MutexGuard<'_, Renewing> {
        // A copy that was left in the middle lacks what it lacks: `reached` says what it has.
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // The record is replaced whole; a panic elsewhere cannot leave it half changed.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.call(|tree| tree.flush())?;
        self.file.sync_data().map_err(StoreError::io("syncing", &self.dir.join("db")))
    }

    fn look_for_blobs(&self) {
        let found = fs::read_dir(self.dir.join("blobs")).map_or(0, |files| files.count() as u64);
        if self.blobs.swap(found, Ordering::Relaxed) < found {
            tracing::error!(
                dir = %self.dir.display(), files = found,
                "sled put data into blobs/, which it never syncs: a power cut can lose it; please report this"
            );
        }
    }
}

impl Table for SledTable {
    fn position(&self) -> Position {
        self.record().position
    }

    fn live_bytes(&self) -> u64 {
        self.record().bytes
    }

    fn disk_bytes(&self) -> u64 {
        // The file is open and its directory ours; a length that cannot be had is no reason to stop.
        self.file.metadata().map_or(0, |data| data.len())
    }

    fn blobs(&self) -> u64 {
        self.blobs.load(Ordering::Relaxed)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.find(key)
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Entries<'_> {
        self.entries(from, to).unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    }

    fn checkpoint(&self, changes: &Changes, position: Position) -> Result<(), StoreError> {
        let mut record = self.take_in(changes)?;
        // The position must not reach the disk before what it stands for: the pages of a file do so in any order.
        self.sync()?;
        record.position = position;
        self.write(Batch::default(), &record)?;
        self.sync()?;
        self.look_for_blobs();
        Mark::unclean(position).write(&self.dir)
    }

    fn renew(&self, floor: u64) -> Renewal {
        if !self.is_renewing() && !self.is_to_be_renewed(floor) {
            return Renewal::NotDue;
        }
        match self.renew_part(PART) {
            Renewal::NotDue => Renewal::NotDue,
            Renewal::Going => Renewal::Going,
            Renewal::Done(table) => Renewal::Done(table),
        }
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.renewing().give_up();
        let position = self.position();
        let open = self.open.take();
        if let Err(panic) = quietly(|| drop(open)) {
            return Err(failed(&self.dir, format!("sled panicked when it was closed: {panic}")));
        }
        // Only when its threads have let go are the files what the next start has to find.
        let path = self.dir.join("db");
        let deadline = Instant::now() + LETTING_GO;
        let mut file = File::open(&path).map_err(StoreError::io("opening", &path))?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(_locked) => return Mark::clean(position, &self.dir)?.write(&self.dir),
                Err((_, errno)) if Instant::now() >= deadline => {
                    return Err(failed(&self.dir, format!("it does not let go of its file: {errno}")));
                }
                Err((unlocked, _)) => file = unlocked,
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for SledTable {
    fn drop(&mut self) {
        self.renewing().give_up();
        let open = self.open.take();
        if let Err(panic) = quietly(|| drop(open)) {
            tracing::error!(dir = %self.dir.display(), panic, "sled panicked when it was closed; the journal has it all");
        }
    }
}

/// Makes every write to a file durable before it returns, as `chattr +S` does.
///
/// sled overwrites segments whose entries it has moved elsewhere, and takes sync_file_range for enough to know them safe
/// there. It is not where the file grew: a power cut then loses the new place while the old one is overwritten
/// already, however often the whole file is synced between checkpoints.
fn synchronous(file: &File) -> io::Result<()> {
    let flags = rustix::fs::ioctl_getflags(file)?;
    Ok(rustix::fs::ioctl_setflags(file, flags | rustix::fs::IFlags::SYNC)?)
}

pub(super) fn failed(dir: &Path, what: String) -> StoreError {
    StoreError::Table { path: dir.to_owned(), what }
}

#[cfg(test)]
mod tests;
