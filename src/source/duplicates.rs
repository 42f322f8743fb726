//! Requests that come again: RFC 5080 §2.2.2.
//!
//! A request that repeats an earlier one (same address, port and identifier, and the same authenticator, thus the
//! same octets) is not handled again. While the first is being stored it is dropped, since its answer is on the way;
//! afterwards the same answer goes out again. A new authenticator under the same identifier is a new request and
//! takes the old one's place. Entries leave after [`KEEP`], or when there are more than [`MAX_ENTRIES`]: what is
//! handled twice then becomes the same event under the same id, so that forgetting costs time and nothing else.
//! Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::radius::authenticator::Authenticator;

/// How long an answer can be had again. RFC 5080 leaves it to the server; NASes give up after some 5 to 30 s.
const KEEP: Duration = Duration::from_secs(30);
/// How many requests are remembered. At about 200 octets each that is 13 MB.
const MAX_ENTRIES: usize = 65_536;

/// Who asked under which identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub peer: SocketAddr,
    pub identifier: u8,
}

/// What is known about a request that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing: it is to be handled, and is in flight from now on.
    New,
    /// It is being handled.
    InFlight,
    /// It was answered so.
    Answered(Arc<[u8]>),
}

#[derive(Debug)]
struct Entry {
    authenticator: Authenticator,
    since: Instant,
    answer: Option<Arc<[u8]>>,
}

/// The requests of one socket.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    entries: HashMap<Key, Entry>,
    /// In the order of arrival. Holds more than the map where an identifier was used again.
    by_age: VecDeque<(Key, Instant)>,
}

impl Duplicates {
    /// Notes that a request has arrived and tells what is known about it.
    pub fn arrived(&mut self, key: Key, authenticator: &Authenticator, now: Instant) -> Seen {
        self.expire(now);
        if let Some(entry) = self.entries.get(&key).filter(|entry| entry.authenticator == *authenticator) {
            return match &entry.answer {
                Some(answer) => Seen::Answered(answer.clone()),
                None => Seen::InFlight,
            };
        }
        self.entries.insert(key, Entry { authenticator: *authenticator, since: now, answer: None });
        self.by_age.push_back((key, now));
        Seen::New
    }

    /// Keeps the answer that went out. A request that has been replaced or forgotten since stays so.
    pub fn answered(&mut self, key: Key, authenticator: &Authenticator, answer: Arc<[u8]>) {
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.authenticator == *authenticator) {
            entry.answer = Some(answer);
        }
    }

    /// Forgets a request that could not be handled, so that the next try is a new one.
    pub fn failed(&mut self, key: Key, authenticator: &Authenticator) {
        if self.entries.get(&key).is_some_and(|entry| entry.authenticator == *authenticator) {
            self.entries.remove(&key);
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((key, since)) = self.by_age.front().copied() {
            let old = now.saturating_duration_since(since) >= KEEP;
            if !old && self.by_age.len() < MAX_ENTRIES {
                return;
            }
            self.by_age.pop_front();
            if self.entries.get(&key).is_some_and(|entry| entry.since == since) {
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16, identifier: u8) -> Key {
        Key { peer: SocketAddr::from(([127, 0, 0, 1], port)), identifier }
    }

    const A: Authenticator = [1; 16];
    const B: Authenticator = [2; 16];

    #[test]
    fn a_request_is_new_then_in_flight_then_answered_the_same_way() {
        let mut duplicates = Duplicates::default();
        let now = Instant::now();
        let answer: Arc<[u8]> = Arc::from([5, 1, 0]);
        assert_eq!(duplicates.arrived(key(1, 1), &A, now), Seen::New);
        assert_eq!(duplicates.arrived(key(1, 1), &A, now), Seen::InFlight);
        duplicates.answered(key(1, 1), &A, answer.clone());
        assert_eq!(duplicates.arrived(key(1, 1), &A, now), Seen::Answered(answer));
        assert_eq!(duplicates.arrived(key(2, 1), &A, now), Seen::New, "another port is another client");
        assert_eq!(duplicates.arrived(key(1, 2), &A, now), Seen::New);
    }

    #[test]
    fn a_new_authenticator_under_an_old_identifier_is_a_new_request() {
        let mut duplicates = Duplicates::default();
        let now = Instant::now();
        duplicates.arrived(key(1, 1), &A, now);
        assert_eq!(duplicates.arrived(key(1, 1), &B, now), Seen::New);
        duplicates.answered(key(1, 1), &A, Arc::from([1]));
        assert_eq!(duplicates.arrived(key(1, 1), &B, now), Seen::InFlight, "the old one's answer is not the new one's");
        duplicates.failed(key(1, 1), &A);
        assert_eq!(duplicates.arrived(key(1, 1), &B, now), Seen::InFlight);
    }

    #[test]
    fn what_could_not_be_stored_is_new_the_next_time() {
        let mut duplicates = Duplicates::default();
        let now = Instant::now();
        duplicates.arrived(key(1, 1), &A, now);
        duplicates.failed(key(1, 1), &A);
        assert_eq!(duplicates.arrived(key(1, 1), &A, now), Seen::New);
    }

    #[test]
    fn entries_leave_after_their_time() {
        let mut duplicates = Duplicates::default();
        let start = Instant::now();
        duplicates.arrived(key(1, 1), &A, start);
        duplicates.answered(key(1, 1), &A, Arc::from([1]));
        let just_before = start + KEEP - Duration::from_millis(1);
        assert!(matches!(duplicates.arrived(key(1, 1), &A, just_before), Seen::Answered(_)));
        assert_eq!(duplicates.arrived(key(1, 1), &A, start + KEEP), Seen::New);
        assert_eq!((duplicates.entries.len(), duplicates.by_age.len()), (1, 1));
    }

    #[test]
    fn there_are_never_more_than_the_limit_and_the_oldest_leave_first() {
        let mut duplicates = Duplicates::default();
        let now = Instant::now();
        let all = MAX_ENTRIES + 1000;
        for at in 0..all {
            let key = key(u16::try_from(at / 256 + 1).unwrap(), (at % 256) as u8);
            assert_eq!(duplicates.arrived(key, &A, now), Seen::New);
        }
        assert!(duplicates.entries.len() <= MAX_ENTRIES && duplicates.by_age.len() <= MAX_ENTRIES);
        assert_eq!(duplicates.arrived(key(300, 0), &A, now), Seen::New);
        let newest = key(u16::try_from((all - 1) / 256 + 1).unwrap(), ((all - 1) % 256) as u8);
        assert_eq!(duplicates.arrived(newest, &A, now), Seen::InFlight);
    }
}
