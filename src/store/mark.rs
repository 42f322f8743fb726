//! `sled.checkpoint`, beside sled's directory: how far sled is known to reach, and after a clean close what its files
//! look like. It is what makes a sled that lost its newest part, or was damaged while nobody looked, be seen before
//! sled repairs it in silence.
//!
//! A line of JSON and a line with its CRC-32, written whole and renamed into place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::fs::FILE_MODE;
use super::segment::Position;

/// Files are summed up in blocks of this size: four bytes for a mebibyte.
const BLOCK: usize = 1 << 20;

/// What is known of sled.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    sequence: u64,
    segment: u64,
    offset: u64,
    /// What a clean close left; absent while sled is open and after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<Vec<Summary>>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Summary {
    name: PathBuf,
    length: u64,
    crc: Vec<u32>,
}

impl Mark {
    /// A checkpoint was made at `position`; sled is open.
    pub fn unclean(position: Position) -> Mark {
        let Position { sequence, segment, offset } = position;
        Mark { sequence, segment, offset, files: None }
    }

    /// sled in `dir` was closed at `position`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when its files cannot be read.
    pub fn clean(position: Position, dir: &Path) -> Result<Mark, StoreError> {
        let files = summarize(dir).map_err(StoreError::io("reading", dir))?;
        Ok(Mark { files: Some(files), ..Mark::unclean(position) })
    }

    /// How far sled is known to reach.
    pub fn position(&self) -> Position {
        Position { sequence: self.sequence, segment: self.segment, offset: self.offset }
    }

    /// Whether sled's files are, byte for byte, what a clean close left.
    pub fn matches(&self, dir: &Path) -> bool {
        self.files.as_ref().is_some_and(|files| summarize(dir).is_ok_and(|found| found == *files))
    }

    /// Reads the mark of sled in `dir`; `None` when there never was a checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Io`].
    pub fn read(dir: &Path) -> Result<Option<Mark>, StoreError> {
        let path = path(dir);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
            Err(error) => return Err(StoreError::io("reading", &path)(error)),
        };
        let valid = text.lines().next().filter(|line| text == sealed(line));
        match valid.and_then(|line| serde_json::from_str(line).ok()) {
            Some(mark) => Ok(Some(mark)),
            None => {
                let what = "the record of sled's last checkpoint is not valid".to_owned();
                Err(StoreError::Damaged { path, offset: 0, what })
            }
        }
    }

    /// Writes the mark of sled in `dir`; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the mark before then still stands.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let path = path(dir);
        let fresh = path.with_extension("checkpoint.new");
        let text = sealed(&serde_json::to_string(self).expect("numbers and names of our own make valid JSON"));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(FILE_MODE).open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(StoreError::io("writing", &path))
    }
}

/// The mark's file for sled in `dir`.
pub fn path(dir: &Path) -> PathBuf {
    dir.with_extension("checkpoint")
}

fn sealed(line: &str) -> String {
    format!("{line}\n{:08x}\n", crc32fast::hash(line.as_bytes()))
}

/// Length and checksums of every file in `dir`, in name order.
fn summarize(dir: &Path) -> io::Result<Vec<Summary>> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    let mut block = vec![0; BLOCK];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
                continue;
            }
            let mut file = File::open(entry.path())?;
            let mut summary = Summary {
                name: entry.path().strip_prefix(dir).map(Path::to_owned).unwrap_or_default(),
                length: 0,
                crc: Vec::new(),
            };
            loop {
                let mut filled = 0;
                while filled < BLOCK {
                    match file.read(&mut block[filled..])? {
                        0 => break,
                        read => filled += read,
                    }
                }
                if filled == 0 {
                    break;
                }
                summary.length += filled as u64;
                summary.crc.push(crc32fast::hash(&block[..filled]));
            }
            files.push(summary);
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
