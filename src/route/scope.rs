//! `venues = [888, "lobby-*"]`, `organization = "acme"`: only events from there.

use serde_json::Value;

use super::glob::glob;

/// Where an endpoint's events come from. What happened at no known venue is from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Ids of venues, or globs over their ids and names; empty for every venue.
    pub venues: Vec<String>,
    /// The venues' organization; `None` for every one.
    pub organization: Option<String>,
}

impl Scope {
    /// Whether an event, given as its native JSON, is from within.
    pub fn holds(&self, event: &Value) -> bool {
        let Some(venue) = event.get("data").and_then(|data| data.get("venue")).filter(|venue| venue.is_object()) else {
            return false;
        };
        let said = |key: &str| match venue.get(key) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(number @ Value::Number(_)) => Some(number.to_string()),
            _ => None,
        };
        let (id, name) = (said("id"), said("name"));
        let is_it = |pattern: &String| [&id, &name].into_iter().flatten().any(|known| glob(pattern, known));
        let is_theirs = self.organization.as_ref().is_none_or(|wanted| said("organization").as_ref() == Some(wanted));
        is_theirs && (self.venues.is_empty() || self.venues.iter().any(is_it))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope(venues: &[&str], organization: Option<&str>) -> Scope {
        Scope {
            venues: venues.iter().map(|venue| (*venue).to_owned()).collect(),
            organization: organization.map(str::to_owned),
        }
    }

    fn at(venue: Value) -> Value {
        json!({ "type": "auth.accept", "data": { "venue": venue } })
    }

    #[test]
    fn venues_are_known_by_their_id_or_by_a_glob_over_their_name() {
        let lobby = at(json!({ "id": 888, "name": "lobby-1", "organization": "acme" }));
        for venues in [&["888"][..], &["7", "lobby-*"], &["lobby-1"], &["*"]] {
            assert!(scope(venues, None).holds(&lobby), "{venues:?}");
        }
        for venues in [&["88"][..], &["lobby"], &["Lobby-*"]] {
            assert!(!scope(venues, None).holds(&lobby), "{venues:?}");
        }
        assert!(scope(&["bar"], None).holds(&at(json!({ "id": "bar" }))));
    }

    #[test]
    fn an_organization_has_all_its_venues_and_both_must_agree() {
        let lobby = at(json!({ "id": 888, "name": "lobby-1", "organization": "acme" }));
        assert!(scope(&[], Some("acme")).holds(&lobby) && scope(&["888"], Some("acme")).holds(&lobby));
        assert!(!scope(&[], Some("other")).holds(&lobby) && !scope(&["7"], Some("acme")).holds(&lobby));
        assert!(!scope(&[], Some("acme")).holds(&at(json!({ "id": 888 }))));
    }

    #[test]
    fn what_happened_at_no_known_venue_is_outside() {
        for event in [json!({}), json!({ "data": {} }), at(Value::Null), at(json!("888")), json!([])] {
            assert!(!scope(&["*"], None).holds(&event) && !scope(&[], Some("acme")).holds(&event), "{event}");
        }
    }
}
