//! What is remembered of users, devices and NASes beyond their sessions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SessionKey;
use super::record::{hex, moment};
use crate::event::Previous;

/// Places whose visits are counted for one user, and venues. Who goes to more is told apart by the last ones.
const MAX_PLACES: usize = 64;

/// A clock of one NAS may be so far behind that of another, in milliseconds.
const CLOCKS_APART: i64 = 5_000;

/// A user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// User-Name.
    pub name: String,
    /// When their first session began, in milliseconds since 1970.
    pub first_seen: i64,
    /// When something was last heard of them: wall clock, in milliseconds since 1970.
    pub heard_at: i64,
    /// The look that is planned to see whether they can be forgotten.
    pub look_at: i64,
    /// Sessions that are open.
    pub open: u32,
    /// Sessions ever.
    pub sessions: u64,
    /// Sessions by place, the last one last.
    pub visits: Vec<Visit>,
    /// Logins by the id of the venue, the last one last.
    pub venues: Vec<Visit>,
}

/// How often a user came to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The place.
    pub place: String,
    /// How often.
    pub count: u32,
}

impl Person {
    /// A session begins. Says how often they came to this place, where this one is a visit of its own.
    pub(super) fn arrives(&mut self, began: i64, place: &str, is_visit: bool) -> u32 {
        self.first_seen = if self.sessions == 0 { began } else { self.first_seen.min(began) };
        self.sessions += 1;
        self.open += 1;
        count(&mut self.visits, place, is_visit)
    }

    /// They log in at a venue. Returns how often they did so far, at each venue.
    pub fn logs_in(&mut self, venue: &str) -> BTreeMap<String, u32> {
        count(&mut self.venues, venue, true);
        told(&self.venues)
    }

    /// A session ends.
    pub(super) fn leaves(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

/// Counts at a place, where that is a visit of its own or the first one. Returns how many there were.
fn count(visits: &mut Vec<Visit>, place: &str, is_visit: bool) -> u32 {
    let known = visits.iter().position(|visit| visit.place == place);
    let mut visit = match known {
        Some(at) => visits.remove(at),
        None => Visit { place: place.to_owned(), count: 0 },
    };
    if is_visit || visit.count == 0 {
        visit.count = visit.count.saturating_add(1);
    }
    let count = visit.count;
    if visits.len() >= MAX_PLACES {
        visits.remove(0);
    }
    visits.push(visit);
    count
}

fn told(visits: &[Visit]) -> BTreeMap<String, u32> {
    visits.iter().map(|visit| (visit.place.clone(), visit.count)).collect()
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// When its first session began, in milliseconds since 1970.
    pub first_seen: i64,
    /// When something was last heard of it: wall clock, in milliseconds since 1970.
    pub heard_at: i64,
    /// The look that is planned to see whether it can be forgotten.
    pub look_at: i64,
    /// Sessions ever.
    pub sessions: u64,
    /// The session it began last.
    pub last: Option<Last>,
    /// Logins without a user by the id of the venue, the last one last.
    pub venues: Vec<Visit>,
}

/// The last session of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// The session.
    pub key: SessionKey,
    /// Its unique id.
    pub unique: [u8; 16],
    /// When it ended, in milliseconds since 1970; `None` while it is open.
    pub ended_at: Option<i64>,
    /// Its Acct-Multi-Session-Id.
    pub multi_id: Option<String>,
    /// Its NAS.
    pub nas: String,
    /// Its access point.
    pub ap: Option<String>,
    /// Whose it was, by [`super::user_key`].
    pub user: Option<[u8; 16]>,
}

impl Device {
    /// The session that one which begins now goes on from: it ended within the window, or has the same
    /// Acct-Multi-Session-Id.
    pub(super) fn goes_on(&self, next: &Last, began: i64, window: i64) -> Option<Previous> {
        let last = self.last.as_ref().filter(|last| last.unique != next.unique)?;
        let is_same_multi = last.multi_id.is_some() && last.multi_id == next.multi_id;
        let gap = last.ended_at.map(|ended| began.saturating_sub(ended));
        let is_soon = window > 0 && gap.is_some_and(|gap| (-CLOCKS_APART..=window).contains(&gap));
        (is_same_multi || is_soon).then(|| Previous {
            unique_id: hex(&last.unique),
            stopped_at: last.ended_at.map(moment),
            nas: Some(last.nas.clone()).filter(|nas| *nas != next.nas),
            ap: last.ap.clone().filter(|_| last.ap != next.ap),
        })
    }

    /// A session begins on it.
    pub(super) fn arrives(&mut self, began: i64, session: Last) {
        self.first_seen = if self.sessions == 0 { began } else { self.first_seen.min(began) };
        self.sessions += 1;
        self.last = Some(session);
    }

    /// It logs in at a venue, without a user. Returns how often it did so far, at each venue.
    pub fn logs_in(&mut self, venue: &str) -> BTreeMap<String, u32> {
        count(&mut self.venues, venue, true);
        told(&self.venues)
    }

    /// One of its sessions has not ended after all.
    pub(super) fn returns(&mut self, unique: &[u8; 16]) {
        if let Some(last) = self.last.as_mut().filter(|last| last.unique == *unique) {
            last.ended_at = None;
        }
    }

    /// One of its sessions ends.
    pub(super) fn leaves(&mut self, unique: &[u8; 16], ended_at: i64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.unique == *unique) {
            last.ended_at = Some(ended_at);
        }
    }
}

/// A NAS that said Accounting-On or -Off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nas {
    /// When it last did, in milliseconds since 1970: sessions heard of before are gone.
    pub gone_at: i64,
    /// When its sessions are to be ended, by the wall clock in milliseconds since 1970; `None` when all were.
    pub due: Option<i64>,
    /// The session up to which they were.
    pub done_to: Option<SessionKey>,
}

/// How long a NAS that goes off may still send the stops of its sessions, in milliseconds.
pub const OFF_PATIENCE: i64 = 30_000;

impl Nas {
    /// It says On or Off, at `happened_at`. Says whether its sessions have to be looked through (again), and from when on.
    pub fn goes(&mut self, happened_at: Timestamp, is_off: bool, now: i64) -> Option<i64> {
        let at = happened_at.as_millisecond();
        if at <= self.gone_at {
            return None;
        }
        self.gone_at = at;
        self.done_to = None;
        let due = if is_off { now.saturating_add(OFF_PATIENCE) } else { now };
        self.due = Some(due);
        Some(due)
    }
}
