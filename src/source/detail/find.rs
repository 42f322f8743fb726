//! Which files there are: everything that the globs match and that can be followed.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::place::Id;

/// The most files of one source; their bookmarks and those of past content fit what is read at the start. Each costs a
/// look a second and some hundred octets.
pub(super) const MAX_FILES: usize = 50_000;

/// What changes with a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    /// When it was written last, in nanoseconds since 1970.
    pub modified: i128,
    /// Its octets.
    pub size: u64,
}

/// A file that can be followed.
#[derive(Debug)]
pub(super) struct Found {
    pub id: Id,
    pub path: PathBuf,
    pub stamp: Stamp,
    /// One beside it that the same glob matches was written later: nobody writes here any more.
    pub is_rotated: bool,
}

/// Why something that a glob matches is left out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Oddity {
    /// The system refuses: permissions, links that go round in a circle.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// Nothing that has an end to be read to.
    #[error("it is {0}, and only files are read")]
    NotAFile(&'static str),
    /// Beyond [`MAX_FILES`].
    #[error("there are more than {MAX_FILES} files; split the globs over several sources, or tidy up")]
    TooMany,
}

impl Oddity {
    /// As the metric names it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NotAFile(_) => "not_a_file",
            Self::TooMany => "too_many",
        }
    }
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Each file once, the oldest first.
    pub files: Vec<Found>,
    /// What is left out, and why.
    pub odd: Vec<(PathBuf, Oddity)>,
    /// The globs that match nothing.
    pub idle: Vec<String>,
}

/// Looks what the globs match now.
pub(super) fn look(globs: &[String]) -> Looked {
    let mut looked = Looked::default();
    let mut files: HashMap<Id, Found> = HashMap::new();
    // When the latest file of a glob in a directory was written.
    let mut latest: HashMap<(usize, PathBuf), i128> = HashMap::new();
    let mut groups: HashMap<Id, (usize, PathBuf)> = HashMap::new();
    for (number, pattern) in globs.iter().enumerate() {
        let mut is_idle = true;
        // The config was checked: a pattern that is none matches nothing.
        for path in glob::glob(pattern).into_iter().flatten() {
            is_idle = false;
            let path = match path {
                Ok(path) => path,
                Err(error) => {
                    let (path, error) = (error.path().to_owned(), io::Error::from(error));
                    looked.odd.push((path, Oddity::Unreadable(error)));
                    continue;
                }
            };
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // Gone since it was listed, or a link to nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    looked.odd.push((path, Oddity::Unreadable(error)));
                    continue;
                }
            };
            if let Some(what) = no_file(&metadata) {
                looked.odd.push((path, Oddity::NotAFile(what)));
                continue;
            }
            let (id, stamp) = (id_of(&metadata), stamp_of(&metadata));
            let group = (number, path.parent().unwrap_or(Path::new("")).to_owned());
            let last = latest.entry(group.clone()).or_insert(stamp.modified);
            *last = stamp.modified.max(*last);
            groups.entry(id).or_insert(group);
            files.entry(id).or_insert(Found { id, path, stamp, is_rotated: false });
        }
        if is_idle {
            looked.idle.push(pattern.clone());
        }
    }
    looked.files = files.into_values().collect();
    for file in &mut looked.files {
        file.is_rotated = latest[&groups[&file.id]] > file.stamp.modified;
    }
    looked.files.sort_by(|a, b| (a.stamp.modified, &a.path).cmp(&(b.stamp.modified, &b.path)));
    let too_many = looked.files.len().saturating_sub(MAX_FILES);
    looked.odd.extend(looked.files.drain(..too_many).map(|file| (file.path, Oddity::TooMany)));
    looked
}

/// The file's identity.
pub(super) fn id_of(metadata: &Metadata) -> Id {
    Id { device: metadata.dev(), inode: metadata.ino() }
}

/// The file's size and time.
pub(super) fn stamp_of(metadata: &Metadata) -> Stamp {
    let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Stamp { modified, size: metadata.len() }
}

fn no_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    fn write(path: &Path, age: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }

    #[test]
    fn each_file_is_found_once_and_the_oldest_first() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        write(&at("10.0.0.1/detail-2"), 10);
        write(&at("10.0.0.1/detail-1"), 20);
        write(&at("10.0.0.2/detail-1"), 30);
        write(&at("10.0.0.2/other"), 5);
        symlink(at("10.0.0.2/detail-1"), at("10.0.0.1/detail-link")).unwrap();
        symlink(at("nowhere"), at("10.0.0.1/detail-none")).unwrap();
        let globs = [at("*/detail-*"), at("10.0.0.2/*")].map(|path| path.to_str().unwrap().to_owned());
        let looked = look(&globs);
        let found: Vec<_> = looked
            .files
            .iter()
            .map(|file| (file.stamp.modified, file.path.file_name().unwrap().to_str().unwrap(), file.is_rotated))
            .map(|(_, name, is_rotated)| (name, is_rotated))
            .collect();
        // The link and what it leads to are one file; the first name of it counts.
        assert_eq!(found, [("detail-link", true), ("detail-1", true), ("detail-2", false), ("other", false)]);
        assert!(looked.odd.is_empty() && looked.idle.is_empty(), "{looked:?}");
        let idle = at("10.0.0.3/*").to_str().unwrap().to_owned();
        assert_eq!(look(std::slice::from_ref(&idle)).idle, [idle]);
    }

    #[test]
    fn what_is_no_file_is_left_out_with_a_reason() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("detail-dir")).unwrap();
        nix::unistd::mkfifo(&at("detail-fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        symlink(at("detail-loop"), at("detail-loop")).unwrap();
        let looked = look(&[at("detail-*").to_str().unwrap().to_owned()]);
        let mut odd: Vec<_> = looked.odd.iter().map(|(_, oddity)| oddity.to_string()).collect();
        odd.sort();
        assert!(odd[0].starts_with("it cannot be read: Too many levels of symbolic links"), "{odd:?}");
        assert_eq!(odd[1..], ["it is a FIFO, and only files are read", "it is a directory, and only files are read"]);
        assert!(looked.files.is_empty());
    }
}
