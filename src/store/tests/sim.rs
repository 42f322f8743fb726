//! A file system and a table in memory that hold what is durable and what is not apart, count every call, and fail or
//! crash at any of them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::store::fs::{File, FileSystem};
use crate::store::segment::Position;
use crate::store::table::{Changes, Entries, Renewal, Table};
use crate::store::{Bytes, Key, StoreError};

/// What a disk may tear a write into.
const SECTOR: usize = 512;

/// What a crash makes of writes and names that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    Dropped,
    Kept,
    /// Each sector and each name for itself, by a generator with this seed.
    Torn(u64),
}

/// What happens at which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The machine stops at this call; whether the call had its effect is left to [`Sim::reboot`].
    Crash {
        at: u64,
    },
    /// This call and the next ones, up to but without `until`, answer with the error.
    Fail {
        at: u64,
        until: u64,
        error: i32,
    },
}

#[derive(Debug, Clone)]
pub struct Sim(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    calls: u64,
    fault: Fault,
    crashed: bool,
    free: u64,
    inodes: HashMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    pending_names: Vec<Naming>,
    table: BTreeMap<Key, Bytes>,
    position: Position,
}

#[derive(Debug, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Write>,
}

#[derive(Debug, Clone)]
struct Write {
    /// A later sync still reaches it. After a failed one the pages count as clean, and only luck brings them to disk.
    syncable: bool,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Link(PathBuf, u64),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Sim {
    pub fn new() -> Sim {
        Sim(Arc::new(Mutex::new(State {
            calls: 0,
            fault: Fault::None,
            crashed: false,
            free: 1 << 40,
            inodes: HashMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            table: BTreeMap::new(),
            position: Position::default(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn set_fault(&self, fault: Fault) {
        self.state().fault = fault;
    }

    /// Does `what` without a fault and without counting its calls.
    pub fn aside(&self, what: impl FnOnce()) {
        let (fault, calls) = {
            let mut state = self.state();
            (std::mem::replace(&mut state.fault, Fault::None), state.calls)
        };
        what();
        let mut state = self.state();
        state.fault = fault;
        state.calls = calls;
    }

    pub fn set_free(&self, free: u64) {
        self.state().free = free;
    }

    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    pub fn position(&self) -> Position {
        self.state().position
    }

    /// The machine starts again: of what was not synced, only what `unsynced` says is there.
    pub fn reboot(&self, unsynced: Unsynced) {
        let mut state = self.state();
        let mut random = StdRng::seed_from_u64(if let Unsynced::Torn(seed) = unsynced { seed } else { 0 });
        let mut kept = || match unsynced {
            Unsynced::Dropped => false,
            Unsynced::Kept => true,
            Unsynced::Torn(_) => random.random(),
        };
        for naming in std::mem::take(&mut state.pending_names) {
            if kept() {
                naming.apply(&mut state.durable_names);
            }
        }
        state.names = state.durable_names.clone();
        // In the order of their numbers, so that a seed always means the same.
        let mut inodes: Vec<_> = state.inodes.iter_mut().collect();
        inodes.sort_by_key(|(number, _)| **number);
        for (_, inode) in inodes {
            for write in std::mem::take(&mut inode.pending) {
                write.what.apply_parts(&mut inode.durable, &mut kept);
            }
            inode.now = inode.durable.clone();
        }
        state.crashed = false;
        state.fault = Fault::None;
    }

    /// The names and contents of all files.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        state.names.iter().map(|(name, inode)| (name.clone(), state.inodes[inode].now.clone())).collect()
    }

    /// Puts back what [`Sim::files`] answered, all of it durable.
    pub fn restore(&self, files: &BTreeMap<PathBuf, Vec<u8>>) {
        let mut state = self.state();
        state.pending_names.clear();
        state.inodes.clear();
        state.names.clear();
        for (number, (name, bytes)) in files.iter().enumerate() {
            let inode = Inode { now: bytes.clone(), durable: bytes.clone(), pending: Vec::new() };
            state.inodes.insert(number as u64, inode);
            state.names.insert(name.clone(), number as u64);
        }
        state.durable_names = state.names.clone();
    }

    fn call(&self) -> Result<MutexGuard<'_, State>, (MutexGuard<'_, State>, io::Error)> {
        let mut state = self.state();
        state.calls += 1;
        let call = state.calls;
        match state.fault {
            Fault::Crash { at } if at == call => state.crashed = true,
            Fault::Fail { at, until, error } if (at..until).contains(&call) => {
                return Err((state, io::Error::from_raw_os_error(error)));
            }
            _ => {}
        }
        if state.crashed {
            return Err((state, io::Error::other("the machine has stopped")));
        }
        Ok(state)
    }

    fn inode(&self, path: &Path, state: &State) -> io::Result<Box<dyn File>> {
        let inode = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { sim: self.clone(), inode }))
    }
}

impl State {
    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.pending_names.push(naming);
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Naming::Link(path, inode) => drop(names.insert(path.clone(), *inode)),
            Naming::Unlink(path) => drop(names.remove(path)),
            Naming::Rename(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

impl Write {
    /// The parts of this write that another, later one does not cover.
    fn without(&self, later: &What) -> Vec<Write> {
        let (What::Bytes(start, bytes), What::Bytes(from, covering)) = (&self.what, later) else {
            return vec![self.clone()];
        };
        let (end, to) = (start + bytes.len(), from + covering.len());
        let part = |from: usize, to: usize| {
            let what = What::Bytes(from, bytes[from - start..to - start].to_vec());
            (from < to).then_some(Write { syncable: self.syncable, what })
        };
        let before = part(*start, (*from).clamp(*start, end));
        let after = part(to.clamp(*start, end), end);
        before.into_iter().chain(after).collect()
    }
}

impl What {
    fn apply(&self, bytes: &mut Vec<u8>) {
        self.apply_parts(bytes, &mut || true);
    }

    fn apply_parts(&self, bytes: &mut Vec<u8>, kept: &mut dyn FnMut() -> bool) {
        match self {
            What::Length(length) => {
                if kept() {
                    bytes.resize(*length, 0);
                }
            }
            What::Bytes(offset, written) => {
                let mut at = *offset;
                while at < offset + written.len() {
                    let end = (at + 1).next_multiple_of(SECTOR).min(offset + written.len());
                    if kept() {
                        let length = bytes.len().max(end);
                        bytes.resize(length, 0);
                        bytes[at..end].copy_from_slice(&written[at - offset..end - offset]);
                    }
                    at = end;
                }
            }
        }
    }
}

impl FileSystem for Sim {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.call().map_err(|(_, error)| error)?;
        let inside = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn File>> {
        let (mut state, failed) = match self.call() {
            Ok(state) => (state, None),
            Err((state, error)) => (state, Some(error)),
        };
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.inodes.keys().max().map_or(0, |last| last + 1);
        let length = What::Length(len as usize);
        let mut inode = Inode::default();
        length.apply(&mut inode.now);
        inode.pending.push(Write { syncable: true, what: length });
        state.inodes.insert(number, inode);
        state.name(Naming::Link(path.to_owned(), number));
        match failed {
            // A file that could not be filled stays behind.
            Some(error) => Err(error),
            None => self.inode(path, &state),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let state = self.call().map_err(|(_, error)| error)?;
        self.inode(path, &state)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let naming = Naming::Rename(from.to_owned(), to.to_owned());
        match self.call() {
            Ok(mut state) => state.name(naming),
            Err((mut state, error)) => {
                if state.crashed {
                    state.name(naming);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let naming = Naming::Unlink(path.to_owned());
        match self.call() {
            Ok(state) if !state.names.contains_key(path) => return Err(io::ErrorKind::NotFound.into()),
            Ok(mut state) => state.name(naming),
            Err((mut state, error)) => {
                if state.crashed {
                    state.name(naming);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.call().map_err(|(_, error)| error)?;
        state.pending_names.clear();
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn free_space(&self, _dir: &Path) -> io::Result<u64> {
        Ok(self.call().map_err(|(_, error)| error)?.free)
    }
}

#[derive(Debug)]
struct SimFile {
    sim: Sim,
    inode: u64,
}

impl SimFile {
    fn write(&self, what: What) -> io::Result<()> {
        let (mut state, error) = match self.sim.call() {
            Ok(state) => (state, None),
            Err((state, error)) => (state, Some(error)),
        };
        let (crashed, calls) = (state.crashed, state.calls);
        let inode = state.inodes.get_mut(&self.inode).expect("open files keep their inode");
        let what = match (what, &error) {
            // A write that fails may have done a part of its work.
            (What::Bytes(offset, bytes), Some(_)) if !crashed => {
                What::Bytes(offset, bytes[..bytes.len() * (calls as usize % 3) / 2].to_vec())
            }
            (What::Length(_), Some(error)) if !crashed => {
                return Err(io::Error::from_raw_os_error(error.raw_os_error().unwrap()));
            }
            (what, _) => what,
        };
        what.apply(&mut inode.now);
        inode.pending.push(Write { syncable: true, what });
        error.map_or(Ok(()), Err)
    }
}

impl File for SimFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.sim.call().map_err(|(_, error)| error)?;
        Ok(state.inodes[&self.inode].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.sim.call().map_err(|(_, error)| error)?;
        let bytes = state.inodes[&self.inode].now.get(offset as usize..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write(What::Bytes(offset as usize, bytes.to_vec()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.write(What::Length(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, error) = match self.sim.call() {
            Ok(state) => (state, None),
            Err((state, error)) => (state, Some(error)),
        };
        let crashed = state.crashed;
        let inode = state.inodes.get_mut(&self.inode).expect("open files keep their inode");
        if let Some(error) = error {
            if !crashed {
                inode.pending.iter_mut().for_each(|write| write.syncable = false);
            }
            return Err(error);
        }
        let mut left: Vec<Write> = Vec::new();
        for write in std::mem::take(&mut inode.pending) {
            if write.syncable {
                write.what.apply(&mut inode.durable);
                // What stands on the disk now is no more replaced by an older write that failed.
                left = left.iter().flat_map(|older| older.without(&write.what)).collect();
            } else {
                left.push(write);
            }
        }
        inode.pending = left;
        Ok(())
    }
}

/// A table whose every step can crash or fail, too.
#[derive(Debug)]
pub struct SimTable(pub Sim);

impl SimTable {
    fn call(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        self.0.call().map_err(|(_, source)| StoreError::Io { doing: "using the table".to_owned(), source })
    }
}

impl Table for SimTable {
    fn position(&self) -> Position {
        self.0.position()
    }

    fn live_bytes(&self) -> u64 {
        self.0.state().table.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum()
    }

    fn disk_bytes(&self) -> u64 {
        0
    }

    fn blobs(&self) -> u64 {
        0
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.call()?.table.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8]) -> Entries<'_> {
        match self.call() {
            Ok(_) if from >= to => Box::new(std::iter::empty()),
            Ok(state) => {
                let range = state.table.range(Key::from(from)..Key::from(to));
                let entries: Vec<_> = range.map(|(key, value)| Ok((key.clone(), value.clone()))).collect();
                Box::new(entries.into_iter())
            }
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn checkpoint(&self, changes: &Changes, position: Position) -> Result<(), StoreError> {
        for (key, change) in changes {
            let mut state = self.call()?;
            match change {
                Some(value) => drop(state.table.insert(key.clone(), value.clone())),
                None => drop(state.table.remove(key)),
            }
        }
        self.call()?.position = position;
        self.call().map(drop)
    }

    fn renew(&self, _: u64) -> Renewal {
        self.call().map_or(Renewal::NotDue, |_| Renewal::Done(Box::new(SimTable(self.0.clone()))))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.call().map(drop)
    }
}
