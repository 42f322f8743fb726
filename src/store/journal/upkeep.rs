//! What is done beside appending: the next segment made ahead of need, trimmed segments kept, used again or removed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{FRESH, Journal, PREPARED, Sealed, Trimmed};
use crate::store::StoreError;
use crate::store::fs::{File, FileSystem};
use crate::store::segment::Position;

/// How much is zero-filled with one write.
const ZERO_FILL: usize = 1 << 20;

impl Journal {
    /// The making of the next segment, when there is none. The work itself ([`Preparation::run`]) needs no journal, and
    /// its result comes back with [`Journal::prepared`].
    pub fn preparation(&self) -> Option<Preparation> {
        self.prepare_from(None)
    }

    /// The same, from one of the trimmed segments if one fits, which is then taken out of `gone`.
    pub fn recycling(&self, gone: &mut Vec<Trimmed>) -> Option<Preparation> {
        let fits = gone.iter().position(|trimmed| trimmed.length == self.segment_size && !trimmed.failed)?;
        let preparation = self.prepare_from(Some(self.path(gone[fits].index)))?;
        gone.remove(fits);
        Some(preparation)
    }

    fn prepare_from(&self, spare: Option<PathBuf>) -> Option<Preparation> {
        let (fs, dir, length) = (self.fs.clone(), self.dir.clone(), self.segment_size);
        self.prepared.is_none().then_some(Preparation { fs, dir, length, spare })
    }

    /// Removes what an earlier run had prepared. It holds nothing, and what cannot be removed is in nobody's way until
    /// the next segment is made.
    pub fn remove_leftovers(&self) {
        for name in [PREPARED, FRESH] {
            let _ = self.fs.remove(&self.dir.join(name));
        }
    }

    /// Takes in a prepared segment.
    pub fn prepared(&mut self, file: Box<dyn File>) {
        self.prepared = Some((file, self.segment_size));
    }

    /// Takes the trimmed segments out that are not to be kept: those before the checkpoint, oldest first, until the
    /// others take `keep` bytes or less.
    pub fn trim(&mut self, checkpoint: Position, keep: u64) -> Vec<Trimmed> {
        let mut retained: u64 = self.retained(checkpoint);
        let mut gone = Vec::new();
        while retained > keep
            && let Some(oldest) = self.sealed.front()
            && oldest.index < checkpoint.segment
        {
            retained -= oldest.length;
            gone.push(Trimmed { index: oldest.index, length: oldest.length, failed: oldest.failed });
            self.sealed.pop_front();
        }
        gone
    }

    /// Bytes of the segments before the checkpoint.
    pub fn retained(&self, checkpoint: Position) -> u64 {
        self.sealed.iter().filter(|sealed| sealed.index < checkpoint.segment).map(|sealed| sealed.length).sum()
    }

    /// Removes a trimmed segment.
    ///
    /// # Errors
    /// What the file system answers; the segment then stays until the journal is opened again.
    pub fn removal(&self, trimmed: Trimmed) -> impl FnOnce() -> io::Result<()> + use<> {
        let (fs, path) = (self.fs.clone(), self.path(trimmed.index));
        move || fs.remove(&path)
    }

    /// Cuts sealed segments that are less than half full at the end of their frames: each restart after a crash leaves
    /// one. Only when there is an active one, which supersedes whatever the cut takes away.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the rest is cut another time.
    pub fn cut_sealed(&mut self) -> Result<(), StoreError> {
        if self.active.is_none() {
            return Ok(());
        }
        for at in 0..self.sealed.len() {
            let Sealed { index, length, end, .. } = self.sealed[at];
            if let Some(end) = end.filter(|end| *end < length / 2) {
                let path = self.path(index);
                let file = self.fs.open(&path).map_err(StoreError::io("opening", &path))?;
                file.set_len(end).map_err(StoreError::io("cutting", &path))?;
                self.sealed[at].length = end;
            }
        }
        Ok(())
    }
}

/// The making of a segment ahead of need, to be run beside the journal's work.
#[derive(Debug)]
pub struct Preparation {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    length: u64,
    spare: Option<PathBuf>,
}

impl Preparation {
    /// Makes it: from a trimmed segment, whose blocks are written already, or zero-filled.
    ///
    /// # Errors
    /// [`StoreError::Io`]. Nothing depends on it: without a prepared segment the journal makes one when it needs it.
    pub fn run(self) -> Result<Box<dyn File>, StoreError> {
        let path = self.dir.join(PREPARED);
        let failed = |error| StoreError::io("preparing", &path)(error);
        let file = match self.spare {
            Some(spare) => {
                self.fs.rename(&spare, &path).map_err(failed)?;
                self.fs.open(&path).map_err(failed)?
            }
            None => {
                if let Err(error) = self.fs.remove(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(failed(error));
                }
                let made = self.fs.create(&path, self.length).and_then(|file| {
                    let zeros = vec![0; ZERO_FILL.min(self.length as usize)];
                    let mut at = 0;
                    while at < self.length {
                        let size = zeros.len().min((self.length - at) as usize);
                        file.write_at(at, &zeros[..size])?;
                        at += size as u64;
                    }
                    file.sync_data()?;
                    Ok(file)
                });
                if made.is_err() {
                    let _ = self.fs.remove(&path);
                }
                made.map_err(failed)?
            }
        };
        // The old name must be gone for good before a new header is written into the file: `recover` reads what is kept.
        self.fs.sync_dir(&self.dir).map_err(failed)?;
        Ok(file)
    }
}
