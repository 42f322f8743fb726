//! Who an event is for beyond its type: those whose format has a word for it, and within whose venues it happened.

use serde_json::{Value, json};

use super::*;
use crate::event::EventId;
use crate::exchange::Post;
use crate::intake::replay::Rows;
use crate::render::Dialect;
use crate::route::{OncePer, Scope};

fn posted(kind: EventType, data: Value) -> Post {
    let Value::Object(data) = data else { panic!("an object") };
    let origin =
        Origin { source: "local".into(), kind: "local", client: "here".into(), address: "127.0.0.1".parse().unwrap() };
    Post {
        origin,
        received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
        kind,
        id: EventId::random(),
        timestamp: None,
        data,
    }
}

fn post(planner: &Planner, store: &dyn Store, kind: EventType, data: Value) {
    let mut plan = planner.plan(store);
    planner.take_post(&mut plan, &posted(kind, data), now()).unwrap();
    planner.ring(plan.commit(store, Durability::Durable).unwrap());
}

fn speaking(name: &str, dialect: Dialect, patterns: &[&str]) -> Route {
    Route { format: Format::Dialect(dialect), ..route(name, patterns) }
}

fn counts(store: &dyn Store, name: &str) -> (u64, u64) {
    let Tally { received, pending, filtered, .. } = tally(store, name);
    assert_eq!(received, pending + filtered);
    (pending, filtered)
}

fn by_user() -> Option<OncePer> {
    OncePer::parse(vec!["user.name".to_owned()], Duration::from_secs(3600)).ok()
}

#[test]
fn an_event_without_a_word_is_filtered_and_uses_up_no_cap() {
    let store = MemoryStore::default();
    let capped = wanting(speaking("capped", Dialect::SignIn, &["session.*"]), None, by_user());
    let all = speaking("all", Dialect::SignIn, &["session.*"]);
    let native = wanting(route("native", &["session.*"]), None, by_user());
    let planner = Planner::new("node".into(), vec![capped, all, native], &store).unwrap();
    let start = |session: Value| json!({ "user": { "name": "alice" }, "session": session });
    let resumed = json!({ "unique_id": "b", "previous": { "unique_id": "a" } });
    // Its `session.resumed` has the word, which follows it.
    post(&planner, &store, EventType::SessionStart, start(resumed.clone()));
    assert_eq!((counts(&store, "capped"), counts(&store, "native")), ((0, 1), (1, 0)));
    post(&planner, &store, EventType::SessionResumed, start(resumed));
    post(&planner, &store, EventType::SessionStart, start(json!({ "unique_id": "c" })));
    assert_eq!(counts(&store, "capped"), (1, 2));
    assert_eq!(counts(&store, "all"), (2, 1));
    assert_eq!(counts(&store, "native"), (1, 2));
}

#[test]
fn an_event_from_outside_the_scope_is_filtered_and_uses_up_no_cap() {
    let store = MemoryStore::default();
    let scope = Some(Scope { venues: vec!["888".to_owned()], organization: None });
    let lobby = wanting(route("lobby", &["auth.*"]), scope, by_user());
    let planner = Planner::new("node".into(), vec![lobby], &store).unwrap();
    let at = |venue: u64| json!({ "user": { "name": "alice" }, "venue": { "id": venue } });
    post(&planner, &store, EventType::AuthAccept, at(7));
    post(&planner, &store, EventType::AuthAccept, json!({ "user": { "name": "alice" } }));
    assert_eq!(counts(&store, "lobby"), (0, 2));
    post(&planner, &store, EventType::AuthAccept, at(888));
    post(&planner, &store, EventType::AuthAccept, at(888));
    assert_eq!(counts(&store, "lobby"), (1, 3));
}

#[test]
fn a_replay_leaves_out_what_is_not_for_the_endpoint() {
    let store = MemoryStore::default();
    let routes = vec![speaking("signin", Dialect::SignIn, &["auth.*"])];
    let planner = Planner::new("node".into(), routes, &store).unwrap();
    post(&planner, &store, EventType::AuthChallenge, json!({ "auth": { "rounds": 2 } }));
    post(&planner, &store, EventType::AuthReject, json!({}));
    settle(&planner, &store, "signin", 1, Then::Delivered);
    let mut plan = planner.plan(&store);
    let replayed = planner.replay(&mut plan, &mut Rows::default(), "signin", &[0, 1], false, now()).unwrap().unwrap();
    assert_eq!((replayed.queued, replayed.not_wanted), (1, 1));
}

#[test]
fn the_house_tells_nothing_to_those_who_want_to_hear_of_some_venues_only() {
    let store = MemoryStore::default();
    let scope = Some(Scope { venues: Vec::new(), organization: Some("acme".to_owned()) });
    let of_acme = wanting(route("acme", &["endpoint.*"]), scope, None);
    let planner =
        Planner::new("node".into(), vec![route("crm", &["auth.*"]), of_acme, route("ops", &["endpoint.*"])], &store);
    let planner = planner.unwrap();
    let turn = planner.turned_by_hand(&store, "crm", Some("by hand".to_owned()), now()).unwrap().unwrap().unwrap();
    let mut plan = planner.plan(&store);
    planner.turn(&mut plan, &turn, now()).unwrap();
    plan.commit(&store, Durability::Durable).unwrap();
    assert_eq!((counts(&store, "ops"), counts(&store, "acme")), ((1, 0), (0, 0)));
}
