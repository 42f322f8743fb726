//! What listings have in common: which events are meant, and how one page of them is made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::event::{EventId, EventType, Told};
use crate::store::records::{self, EventHead, EventNumber, EventRecord};
use crate::store::{Store, StoreError};

/// How many records one page looks at, whatever it finds: a listing of a million deliveries is many small requests, none
/// of which holds anything up.
const LOOKED_AT: usize = 5_000;

/// The most that one page holds.
pub const PAGE: usize = 1_000;

/// Which events are meant. Absent parts do not matter. Every part is a text in a query, so that this can stand within
/// another selection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Meant {
    /// Only of this type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventType>,
    /// Only what arrived at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what arrived before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Only of this session: its `id`, or its `unique_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Only this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<EventId>,
}

impl Meant {
    /// Whether an event is one of them.
    pub fn holds(&self, head: &EventHead, json: &[u8]) -> bool {
        self.kind.is_none_or(|kind| kind == head.kind)
            && self.since.is_none_or(|since| head.received_at >= since.as_millisecond())
            && self.until.is_none_or(|until| head.received_at < until.as_millisecond())
            && self.id.is_none_or(|id| id == head.id)
            && self.session.as_deref().is_none_or(|session| belongs_to(json, session))
    }
}

/// Whether an event is of this session.
fn belongs_to(json: &[u8], session: &str) -> bool {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(json) else { return false };
    let of = &event["data"]["session"];
    of["id"] == session || of["unique_id"] == session
}

/// A page in the making.
#[derive(Debug)]
pub(super) struct Making<T> {
    /// What was found.
    pub found: Vec<T>,
    limit: usize,
    looked_at: usize,
}

impl<T> Making<T> {
    /// An empty page for so many, within what a page may hold.
    pub fn new(limit: Option<usize>) -> Self {
        Self { found: Vec::new(), limit: limit.unwrap_or(PAGE).clamp(1, PAGE), looked_at: 0 }
    }

    /// How many records it may still look at.
    pub fn room(&self) -> usize {
        LOOKED_AT - self.looked_at
    }

    /// One record was looked at. Says whether that is the last of this page.
    pub fn look(&mut self, found: Option<T>) -> bool {
        self.looked_at += 1;
        self.found.extend(found);
        self.found.len() == self.limit || self.looked_at == LOOKED_AT
    }
}

impl Admin {
    /// The numbers among which the events that are meant must be, both included: all, unless one is asked for whose number
    /// is known. That is so for the first occurrence of a fact, as long as it is the last one; others have to be looked for.
    pub(super) fn numbers(&self, meant: &Meant) -> Result<(EventNumber, EventNumber), StoreError> {
        let all = (0, EventNumber::MAX);
        let Some(id) = meant.id else { return Ok(all) };
        let told_key = records::told(id.as_bytes());
        let Some(bytes) = self.store.get(&told_key)? else { return Ok(all) };
        // One that cannot be read tells nothing.
        let Ok(Told { event: number, .. }) = records::decode(&told_key, &bytes) else { return Ok(all) };
        let event_key = records::event(number);
        let Some(bytes) = self.store.get(&event_key)? else { return Ok(all) };
        // The fact may have happened again since, and then its key leads to that.
        Ok(if EventRecord::decode(&event_key, &bytes)?.head.id == id { (number, number) } else { all })
    }
}
