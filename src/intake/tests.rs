use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::*;
use crate::event::EventType;
use crate::exchange::{Exchange, Login, Origin};
use crate::radius::{Attribute, AttributeId, Attributes, Code, Value, numbers};
use crate::render::Format;
use crate::route::{Interest, OncePer, Scope, Subscription};
use crate::store::bell::Bell;
use crate::store::history;
use crate::store::memory::MemoryStore;
use crate::store::queue::{self, Outcome, Then};
use crate::store::records::{self, Attempt, EventRecord, Tally};
use crate::store::standing::Report;
use crate::store::{Bytes, Key};

mod logins;
mod model;
mod offer;
mod stories;
mod words;

const START: u64 = 1;
const STOP: u64 = 2;
const INTERIM: u64 = 3;

fn packet(status: u64, session: &str, time: u64) -> Exchange {
    let text = |id: AttributeId, value: &str| Attribute { id, name: "t".into(), value: Value::Text(value.into()) };
    let number = |id: AttributeId, value| Attribute { id, name: "n".into(), value: Value::Integer(value) };
    Exchange {
        origin: Origin {
            source: "acct".into(),
            kind: "accounting",
            client: "nas".into(),
            address: "127.0.0.1".parse().unwrap(),
        },
        received_at: "2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap(),
        code: Code::ACCOUNTING_REQUEST,
        reply: None,
        login: Login::default(),
        request: Attributes::from_iter([
            number(numbers::ACCT_STATUS_TYPE, status),
            text(numbers::ACCT_SESSION_ID, session),
            number(numbers::ACCT_SESSION_TIME, time),
            number(numbers::EVENT_TIMESTAMP, 1_795_342_000 + time),
        ]),
        swap_octets: false,
    }
}

fn route(name: &str, patterns: &[&str]) -> Route {
    Route {
        name: name.into(),
        interest: Interest {
            subscription: Subscription::parse(patterns.iter().copied()).unwrap(),
            ..Interest::default()
        },
        format: Format::default(),
        in_session_order: true,
        coalesces_updates: false,
        bell: Arc::new(Bell::default()),
    }
}

/// The same, of what this wants beside its types.
fn wanting(route: Route, scope: Option<Scope>, once_per: Option<OncePer>) -> Route {
    Route { interest: Interest { scope, once_per, ..route.interest.clone() }, ..route }
}

fn options(keep_records: u64) -> StoreOptions {
    StoreOptions {
        path: "unused".into(),
        max_size: u64::MAX,
        journal_keep: 0,
        history_keep: Duration::from_secs(3600),
        history_max_records: keep_records,
    }
}

fn now() -> i64 {
    "2026-11-22T10:00:01Z".parse::<Timestamp>().unwrap().as_millisecond()
}

/// Plans and commits these exchanges, and says what came of each.
fn take_in(planner: &Planner, store: &dyn Store, exchanges: &[Exchange]) -> Vec<Came> {
    let mut plan = planner.plan(store);
    let came = exchanges.iter().map(|exchange| planner.take_in(&mut plan, exchange, now()).unwrap()).collect();
    let rung = plan.commit(store, Durability::Durable).unwrap();
    planner.ring(rung);
    came
}

fn settle(planner: &Planner, store: &dyn Store, endpoint: &str, event: EventNumber, then: Then) {
    let mut plan = planner.plan(store);
    let attempt = Attempt { at: 0, took_ms: 1, status: Some(200), error: None };
    let outcome = Outcome { endpoint: planner.id(endpoint).unwrap(), event, attempt, then, exchange: None };
    planner.settle(&mut plan, &outcome, now()).unwrap();
    planner.ring(plan.commit(store, Durability::Lazy).unwrap());
}

fn tally(store: &dyn Store, name: &str) -> Tally {
    queue::endpoints(store).unwrap().into_iter().find(|(known, _)| known == name).unwrap().1.tally
}

fn json(store: &dyn Store, number: EventNumber) -> serde_json::Value {
    let key = records::event(number);
    serde_json::from_slice(&EventRecord::decode(&key, &store.get(&key).unwrap().unwrap()).unwrap().json).unwrap()
}

