//! Whether an endpoint wants an event: what is told of it to whoever asks, beside what is done.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::route::{OncePer, Verdict};

fn planner(store: &MemoryStore, routes: Vec<Route>) -> Planner {
    Planner::new("node".into(), routes, store).unwrap()
}

fn verdicts(judged: &[Judged]) -> Vec<Verdict> {
    judged.iter().map(|judged| judged.verdict).collect()
}

#[test]
fn radhook_s_own_news_are_judged_as_they_are_told_and_posted_ones_as_any_other() {
    let store = MemoryStore::default();
    let routes = vec![route("crm", &["*"]), route("siem", &["endpoint.*"]), route("billing", &["session.*"])];
    let planner = planner(&store, routes);
    let judge = |source: &str, name: &str| {
        let event = json!({ "source": { "type": source }, "data": { "endpoint": { "name": name } } });
        verdicts(&planner.judge(&store, EventType::EndpointDisabled, event, 0).unwrap())
    };
    assert_eq!(judge("system", "crm"), [Verdict::AboutItself, Verdict::Wanted, Verdict::NotSubscribed]);
    assert_eq!(judge("system", "nobody"), [Verdict::Wanted, Verdict::Wanted, Verdict::NotSubscribed]);
    assert_eq!(judge("local", "crm"), [Verdict::Wanted, Verdict::Wanted, Verdict::NotSubscribed]);
}

#[test]
fn a_rehearsal_decides_as_the_writer_does_and_leaves_the_store_as_it_was() {
    let once_per = OncePer::parse(vec!["type".to_owned()], Duration::from_secs(60)).unwrap();
    let routes = || {
        vec![wanting(route("once", &["session.*"]), None, Some(once_per.clone())), route("stops", &["session.stop"])]
    };
    let packets = [packet(START, "a", 0), packet(START, "b", 0), packet(STOP, "a", 60)];
    let now = 1_795_342_000_000;

    let store = MemoryStore::default();
    let rehearsing = planner(&store, routes());
    let before = store.range(b"", b"\xff", usize::MAX).unwrap();
    let mut plan = rehearsing.rehearse(&store);
    let mut rehearsed = Vec::new();
    for packet in &packets {
        rehearsing.take_in(&mut plan, packet, now).unwrap();
        rehearsed.extend(rehearsing.rehearsed(&mut plan).unwrap());
    }
    drop(plan);
    assert_eq!(store.range(b"", b"\xff", usize::MAX).unwrap(), before);
    let decided: Vec<Vec<Verdict>> = rehearsed.iter().map(|event| verdicts(&event.judged)).collect();
    let held = Verdict::OncePer { until: now + 60_000 };
    assert_eq!(
        decided,
        [[Verdict::Wanted, Verdict::NotSubscribed], [held, Verdict::NotSubscribed], [Verdict::Wanted, Verdict::Wanted]]
    );

    let writing = planner(&store, routes());
    let mut plan = writing.plan(&store);
    packets.iter().for_each(|packet| {
        writing.take_in(&mut plan, packet, now).unwrap();
    });
    plan.commit(&store, Durability::Durable).unwrap();
    let tallies: Vec<(u64, u64)> = queue::endpoints(&store)
        .unwrap()
        .iter()
        .map(|(_, record)| (record.tally.pending, record.tally.filtered))
        .collect();
    assert_eq!(tallies, [(2, 1), (1, 2)], "what was decided is what is done");
}
