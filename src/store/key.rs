//! A key of the table.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use smallvec::SmallVec;

/// The longest key that stands where it is held, without memory of its own: all but those with a name in them. A commit makes and
/// copies a dozen keys for each event.
const INLINE: usize = 40;

/// Octets, ordered bytewise. At most [`super::MAX_KEY`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(SmallVec<[u8; INLINE]>);

impl Key {
    /// An empty one with room for so many octets.
    pub fn with_capacity(octets: usize) -> Self {
        Self(SmallVec::with_capacity(octets))
    }

    /// Adds an octet at the end.
    pub fn push(&mut self, octet: u8) {
        self.0.push(octet);
    }

    /// Adds octets at the end.
    pub fn extend_from_slice(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
}

impl Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Order, equality and hash are those of the octets.
impl Borrow<[u8]> for Key {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Key {
    fn from(octets: &[u8]) -> Self {
        Self(SmallVec::from_slice(octets))
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for Key {
    fn from(octets: Vec<u8>) -> Self {
        octets.as_slice().into()
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        text.as_bytes().into()
    }
}

impl<const N: usize> From<[u8; N]> for Key {
    fn from(octets: [u8; N]) -> Self {
        octets.as_slice().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Key {
    fn from(octets: &[u8; N]) -> Self {
        octets.as_slice().into()
    }
}

impl FromIterator<u8> for Key {
    fn from_iter<I: IntoIterator<Item = u8>>(octets: I) -> Self {
        Self(octets.into_iter().collect())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