#[test]
fn start_and_stop_of_a_session_in_one_batch_are_one_story_in_order() {
    let store = MemoryStore::default();
    let crm = route("crm", &["session.*"]);
    let planner = Planner::new("node".into(), vec![crm.clone()], &store).unwrap();
    let came = take_in(&planner, &store, &[packet(START, "a", 0), packet(STOP, "a", 60), packet(START, "b", 0)]);
    assert_eq!(
        came,
        [
            Came::Event(EventType::SessionStart),
            Came::Event(EventType::SessionStop),
            Came::Event(EventType::SessionStart)
        ]
    );
    assert_eq!(json(&store, 0)["data"]["session"]["unique_id"], json(&store, 1)["data"]["session"]["unique_id"]);
    assert_eq!(json(&store, 1)["data"]["session"]["delta"]["duration"], 60);
    let ready = |now| queue::due(&store, 0, (0, 0), now, 10).unwrap();
    assert_eq!(ready(now()), [(now(), 0), (now(), 2)], "the stop waits for its start");
    assert_eq!(crm.bell.take().earliest, Some((now(), 0)));
    settle(&planner, &store, "crm", 0, Then::Delivered);
    let rung = crm.bell.take();
    assert_eq!((rung.settled, rung.earliest), (vec![0], Some((now(), 1))), "the stop is let go");
}

#[test]
fn a_repeat_makes_no_second_event_in_the_same_batch_or_later() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["session.*"])], &store).unwrap();
    let twice = [packet(START, "a", 0), packet(START, "a", 0)];
    assert_eq!(take_in(&planner, &store, &twice), [Came::Event(EventType::SessionStart), Came::Repeat]);
    assert_eq!(take_in(&planner, &store, &twice), [Came::Repeat, Came::Repeat]);
    assert_eq!(tally(&store, "crm"), Tally { received: 1, pending: 1, ..Tally::default() });
}

#[test]
fn every_endpoint_accounts_for_every_event() {
    let store = MemoryStore::default();
    let routes = vec![route("all", &["*"]), route("stops", &["session.stop"])];
    let planner = Planner::new("node".into(), routes, &store).unwrap();
    take_in(
        &planner,
        &store,
        &[packet(START, "a", 0), packet(INTERIM, "a", 9), packet(STOP, "a", 10), packet(7, "", 0)],
    );
    assert_eq!(tally(&store, "all"), Tally { received: 4, pending: 4, ..Tally::default() });
    assert_eq!(tally(&store, "stops"), Tally { received: 4, filtered: 3, pending: 1, ..Tally::default() });
    settle(&planner, &store, "stops", 2, Then::Dead);
    assert_eq!(tally(&store, "stops"), Tally { received: 4, filtered: 3, dead: 1, ..Tally::default() });
}

#[test]
fn an_endpoint_that_left_the_config_keeps_its_backlog_and_finds_it_again() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("old", &["*"])], &store).unwrap();
    take_in(&planner, &store, &[packet(START, "a", 0)]);
    let planner = Planner::new("node".into(), vec![route("new", &["*"])], &store).unwrap();
    take_in(&planner, &store, &[packet(STOP, "a", 5)]);
    assert_eq!((tally(&store, "old").pending, tally(&store, "new").pending), (1, 1));
    let planner = Planner::new("node".into(), vec![route("new", &["*"]), route("old", &["*"])], &store).unwrap();
    take_in(&planner, &store, &[packet(START, "b", 3)]);
    assert_eq!(tally(&store, "old"), Tally { received: 2, pending: 2, ..Tally::default() });
}

#[test]
fn history_forgets_what_is_settled_and_keeps_what_is_pending_or_dead() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let packets: Vec<_> = (0..6).map(|n| packet(START, &n.to_string(), 0)).collect();
    take_in(&planner, &store, &packets);
    [0, 3, 5].into_iter().for_each(|event| settle(&planner, &store, "crm", event, Then::Delivered));
    settle(&planner, &store, "crm", 1, Then::Dead);
    let forget = |keep| {
        let mut plan = planner.plan(&store);
        planner.forget_events(&mut plan, &store, &options(keep), now(), 0).unwrap();
        plan.commit(&store, Durability::Lazy).unwrap();
        let events = store.range(b"E", b"F", 100).unwrap();
        events.iter().filter_map(|(key, _)| records::read_event(key)).collect::<Vec<_>>()
    };
    assert_eq!(forget(2), [1, 2, 4, 5], "0 and 3 were delivered and are not among the last two");
    assert_eq!(store.range(b"H", b"I", 100).unwrap().len(), 1, "their delivery records went with them");
    assert_eq!(take_in(&planner, &store, &packets[2..3]), [Came::Repeat], "a kept event is still known");
    settle(&planner, &store, "crm", 2, Then::Delivered);
    assert_eq!(forget(2), [1, 4, 5], "2 goes as soon as it is delivered");
    let mut plan = planner.plan(&store);
    assert_eq!(planner.revive(&mut plan, "crm", &[1, 0], now()).unwrap(), 1);
    plan.commit(&store, Durability::Durable).unwrap();
    settle(&planner, &store, "crm", 1, Then::Delivered);
    assert_eq!(forget(0), [4]);
    assert_eq!(tally(&store, "crm"), Tally { received: 6, pending: 1, delivered: 5, ..Tally::default() });
    assert!(store.range(b"T", b"U", 100).unwrap().len() == 1, "facts are forgotten with their events");
}

