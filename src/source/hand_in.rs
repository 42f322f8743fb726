//! Handing what was taken in to intake, which may be busy, or its store full: waiting for room, and, where nobody sends
//! again, until it is stored.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, SendTimeoutError, Sender, bounded};

use crate::exchange::{Bookmark, Exchange, Stored, Submission};

/// How long to wait for intake before looking whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long to rest before what could not be stored is submitted again.
const STORE_REST: Duration = Duration::from_millis(500);
/// How long the store may take with the last batch once the source is to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Why a submission was not handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The source is to stop.
    Stopped,
    /// Intake has ended.
    NoIntake,
}

/// Hands a submission in, waiting for room until `is_over`.
pub(super) fn hand_in(
    intake: &Sender<Submission>,
    mut submission: Submission,
    mut is_over: impl FnMut() -> bool,
) -> Result<(), NotTaken> {
    loop {
        match intake.send_timeout(submission, LOOK) {
            Ok(()) => return Ok(()),
            Err(SendTimeoutError::Disconnected(_)) => return Err(NotTaken::NoIntake),
            Err(SendTimeoutError::Timeout(_)) if is_over() => return Err(NotTaken::Stopped),
            Err(SendTimeoutError::Timeout(back)) => submission = back,
        }
    }
}

/// What nobody sends again: it is submitted until it is stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// What was seen.
    pub exchanges: Vec<Exchange>,
    /// What was read by that.
    pub bookmarks: Vec<Bookmark>,
    /// It can be had again after a restart, so that a store that refuses is not waited for when the source stops.
    pub stands_elsewhere: bool,
}

impl Kept {
    /// Submits it until it is stored; false when it was not, and there is nothing more to do. `is_stopped` waits so long
    /// for the order to stop, and says whether it has come.
    pub fn until_stored(self, intake: &Sender<Submission>, is_stopped: impl Fn(Duration) -> bool) -> bool {
        let Self { exchanges, bookmarks, stands_elsewhere } = self;
        let exchanges = Arc::new(exchanges);
        let mut stopping = None;
        let mut is_over =
            || is_stopped(Duration::ZERO) && stopping.get_or_insert_with(Instant::now).elapsed() > STOP_PATIENCE;
        loop {
            let (done, stored) = bounded(1);
            let submission = Submission {
                exchanges: Arc::clone(&exchanges),
                posts: Vec::new(),
                bookmarks: bookmarks.clone(),
                done: Box::new(move |stored| {
                    // Whoever waited may have given up.
                    let _ = done.send(stored);
                }),
            };
            if hand_in(intake, submission, &mut is_over).is_err() {
                return false;
            }
            let stored = loop {
                match stored.recv_timeout(LOOK) {
                    Ok(stored) => break stored,
                    Err(RecvTimeoutError::Timeout) if !is_over() => {}
                    Err(_) => return false,
                }
            };
            if stored == Stored::Yes {
                return true;
            }
            let was_stopped = is_stopped(STORE_REST);
            if (was_stopped && stands_elsewhere) || is_over() {
                return false;
            }
        }
    }
}
