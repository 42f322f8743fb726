//! Sessions on the store: what is read before a packet is judged, and what is written after it. The indexes of a session (its
//! NAS's, its user's), the counts of its user and the memory of its device change in the same batch as its record, so that
//! they never tell another story.

use serde_json::json;

use super::house::News;
use super::logins;
use super::plan::{Came, Fact, Plan, Planner, forgiving};
use crate::event::{EventType, Fingerprint, Told};
use crate::exchange::Exchange;
use crate::session::card::WhoKey;
use crate::session::options::whole;
use crate::session::{self, Closed, Device, Known, Meaning, Move, Nas, Person, Record, SessionKey, Status, Step};
use crate::store::records::{self, EndpointId};
use crate::store::sessions as keys;
use crate::store::{Draft, StoreError};

impl Planner {
    /// What is known of the NAS of an accounting packet, if that ever said On or Off.
    pub(super) fn nas_of(
        &self,
        draft: &Draft<'_>,
        meaning: &Meaning<'_>,
        exchange: &Exchange,
    ) -> Result<Option<Nas>, StoreError> {
        match meaning.status {
            Some(_) => {
                let nas = session::nas_key(&meaning.facts, exchange.origin.address);
                forgiving(draft.read(&keys::nas(&nas)))
            }
            None => Ok(None),
        }
    }

    /// What is known before a packet. User, device and login are read only where a session begins or ends.
    pub(super) fn known(
        &self,
        draft: &Draft<'_>,
        meaning: &Meaning<'_>,
        exchange: &Exchange,
        nas: Option<Nas>,
    ) -> Result<Known, StoreError> {
        let Some(key) = meaning.session else { return Ok(Known::default()) };
        let record: Option<Record> = forgiving(draft.read(&records::session(&key)))?;
        let Some(moves) = meaning.moves(record.as_ref(), nas.as_ref()) else { return Ok(Known::default()) };
        let begins = match moves {
            Move::Opens => true,
            Move::Goes | Move::Returns => {
                record.as_ref().is_some_and(|record| !record.is_listed || record.learns_user(meaning))
            }
            Move::Late | Move::AfterStop => false,
        };
        let ends = moves == Move::Goes && meaning.status == Some(Status::Stop);
        let mut known = Known { record, nas, ..Known::default() };
        if begins {
            known.login = logins::find(draft, &meaning.logins(exchange))?;
        }
        if begins || ends {
            // A session stays whose it was, whatever a later packet calls the user.
            let card = known.record.as_ref().and_then(Record::card).filter(|_| moves != Move::Opens);
            let user = match card.and_then(|card| card.user.as_deref()).or(meaning.facts.user_name) {
                Some(name) => forgiving(draft.read(&keys::person(&session::user_key(name))))?,
                None => None,
            };
            known.person = user;
            if let Some(device) = meaning.device_key() {
                known.device = forgiving(draft.read(&keys::device(&device)))?;
            }
        }
        Ok(known)
    }

    /// Plans what an exchange does: its events, and how session, user and device stand after it.
    pub(super) fn take_step(
        &self,
        plan: &mut Plan<'_>,
        exchange: &Exchange,
        meaning: &Meaning<'_>,
        told: &Fact,
        step: Step<'_>,
        now: i64,
    ) -> Result<Came, StoreError> {
        let Step { mut events, untold, mut record, opened, closed, person, device } = step;
        let own = meaning.id(told.occurrence);
        for event in &mut events {
            if event.id == own {
                self.tell(plan, event, told, record.as_mut(), now)?;
                continue;
            }
            let base = *event.id.as_bytes();
            if forgiving(plan.draft.read::<Told>(&records::told(&base)))?.is_some() {
                continue;
            }
            let received_at = exchange.received_at;
            let fact = Fact { base, occurrence: 0, happened_at: event.timestamp, received_at, undated: None };
            self.tell(plan, event, &fact, record.as_mut(), now)?;
            plan.concluded.push(event.kind);
        }
        if let (Some(key), Some(mut record)) = (meaning.session, record) {
            let user = record.card().and_then(session::Card::user_key);
            let is_theirs = closed.as_ref().is_some_and(|closed| closed.user_key() == user);
            if let Some(closed) = &closed {
                self.unlist(plan, closed)?;
                if !is_theirs {
                    self.count_off(plan, closed, now)?;
                }
            }
            if let (Some(user), Some(person)) = (user, person) {
                self.keep_person(plan, &user, person, now)?;
            }
            if let (Some(key), Some(device)) = (record.card().and_then(session::Card::device_key), device) {
                self.keep_device(plan, &key, device, now);
            }
            if opened && let Some(card) = record.card() {
                plan.draft.put(keys::of_nas(&card.nas, &key), Vec::new());
                user.iter().for_each(|user| plan.draft.put(keys::of_user(user, &key), Vec::new()));
                let open = plan.draft.read::<u64>(keys::OPEN_SESSIONS)?.unwrap_or(0);
                plan.draft.write(keys::OPEN_SESSIONS, &(open + 1));
            }
            self.keep(plan, &key, &mut record);
        }
        match meaning.status {
            Some(status @ (Status::On | Status::Off)) => self.nas_goes(plan, exchange, meaning, status, now)?,
            None if meaning.kind == EventType::DisconnectAck => self.revoke(plan, meaning, now)?,
            _ => {}
        }
        Ok(untold.map_or(Came::Event(meaning.kind), Came::Untold))
    }

