//! From one format of the data directory to the next. Records are read in every version that ever was (`records`), and what stands
//! elsewhere in sled since then is moved there when sled is opened (`sled`). But a radhook of before could not read what this one
//! writes, and going back to it needs the directory as it was. So it is copied first, whole, into `before-format-N` within it:
//!
//! ```text
//!  before-format-3.part       the copy in the making; a start that was cut off begins it again
//!  before-format-3            whole, and on disk
//!  format                     "3": only now
//! ```
//! The copy is removed at the first start [`KEPT`] after it was made. It does not count against `store.max_size`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::durable::FORMAT;
use super::fs::{FileSystem as _, RealFs, make_dir, remove_dir};
use super::{StoreError, durable};

/// How long a copy stays: who upgrades sees within two weeks whether they have to go back.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// What stays free beside the copy, so that the start that follows has room for what it writes.
const SPARE: u64 = 64 << 20;

/// What every copy's name begins with.
const COPY: &str = "before-format-";

/// Raises the format of a directory that an older radhook wrote, after a copy of it.
///
/// # Errors
/// [`StoreError::NoRoom`], [`StoreError::Io`]: the directory is then of the old format still.
pub(super) fn raise(path: &Path, found: u32) -> Result<(), StoreError> {
    let (copy, part) = (path.join(format!("{COPY}{FORMAT}")), path.join(format!("{COPY}{FORMAT}.part")));
    // One that is there was made before the older radhook went on.
    for old in [&copy, &part] {
        remove_dir(old)?;
    }
    let files = files(path).map_err(StoreError::io("reading", path))?;
    let needed = files.iter().map(|(_, length)| length).sum::<u64>() + SPARE;
    let free = RealFs.free_space(path).map_err(StoreError::io("looking at", path))?;
    if free < needed {
        return Err(StoreError::NoRoom { path: path.to_owned(), found, needed, free });
    }
    tracing::info!(from = found, to = FORMAT, copy = %copy.display(), "the store is of an older format: it is copied, then raised");
    make_dir(&part)?;
    for (file, _) in &files {
        copy_file(path, &part, file).map_err(StoreError::io("copying", &path.join(file)))?;
    }
    let whole = || {
        sync_directories(&part)?;
        fs::rename(&part, &copy)?;
        File::open(path)?.sync_all()
    };
    whole().map_err(StoreError::io("making", &copy))?;
    durable::write_format(path)?;
    tracing::info!(format = FORMAT, "the store is of this format now");
    Ok(())
}

/// Removes copies that are old enough. What goes wrong is no reason not to start.
pub(super) fn tidy(path: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten().filter(|entry| is_copy(&entry.file_name())) {
        let made = entry.metadata().and_then(|metadata| metadata.modified());
        let age = made.ok().and_then(|made| now.duration_since(made).ok());
        if age.is_some_and(|age| age >= KEPT) {
            let copy = entry.path();
            match remove_dir(&copy) {
                Ok(()) => {
                    tracing::info!(copy = %copy.display(), "the copy from before the upgrade is old enough and removed")
                }
                Err(error) => tracing::warn!(copy = %copy.display(), %error, "an old copy cannot be removed"),
            }
        }
    }
}

fn is_copy(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(COPY.as_bytes())
}

/// All files beneath the directory but those of copies, as paths within it, with their lengths.
fn files(path: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(path.join(&directory))? {
            let entry = entry?;
            let (name, kind) = (directory.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() && !(directory.as_os_str().is_empty() && is_copy(&entry.file_name())) {
                directories.push(name);
            } else if kind.is_file() {
                found.push((name, entry.metadata()?.len()));
            }
        }
    }
    Ok(found)
}

/// Its own octets, on disk: a link would change with the file.
fn copy_file(from: &Path, to: &Path, file: &Path) -> io::Result<()> {
    let target = to.join(file);
    if let Some(directory) = target.parent() {
        make_dir(directory).map_err(io::Error::other)?;
    }
    fs::copy(from.join(file), &target)?;
    File::open(&target)?.sync_all()
}

fn sync_directories(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    File::open(path)?.sync_all()
}
