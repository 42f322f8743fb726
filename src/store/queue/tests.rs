use proptest::prelude::*;

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Durability};

fn attempt() -> Attempt {
    Attempt { at: 0, took_ms: 1, status: Some(500), error: None }
}

fn arrival(event: EventNumber, after: Option<EventNumber>) -> Arrival {
    Arrival { event, after, is_update: false }
}

fn update(event: EventNumber, after: EventNumber) -> Arrival {
    Arrival { event, after: Some(after), is_update: true }
}

fn change<T>(store: &MemoryStore, change: impl FnOnce(&mut Queue<'_, '_>) -> Result<T, StoreError>) -> T {
    let mut draft = Draft::new(store);
    let id = register(&mut draft, "crm").unwrap();
    let result = change(&mut Queue::new(&mut draft, "crm", id)).unwrap();
    store.commit(&draft.into_batch(), Durability::Durable).unwrap();
    result
}

fn tally(store: &MemoryStore) -> Tally {
    endpoints(store).unwrap()[0].1.tally
}

fn ready(store: &MemoryStore, now: i64) -> Vec<EventNumber> {
    due(store, 0, (i64::MIN, 0), now, 100).unwrap().into_iter().map(|(_, event)| event).collect()
}

#[test]
fn endpoints_keep_their_numbers_whatever_the_order_they_come_in() {
    let store = MemoryStore::default();
    let numbers = |names: &[&str]| {
        let mut draft = Draft::new(&store);
        let numbers: Vec<_> = names.iter().map(|name| register(&mut draft, name).unwrap()).collect();
        store.commit(&draft.into_batch(), Durability::Durable).unwrap();
        numbers
    };
    assert_eq!(numbers(&["b", "a"]), [0, 1]);
    assert_eq!(numbers(&["a", "c", "b"]), [1, 2, 0]);
}

#[test]
fn later_events_of_a_session_wait_for_the_earlier_ones() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 10));
    change(&store, |queue| queue.push(arrival(2, Some(1)), 11));
    change(&store, |queue| queue.push(arrival(3, Some(2)), 12));
    change(&store, |queue| queue.push(arrival(4, None), 13));
    assert_eq!(ready(&store, 100), [1, 4]);
    change(&store, |queue| queue.postpone(1, attempt(), 1000));
    assert_eq!(ready(&store, 100), [4]);
    assert_eq!(first_from(&store, 0, (14, 0)).unwrap(), Some((1000, 1)));
    change(&store, |queue| queue.deliver(1, attempt(), 1001));
    assert_eq!(ready(&store, 2000), [4, 2]);
    change(&store, |queue| queue.bury(2, attempt(), 1002));
    assert_eq!(ready(&store, 2000), [4, 3], "a dead letter does not hold up its session for ever");
    assert_eq!(tally(&store), Tally { received: 4, pending: 2, delivered: 1, dead: 1, ..Tally::default() });
}

#[test]
fn a_dead_letter_comes_back_once() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 10));
    change(&store, |queue| queue.bury(1, attempt(), 20));
    assert!(change(&store, |queue| queue.revive(1, 30)));
    assert_eq!(ready(&store, 30), [1]);
    change(&store, |queue| queue.deliver(1, attempt(), 40));
    assert!(!change(&store, |queue| queue.revive(1, 50)));
    assert_eq!(tally(&store), Tally { received: 1, delivered: 1, ..Tally::default() });
}

#[test]
fn settling_twice_counts_once() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 10));
    for _ in 0..2 {
        change(&store, |queue| queue.deliver(1, attempt(), 20));
        change(&store, |queue| queue.bury(1, attempt(), 20));
        change(&store, |queue| queue.postpone(1, attempt(), 20));
    }
    assert_eq!(tally(&store), Tally { received: 1, delivered: 1, ..Tally::default() });
    assert!(ready(&store, 100).is_empty());
}

#[test]
fn only_the_last_attempts_are_kept_and_all_are_counted() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 0));
    (1..=20).for_each(|at| change(&store, |queue| queue.postpone(1, Attempt { at, ..attempt() }, at)));
    change(&store, |queue| queue.bury(1, Attempt { at: 21, ..attempt() }, 21));
    let key = records::dead(0, 1);
    let dead: Settled = records::decode(&key, &store.get(&key).unwrap().unwrap()).unwrap();
    assert_eq!((dead.attempts.count, dead.attempts.last.len(), dead.attempts.last[0].at), (21, 8, 14));
}

