//! One file that is followed: opened, known again, read to its end, truncated, closed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::fcntl::OFlag;

use super::content::{Unpacker, fits, known_content, known_inside, marked, read_full, skip, unpacker};
use super::find::{Stamp, id_of, stamp_of};
use super::place::{Id, Packed, Place, WINDOW};
use crate::trace::Format;
use crate::trace::detail::{Raw, Splitter};
use crate::trace::format::UnknownFormat;

/// How long a file must have rested before what stands at its end is taken as it is: half a record of a file that was
/// rotated, a compressed file. FreeRADIUS writes a record within milliseconds; a disk that hangs may make it seconds.
const REST: Duration = Duration::from_secs(10);

/// What the file wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// To be left alone.
    Nothing,
    /// To be read.
    Reading,
    /// To be read, but not before the next look.
    Patience,
}

/// A file that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub id: Id,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// Everything before it was read, and is stored.
    pub place: Place,
    /// What its bookmark says.
    pub stored: Place,
    pub wants: Wants,
    /// It still has a name that a glob matches.
    pub is_named: bool,
    /// Nobody writes to it any more.
    pub is_rotated: bool,
    /// The place was compared with the content.
    is_known: bool,
    /// As it is now, it cannot be read.
    is_refused: bool,
    reading: Option<Reading>,
    /// When its stamp was seen to change.
    changed_at: Instant,
}

/// A file that is open.
#[derive(Debug)]
struct Reading {
    file: fs::File,
    /// Of a compressed file, which cannot be read but from its beginning.
    unpacked: Option<Unpacker>,
    splitter: Splitter,
    read_at: Instant,
}

/// What came of reading.
#[derive(Debug, Default)]
pub(super) struct Pass {
    /// Records that ended.
    pub raws: Vec<Raw>,
    /// Octets they were read from.
    pub octets: usize,
    /// How far that is.
    pub place: Option<Place>,
    /// How far the content was read that is not there any more.
    pub lost: Option<Place>,
    /// Why there is no more, where the end was not reached.
    pub trouble: Option<Trouble>,
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The system refuses.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is packed, and what unpacks it is not asked for, or not there.
    #[error("it is compressed with {0}; `compressed = true` reads what is compressed with gzip")]
    Compressed(&'static str),
    /// It is packed, and cannot be unpacked.
    #[error("it cannot be unpacked any further: {0}")]
    Damaged(io::Error),
}

impl Trouble {
    /// As the metric names it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Compressed(_) => "compressed",
            Self::Damaged(_) => "damaged",
        }
    }
}

/// As [`UnknownFormat::Compressed`] names what can be unpacked.
const GZIP: &str = "gzip";

/// What reading is to do.
pub(super) struct Order<'a> {
    /// After so many octets it is enough.
    pub octets: usize,
    /// After so many records, too.
    pub records: usize,
    /// Whether compressed files are read.
    pub compressed: bool,
    /// Where to read into.
    pub buffer: &'a mut [u8],
    /// How far other content was read, that may be this one's.
    pub candidates: &'a dyn Fn() -> Vec<Place>,
    /// The time of day.
    pub now: Timestamp,
}

impl Followed {
    /// One that was found; of one that was followed before, its place then.
    pub fn new(id: Id, path: PathBuf, stamp: Stamp, place: Option<Place>, at: Instant) -> Self {
        Self {
            id,
            path,
            stamp,
            place: place.unwrap_or_default(),
            stored: place.unwrap_or_default(),
            wants: Wants::Reading,
            is_named: true,
            is_rotated: false,
            is_known: false,
            is_refused: false,
            reading: None,
            changed_at: at,
        }
    }

    /// It was looked at.
    pub fn seen(&mut self, stamp: Stamp, at: Instant) {
        if stamp != self.stamp {
            (self.stamp, self.changed_at, self.wants, self.is_refused) = (stamp, at, Wants::Reading, false);
        }
        // What stands at its end will not end by itself any more.
        let is_over = self.is_rotated || !self.is_named;
        if self.wants == Wants::Patience || (is_over && self.unread() > 0) {
            self.wants = Wants::Reading;
        }
    }

