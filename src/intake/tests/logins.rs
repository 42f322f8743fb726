//! Logins and their sessions, the same packet by several paths, posted events, bookmarks.

use super::*;
use crate::exchange::{Bookmark, Post, Reply};
use crate::radius::Method;

fn attribute(id: AttributeId, value: &str) -> Attribute {
    Attribute { id, name: "t".into(), value: Value::Text(value.into()) }
}

/// An accept of this device, with what the reply says and the session that the request names.
fn accept(authenticator: u8, mac: &str, session: Option<&str>, class: Option<&str>) -> Exchange {
    let mut exchange = packet(START, "unused", 0);
    exchange.code = Code::ACCESS_REQUEST;
    exchange.request = Attributes::from_iter([attribute(numbers::CALLING_STATION_ID, mac)]);
    session.into_iter().for_each(|id| exchange.request.push(attribute(numbers::ACCT_SESSION_ID, id)));
    let attributes = class.map(|class| attribute(numbers::CLASS, class)).into_iter().collect();
    exchange.reply = Some(Reply { code: Code::ACCESS_ACCEPT, attributes, latency: None });
    exchange.login = Login { authenticator: Some([authenticator; 16]), method: Some(Method::Pap), rounds: Some(0) };
    exchange
}

/// An accounting packet of a device's session.
fn of(mac: &str, status: u64, session: &str, class: Option<&str>) -> Exchange {
    let mut exchange = packet(status, session, 0);
    exchange.request.push(attribute(numbers::CALLING_STATION_ID, mac));
    class.into_iter().for_each(|class| exchange.request.push(attribute(numbers::CLASS, class)));
    exchange
}

const ALICE: &str = "AA-BB-CC-DD-EE-01";
const BOB: &str = "AA-BB-CC-DD-EE-02";

#[test]
fn a_session_finds_its_login_by_its_own_id_or_by_class_and_device() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let logins = [accept(1, ALICE, Some("s-1"), None), accept(2, BOB, None, Some("staff"))];
    assert_eq!(take_in(&planner, &store, &logins), [Came::Event(EventType::AuthAccept); 2]);
    let sessions = [
        of(ALICE, START, "s-1", None),
        of(ALICE, INTERIM, "s-1", None),
        of(BOB, START, "s-2", Some("staff")),
        // The same Class on another device, and a session nobody logged in for.
        of(ALICE, START, "s-3", Some("staff")),
    ];
    take_in(&planner, &store, &sessions);
    let auth_id = |number| json(&store, number)["data"]["session"]["auth_id"].clone();
    assert_eq!(auth_id(2), json(&store, 0)["id"]);
    assert_eq!(auth_id(3), json(&store, 0)["id"], "the session keeps it");
    assert_eq!(auth_id(4), json(&store, 1)["id"]);
    assert!(auth_id(5).is_null());
}

#[test]
fn a_login_that_no_session_came_for_is_forgotten_after_a_day() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    take_in(&planner, &store, &[accept(1, ALICE, Some("s-1"), Some("staff"))]);
    let forget = |now| {
        let mut plan = planner.plan(&store);
        planner.forget_overdue(&mut plan, &store, now).unwrap();
        plan.commit(&store, Durability::Lazy).unwrap();
    };
    let kept = || store.range(b"L", b"Z", 100).unwrap().iter().filter(|(key, _)| b"LY".contains(&key[0])).count();
    assert_eq!(kept(), 4);
    forget(now() + 86_400_000 - 1);
    assert_eq!(kept(), 4);
    forget(now() + 86_400_001);
    assert_eq!(kept(), 0);
}

#[test]
fn a_login_seen_twice_is_one_event() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let twice = [accept(1, ALICE, None, None), accept(1, ALICE, None, None), accept(2, ALICE, None, None)];
    let event = Came::Event(EventType::AuthAccept);
    assert_eq!(take_in(&planner, &store, &twice), [event, Came::Repeat, event]);
}

