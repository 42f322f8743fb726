//! An event while it is offered to the endpoints: whether each wants it, and why not. The writer decides by this, and whoever
//! asks why is told by it, so that the two cannot disagree.

use std::sync::Arc;

use ::metrics::counter;
use serde_json::Value;
use tracing::debug;

use super::plan::{Endpoint, Plan, Planner, Route, forgiving};
use super::{count, house, once};
use crate::event::EventType;
use crate::metrics;
use crate::route::Verdict;
use crate::store::records::{self, EndpointId, EventNumber, EventRecord};
use crate::store::{Draft, Store, StoreError};
use crate::template::{COUNT, Facts};

/// An event that is offered; its content is read at most once, and only where an endpoint looks at it.
pub(super) struct Offer {
    kind: EventType,
    number: EventNumber,
    content: Option<Arc<Value>>,
    /// Of radhook's own events, which endpoint it is about.
    about: Option<EndpointId>,
}

/// What was decided for one endpoint.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Its name.
    pub endpoint: Arc<str>,
    /// What.
    pub verdict: Verdict,
    /// The reason, for an operator.
    pub why: String,
}

/// An event of a rehearsal: what would have been told, and to whom.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// Its type.
    pub kind: EventType,
    /// It, as it would be stored.
    pub json: Vec<u8>,
    /// What was decided for each configured endpoint that it was offered to.
    pub judged: Vec<Judged>,
}

impl Offer {
    /// The event of this number, which is in the draft.
    pub fn of(number: EventNumber, kind: EventType) -> Self {
        Self { kind, number, content: None, about: None }
    }

    /// The same of an event of radhook's own.
    pub fn of_the_house(number: EventNumber, kind: EventType, about: EndpointId) -> Self {
        Self { about: Some(about), ..Self::of(number, kind) }
    }

    /// Whether an endpoint wants it. Changes nothing: what passes a cap is noted by [`Offer::passed`].
    pub fn judge(
        &mut self,
        draft: &Draft<'_>,
        endpoint: EndpointId,
        route: &Route,
        now: i64,
    ) -> Result<Verdict, StoreError> {
        let interest = &route.interest;
        if !interest.subscription.wants(self.kind) {
            return Ok(Verdict::NotSubscribed);
        }
        match self.about {
            Some(about) if about == endpoint => return Ok(Verdict::AboutItself),
            // The house stands at no venue.
            Some(_) if interest.scope.is_some() => return Ok(Verdict::Elsewhere),
            // It is told once as it is.
            Some(_) => return Ok(Verdict::Wanted),
            None => {}
        }
        if let Some(unfit) = self.is_unfit(draft, route)? {
            return Ok(unfit);
        }
        if let Some(condition) = &interest.when {
            let content = Arc::clone(self.content(draft)?);
            let mut facts = Facts::of(Arc::clone(&content));
            if let Some(counted) = &interest.count
                && let Some(of) = counted.of().key(&content)
            {
                facts = facts.with(COUNT, count::with_this(draft, counted, &of, endpoint, now)?);
            }
            match condition.holds(&facts) {
                Ok(true) => {}
                Ok(false) => return Ok(Verdict::Condition),
                Err(error) => {
                    debug!(endpoint = %route.name, %error, "`when` cannot be evaluated");
                    counter!(metrics::CONDITION_FAILURES, "endpoint" => route.name.to_string()).increment(1);
                    return Ok(Verdict::Unfit);
                }
            }
        }
        // The last to be asked: only what nothing else holds back uses it up.
        if let Some(cap) = &interest.once_per
            && let Some(until) = once::held_until(draft, cap, self.content(draft)?, endpoint, now)?
        {
            return Ok(Verdict::OncePer { until });
        }
        Ok(Verdict::Wanted)
    }

    /// Why it is nothing for an endpoint that asked for its type, whatever else came.
    fn is_unfit(&mut self, draft: &Draft<'_>, route: &Route) -> Result<Option<Verdict>, StoreError> {
        if route.format.looks_inside() && !route.format.has_word_for(self.content(draft)?) {
            return Ok(Some(Verdict::NoWord));
        }
        if let Some(scope) = &route.interest.scope
            && !scope.holds(self.content(draft)?)
        {
            return Ok(Some(Verdict::Elsewhere));
        }
        Ok(None)
    }

