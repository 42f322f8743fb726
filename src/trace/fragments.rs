//! IP fragments put together again (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! A RADIUS packet of up to 4096 octets does not fit an Ethernet frame, and EAP-TLS makes such ones all the time.
//! Fragments of one datagram may come in any order. Ones that overlap with different octets are an attack or damage:
//! the datagram is given up, as RFC 5722 asks. Life cycle: the first fragment opens a place, the last that is missing
//! closes it; places are given up when they are too old or too many, and counted. Of too many, those without their first
//! fragment go first.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

/// Datagrams that wait for fragments at the same time. The kernel keeps about as many; 4 MiB of fragments is 1,024
/// places of a RADIUS packet each.
const MAX_WAITING: usize = 1024;
/// The most that one datagram may hold: what fits the IP length fields.
const MAX_OCTETS: usize = 65_535;
/// Fragments of one datagram: 65,535 octets in the least frames that IPv4 allows to be sent whole (576 octets) are 119.
const MAX_FRAGMENTS: usize = 128;
/// How long the first fragment waits for the last one, as RFC 8200 §4.5 says.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(60);

/// What tells one datagram's fragments from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub identification: u32,
    pub protocol: u8,
}

/// One fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    /// Where it belongs, in octets.
    pub offset: usize,
    /// Whether others stand behind it.
    pub more: bool,
    pub octets: &'a [u8],
}

/// Datagrams of which something is missing.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: HashMap<Key, Waiting>,
    /// How many places were opened, to know the oldest one.
    opened: u64,
    /// Datagrams that were given up.
    lost: u64,
    /// Those among them of which the first fragment was there.
    beginnings_lost: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    since: Option<Timestamp>,
    /// By offset.
    parts: Vec<(usize, Vec<u8>)>,
    /// Where the datagram ends, once its last fragment is there.
    end: Option<usize>,
}

impl Fragments {
    /// Takes a fragment; answers with the whole when nothing is missing any more.
    pub fn add(&mut self, key: Key, time: Option<Timestamp>, fragment: Fragment) -> Option<Vec<u8>> {
        if let (Some(now), Some(since)) = (time, self.waiting.get(&key).and_then(|waiting| waiting.since)) {
            // The identification is used again, long after.
            if now.duration_since(since) > MAX_AGE {
                self.give_up(&key);
            }
        }
        if !self.waiting.contains_key(&key) {
            self.make_room();
            self.opened += 1;
            let waiting = Waiting { number: self.opened, since: time, parts: Vec::new(), end: None };
            self.waiting.insert(key, waiting);
        }
        let waiting = self.waiting.get_mut(&key)?;
        if !waiting.add(fragment) {
            self.give_up(&key);
            return None;
        }
        let whole = waiting.whole()?;
        self.waiting.remove(&key);
        Some(whole)
    }

    /// Datagrams that never became whole, those that still wait included.
    pub fn incomplete(&self) -> u64 {
        self.lost + self.waiting.len() as u64
    }

    /// Datagrams that were given up although their first fragment was there.
    pub fn beginnings_lost(&self) -> u64 {
        self.beginnings_lost
    }

    /// Gives up those that wait for too long.
    pub fn expire(&mut self, now: Timestamp) {
        let is_old = |waiting: &Waiting| waiting.since.is_some_and(|since| now.duration_since(since) > MAX_AGE);
        let old: Vec<Key> = self.waiting.iter().filter(|(_, waiting)| is_old(waiting)).map(|(key, _)| *key).collect();
        old.iter().for_each(|key| self.give_up(key));
    }

    fn give_up(&mut self, key: &Key) {
        self.lost += 1;
        let waiting = self.waiting.remove(key);
        self.beginnings_lost += u64::from(waiting.is_some_and(|waiting| waiting.has_beginning()));
    }

    fn make_room(&mut self) {
        if self.waiting.len() < MAX_WAITING {
            return;
        }
        // Where a filter lets only the beginnings of RADIUS through, what has none is of something else.
        let worth = |waiting: &Waiting| (waiting.has_beginning(), waiting.number);
        let oldest = self.waiting.iter().min_by_key(|(_, waiting)| worth(waiting)).map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.give_up(&key);
        }
    }
}

