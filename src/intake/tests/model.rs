//! Whatever happens between the store and a receiver, in random order, against a simple model: events come in, attempts begin and
//! end well, badly or not at all, radhook is killed, the config changes, the clock jumps, operators send again.
//!
//! Held throughout: every event is accounted for; a session's events reach a receiver in order; and nothing that a receiver took
//! is sent to it again, but for attempts that were cut off, each of which is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::store::queue::Place;
use crate::store::standing::Begin;

/// The endpoints: one that is told everything, and one that wants only the newest update of a session.
const NAMES: [&str; 2] = ["all", "newest"];

#[derive(Debug, Clone)]
enum Step {
    /// An endpoint's delivery is caught up, and has room for so many attempts more.
    Offer { endpoint: usize, room: usize },
    /// A packet of a session.
    Packet { session: u8, status: u64 },
    /// An endpoint's delivery takes out what is due, at most so many.
    Begin { endpoint: usize, most: usize },
    /// One of the attempts under way ends.
    Land { endpoint: usize, which: usize, ending: Ending },
    /// radhook is killed; of what was under way the receiver has taken what these bits say.
    Kill { taken: u64 },
    /// radhook is restarted without one of the endpoints, or with all of them.
    Configure { without: Option<usize> },
    /// The clock is set.
    Clock { by_ms: i64 },
    /// An operator sends dead letters, and what waits, at once.
    Revive { endpoint: usize },
}

#[derive(Debug, Clone, Copy)]
enum Ending {
    Taken,
    /// It was taken, and the answer got lost.
    TakenUnheard,
    Refused {
        wait_ms: i64,
    },
    Dead,
    Unsent,
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        4 => Just(Ending::Taken),
        1 => Just(Ending::TakenUnheard),
        2 => (0..200_000_i64).prop_map(|wait_ms| Ending::Refused { wait_ms }),
        1 => Just(Ending::Dead),
        1 => Just(Ending::Unsent),
    ];
    prop_oneof![
        6 => (0..4_u8, prop_oneof![1 => Just(START), 4 => Just(INTERIM), 1 => Just(STOP)])
            .prop_map(|(session, status)| Step::Packet { session, status }),
        2 => (0..2_usize, 0..4_usize).prop_map(|(endpoint, room)| Step::Offer { endpoint, room }),
        5 => (0..2_usize, 1..6_usize).prop_map(|(endpoint, most)| Step::Begin { endpoint, most }),
        6 => (0..2_usize, any::<usize>(), ending).prop_map(|(endpoint, which, ending)| Step::Land { endpoint, which, ending }),
        1 => any::<u64>().prop_map(|taken| Step::Kill { taken }),
        1 => prop_oneof![2 => Just(None), 1 => (0..2_usize).prop_map(Some)].prop_map(|without| Step::Configure { without }),
        1 => (-100_000_000..100_000_000_i64).prop_map(|by_ms| Step::Clock { by_ms }),
        1 => (0..2_usize).prop_map(|endpoint| Step::Revive { endpoint }),
    ]
}

/// What one receiver has seen.
#[derive(Default)]
struct Receiver {
    /// How often it took each event.
    took: HashMap<EventNumber, u64>,
    /// Of each session the event that it took last.
    last: HashMap<String, EventNumber>,
    /// Taken out of the queue and not settled.
    held: BTreeSet<EventNumber>,
    /// Taken more than once.
    repeats: u64,
    /// Answers that got lost: what is sent again is not radhook's repeat.
    unheard: u64,
    /// Events that were given up once: they come back out of their session's order.
    was_dead: BTreeSet<EventNumber>,
}

