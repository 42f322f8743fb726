//! `[[venue]]`: where an event happened. The first venue whose conditions all hold is it.
//!
//! Most venues name something whole: an identifier, an address, a network's name. Those are found by it, however many there are;
//! only the others are gone through one by one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::glob::{glob, is_plain};

/// One `[[venue]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Venue {
    /// Its id, as a text: what visits are counted by.
    pub id: Option<String>,
    /// What has to hold.
    pub matcher: Matcher,
    /// `data.venue`.
    pub told: Arc<Value>,
}

/// What has to hold: of each list that is not empty, one. Nothing at all always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Globs over NAS-Identifier.
    pub nas_identifier: Vec<String>,
    /// Networks of the NAS.
    pub nas_ip: Vec<IpNet>,
    /// Globs over the name of the wireless network.
    pub ssid: Vec<String>,
    /// Globs over the access point's MAC, by [`mac_pattern`].
    pub ap_mac: Vec<String>,
    /// Globs over the user's realm, in small letters.
    pub realm: Vec<String>,
}

/// Where an event happened, by what it says. Absent facts match no condition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The NAS's address, IPv4 not written as IPv6.
    pub nas_ip: Option<IpAddr>,
    /// NAS-Identifier.
    pub nas_identifier: Option<&'a str>,
    /// The name of the wireless network.
    pub ssid: Option<&'a str>,
    /// The access point's MAC, in any notation.
    pub ap_mac: Option<&'a str>,
    /// The user's realm.
    pub realm: Option<&'a str>,
}

/// All venues, in the order of the config.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Venues {
    venues: Vec<Venue>,
    /// Those that can be found by something whole, each under one kind of it.
    found: HashMap<Whole, Vec<usize>>,
    /// The others.
    rest: Vec<usize>,
}

/// Something whole that a venue asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whole {
    Identifier(String),
    Address(IpAddr),
    Ssid(String),
    ApMac(String),
    Realm(String),
}

/// A glob over MACs without what parts their digits, in capitals: every notation is the same one. `None` where something else
/// than digits, separators and `*` stands in it.
pub fn mac_pattern(pattern: &str) -> Option<String> {
    let kept = pattern.chars().filter(|character| !matches!(character, ':' | '-' | '.'));
    let pattern: String = kept.map(|character| character.to_ascii_uppercase()).collect();
    pattern.chars().all(|character| character == '*' || character.is_ascii_hexdigit()).then_some(pattern)
}

impl Matcher {
    /// Whether it always holds.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `ap_mac` and `realm` of the place are as the patterns are.
    fn holds(&self, place: &Place<'_>, ap_mac: Option<&str>, realm: Option<&str>) -> bool {
        let any = |patterns: &[String], text: Option<&str>| {
            patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| glob(pattern, text)))
        };
        any(&self.nas_identifier, place.nas_identifier)
            && (self.nas_ip.is_empty()
                || place.nas_ip.is_some_and(|ip| self.nas_ip.iter().any(|net| net.contains(&ip))))
            && any(&self.ssid, place.ssid)
            && any(&self.ap_mac, ap_mac)
            && any(&self.realm, realm)
    }

    /// All that it can be found by; `None` where one may match that names nothing whole.
    fn wholes(&self) -> Option<Vec<Whole>> {
        let plain = |patterns: &[String], whole: fn(String) -> Whole| {
            let fits = !patterns.is_empty() && patterns.iter().all(|pattern| is_plain(pattern));
            fits.then(|| patterns.iter().cloned().map(whole).collect::<Vec<_>>())
        };
        let is_one = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
        let addresses = || {
            let fits = !self.nas_ip.is_empty() && self.nas_ip.iter().all(is_one);
            fits.then(|| self.nas_ip.iter().map(|net| Whole::Address(net.addr())).collect())
        };
        plain(&self.nas_identifier, Whole::Identifier)
            .or_else(|| plain(&self.ap_mac, Whole::ApMac))
            .or_else(addresses)
            .or_else(|| plain(&self.realm, Whole::Realm))
            .or_else(|| plain(&self.ssid, Whole::Ssid))
    }
}

impl Venues {
    /// These, in this order.
    pub fn new(venues: Vec<Venue>) -> Self {
        let (mut found, mut rest) = (HashMap::<Whole, Vec<usize>>::new(), Vec::new());
        for (at, venue) in venues.iter().enumerate() {
            match venue.matcher.wholes() {
                Some(wholes) => wholes.into_iter().for_each(|whole| found.entry(whole).or_default().push(at)),
                None => rest.push(at),
            }
        }
        Self { venues, found, rest }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.venues.is_empty()
    }

