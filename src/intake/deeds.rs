//! What operators do to sessions: close them, and forget a person.

use super::plan::{Plan, Planner, forgiving};
use crate::session::{Closed, Person, Record, SessionKey};
use crate::store::records::{self, EventNumber};
use crate::store::sessions as keys;
use crate::store::{Key, StoreError, forget};

/// What is done, to a bounded number of sessions.
#[derive(Debug, Clone)]
pub enum Deed {
    /// These are over; their NASes are not told.
    Close(Vec<SessionKey>),
    /// These were never there: nothing is told of it.
    Forget {
        /// Sessions.
        sessions: Vec<SessionKey>,
        /// Events, with what became of them at every endpoint.
        events: Vec<EventNumber>,
        /// Keys of what is remembered of users and devices.
        memories: Vec<Key>,
    },
}

impl Planner {
    /// Plans a deed. Returns how many sessions were closed, or how many deliveries are not made.
    pub fn does(&self, plan: &mut Plan<'_>, deed: &Deed, now: i64) -> Result<usize, StoreError> {
        match deed {
            Deed::Close(sessions) => {
                let mut closed = 0;
                for session in sessions {
                    closed += usize::from(self.close_session(plan, session, now)?);
                }
                Ok(closed)
            }
            Deed::Forget { sessions, events, memories } => {
                for session in sessions {
                    self.forget_session(plan, session, now)?;
                }
                for memory in memories {
                    self.forget_memory(plan, memory, now)?;
                }
                let endpoints: Vec<_> = self.endpoints.iter().map(|known| (&*known.name, known.id)).collect();
                let mut deliveries = 0;
                for event in events {
                    let (waited, gone) = forget::event(&mut plan.draft, &endpoints, *event, now)?;
                    deliveries += gone;
                    for (known, rung) in self.endpoints.iter().zip(&mut plan.rung) {
                        if waited.contains(&known.id) {
                            // Whatever waited behind it may be due; and it is not in hand any more.
                            rung.settled.push(*event);
                            rung.placed((now, 0));
                        }
                    }
                }
                Ok(deliveries)
            }
        }
    }

    fn forget_session(&self, plan: &mut Plan<'_>, key: &SessionKey, now: i64) -> Result<(), StoreError> {
        let session = records::session(key);
        let Some(record) = forgiving(plan.draft.read::<Record>(&session))? else { return Ok(()) };
        let closed = Closed::of(&record, key, record.seen_at().as_millisecond());
        if record.is_listed {
            self.unlist(plan, &closed)?;
            self.count_off(plan, &closed, now)?;
        }
        plan.draft.delete(records::expiry(record.look_at, key));
        plan.draft.delete(session);
        Ok(())
    }

    fn forget_memory(&self, plan: &mut Plan<'_>, key: &Key, now: i64) -> Result<(), StoreError> {
        if key.first() == Some(&keys::PERSON)
            && forgiving(plan.draft.read::<Person>(key))?.is_some_and(|person| person.open > 0)
        {
            self.count_users(plan, now, |active| active.saturating_sub(1))?;
        }
        plan.draft.delete(key.clone());
        Ok(())
    }
}
