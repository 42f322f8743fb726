//! What the config adds to events: the venue, the company, static facts.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::venue::{Place, Venue, Venues};
use crate::event::{Added, Subject};

/// What the config adds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Enrichment {
    /// `[[venue]]`.
    pub venues: Venues,
    /// `[company]`, as events have it.
    pub company: Option<Arc<Value>>,
    /// `[facts]`, as events have them.
    pub facts: Option<Arc<Value>>,
}

impl Enrichment {
    /// Whether it adds nothing to any event.
    pub fn is_empty(&self) -> bool {
        self.venues.is_empty() && self.company.is_none() && self.facts.is_none()
    }

    /// What it adds to an event of this subject, and where that happened. `address`: where its packet came from, which stands for
    /// a NAS that does not name its own.
    pub fn of(&self, subject: &Subject<'_>, address: Option<IpAddr>) -> (Added, Option<&Venue>) {
        let venue = self.venues.find(&Place {
            nas_ip: subject.nas_ip.or(address).map(|ip| ip.to_canonical()),
            nas_identifier: subject.nas_identifier,
            ssid: subject.ssid,
            ap_mac: subject.ap_mac,
            realm: subject.realm,
        });
        let added = Added {
            venue: venue.map(|venue| Arc::clone(&venue.told)),
            company: self.company.clone(),
            facts: self.facts.clone(),
            ..Added::default()
        };
        (added, venue)
    }
}