#[test]
fn the_history_gives_way_when_the_store_needs_its_room_but_never_what_is_pending_or_new() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    let packets: Vec<_> = (0..1_300).map(|n| packet(START, &n.to_string(), 0)).collect();
    take_in(&planner, &store, &packets);
    (0..1_300).filter(|event| *event != 7).for_each(|event| settle(&planner, &store, "crm", event, Then::Delivered));
    let kept = || {
        let events = store.range(b"E", b"F", 2_000).unwrap();
        events.iter().filter_map(|(key, _)| records::read_event(key)).collect::<Vec<_>>()
    };
    let forget = |wanted| {
        let mut given_back = 0;
        loop {
            let before = kept().len();
            let mut plan = planner.plan(&store);
            let forgot = planner.forget_events(&mut plan, &store, &options(5_000), now(), wanted).unwrap();
            plan.commit(&store, Durability::Lazy).unwrap();
            given_back += forgot.given_back;
            assert!(before - kept().len() <= history::PIECE + 1, "acknowledgements wait for a piece at most");
            if !forgot.more {
                return (given_back, kept());
            }
        }
    };
    let all: Vec<EventNumber> = (0..1_300).collect();
    assert_eq!(forget(0), (0, all), "nothing is due, nobody needs room");
    let (given_back, left) = forget(1);
    assert!(given_back > 0);
    assert_eq!(left, (1..1_300).collect::<Vec<_>>(), "one event is room enough");
    let expected: Vec<EventNumber> = [7].into_iter().chain(300..1_300).collect();
    assert_eq!(forget(u64::MAX).1, expected, "the pending one and the newest stay");
    assert_eq!(tally(&store, "crm"), Tally { received: 1_300, delivered: 1_299, pending: 1, ..Tally::default() });
    settle(&planner, &store, "crm", 7, Then::Delivered);
    assert_eq!(forget(0).1, expected[1..], "and that goes once it is delivered");
}

#[test]
fn room_is_made_from_three_quarters_down_to_a_half_and_not_twice_for_the_same_bytes() {
    let mut room = Room::default();
    let begun = Instant::now();
    let at = |seconds| begun + Duration::from_secs(seconds);
    assert_eq!(room.wanted(750, 1000, at(0)), 0);
    assert_eq!(room.wanted(800, 1000, at(1)), 300);
    room.gave_back(100, at(1));
    assert_eq!(room.wanted(900, 1000, at(2)), 200, "the rest, whatever came in meanwhile");
    room.gave_back(250, at(2));
    assert_eq!(room.wanted(900, 1000, at(3)), 0, "no checkpoint has shown it yet");
    assert_eq!(room.wanted(900, 1000, at(11)), 400);
    assert_eq!(room.wanted(600, 1000, at(12)), 0, "there is room again, from elsewhere");
}

#[test]
fn readiness_comes_back_by_itself_when_the_store_accepts_again_though_nobody_sends() {
    let store = Arc::new(Moody::default());
    let table: Arc<dyn Store> = store.clone();
    let planner = Planner::new("node".into(), vec![], &*table).unwrap();
    let (ends, _ended) = oneshot::channel();
    let (intake, thread) = start(Arc::clone(&table), planner, options(100), ends).unwrap();
    store.refuses.store(true, Ordering::SeqCst);
    let (tell, told) = crossbeam_channel::unbounded();
    let done = move |stored| tell.send(stored).unwrap();
    intake.submissions.send(Submission::of(vec![packet(START, "a", 0)], done)).unwrap();
    assert_eq!(told.recv(), Ok(Stored::No));
    assert!(intake.health.refusal().is_some());
    store.refuses.store(false, Ordering::SeqCst);
    while intake.health.refusal().is_some() {
        thread::yield_now();
    }
    assert!(table.range(b"Mt", b"Mu", 1).unwrap().is_empty(), "the trial leaves nothing behind");
    intake.commands.send(Command::Stop).unwrap();
    thread.join().unwrap();
}