#[test]
fn of_the_updates_that_wait_only_the_newest_is_kept_and_never_one_that_is_under_way() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 10));
    assert_eq!(change(&store, |queue| queue.push_newest(update(2, 1), 11)), None, "a start never gives way");
    assert_eq!(change(&store, |queue| queue.push_newest(update(3, 2), 12)), Some(2));
    assert_eq!(change(&store, |queue| queue.push_newest(update(4, 3), 13)), Some(3));
    assert_eq!(change(&store, |queue| queue.push_newest(arrival(5, Some(4)), 14)), None, "a stop takes nobody's place");
    assert_eq!(ready(&store, 100), [1]);
    change(&store, |queue| queue.deliver(1, attempt(), 20));
    assert_eq!(ready(&store, 100), [4], "the update that stands for all");
    assert!(change(&store, |queue| queue.begin(4, 21)));
    assert!(!change(&store, |queue| queue.begin(3, 21)), "its place was taken");
    change(&store, |queue| queue.deliver(4, attempt(), 22));
    assert_eq!(ready(&store, 100), [5]);
    change(&store, |queue| queue.deliver(5, attempt(), 23));
    assert_eq!(tally(&store), Tally { received: 5, delivered: 3, coalesced: 2, ..Tally::default() });
    assert!(tally(&store).adds_up());

    // The first of its session here: it is due, and gives way until an attempt at it begins.
    change(&store, |queue| queue.push_newest(Arrival { event: 6, after: None, is_update: true }, 30));
    assert_eq!(change(&store, |queue| queue.push_newest(update(7, 6), 31)), Some(6));
    assert_eq!(due(&store, 0, (i64::MIN, 0), 100, 10).unwrap(), [(31, 7)]);
    change(&store, |queue| queue.begin(7, 32));
    assert_eq!(change(&store, |queue| queue.push_newest(update(8, 7), 33)), None);
    change(&store, |queue| queue.postpone(7, attempt(), 1_000));
    assert_eq!(change(&store, |queue| queue.push_newest(update(9, 8), 34)), Some(8));
    assert_eq!(ready(&store, 2_000), [7]);
    change(&store, |queue| queue.deliver(7, attempt(), 1_000));
    assert_eq!(ready(&store, 2_000), [9]);
    assert!(tally(&store).adds_up());
}

#[test]
fn an_attempt_that_never_ended_is_written_down_and_counted_when_the_next_begins() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(arrival(1, None), 10));
    assert!(change(&store, |queue| queue.begin(1, 20)));
    assert_eq!(tally(&store).interrupted, 0);
    assert!(change(&store, |queue| queue.begin(1, 50)), "radhook was killed in between");
    change(&store, |queue| queue.deliver(1, attempt(), 60));
    let key = records::done(0, 1);
    let done: Settled = records::decode(&key, &store.get(&key).unwrap().unwrap()).unwrap();
    assert_eq!((done.attempts.count, done.attempts.last[0].at), (2, 20));
    assert_eq!(done.attempts.last[0].error.as_deref(), Some(INTERRUPTED));
    assert_eq!(tally(&store), Tally { received: 1, delivered: 1, interrupted: 1, ..Tally::default() });
    // One that was not made after all is none.
    change(&store, |queue| queue.push(arrival(2, None), 70));
    change(&store, |queue| queue.begin(2, 71));
    let unsent = Outcome { endpoint: 0, event: 2, attempt: attempt(), then: Then::Unsent, exchange: None };
    change(&store, |queue| queue.apply(&unsent, 72));
    assert_eq!(ready(&store, 100), [2]);
    change(&store, |queue| queue.begin(2, 73));
    assert_eq!(tally(&store).interrupted, 1);
}

#[test]
fn what_was_said_is_kept_with_a_delivery_and_not_of_one_that_was_forgotten() {
    let store = MemoryStore::default();
    let outcome = |event| {
        let exchange = Some(Kept::With(7));
        Outcome { endpoint: 0, event, attempt: attempt(), then: Then::Dead, exchange }
    };
    change(&store, |queue| queue.push(arrival(1, None), 10));
    change(&store, |queue| queue.apply(&outcome(1), 11));
    change(&store, |queue| queue.apply(&outcome(2), 11));
    let kept = |event| store.get(&records::exchange(0, event)).unwrap().is_some();
    assert!(kept(1) && !kept(2));
}

#[test]
fn records_written_before_fields_were_added_are_read_as_if_those_were_empty() {
    #[derive(serde::Serialize)]
    struct Tally1(u64, u64, u64, u64, u64);
    #[derive(serde::Serialize)]
    struct Pending1(i64, i64, bool, Option<EventNumber>, records::Attempts);
    let old = |record: Vec<u8>| [vec![1], record].concat();
    let tally = old(postcard::to_allocvec(&(7_u32, Tally1(10, 1, 2, 3, 4))).unwrap());
    let expected = Tally { received: 10, filtered: 1, pending: 2, delivered: 3, dead: 4, ..Tally::default() };
    assert_eq!(records::decode::<EndpointRecord>(b"N", &tally).unwrap(), EndpointRecord { id: 7, tally: expected });
    let attempts = records::Attempts { count: 1, last: vec![attempt()] };
    let pending = old(postcard::to_allocvec(&Pending1(5, 6, true, Some(9), attempts.clone())).unwrap());
    let expected = Pending { queued_at: 5, due: 6, waits: true, next: Some(9), attempts, ..Pending::due(0) };
    assert_eq!(records::decode::<Pending>(b"P", &pending).unwrap(), expected);
    let longer = [tally, vec![1; 40]].concat();
    assert!(records::decode::<EndpointRecord>(b"N", &longer).is_err());
}

