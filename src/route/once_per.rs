//! `once_per = { key = "user.name", window = "24h" }`: of the events that agree in a key only the first within a time.

use std::time::Duration;

use serde_json::Value;

use crate::event::Fingerprint;

/// A cap on how often an endpoint hears of the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OncePer {
    /// What has to agree: dotted fields of an event.
    fields: Vec<String>,
    /// For how long after one has passed no other passes.
    window: Duration,
}

/// Where a field of an event begins: the parts of `data`, or what stands beside it.
const PARTS: &[&str] = &[
    "user",
    "client",
    "nas",
    "ap",
    "venue",
    "company",
    "facts",
    "session",
    "auth",
    "attributes",
    "reply_attributes",
    "voucher",
    "type",
    "source",
];

impl OncePer {
    /// Of these fields, such as `user.name` or `attributes.Class`. A field that no event can have is an error: nothing would
    /// ever be capped. Returns the offending one.
    pub fn parse(fields: Vec<String>, window: Duration) -> Result<Self, String> {
        let fits = |field: &String| {
            let (part, rest) = field.split_once('.').unwrap_or((field, ""));
            PARTS.contains(&part) && (part == "type" || !rest.is_empty()) && !field.split('.').any(str::is_empty)
        };
        match fields.iter().find(|field| !fits(field)) {
            Some(unfit) => Err(unfit.clone()),
            None => Ok(Self { fields, window }),
        }
    }

    /// What has to agree.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// What stands for the key of an event, given as its native JSON; `None` where it lacks one of the fields: what cannot be
    /// compared is never held back.
    pub fn key(&self, event: &Value) -> Option<[u8; 16]> {
        let mut print = Fingerprint::new("once_per");
        for field in &self.fields {
            let value = field_of(event, field).filter(|value| !value.is_null())?;
            // The same text under another field is another key.
            print = print.text(Some(field)).text(Some(&value.to_string()));
        }
        Some(print.finish())
    }

    /// Until when nothing more of a key passes of which something passes at `now`, in milliseconds since 1970.
    pub fn until(&self, now: i64) -> i64 {
        now.saturating_add(i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whether something passes at `now` where nothing was to pass `until` then. A time further away than the window was
    /// written by a clock that has been set back since.
    pub fn passes(&self, until: Option<i64>, now: i64) -> bool {
        until.is_none_or(|until| now >= until || until > self.until(now))
    }
}

/// A field by its dotted name. Names of attributes may hold dots themselves (`Attr-26.9.250`), so that the longest that is
/// there counts.
fn field_of<'e>(event: &'e Value, field: &str) -> Option<&'e Value> {
    let top = match field.split('.').next() {
        Some("type" | "source") => event,
        _ => event.get("data")?,
    };
    descend(top, field)
}

fn descend<'e>(value: &'e Value, path: &str) -> Option<&'e Value> {
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    let cuts = path.match_indices('.').map(|(at, _)| at);
    cuts.rev().find_map(|at| descend(value.get(&path[..at])?, &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn once_per(fields: &[&str]) -> OncePer {
        OncePer::parse(fields.iter().map(|field| (*field).to_owned()).collect(), DAY).unwrap()
    }

    fn login(user: &str, ssid: &str) -> Value {
        json!({
            "type": "auth.accept",
            "data": {
                "user": { "name": user },
                "ap": { "ssid": ssid },
                "attributes": { "Class": ["a", "b"], "Attr-26.9.250": 1 },
            },
        })
    }

    #[test]
    fn events_agree_in_all_fields_or_are_told_apart() {
        let by_user = once_per(&["user.name"]);
        assert_eq!(by_user.key(&login("alice", "Guest")), by_user.key(&login("alice", "Staff")));
        assert_ne!(by_user.key(&login("alice", "Guest")), by_user.key(&login("bob", "Guest")));
        let by_both = once_per(&["user.name", "ap.ssid"]);
        assert_ne!(by_both.key(&login("alice", "Guest")), by_both.key(&login("alice", "Staff")));
        assert_ne!(by_both.key(&login("a", "b")), by_both.key(&login("b", "a")));
    }

    #[test]
    fn types_lists_and_attributes_with_dots_in_their_names_can_be_keys() {
        for field in ["type", "attributes.Class", "attributes.Attr-26.9.250"] {
            assert!(once_per(&[field]).key(&login("alice", "Guest")).is_some(), "{field}");
        }
    }

    #[test]
    fn an_event_without_the_field_is_not_held_back() {
        assert_eq!(once_per(&["user.name", "session.id"]).key(&login("alice", "Guest")), None);
        assert_eq!(once_per(&["user.name"]).key(&json!({ "data": { "user": { "name": null } } })), None);
    }

    #[test]
    fn a_field_that_no_event_has_is_refused() {
        for field in ["", "user", "usr.name", "user..name", "name", "data.user.name"] {
            assert_eq!(OncePer::parse(vec![field.to_owned()], DAY), Err(field.to_owned()));
        }
    }

    #[test]
    fn one_passes_in_the_window_and_the_next_behind_it_also_when_the_clock_is_set_back() {
        let cap = once_per(&["user.name"]);
        assert!(cap.passes(None, 1_000));
        let until = cap.until(1_000);
        assert_eq!(until, 86_401_000);
        assert!(!cap.passes(Some(until), 1_001) && !cap.passes(Some(until), until - 1));
        assert!(cap.passes(Some(until), until));
        assert!(cap.passes(Some(until), 999), "the clock was set back");
    }
}
