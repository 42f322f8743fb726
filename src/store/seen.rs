//! Whether a layer of the view may hold a key: most that are looked up stand in no layer, and walking down its tree to learn that takes
//! more time than everything else about it.

/// Bits: for the changes of one checkpoint, some 200,000, one in ten of the keys that are not there is then looked for.
const BITS: usize = 1 << 21;

/// Keys that were put into a layer, and some others.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Vec<u64>);

impl Seen {
    /// Puts a key in.
    pub fn put(&mut self, key: &[u8]) {
        if self.0.is_empty() {
            self.0 = vec![0; BITS / 64];
        }
        let place = place(key);
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// Whether it may have been put in; always so of one that was.
    pub fn may_hold(&self, key: &[u8]) -> bool {
        let place = place(key);
        self.0.get(place / 64).is_some_and(|bits| bits & 1 << (place % 64) != 0)
    }
}

/// A place from all octets of a key. Nobody gains from keys that meet: they cost a look into the tree.
fn place(key: &[u8]) -> usize {
    let mut hash = key.len() as u64;
    for octets in key.chunks(8) {
        let mut word = [0; 8];
        word[..octets.len()].copy_from_slice(octets);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (hash >> (u64::BITS - BITS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records;

    #[test]
    fn what_was_put_in_is_seen_and_most_others_are_not() {
        let mut seen = Seen::default();
        assert!(!seen.may_hold(&records::event(1)));
        for number in 0..50_000 {
            seen.put(&records::event(number));
            seen.put(&records::pending(3, number));
        }
        assert!(
            (0..50_000)
                .all(|number| seen.may_hold(&records::event(number)) && seen.may_hold(&records::pending(3, number)))
        );
        let others = (50_000..60_000).filter(|number| seen.may_hold(&records::event(*number))).count();
        assert!(others < 1_000, "{others} of 10,000");
    }
}
