//! `[[source]] type = "capture"`: stands beside and looks on, at a network interface or into a capture file.
//!
//! ```text
//! interface ─▶ packet socket, filtered by the system ─▶ live ─┐
//! file ──────▶ pcap, pcapng ──────────────────────────▶ file ─┴▶ trace: datagrams ─▶ observer
//! ```
//!
//! Nothing here sends, and nothing that fails here is felt by RADIUS. It waits for room at the observer: the kernel's buffer,
//! or the file, is the queue before it.

mod file;
mod filter;
mod live;
mod socket;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;

use super::observer::{self, Clock, Observer, Sighting};
use super::{CaptureOptions, Inlet, Remarks, Running, SourceError};
use crate::exchange::Bookmark;
use crate::trace::Datagram;
use file::Reading;
use live::Live;

/// The type, as events tell it.
const KIND: &str = "capture";

/// Starts it. `bookmarks` are what it had read before.
///
/// An interface that is not there is waited for. Refused are a file that cannot be read or is no capture, and an interface
/// without the right to look at it.
pub fn start(
    options: &CaptureOptions,
    inlet: &Inlet,
    bookmarks: Vec<Bookmark>,
) -> Result<Box<dyn Running>, SourceError> {
    let refused = |what: String, error: io::Error| SourceError::Open { name: Arc::clone(&options.name), what, error };
    let stop = Arc::new(AtomicBool::new(false));
    let remarks = Remarks::default();
    let watch = |clock| observer::start(&options.name, KIND, inlet, options.reply_timeout, clock);
    let spawn = |run: Box<dyn FnOnce() + Send>| {
        let thread = thread::Builder::new().name(KIND.to_owned()).spawn(run);
        thread.map_err(|error| SourceError::Thread { name: Arc::clone(&options.name), error })
    };
    let (place, running) = match (&options.interface, &options.file) {
        (Some(interface), _) => {
            let (feed, observer) = watch(Clock::Live)?;
            let live = Live::open(options, interface, feed, remarks.clone(), Arc::clone(&stop))
                .map_err(|error| refused(format!("interface {interface}"), error.into()))?;
            (interface.clone(), Some((spawn(Box::new(|| live.run()))?, observer)))
        }
        (None, Some(path)) => {
            let place = format!("file {}", path.display());
            let reading = Reading::open(options, path, &bookmarks).map_err(|error| refused(place.clone(), error))?;
            let running = match reading {
                None => None,
                Some(reading) => {
                    let (feed, observer) = watch(Clock::Material)?;
                    let stop = Arc::clone(&stop);
                    Some((spawn(Box::new(move || reading.run(feed, &stop)))?, observer))
                }
            };
            (place, running)
        }
        (None, None) => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "neither an interface nor a file is named");
            return Err(refused("anything".to_owned(), error));
        }
    };
    let (thread, observer) = running.unzip();
    Ok(Box::new(CaptureSource { place, remarks, stop, thread, _observer: observer }))
}

/// A running capture. It stops when it is dropped.
#[derive(Debug)]
struct CaptureSource {
    place: String,
    remarks: Remarks,
    stop: Arc<AtomicBool>,
    /// None where there is nothing to read.
    thread: Option<JoinHandle<()>>,
    /// Waits for what was fed, when it is dropped; before that the thread must have ended, which feeds it.
    _observer: Option<Observer>,
}

impl Running for CaptureSource {
    fn places(&self) -> Vec<String> {
        vec![self.place.clone()]
    }

    fn remarks(&self) -> Remarks {
        self.remarks.clone()
    }

    fn stop(self: Box<Self>) {}
}

impl Drop for CaptureSource {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a capture's thread has panicked");
        }
    }
}

/// Whether it is from or to one of the ports.
fn is_of(datagram: &Datagram, ports: &[u16]) -> bool {
    ports.contains(&datagram.source.port()) || ports.contains(&datagram.destination.port())
}

/// As the observer wants it.
fn sighting(datagram: Datagram, at: Timestamp) -> Sighting {
    Sighting { at, from: datagram.source, to: datagram.destination, octets: datagram.payload.into() }
}
