//! A file that is replaced as a whole: whoever reads it, and whenever the one who writes is killed, it holds the old
//! content or the new one, with the mode and the owner it had.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Mode of the new file until it has that of the old one.
const NOBODY_ELSE: u32 = 0o600;

/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;

/// A file that is about to be replaced. Nobody else who replaces it by this can open it meanwhile.
#[derive(Debug)]
pub struct Whole {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
    content: Vec<u8>,
}

/// How far a replacement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file beside is there, and empty.
    Made,
    /// It has mode and owner of the old one.
    Owned,
    /// A part of the content is written.
    Written,
    /// All of it is on the disk.
    Synced,
    /// It has taken the old one's place.
    Renamed,
}

impl Whole {
    /// Reads the file and keeps others from replacing it. `path` leads to the file itself, not over a symbolic link.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut file = File::open(path).with_context(|| format!("open {shown}"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("{shown} is being changed by somebody else right now"),
            Err(TryLockError::Error(error)) => bail!("{shown} cannot be locked: {error}"),
        }
        // Whoever waited between opening and locking may hold what another has replaced.
        if fs::metadata(path).with_context(|| format!("look at {shown}"))?.ino() != file.metadata()?.ino() {
            bail!("{shown} was replaced meanwhile; look at it, and do this again if that is still wanted");
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).with_context(|| format!("read {shown}"))?;
        Ok(Self { path: path.to_owned(), file, content })
    }

    /// What it holds.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Puts `content` in its place. `at` is told of every step.
    pub fn replace(&self, content: &[u8], at: impl FnMut(Step)) -> anyhow::Result<()> {
        let beside = beside(&self.path);
        self.put(&beside, content, at).map_err(|error| {
            // What was made beside it may hold a secret that nobody will know.
            let _ = fs::remove_file(&beside);
            let help = match error.kind() {
                io::ErrorKind::PermissionDenied => "; run this as root, or as who owns the file and its directory",
                _ => "",
            };
            anyhow::anyhow!("{} cannot be replaced: {error}{help}; nothing was changed", self.path.display())
        })?;
        // From here on the new content counts, whatever happens.
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.with_context(|| format!("{} is replaced; that is not on the disk yet", self.path.display()))
    }

    fn put(&self, beside: &Path, content: &[u8], mut at: impl FnMut(Step)) -> io::Result<()> {
        match fs::remove_file(beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // Nothing there, or what was left by one that was killed.
            _ => {}
        }
        let mut new = OpenOptions::new().write(true).create_new(true).mode(NOBODY_ELSE).open(beside)?;
        at(Step::Made);
        let (old, made) = (self.file.metadata()?, new.metadata()?);
        if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
            fchown(&new, Some(old.uid()), Some(old.gid()))?;
        }
        new.set_permissions(Permissions::from_mode(old.mode() & PERMISSIONS))?;
        at(Step::Owned);
        let (first, rest) = content.split_at(content.len() / 2);
        new.write_all(first)?;
        at(Step::Written);
        new.write_all(rest)?;
        new.sync_all()?;
        at(Step::Synced);
        fs::rename(beside, &self.path)?;
        at(Step::Renamed);
        Ok(())
    }
}

/// Where the new content is written: a hidden name beside the file, on the same file system.
fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".radhook-new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const OLD: &[u8] = b"old\n";
    const NEW: &[u8] = b"new\nold until 2026-11-26T10:00:00Z\n";

    fn made() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crm.key");
        fs::write(&path, OLD).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        (directory, path)
    }

    fn names(directory: &Path) -> Vec<String> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A panic stands for the kill: nothing that cleans up runs after it.
    #[test]
    fn a_rotation_that_is_killed_at_any_step_leaves_the_old_content_or_the_new_one_and_the_next_one_goes_through() {
        for dies_at in [Step::Made, Step::Owned, Step::Written, Step::Synced, Step::Renamed] {
            let (directory, path) = made();
            let killed = catch_unwind(AssertUnwindSafe(|| {
                let die = |step| {
                    if step == dies_at {
                        std::panic::resume_unwind(Box::new(()))
                    }
                };
                Whole::open(&path).unwrap().replace(NEW, die)
            }));
            assert!(killed.is_err(), "{dies_at:?}");
            let expected = if dies_at == Step::Renamed { NEW } else { OLD };
            assert_eq!(fs::read(&path).unwrap(), expected, "{dies_at:?}");
            assert_eq!(fs::metadata(&path).unwrap().mode() & PERMISSIONS, 0o640);
            let held = Whole::open(&path).unwrap();
            assert_eq!(held.content(), expected);
            held.replace(b"newer\n", |_| ()).unwrap();
            assert_eq!(
                (fs::read(&path).unwrap(), names(directory.path())),
                (b"newer\n".to_vec(), vec!["crm.key".into()])
            );
        }
    }

    #[test]
    fn mode_and_owner_stay_and_the_content_is_never_there_for_others() {
        let (_directory, path) = made();
        let before = fs::metadata(&path).unwrap();
        let mut modes = Vec::new();
        let look = |step| modes.push((step, fs::metadata(beside(&path)).map(|new| new.mode() & PERMISSIONS).ok()));
        Whole::open(&path).unwrap().replace(NEW, look).unwrap();
        assert_eq!(modes[0], (Step::Made, Some(NOBODY_ELSE)));
        assert_eq!(modes[1..4], [Step::Owned, Step::Written, Step::Synced].map(|step| (step, Some(0o640))));
        assert_eq!(modes[4], (Step::Renamed, None));
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino());
    }

    #[test]
    fn two_at_once_are_told_apart_and_what_was_replaced_meanwhile_is_not_replaced_again() {
        let (_directory, path) = made();
        let one = Whole::open(&path).unwrap();
        let refused = Whole::open(&path).unwrap_err().to_string();
        assert!(refused.contains("by somebody else right now"), "{refused}");
        one.replace(NEW, |_| ()).unwrap();
        drop(one);
        assert_eq!(Whole::open(&path).unwrap().content(), NEW);
    }

    #[test]
    fn where_nothing_can_be_written_the_old_content_stays_and_nothing_is_left_beside() {
        let (directory, path) = made();
        let held = Whole::open(&path).unwrap();
        fs::create_dir(beside(&path)).unwrap();
        let refused = held.replace(NEW, |_| ()).unwrap_err().to_string();
        assert!(refused.contains("crm.key cannot be replaced") && refused.contains("nothing was changed"), "{refused}");
        assert_eq!((fs::read(&path).unwrap(), names(directory.path()).len()), (OLD.to_vec(), 2));
    }
}
