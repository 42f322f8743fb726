//! Reads a capture file once, by the times in it.
//!
//! That it was read is written down behind its last event ([`Bookmark`]), so that a restart does not read it again; a
//! restart in the middle begins at the front, and what was told already is known by its id. A file that is longer or newer
//! than the one that was read, or begins otherwise, is another one and read anew.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use metrics::counter;
use sha2::{Digest, Sha256};

use super::{is_of, sighting};
use crate::exchange::Bookmark;
use crate::metrics::OBSERVED_DROPS;
use crate::source::CaptureOptions;
use crate::source::observer::{Ending, Feed};
use crate::trace::capture::{Capture, CaptureError};
use crate::trace::link::Datagrams;
use crate::trace::{Format, format};

/// What the bookmark is about: a source has one file, and another file takes the place of the one before.
const ITEM: &[u8] = b"file";

/// A capture file that is to be read.
pub(super) struct Reading {
    name: Arc<str>,
    path: PathBuf,
    ports: Vec<u16>,
    format: Format,
    /// Looked at to know what it is, and still to be read.
    beginning: Vec<u8>,
    rest: File,
    /// What packets without a time of their own are dated by, before the first that has one.
    modified: Timestamp,
    /// That it was read.
    bookmark: Bookmark,
}

/// What a frame loop came to.
#[derive(Debug, Default)]
struct Found {
    frames: u64,
    packets: u64,
    cut: u64,
    latest: Option<Timestamp>,
}

impl Reading {
    /// Opens it; None when it was read before.
    pub fn open(options: &CaptureOptions, path: &Path, bookmarks: &[Bookmark]) -> io::Result<Option<Self>> {
        let read_before =
            bookmarks.iter().find(|bookmark| bookmark.item == ITEM).and_then(|known| known.place.as_deref());
        let metadata = match fs::metadata(path) {
            // Nobody has to keep it for ever.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && read_before.is_some_and(|at| is_about(at, path)) =>
            {
                tracing::info!(source = &*options.name, path = %path.display(), "the capture was read before, and is gone");
                return Ok(None);
            }
            metadata => metadata?,
        };
        if !metadata.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut rest = File::open(path)?;
        let mut beginning = Vec::new();
        (&mut rest).take(format::LOOK as u64).read_to_end(&mut beginning)?;
        let place = place(path, &metadata, &beginning);
        if read_before == Some(&*place) {
            tracing::info!(source = &*options.name, path = %path.display(), "the capture was read before");
            return Ok(None);
        }
        let format = match Format::of(&beginning).map_err(io::Error::other)? {
            format @ (Format::Pcap | Format::Pcapng) => format,
            Format::Hex | Format::Detail => return Err(io::Error::other("it is neither pcap nor pcapng")),
        };
        let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        Ok(Some(Self {
            name: Arc::clone(&options.name),
            path: path.to_owned(),
            ports: options.ports.clone(),
            format,
            beginning,
            rest,
            modified: modified.unwrap_or_else(Timestamp::now),
            bookmark: Bookmark { source: Arc::clone(&options.name), item: ITEM.to_vec(), place: Some(place) },
        }))
    }

    /// Reads it to its end, or until it is stopped.
    pub fn run(self, feed: Feed, stop: &AtomicBool) {
        let mut found = Found::default();
        let mut datagrams = Datagrams::default();
        let source = self.beginning.as_slice().chain(&self.rest);
        let (skipped, broken) = match Capture::open(self.format, source) {
            Ok(mut capture) => {
                let broken = self.read(&mut capture, &mut datagrams, &mut found, &feed, stop);
                (capture.skipped(), broken)
            }
            Err(error) => (0, Some(error)),
        };
        if stop.load(Ordering::Relaxed) {
            return;
        }
        self.tell(&found, skipped, datagrams.incomplete(), broken.as_ref());
        // What the system would not give may be there the next time; what is damaged stays so.
        let is_read = !matches!(broken, Some(CaptureError::Unreadable { .. }));
        let bookmarks = is_read.then_some(self.bookmark).into_iter().collect();
        feed.finish(Ending { until: found.latest, bookmarks }, stop);
    }

    /// Feeds what it finds; says why it could not go on, if so.
    fn read(
        &self,
        capture: &mut Capture<'_>,
        datagrams: &mut Datagrams,
        found: &mut Found,
        feed: &Feed,
        stop: &AtomicBool,
    ) -> Option<CaptureError> {
        for frame in capture {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => return Some(error),
            };
            found.frames += 1;
            found.latest = found.latest.max(frame.time);
            let Some(datagram) = datagrams.datagram(&frame).filter(|datagram| is_of(datagram, &self.ports)) else {
                continue;
            };
            if datagram.is_cut() {
                found.cut += 1;
                continue;
            }
            found.packets += 1;
            let at = datagram.time.or(found.latest).unwrap_or(self.modified);
            if !feed.wait(sighting(datagram, at), stop) {
                break;
            }
        }
        None
    }

    fn tell(&self, found: &Found, skipped: u64, incomplete: u64, broken: Option<&CaptureError>) {
        let Found { frames, packets, cut, .. } = *found;
        let (source, path) = (&*self.name, self.path.display());
        if let Some(error) = broken {
            tracing::error!(source, %path, %error, "the capture is broken; what stands before that was read");
        }
        for (count, reason, what) in [
            (skipped, None, "frames of a link layer that is not known were passed over"),
            (incomplete, Some("fragments_missing"), "datagrams were left out, since fragments of them are missing"),
            (cut, Some("cut_off"), "packets were left out, since the capture kept only their beginnings"),
        ] {
            if let Some(reason) = reason {
                counter!(OBSERVED_DROPS, "source" => source.to_owned(), "reason" => reason).increment(count);
            }
            if count > 0 {
                tracing::warn!(source, %path, count, "{what}");
            }
        }
        if packets == 0 {
            tracing::warn!(source, %path, frames, ports = ?self.ports, "the capture holds no RADIUS on these ports");
        } else {
            tracing::info!(source, %path, frames, packets, "the capture is read");
        }
    }
}

/// How a file that was read is known again: length, time of the last change, its beginning, and its path.
fn place(path: &Path, metadata: &Metadata, beginning: &[u8]) -> Vec<u8> {
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok()).unwrap_or_default();
    let hash = Sha256::digest(beginning);
    let hash: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut place = format!("{} {modified} {hash} ", metadata.len()).into_bytes();
    place.extend(path.as_os_str().as_bytes());
    place
}

fn is_about(place: &[u8], path: &Path) -> bool {
    place.splitn(4, |octet| *octet == b' ').nth(3) == Some(path.as_os_str().as_bytes())
}
