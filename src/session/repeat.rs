//! Is this packet a repeat? The same fact may arrive many times: retransmitted, by a second path, read from a file again.
//!
//! Facts are compared by their base fingerprint, which leaves out everything that changes on the way. Where the packet
//! carries Event-Timestamp, equal fingerprints are one fact, however far apart they arrive. Where it does not, the same
//! words may be said again about something new (a NAS that counts its session ids from 1 after each reboot), so two
//! arrivals are one fact only when they happened, Acct-Delay-Time taken off, within [`WINDOW`] of each other; else it is
//! the fact's next occurrence, with an id of its own.

use jiff::{SignedDuration, Timestamp};

use crate::event::Told;

/// NASes and proxies retransmit for up to a few minutes, and not all of them raise Acct-Delay-Time; no NAS reboots and
/// repeats a session id, user, device and all counters within five.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Whether a fact is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Told already, as this event.
    Repeat(u64),
    /// New: this occurrence of it.
    New(u32),
}

/// Decides whether a fact that happened at `happened_at` is the one told before. `dated`: the packet itself carries its
/// time, which is part of the fingerprint.
pub fn judge(told: Option<Told>, happened_at: Timestamp, dated: bool) -> Verdict {
    let Some(told) = told else { return Verdict::New(0) };
    let apart = (happened_at.as_millisecond() - told.happened_at).abs();
    if dated || i128::from(apart) <= WINDOW.as_millis() {
        Verdict::Repeat(told.event)
    } else {
        Verdict::New(told.occurrence.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_fact_is_one_fact_for_ever_an_undated_one_within_the_window() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let told = Some(Told { event: 7, happened_at: at(0).as_millisecond(), occurrence: 2 });
        assert_eq!(judge(None, at(0), false), Verdict::New(0));
        assert_eq!(judge(told, at(86_400), true), Verdict::Repeat(7));
        assert_eq!(judge(told, at(300), false), Verdict::Repeat(7));
        assert_eq!(judge(told, at(-300), false), Verdict::Repeat(7));
        assert_eq!(judge(told, at(301), false), Verdict::New(3));
    }
}
