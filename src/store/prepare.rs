//! Making the files that become segments: ahead of need, or because one is needed now.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::fs::{File, FileSystem};

/// Name of the segment that was made ahead of need. It has no number and no valid header yet.
pub const PREPARED: &str = "prepared";

/// Name of a segment that is being made because it is needed now.
pub const FRESH: &str = "fresh";

/// When a segment of full size cannot be had, smaller ones are tried down to this, so that the last space of a full
/// disk still serves.
const SMALLEST_SEGMENT: u64 = 1 << 20;

/// How much is zero-filled with one write.
const ZERO_FILL: usize = 1 << 20;

/// Makes a file for a segment: of the usual size, or as much smaller as the disk demands.
pub fn make(fs: &dyn FileSystem, path: &Path, segment_size: u64, needed: u64) -> io::Result<(Box<dyn File>, u64)> {
    let mut length = segment_size.max(needed);
    loop {
        if let Err(error) = fs.remove(path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        match fs.create(path, length) {
            Ok(file) => return Ok((file, length)),
            Err(error) => {
                let _ = fs.remove(path);
                let smaller = (length / 2).max(needed).max(SMALLEST_SEGMENT.min(segment_size));
                if error.kind() != io::ErrorKind::StorageFull || smaller >= length {
                    return Err(error);
                }
                length = smaller;
            }
        }
    }
}

/// The making of a segment ahead of need, to be run beside the journal's work.
#[derive(Debug)]
pub struct Preparation {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) dir: PathBuf,
    pub(super) length: u64,
    pub(super) spare: Option<PathBuf>,
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
