//! The store as the daemon uses it: a data directory with its lock and its format, and the threads that sync lazy
//! batches and make checkpoints.
//!
//! ```text
//!  <path>/format              "3": what everything here is written in
//!  <path>/journal/            segments, see `journal`
//!  <path>/sled/               sled's files
//!  <path>/sled.anew-*/        sled's files, being written anew, see `sled::renew`
//!  <path>/sled.checkpoint     how far sled reaches, see `mark`
//! ```
//! The lock is an flock on the directory itself: it leaves nothing behind. Directories are made with mode 0750, files
//! with 0640.
//!
//! **Life.** [`DurableStore::open`] refuses or replays; [`DurableStore::close`] makes a last checkpoint and the closing
//! marks. Dropped without it, the store is left as a crash leaves it: nothing durable is lost, the next start is slower.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{Flock, FlockArg};

use super::engine::{Engine, Figures, Setup, Wake};
use super::fs::{FILE_MODE, RealFs, make_dir};
use super::journal::Replay;
use super::mark::Mark;
use super::sled::SledTable;
use super::{Batch, Bytes, Durability, Key, Store, StoreError, StoreOptions, migrate};

/// The newest format of the data directory this code reads, and the one it writes.
pub const FORMAT: u32 = 3;

/// The time between two checkpoints: what a restart after a crash replays, and how long a healthy delivery may stay
/// in memory only to never reach sled.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// Checkpoints that are asked for (by size, or to make room) keep this distance: short, since under load memory fills meanwhile.
const CHECKPOINT_GAP: Duration = Duration::from_millis(50);

/// After a checkpoint failed the next try waits this long, then twice as long, up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between tries: also how long it takes at most to notice that the disk has room again.
const RETRY_MOST: Duration = Duration::from_secs(30);

/// When a lazy batch is synced that no durable one took along. With the sync itself it stays below the 50 ms promised.
const LAZY_DELAY: Duration = Duration::from_millis(40);

/// Bounds of a journal segment's size. Within them it is a thirty-second of `store.max_size`, so that a small store is
/// not all journal.
const SEGMENT_SIZES: (u64, u64) = (1 << 20, 64 << 20);

/// Bounds of the size above which sled's file is written anew when little lives in it. Within them it is a sixteenth of
/// `store.max_size`. At 8,000 packets a second it is 200 MiB before its segments are used again, and what grows beyond is 100 MiB a
/// minute: with the higher bound it is written anew every few minutes at most.
const RENEW_FROM: (u64, u64) = (16 << 20, 512 << 20);

/// Between two parts of that: packets and deliveries have the processor meanwhile.
const RENEW_GAP: Duration = Duration::from_millis(20);

/// The store on disk.
#[derive(Debug)]
pub struct DurableStore {
    engine: Arc<Engine>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    replay: Replay,
    _lock: Flock<File>,
}

/// Figures for metrics and `radhook status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// What is held, and where.
    pub figures: Figures,
    /// What was replayed when the store was opened, and whether a torn tail was cut off.
    pub replay: Replay,
    /// When the last checkpoint was made; `None` before the first of this run.
    pub checkpointed_at: Option<SystemTime>,
    /// Why the last try at a checkpoint failed; `None` when it did not.
    pub checkpoint_error: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    signals: Mutex<Signals>,
    changed: Condvar,
    outcome: Mutex<(Option<SystemTime>, Option<String>)>,
}

#[derive(Debug, Default)]
struct Signals {
    lazy: bool,
    checkpoint: bool,
    stop: bool,
}

