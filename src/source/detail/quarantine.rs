//! Where records go that cannot be understood: a directory with a file a day, each record below a line that tells where it
//! stood and what is wrong with it.
//!
//! Passwords, keys and the like are taken out by their names; the files are their owner's alone all the same, since what
//! cannot be understood cannot be searched for secrets either.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::radius::Dictionary;
use crate::trace::detail::{BadRecord, Raw, is_secret};

/// What a day's file may hold: some thousand records, from which whatever is wrong can be seen. What comes later that day
/// still stands in the detail file, at the place that the log tells.
const MAX_DAY: u64 = 8 * 1024 * 1024;

/// Days that are kept; the oldest goes. With [`MAX_DAY`] a source's quarantine has at most 64 MiB.
const MAX_DAYS: usize = 8;

/// What its files end in.
const SUFFIX: &str = ".detail";

/// The quarantine of one source.
#[derive(Debug)]
pub(super) struct Quarantine {
    directory: PathBuf,
    dictionary: Arc<Dictionary>,
    /// Records that were written since the last sync.
    unsynced: Option<File>,
}

impl Quarantine {
    /// Beneath this directory, which is made when it is needed.
    pub fn new(directory: PathBuf, dictionary: Arc<Dictionary>) -> Self {
        Self { directory, dictionary, unsynced: None }
    }

    /// Keeps a record of the file at `path`. False where the day has no room left.
    pub fn keep(&mut self, path: &Path, raw: &Raw, error: &BadRecord, now: Timestamp) -> io::Result<bool> {
        let name = format!("{}{SUFFIX}", now.to_zoned(TimeZone::UTC).date());
        let target = self.directory.join(name);
        if !target.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
            self.make_room()?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&target)?;
        let record = self.written(path, raw, error);
        if file.metadata()?.len() + record.len() as u64 > MAX_DAY {
            return Ok(false);
        }
        file.write_all(&record)?;
        self.unsynced = Some(file);
        Ok(true)
    }

    /// Returns when what was kept is on disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.unsynced.take().map_or(Ok(()), |file| file.sync_data())
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Deletes the oldest files until another one may come.
    fn make_room(&self) -> io::Result<()> {
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.to_str().is_some_and(|name| name.ends_with(SUFFIX)) {
                days.push(path);
            }
        }
        // Their names are dates.
        days.sort();
        let too_many = (days.len() + 1).saturating_sub(MAX_DAYS);
        days.iter().take(too_many).try_for_each(fs::remove_file)
    }

    fn written(&self, path: &Path, raw: &Raw, error: &BadRecord) -> Vec<u8> {
        let head = format!("# {}:{}: octet {}: {}\n", path.display(), error.line, error.offset, error.problem);
        let mut written = head.into_bytes();
        for line in raw.octets.split_inclusive(|octet| *octet == b'\n') {
            let text = line.trim_ascii_start();
            let end = text.iter().position(|octet| !is_of_a_name(*octet)).unwrap_or(text.len());
            let is_secret = str::from_utf8(&text[..end]).is_ok_and(|name| is_secret(name, &self.dictionary));
            match is_secret {
                true => written.extend([b"\t", &text[..end], b" = [redacted]\n"].concat()),
                false => written.extend(line),
            }
        }
        if !written.ends_with(b"\n") {
            written.push(b'\n');
        }
        if !written.ends_with(b"\n\n") {
            written.push(b'\n');
        }
        written
    }
}

fn is_of_a_name(octet: u8) -> bool {
    !octet.is_ascii_whitespace() && octet != b'=' && octet != b'"'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::detail::{Position, Problem};

    fn raw(text: &str) -> Raw {
        Raw { at: Position::default(), octets: text.as_bytes().to_vec(), length: text.len() as u64 }
    }

    const ERROR: BadRecord = BadRecord { line: 3, offset: 40, record: 1, problem: Problem::NoEquals };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_record_is_kept_with_its_place_and_without_its_secrets() {
        let directory = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(directory.path().join("q/files"), Dictionary::shipped());
        let text =
            "now\n\tUser-Password = \"hunter2\"\n\tCHAP-Password: hunter2\n\tMy-Secret=hunter2\n\tUser-Name: bob\n";
        assert!(quarantine.keep(Path::new("/log/detail"), &raw(text), &ERROR, at("2026-11-22T10:15:30Z")).unwrap());
        quarantine.sync().unwrap();
        let kept = fs::read_to_string(quarantine.directory().join("2026-11-22.detail")).unwrap();
        assert_eq!(
            kept,
            "# /log/detail:3: octet 40: there is no \" = \" behind a name\nnow\n\tUser-Password = [redacted]\n\
             \tCHAP-Password: = [redacted]\n\tMy-Secret = [redacted]\n\tUser-Name: bob\n\n"
        );
    }

    #[test]
    fn a_day_has_its_limit_and_the_oldest_day_goes() {
        let directory = tempfile::tempdir().unwrap();
        let mut quarantine = Quarantine::new(directory.path().to_owned(), Dictionary::shipped());
        let mut keep = |text: &str, now: &str| quarantine.keep(Path::new("/x"), &raw(text), &ERROR, at(now)).unwrap();
        let long = "x".repeat(1024 * 1024);
        let kept = (0..20).filter(|_| keep(&long, "2026-11-01T00:00:00Z")).count();
        assert_eq!(kept, 7);
        for day in 2..=12 {
            assert!(keep("now\n\n", &format!("2026-11-{day:02}T12:00:00Z")));
        }
        let names = names(directory.path());
        assert_eq!((names.len(), names[0].as_str()), (MAX_DAYS, "2026-11-05.detail"));
    }
}