    /// Plans to keep a session's record, and to look at it when it is due.
    pub(super) fn keep(&self, plan: &mut Plan<'_>, key: &SessionKey, record: &mut Record) {
        // One look is planned when the record is made and one where its time was brought forward; every look plans the
        // next, so an update costs nothing here. A look at another time than the record names leads nowhere.
        let due = record.due(&self.options, self.awake_since);
        if record.look_at == 0 || due < record.look_at {
            record.look_at = due;
            plan.draft.put(records::expiry(due, key), Vec::new());
        }
        plan.draft.write(records::session(key), record);
    }

    /// Plans to take a session that is listed out of the indexes.
    pub(super) fn unlist(&self, plan: &mut Plan<'_>, closed: &Closed) -> Result<(), StoreError> {
        let open = plan.draft.read::<u64>(keys::OPEN_SESSIONS)?.unwrap_or(0);
        plan.draft.write(keys::OPEN_SESSIONS, &open.saturating_sub(1));
        if let Some(card) = &closed.card {
            plan.draft.delete(keys::of_nas(&card.nas, &closed.key));
        }
        if let Some(user) = closed.user_key() {
            plan.draft.delete(keys::of_user(&user, &closed.key));
        }
        Ok(())
    }

    /// Plans to count a session off its user and its device.
    pub(super) fn count_off(&self, plan: &mut Plan<'_>, closed: &Closed, now: i64) -> Result<(), StoreError> {
        if let Some(user) = closed.user_key()
            && let Some(mut person) = forgiving(plan.draft.read::<Person>(&keys::person(&user)))?
        {
            closed.leave(Some(&mut person), None);
            self.keep_person(plan, &user, person, now)?;
        }
        let device = closed.card.as_ref().and_then(session::Card::device_key);
        if let Some(key) = device
            && let Some(mut device) = forgiving(plan.draft.read::<Device>(&keys::device(&key)))?
        {
            closed.leave(None, Some(&mut device));
            self.keep_device(plan, &key, device, now);
        }
        Ok(())
    }

    /// Plans to keep a user, and counts those who are there.
    pub(super) fn keep_person(
        &self,
        plan: &mut Plan<'_>,
        user: &WhoKey,
        mut person: Person,
        now: i64,
    ) -> Result<(), StoreError> {
        let key = keys::person(user);
        let was_there = forgiving(plan.draft.read::<Person>(&key))?.is_some_and(|before| before.open > 0);
        let is_there = person.open > 0;
        if person.look_at == 0 {
            person.heard_at = person.heard_at.max(now);
            person.look_at = now.saturating_add(whole(self.options.remember));
            plan.draft.put(keys::look(person.look_at, keys::PERSON, user), Vec::new());
        }
        plan.draft.write(key, &person);
        match (was_there, is_there) {
            (false, true) => self.count_users(plan, now, |active| active + 1),
            (true, false) => self.count_users(plan, now, |active| active.saturating_sub(1)),
            _ => Ok(()),
        }
    }

    pub(super) fn keep_device(&self, plan: &mut Plan<'_>, key: &WhoKey, mut device: Device, now: i64) {
        if device.look_at == 0 {
            device.heard_at = device.heard_at.max(now);
            device.look_at = now.saturating_add(whole(self.options.remember));
            plan.draft.put(keys::look(device.look_at, keys::DEVICE, key), Vec::new());
        }
        plan.draft.write(keys::device(key), &device);
    }

    /// Plans how many users are there, and tells once when they become too many.
    pub(super) fn count_users(
        &self,
        plan: &mut Plan<'_>,
        now: i64,
        change: impl FnOnce(u64) -> u64,
    ) -> Result<(), StoreError> {
        const KIND: EventType = EventType::SystemUserlimitExceeded;
        let active = change(plan.draft.read::<u64>(keys::ACTIVE_USERS)?.unwrap_or(0));
        plan.draft.write(keys::ACTIVE_USERS, &active);
        let Some(max) = self.options.max_users else { return Ok(()) };
        let was_over = plan.draft.read::<bool>(keys::OVER_LIMIT)?.unwrap_or(false);
        let is_over = active > max;
        if is_over == was_over {
            return Ok(());
        }
        plan.draft.write(keys::OVER_LIMIT, &is_over);
        if is_over {
            let print = Fingerprint::new(KIND.name()).text(Some(&self.node)).number(Some(now.cast_unsigned()));
            let data = json!({ "limit": max, "active_users": active });
            // It is about no endpoint.
            let about = EndpointId::MAX;
            self.tell_others(plan, News { kind: KIND, print, at: now, data: &data, about }, now)?;
            plan.concluded.push(KIND);
        }
        Ok(())
    }

    /// Plans to end the sessions of a NAS that said On or Off, piece by piece.
    fn nas_goes(
        &self,
        plan: &mut Plan<'_>,
        exchange: &Exchange,
        meaning: &Meaning<'_>,
        status: Status,
        now: i64,
    ) -> Result<(), StoreError> {
        let key = session::nas_key(&meaning.facts, exchange.origin.address);
        let mut nas = forgiving(plan.draft.read::<Nas>(&keys::nas(&key)))?.unwrap_or_default();
        if let Some(due) = nas.goes(meaning.happened_at, status == Status::Off, now) {
            plan.draft.put(keys::nas_end(due, &key), Vec::new());
            plan.draft.write(keys::nas(&key), &nas);
        }
        Ok(())
    }
}