impl DurableStore {
    /// Opens the store in `options.path`, or begins one when the directory is missing or empty. One of an older format is
    /// copied first (`migrate`).
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Newer`], [`StoreError::NoRoom`], [`StoreError::Damaged`],
    /// [`StoreError::Table`], [`StoreError::Io`]. What was there is then as it was, but for a format that was raised.
    pub fn open(options: &StoreOptions) -> Result<DurableStore, StoreError> {
        let path = &options.path;
        make_dir(path)?;
        let lock = lock_dir(path)?;
        match read_format(path)? {
            None => write_format(path)?,
            Some(found) if found < FORMAT => migrate::raise(path, found)?,
            Some(_) => migrate::tidy(path, SystemTime::now()),
        }
        let (journal, sled) = (path.join("journal"), path.join("sled"));
        make_dir(&journal)?;
        let setup = Setup {
            fs: Arc::new(RealFs),
            dir: journal,
            segment_size: (options.max_size / 32).clamp(SEGMENT_SIZES.0, SEGMENT_SIZES.1),
            max_size: options.max_size,
            journal_keep: options.journal_keep,
            renew_from: (options.max_size / 16).clamp(RENEW_FROM.0, RENEW_FROM.1),
            known: Mark::read(&sled)?.map(|mark| mark.position()).unwrap_or_default(),
            open_table: Box::new(move |trust| Ok(Box::new(SledTable::open(&sled, trust)?))),
        };
        let shared = Arc::new(Shared::default());
        let signals = shared.clone();
        let (engine, replay) = Engine::open(setup, Box::new(move |wake| signals.wake(wake)))?;
        if let Some((file, offset)) = &replay.torn {
            tracing::warn!(
                file = %file.display(), offset,
                "the last write before the crash was torn; it was never acknowledged and is cut off"
            );
        }
        engine.prepare();
        let engine = Arc::new(engine);
        let spawn = |name: &str, run: fn(&Engine, &Shared)| {
            let (engine, shared) = (engine.clone(), shared.clone());
            let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&engine, &shared));
            spawned.map_err(StoreError::io("starting a thread for", path))
        };
        let mut threads = vec![spawn("store-lazy", sync_lazy)?];
        match spawn("store-ckpt", make_checkpoints) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                shared.stop(threads);
                return Err(error);
            }
        }
        Ok(DurableStore { engine, shared, threads: Mutex::new(threads), replay, _lock: lock })
    }

    /// The figures of this moment.
    pub fn stats(&self) -> Stats {
        let (checkpointed_at, checkpoint_error) = lock(&self.shared.outcome).clone();
        Stats { figures: self.engine.figures(), replay: self.replay.clone(), checkpointed_at, checkpoint_error }
    }

    /// Makes a checkpoint now.
    ///
    /// # Errors
    /// What the table answers; nothing is lost by it.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.shared.checkpoint(&self.engine)
    }

    /// Makes everything durable that was committed so far.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn sync(&self) -> Result<(), StoreError> {
        self.engine.sync()
    }

    /// Ends the store's use in good order: everything durable, a last checkpoint, the closing marks. Commits are
    /// refused from here on.
    ///
    /// # Errors
    /// The first thing that failed. What was durable still is; the next start then replays as after a crash.
    pub fn close(&self) -> Result<(), StoreError> {
        self.shared.stop(std::mem::take(&mut *lock(&self.threads)));
        self.engine.close()
    }
}

impl Store for DurableStore {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.engine.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.engine.range(from, to, limit)
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.engine.commit(batch, durability)
    }

    fn used(&self) -> u64 {
        self.engine.used()
    }
}

impl Drop for DurableStore {
    fn drop(&mut self) {
        self.shared.stop(std::mem::take(&mut *lock(&self.threads)));
    }
}

impl Shared {
    fn wake(&self, wake: Wake) {
        let mut signals = lock(&self.signals);
        let signal = match wake {
            Wake::Lazy => &mut signals.lazy,
            Wake::Checkpoint => &mut signals.checkpoint,
        };
        if !std::mem::replace(signal, true) {
            self.changed.notify_all();
        }
    }

    fn stop(&self, threads: Vec<JoinHandle<()>>) {
        lock(&self.signals).stop = true;
        self.changed.notify_all();
        for thread in threads {
            // A thread that panicked has said so; there is nothing left to wait for.
            let _ = thread.join();
        }
    }

    /// Waits for a signal, at most so long; answers whether the thread is to stop.
    fn wait(&self, most: Duration, signal: impl Fn(&Signals) -> bool) -> bool {
        let idle = |signals: &mut Signals| !signals.stop && !signal(signals);
        let waited = self.changed.wait_timeout_while(lock(&self.signals), most, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// Makes a checkpoint and tells what became of it, in the log once per change.
    fn checkpoint(&self, engine: &Engine) -> Result<(), StoreError> {
        let made = engine.checkpoint();
        let mut outcome = lock(&self.outcome);
        let said = match &made {
            Ok(true) => {
                outcome.0 = Some(SystemTime::now());
                None
            }
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        };
        if said != outcome.1 {
            match &said {
                Some(error) => tracing::error!(error, "no checkpoint can be made; the journal keeps everything"),
                None => tracing::info!("checkpoints are made again"),
            }
            outcome.1 = said;
        }
        made.map(drop)
    }
}

fn sync_lazy(engine: &Engine, shared: &Shared) {
    let mut failing: Option<String> = None;
    while !shared.wait(CHECKPOINT_EVERY, |signals| signals.lazy) {
        if shared.wait(LAZY_DELAY, |_| false) {
            break;
        }
        lock(&shared.signals).lazy = false;
        let said = engine.sync().err().map(|error| error.to_string());
        if said != failing {
            match &said {
                Some(error) => tracing::error!(error, "the journal cannot be written; nothing is acknowledged"),
                None => tracing::info!("the journal is written again"),
            }
            failing = said;
        }
        if failing.is_some() {
            if shared.wait(RETRY_FIRST, |_| false) {
                break;
            }
            shared.wake(Wake::Lazy);
        }
    }
}

fn make_checkpoints(engine: &Engine, shared: &Shared) {
    let mut retry = RETRY_FIRST;
    while !shared.wait(CHECKPOINT_EVERY, |signals| signals.checkpoint) {
        lock(&shared.signals).checkpoint = false;
        let pause = match shared.checkpoint(engine) {
            Ok(()) => {
                retry = RETRY_FIRST;
                engine.prepare();
                if !renew(engine, shared) {
                    break;
                }
                CHECKPOINT_GAP
            }
            Err(_) => {
                let pause = retry;
                retry = (retry * 2).min(RETRY_MOST);
                pause
            }
        };
        if shared.wait(pause, |_| false) {
            break;
        }
    }
}

/// Goes on writing the table's files anew, until that is done or the next checkpoint is due. Answers whether the thread goes on.
fn renew(engine: &Engine, shared: &Shared) -> bool {
    let until = Instant::now() + CHECKPOINT_EVERY;
    while !lock(&shared.signals).checkpoint && engine.renew() {
        if Instant::now() >= until {
            shared.wake(Wake::Checkpoint);
        }
        if shared.wait(RENEW_GAP, |_| false) {
            return false;
        }
    }
    true
}

/// Locks a data directory against every other process.
pub(super) fn lock_dir(path: &Path) -> Result<Flock<File>, StoreError> {
    let dir = File::open(path).map_err(StoreError::io("opening", path))?;
    match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::Error::EWOULDBLOCK)) => Err(StoreError::Locked { path: path.to_owned() }),
        Err((_, errno)) => Err(StoreError::io("locking", path)(errno.into())),
    }
}

/// Writes down that the directory is of this format.
pub(super) fn write_format(path: &Path) -> Result<(), StoreError> {
    let (file, fresh) = (path.join("format"), path.join("format.new"));
    let write = || {
        let mut options = OpenOptions::new();
        let mut written = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&fresh)?;
        writeln!(written, "{FORMAT}")?;
        written.sync_all()?;
        fs::rename(&fresh, &file)?;
        File::open(path)?.sync_all()
    };
    write().map_err(StoreError::io("writing", &file))
}

/// The directory's format; `None` when it has none yet.
pub(super) fn read_format(path: &Path) -> Result<Option<u32>, StoreError> {
    let file = path.join("format");
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("reading", &file)(error)),
    };
    match std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok()) {
        Some(found) if found > FORMAT => Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT }),
        Some(found) => Ok(Some(found)),
        None => {
            let what = "the number of the format was expected".to_owned();
            Err(StoreError::Damaged { path: file, offset: 0, what })
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded here are flags and figures, whole at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
