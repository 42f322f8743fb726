//! The few things the journal asks of a file system, as a trait, so that tests can drop unsynced writes, tear them,
//! fail and fill the disk at any call. [`RealFs`] is the one that runs.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use super::StoreError;

/// Mode of every file radhook makes in its data directory: events hold personal data.
pub const FILE_MODE: u32 = 0o640;

/// Mode of every directory radhook makes for its data.
pub const DIRECTORY_MODE: u32 = 0o750;

/// The file system as the journal sees it. Names become durable with [`FileSystem::sync_dir`], contents with
/// [`File::sync_data`]; nothing may be assumed of either before.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// The names of the files in `dir`, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// A new file of `len` zero bytes whose space is reserved, so that writing into it cannot meet a full disk. An
    /// error may leave a part of the file behind. Fails when the file exists.
    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn File>>;

    /// An existing file, for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Renames a file within its directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the directory's names durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Bytes an unprivileged writer can still get on the file system that holds `dir`.
    fn free_space(&self, dir: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait File: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file at `len`.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes what was written durable (fdatasync). After an error nothing may be assumed of any write since the last
    /// success, not even when a later call succeeds: the kernel forgets the failure once it has told it.
    fn sync_data(&self) -> io::Result<()>;
}

/// Reads a whole file.
pub fn read_all(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.size()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut bytes = vec![0; len];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFs;

impl FileSystem for RealFs {
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            // A name that is not UTF-8 is none of ours, and no file of ours has to be found by it.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, path: &Path, len: u64) -> io::Result<Box<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
        let length = i64::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        match nix::fcntl::posix_fallocate(&file, 0, length) {
            Ok(()) => {}
            // A file system that cannot reserve: the write itself then meets the full disk, and that is handled too.
            Err(nix::Error::EOPNOTSUPP | nix::Error::EINVAL) => file.set_len(len)?,
            Err(errno) => return Err(errno.into()),
        }
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        let space = nix::sys::statvfs::statvfs(dir)?;
        Ok(space.blocks_available().saturating_mul(space.fragment_size()))
    }
}

impl File for fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }
}

/// Makes a directory with all that lead to it; one that is there is left as it is.
pub(super) fn make_dir(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
    made.map_err(StoreError::io("making the directory", path))
}

/// Removes a directory with all that is in it; that there is none is no error.
pub(super) fn remove_dir(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("removing", path)(error)),
        _ => Ok(()),
    }
}
