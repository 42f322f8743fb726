//! What a receiver remembers about events: which it has taken, and how far each session has come. Pure.
//!
//! An event taken before is a repeat; one that came before and was not taken is a retry, which is as it should be. A
//! session must come as start, updates by growing duration, stop; the next only after the one before was taken.

use std::collections::{HashMap, VecDeque};

use serde_json::Value;

/// Ids, and sessions, that are remembered. The oldest are forgotten first, so a repeat from longer ago passes as new;
/// some hundred bytes each keep the whole below 100 MiB.
const MEMORY: usize = 250_000;

/// What a request says about its event, as far as it says it in the `native` format.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// `webhook-id`, `Idempotency-Key` or `id`, whichever is there first.
    pub id: Option<String>,
    /// `type`.
    pub kind: Option<String>,
    /// `data.user.name`.
    pub user: Option<String>,
    /// `data.client.mac`.
    pub mac: Option<String>,
    /// `data.session.id`.
    pub session: Option<String>,
    /// `data.session.unique_id`, else its id: what order is kept by.
    order_key: Option<String>,
    /// `data.session.duration`.
    duration: u64,
}

impl Facts {
    /// Reads them from a body. One that is not a JSON object says nothing but what its headers say.
    pub(super) fn read(header_id: Option<String>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let session = text("/data/session/id");
        Self {
            id: header_id.or_else(|| text("/id")),
            kind: text("/type"),
            user: text("/data/user/name"),
            mac: text("/data/client/mac"),
            order_key: text("/data/session/unique_id").or_else(|| session.clone()),
            session,
            duration: body.pointer("/data/session/duration").and_then(Value::as_u64).unwrap_or(0),
        }
    }

    /// Where in its session the event stands.
    fn stage(&self) -> Option<(&str, Stage)> {
        let rank = match self.kind.as_deref()? {
            "session.start" => 0,
            "session.update" => 1,
            "session.stop" => 2,
            _ => return None,
        };
        Some((self.order_key.as_deref()?, (rank, self.duration)))
    }
}

/// Start, update or stop, then the duration.
type Stage = (u8, u64);

/// Whether an event was here before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It was not, or it has no id to tell.
    New,
    /// It was, and was not taken.
    Retry,
    /// It was, and was taken.
    Repeat,
}

/// What a session did before.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    furthest: Option<Stage>,
    under_way: u32,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Id to whether it was taken.
    ids: Memory<bool>,
    sessions: Memory<Course>,
}

impl Ledger {
    /// Notes that an event has come in: whether it was here before, and how it breaks its session's order, if it does.
    pub(super) fn arrive(&mut self, facts: &Facts) -> (Novelty, Option<String>) {
        let novelty = match facts.id.as_deref().map(|id| (id, self.ids.get(id).copied())) {
            Some((_, Some(true))) => Novelty::Repeat,
            Some((_, Some(false))) => Novelty::Retry,
            Some((id, None)) => {
                *self.ids.entry(id) = false;
                Novelty::New
            }
            None => Novelty::New,
        };
        let Some((session, stage)) = facts.stage() else { return (novelty, None) };
        let course = self.sessions.entry(session);
        let disorder = match course.furthest {
            // A repeat is one of its session's past events, at its own place.
            _ if novelty == Novelty::Repeat => None,
            _ if course.under_way > 0 => Some("another event of its session is still under way".to_owned()),
            Some(furthest) if stage < furthest => Some(format!("it comes after {}", said(furthest))),
            _ => None,
        };
        course.under_way += 1;
        (novelty, disorder)
    }

    /// Notes what became of an event that has come in.
    pub(super) fn leave(&mut self, facts: &Facts, taken: bool) {
        if let Some(id) = facts.id.as_deref().filter(|_| taken) {
            *self.ids.entry(id) = true;
        }
        if let Some((session, stage)) = facts.stage() {
            let course = self.sessions.entry(session);
            course.under_way = course.under_way.saturating_sub(1);
            if taken {
                course.furthest = course.furthest.max(Some(stage));
            }
        }
    }
}

fn said((rank, duration): Stage) -> String {
    match rank {
        0 => "the session's start".to_owned(),
        1 => format!("the session's update at {duration} s"),
        _ => "the session's stop".to_owned(),
    }
}