/// One thing that can happen to a queue, its delivery picked by a number taken modulo the candidates.
#[derive(Debug, Clone)]
enum Step {
    Push { session: u8 },
    Filter,
    Postpone(usize, i64),
    Deliver(usize),
    Bury(usize),
    Revive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8).prop_map(|session| Step::Push { session }),
        1 => Just(Step::Filter),
        2 => (any::<usize>(), 0..50_i64).prop_map(|(which, wait)| Step::Postpone(which, wait)),
        3 => any::<usize>().prop_map(Step::Deliver),
        1 => any::<usize>().prop_map(Step::Bury),
        1 => any::<usize>().prop_map(Step::Revive),
    ]
}

proptest! {
    /// Against a list of sessions with their events: only a session's first pending event can be ready, nothing is stuck,
    /// nothing is lost, and the tally is what is really there.
    #[test]
    fn whatever_happens_order_holds_and_everything_is_accounted_for(steps in prop::collection::vec(step(), 1..80)) {
        let store = MemoryStore::default();
        let (mut now, mut events, mut dead) = (0_i64, 0_u64, Vec::new());
        let mut last = [None; 4];
        let mut waiting: Vec<Vec<u64>> = vec![Vec::new(); 4];
        let mut revived: Vec<u64> = Vec::new();
        let mut seen = Tally::default();
        change(&store, |_| Ok(()));
        for step in steps {
            now += 1;
            let ready = ready(&store, i64::MAX - 1);
            let pick = |which: usize| (!ready.is_empty()).then(|| ready[which % ready.len()]);
            let gone = |waiting: &mut Vec<Vec<u64>>, revived: &mut Vec<u64>, event| {
                waiting.iter_mut().for_each(|row| row.retain(|other| *other != event));
                revived.retain(|other| *other != event);
            };
            match step {
                Step::Push { session } => {
                    let session = usize::from(session);
                    events += 1;
                    change(&store, |queue| queue.push(arrival(events, last[session]), now));
                    last[session] = Some(events);
                    waiting[session].push(events);
                    seen.received += 1;
                }
                Step::Filter => { change(&store, |queue| queue.filter()); seen.received += 1; seen.filtered += 1; }
                Step::Postpone(which, wait) => if let Some(event) = pick(which) {
                    change(&store, |queue| queue.postpone(event, attempt(), now + wait));
                },
                Step::Deliver(which) => if let Some(event) = pick(which) {
                    change(&store, |queue| queue.deliver(event, attempt(), now));
                    gone(&mut waiting, &mut revived, event);
                    seen.delivered += 1;
                },
                Step::Bury(which) => if let Some(event) = pick(which) {
                    change(&store, |queue| queue.bury(event, attempt(), now));
                    gone(&mut waiting, &mut revived, event);
                    dead.push(event);
                },
                Step::Revive(which) => if !dead.is_empty() {
                    let event = dead.swap_remove(which % dead.len());
                    prop_assert!(change(&store, |queue| queue.revive(event, now)));
                    revived.push(event);
                },
            }
            let mut expected: Vec<u64> = waiting.iter().filter_map(|row| row.first().copied()).chain(revived.iter().copied()).collect();
            let mut actual = self::ready(&store, i64::MAX - 1);
            // What was revived after its session went on stands before nobody; what comes after it in its session may wait for it.
            actual.sort_unstable();
            expected.sort_unstable();
            let behind_revived: Vec<u64> = expected.iter().copied().filter(|event| !actual.contains(event)).collect();
            prop_assert!(actual.iter().all(|event| expected.contains(event)), "{actual:?} {expected:?}");
            prop_assert!(behind_revived.is_empty() || !revived.is_empty(), "stuck: {behind_revived:?}");
            seen.dead = dead.len() as u64;
            seen.pending = (waiting.iter().map(Vec::len).sum::<usize>() + revived.len()) as u64;
            prop_assert_eq!(tally(&store), seen);
            prop_assert!(seen.adds_up());
            prop_assert_eq!(store.range(b"P", b"Q", 1000).unwrap().len() as u64, seen.pending);
        }
        // Whatever is left can be delivered, whatever waited for what.
        while let Some(event) = ready(&store, i64::MAX - 1).first().copied() {
            change(&store, |queue| queue.deliver(event, attempt(), now));
        }
        prop_assert_eq!(tally(&store).pending, 0);
        prop_assert!(store.commit(&Batch::default(), Durability::Lazy).is_ok());
    }
}
