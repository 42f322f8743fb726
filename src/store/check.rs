//! `radhook store check`: looks at every part of a store without changing any, and says whether it would start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::durable::{lock_dir, read_format};
use super::frame::{self, Kind};
use super::fs::{FileSystem, RealFs};
use super::journal::Journal;
use super::mark::Mark;
use super::segment::{self, End, HEADER_BLOCK, Header, Position, Segment};
use super::{StoreError, probe};

/// What a store is found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The data directory.
    pub path: PathBuf,
    /// The journal's segments, oldest first.
    pub segments: Vec<SegmentReport>,
    /// The last batch the last checkpoint is known to have moved into sled.
    pub checkpoint: u64,
    /// The last batch in sled, when sled is sound.
    pub sled: Option<u64>,
    /// Batches behind the checkpoint that a start would replay, when the journal is sound.
    pub replay: Option<u64>,
    /// What keeps the store from starting.
    pub problems: Vec<String>,
    /// What a start does not need, and `recover` might.
    pub warnings: Vec<String>,
}

/// What one segment is found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// Its file name.
    pub name: String,
    /// The number in it.
    #[serde(skip)]
    pub index: u64,
    /// The sequence it begins with, if its header is valid.
    pub first: Option<u64>,
    /// The last valid sequence in it that counts, if there is any.
    pub last: Option<u64>,
    /// Batches that count in it.
    pub batches: u64,
    /// Bytes its frames take, header block included.
    pub used: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// What is wrong with it, and valid batches and bytes behind that place.
    pub damage: Option<Damage>,
    /// Whether a torn, never acknowledged frame follows.
    pub torn: bool,
}

/// A damaged place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What is wrong, with file and byte.
    pub what: String,
    /// Valid batches behind it in the same segment.
    pub batches_behind: u64,
    /// Bytes they take.
    pub bytes_behind: u64,
}

impl Report {
    /// Whether the store would start.
    pub fn sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks the store in `path`. sled is opened on a copy beside it, which is removed again.
///
/// # Errors
/// What keeps it from being looked at: [`StoreError::Locked`] while a daemon runs on it, [`StoreError::Newer`],
/// [`StoreError::Io`]. What is found wrong stands in the report.
pub fn check(path: &Path) -> Result<Report, StoreError> {
    let _lock = lock_dir(path)?;
    read_format(path)?;
    let (journal, sled) = (path.join("journal"), path.join("sled"));
    let mut problems = Vec::new();
    let known = match Mark::read(&sled) {
        Ok(mark) => mark.map(|mark| mark.position()).unwrap_or_default(),
        Err(error) => {
            problems.push(error.to_string());
            Position::default()
        }
    };
    let in_sled = match look_at_sled(&sled, known) {
        Ok(position) => Some(position),
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    let fs: Arc<dyn FileSystem> = Arc::new(RealFs);
    let segments = survey(&*fs, &journal)?;
    let from = in_sled.unwrap_or(known);
    let replay = match Journal::open(fs, &journal, 0, from, &mut |_, _, _| Ok(())) {
        Ok((_, replay)) => Some(replay.batches),
        Err(error) => {
            problems.push(error.to_string());
            None
        }
    };
    let damaged = segments.iter().filter_map(|segment| segment.damage.as_ref());
    let warnings = damaged.map(|damage| damage.what.clone()).filter(|what| !problems.contains(what)).collect();
    let checkpoint = known.sequence;
    let sled = in_sled.map(|position| position.sequence);
    Ok(Report { path: path.to_owned(), segments, checkpoint, sled, replay, problems, warnings })
}

/// Tries sled on a copy; one that never was is sound.
pub(super) fn look_at_sled(sled: &Path, known: Position) -> Result<Position, StoreError> {
    if known.sequence == 0 && !sled.join("db").exists() {
        return Ok(known);
    }
    probe::try_on_copy(sled, known)
}

/// Walks all segments, the trimmed ones too.
pub(super) fn survey(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<SegmentReport>, StoreError> {
    let mut names = fs.list(dir).map_err(StoreError::io("listing", dir))?;
    names.retain(|name| segment::index(name).is_some());
    names.sort_unstable();
    let mut reports = Vec::new();
    let mut until: Option<u64> = None;
    // From the last on, because a later segment supersedes what an earlier one holds.
    for name in names.into_iter().rev() {
        let path = dir.join(&name);
        let index = segment::index(&name).unwrap_or_default();
        let file = fs.open(&path).map_err(StoreError::io("opening", &path))?;
        let bytes = super::fs::read_all(&*file).map_err(StoreError::io("reading", &path))?;
        let mut report = SegmentReport {
            name,
            index,
            first: None,
            last: None,
            batches: 0,
            used: HEADER_BLOCK,
            bytes: bytes.len() as u64,
            damage: None,
            torn: false,
        };
        match Header::decode(&path, index, &bytes) {
            Ok(header) => {
                walk(Segment { path, header, bytes }, until, &mut report);
                until = Some(until.map_or(header.first, |until| until.min(header.first)));
            }
            Err(error) => {
                report.damage = Some(Damage { what: error.to_string(), batches_behind: 0, bytes_behind: 0 });
            }
        }
        reports.push(report);
    }
    reports.reverse();
    Ok(reports)
}

fn walk(segment: Segment, until: Option<u64>, report: &mut SegmentReport) {
    let Header { index, salt, first } = segment.header;
    let start = Position { sequence: first.saturating_sub(1), segment: index, offset: HEADER_BLOCK };
    report.first = Some(first);
    let walked = segment.walk(start, until, &mut |frame, position| {
        report.batches += u64::from(frame.kind == Kind::Batch);
        report.last = Some(position.sequence);
        report.used = position.offset;
        Ok(())
    });
    let ended = match walked {
        Ok((position, End::Tail { torn })) => {
            report.torn = torn;
            // The next segment goes on later than this one ends: something is missing in between.
            until.filter(|until| *until > position.sequence + 1).map(|until| {
                let expected = position.sequence + 1;
                let what = format!("batch {expected} should stand here, and the next segment goes on with {until}");
                StoreError::Damaged { path: segment.path.clone(), offset: position.offset, what }
            })
        }
        Ok(_) => None,
        Err(error) => Some(error),
    };
    report.damage = ended.map(|error| {
        let (mut batches_behind, mut bytes_behind) = (0, 0);
        let mut at = usize::try_from(report.used).unwrap_or(usize::MAX);
        while let Some(found) = frame::find_any(&segment.bytes, at, salt) {
            let length = frame::read(&segment.bytes, found, salt).map_or(frame::HEADER, |frame| frame.length);
            batches_behind += 1;
            bytes_behind += length as u64;
            at = found + length;
        }
        Damage { what: error.to_string(), batches_behind, bytes_behind }
    });
}
