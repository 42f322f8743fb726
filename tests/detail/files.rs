//! Detail files, written as FreeRADIUS writes them.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

/// Seconds since 1970 of the records' first one.
const FIRST: u64 = 1_795_342_530;

/// A record of accounting: an update of a session of this name.
pub fn record(session: &str) -> String {
    with(session, "")
}

/// The same with further lines.
pub fn with(session: &str, more: &str) -> String {
    // Each session has a time of its own, as each record of a real file does.
    let time = FIRST + u64::from(crc32fast::hash(session.as_bytes()) % 3600);
    format!(
        "Sun Nov 22 10:15:30 2026\n\tUser-Name = \"bob\"\n\tAcct-Status-Type = Interim-Update\n\tAcct-Session-Id = \"{session}\"\n\
         \tNAS-IP-Address = 10.0.0.1\n\tAcct-Session-Time = 300\n{more}\tTimestamp = {time}\n\n"
    )
}

/// A directory with detail files.
pub struct Files(TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory can be made"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The glob of all its files that are called `detail…`.
    pub fn glob(&self) -> String {
        self.path("detail*").to_str().expect("temporary directories have UTF-8 names").to_owned()
    }

    /// Writes to a file's end.
    pub fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).expect("it opens");
        file.write_all(text.as_bytes()).expect("it can be written");
    }

    /// Makes it that long ago that the file was written.
    pub fn age(&self, name: &str, seconds: u64) {
        let file = File::options().write(true).open(self.path(name)).expect("it opens");
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("its time can be set");
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("it can be renamed");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("it can be removed");
    }

    pub fn directory(&self) -> &Path {
        self.0.path()
    }
}
