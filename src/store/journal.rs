//! The journal: a row of preallocated segments that alone decides what is durable.
//!
//! **Life of a segment.** Prepared ahead of need (zero-filled, or a trimmed one used again: both make fdatasync a third
//! cheaper than fresh or merely reserved blocks) → named, its header on disk → appended to, one write and one fdatasync
//! a group of batches → sealed, when full or when a write or sync failed → trimmed, once a checkpoint lies beyond it:
//! kept for `radhook store recover` as long as room allows → removed, or prepared again.
//!
//! **After a failure** (a write or fdatasync that answers with an error) nothing of that segment's tail is trusted: the
//! kernel may have dropped the pages and will not tell twice. The segment is sealed, the failed batches are not there,
//! and the next append opens a fresh segment that starts with the failed sequence, which supersedes whatever the old
//! one holds from it on.
//!
//! **Replay** has an exact rule. Where batch N is expected and no valid frame stands, N was never acknowledged if no
//! later frame of the segment says N was durable and no later segment starts beyond N: then the tail is torn, and is
//! cut off by going on in a fresh segment. Otherwise acknowledged data is damaged: reported, and nothing is changed.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, Kind};
use super::fs::{File, FileSystem, read_all};
use super::prepare::{FRESH, PREPARED, Preparation, make};
use super::segment::{self, End, HEADER_BLOCK, Header, Position, Segment};
use super::{Batch, StoreError};

/// What replay found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    /// Batches behind the checkpoint that were handed out.
    pub batches: u64,
    /// Bytes their frames take.
    pub bytes: u64,
    /// Where a torn, never acknowledged tail was cut off: segment file and byte.
    pub torn: Option<(PathBuf, u64)>,
    /// Whether the last run closed the journal cleanly.
    pub clean: bool,
}

/// A segment that is written no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sealed {
    index: u64,
    length: u64,
    /// Where its frames end; unknown for those before the checkpoint when the journal was opened.
    end: Option<u64>,
    /// A write or sync failed in it: its file is not used again.
    failed: bool,
}

#[derive(Debug)]
struct Active {
    index: u64,
    salt: u64,
    file: Box<dyn File>,
    length: u64,
    end: u64,
}

