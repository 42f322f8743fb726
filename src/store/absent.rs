//! What sled surely does not hold. A session or an entry of an index that is put has never been there before, nearly always, and to
//! learn that from sled costs a walk down its tree; here it costs three looks into one piece of memory.
//!
//! It is a counting Bloom filter. Counters let keys be taken out again, so that it stays as sharp as it was while sessions come and go.

use std::hash::{BuildHasher as _, RandomState};

/// Counters looked at for each key.
const LOOKS: usize = 3;

/// Counters for each key that there is room for. With three looks, three of a hundred absent keys are then taken for there, which
/// costs them a walk and nothing else.
const COUNTERS_PER_KEY: usize = 8;

/// The fewest keys there is room for: half a mebibyte, of which only what is used is ever touched.
const FEWEST: usize = 1 << 17;

/// The highest count of four bits. A counter that has reached it stays: it no longer knows how many it stands for.
const FULL: u8 = 15;

/// A filter with room for so many keys.
#[derive(Debug)]
pub(super) struct Absent {
    /// Two counters an octet.
    counters: Vec<u8>,
    /// Keys that are in.
    keys: usize,
    hasher: RandomState,
}

impl Absent {
    /// An empty one with room for `keys`, and for as many again.
    pub fn with_room_for(keys: usize) -> Self {
        let room = (keys * 2).max(FEWEST).next_power_of_two();
        Self { counters: vec![0; room * COUNTERS_PER_KEY / 2], keys: 0, hasher: RandomState::new() }
    }

    /// Whether a key was surely not put in. Never so of one that was.
    pub fn is_absent(&self, key: &[u8]) -> bool {
        self.places(key).iter().any(|place| self.count(*place) == 0)
    }

    /// Puts a key in that is not in.
    pub fn put(&mut self, key: &[u8]) {
        self.keys += 1;
        for place in self.places(key) {
            let count = self.count(place);
            self.set(place, (count + 1).min(FULL));
        }
    }

    /// Takes a key out that is in.
    pub fn remove(&mut self, key: &[u8]) {
        self.keys = self.keys.saturating_sub(1);
        for place in self.places(key) {
            let count = self.count(place);
            if count < FULL {
                self.set(place, count.saturating_sub(1));
            }
        }
    }

    /// Keys that are in.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// Whether there are more keys in than there is room for.
    pub fn is_full(&self) -> bool {
        self.keys * COUNTERS_PER_KEY > self.counters.len() * 2
    }

    fn places(&self, key: &[u8]) -> [usize; LOOKS] {
        let hash = self.hasher.hash_one(key);
        // Odd, so that the looks differ.
        let step = hash >> 32 | 1;
        let mask = self.counters.len() as u64 * 2 - 1;
        std::array::from_fn(|look| (hash.wrapping_add(step.wrapping_mul(look as u64)) & mask) as usize)
    }

    fn count(&self, place: usize) -> u8 {
        self.counters[place / 2] >> (place % 2 * 4) & FULL
    }

    fn set(&mut self, place: usize, count: u8) {
        let shift = place % 2 * 4;
        let octet = &mut self.counters[place / 2];
        *octet = *octet & !(FULL << shift) | count << shift;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(letter: u8, number: u64) -> Vec<u8> {
        use sha2::Digest as _;
        let print = sha2::Sha256::digest(number.to_le_bytes());
        [&[letter], &print[..16]].concat()
    }

    proptest! {
        #[test]
        fn what_is_in_is_never_called_absent(steps in prop::collection::vec((any::<bool>(), 0..400u64), 0..3_000)) {
            // Small, so that counters are shared and fill up.
            let mut absent = Absent { counters: vec![0; 32], ..Absent::with_room_for(0) };
            let mut model = HashSet::new();
            for (puts, number) in steps {
                let key = key(b'S', number);
                if puts && model.insert(number) {
                    absent.put(&key);
                } else if !puts && model.remove(&number) {
                    absent.remove(&key);
                }
            }
            for number in &model {
                prop_assert!(!absent.is_absent(&key(b'S', *number)));
            }
            prop_assert_eq!(absent.keys(), model.len());
        }
    }

    #[test]
    fn most_of_what_is_absent_is_known_to_be_also_after_many_came_and_went() {
        let mut absent = Absent::with_room_for(0);
        for number in 0..1_000_000 {
            absent.put(&key(b'S', number));
            if number >= 100_000 {
                absent.remove(&key(b'S', number - 100_000));
            }
        }
        let taken_for_there = (0..10_000).filter(|number| !absent.is_absent(&key(b'J', *number))).count();
        assert!(taken_for_there < 500, "{taken_for_there} of 10,000");
        assert!(!absent.is_full());
    }
}