    /// Looks at it without its name. False when it is not open, and so cannot be found any more.
    pub fn look_inside(&mut self, at: Instant) -> bool {
        let Some(reading) = &self.reading else { return false };
        match reading.file.metadata() {
            Ok(metadata) => self.seen(stamp_of(&metadata), at),
            Err(_) => self.wants = Wants::Reading,
        }
        true
    }

    /// Octets that were not read yet, packed ones where it is compressed.
    pub fn unread(&self) -> u64 {
        match self.place.packed {
            _ if self.is_refused => 0,
            None => self.stamp.size.saturating_sub(self.place.offset),
            Some(Packed::Begun) => self.stamp.size,
            Some(Packed::Read) => 0,
        }
    }

    /// Whether nobody has written to it for a while.
    pub fn rests(&self, now: Timestamp) -> bool {
        let age = now.as_nanosecond() - self.stamp.modified;
        age >= REST.as_nanos().cast_signed() || self.changed_at.elapsed() >= REST
    }

    /// Since when it is open and was not read.
    pub fn idle_since(&self) -> Option<Instant> {
        self.reading.as_ref().map(|reading| reading.read_at)
    }

    /// Closes it; what had begun to be read is read again when it is opened.
    pub fn close(&mut self) {
        self.reading = None;
    }

    /// Reads on.
    pub fn read(&mut self, order: &mut Order<'_>) -> Pass {
        let mut pass = Pass::default();
        self.wants = Wants::Nothing;
        if let Err(trouble) = self.try_read(order, &mut pass) {
            match trouble {
                Trouble::Unreadable(_) => self.wants = Wants::Patience,
                Trouble::Compressed(_) | Trouble::Damaged(_) => (self.wants, self.is_refused) = (Wants::Nothing, true),
            }
            self.reading = None;
            if pass.place.is_none() {
                // What cannot be stored with how far it was read is read again.
                pass.raws.clear();
            }
            pass.trouble = Some(trouble);
        }
        pass
    }

