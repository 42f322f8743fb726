//! A set of files as they are and as they are to be: shown as a diff, made, and taken back.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use similar::TextDiff;

use crate::secret::Secret;

/// Lines of context in a diff, as diff -u has them.
const CONTEXT: usize = 3;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where. A symbolic link is followed beforehand, so that it stays one.
    pub path: PathBuf,
    /// What it holds; None if it is not there.
    pub before: Option<Vec<u8>>,
    /// What it is to hold; None if it is to go.
    pub after: Option<Vec<u8>>,
}

impl Change {
    /// Of a file that may be there.
    pub fn of(path: PathBuf, after: Option<Vec<u8>>) -> anyhow::Result<Self> {
        let before = content(&path)?;
        Ok(Self { path, before, after })
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// As `diff -u` would show it, with `[secret]` in a secret's place.
    pub fn diff(&self, secret: Option<&Secret>) -> String {
        let text = |content: &Option<Vec<u8>>| {
            let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
            hidden(&text, secret)
        };
        let path = self.path.display().to_string();
        let name = |content: &Option<Vec<u8>>| if content.is_some() { path.clone() } else { "/dev/null".to_owned() };
        let (before, after) = (text(&self.before), text(&self.after));
        let diff = TextDiff::from_lines(&before, &after);
        diff.unified_diff().context_radius(CONTEXT).header(&name(&self.before), &name(&self.after)).to_string()
    }

    fn reverse(&self) -> Self {
        Self { path: self.path.clone(), before: self.after.clone(), after: self.before.clone() }
    }

    /// Makes it: a whole new file takes the old one's place, with its mode and owner, or with those of `like`.
    fn make(&self, like: &Metadata) -> io::Result<()> {
        match &self.after {
            None => fs::remove_file(&self.path)?,
            Some(content) => {
                let own = fs::metadata(&self.path).ok();
                replace(&self.path, content, own.as_ref().unwrap_or(like))?;
            }
        }
        self.path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// A text with `[secret]` wherever the secret stands.
pub fn hidden(text: &str, secret: Option<&Secret>) -> String {
    match secret.map(|secret| String::from_utf8_lossy(secret.expose()).into_owned()).filter(|secret| !secret.is_empty())
    {
        Some(secret) => text.replace(&secret, "[secret]"),
        None => text.to_owned(),
    }
}

/// What a file holds; None if it is not there.
pub fn content(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

/// Makes all of them, or none: where one fails, those before it are taken back. New files get mode and owner of `like`.
pub fn make(changes: &[Change], like: &Path) -> anyhow::Result<()> {
    let like = fs::metadata(like).with_context(|| format!("{} cannot be looked at", like.display()))?;
    for (number, change) in changes.iter().enumerate() {
        if let Err(error) = change.make(&like) {
            let back: Vec<Change> = changes[..number].iter().rev().map(Change::reverse).collect();
            for made in back {
                let what = || format!("{} cannot be taken back after a failure", made.path.display());
                made.make(&like).with_context(what)?;
            }
            return Err(error)
                .with_context(|| format!("{} cannot be written; nothing was changed", change.path.display()));
        }
    }
    Ok(())
}

/// Takes all of them back.
pub fn take_back(changes: &[Change], like: &Path) -> anyhow::Result<()> {
    let back: Vec<Change> = changes.iter().rev().map(Change::reverse).collect();
    make(&back, like)
}

/// Writes a file for the first time, with mode and owner of `like`, but never readable for everybody.
pub fn write_secret(path: &Path, secret: &Secret, like: &Path) -> anyhow::Result<()> {
    let like = fs::metadata(like).with_context(|| format!("{} cannot be looked at", like.display()))?;
    let content = [secret.expose(), b"\n"].concat();
    create(path, &content, &like, PRIVATE).with_context(|| format!("{} cannot be written", path.display()))
}

/// What a mode keeps of a secret's file: the owner reads and writes, the group reads.
const PRIVATE: u32 = 0o640;
/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;

fn replace(path: &Path, content: &[u8], like: &Metadata) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".radhook-new");
    // FreeRADIUS passes over names that begin with a dot when it reads a directory.
    let new = path.with_file_name(name);
    create(&new, content, like, PERMISSIONS)
        .and_then(|()| fs::rename(&new, path))
        .inspect_err(|_| drop(fs::remove_file(&new)))
}

fn create(path: &Path, content: &[u8], like: &Metadata, mask: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(like.mode() & mask))?;
    file.write_all(content)?;
    file.sync_all()
}
