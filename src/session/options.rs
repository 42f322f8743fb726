//! What `[sessions]` and `[limits]` set.

use std::time::Duration;

/// How sessions are told.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOptions {
    /// When a session that sends interims, and stops doing so, is taken to be lost.
    pub interim_grace: Grace,
    /// When one that never sent any is.
    pub silent_after: Duration,
    /// How soon after its end a device's next session goes on from it.
    pub resume_window: Duration,
    /// How long a session is remembered after its end, for packets that arrive late.
    pub keep_ended: Duration,
    /// How long users and devices are remembered after their last session.
    pub remember: Duration,
    /// Whether events carry what FreeRADIUS calls Acct-Unique-Session-Id.
    pub acct_unique_id: bool,
    /// So many users may be online before `system.userlimit_exceeded` is told.
    pub max_users: Option<u64>,
}

/// How long interims may stay away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grace {
    /// So many times the interval that was observed.
    Intervals(f64),
    /// So long, whatever the interval.
    Fixed(Duration),
}

/// One interim may be lost and the next be late.
pub const DEFAULT_INTERVALS: f64 = 3.0;

/// Interims come at least daily where they come at all; a week bounds what stops that were never sent can leave behind.
pub const DEFAULT_SILENT_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// A walk between two buildings, or a phone that slept in a pocket.
pub const DEFAULT_RESUME_WINDOW: Duration = Duration::from_secs(5 * 60);

/// An hour covers a NAS that empties its accounting queue after an outage of its uplink in the usual way.
pub const DEFAULT_KEEP_ENDED: Duration = Duration::from_secs(3_600);

/// A guest who comes back for the same week next year is known.
pub const DEFAULT_REMEMBER: Duration = Duration::from_secs(400 * 86_400);

/// Interims cannot be missed sooner than this, however short the interval: one slow NAS tick is no loss.
pub const LEAST_GRACE: Duration = Duration::from_secs(60);

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            interim_grace: Grace::Intervals(DEFAULT_INTERVALS),
            silent_after: DEFAULT_SILENT_AFTER,
            resume_window: DEFAULT_RESUME_WINDOW,
            keep_ended: DEFAULT_KEEP_ENDED,
            remember: DEFAULT_REMEMBER,
            acct_unique_id: false,
            max_users: None,
        }
    }
}

impl SessionOptions {
    /// How long an open session whose interims come this far apart may be silent; all in milliseconds.
    pub(super) fn grace(&self, interval: u64) -> i64 {
        let silent = whole(self.silent_after);
        match (interval, self.interim_grace) {
            (0, _) => silent,
            (_, Grace::Fixed(fixed)) => whole(fixed),
            // A float as large as any interval there is becomes an integer without harm: the cast saturates.
            (interval, Grace::Intervals(times)) => ((interval as f64 * times) as i64).max(whole(LEAST_GRACE)),
        }
    }
}

/// Whole milliseconds.
pub fn whole(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