struct World {
    store: MemoryStore,
    planner: Planner,
    now: i64,
    ticket: u64,
    seconds: u64,
    receivers: [Receiver; 2],
    sessions: BTreeMap<EventNumber, String>,
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::default();
        let planner = planner(&store, None);
        Self {
            store,
            planner,
            now: now(),
            ticket: 0,
            seconds: 0,
            receivers: Default::default(),
            sessions: BTreeMap::new(),
        }
    }

    fn commit(&self, plan: impl FnOnce(&Planner, &mut plan::Plan<'_>)) -> Vec<Rung> {
        let mut planned = self.planner.plan(&self.store);
        plan(&self.planner, &mut planned);
        planned.commit(&self.store, Durability::Lazy).unwrap()
    }

    fn id(&self, endpoint: usize) -> u32 {
        queue::endpoints(&self.store).unwrap().into_iter().find(|(name, _)| name == NAMES[endpoint]).unwrap().1.id
    }

    fn is_configured(&self, endpoint: usize) -> bool {
        self.planner.endpoints.iter().any(|known| *known.name == *NAMES[endpoint] && known.route.is_some())
    }

    fn packet(&mut self, session: u8, status: u64) {
        self.seconds += 1;
        let packet = packet(status, &session.to_string(), self.seconds);
        let now = self.now;
        let rung = self.commit(|planner, plan| {
            planner.take_in(plan, &packet, now).unwrap();
        });
        for (endpoint, name) in NAMES.iter().enumerate() {
            let at = self.planner.endpoints.iter().position(|known| *known.name == **name);
            let at_once = at.map(|at| rung[at].at_once.clone()).unwrap_or_default();
            self.receivers[endpoint].held.extend(at_once);
        }
        self.planner.ring(rung);
        self.bells().for_each(|bell| drop(bell.take()));
        let known = self.sessions.last_key_value().map_or(0, |(number, _)| number + 1);
        for (key, bytes) in self.store.range(&records::event(known), &records::event(u64::MAX), 100).unwrap() {
            let event: serde_json::Value =
                serde_json::from_slice(&EventRecord::decode(&key, &bytes).unwrap().json).unwrap();
            let session = event["data"]["session"]["id"].as_str().unwrap_or_default().to_owned();
            self.sessions.insert(records::read_event(&key).unwrap(), session);
        }
    }

    fn bells(&self) -> impl Iterator<Item = &Bell> {
        self.planner.endpoints.iter().filter_map(|known| known.route.as_ref()).map(|route| &*route.bell)
    }

    fn offer(&self, endpoint: usize, room: usize) {
        let route = self.planner.endpoints.iter().find(|known| *known.name == *NAMES[endpoint]);
        if let Some(route) = route.and_then(|known| known.route.as_ref()) {
            route.bell.offer(room);
        }
    }

    fn due(&self, endpoint: usize) -> Vec<Place> {
        queue::due(&self.store, self.id(endpoint), (i64::MIN, 0), self.now, 1_000).unwrap()
    }

    fn begin(&mut self, endpoint: usize, most: usize) {
        if !self.is_configured(endpoint) {
            return;
        }
        let places = self.due(endpoint);
        let held = &self.receivers[endpoint].held;
        let events: Vec<EventNumber> =
            places.into_iter().map(|(_, event)| event).filter(|event| !held.contains(event)).take(most).collect();
        self.ticket += 1;
        let begin = Begin { endpoint: self.id(endpoint), ticket: self.ticket, events: events.clone() };
        let now = self.now;
        let rung = self.commit(|planner, plan| planner.begin(plan, &begin, now).unwrap());
        let begun: Vec<_> = rung.into_iter().flat_map(|rung| rung.begun).collect();
        assert_eq!((begun.len(), begun[0].ticket), (1, self.ticket));
        assert!(begun[0].gone.is_empty(), "nothing came in between");
        self.receivers[endpoint].held.extend(events);
    }

    /// The receiver takes an event.
    fn take(&mut self, endpoint: usize, event: EventNumber) {
        let session = self.sessions[&event].clone();
        let receiver = &mut self.receivers[endpoint];
        let times = receiver.took.entry(event).or_default();
        *times += 1;
        if *times > 1 {
            receiver.repeats += 1;
        } else if !receiver.was_dead.contains(&event) {
            let last = receiver.last.insert(session, event);
            assert!(last.is_none_or(|last| last < event), "{event} came after {last:?}");
        }
    }

    fn land(&mut self, endpoint: usize, which: usize, ending: Ending) {
        let held: Vec<EventNumber> = self.receivers[endpoint].held.iter().copied().collect();
        if held.is_empty() || !self.is_configured(endpoint) {
            return;
        }
        let event = held[which % held.len()];
        let then = match ending {
            Ending::Taken => {
                self.take(endpoint, event);
                Then::Delivered
            }
            Ending::TakenUnheard => {
                self.take(endpoint, event);
                self.receivers[endpoint].unheard += 1;
                Then::Retry(self.now)
            }
            Ending::Refused { wait_ms } => Then::Retry(self.now + wait_ms),
            Ending::Dead => {
                self.receivers[endpoint].was_dead.insert(event);
                Then::Dead
            }
            Ending::Unsent => Then::Unsent,
        };
        let attempt = Attempt { at: self.now, took_ms: 1, status: None, error: None };
        let outcome = Outcome { endpoint: self.id(endpoint), event, attempt, then, exchange: None };
        let now = self.now;
        self.commit(|planner, plan| planner.settle(plan, &outcome, now).unwrap());
        self.receivers[endpoint].held.remove(&event);
    }

    fn kill(&mut self, taken: u64) {
        for endpoint in 0..NAMES.len() {
            let held = std::mem::take(&mut self.receivers[endpoint].held);
            for (at, event) in held.into_iter().enumerate() {
                if taken >> (at % 64) & 1 == 1 {
                    self.take(endpoint, event);
                }
            }
        }
        let without = (0..NAMES.len()).find(|endpoint| !self.is_configured(*endpoint));
        self.planner = planner(&self.store, without);
    }

    fn revive(&mut self, endpoint: usize) {
        let events: Vec<EventNumber> = self.sessions.keys().copied().collect();
        let now = self.now;
        self.commit(|planner, plan| {
            planner.revive(plan, NAMES[endpoint], &events, now).unwrap();
        });
    }

    fn check(&self) {
        for (name, record) in queue::endpoints(&self.store).unwrap() {
            let count = |of: fn(u32, EventNumber) -> Key| {
                self.store.range(&of(record.id, 0), &of(record.id, u64::MAX), 10_000).unwrap().len() as u64
            };
            let tally = record.tally;
            assert!(tally.adds_up(), "{name}: {tally:?}");
            assert_eq!(tally.pending, count(records::pending), "{name}: {tally:?}");
            assert_eq!(tally.dead, count(records::dead), "{name}: {tally:?}");
            assert_eq!(tally.delivered, count(records::done), "{name}: {tally:?}");
            let receiver = &self.receivers[NAMES.iter().position(|own| *own == name).unwrap()];
            let cut_off = tally.interrupted + receiver.held.len() as u64;
            let sent_again = receiver.repeats;
            assert!(sent_again <= cut_off + receiver.unheard, "{name}: {sent_again} repeats, {cut_off} cut off");
        }
    }
}

