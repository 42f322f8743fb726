//! `GET /api/v1/events/explain`: of an event, for each endpoint, whether it wants it, why or why not, and the request that it
//! would get. Nothing is sent, and nothing is stored.

use crossbeam_channel::bounded;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::runtime::Handle;

use super::Admin;
use super::deliveries::{ListError, State};
use super::selection::Meant;
use crate::deliver::client::Sender;
use crate::deliver::compose::Composed;
use crate::deliver::options::{EndpointOptions, Verify};
use crate::event::{EventId, EventType};
use crate::intake::{Command, Judged};
use crate::store::records::{self, EventNumber, EventRecord};
use crate::store::{Store, StoreError, standing};

/// Which event is meant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// Its id.
    pub id: EventId,
    /// Only for this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// An event, explained.
#[derive(Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// The event itself.
    pub event: Box<RawValue>,
    /// What it is to each endpoint, in the order of the config.
    pub endpoints: Vec<Explained>,
}

/// What an event is to an endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Explained {
    /// The event's id.
    pub id: EventId,
    /// The event's type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The endpoint.
    pub endpoint: String,
    /// Whether it wants it.
    pub wanted: bool,
    /// What was decided: `wanted`, `not_subscribed`, `about_itself` or `once_per`.
    pub verdict: String,
    /// The reason, in words.
    pub why: String,
    /// What became of it there, where it was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// What holds back what it wants, each in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// What it would get now; absent where it does not want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// Why there is no request, though it wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A request as it would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Where it would go.
    pub url: String,
    /// Its headers; what is secret is shown as `[secret]`.
    pub headers: Vec<(String, String)>,
    /// Its body before compression; octets that are no UTF-8 are shown as U+FFFD.
    pub body: String,
    /// How many octets of body go over the wire.
    pub size: usize,
}

impl From<Composed> for Request {
    fn from(composed: Composed) -> Self {
        let Composed { method, url, headers, body, octets } = composed;
        let body = String::from_utf8_lossy(&body).into_owned();
        Self { method: method.to_string(), url: url.to_string(), headers, body, size: octets }
    }
}

impl Explained {
    /// What was decided for an endpoint, with the request that it would get at `now` where it wants the event, which `json` is.
    pub fn of(
        judged: &Judged,
        options: &EndpointOptions,
        sender: &Sender,
        (id, kind): (EventId, EventType),
        json: &[u8],
        now: Timestamp,
    ) -> Self {
        let mut explained = Self {
            id,
            kind,
            endpoint: options.name.to_string(),
            wanted: judged.verdict.is_wanted(),
            verdict: judged.verdict.word().to_owned(),
            why: judged.why.clone(),
            state: None,
            held: Vec::new(),
            request: None,
            error: None,
        };
        explained.compose(options, sender, json, now);
        explained
    }

