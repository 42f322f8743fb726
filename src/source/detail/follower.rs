//! The thread of one source: looks for files, reads what is new in them, the oldest file first, and hands it to intake.
//!
//! One batch is under way at a time, with the places up to which it was read: both are stored, or none. A batch that is
//! not stored is handed over again. So what is kept in memory is one batch, and one record a file that has begun.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use jiff::Timestamp;
use metrics::{counter, gauge};

use super::file::{Followed, Order, Pass, Wants};
use super::find;
use super::place::{self, Directory, Id, Item, Past, Place};
use super::quarantine::Quarantine;
use super::story::{Kind, Teller, Told};
use crate::exchange::{Bookmark, Exchange, Submission};
use crate::metrics::{DETAIL_FILES, DETAIL_RECORDS, DETAIL_UNREAD};
use crate::source::hand_in::Kept;
use crate::source::log_limit::LogLimit;
use crate::source::{DetailOptions, Remarks};
use crate::trace::detail::Raw;

/// What is said of what lies ahead.
const UNREAD: &str = "unread";

/// How often is looked for files and for what is new in them: as late an event may be.
const LOOK: Duration = Duration::from_millis(500);
/// A look may take one part in so many of the time: with tens of thousands of files it takes tenths of a second.
const LOOK_SHARE: u32 = 10;
/// Octets read for one batch: some hundred records, stored in some milliseconds. Decoded they are ten times as many.
const BATCH_OCTETS: usize = 512 * 1024;
/// Records of one batch, where they are short.
const BATCH_RECORDS: usize = 2_048;
/// Octets read at once.
const BUFFER: usize = 64 * 1024;
/// Files kept open: those that are written to. A deleted one is still read then. Half of what systemd allows by default.
const MAX_OPEN: usize = 512;
/// How long a file stays open that is not written to.
const IDLE: Duration = Duration::from_secs(60);
/// How long it is remembered how far a file was read that is gone: until it is compressed, unpacked again, or mounted.
const REMEMBERED_SECONDS: i64 = 24 * 60 * 60;
/// How many such are remembered; with [`find::MAX_FILES`] they fit what is read at the start.
const MAX_PASTS: usize = 20_000;
/// Log lines per reason and minute.
const LOG_LINES: u64 = 10;

pub(super) struct Follower {
    options: DetailOptions,
    teller: Teller,
    quarantine: Quarantine,
    intake: Sender<Submission>,
    remarks: Remarks,
    /// Disconnected when it is to stop.
    stop: Receiver<()>,
    files: HashMap<Id, Followed>,
    /// Of files that were not found yet since the start.
    bookmarks: HashMap<Id, (Directory, Place)>,
    /// How far content was read that is gone.
    pasts: HashMap<Item, Past>,
    /// Bookmarks that go with the next batch.
    marks: Vec<Bookmark>,
    /// What was named in the log, so that it is named once.
    named: HashSet<PathBuf>,
    has_looked: bool,
    limit: LogLimit,
    look_at: Instant,
    buffer: Vec<u8>,
}

/// What is stored together.
#[derive(Default)]
struct Batch {
    exchanges: Vec<Exchange>,
    places: Vec<(Id, Directory, Place)>,
    marks: Vec<Bookmark>,
    tally: BTreeMap<Kind, u64>,
    octets: usize,
    records: usize,
}

impl Follower {
    pub fn new(
        options: DetailOptions,
        teller: Teller,
        intake: Sender<Submission>,
        stop: Receiver<()>,
        bookmarks: Vec<Bookmark>,
        remarks: Remarks,
    ) -> Self {
        let mut follower = Self {
            quarantine: Quarantine::new(options.quarantine.clone(), Arc::clone(&teller.dictionary)),
            options,
            teller,
            intake,
            remarks,
            stop,
            files: HashMap::new(),
            bookmarks: HashMap::new(),
            pasts: HashMap::new(),
            marks: Vec::new(),
            named: HashSet::new(),
            has_looked: false,
            limit: LogLimit::new(LOG_LINES),
            look_at: Instant::now(),
            buffer: vec![0; BUFFER],
        };
        for Bookmark { item, place, .. } in bookmarks {
            let place = place.unwrap_or_default();
            match Item::decode(&item) {
                Some(Item::File(id)) => follower.bookmarks.extend(place::decode(&place).map(|place| (id, place))),
                Some(item) => follower.pasts.extend(place::decode(&place).map(|past| (item, past))),
                None => {}
            }
        }
        follower
    }

    /// Follows until it is to stop.
    pub fn run(&mut self) {
        loop {
            if Instant::now() >= self.look_at {
                self.look();
            }
            let batch = self.fill();
            let patience = match batch.octets {
                0 => self.look_at.saturating_duration_since(Instant::now()),
                _ => Duration::ZERO,
            };
            if !batch.is_empty() && !self.submit(batch) || self.is_stopped(patience) {
                return;
            }
        }
    }