#[test]
fn a_posted_event_is_kept_once_under_its_id() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["user.*"])], &store).unwrap();
    let id = crate::event::EventId::random();
    let post = Post {
        origin: packet(START, "a", 0).origin,
        received_at: "2026-11-22T10:00:00Z".parse().unwrap(),
        kind: EventType::UserCreated,
        id,
        timestamp: Some("2026-11-22T09:00:00Z".parse().unwrap()),
        data: serde_json::json!({ "user": { "name": "alice" } }).as_object().unwrap().clone(),
    };
    let take = |post: &Post| {
        let mut plan = planner.plan(&store);
        let came = planner.take_post(&mut plan, post, now()).unwrap();
        plan.commit(&store, Durability::Durable).unwrap();
        came
    };
    assert_eq!((take(&post), take(&post)), (Came::Event(EventType::UserCreated), Came::Repeat));
    let event = json(&store, 0);
    assert_eq!((&event["id"], &event["timestamp"]), (&id.to_string().into(), &"2026-11-22T09:00:00.000Z".into()));
    assert_eq!((&event["data"]["user"]["name"], &event["source"]["node"]), (&"alice".into(), &"node".into()));
    assert_eq!(tally(&store, "crm"), Tally { received: 1, pending: 1, ..Tally::default() });
}

#[test]
fn bookmarks_are_written_with_what_they_mark_and_found_by_their_source() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let mark = |source: &str, item: &[u8], place: Option<&[u8]>| {
        let mut plan = planner.plan(&store);
        let (item, place) = (item.to_vec(), place.map(<[u8]>::to_vec));
        planner.mark(&mut plan, &Bookmark { source: source.into(), item, place });
        plan.commit(&store, Durability::Durable).unwrap();
    };
    mark("detail", b"file-1", Some(b"17"));
    mark("detail", b"file-2", Some(b"0"));
    mark("detail-2", b"file-1", Some(b"99"));
    mark("detail", b"file-2", None);
    let found = store.range(&records::bookmark("detail", b""), b"Bdetail\x01", 10).unwrap();
    let items: Vec<_> =
        found.iter().map(|(key, place)| (records::read_bookmark("detail", key).unwrap(), &place[..])).collect();
    assert_eq!(items, [(&b"file-1"[..], &b"17"[..])]);
}

/// The same packet as FreeRADIUS passes it on: with a date of its own, so many seconds after the receipt.
fn stamped(exchange: &Exchange, after: i64) -> Exchange {
    let mut copy = exchange.clone();
    let seconds = exchange.received_at.as_second() + after;
    copy.request.push(Attribute {
        id: numbers::EVENT_TIMESTAMP,
        name: "t".into(),
        value: Value::Integer(seconds.cast_unsigned()),
    });
    copy
}

fn undated(status: u64, session: &str) -> Exchange {
    let mut exchange = packet(status, session, 0);
    exchange.request.remove(numbers::EVENT_TIMESTAMP);
    exchange
}

#[test]
fn a_packet_that_was_dated_on_one_path_only_is_one_event_whichever_comes_first() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let event = |kind| Came::Event(kind);
    let start = undated(START, "a");
    let relay_first = [start.clone(), stamped(&start, 0), stamped(&start, 1), start.clone()];
    let came = take_in(&planner, &store, &relay_first);
    assert_eq!(came, [event(EventType::SessionStart), Came::Repeat, Came::Repeat, Came::Repeat]);
    let stop = undated(STOP, "a");
    let spool_first = [stamped(&stop, 1), stop.clone(), stamped(&stop, 0), stamped(&stop, 2)];
    let came = take_in(&planner, &store, &spool_first);
    assert_eq!(came, [event(EventType::SessionStop), Came::Repeat, Came::Repeat, Came::Repeat]);
    // Dates of the NAS's own that lie further apart are two facts.
    let on = undated(7, "");
    let came = take_in(&planner, &store, &[stamped(&on, 0), stamped(&on, 60), stamped(&on, 61), stamped(&on, 0)]);
    assert_eq!(came, [event(EventType::NasOn), event(EventType::NasOn), Came::Repeat, Came::Repeat]);
}

#[test]
fn what_is_known_of_dates_is_forgotten_with_its_event() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let start = undated(START, "a");
    take_in(&planner, &store, &[stamped(&start, 0), undated(START, "b")]);
    settle(&planner, &store, "crm", 0, Then::Delivered);
    settle(&planner, &store, "crm", 1, Then::Delivered);
    let known = || store.range(b"T", b"V", 100).unwrap().len();
    assert_eq!(known(), 3);
    let mut plan = planner.plan(&store);
    planner.forget_events(&mut plan, &store, &options(0), now() + 7_200_000, 0).unwrap();
    plan.commit(&store, Durability::Lazy).unwrap();
    assert_eq!(known(), 0);
}
