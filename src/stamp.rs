//! By what a file that has changed is told from what it was, without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// Size, times of change (of the content; of that or of who may read it) and place on the disk of a file: a file that takes the
/// place of another is noticed also where it has the same size and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(Option<(u64, SystemTime, (i64, i64), u64)>);

impl Stamp {
    /// Of the file as it is now; also where there is none.
    pub fn of(path: &Path) -> Self {
        let look = || {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?, (metadata.ctime(), metadata.ctime_nsec()), metadata.ino()))
        };
        Self(look())
    }
}
