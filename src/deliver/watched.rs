//! Something that is made of files, and made anew when they change: certificates, signing secrets. The files' size, time of
//! change and place on the disk are looked at now and then, when the thing is used. What is made of more than files can be made
//! anew after a time besides.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::stamp::Stamp;

/// How often the files are looked at: soon enough for an operator who waits for a rotation, and next to nothing beside a
/// request.
pub(super) const LOOKED_AT: Duration = Duration::from_secs(2);

/// A value that is made of files.
#[derive(Debug)]
pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    /// After how long it is made anew though no file has changed.
    lives: Option<Duration>,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    made_at: Instant,
    stamp: Vec<Stamp>,
    looked_at: Instant,
}

impl<T: Clone> Watched<T> {
    /// Makes the value for the first time.
    pub fn new<E>(files: Vec<PathBuf>, now: Instant, make: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        // Before it is read: what changes in between is seen at the next look.
        let stamp = stamp(&files);
        let state = State { value: make()?, made_at: now, stamp, looked_at: now };
        Ok(Self { files, lives: None, state: Mutex::new(state) })
    }

    /// Makes it anew after so long in any case.
    pub fn living(self, lives: Duration) -> Self {
        Self { lives: Some(lives), ..self }
    }

    /// The value to use now. Files that have changed are read again, now and then; while they cannot be used, it stays what
    /// it was, which is said once. `endpoint` and `what` are for the log.
    pub fn current<E: Display>(
        &self,
        now: Instant,
        (endpoint, what): (&str, &str),
        make: impl FnOnce() -> Result<T, E>,
    ) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        if !self.files.is_empty() && now.saturating_duration_since(state.looked_at) >= LOOKED_AT {
            state.looked_at = now;
            let stamp = stamp(&self.files);
            changed = stamp != state.stamp;
            state.stamp = stamp;
        }
        let is_over = |lives| now.saturating_duration_since(state.made_at) >= lives;
        if changed || self.lives.is_some_and(is_over) {
            state.made_at = now;
            match make() {
                Ok(value) => {
                    if changed {
                        info!(endpoint, "{what} have changed and are used from now on");
                    }
                    state.value = value;
                }
                Err(error) if changed => {
                    warn!(endpoint, %error, "{what} have changed and cannot be used; the old ones stay");
                }
                Err(error) => warn!(endpoint, %error, "{what} cannot be read again; the old ones stay"),
            }
        }
        state.value.clone()
    }
}

fn stamp(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_one_that_cannot_be_used_leaves_the_old_value_and_is_tried_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let mut tries = 0;
        let mut read = || {
            tries += 1;
            fs::read_to_string(&file)
        };
        fs::write(&file, "one").unwrap();
        let began = Instant::now();
        let watched = Watched::new(vec![file.clone()], began, &mut read).unwrap();
        let mut at = |looks: u32| watched.current(began + LOOKED_AT * looks, ("crm", "secrets"), &mut read);
        assert_eq!((at(0), at(1)), ("one".into(), "one".into()));
        fs::write(&file, "three").unwrap();
        assert_eq!((at(1), at(2)), ("one".into(), "three".into()), "it is looked at now and then");
        fs::remove_file(&file).unwrap();
        assert_eq!((at(3), at(4)), ("three".into(), "three".into()));
        fs::write(&file, "fours").unwrap();
        assert_eq!(at(5), "fours");
        assert_eq!(tries, 4);
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_noticed_also_with_the_same_size_and_time() {
        let directory = tempfile::tempdir().unwrap();
        let (file, beside) = (directory.path().join("secret"), directory.path().join("new"));
        fs::write(&file, "one").unwrap();
        fs::write(&beside, "two").unwrap();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::options().write(true).open(&beside).unwrap().set_modified(time).unwrap();
        let read = || fs::read_to_string(&file);
        let began = Instant::now();
        let watched = Watched::new(vec![file.clone()], began, read).unwrap();
        fs::rename(&beside, &file).unwrap();
        assert_eq!(watched.current(began + LOOKED_AT, ("crm", "secrets"), read), "two");
    }
}