/// A map that forgets its oldest entries.
#[derive(Debug, Default)]
struct Memory<V> {
    entries: HashMap<Box<str>, V>,
    oldest_first: VecDeque<Box<str>>,
}

impl<V: Default> Memory<V> {
    fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key)
    }

    /// The value under `key`, made if there is none.
    fn entry(&mut self, key: &str) -> &mut V {
        if !self.entries.contains_key(key) {
            self.oldest_first.push_back(key.into());
            if self.oldest_first.len() > MEMORY
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.entries.remove(&oldest);
            }
        }
        self.entries.entry(key.into()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, session: &str, duration: u64) -> Facts {
        let body = serde_json::json!({
            "id": id, "type": kind,
            "data": { "session": { "id": "s", "unique_id": session, "duration": duration } }
        });
        Facts::read(None, body.to_string().as_bytes())
    }

    fn taken(ledger: &mut Ledger, facts: &Facts) -> (Novelty, Option<String>) {
        let standing = ledger.arrive(facts);
        ledger.leave(facts, true);
        standing
    }

    #[test]
    fn what_was_not_taken_is_retried_and_what_was_is_repeated() {
        let mut ledger = Ledger::default();
        let start = event("1", "session.start", "a", 0);
        assert_eq!(ledger.arrive(&start), (Novelty::New, None));
        ledger.leave(&start, false);
        assert_eq!(taken(&mut ledger, &start), (Novelty::Retry, None));
        assert_eq!(taken(&mut ledger, &start), (Novelty::Repeat, None));
        assert_eq!(taken(&mut ledger, &Facts::default()), (Novelty::New, None));
        assert_eq!(taken(&mut ledger, &Facts::default()), (Novelty::New, None), "without an id nothing can be told");
    }

    #[test]
    fn a_session_in_order_is_no_disorder_and_sessions_do_not_wait_for_each_other() {
        let mut ledger = Ledger::default();
        let waiting = event("0", "session.start", "b", 0);
        assert_eq!(ledger.arrive(&waiting).1, None);
        for (id, kind, duration) in [
            ("1", "session.start", 0),
            ("2", "session.update", 300),
            ("3", "session.update", 600),
            ("4", "session.stop", 600),
        ] {
            assert_eq!(taken(&mut ledger, &event(id, kind, "a", duration)), (Novelty::New, None));
        }
    }

    #[test]
    fn whatever_comes_after_its_successor_is_out_of_order() {
        let mut ledger = Ledger::default();
        taken(&mut ledger, &event("1", "session.update", "a", 600));
        let (_, disorder) = taken(&mut ledger, &event("2", "session.update", "a", 300));
        assert_eq!(disorder.as_deref(), Some("it comes after the session's update at 600 s"));
        taken(&mut ledger, &event("3", "session.stop", "a", 900));
        let (_, disorder) = taken(&mut ledger, &event("4", "session.start", "a", 0));
        assert_eq!(disorder.as_deref(), Some("it comes after the session's stop"));
    }

    #[test]
    fn two_events_of_a_session_at_once_are_out_of_order() {
        let mut ledger = Ledger::default();
        let start = event("1", "session.start", "a", 0);
        ledger.arrive(&start);
        assert!(ledger.arrive(&event("2", "session.update", "a", 300)).1.unwrap().contains("under way"));
    }

    #[test]
    fn an_event_that_was_not_taken_holds_nothing_up() {
        let mut ledger = Ledger::default();
        let stop = event("2", "session.stop", "a", 300);
        ledger.arrive(&stop);
        ledger.leave(&stop, false);
        assert_eq!(taken(&mut ledger, &event("1", "session.start", "a", 0)), (Novelty::New, None));
    }

    #[test]
    fn memory_forgets_the_oldest_first() {
        let mut memory = Memory::<bool>::default();
        for number in 0..=MEMORY {
            *memory.entry(&number.to_string()) = true;
        }
        assert_eq!(memory.entries.len(), MEMORY);
        assert_eq!((memory.get("0"), memory.get("1")), (None, Some(&true)));
    }
}
