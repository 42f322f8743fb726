//! Where the facts that were told stand: of each, the group of events whose block holds it ([`super::block`]).
//!
//! Facts are found by a fingerprint, which is as good as random, and were they held in its order each would be a walk to another
//! page of sled's. They are held in the order of their events instead, and found by this index, which is in memory only and made anew
//! from the blocks when the store is opened: about twenty octets for each fact.

use hashbrown::HashTable;

/// Part of a fingerprint, and the group in which it may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    tag: u32,
    group: u32,
}

/// The groups of facts.
#[derive(Debug, Default)]
pub(super) struct Told(HashTable<Entry>);

impl Told {
    /// The groups one of which holds this key, if any does. Nearly always it is none or one.
    pub fn groups(&self, key: &[u8]) -> impl Iterator<Item = u32> {
        let tag = tag(key);
        self.0.iter_hash(hash(tag)).filter(move |entry| entry.tag == tag).map(|entry| entry.group)
    }

    /// A group holds a key that it did not hold.
    pub fn put(&mut self, key: &[u8], group: u32) {
        let tag = tag(key);
        self.0.insert_unique(hash(tag), Entry { tag, group }, |entry| hash(entry.tag));
    }

    /// A group does not hold a key any more that it held.
    pub fn remove(&mut self, key: &[u8], group: u32) {
        let entry = Entry { tag: tag(key), group };
        if let Ok(found) = self.0.find_entry(hash(entry.tag), |other| *other == entry) {
            found.remove();
        }
    }
}

/// Four octets of the fingerprint, and the letter, since one fingerprint may stand under two.
fn tag(key: &[u8]) -> u32 {
    let octets = key.get(1..5).and_then(|octets| octets.try_into().ok()).unwrap_or([0; 4]);
    u32::from_le_bytes(octets) ^ u32::from(key[0]).wrapping_mul(0x9e37_79b9)
}

/// A fingerprint needs no hashing, only spreading: the table looks at the highest bits and at the lowest.
fn hash(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_its_group_until_it_is_removed() {
        let mut told = Told::default();
        let key = |number: u32| [&b"T"[..], &number.to_le_bytes(), &[0; 12]].concat();
        for number in 0..10_000 {
            told.put(&key(number), number / 16);
        }
        told.put(&key(3), 77);
        let mut both: Vec<u32> = told.groups(&key(3)).collect();
        both.sort_unstable();
        assert_eq!(both, [0, 77]);
        told.remove(&key(3), 0);
        assert_eq!(told.groups(&key(3)).collect::<Vec<_>>(), [77]);
        assert_eq!(told.groups(&key(4)).collect::<Vec<_>>(), [0]);
        assert_eq!(told.groups(&key(10_000)).count(), 0);
        assert_eq!(told.groups(&[b"U", &key(4)[1..]].concat()).count(), 0);
    }
}