    /// In the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = &Venue> {
        self.venues.iter()
    }

    /// The first that matches.
    pub fn find(&self, place: &Place<'_>) -> Option<&Venue> {
        if self.is_empty() {
            return None;
        }
        let ap_mac = place.ap_mac.and_then(mac_pattern);
        let realm = place.realm.map(str::to_lowercase);
        let (ap_mac, realm) = (ap_mac.as_deref(), realm.as_deref());
        let holds = |at: &usize| self.venues[*at].matcher.holds(place, ap_mac, realm);
        let wholes = [
            place.nas_identifier.map(|text| Whole::Identifier(text.to_owned())),
            place.nas_ip.map(Whole::Address),
            place.ssid.map(|text| Whole::Ssid(text.to_owned())),
            ap_mac.map(|text| Whole::ApMac(text.to_owned())),
            realm.map(|text| Whole::Realm(text.to_owned())),
        ];
        let listed = |whole: &Whole| self.found.get(whole).and_then(|at| at.iter().copied().find(holds));
        let first = wholes.iter().flatten().filter_map(listed).min();
        let before = |at: &&usize| first.is_none_or(|first| **at < first);
        let first = self.rest.iter().take_while(before).copied().find(holds).or(first);
        first.map(|at| &self.venues[at])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn venue(id: &str, matcher: Matcher) -> Venue {
        Venue { id: Some(id.to_owned()), matcher, told: Arc::new(json!({ "id": id })) }
    }

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[track_caller]
    fn is_at(venues: &Venues, place: Place<'_>, id: Option<&str>) {
        assert_eq!(venues.find(&place).and_then(|venue| venue.id.as_deref()), id, "{place:?}");
    }

    #[test]
    fn the_first_that_matches_is_it_whichever_way_it_is_found() {
        let named = |texts| Matcher { nas_identifier: list(texts), ..Matcher::default() };
        let venues = Venues::new(vec![
            venue("1", named(&["bar", "lobby"])),
            venue("2", named(&["lobby*"])),
            venue("3", named(&["lobby-2"])),
            venue("4", Matcher { nas_ip: nets(&["192.0.2.1/32"]), ..Matcher::default() }),
            venue("5", Matcher::default()),
        ]);
        let at = |nas_identifier| Place { nas_identifier: Some(nas_identifier), ..Place::default() };
        is_at(&venues, at("lobby"), Some("1"));
        is_at(&venues, at("lobby-2"), Some("2"));
        is_at(&venues, at("pool"), Some("5"));
        is_at(&venues, Place { nas_ip: Some([192, 0, 2, 1].into()), ..at("pool") }, Some("4"));
        is_at(&venues, Place { nas_ip: Some([192, 0, 2, 1].into()), ..at("bar") }, Some("1"));
        is_at(&venues, Place::default(), Some("5"));
    }

    #[test]
    fn all_keys_have_to_match_and_of_each_any() {
        let venues = Venues::new(vec![venue(
            "1",
            Matcher {
                nas_identifier: list(&["lobby-*"]),
                nas_ip: nets(&["10.1.0.0/16", "2001:db8::/32"]),
                ssid: list(&["Guest", "Free*"]),
                ap_mac: vec![mac_pattern("00-11-22-*").unwrap()],
                realm: list(&["*.example.org"]),
            },
        )]);
        let place = Place {
            nas_ip: Some([10, 1, 2, 3].into()),
            nas_identifier: Some("lobby-1"),
            ssid: Some("Guest"),
            ap_mac: Some("0011.2233.4455"),
            realm: Some("Rooms.Example.org"),
        };
        is_at(&venues, place, Some("1"));
        is_at(&venues, Place { nas_ip: "2001:db8::1".parse().ok(), ssid: Some("Free Wi-Fi"), ..place }, Some("1"));
        for other in [
            Place { nas_ip: Some([10, 2, 2, 3].into()), ..place },
            Place { nas_ip: None, ..place },
            Place { nas_identifier: Some("bar"), ..place },
            Place { ssid: Some("guest"), ..place },
            Place { ap_mac: Some("00-11-23-33-44-55"), ..place },
            Place { realm: Some("example.org"), ..place },
            Place { realm: None, ..place },
        ] {
            is_at(&venues, other, None);
        }
    }

    #[test]
    fn the_notation_of_macs_does_not_count() {
        for pattern in ["00-11-22-*", "00:11:22:*", "0011.22*", "001122*"] {
            assert_eq!(mac_pattern(pattern).as_deref(), Some("001122*"));
        }
        assert_eq!(mac_pattern("*-ab").as_deref(), Some("*AB"));
        assert_eq!(mac_pattern("00-11-2x-*"), None);
    }
}