#[test]
fn sessions_are_forgotten_after_their_end_and_not_before() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![], &store).unwrap();
    take_in(&planner, &store, &[packet(START, "a", 0), packet(START, "b", 0), packet(STOP, "b", 1)]);
    let sessions_at = |now: i64| {
        let mut plan = planner.plan(&store);
        assert!(!planner.tend(&mut plan, &store, now).unwrap());
        plan.commit(&store, Durability::Lazy).unwrap();
        (store.range(b"S", b"T", 10).unwrap().len(), store.range(b"X", b"Y", 10).unwrap().len())
    };
    let hour = 3_600_000;
    assert_eq!(sessions_at(now()).0, 2);
    assert_eq!(sessions_at(now() + hour).0, 1, "b has stopped");
    assert_eq!(sessions_at(now() + 6 * 24 * hour).0, 1);
    assert_eq!(sessions_at(now() + 7 * 24 * hour).0, 1, "a was never heard of again, and is lost");
    assert_eq!(sessions_at(now() + 7 * 24 * hour + hour), (0, 0), "and forgotten; no look is left behind");
}

#[test]
fn a_session_that_an_earlier_version_wrote_down_goes_on() {
    /// As version 1 wrote it.
    #[derive(serde::Serialize)]
    struct Before {
        started_at: i64,
        seen_at: i64,
        heard_at: i64,
        stopped: bool,
        duration: Option<u64>,
        counters: crate::event::Counters,
        last_queued: Vec<(u32, u64)>,
        auth_id: Option<[u8; 16]>,
    }
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![route("crm", &["*"])], &store).unwrap();
    take_in(&planner, &store, &[packet(START, "a", 0)]);
    let started_at = 1_795_342_000_000;
    let before = Before {
        started_at,
        seen_at: started_at,
        heard_at: started_at,
        stopped: false,
        duration: Some(0),
        counters: Default::default(),
        last_queued: vec![(0, 0)],
        auth_id: None,
    };
    let mut batch = Batch::default();
    let (key, _) = store.range(b"S", b"T", 1).unwrap().remove(0);
    batch.put(key, [vec![1], postcard::to_stdvec(&before).unwrap()].concat());
    store.commit(&batch, Durability::Durable).unwrap();
    assert_eq!(take_in(&planner, &store, &[packet(STOP, "a", 60)]), [Came::Event(EventType::SessionStop)]);
    let told = |number| json(&store, number)["data"]["session"]["unique_id"].clone();
    assert_eq!((told(1), json(&store, 1)["type"].as_str()), (told(0), Some("session.stop")));
}

/// Refuses as long as it is told to.
#[derive(Default)]
struct Moody {
    store: MemoryStore,
    refuses: AtomicBool,
    lazy: Mutex<usize>,
}

impl Store for Moody {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, Bytes)>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        if durability == Durability::Lazy {
            *self.lazy.lock().unwrap() += 1;
        } else if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::Full { used: 2, limit: 1 });
        }
        self.store.commit(batch, durability)
    }
}

#[test]
fn nothing_is_acknowledged_while_the_store_refuses_and_outcomes_still_pass() {
    let store = Arc::new(Moody::default());
    let table: Arc<dyn Store> = store.clone();
    let crm = route("crm", &["*"]);
    let planner = Planner::new("node".into(), vec![crm.clone()], &*table).unwrap();
    let id = planner.id("crm").unwrap();
    let (ends, _ended) = oneshot::channel();
    let (intake, thread) = start(Arc::clone(&table), planner, options(100), ends).unwrap();
    let (tell, told) = crossbeam_channel::unbounded();
    let submit = |exchanges: Vec<Exchange>| {
        let tell = tell.clone();
        intake.submissions.send(Submission::of(exchanges, move |stored| tell.send(stored).unwrap())).unwrap();
        told.recv().unwrap()
    };
    assert_eq!(submit(vec![packet(START, "a", 0)]), Stored::Yes);
    assert!(intake.health.refusal().is_none());

    store.refuses.store(true, Ordering::SeqCst);
    assert_eq!(submit(vec![packet(START, "b", 0)]), Stored::No);
    assert!(intake.health.refusal().unwrap().error.contains("max_size"));
    let attempt = Attempt { at: 0, took_ms: 1, status: Some(200), error: None };
    let outcome = Outcome { endpoint: id, event: 0, attempt, then: Then::Delivered, exchange: None };
    intake.reports.send(Report::Outcome(outcome)).unwrap();
    while crm.bell.take().settled.is_empty() {
        thread::yield_now();
    }
    assert_eq!(tally(&*table, "crm").delivered, 1);
    assert!(intake.health.refusal().is_some(), "an outcome that passes is no sign of room for events");

    store.refuses.store(false, Ordering::SeqCst);
    assert_eq!(submit(vec![packet(START, "b", 0)]), Stored::Yes);
    assert!(intake.health.refusal().is_none());
    assert_eq!(submit(vec![]), Stored::Yes);
    intake.commands.send(Command::Stop).unwrap();
    thread.join().unwrap();
    assert_eq!(tally(&*table, "crm"), Tally { received: 2, pending: 1, delivered: 1, ..Tally::default() });
}
