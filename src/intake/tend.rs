//! What happens to sessions without a packet: they are lost when they were silent for too long or when their NAS restarted,
//! they are ended by an operator, and what is over for long is forgotten. Everything goes in pieces, so that the end of a
//! hundred thousand sessions holds up no packet for longer than a piece takes.

use jiff::Timestamp;

use super::plan::{Fact, Plan, Planner, forgiving};
use crate::event::Event;
use crate::session::card::{NasKey, WhoKey};
use crate::session::options::whole;
use crate::session::{self, Closed, Context, Device, Ended, Meaning, Nas, Person, Record, SessionKey, Why, ends};
use crate::store::records;
use crate::store::sessions as keys;
use crate::store::{Store, StoreError};

/// How many sessions one piece looks at: some milliseconds of the writer's time.
pub const PIECE: usize = 250;

/// How many sessions of one user a Disconnect is looked for among.
const SESSIONS_OF_USER: usize = 256;

impl Planner {
    /// Plans a piece of what is due: the ends of a NAS's sessions, sessions that were silent, what can be forgotten. Says
    /// whether more is due.
    pub fn tend(&self, plan: &mut Plan<'_>, store: &dyn Store, now: i64) -> Result<bool, StoreError> {
        let of_nas = self.end_of_nas(plan, store, now)?;
        let of_time = self.look(plan, store, now)?;
        self.forget_people(plan, store, now)?;
        Ok(of_nas || of_time)
    }

    /// Ends a piece of the sessions of the first NAS that is due.
    fn end_of_nas(&self, plan: &mut Plan<'_>, store: &dyn Store, now: i64) -> Result<bool, StoreError> {
        let to = keys::nas_end(now.saturating_add(1), &[0; 16]);
        let Some((end, _)) = store.range(&keys::nas_end(i64::MIN, &[0; 16]), &to, 1)?.pop() else { return Ok(false) };
        let Some((at, key)) = keys::read_nas_end(&end) else {
            plan.draft.delete(end);
            return Ok(true);
        };
        let nas = forgiving(plan.draft.read::<Nas>(&keys::nas(&key)))?.filter(|nas| nas.due == Some(at));
        let Some(mut nas) = nas else {
            // It said so again since, and has a later one.
            plan.draft.delete(end);
            return Ok(true);
        };
        let from =
            nas.done_to.map_or_else(|| keys::of_nas(&key, &[0; 16]), |done| keys::behind(keys::of_nas(&key, &done)));
        let entries = store.range(&from, &keys::behind(keys::of_nas(&key, &[0xff; 16])), PIECE)?;
        for (entry, _) in &entries {
            let Some(session) = keys::read_session(entry) else { continue };
            nas.done_to = Some(session);
            self.gone_with_nas(plan, &session, &key, &nas, now)?;
        }
        if entries.len() < PIECE {
            (nas.due, nas.done_to) = (None, None);
            plan.draft.delete(end);
        }
        plan.draft.write(keys::nas(&key), &nas);
        Ok(true)
    }

    fn gone_with_nas(
        &self,
        plan: &mut Plan<'_>,
        key: &SessionKey,
        nas_key: &NasKey,
        nas: &Nas,
        now: i64,
    ) -> Result<(), StoreError> {
        match forgiving(plan.draft.read::<Record>(&records::session(key)))?.filter(Record::is_open) {
            // What was heard of since then began after it, or goes on in spite of it. Dates have whole seconds: a session of the
            // same one is taken to have begun after it, since a wrong end is worse than a late one.
            Some(record) if record.seen_at().as_millisecond() >= nas.gone_at => Ok(()),
            Some(record) => {
                self.lose(plan, key, record, Ended { at: nas.gone_at, noticed_at: now, why: Why::NasReboot }, now)
            }
            None => {
                plan.draft.delete(keys::of_nas(nas_key, key));
                Ok(())
            }
        }
    }

    /// Looks at sessions whose time has come.
    fn look(&self, plan: &mut Plan<'_>, store: &dyn Store, now: i64) -> Result<bool, StoreError> {
        let (from, to) = (records::expiry(i64::MIN, &[0; 16]), records::expiry(now.saturating_add(1), &[0; 16]));
        let looks = store.range(&from, &to, PIECE)?;
        for (look, _) in &looks {
            plan.draft.delete(look.clone());
            let Some((at, key)) = records::read_expiry(look) else { continue };
            let session = records::session(&key);
            let Some(mut record) = forgiving(plan.draft.read::<Record>(&session))? else { continue };
            if record.look_at != at && record.look_at != 0 {
                continue;
            }
            if record.due(&self.options, self.awake_since) > now {
                record.look_at = 0;
                self.keep(plan, &key, &mut record);
            } else if record.is_open() {
                let end = record.fades(&self.options, now);
                self.lose(plan, &key, record, end, now)?;
            } else {
                plan.draft.delete(session);
            }
        }
        Ok(looks.len() == PIECE)
    }

    /// Plans to tell that a session is lost.
    fn lose(
        &self,
        plan: &mut Plan<'_>,
        key: &SessionKey,
        record: Record,
        end: Ended,
        now: i64,
    ) -> Result<(), StoreError> {
        let closed = Closed::lost(&record, key, end);
        let mut after = record.clone();
        if record.card().is_some() {
            let context = Context { options: &self.options, node: &self.node, now };
            let mut event = ends::lost(&record, key, end, &context);
            self.tell_of(plan, &mut event, &mut after, now)?;
            after.end(end, event.id);
        } else {
            // Only an earlier version of radhook has heard of it, and did not write down whose it was.
            after.end(end, crate::event::EventId::from_bytes(*key));
        }
        if record.is_listed {
            self.unlist(plan, &closed)?;
            self.count_off(plan, &closed, now)?;
        }
        after.look_at = 0;
        self.keep(plan, key, &mut after);
        Ok(())
    }