    fn compose(&mut self, options: &EndpointOptions, sender: &Sender, json: &[u8], now: Timestamp) {
        if !self.wanted {
            return;
        }
        if !options.enabled {
            self.held.push("it is disabled: `enabled = false` in the config".to_owned());
        }
        if !options.batch.is_single() {
            let most = options.batch.max_events;
            self.held.push(format!("it may wait for others: up to {most} events go in one request, here it is alone"));
        }
        match sender.compose(options, self.id, json.to_vec(), now) {
            Ok(composed) => self.request = Some(composed.into()),
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    /// Adds that its receiver is asked first, where nobody knows whether it has agreed.
    pub fn asks_first(mut self, options: &EndpointOptions) -> Self {
        if self.wanted && options.verify != Verify::None {
            self.held.push("its receiver must agree first (`verify`)".to_owned());
        }
        self
    }
}

impl Admin {
    /// Explains an event of the history; `None` where there is none of this id.
    pub fn explain(&self, wanted: &Wanted) -> Result<Explanation, ListError> {
        if let Some(name) = &wanted.endpoint
            && !self.endpoints.now().iter().any(|own| *own.options.name == **name)
        {
            return Err(ListError::NoEndpoint(name.clone()));
        }
        let Some((number, record)) = self.found(wanted.id)? else { return Err(ListError::NoEvent(wanted.id)) };
        let EventRecord { head, json } = record;
        // It is judged as it is stored, and sent with what is known of its user by then. This thread may wait for that.
        let mut sent = json.clone();
        if let (Some(directory), Ok(runtime)) = (&self.directory, Handle::try_current()) {
            runtime.block_on(directory.join(std::iter::once(&mut sent)));
        }
        let unreadable = |error: serde_json::Error| ListError::Wrong(format!("the stored event is damaged: {error}"));
        let event: serde_json::Value = serde_json::from_slice(&json).map_err(unreadable)?;
        let (answer, answered) = bounded(1);
        let command = Command::Judge { kind: head.kind, event, answer };
        self.intake.commands.send(command).map_err(|_| ListError::Stopping)?;
        let judged = answered.recv().map_err(|_| ListError::Stopping)??;
        let now = Timestamp::now();
        let mut endpoints = Vec::new();
        for own in self.endpoints.now().iter() {
            let name = &own.options.name;
            let is_meant = wanted.endpoint.as_ref().is_none_or(|wanted| **wanted == **name);
            let Some(judged) = judged.iter().find(|judged| is_meant && judged.endpoint == *name) else { continue };
            let mut explained = Explained::of(judged, &own.options, &own.sender, (head.id, head.kind), &sent, now);
            explained.state = self.state_of(own.id, number)?;
            // It passed its own cap, and is what holds the others back.
            if let (Some(state), false) = (explained.state, explained.wanted) {
                explained.wanted = true;
                explained.verdict = "wanted".to_owned();
                explained.why = format!("it was queued when it came, and is {} now", state.word());
                explained.compose(&own.options, &own.sender, &sent, now);
            }
            if explained.wanted {
                if explained.state.is_none() {
                    let words = "it is not queued there: it came before the endpoint asked for it, or a newer update took \
                                 its place; `radhook events replay` sends it";
                    explained.held.push(words.to_owned());
                }
                let standing = standing::read(&*self.store, own.id)?;
                let disabled = standing.disabled.map(|disabled| format!("it is disabled: {}", disabled.reason));
                let refused = own.view.seen().not_verified.map(|said| format!("its receiver has not agreed: {said}"));
                explained.held.extend(disabled.into_iter().chain(refused));
            }
            endpoints.push(explained);
        }
        let event = String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok());
        let event = event.ok_or_else(|| ListError::Wrong("the stored event is damaged".to_owned()))?;
        Ok(Explanation { event, endpoints })
    }

    /// The event of this id. Only of facts that happened more than once the whole history has to be looked through.
    fn found(&self, id: EventId) -> Result<Option<(EventNumber, EventRecord)>, StoreError> {
        /// How many are read at once.
        const PAGE: usize = 1_000;
        let (mut first, last) = self.numbers(&Meant { id: Some(id), ..Meant::default() })?;
        loop {
            let page = self.store.range(&records::event(first), &records::event(last.saturating_add(1)), PAGE)?;
            let Some((last_key, _)) = page.last() else { return Ok(None) };
            let Some(next) = records::read_event(last_key) else { return Ok(None) };
            for (key, bytes) in &page {
                let record = EventRecord::decode(key, bytes)?;
                if let (true, Some(number)) = (record.head.id == id, records::read_event(key)) {
                    return Ok(Some((number, record)));
                }
            }
            first = next + 1;
        }
    }

    fn state_of(&self, endpoint: records::EndpointId, event: EventNumber) -> Result<Option<State>, StoreError> {
        for state in State::ALL {
            if self.store.get(&state.key(endpoint, event))?.is_some() {
                return Ok(Some(state));
            }
        }
        Ok(None)
    }
}
