//! What events are told besides what packets say: where, whose network, who the user is, how often they came. Visits are counted
//! in the same batch in which the login's event is kept, so that neither is without the other.

use std::collections::BTreeMap;

use super::plan::{Plan, Planner, forgiving};
use crate::directory::Who;
use crate::event::{Event, EventType, Subject, Tells};
use crate::session::{self, Device, Person};
use crate::store::StoreError;
use crate::store::sessions as keys;

impl Planner {
    /// Adds to an event what is known besides, and counts a visit.
    pub(super) fn enrich<D: Tells>(
        &self,
        plan: &mut Plan<'_>,
        event: &mut Event<'_, D>,
        now: i64,
    ) -> Result<(), StoreError> {
        if self.enrichment.is_empty() && self.directory.is_none() {
            return Ok(());
        }
        let subject = event.data.subject();
        let address = event.source.address.filter(|_| D::OF_PACKETS);
        let (mut added, venue) = self.enrichment.of(&subject, address);
        if let Some(directory) = &self.directory {
            added.known = directory.known(Who { name: subject.user, realm: subject.realm, mac: subject.mac });
        }
        if let (EventType::AuthAccept, Some(venue)) = (event.kind, venue.and_then(|venue| venue.id.as_deref())) {
            added.visits = self.visit(plan, &subject, venue, now)?;
        }
        event.data.add(added);
        Ok(())
    }

    /// Counts a visit of a user, or of a device without one. Returns those to every venue.
    fn visit(
        &self,
        plan: &mut Plan<'_>,
        subject: &Subject<'_>,
        venue: &str,
        now: i64,
    ) -> Result<BTreeMap<String, u32>, StoreError> {
        if let Some(name) = subject.user {
            let user = session::user_key(name);
            let known = forgiving(plan.draft.read::<Person>(&keys::person(&user)))?;
            let mut person = known.unwrap_or_else(|| Person { name: name.to_owned(), ..Person::default() });
            person.heard_at = now;
            let visits = person.logs_in(venue);
            self.keep_person(plan, &user, person, now)?;
            return Ok(visits);
        }
        let Some(mac) = subject.mac else { return Ok(BTreeMap::new()) };
        let key = session::device_key(mac);
        let mut device = forgiving(plan.draft.read::<Device>(&keys::device(&key)))?.unwrap_or_default();
        device.heard_at = now;
        let visits = device.logs_in(venue);
        self.keep_device(plan, &key, device, now);
        Ok(visits)
    }
}