    /// Waits for so long, or until it is to stop.
    fn is_stopped(&self, patience: Duration) -> bool {
        self.stop.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    fn look(&mut self) {
        let begun = Instant::now();
        let looked = find::look(&self.options.path);
        let mut odd = HashSet::new();
        for (path, oddity) in looked.odd {
            self.name(&path, oddity.label(), &oddity);
            odd.insert(path);
        }
        if !std::mem::replace(&mut self.has_looked, true) {
            for glob in looked.idle {
                let what = "nothing matches yet; if something should, may radhook's user list its directories?";
                tracing::warn!(source = &*self.teller.name, glob, "{what}");
            }
        }
        let mut present = HashSet::new();
        for found in looked.files {
            present.insert(found.id);
            let bookmarks = &mut self.bookmarks;
            let (path, id, stamp) = (found.path, found.id, found.stamp);
            let file = self.files.entry(id).or_insert_with(|| {
                Followed::new(id, PathBuf::new(), stamp, bookmarks.remove(&id).map(|(_, place)| place), begun)
            });
            (file.path, file.is_named, file.is_rotated) = (path, true, found.is_rotated);
            file.seen(stamp, begun);
        }
        let now = Timestamp::now();
        let mut gone = Vec::new();
        for (id, file) in self.files.iter_mut().filter(|(id, _)| !present.contains(id)) {
            file.is_named = false;
            let is_open = file.look_inside(begun);
            if !is_open || (file.wants == Wants::Nothing && file.unread() == 0 && file.rests(now)) {
                gone.push(*id);
            }
        }
        gone.into_iter().for_each(|id| self.retire(id, now));
        for (id, (directory, place)) in std::mem::take(&mut self.bookmarks) {
            self.mark(Item::File(id), None);
            self.remember(directory, place, now);
        }
        self.forget(now);
        self.close_idle();
        if !self.named.is_empty() {
            let there: HashSet<&PathBuf> = self.files.values().map(|file| &file.path).collect();
            self.named.retain(|path| odd.contains(path) || there.contains(path));
        }
        let unread: u64 = self.files.values().map(Followed::unread).sum();
        gauge!(DETAIL_UNREAD, "source" => self.teller.name.to_string()).set(unread as f64);
        match unread {
            0 => self.remarks.clear(UNREAD),
            unread => self.remarks.say(UNREAD, format!("{unread} octets are still to be read")),
        }
        for (reason, count) in self.limit.suppressed(begun) {
            tracing::warn!(source = &*self.teller.name, reason, count, "there were more like these");
        }
        self.look_at = Instant::now() + LOOK.max(begun.elapsed() * LOOK_SHARE);
    }

    /// Names a file that is left out, once.
    fn name(&mut self, path: &Path, reason: &'static str, why: &dyn std::fmt::Display) {
        if self.named.insert(path.to_owned()) {
            self.count_file(reason);
            if self.limit.allows(reason, Instant::now()) {
                tracing::warn!(source = &*self.teller.name, file = %path.display(), "left out: {why}");
            }
        }
    }

    fn count_file(&self, result: &'static str) {
        counter!(DETAIL_FILES, "source" => self.teller.name.to_string(), "result" => result).increment(1);
    }

    /// A file is gone.
    fn retire(&mut self, id: Id, now: Timestamp) {
        let Some(file) = self.files.remove(&id) else { return };
        if file.unread() > 0 && file.wants != Wants::Nothing {
            self.count_file("deleted_unread");
            if self.limit.allows("deleted_unread", Instant::now()) {
                let (path, octets) = (file.path.display(), file.unread());
                tracing::warn!(source = &*self.teller.name, file = %path, octets, "deleted before it was read");
            }
        }
        if file.stored != Place::default() {
            self.mark(Item::File(id), None);
        }
        self.remember(Directory::of(&file.path), file.place, now);
    }

    /// Remembers how far content was read that is not there any more, should it come back.
    fn remember(&mut self, directory: Directory, place: Place, now: Timestamp) {
        if place.offset > 0 && place.packed.is_none() && self.pasts.len() < MAX_PASTS {
            let past = Past { directory, place, since: now.as_second() };
            self.mark(past.item(), Some(place::encode(&past)));
            self.pasts.insert(past.item(), past);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        let is_over = |past: &Past| past.since + REMEMBERED_SECONDS < now.as_second();
        let over: Vec<Item> = self.pasts.iter().filter(|(_, past)| is_over(past)).map(|(item, _)| *item).collect();
        for item in over {
            self.pasts.remove(&item);
            self.mark(item, None);
        }
    }

    fn mark(&mut self, item: Item, place: Option<Vec<u8>>) {
        self.marks.push(Bookmark { source: Arc::clone(&self.teller.name), item: item.encode(), place });
    }

    fn close_idle(&mut self) {
        for file in self.files.values_mut().filter(|file| file.is_named) {
            if file.idle_since().is_some_and(|since| since.elapsed() >= IDLE) {
                file.close();
            }
        }
    }

    /// Reads what is new until the batch is full.
    fn fill(&mut self) -> Batch {
        let mut wanting: Vec<_> = self.files.values().filter(|file| file.wants == Wants::Reading).collect();
        wanting.sort_by(|a, b| (a.stamp.modified, &a.path).cmp(&(b.stamp.modified, &b.path)));
        let wanting: Vec<Id> = wanting.into_iter().map(|file| file.id).collect();
        let mut open = self.files.values().filter(|file| file.idle_since().is_some()).count();
        let mut batch = Batch::default();
        for id in wanting {
            if batch.octets >= BATCH_OCTETS || batch.records >= BATCH_RECORDS {
                break;
            }
            let Some(mut file) = self.files.remove(&id) else { continue };
            let was_open = file.idle_since().is_some();
            self.read(&mut file, &mut batch);
            if !was_open && open >= MAX_OPEN {
                file.close();
            }
            open += usize::from(!was_open && file.idle_since().is_some());
            self.files.insert(id, file);
        }
        if let Err(error) = self.quarantine.sync() {
            self.quarantine_fails(&error);
        }
        batch.marks = std::mem::take(&mut self.marks);
        batch
    }

    fn read(&mut self, file: &mut Followed, batch: &mut Batch) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let directory = Directory::of(&file.path);
        let candidates = || {
            let here = |path: &Path| Directory::of(path) == directory;
            let living = self.files.values().filter(|file| here(&file.path)).map(|file| file.place);
            let pasts = self.pasts.values().filter(|past| past.directory == directory).map(|past| past.place);
            living.chain(pasts).filter(|place| place.offset > 0 && place.packed.is_none()).collect()
        };
        let now = Timestamp::now();
        let pass = file.read(&mut Order {
            octets: BATCH_OCTETS - batch.octets,
            records: BATCH_RECORDS - batch.records,
            compressed: self.options.compressed,
            buffer: &mut buffer,
            candidates: &candidates,
            now,
        });
        self.buffer = buffer;
        let Pass { raws, octets, place, lost, trouble } = pass;
        batch.octets += octets;
        batch.records += raws.len();
        for raw in &raws {
            let kind = self.tell(file, raw, now, batch);
            *batch.tally.entry(kind).or_default() += 1;
        }
        batch.places.extend(place.map(|place| (file.id, directory, place)));
        if let Some(lost) = lost {
            self.count_file("truncated");
            let path = file.path.display();
            tracing::info!(source = &*self.teller.name, file = %path, "written anew; read from its beginning");
            self.remember(directory, lost, now);
        }
        match trouble {
            Some(trouble) => self.name(&file.path, trouble.label(), &trouble),
            None => {
                self.named.remove(&file.path);
            }
        }
    }

    fn tell(&mut self, file: &Followed, raw: &Raw, now: Timestamp, batch: &mut Batch) -> Kind {
        let error = match raw.read() {
            Ok(record) => {
                return match self.teller.tell(&record, &file.path, now) {
                    Told::Exchange(kind, exchange) => {
                        batch.exchanges.push(*exchange);
                        kind
                    }
                    Told::Nothing(kind) => kind,
                };
            }
            Err(error) => error,
        };
        let kept = match self.quarantine.keep(&file.path, raw, &error, now) {
            Ok(true) => Kind::Bad,
            Ok(false) => Kind::BadNotKept,
            Err(error) => {
                self.quarantine_fails(&error);
                Kind::BadNotKept
            }
        };
        if self.limit.allows(kept.label(), Instant::now()) {
            let (path, into) = (file.path.display(), self.quarantine.directory().display());
            match kept {
                Kind::Bad => tracing::warn!(source = &*self.teller.name, file = %path, "{error}, and kept in {into}"),
                _ => tracing::warn!(source = &*self.teller.name, file = %path, "{error}, and not kept: {into} is full"),
            }
        }
        kept
    }

    fn quarantine_fails(&mut self, error: &std::io::Error) {
        if self.limit.allows("quarantine", Instant::now()) {
            let directory = self.quarantine.directory().display();
            tracing::error!(source = &*self.teller.name, %directory, %error, "the quarantine cannot be written");
        }
    }

    /// Hands a batch to intake until it is stored. False when it was not, and there is nothing more to do.
    fn submit(&mut self, batch: Batch) -> bool {
        let source = Arc::clone(&self.teller.name);
        let place_of = |(id, directory, place): &(Id, Directory, Place)| Bookmark {
            source: Arc::clone(&source),
            item: Item::File(*id).encode(),
            place: Some(place::encode(&(directory, place))),
        };
        let bookmarks: Vec<_> = batch.places.iter().map(place_of).chain(batch.marks).collect();
        let kept = Kept { exchanges: batch.exchanges, bookmarks, stands_elsewhere: true };
        if !kept.until_stored(&self.intake, |patience| self.is_stopped(patience)) {
            return false;
        }
        for (id, _, place) in batch.places {
            if let Some(file) = self.files.get_mut(&id) {
                (file.place, file.stored) = (place, place);
            }
        }
        for (kind, count) in batch.tally {
            counter!(DETAIL_RECORDS, "source" => source.to_string(), "result" => kind.label()).increment(count);
        }
        true
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.records == 0 && self.places.is_empty() && self.marks.is_empty()
    }
}
