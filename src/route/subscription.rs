//! `events = ["auth.accept", "session.*"]`: globs over event types.
//!
//! `auth.challenge` is written out by whoever wants it: one login has some nine of them, and `auth.*` means how logins end.
//! Only `*` alone is everything.

use super::glob::glob;
use crate::event::EventType;

/// The event types an endpoint asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    types: Vec<EventType>,
    /// As they were written.
    patterns: Vec<String>,
}

/// The pattern that leaves nothing out.
const EVERYTHING: &str = "*";

impl Subscription {
    /// Reads globs, in which `*` stands for any run of characters. A pattern that matches no type of the catalogue is
    /// an error: the operator would wait for ever for such an event. Returns the offending pattern.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let (mut types, mut written) = (Vec::new(), Vec::new());
        for pattern in patterns {
            written.push(pattern.to_owned());
            let before = types.len();
            let meant = |kind: &EventType| match *kind {
                EventType::AuthChallenge => pattern == kind.name() || pattern == EVERYTHING,
                _ => glob(pattern, kind.name()),
            };
            types.extend(EventType::ALL.iter().copied().filter(meant));
            if types.len() == before {
                return Err(pattern);
            }
        }
        Ok(Self { patterns: written, ..Self::of(types) })
    }

    /// These types.
    pub fn of(types: impl IntoIterator<Item = EventType>) -> Self {
        let mut types: Vec<EventType> = types.into_iter().collect();
        types.sort_unstable();
        types.dedup();
        let patterns = types.iter().map(|kind| kind.name().to_owned()).collect();
        Self { types, patterns }
    }

    /// Those of its types that are among these.
    pub fn within(&self, kinds: &[EventType]) -> Self {
        let types = self.types.iter().copied().filter(|kind| kinds.contains(kind)).collect();
        Self { types, patterns: self.patterns.clone() }
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// The globs, as they were written.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }

    /// Whether this type was asked for.
    pub fn wants(&self, kind: EventType) -> bool {
        self.types.binary_search(&kind).is_ok()
    }
}

impl Default for Subscription {
    /// `["auth.*", "session.*"]`.
    fn default() -> Self {
        Self::parse(["auth.*", "session.*"]).expect("the default patterns name types of the catalogue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_name_families_of_types() {
        let wants = |patterns: &[&str], kind| Subscription::parse(patterns.iter().copied()).unwrap().wants(kind);
        assert!(wants(&["session.*"], EventType::SessionStart));
        assert!(wants(&["*.stop"], EventType::SessionStop));
        assert!(wants(&["*"], EventType::NasOn));
        assert!(wants(&["auth.challenge"], EventType::AuthChallenge));
        assert!(wants(&["*"], EventType::AuthChallenge));
        assert!(!wants(&["auth.*", "*.*"], EventType::AuthChallenge), "it must be written out");
        assert!(!wants(&["session.start"], EventType::SessionStop));
        assert!(!wants(&["nas.*"], EventType::SessionStop));
    }

    #[test]
    fn a_pattern_that_can_never_match_is_refused() {
        assert_eq!(Subscription::parse(["session.*", "sesion.stop"]), Err("sesion.stop"));
        assert_eq!(Subscription::parse([""]), Err(""));
    }

    #[test]
    fn the_default_is_authentication_and_sessions() {
        let default = Subscription::default();
        assert!(default.wants(EventType::SessionUpdate));
        assert!(!default.wants(EventType::NasOn));
    }
}