    fn try_read(&mut self, order: &mut Order<'_>, pass: &mut Pass) -> Result<(), Trouble> {
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => match self.open(order, pass)? {
                Some(reading) => reading,
                None => return Ok(()),
            },
        };
        let stamp = stamp_of(&reading.file.metadata().map_err(Trouble::Unreadable)?);
        if stamp != self.stamp {
            (self.stamp, self.changed_at) = (stamp, Instant::now());
        }
        let is_over = (self.is_rotated || !self.is_named || reading.unpacked.is_some()) && self.rests(order.now);
        let (is_at_end, damage) = reading.fill(order, pass);
        let mut packed = reading.unpacked.is_some().then_some(Packed::Begun);
        if is_at_end && is_over {
            pass.raws.extend(reading.splitter.end());
            packed = packed.map(|_| Packed::Read);
        }
        let place = reading.place(packed, self.place.head)?;
        // Only now is it certain that what was read is what stood behind the place.
        if packed.is_none() && !fits(&reading.file, &self.place).map_err(Trouble::Unreadable)? {
            *pass = Pass { lost: Some(self.place), ..Pass::default() };
            self.place = Place::default();
            self.is_known = false;
            self.wants = Wants::Reading;
            return Ok(());
        }
        if place != self.stored {
            pass.place = Some(place);
        }
        if !is_at_end {
            self.wants = Wants::Reading;
        }
        self.reading = Some(reading);
        damage.map_or(Ok(()), Err)
    }

    /// Opens it where it is to be read on; `None` where that is not yet known.
    fn open(&mut self, order: &Order<'_>, pass: &mut Pass) -> Result<Option<Reading>, Trouble> {
        let unreadable = Trouble::Unreadable;
        let mut options = OpenOptions::new();
        // What was a file a moment ago may be a FIFO by now, which would not open before somebody writes.
        options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let file = match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file.map_err(unreadable)?),
        };
        let Some(file) = file.filter(|file| file.metadata().is_ok_and(|metadata| id_of(&metadata) == self.id)) else {
            // Renamed meanwhile: the next look tells what it is called.
            self.wants = Wants::Patience;
            return Ok(None);
        };
        let mut window = [0; WINDOW as usize];
        let length = read_full(&file, &mut window, 0).map_err(unreadable)?;
        let beginning = &window[..length];
        if beginning.is_empty() {
            return Ok(None);
        }
        match Format::of(beginning) {
            Err(UnknownFormat::Compressed(GZIP)) if order.compressed => self.open_packed(file, beginning, order),
            Err(UnknownFormat::Compressed(how)) => Err(Trouble::Compressed(how)),
            _ => {
                let is_plain = self.place.packed.is_none();
                let is_same = self.is_known || (is_plain && fits(&file, &self.place).map_err(unreadable)?);
                if !is_same {
                    pass.lost = Some(self.place);
                    self.place = Place::default();
                }
                if self.place.offset == 0 {
                    self.place = known_content(&file, (order.candidates)()).map_err(unreadable)?;
                }
                self.is_known = true;
                let splitter = Splitter::at(self.place.position());
                Ok(Some(Reading { file, unpacked: None, splitter, read_at: Instant::now() }))
            }
        }
    }

    fn open_packed(&mut self, file: fs::File, beginning: &[u8], order: &Order<'_>) -> Result<Option<Reading>, Trouble> {
        if !self.rests(order.now) {
            // Somebody may still be at it.
            self.wants = Wants::Patience;
            return Ok(None);
        }
        let head = crc32fast::hash(beginning);
        let is_same = self.place.packed.is_some() && self.place.head == head;
        if is_same && self.place.packed == Some(Packed::Read) {
            return Ok(None);
        }
        let found = match is_same {
            true => skip(&file, &self.place).map_err(Trouble::Damaged)?.map(|(decoder, _)| (decoder, self.place)),
            false => known_inside(&file, (order.candidates)()).map_err(Trouble::Damaged)?,
        };
        let (unpacked, place) = match found {
            Some(found) => found,
            None => (unpacker(&file).map_err(Trouble::Damaged)?, Place::default()),
        };
        self.place = Place { head, tail: 0, packed: Some(Packed::Begun), ..place };
        let splitter = Splitter::at(place.position());
        Ok(Some(Reading { file, unpacked: Some(unpacked), splitter, read_at: Instant::now() }))
    }
}

impl Reading {
    /// Reads until it is enough, or to the end: which of both, and what goes wrong.
    fn fill(&mut self, order: &mut Order<'_>, pass: &mut Pass) -> (bool, Option<Trouble>) {
        self.read_at = Instant::now();
        while pass.octets < order.octets && pass.raws.len() < order.records {
            let result = match &mut self.unpacked {
                Some(unpacked) => unpacked.read(order.buffer).map_err(Trouble::Damaged),
                None => self.file.read_at(order.buffer, self.splitter.next().offset).map_err(Trouble::Unreadable),
            };
            let length = match result {
                Ok(0) => return (true, None),
                Ok(length) => length,
                Err(trouble) => return (false, Some(trouble)),
            };
            pass.octets += length;
            self.splitter.push(&order.buffer[..length], |raw| pass.raws.push(raw));
        }
        (false, None)
    }

    fn place(&self, packed: Option<Packed>, head: u32) -> Result<Place, Trouble> {
        let position = self.splitter.boundary();
        let place = Place { offset: position.offset, line: position.line, head, tail: 0, packed };
        match packed {
            Some(_) => Ok(place),
            None => marked(&self.file, place).map_err(Trouble::Unreadable),
        }
    }
}
