//! Is this packet a repeat? The same fact may arrive many times: retransmitted, by a second path, read from a file again.
//!
//! Facts are compared by their base fingerprint, which leaves out everything that changes on the way. Where the packet
//! carries Event-Timestamp, equal fingerprints are one fact, however far apart they arrive. Where it does not, the same
//! words may be said again about something new (a NAS that counts its session ids from 1 after each reboot), so two
//! arrivals are one fact only when they happened, Acct-Delay-Time taken off, within [`WINDOW`] of each other; else it is
//! the fact's next occurrence, with an id of its own.
//!
//! FreeRADIUS puts an Event-Timestamp of its own (receipt less Acct-Delay-Time) into packets without one before it writes
//! them down or passes them on. So one packet may come dated by one path and undated by another, and a retransmission
//! dated a second later than its first: both are found by the fingerprint without the date.

use jiff::{SignedDuration, Timestamp};

use crate::event::Told;

/// NASes and proxies retransmit for up to a few minutes, and not all of them raise Acct-Delay-Time; no NAS reboots and
/// repeats a session id, user, device and all counters within five.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// How far a date that was added on the way may lie from the arrival at another path: the clocks of two hosts, and the half
/// minute for which a NAS sends again what may have reached only one of them (RFC 5080 §2.2.1).
pub const ADDED: SignedDuration = SignedDuration::from_secs(30);

/// How far apart two dates of one fact may be: Acct-Delay-Time and Event-Timestamp are whole seconds, each rounded.
pub const ROUNDING: SignedDuration = SignedDuration::from_secs(3);

/// Whether a fact is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Told already, as this event.
    Repeat(u64),
    /// New: this occurrence of it.
    New(u32),
}

/// What was told before under a fact's fingerprints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Under its own.
    pub same: Option<Told>,
    /// Of a dated fact: under the one without its date, by a packet without a date.
    pub undated: Option<Told>,
    /// Under the one without a date, by the last packet with one.
    pub dated: Option<Told>,
}

/// Decides whether a fact that happened at `happened_at` was told before. `is_dated`: the packet itself carries its time,
/// which is part of its own fingerprint.
pub fn judge(before: Before, happened_at: Timestamp, is_dated: bool) -> Verdict {
    let near = |told: Option<Told>, apart: SignedDuration| {
        told.filter(|told| {
            let ms = (happened_at.as_millisecond() - told.happened_at).abs();
            i128::from(ms) <= apart.as_millis()
        })
    };
    let repeated = match is_dated {
        true => before.same.or(near(before.undated, ADDED)).or(near(before.dated, ROUNDING)),
        false => near(before.same, WINDOW).or(near(before.dated, ADDED)),
    };
    match (repeated, before.same) {
        (Some(told), _) => Verdict::Repeat(told.event),
        (None, Some(told)) => Verdict::New(told.occurrence.saturating_add(1)),
        (None, None) => Verdict::New(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn told(event: u64, seconds: i64) -> Option<Told> {
        Some(Told { event, happened_at: at(seconds).as_millisecond(), occurrence: 2, undated: None })
    }

    #[test]
    fn a_dated_fact_is_one_fact_for_ever_an_undated_one_within_the_window() {
        let same = Before { same: told(7, 0), ..Before::default() };
        assert_eq!(judge(Before::default(), at(0), false), Verdict::New(0));
        assert_eq!(judge(same, at(86_400), true), Verdict::Repeat(7));
        assert_eq!(judge(same, at(300), false), Verdict::Repeat(7));
        assert_eq!(judge(same, at(-300), false), Verdict::Repeat(7));
        assert_eq!(judge(same, at(301), false), Verdict::New(3));
    }

    #[test]
    fn a_date_that_was_added_on_the_way_does_not_make_another_fact() {
        let by_relay = Before { undated: told(7, 0), ..Before::default() };
        assert_eq!(judge(by_relay, at(2), true), Verdict::Repeat(7));
        assert_eq!(judge(by_relay, at(31), true), Verdict::New(0));
        let by_spool = Before { dated: told(8, 0), ..Before::default() };
        assert_eq!(judge(by_spool, at(2), false), Verdict::Repeat(8));
        assert_eq!(judge(by_spool, at(-31), false), Verdict::New(0));
    }

    #[test]
    fn two_dates_are_one_when_they_differ_by_rounding_and_two_otherwise() {
        let once = Before { dated: told(8, 0), ..Before::default() };
        assert_eq!(judge(once, at(1), true), Verdict::Repeat(8));
        assert_eq!(judge(once, at(-3), true), Verdict::Repeat(8));
        assert_eq!(judge(once, at(4), true), Verdict::New(0));
    }
}
