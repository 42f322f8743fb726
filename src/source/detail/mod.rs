//! `[[source]] type = "detail"`: follows FreeRADIUS's detail files.
//!
//! ```text
//! find: globs ─▶ files ─▶ file: new octets ─▶ records ─▶ story: exchanges ─▶ intake, with the places read up to
//!                          place: known again                quarantine: what cannot be understood
//! ```
//!
//! A file is read from where its bookmark stands to its end, and looked at again twice a second. It is never locked,
//! written or renamed, so that neither FreeRADIUS nor its own reader notices. Rotated by renaming it keeps its place;
//! truncated it is read anew; deleted it is read to its end as long as it is open. A record counts when its empty line is
//! there, or when nobody writes to the file any more.
//!
//! What is stored comes in one batch with how far the files were read: after kill -9 reading goes on behind the last
//! batch that was stored. Limits: 512 KiB of text a batch, one batch under way, 1 MiB a record, 512 files open, 50,000
//! files, 64 MiB of quarantine.

mod content;
mod file;
mod find;
mod follower;
mod place;
mod quarantine;
mod story;

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};
use jiff::tz::TimeZone;

use super::{DetailOptions, Inlet, Remarks, Running, SourceError};
use crate::exchange::Bookmark;
use follower::Follower;
pub use story::{Kind, Teller, Told};

/// A running source.
struct Detail {
    places: Vec<String>,
    remarks: Remarks,
    /// Dropped to tell the thread to stop.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts it. `bookmarks` are those of before.
pub fn start(
    options: &DetailOptions,
    inlet: &Inlet,
    bookmarks: Vec<Bookmark>,
) -> Result<Box<dyn Running>, SourceError> {
    let teller = Teller {
        name: Arc::clone(&options.name),
        clients: Arc::clone(&inlet.clients),
        dictionary: Arc::clone(&inlet.dictionary),
        zone: TimeZone::system(),
    };
    let (stop, stopped) = bounded(0);
    let remarks = Remarks::default();
    let mut follower =
        Follower::new(options.clone(), teller, inlet.submissions.clone(), stopped, bookmarks, remarks.clone());
    let thread = std::thread::Builder::new()
        .name("detail".to_owned())
        .spawn(move || follower.run())
        .map_err(|error| SourceError::Thread { name: Arc::clone(&options.name), error })?;
    Ok(Box::new(Detail { places: options.path.clone(), remarks, stop: Some(stop), thread: Some(thread) }))
}

impl Running for Detail {
    fn places(&self) -> Vec<String> {
        self.places.clone()
    }

    fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    fn stop(mut self: Box<Self>) {
        self.end();
    }
}

impl Detail {
    fn end(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows detail files has panicked");
        }
    }
}

impl Drop for Detail {
    fn drop(&mut self) {
        self.end();
    }
}