    /// Whether it is of those that an endpoint asked for, however many there were: what may be sent again.
    pub fn suits(&mut self, draft: &Draft<'_>, route: &Route) -> Result<bool, StoreError> {
        let interest = &route.interest;
        Ok(interest.subscription.wants(self.kind)
            && self.is_unfit(draft, route)?.is_none()
            && match interest.when.as_ref().filter(|when| !when.counts()) {
                Some(condition) => condition.holds(&Facts::of(Arc::clone(self.content(draft)?))) == Ok(true),
                None => true,
            })
    }

    /// Plans that it counts for an endpoint that asked for its type, wanted or not.
    pub fn came(
        &mut self,
        draft: &mut Draft<'_>,
        endpoint: EndpointId,
        route: &Route,
        now: i64,
    ) -> Result<(), StoreError> {
        if let Some(counted) = &route.interest.count
            && self.about.is_none()
            && route.interest.subscription.wants(self.kind)
            && let Some(of) = counted.of().key(self.content(draft)?)
        {
            count::came(draft, counted, &of, endpoint, now)?;
        }
        Ok(())
    }

    /// Plans that an endpoint is sent it.
    pub fn passed(
        &mut self,
        draft: &mut Draft<'_>,
        endpoint: EndpointId,
        route: &Route,
        now: i64,
    ) -> Result<(), StoreError> {
        if let Some(cap) = &route.interest.once_per {
            let of = cap.key(self.content(draft)?);
            once::passed(draft, cap, of, endpoint, now);
        }
        Ok(())
    }

    fn content(&mut self, draft: &Draft<'_>) -> Result<&Arc<Value>, StoreError> {
        if self.content.is_none() {
            let key = records::event(self.number);
            let record = draft.get(&key)?.map(|bytes| EventRecord::decode(&key, &bytes)).transpose()?;
            self.content = record.and_then(|record| serde_json::from_slice(&record.json).ok()).map(Arc::new);
        }
        Ok(self.content.get_or_insert_with(Arc::default))
    }
}

impl Planner {
    /// Decides once more for an event as it is stored, or as somebody has written one. Nothing is changed.
    pub fn judge(&self, store: &dyn Store, kind: EventType, event: Value, now: i64) -> Result<Vec<Judged>, StoreError> {
        let about = house::about(kind, &event).map(|name| {
            let own = self.endpoints.iter().find(|endpoint| name == Some(&endpoint.name));
            own.map_or(EndpointId::MAX, |endpoint| endpoint.id)
        });
        // It has no number here: its content is at hand.
        let mut offer = Offer { kind, number: EventNumber::MAX, content: Some(Arc::new(event)), about };
        let draft = Draft::new(store);
        let mut judged = Vec::new();
        for endpoint in &self.endpoints {
            let Some(route) = &endpoint.route else { continue };
            let verdict = offer.judge(&draft, endpoint.id, route, now)?;
            judged.push(Judged::new(endpoint, route, kind, verdict));
        }
        Ok(judged)
    }

    /// An empty plan over `store` that notes what is decided. It is made to be looked at, not to be committed.
    pub fn rehearse<'a>(&self, store: &'a dyn Store) -> Plan<'a> {
        Plan { judged: Some(Vec::new()), ..self.plan(store) }
    }

    /// What was told in a rehearsal since this was last asked, in order.
    pub fn rehearsed(&self, plan: &mut Plan<'_>) -> Result<Vec<Rehearsed>, StoreError> {
        let mut told: Vec<(EventNumber, Rehearsed)> = Vec::new();
        for (number, at, verdict) in plan.judged.iter_mut().flat_map(std::mem::take) {
            if told.last().is_none_or(|(last, _)| *last != number) {
                let key = records::event(number);
                let bytes = plan.draft.get(&key)?;
                let Some(record) = forgiving(bytes.map(|bytes| EventRecord::decode(&key, &bytes)).transpose())? else {
                    continue;
                };
                told.push((number, Rehearsed { kind: record.head.kind, json: record.json, judged: Vec::new() }));
            }
            let endpoint = &self.endpoints[at];
            if let (Some((_, event)), Some(route)) = (told.last_mut(), &endpoint.route) {
                event.judged.push(Judged::new(endpoint, route, event.kind, verdict));
            }
        }
        Ok(told.into_iter().map(|(_, event)| event).collect())
    }
}

impl Judged {
    fn new(endpoint: &Endpoint, route: &Route, kind: EventType, verdict: Verdict) -> Self {
        let why = verdict.why(kind, &route.interest);
        Self { endpoint: Arc::clone(&endpoint.name), verdict, why }
    }
}
