//! When the history has to make room, and how much. Pure: `now` is an argument.

use std::time::{Duration, Instant};

/// How long the history rests after it has made room: a checkpoint, which makes the room seen, is at most five seconds
/// away and takes a moment. Asked again sooner, it would give the same bytes twice.
const ROOM_REST: Duration = Duration::from_secs(8);

/// The history makes room before the store is full: it is worth less than what comes in.
#[derive(Default)]
pub(super) struct Room {
    /// Bytes it still has to give back.
    owed: u64,
    /// When it last gave back all it owed.
    paid_at: Option<Instant>,
}

impl Room {
    /// Bytes to give back now, where so many of `max_size` are used: from three quarters down to a half.
    pub(super) fn wanted(&mut self, used: u64, max_size: u64, now: Instant) -> u64 {
        let rests = self.paid_at.is_some_and(|at| now.saturating_duration_since(at) < ROOM_REST);
        if used <= max_size / 4 * 3 {
            self.owed = 0;
        } else if self.owed == 0 && !rests {
            self.owed = used - max_size / 2;
        }
        self.owed
    }

    /// Notes what was given back.
    pub(super) fn gave_back(&mut self, bytes: u64, now: Instant) {
        if self.owed > 0 && bytes >= self.owed {
            self.paid_at = Some(now);
        }
        self.owed = self.owed.saturating_sub(bytes);
    }
}
