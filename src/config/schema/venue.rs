//! `[[venue]]`, `[company]` and `[facts]`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::client::network;
use super::scalars::{facts, id, text};
use crate::config::reader::{Reader, shown};
use crate::config::tree::Place;
use crate::config::units::Complaint;
use crate::config::value::{name, number, one_or_more, parsed};
use crate::route::venue::mac_pattern;
use crate::route::{Enrichment, Matcher, Venue, Venues};

/// The most venues: every shop of a large chain.
const MAX_VENUES: usize = 10_000;

/// The most values of one key of `match`: every access point of a large house.
const MAX_VALUES: usize = 1_024;

/// Degrees (WGS 84).
const LATITUDE: RangeInclusive<f64> = -90.0..=90.0;
const LONGITUDE: RangeInclusive<f64> = -180.0..=180.0;

/// What `data.venue` has besides facts.
const OF_VENUES: &[&str] = &["id", "name", "organization", "latitude", "longitude"];

/// Everything that the config adds to events by itself.
pub(super) fn enrichment(top: &mut Reader<'_>) -> Enrichment {
    let company = top.table("company", |company| {
        let (id, name) = (company.optional("id", id), company.optional("name", name));
        if id.is_none() && name.is_none() && !company.has("id") && !company.has("name") {
            company.problem("[company] says nothing", "give it an `id` or a `name`, or remove it");
        }
        told([("id", id), ("name", name.map(|name| Json::from(&*name)))], Map::new())
    });
    let facts = top.optional("facts", facts(&[])).filter(|facts| !facts.is_empty());
    Enrichment { venues: venues(top), company, facts: facts.map(|facts| Arc::new(facts.into())) }
}

fn venues(top: &mut Reader<'_>) -> Venues {
    // The first of each id, and the first that leaves nothing to those behind it.
    let (mut ids, mut everything) = (BTreeMap::<String, Place>::new(), None);
    let venues = top.tables("venue", MAX_VENUES, |table| {
        let id = table.optional("id", id);
        let name = table.optional("name", name);
        let organization = table.optional("organization", crate::config::value::name);
        let latitude = table.optional("latitude", number(LATITUDE));
        let longitude = table.optional("longitude", number(LONGITUDE));
        let facts = table.optional("facts", facts(OF_VENUES)).unwrap_or_default();
        let matcher = table.table("match", matcher).unwrap_or_default();

        let (scope, place) = (table.scope(), table.place_of("match"));
        if !table.has("id") && !table.has("name") {
            table.problem("[[venue]] needs `id` or `name`", "add id = 888");
        }
        if table.has("latitude") != table.has("longitude") {
            table.problem("one of `latitude` and `longitude` says nowhere", "add the other");
        }
        if let Some(first) = everything {
            let what = "nothing is ever at this venue: an earlier one is everywhere";
            scope.warn(place, what, format!("move {} behind it, or give it a `match`", scope.point_to(first)));
        } else if matcher.is_empty() {
            everything = Some(place);
        }
        let id_text = id.as_ref().map(text);
        if let Some(text) = &id_text {
            match ids.get(text) {
                Some(first) => {
                    let what =
                        format!("another venue has the id {}, and visits to both are counted as one", shown(text));
                    let help = format!("the first is at {}", scope.point_to(*first));
                    scope.warn(table.place_of("id"), what, help);
                }
                None => {
                    ids.insert(text.clone(), table.place_of("id"));
                }
            }
        }
        let text = |text: Option<Arc<str>>| text.map(|text| Json::from(&*text));
        let told = told(
            [
                ("id", id),
                ("name", text(name)),
                ("organization", text(organization)),
                ("latitude", latitude.map(Json::from)),
                ("longitude", longitude.map(Json::from)),
            ],
            facts,
        );
        Some(Venue { id: id_text, matcher, told })
    });
    Venues::new(venues.unwrap_or_default())
}

fn told<const N: usize>(own: [(&str, Option<Json>); N], facts: Map<String, Json>) -> Arc<Json> {
    let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Arc::new(Json::Object(own.chain(facts).collect()))
}

fn matcher(table: &mut Reader<'_>) -> Matcher {
    const EXPECTED: &str = "a text, or an array of them";
    let glob = || {
        parsed("a text in quotes", |text| match text {
            "" => Err(Complaint::new("which matches nothing", "* stands for any characters")),
            _ => Ok(text.to_owned()),
        })
    };
    let mac = parsed("a MAC address or the beginning of one", |text| match mac_pattern(text) {
        Some(pattern) if fits_macs(&pattern) => Ok(pattern),
        _ => Err(Complaint::new("which is no MAC address", "write it like \"00-11-22-33-44-55\" or \"00-11-22-*\"")),
    });
    let globs = |patterns: Option<Vec<String>>| patterns.unwrap_or_default();
    Matcher {
        nas_identifier: globs(table.optional("nas_identifier", one_or_more(EXPECTED, MAX_VALUES, glob()))),
        nas_ip: table
            .optional(
                "nas_ip",
                one_or_more("an address or network, or an array", MAX_VALUES, parsed("a text", network)),
            )
            .unwrap_or_default()
            .into_iter()
            .map(|network| network.trunc())
            .collect(),
        ssid: globs(table.optional("ssid", one_or_more(EXPECTED, MAX_VALUES, glob()))),
        ap_mac: globs(table.optional("ap_mac", one_or_more(EXPECTED, MAX_VALUES, mac))),
        realm: globs(table.optional("realm", one_or_more(EXPECTED, MAX_VALUES, glob())))
            .into_iter()
            .map(|pattern| pattern.to_lowercase())
            .collect(),
    }
}

/// Whether some MAC can match: it has twelve digits.
fn fits_macs(pattern: &str) -> bool {
    let digits = pattern.chars().filter(|character| *character != '*').count();
    digits == 12 || (digits < 12 && pattern.contains('*'))
}