fn planner(store: &MemoryStore, without: Option<usize>) -> Planner {
    let routes = NAMES.iter().enumerate().filter(|(at, _)| Some(*at) != without);
    let routes = routes.map(|(at, name)| Route { coalesces_updates: at == 1, ..route(name, &["session.*"]) });
    Planner::new("node".into(), routes.collect(), store).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_everything_is_accounted_for_in_order_and_repeats_are_known(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new();
        for step in steps {
            world.now += 1;
            match step {
                Step::Offer { endpoint, room } => world.offer(endpoint, room),
                Step::Packet { session, status } => world.packet(session, status),
                Step::Begin { endpoint, most } => world.begin(endpoint, most),
                Step::Land { endpoint, which, ending } => world.land(endpoint, which, ending),
                Step::Kill { taken } => world.kill(taken),
                Step::Configure { without } => {
                    // What was under way is let finish first, as at any stop.
                    (0..NAMES.len()).for_each(|endpoint| while !world.receivers[endpoint].held.is_empty() && world.is_configured(endpoint) {
                        world.land(endpoint, 0, Ending::Taken);
                    });
                    world.planner = planner(&world.store, without);
                }
                Step::Clock { by_ms } => world.now += by_ms,
                Step::Revive { endpoint } => world.revive(endpoint),
            }
            world.check();
        }
        // In the end everything that was not given up gets there, whatever the clock did.
        world.kill(0);
        world.planner = planner(&world.store, None);
        for endpoint in 0..NAMES.len() {
            for _ in 0..1_000 {
                world.now += 1_000_000_000;
                world.begin(endpoint, 100);
                if world.receivers[endpoint].held.is_empty() {
                    break;
                }
                while !world.receivers[endpoint].held.is_empty() {
                    world.land(endpoint, 0, Ending::Taken);
                }
            }
        }
        world.check();
        for (name, record) in queue::endpoints(&world.store).unwrap() {
            prop_assert_eq!(record.tally.pending, 0, "{}", name);
        }
    }
}
