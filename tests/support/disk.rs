//! A disk small enough to be filled.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::geteuid;
use tempfile::TempDir;

/// How much is written at a time while filling up. Small, so that less than this stays free.
const FILL_STEP: usize = 4096;

/// A tmpfs of a given size, unmounted when dropped. Needs root.
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// Mounts one of `bytes` bytes.
    pub fn mount(bytes: u64) -> Self {
        assert!(geteuid().is_root(), "mounting a small disk needs root: run tests/run as root, as CI does");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let options = format!("size={bytes},mode=0700");
        mount(
            Some("radhook-test"),
            directory.path(),
            Some("tmpfs"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            Some(options.as_str()),
        )
        .expect("root mounts a tmpfs");
        Self { directory }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes until nothing more fits, and returns the bytes that took.
    pub fn fill(&self) -> u64 {
        let mut ballast =
            OpenOptions::new().create(true).append(true).open(self.ballast()).expect("the ballast file opens");
        let mut written = 0;
        loop {
            match ballast.write(&[0xa5; FILL_STEP]) {
                Ok(0) => return written,
                Ok(step) => written += step as u64,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return written,
                Err(error) => panic!("filling the small disk: {error}"),
            }
        }
    }

    /// Gives back what [`SmallDisk::fill`] took.
    pub fn release(&self) {
        File::create(self.ballast()).expect("the ballast file opens").set_len(0).expect("it can be emptied");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached, so that a process that still holds a file does not keep the mount in the directory to be removed.
        if let Err(error) = umount2(self.directory.path(), MntFlags::MNT_DETACH) {
            eprintln!("{} stays mounted: {error}", self.directory.path().display());
        }
    }
}
