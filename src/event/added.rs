//! What is added to events that is in no packet: where and whose it was by the config, what is known of the user, how often
//! they came. Whoever told the event already says more of it than the config does: nothing that stands in an event is replaced.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Data, User};

/// What is said of users by events themselves, so that nothing else is called so.
pub const OF_USERS: [&str; 5] = ["name", "realm", "first_seen_at", "sessions", "visits"];

/// Who and where, as an event says. Absent facts are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// `user.name`.
    pub user: Option<&'a str>,
    /// `user.realm`.
    pub realm: Option<&'a str>,
    /// `client.mac`.
    pub mac: Option<&'a str>,
    /// `nas.ip`.
    pub nas_ip: Option<IpAddr>,
    /// `nas.identifier`.
    pub nas_identifier: Option<&'a str>,
    /// `ap.ssid`.
    pub ssid: Option<&'a str>,
    /// `ap.mac`.
    pub ap_mac: Option<&'a str>,
}

/// What is to be added. What is absent or empty adds nothing.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// `venue`.
    pub venue: Option<Arc<Value>>,
    /// `company`.
    pub company: Option<Arc<Value>>,
    /// `facts`.
    pub facts: Option<Arc<Value>>,
    /// Into `user`; holds none of [`OF_USERS`].
    pub known: Map<String, Value>,
    /// `user.visits`.
    pub visits: BTreeMap<String, u32>,
}

/// Data of an event to which something can be added.
pub trait Tells: Serialize {
    /// Whether a packet told it, so that it came from its NAS.
    const OF_PACKETS: bool;

    /// Who and where.
    fn subject(&self) -> Subject<'_>;

    /// Adds what it does not say already.
    fn add(&mut self, added: Added);
}

impl Tells for Data<'_> {
    const OF_PACKETS: bool = true;

    fn subject(&self) -> Subject<'_> {
        Subject {
            user: self.user.as_ref().map(|user| user.name).filter(|name| !name.is_empty()),
            realm: self.user.as_ref().and_then(|user| user.realm),
            mac: self.client.mac.as_deref(),
            nas_ip: self.nas.ip,
            nas_identifier: self.nas.identifier,
            ssid: self.ap.as_ref().and_then(|ap| ap.ssid),
            ap_mac: self.ap.as_ref().map(|ap| &*ap.mac),
        }
    }

    fn add(&mut self, added: Added) {
        let Added { venue, company, facts, known, visits } = added;
        (self.venue, self.company, self.facts) = (venue, company, facts);
        if !known.is_empty() || !visits.is_empty() {
            let user = self.user.get_or_insert_with(|| User::named(""));
            (user.known, user.visits) = (known, visits);
        }
    }
}

/// Data that was posted, or that radhook tells of itself.
impl Tells for Cow<'_, Map<String, Value>> {
    const OF_PACKETS: bool = false;

    fn subject(&self) -> Subject<'_> {
        let said = |part: &str, key: &str| self.get(part)?.get(key)?.as_str().filter(|text| !text.is_empty());
        Subject {
            user: said("user", "name"),
            realm: said("user", "realm"),
            mac: said("client", "mac"),
            nas_ip: said("nas", "ip").and_then(|ip| ip.parse().ok()),
            nas_identifier: said("nas", "identifier"),
            ssid: said("ap", "ssid"),
            ap_mac: said("ap", "mac"),
        }
    }

    fn add(&mut self, added: Added) {
        let Added { venue, company, facts, known, visits } = added;
        for (key, value) in [("venue", venue), ("company", company), ("facts", facts)] {
            if let Some(value) = value.filter(|_| !self.contains_key(key)) {
                self.to_mut().insert(key.to_owned(), Value::clone(&value));
            }
        }
        let visits = visits.into_iter().map(|(venue, count)| (venue, count.into())).collect::<Map<_, Value>>();
        let visits =
            Some(visits).filter(|visits| !visits.is_empty()).map(|visits| ("visits".to_owned(), visits.into()));
        let of_user: Vec<(String, Value)> = known.into_iter().chain(visits).collect();
        if of_user.is_empty() {
            return;
        }
        let user = self.to_mut().entry("user").or_insert_with(|| Map::new().into());
        if let Value::Object(user) = user {
            of_user.into_iter().for_each(|(key, value)| {
                user.entry(key).or_insert(value);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn added() -> Added {
        let object = |value: Value| value.as_object().cloned().unwrap();
        Added {
            venue: Some(Arc::new(json!({ "id": 888 }))),
            company: Some(Arc::new(json!({ "id": 999 }))),
            facts: None,
            known: object(json!({ "id": 7, "email": "alice@example.org" })),
            visits: BTreeMap::from([("888".to_owned(), 2)]),
        }
    }

    #[test]
    fn what_a_post_says_already_stays_as_it_was_posted() {
        let posted = json!({ "user": { "name": "alice", "email": "own" }, "venue": null });
        let mut data = Cow::Borrowed(posted.as_object().unwrap());
        assert_eq!(data.subject().user, Some("alice"));
        data.add(added());
        assert_eq!(
            json!(data),
            json!({
                "user": { "name": "alice", "email": "own", "id": 7, "visits": { "888": 2 } },
                "venue": null,
                "company": { "id": 999 },
            })
        );
    }

    #[test]
    fn whoever_only_their_device_tells_of_has_no_name() {
        let mut data = Data::default();
        data.add(added());
        assert_eq!(
            json!(data),
            json!({
                "user": { "visits": { "888": 2 }, "id": 7, "email": "alice@example.org" },
                "venue": { "id": 888 },
                "company": { "id": 999 },
            })
        );
        let mut nothing = Data::default();
        nothing.add(Added::default());
        assert_eq!(json!(nothing), json!({}));
    }
}
