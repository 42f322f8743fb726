//! What is measured: radhook in the configurations of the goals. Each is started anew for its round, so that none inherits
//! another one's backlog.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::usage::settle;
use crate::support::daemon::{Config, Daemon};
use crate::support::own_loopback;

/// The secret between the load and radhook.
pub const NAS: &str = "nas-to-radhook";

/// Signing is part of what radhook does.
pub const SIGNING: &str = "whsec_cmFkaG9vay1wZWVycy1iZW5jaC1zZWNyZXQ=";

/// What was tried while the receiver was away is tried again soon, and for long enough not to be given up.
const RETRY: &str = "retry = { schedule = [\"1s\"], endless = true, jitter = 0 }";

/// Requests under way to an endpoint of a bench that does not say otherwise: as many as the bare loop's.
pub const CONCURRENCY: u64 = 64;

/// A running radhook, and where it keeps everything.
pub struct Radhook {
    pub daemon: Daemon,
    pub config: PathBuf,
    directory: TempDir,
}

impl Radhook {
    /// With one endpoint for each URL; `more` is further keys of them, one a line.
    pub fn start(urls: &[String], more: &str) -> Self {
        let directory = data_directory();
        let config = configured(directory.path(), urls, more);
        settle();
        Self { daemon: Daemon::start(&config), config, directory }
    }

    /// One endpoint, one event a request.
    pub fn single(url: &str, concurrency: u64) -> Self {
        Self::start(&[url.to_owned()], &format!("concurrency = {concurrency}\n{RETRY}"))
    }

    /// One endpoint, so many events a request, which wait for each other no longer than a busy moment.
    pub fn batches(url: &str, events: u64) -> Self {
        let batch = format!("batch = {{ max_events = {events}, max_wait = \"50ms\" }}");
        Self::start(&[url.to_owned()], &format!("{batch}\n{RETRY}"))
    }

    /// Where it takes accounting.
    pub fn accounting(&self) -> SocketAddr {
        self.daemon.accounting()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// Where everything of it is kept.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Ends it at once: in order it would wait for a receiver that does not answer.
    pub fn end(self) {
        self.daemon.kill9();
    }
}

/// Writes a config with one endpoint for each URL.
pub fn configured(directory: &Path, urls: &[String], more: &str) -> PathBuf {
    let mut config = Config::new(directory, NAS);
    for (at, url) in urls.iter().enumerate() {
        config = config.endpoint(&format!("crm-{}", at + 1), url, SIGNING, more);
    }
    config.write()
}

/// A directory on the file system of the build directory, where nothing is kept in memory only.
pub fn data_directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build directory is writable")
}

/// Nobody listens there, and nobody will before we do: the address is our own.
pub fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind((own_loopback(), 0)).expect("loopback takes a TCP listener");
    listener.local_addr().expect("a bound listener has an address")
}