    fn tell_of(
        &self,
        plan: &mut Plan<'_>,
        event: &mut Event<'_>,
        record: &mut Record,
        now: i64,
    ) -> Result<(), StoreError> {
        let happened_at = event.timestamp;
        let received_at = Timestamp::from_millisecond(now).unwrap_or(happened_at);
        let fact = Fact { base: *event.id.as_bytes(), occurrence: 0, happened_at, received_at, undated: None };
        self.tell(plan, event, &fact, Some(record), now)?;
        plan.concluded.push(event.kind);
        Ok(())
    }

    /// Plans that an operator ends a session here; nothing is said to its NAS. Says whether it was open.
    pub fn close_session(&self, plan: &mut Plan<'_>, key: &SessionKey, now: i64) -> Result<bool, StoreError> {
        let record = forgiving(plan.draft.read::<Record>(&records::session(key)))?.filter(Record::is_open);
        let Some(record) = record else { return Ok(false) };
        self.lose(plan, key, record, Ended { at: now, noticed_at: now, why: Why::Closed }, now)?;
        Ok(true)
    }

    /// Plans what a Disconnect-ACK means for the sessions it is about: those of its user, or the last one of its device, as far
    /// as everything else that it names fits.
    pub(super) fn revoke(&self, plan: &mut Plan<'_>, meaning: &Meaning<'_>, now: i64) -> Result<(), StoreError> {
        let facts = &meaning.facts;
        let mut found: Vec<SessionKey> = Vec::new();
        if let Some(name) = facts.user_name {
            let user: WhoKey = session::user_key(name);
            let (from, to) = (keys::of_user(&user, &[0; 16]), keys::behind(keys::of_user(&user, &[0xff; 16])));
            let entries = plan.draft.store().range(&from, &to, SESSIONS_OF_USER)?;
            found.extend(entries.iter().filter_map(|(entry, _)| keys::read_session(entry)));
        }
        if let Some(device) = meaning.device_key() {
            let device = forgiving(plan.draft.read::<Device>(&keys::device(&device)))?;
            found.extend(device.and_then(|device| device.last).map(|last| last.key));
        }
        found.sort_unstable();
        found.dedup();
        for key in found {
            let Some(record) = forgiving(plan.draft.read::<Record>(&records::session(&key)))? else { continue };
            let is_meant = record.card().is_some_and(|card| {
                let differs =
                    |said: Option<&str>, known: Option<&str>| matches!((said, known), (Some(a), Some(b)) if a != b);
                !differs(facts.session_id, Some(&card.session_id))
                    && !differs(facts.user_name, card.user.as_deref())
                    && !differs(facts.nas_identifier, card.nas_identifier.as_deref())
                    && facts.framed_ip.is_none_or(|ip| card.ip.is_none_or(|known| known == ip))
                    && meaning.device_key().is_none_or(|device| card.device_key() == Some(device))
            });
            if !is_meant || !record.is_open() || record.is_revoked() {
                continue;
            }
            let mut after = record.clone();
            let context = Context { options: &self.options, node: &self.node, now };
            let mut event = ends::revoked(&record, &key, meaning.happened_at.as_millisecond(), &context);
            self.tell_of(plan, &mut event, &mut after, now)?;
            after.revoke(event.id);
            self.keep(plan, &key, &mut after);
        }
        Ok(())
    }

    /// Forgets users and devices that were not heard of for long.
    fn forget_people(&self, plan: &mut Plan<'_>, store: &dyn Store, now: i64) -> Result<(), StoreError> {
        let (from, to) = (keys::look(i64::MIN, 0, &[0; 16]), keys::look(now.saturating_add(1), 0, &[0; 16]));
        for (look, _) in store.range(&from, &to, PIECE)? {
            plan.draft.delete(look.clone());
            let Some((at, letter, who)) = keys::read_look(&look) else { continue };
            let remember = whole(self.options.remember);
            // One who is here is heard of.
            let next = |heard_at: i64, is_here: bool| {
                let due = heard_at.max(if is_here { now } else { heard_at }).saturating_add(remember);
                Some(due).filter(|due| *due > now)
            };
            if letter == keys::PERSON {
                let key = keys::person(&who);
                let Some(mut person) = forgiving(plan.draft.read::<Person>(&key))? else { continue };
                match next(person.heard_at, person.open > 0) {
                    _ if person.look_at != at => {}
                    Some(due) => {
                        person.look_at = due;
                        plan.draft.put(keys::look(due, letter, &who), Vec::new());
                        plan.draft.write(key, &person);
                    }
                    None => plan.draft.delete(key),
                }
            } else {
                let key = keys::device(&who);
                let Some(mut device) = forgiving(plan.draft.read::<Device>(&key))? else { continue };
                let is_here = device.last.as_ref().is_some_and(|last| last.ended_at.is_none());
                match next(device.heard_at, is_here) {
                    _ if device.look_at != at => {}
                    Some(due) => {
                        device.look_at = due;
                        plan.draft.put(keys::look(due, letter, &who), Vec::new());
                        plan.draft.write(key, &device);
                    }
                    None => plan.draft.delete(key),
                }
            }
        }
        Ok(())
    }
}