impl Waiting {
    /// False if it contradicts what is there or goes beyond a limit.
    fn add(&mut self, Fragment { offset, more, octets }: Fragment) -> bool {
        let end = offset + octets.len();
        // All but the last fill whole units of eight octets.
        if end > MAX_OCTETS || more && (octets.len() % 8 != 0 || octets.is_empty()) {
            return false;
        }
        if self.end.is_some_and(|known| end > known || !more && end != known) {
            return false;
        }
        if !more {
            if self.parts.iter().any(|(offset, part)| offset + part.len() > end) {
                return false;
            }
            self.end = Some(end);
        }
        let at = self.parts.partition_point(|(other, _)| *other < offset);
        if self.parts.get(at).is_some_and(|(other, part)| *other == offset && part == octets) {
            // The same once more: mirrored ports show every frame twice.
            return true;
        }
        let after_the_one_before = at == 0 || self.parts[at - 1].0 + self.parts[at - 1].1.len() <= offset;
        let before_the_next = self.parts.get(at).is_none_or(|(next, _)| end <= *next);
        if !after_the_one_before || !before_the_next || self.parts.len() == MAX_FRAGMENTS {
            return false;
        }
        self.parts.insert(at, (offset, octets.to_vec()));
        true
    }

    fn has_beginning(&self) -> bool {
        self.parts.first().is_some_and(|(offset, _)| *offset == 0)
    }

    /// All of it, if nothing is missing.
    fn whole(&self) -> Option<Vec<u8>> {
        let end = self.end?;
        // They do not overlap, so that they are whole if their lengths add up.
        if self.parts.iter().map(|(_, part)| part.len()).sum::<usize>() != end {
            return None;
        }
        Some(self.parts.iter().flat_map(|(_, part)| part).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(identification: u32) -> Key {
        Key { source: [10, 0, 0, 1].into(), destination: [10, 0, 0, 2].into(), identification, protocol: 17 }
    }

    fn add(fragments: &mut Fragments, id: u32, offset: usize, more: bool, octets: &[u8]) -> Option<Vec<u8>> {
        fragments.add(key(id), None, Fragment { offset, more, octets })
    }

    #[test]
    fn fragments_are_put_together_in_any_order_and_repeats_do_no_harm() {
        let mut fragments = Fragments::default();
        assert_eq!(add(&mut fragments, 1, 16, false, b"tail"), None);
        assert_eq!(add(&mut fragments, 2, 0, true, b"another!"), None);
        assert_eq!(add(&mut fragments, 1, 0, true, b"01234567"), None);
        assert_eq!(add(&mut fragments, 1, 0, true, b"01234567"), None);
        assert_eq!(add(&mut fragments, 1, 8, true, b"89abcdef").as_deref(), Some(b"0123456789abcdeftail".as_slice()));
        assert_eq!(fragments.incomplete(), 1);
    }

    #[test]
    fn fragments_that_contradict_each_other_give_the_datagram_up() {
        for wrong in [
            (0, true, b"other678".as_slice()),
            (0, true, b"0123456789abcdef"),
            (0, true, b"no unit"),
            (0, false, b"01234"),
            (65_528, false, b"01234567"),
        ] {
            let mut fragments = Fragments::default();
            add(&mut fragments, 1, 0, true, b"01234567");
            assert_eq!(add(&mut fragments, 1, wrong.0, wrong.1, wrong.2), None, "{wrong:?}");
            assert_eq!((fragments.lost, fragments.waiting.len()), (1, 0), "{wrong:?}");
        }
    }

    #[test]
    fn the_oldest_datagram_makes_room_and_an_identification_is_used_again_after_a_minute() {
        let mut fragments = Fragments::default();
        for id in 0..=MAX_WAITING as u32 {
            add(&mut fragments, id, 0, true, b"01234567");
        }
        assert_eq!((fragments.waiting.len(), fragments.lost), (MAX_WAITING, 1));
        assert!(!fragments.waiting.contains_key(&key(0)));

        // One that began outlives those of which only ends came; it is given up by its age, and counted by itself.
        let mut fragments = Fragments::default();
        let begun = Timestamp::from_second(0).unwrap();
        let part = Fragment { offset: 0, more: true, octets: b"01234567" };
        fragments.add(key(0), Some(begun), part);
        for id in 1..=MAX_WAITING as u32 {
            add(&mut fragments, id, 8, false, b"!");
        }
        assert!(fragments.waiting.contains_key(&key(0)) && !fragments.waiting.contains_key(&key(1)));
        fragments.expire(begun + MAX_AGE);
        assert_eq!((fragments.lost, fragments.beginnings_lost()), (1, 0));
        fragments.expire(begun + MAX_AGE + SignedDuration::from_secs(1));
        assert_eq!((fragments.lost, fragments.beginnings_lost()), (2, 1));

        let mut fragments = Fragments::default();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let part = |more, offset, octets| Fragment { offset, more, octets };
        assert_eq!(fragments.add(key(1), at(0), part(true, 0, b"01234567")), None);
        assert_eq!(fragments.add(key(1), at(61), part(true, 0, b"abcdefgh")), None);
        assert_eq!(fragments.add(key(1), at(62), part(false, 8, b"!")).as_deref(), Some(b"abcdefgh!".as_slice()));
    }
}
