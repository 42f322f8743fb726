//! The secrets of a signature, and the file that holds them: one a line, the newest first. A line may end in
//! ` until 2026-11-26T10:00:00Z`: that secret signs until then and not after, which is how an old one leaves while receivers
//! learn the new one. The first line has no end, so that there is always one that signs.
//!
//! Bytes that are no text are one secret as they are. No message repeats a secret.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use thiserror::Error;

use crate::secret::Secret;

/// The most secrets of a signature, those that have ended included. A rotation needs two; each costs a signature and a
/// place in the header of every attempt.
pub const MAX_KEYS: usize = 8;

/// The largest file of secrets, in bytes: room for eight of any sensible length. A larger one is not the one that was meant.
const MAX_FILE: u64 = 16 * 1024;

/// Stands between a secret and its end.
const UNTIL: &str = "until ";

/// A secret, and until when it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The secret.
    pub secret: Secret,
    /// It signs up to this time; `None` is for ever.
    pub until: Option<Timestamp>,
}

/// Where a signature has secrets from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// As it was set.
    Fixed(Secret),
    /// A file that is read again when it changes.
    File {
        /// The file.
        path: PathBuf,
        /// What it held.
        keys: Vec<Key>,
    },
}

/// What is wrong with a line of a file of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineError {
    /// No line holds anything.
    #[error("1: there is no secret")]
    Nothing,
    /// Nothing would sign in the end.
    #[error("{line}: the first secret is the newest and has no `until`, or nothing would sign after it")]
    FirstEnds {
        /// From 1.
        line: usize,
    },
    /// The end cannot be read.
    #[error("{line}: what follows `until` is not a time such as 2026-11-26T10:00:00Z")]
    Time {
        /// From 1.
        line: usize,
    },
    /// An end without a secret.
    #[error("{line}: there is no secret before `until`")]
    Bare {
        /// From 1.
        line: usize,
    },
}

/// Why a file of secrets cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The operating system's word.
    #[error("{path}: {what}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        what: io::Error,
    },
    /// What stands in it.
    #[error("{path}:{what}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        what: LineError,
    },
}

impl Key {
    /// Whether it signs at this time.
    pub fn signs(&self, now: Timestamp) -> bool {
        signs(self.until, now)
    }
}

impl fmt::Display for Key {
    /// That there is one, and its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "{} {UNTIL}{until}", self.secret),
            None => write!(f, "{}", self.secret),
        }
    }
}

/// Whether what ends at `until` signs at `now`: up to that very time.
pub(super) fn signs(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_none_or(|until| now <= until)
}

impl From<Secret> for Key {
    fn from(secret: Secret) -> Self {
        Self { secret, until: None }
    }
}

impl From<Secret> for KeySource {
    fn from(secret: Secret) -> Self {
        Self::Fixed(secret)
    }
}

impl KeySource {
    /// Its secrets, newest first.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::Fixed(secret) => vec![secret.clone().into()],
            Self::File { keys, .. } => keys.clone(),
        }
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Fixed(_) => None,
            Self::File { path, .. } => Some(path),
        }
    }

    /// The same, as it stands now.
    pub fn read_again(&self) -> Result<Self, KeyFileError> {
        match self {
            Self::Fixed(_) => Ok(self.clone()),
            Self::File { path, .. } => Ok(Self::File { path: path.clone(), keys: read(path)? }),
        }
    }
}