/// A trimmed segment, on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    index: u64,
    length: u64,
    failed: bool,
}

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    segment_size: u64,
    next_sequence: u64,
    next_index: u64,
    active: Option<Active>,
    sealed: VecDeque<Sealed>,
    prepared: Option<(Box<dyn File>, u64)>,
    position: Position,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens the journal in `dir` and hands every batch behind `from`, the table's last checkpoint, to `visit`, with
    /// the position behind it and the bytes of its frame. Nothing is changed on disk.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when something acknowledged is missing or not valid, [`StoreError::Newer`],
    /// [`StoreError::Io`], and what `visit` answers.
    pub fn open(
        fs: Arc<dyn FileSystem>,
        dir: &Path,
        segment_size: u64,
        from: Position,
        visit: &mut dyn FnMut(Batch, Position, u64) -> Result<(), StoreError>,
    ) -> Result<(Journal, Replay), StoreError> {
        let mut journal = Journal::new(fs, dir, segment_size, from);
        let mut replay = Replay::default();
        let live = journal.list(from)?;
        let mut end = End::Superseded;
        // Where the segment before ended: if the next one starts beyond that, something is missing there.
        let mut ended: Option<(PathBuf, u64)> = None;
        for (number, (index, until)) in live.iter().enumerate() {
            let segment = journal.read(*index)?;
            // Where to begin in it, and the sequence it goes on with if that is not the one expected.
            let (start, wrong) = if *index == from.segment {
                (from, until.filter(|until| *until <= from.sequence))
            } else {
                let next = Position { sequence: journal.position.sequence, segment: *index, offset: HEADER_BLOCK };
                (next, Some(segment.header.first).filter(|first| *first != journal.next_sequence))
            };
            if let Some(found) = wrong {
                let expected = journal.next_sequence;
                let what =
                    format!("batch {expected} should stand here, and {} goes on with {found}", segment.path.display());
                let (path, offset) = ended.unwrap_or((segment.path, 0));
                return Err(StoreError::Damaged { path, offset, what });
            }
            let mut offset = start.offset;
            let (position, how) = segment.walk(start, *until, &mut |frame, position| {
                if frame.kind == Kind::Batch {
                    visit(segment.batch(frame, offset)?, position, frame.length as u64)?;
                    replay.batches += 1;
                    replay.bytes += frame.length as u64;
                }
                offset = position.offset;
                Ok(())
            })?;
            if position.sequence > journal.position.sequence || *index == from.segment {
                journal.position = position;
            }
            journal.next_sequence = journal.position.sequence + 1;
            if how == (End::Tail { torn: true }) {
                replay.torn = Some((segment.path.clone(), position.offset));
            }
            end = how;
            ended = Some((segment.path.clone(), position.offset));
            let length = segment.bytes.len() as u64;
            if end == End::Closed && number + 1 == live.len() {
                let file = journal.fs.open(&segment.path).map_err(StoreError::io("opening", &segment.path))?;
                journal.active =
                    Some(Active { index: *index, salt: segment.header.salt, file, length, end: position.offset });
            } else {
                journal.sealed.push_back(Sealed { index: *index, length, end: Some(position.offset), failed: false });
            }
        }
        replay.clean = end == End::Closed;
        Ok((journal, replay))
    }

    fn new(fs: Arc<dyn FileSystem>, dir: &Path, segment_size: u64, from: Position) -> Journal {
        Journal {
            fs,
            dir: dir.to_owned(),
            segment_size,
            next_sequence: from.sequence + 1,
            next_index: from.segment + 1,
            active: None,
            sealed: VecDeque::new(),
            prepared: None,
            position: from,
            buffer: Vec::new(),
        }
    }

    /// Finds the segments and files those before the checkpoint as sealed. Answers the others, each
    /// with the sequence from which a later one supersedes it.
    fn list(&mut self, from: Position) -> Result<Vec<(u64, Option<u64>)>, StoreError> {
        let mut indices = Vec::new();
        for name in self.fs.list(&self.dir).map_err(StoreError::io("listing", &self.dir))? {
            if let Some(index) = segment::index(&name) {
                indices.push(index);
            }
        }
        indices.sort_unstable();
        if let Some(last) = indices.last() {
            self.next_index = self.next_index.max(last + 1);
        }
        let split = indices.partition_point(|index| *index < from.segment);
        for index in &indices[..split] {
            let path = self.path(*index);
            let file = self.fs.open(&path).map_err(StoreError::io("opening", &path))?;
            let length = file.size().map_err(StoreError::io("measuring", &path))?;
            self.sealed.push_back(Sealed { index: *index, length, end: None, failed: false });
        }
        let live = &indices[split..];
        if from.segment > 0 && live.first() != Some(&from.segment) {
            return Err(StoreError::Damaged {
                path: self.path(from.segment),
                offset: from.offset,
                what: format!("the segment is missing; the table's checkpoint ends in it, at batch {}", from.sequence),
            });
        }
        let mut with_until = Vec::with_capacity(live.len());
        let mut until: Option<u64> = None;
        for index in live.iter().rev() {
            with_until.push((*index, until));
            // One that cannot be read is told when its turn comes, after what stands before it.
            if let Ok(Header { first, .. }) = self.header(*index) {
                until = Some(until.map_or(first, |until| until.min(first)));
            }
        }
        with_until.reverse();
        Ok(with_until)
    }

    fn header(&self, index: u64) -> Result<Header, StoreError> {
        let path = self.path(index);
        let file = self.fs.open(&path).map_err(StoreError::io("opening", &path))?;
        let mut block = vec![0; HEADER_BLOCK as usize];
        let read = file.read_at(0, &mut block).map_err(StoreError::io("reading", &path))?;
        Header::decode(&path, index, &block[..read])
    }

    fn read(&self, index: u64) -> Result<Segment, StoreError> {
        let path = self.path(index);
        let file = self.fs.open(&path).map_err(StoreError::io("opening", &path))?;
        let bytes = read_all(&*file).map_err(StoreError::io("reading", &path))?;
        let header = Header::decode(&path, index, &bytes)?;
        Ok(Segment { path, header, bytes })
    }

    /// Appends batches, each a payload of [`frame::encode`], with one write and one fdatasync. When it returns they are
    /// durable; after an error none of them is there, now or after a restart that follows a later success.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn append<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Position, StoreError> {
        self.write(Kind::Batch, payloads)
    }

    /// Writes the closing mark. Appending may go on behind it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn close(&mut self) -> Result<(), StoreError> {
        self.write(Kind::Close, std::iter::once(&[][..])).map(drop)
    }

    fn write<'a>(
        &mut self,
        kind: Kind,
        payloads: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Position, StoreError> {
        let total: usize = payloads.clone().map(|payload| frame::length(payload.len())).sum();
        let fits = self.active.as_ref().is_some_and(|active| active.end + total as u64 <= active.length);
        let mut active = match self.active.take() {
            Some(active) if fits => active,
            full => {
                full.into_iter().for_each(|active| self.seal(&active, false));
                self.activate(HEADER_BLOCK + total as u64)?
            }
        };
        self.buffer.clear();
        let synced_through = self.next_sequence - 1;
        let mut sequence = synced_through;
        for payload in payloads {
            sequence += 1;
            frame::append(&mut self.buffer, active.salt, kind, sequence, synced_through, payload);
        }
        let written = active.file.write_at(active.end, &self.buffer).map_err(|error| ("writing", error));
        if let Err((doing, error)) = written.and_then(|()| active.file.sync_data().map_err(|error| ("syncing", error)))
        {
            self.seal(&active, true);
            return Err(StoreError::io(doing, &self.path(active.index))(error));
        }
        active.end += self.buffer.len() as u64;
        self.next_sequence = sequence + 1;
        self.position = Position { sequence, segment: active.index, offset: active.end };
        self.active = Some(active);
        Ok(self.position)
    }

    /// Ends a segment's life as the active one. One without a batch is removed at once, so that a disk that fails every
    /// sync is not filled with them.
    fn seal(&mut self, active: &Active, failed: bool) {
        if active.end == HEADER_BLOCK && self.fs.remove(&self.path(active.index)).is_ok() {
            return;
        }
        self.sealed.push_back(Sealed { index: active.index, length: active.length, end: Some(active.end), failed });
    }

    /// Names a fresh segment that starts with the next sequence and holds at least `needed` bytes.
    fn activate(&mut self, needed: u64) -> Result<Active, StoreError> {
        let (made, file, length) = match self.prepared.take() {
            Some((file, length)) if length >= needed => (self.dir.join(PREPARED), file, length),
            unfit => {
                self.prepared = unfit;
                let path = self.dir.join(FRESH);
                let (file, length) =
                    make(&*self.fs, &path, self.segment_size, needed).map_err(StoreError::io("making", &path))?;
                (path, file, length)
            }
        };
        // A number is never used twice, whatever became of the file that was to have it.
        let index = self.next_index;
        self.next_index += 1;
        let header = Header { index, salt: rand::random(), first: self.next_sequence };
        let path = self.path(index);
        let named = file
            .write_at(0, &header.encode())
            .and_then(|()| file.sync_data())
            .map_err(StoreError::io("writing the header of", &made))
            .and_then(|()| self.fs.rename(&made, &path).map_err(StoreError::io("naming", &path)))
            .and_then(|()| self.fs.sync_dir(&self.dir).map_err(StoreError::io("syncing", &self.dir)));
        match named {
            Ok(()) => Ok(Active { index, salt: header.salt, file, length, end: HEADER_BLOCK }),
            Err(error) => {
                // Under either name it holds no batch, so its presence after a restart changes nothing; removing it
                // only gives its space back.
                let _ = self.fs.remove(&made);
                let _ = self.fs.remove(&path);
                Err(error)
            }
        }
    }

    /// The making of the next segment, when there is none. The work itself ([`Preparation::run`]) needs no journal, and
    /// its result comes back with [`Journal::prepared`].
    pub fn preparation(&self) -> Option<Preparation> {
        self.prepare_from(None)
    }

    /// The same, from one of the trimmed segments if one fits, which is then taken out of `gone`.
    pub fn recycling(&self, gone: &mut Vec<Trimmed>) -> Option<Preparation> {
        let fits = gone.iter().position(|trimmed| trimmed.length == self.segment_size && !trimmed.failed)?;
        let preparation = self.prepare_from(Some(self.path(gone[fits].index)))?;
        gone.remove(fits);
        Some(preparation)
    }

    fn prepare_from(&self, spare: Option<PathBuf>) -> Option<Preparation> {
        let (fs, dir, length) = (self.fs.clone(), self.dir.clone(), self.segment_size);
        self.prepared.is_none().then_some(Preparation { fs, dir, length, spare })
    }

    /// Removes what an earlier run had prepared. It holds nothing, and what cannot be removed is in nobody's way until
    /// the next segment is made.
    pub fn remove_leftovers(&self) {
        for name in [PREPARED, FRESH] {
            let _ = self.fs.remove(&self.dir.join(name));
        }
    }

    /// Takes in a prepared segment.
    pub fn prepared(&mut self, file: Box<dyn File>) {
        self.prepared = Some((file, self.segment_size));
    }

    /// Takes the trimmed segments out that are not to be kept: those before the checkpoint, oldest first, until the
    /// others take `keep` bytes or less.
    pub fn trim(&mut self, checkpoint: Position, keep: u64) -> Vec<Trimmed> {
        let mut retained: u64 = self.retained(checkpoint);
        let mut gone = Vec::new();
        while retained > keep
            && let Some(oldest) = self.sealed.front()
            && oldest.index < checkpoint.segment
        {
            retained -= oldest.length;
            gone.push(Trimmed { index: oldest.index, length: oldest.length, failed: oldest.failed });
            self.sealed.pop_front();
        }
        gone
    }

    /// Bytes of the segments before the checkpoint.
    pub fn retained(&self, checkpoint: Position) -> u64 {
        self.sealed.iter().filter(|sealed| sealed.index < checkpoint.segment).map(|sealed| sealed.length).sum()
    }

    /// Removes a trimmed segment.
    ///
    /// # Errors
    /// What the file system answers; the segment then stays until the journal is opened again.
    pub fn removal(&self, trimmed: Trimmed) -> impl FnOnce() -> io::Result<()> + use<> {
        let (fs, path) = (self.fs.clone(), self.path(trimmed.index));
        move || fs.remove(&path)
    }

    /// Cuts sealed segments that are less than half full at the end of their frames: each restart after a crash leaves
    /// one. Only when there is an active one, which supersedes whatever the cut takes away.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the rest is cut another time.
    pub fn cut_sealed(&mut self) -> Result<(), StoreError> {
        if self.active.is_none() {
            return Ok(());
        }
        for at in 0..self.sealed.len() {
            let Sealed { index, length, end, .. } = self.sealed[at];
            if let Some(end) = end.filter(|end| *end < length / 2) {
                let path = self.path(index);
                let file = self.fs.open(&path).map_err(StoreError::io("opening", &path))?;
                file.set_len(end).map_err(StoreError::io("cutting", &path))?;
                self.sealed[at].length = end;
            }
        }
        Ok(())
    }

    /// The place behind the last durable batch.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Bytes all its files take.
    pub fn disk_bytes(&self) -> u64 {
        self.sealed.iter().map(|sealed| sealed.length).sum::<u64>()
            + self.active.as_ref().map_or(0, |active| active.length)
            + self.prepared.as_ref().map_or(0, |(_, length)| *length)
    }

    fn path(&self, index: u64) -> PathBuf {
        self.dir.join(segment::name(index))
    }
}

/// Begins a new segment behind all others in `dir`, for the batches after `sequence`. Answers the place before its first.
///
/// # Errors
/// [`StoreError::Io`].
pub fn begin_after(
    fs: Arc<dyn FileSystem>,
    dir: &Path,
    segment_size: u64,
    sequence: u64,
) -> Result<Position, StoreError> {
    let names = fs.list(dir).map_err(StoreError::io("listing", dir))?;
    let last = names.iter().filter_map(|name| segment::index(name)).max().unwrap_or(0);
    let from = Position { sequence, segment: last, offset: HEADER_BLOCK };
    let active = Journal::new(fs, dir, segment_size, from).activate(HEADER_BLOCK)?;
    Ok(Position { sequence, segment: active.index, offset: HEADER_BLOCK })
}
