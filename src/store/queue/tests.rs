use proptest::prelude::*;

use super::*;
use crate::store::memory::MemoryStore;
use crate::store::{Batch, Durability};

fn attempt() -> Attempt {
    Attempt { at: 0, took_ms: 1, status: Some(500), error: None }
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
    change(&store, |queue| queue.push(1, 10, None));
    change(&store, |queue| queue.push(2, 11, Some(1)));
    change(&store, |queue| queue.push(3, 12, Some(2)));
    change(&store, |queue| queue.push(4, 13, None));
    assert_eq!(ready(&store, 100), [1, 4]);
    change(&store, |queue| queue.postpone(1, attempt(), 1000));
    assert_eq!(ready(&store, 100), [4]);
    assert_eq!(first_from(&store, 0, (14, 0)).unwrap(), Some((1000, 1)));
    change(&store, |queue| queue.deliver(1, attempt(), 1001));
    assert_eq!(ready(&store, 2000), [4, 2]);
    change(&store, |queue| queue.bury(2, attempt(), 1002));
    assert_eq!(ready(&store, 2000), [4, 3], "a dead letter does not hold up its session for ever");
    assert_eq!(tally(&store), Tally { received: 4, filtered: 0, pending: 2, delivered: 1, dead: 1 });
}

#[test]
fn a_dead_letter_comes_back_once() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(1, 10, None));
    change(&store, |queue| queue.bury(1, attempt(), 20));
    assert!(change(&store, |queue| queue.revive(1, 30)));
    assert_eq!(ready(&store, 30), [1]);
    change(&store, |queue| queue.deliver(1, attempt(), 40));
    assert!(!change(&store, |queue| queue.revive(1, 50)));
    assert_eq!(tally(&store), Tally { received: 1, filtered: 0, pending: 0, delivered: 1, dead: 0 });
}

#[test]
fn settling_twice_counts_once() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(1, 10, None));
    for _ in 0..2 {
        change(&store, |queue| queue.deliver(1, attempt(), 20));
        change(&store, |queue| queue.bury(1, attempt(), 20));
        change(&store, |queue| queue.postpone(1, attempt(), 20));
    }
    assert_eq!(tally(&store), Tally { received: 1, filtered: 0, pending: 0, delivered: 1, dead: 0 });
    assert!(ready(&store, 100).is_empty());
}

#[test]
fn only_the_last_attempts_are_kept_and_all_are_counted() {
    let store = MemoryStore::default();
    change(&store, |queue| queue.push(1, 0, None));
    (1..=20).for_each(|at| change(&store, |queue| queue.postpone(1, Attempt { at, ..attempt() }, at)));
    change(&store, |queue| queue.bury(1, Attempt { at: 21, ..attempt() }, 21));
    let key = records::dead(0, 1);
    let dead: Settled = records::decode(&key, &store.get(&key).unwrap().unwrap()).unwrap();
    assert_eq!((dead.attempts.count, dead.attempts.last.len(), dead.attempts.last[0].at), (21, 8, 14));
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
                    change(&store, |queue| queue.push(events, now, last[session]));
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
