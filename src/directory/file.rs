//! The file of users: read when radhook starts, and again when it has changed, by a thread of its own.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::metrics::{counter, gauge};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use tracing::{info, warn};

use super::table::{self, Columns, Form, Table, TableError};
use super::{Directory, People};
use crate::metrics;
use crate::stamp::Stamp;

/// The largest file: twice of it is held in memory while a new one is read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// How often it is looked at. It is read once it has stayed the same from one look to the next, so that whoever writes it in place
/// is not read half way.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// `file` of `[users]`.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub form: Form,
    /// How its rows are read.
    pub columns: Columns,
    /// What stood in it when the config was read; `None` where it could not be used.
    pub read: Option<People>,
    /// The file as it was then.
    pub stamp: Stamp,
}

/// What stands in the file does not count: that is read again by itself.
impl PartialEq for FileOptions {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.form, &self.columns) == (&other.path, other.form, &other.columns)
    }
}

impl Eq for FileOptions {}

/// Reads a file. What is wrong with it is told without its name.
pub fn read(path: &std::path::Path, form: Form, columns: &Columns) -> Result<Table, TableError> {
    let whole = |what: String| TableError { line: None, what };
    let unreadable = |error: io::Error| whole(format!("cannot be read: {error}"));
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(whole("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(whole(format!("is larger than {MAX_BYTES} bytes")));
    }
    table::read(&bytes, form, columns)
}

/// A file that is looked at until this is dropped.
pub struct Watching {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Looks at the file from now on, and puts what stands in it into the directory.
pub fn watch(options: FileOptions, directory: Arc<Directory>) -> io::Result<Watching> {
    gauge!(metrics::USERS_KNOWN).set(options.read.as_ref().map_or(0, People::rows) as f64);
    if options.read.is_none() {
        // Told with the config's other warnings.
        counter!(metrics::USERS_FILE_FAILURES).increment(1);
    }
    let (stop, stopped) = bounded::<()>(0);
    let thread = thread::Builder::new().name("users".to_owned()).spawn(move || {
        let (mut read, mut seen) = (options.stamp, options.stamp);
        while stopped.recv_timeout(LOOKED_AT) == Err(RecvTimeoutError::Timeout) {
            let now = Stamp::of(&options.path);
            let has_settled = now == seen;
            seen = now;
            if now != read && has_settled {
                // A change while it is read is seen at the next look.
                read = now;
                take(&options, &directory);
            }
        }
    })?;
    Ok(Watching { stop: Some(stop), thread: Some(thread) })
}

fn take(options: &FileOptions, directory: &Directory) {
    let path = options.path.display();
    match self::read(&options.path, options.form, &options.columns) {
        Ok(Table { people, remarks }) => {
            remarks.iter().for_each(|remark| warn!("users: {path}: {remark}"));
            info!("users: {path} has changed; its {} rows are used from now on", people.rows());
            gauge!(metrics::USERS_KNOWN).set(people.rows() as f64);
            directory.replace(people);
        }
        Err(error) => {
            warn!("users: {path}:{error}; it has changed and cannot be used, and what it said before stays");
            counter!(metrics::USERS_FILE_FAILURES).increment(1);
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at once, unless it is reading.
            let _ = thread.join();
        }
    }
}