/// The secrets in a file.
pub fn read(path: &Path) -> Result<Vec<Key>, KeyFileError> {
    let bytes = bounded(path).map_err(|what| KeyFileError::Unreadable { path: path.to_owned(), what })?;
    parse(&bytes).map_err(|what| KeyFileError::Line { path: path.to_owned(), what })
}

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a named pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        let what = format!("it is larger than {MAX_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The secrets in the content of a file.
pub fn parse(content: &[u8]) -> Result<Vec<Key>, LineError> {
    Ok(numbered(content)?.into_iter().map(|(_, key)| key).collect())
}

/// The secrets in the content of a file, each with the number of its line.
pub fn numbered(content: &[u8]) -> Result<Vec<(usize, Key)>, LineError> {
    let Ok(text) = std::str::from_utf8(content) else {
        let whole = content.strip_suffix(b"\n").unwrap_or(content);
        let whole = whole.strip_suffix(b"\r").unwrap_or(whole);
        return Ok(vec![(1, Secret::new(whole).into())]);
    };
    let mut keys = Vec::new();
    for (line, number) in text.split('\n').zip(1..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() {
            continue;
        }
        let key = key(line, number)?;
        if keys.is_empty() && key.until.is_some() {
            return Err(LineError::FirstEnds { line: number });
        }
        keys.push((number, key));
    }
    if keys.is_empty() { Err(LineError::Nothing) } else { Ok(keys) }
}

/// A line. What begins like a time after `until` must be one; `wait until spring` is a secret.
fn key(line: &str, number: usize) -> Result<Key, LineError> {
    let parts = line.rsplit_once(UNTIL).filter(|(secret, end)| {
        (secret.is_empty() || secret.ends_with([' ', '\t']))
            && end.trim_start().starts_with(|c: char| c.is_ascii_digit())
    });
    let Some((secret, end)) = parts else { return Ok(Secret::new(line).into()) };
    let secret = secret.trim_end();
    if secret.is_empty() {
        return Err(LineError::Bare { line: number });
    }
    let until = end.trim().parse().map_err(|_| LineError::Time { line: number })?;
    Ok(Key { secret: Secret::new(secret), until: Some(until) })
}

/// The secrets after a rotation: the new one first, then those that still sign, up to `until` and no longer; what has ended,
/// or would end now, is gone.
pub fn rotated(keys: &[Key], new: Secret, now: Timestamp, until: Timestamp) -> Vec<Key> {
    let former = keys.iter().map(|key| {
        let until = key.until.map_or(until, |nearer| nearer.min(until));
        Key { secret: key.secret.clone(), until: Some(until) }
    });
    std::iter::once(new.into()).chain(former.filter(|key: &Key| key.until.is_some_and(|until| until > now))).collect()
}

/// The content of a file that holds these secrets; `None` where one of them cannot stand in a line of its own.
pub fn content(keys: &[Key]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    for key in keys {
        content.extend_from_slice(key.secret.expose());
        if let Some(until) = key.until {
            content.extend_from_slice(format!(" {UNTIL}{until}").as_bytes());
        }
        content.push(b'\n');
    }
    (parse(&content).as_deref() == Ok(keys)).then_some(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn ends(secret: &str, until: i64) -> Key {
        Key { secret: Secret::new(secret), until: Some(at(until)) }
    }

    fn stays(secret: &str) -> Key {
        Secret::new(secret).into()
    }

    #[test]
    fn a_file_of_one_line_is_the_secret_it_always_was() {
        for (content, secret) in [
            ("whsec_abc", "whsec_abc"),
            ("with a newline\n", "with a newline"),
            ("  spaces stay  \r\n", "  spaces stay  "),
            ("\n\nbehind empty lines\n\n", "behind empty lines"),
            ("wait until spring", "wait until spring"),
            ("whuntil 2026", "whuntil 2026"),
        ] {
            assert_eq!(parse(content.as_bytes()), Ok(vec![stays(secret)]), "{content:?}");
        }
        let no_text = b"\xff\n until 2026-11-26T10:00:00Z\x00";
        assert_eq!(parse(no_text), Ok(vec![Secret::new(&no_text[..]).into()]));
    }

    #[test]
    fn each_line_is_a_secret_with_its_end() {
        let content =
            "new\r\n\nold until 2026-11-26T10:00:00Z\n  older \t until   2026-11-26T11:00:00+01:00  \nfor ever";
        let end = 1_795_687_200;
        let expected = vec![stays("new"), ends("old", end), ends("  older", end), stays("for ever")];
        assert_eq!(parse(content.as_bytes()), Ok(expected));
        assert_eq!(
            numbered(content.as_bytes()).unwrap().iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 3, 4, 5]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_line_and_without_the_secret() {
        for (content, refusal) in [
            ("", LineError::Nothing),
            (" \n\t\n", LineError::Nothing),
            ("hunter2 until 2026-11-26T10:00:00Z", LineError::FirstEnds { line: 1 }),
            ("\nhunter2 until 2026-11-26T10:00:00Z\nhunter2", LineError::FirstEnds { line: 2 }),
            ("new\nhunter2 until 2026-11-26", LineError::Time { line: 2 }),
            ("new\nhunter2 until 2026-13-26T10:00:00Z", LineError::Time { line: 2 }),
            ("new\n until 2026-11-26T10:00:00Z", LineError::Bare { line: 2 }),
            ("new\nuntil 2026-11-26T10:00:00Z", LineError::Bare { line: 2 }),
        ] {
            let told = parse(content.as_bytes()).unwrap_err();
            assert_eq!(told, refusal, "{content:?}");
            assert!(!told.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_secret_signs_up_to_its_end_and_not_after() {
        let key = ends("old", 10);
        let nanosecond = jiff::SignedDuration::from_nanos(1);
        assert!(key.signs(at(10)) && key.signs(at(10) - nanosecond));
        assert!(!key.signs(at(10) + nanosecond));
        assert!(stays("new").signs(Timestamp::MAX));
    }

    #[test]
    fn a_rotation_puts_the_new_one_first_keeps_nearer_ends_and_drops_what_has_ended() {
        let before = [stays("b"), ends("a", 50), stays("z"), ends("y", 10), ends("x", 5)];
        let after = rotated(&before, Secret::new("c"), at(10), at(100));
        assert_eq!(after, [stays("c"), ends("b", 100), ends("a", 50), ends("z", 100)]);
        assert_eq!(rotated(&before, Secret::new("c"), at(10), at(10)), [stays("c")]);
    }

    #[test]
    fn what_a_line_cannot_hold_is_not_written() {
        for unfit in [&b"\xff\xfe"[..], b"two\nlines", b"trailing ", b" ", b"x\r"] {
            let unfit = Key { secret: Secret::new(unfit), until: Some(at(10)) };
            assert_eq!(content(&[stays("new"), unfit]), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            first in "[!-~][ -~]{0,60}[!-~]",
            others in proptest::collection::vec(("[!-~]{1,40}", proptest::option::of(0_i64..4_000_000_000)), 0..7),
        ) {
            let others = others.into_iter().map(|(secret, until)| Key { secret: Secret::new(secret), until: until.map(at) });
            let keys: Vec<Key> = std::iter::once(stays(&first)).chain(others).collect();
            if let Some(content) = content(&keys) {
                prop_assert_eq!(parse(&content).unwrap(), keys);
            } else {
                prop_assert!(first.contains("until") || keys.iter().any(|key| key.secret.expose().starts_with(b"until")));
            }
        }

        #[test]
        fn no_content_panics_and_the_first_secret_never_ends(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(keys) = parse(&content) {
                prop_assert!(keys[0].until.is_none());
                prop_assert!(keys.iter().all(|key| !key.secret.expose().is_empty() || content.len() < 3));
            }
        }

        #[test]
        fn a_rotation_leaves_one_secret_without_an_end_and_none_that_has_ended(
            ends_at in proptest::collection::vec(proptest::option::of(0_i64..100), 1..8), now in 0_i64..100, overlap in 0_i64..50,
        ) {
            let before: Vec<Key> = ends_at.iter().enumerate()
                .map(|(number, until)| Key { secret: Secret::new(format!("k{number}")), until: until.map(at) }).collect();
            let after = rotated(&before, Secret::new("new"), at(now), at(now + overlap));
            prop_assert!(after[0] == stays("new"));
            for key in &after[1..] {
                let until = key.until.unwrap();
                prop_assert!(until > at(now) && until <= at(now + overlap));
            }
        }
    }
}
