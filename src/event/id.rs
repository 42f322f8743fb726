//! Deterministic event ids: the same fact has the same id, whichever way and however often it comes in.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The id of an event: a UUID of version 8 (RFC 9562 §5.8) made from a SHA-256 over what the packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// Its sixteen bytes, as the store's keys hold them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// From the sixteen bytes of [`EventId::as_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// One of its own, for what nobody can tell again.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads the hyphenated form.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What is remembered of a fact already told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The number of the event it made.
    pub event: u64,
    /// When it happened, in milliseconds since 1970.
    pub happened_at: i64,
    /// Which occurrence it was, from 0.
    pub occurrence: u32,
    /// Of a dated fact, under what it is found without its date.
    pub undated: Option<[u8; 16]>,
}

/// Collects the parts of a fact. Every part goes in behind its length, and an absent part differs from an empty one,
/// so that no two facts run together.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// A fingerprint of one kind of fact; different kinds never collide.
    pub fn new(kind: &str) -> Self {
        Self(Sha256::new()).bytes(Some(kind.as_bytes()))
    }

    /// Adds bytes.
    pub fn bytes(mut self, part: Option<&[u8]>) -> Self {
        match part {
            Some(part) => {
                self.0.update((part.len() as u64 + 1).to_be_bytes());
                self.0.update(part);
            }
            None => self.0.update(0_u64.to_be_bytes()),
        }
        self
    }

    /// Adds text.
    pub fn text(self, part: Option<&str>) -> Self {
        self.bytes(part.map(str::as_bytes))
    }

    /// Adds a number.
    pub fn number(self, part: Option<u64>) -> Self {
        self.bytes(part.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice))
    }

    /// The first sixteen bytes of the hash.
    pub fn finish(self) -> [u8; 16] {
        let mut first = [0; 16];
        first.copy_from_slice(&self.0.finalize()[..16]);
        first
    }

    /// The fingerprint as an event id.
    pub fn id(self) -> EventId {
        EventId(uuid::Builder::from_custom_bytes(self.finish()).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_8_and_depend_on_every_part() {
        let id = Fingerprint::new("a").text(Some("x")).number(Some(1)).id();
        assert_eq!(id, Fingerprint::new("a").text(Some("x")).number(Some(1)).id());
        let text = id.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "8"));
        assert_eq!(EventId::parse(&text), Some(id));
        for other in [
            Fingerprint::new("b").text(Some("x")).number(Some(1)),
            Fingerprint::new("a").text(Some("y")).number(Some(1)),
            Fingerprint::new("a").text(Some("x")).number(None),
        ] {
            assert_ne!(other.id(), id);
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(
            Fingerprint::new("k").text(Some("ab")).text(Some("c")).finish(),
            Fingerprint::new("k").text(Some("a")).text(Some("bc")).finish()
        );
        assert_ne!(Fingerprint::new("k").text(Some("")).finish(), Fingerprint::new("k").text(None).finish());
    }
}
