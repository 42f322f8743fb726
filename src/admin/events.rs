//! `GET /api/v1/events`: the history, by type, time, session and id, in pages; and `POST /api/v1/events/replay`: sending
//! it to an endpoint once more.

use crossbeam_channel::bounded;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Admin;
use super::deliveries::{BadCursor, ListError};
#[cfg(doc)]
use super::selection::PAGE;
use super::selection::{Making, Meant};
use crate::event::{EventId, EventType};
use crate::intake::Command;
use crate::store::Store;
use crate::store::records::{self, EventNumber, EventRecord};

/// Which events are meant. Absent parts do not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Which of all.
    #[serde(flatten)]
    pub meant: Meant,
    /// How many a page holds at most; [`PAGE`] unless smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Where the last page ended: its `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Some events, and where to go on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// The events, in the order in which they arrived.
    pub events: Vec<Event>,
    /// Given back as `after`, gets the next page; absent at the end. A page may be empty and yet have a next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One event of the history.
#[derive(Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its number in the store.
    #[serde(skip)]
    number: EventNumber,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The event itself.
    pub event: Box<RawValue>,
}

/// What is to be sent once more, and to whom.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replay {
    /// The endpoint.
    pub endpoint: String,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
    /// Which events.
    #[serde(flatten)]
    pub selection: Selection,
}

/// What a page of a replay came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Replayed {
    /// Queued, or of a dry run: would be.
    pub queued: usize,
    /// Not queued: they wait there already.
    pub waiting: usize,
    /// Not queued: the endpoint does not ask for their type, or for events from there, or has no word for them.
    pub not_wanted: usize,
    /// Given back as `after`, goes on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Admin {
    /// One page of the events that are meant.
    pub fn events(&self, selection: &Selection) -> Result<Page, ListError> {
        let (first, last) = self.numbers(&selection.meant)?;
        let first = match &selection.after {
            Some(after) => first.max(after.parse().map_err(|_| BadCursor::new(after))?),
            None => first,
        };
        if first > last {
            return Ok(Page { events: Vec::new(), next: None });
        }
        let mut page = Making::new(selection.limit);
        let (from, to) = (records::event(first), records::event(last.saturating_add(1)));
        for (key, bytes) in self.store.range(&from, &to, page.room())? {
            let Some(number) = records::read_event(&key) else { continue };
            let EventRecord { head, json } = EventRecord::decode(&key, &bytes)?;
            let meant = selection.meant.holds(&head, &json);
            let event = String::from_utf8(json).ok().and_then(|json| RawValue::from_string(json).ok());
            let found = event.filter(|_| meant).map(|event| {
                let received_at = Timestamp::from_millisecond(head.received_at).unwrap_or(Timestamp::UNIX_EPOCH);
                Event { id: head.id, number, kind: head.kind, received_at, event }
            });
            if page.look(found) {
                return Ok(Page { events: page.found, next: Some((number + 1).to_string()) });
            }
        }
        Ok(Page { events: page.found, next: None })
    }

    /// Queues one page of the events that are meant for an endpoint, once more.
    pub fn replay(&self, wanted: &Replay) -> Result<Replayed, ListError> {
        let page = self.events(&wanted.selection)?;
        let (answer, answered) = bounded(1);
        let command = Command::Replay {
            endpoint: wanted.endpoint.as_str().into(),
            events: page.events.iter().map(|event| event.number).collect(),
            begins: wanted.selection.after.is_none(),
            rehearse: wanted.dry_run,
            answer,
        };
        self.intake.commands.send(command).map_err(|_| ListError::Stopping)?;
        let done = answered.recv().map_err(|_| ListError::Stopping)??;
        let done = done.ok_or_else(|| ListError::NoEndpoint(wanted.endpoint.clone()))?;
        Ok(Replayed { queued: done.queued, waiting: done.waiting, not_wanted: done.not_wanted, next: page.next })
    }
}
