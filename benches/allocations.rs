//! How often memory is asked for: by an accounting packet on its way to the store, and by a delivery from its beginning to its outcome.
//! Counted, not timed, so that a change shows whatever else the machine does. The store is in memory; what the journal and sled
//! ask for is not in it.

mod exchanges;

use std::collections::BTreeMap;

use allocation_counter::{AllocationInfo, measure};
use radhook::intake::Planner;
use radhook::lab::nas::{Nas, NasOptions};
use radhook::radius::Dictionary;
use radhook::store::memory::MemoryStore;
use radhook::store::queue::{Outcome, Then};
use radhook::store::records::Attempt;
use radhook::store::standing::Begin;
use radhook::store::{Durability, Store};

/// Sessions of four packets each, over which the counts are averaged.
const SESSIONS: u64 = 1_000;

fn main() {
    let store = MemoryStore::default();
    let planner = Planner::new("node".into(), vec![exchanges::route("crm")], &store).expect("an empty store takes it");
    let endpoint = planner.id("crm").expect("it is configured");
    let dictionary = Dictionary::shipped();
    let mut nas = Nas::new(NasOptions { users: 1_000, interims: 2, ..NasOptions::default() });
    let now = exchanges::now().as_millisecond();
    let mut counts: BTreeMap<&str, (AllocationInfo, u64)> = BTreeMap::new();
    let mut note = |what, counted: AllocationInfo| {
        let (sum, times) = counts.entry(what).or_default();
        sum.count_total += counted.count_total;
        sum.bytes_total += counted.bytes_total;
        *times += 1;
    };
    let mut event = 0;
    for _ in 0..SESSIONS {
        let mut session = nas.open(exchanges::now());
        for kind in ["start", "update", "update", "stop"] {
            let packet = exchanges::octets(&mut session);
            let mut exchange = None;
            note("decode", measure(|| exchange = Some(exchanges::of(&packet, &dictionary))));
            let exchange = exchange.expect("it is decoded");
            // As the writer does it: a plan and its batch, here of one packet.
            let mut plan = planner.plan(&store);
            let planned = measure(|| {
                planner.take_in(&mut plan, &exchange, now).expect("the store is there");
            });
            note(kind, planned);
            note("batch of one", measure(|| drop(plan.commit(&store, Durability::Durable).expect("it takes it"))));
        }
        for _ in 0..4 {
            let begun = measure(|| {
                let mut plan = planner.plan(&store as &dyn Store);
                let begin = Begin { endpoint, ticket: 1, events: vec![event] };
                planner.begin(&mut plan, &begin, now).expect("the store is there");
                plan.commit(&store, Durability::Lazy).expect("it takes it");
            });
            note("delivery begins", begun);
            let ended = measure(|| {
                let mut plan = planner.plan(&store as &dyn Store);
                let attempt = Attempt { at: now, took_ms: 1, status: Some(204), error: None };
                let outcome = Outcome { endpoint, event, attempt, then: Then::Delivered, exchange: None };
                planner.settle(&mut plan, &outcome, now).expect("the store is there");
                plan.commit(&store, Durability::Lazy).expect("it takes it");
            });
            note("delivery ends", ended);
            event += 1;
        }
    }
    println!("{:<18} {:>12} {:>12}", "per", "allocations", "octets");
    for (what, (sum, times)) in counts {
        let each = |total: u64| total as f64 / times as f64;
        println!("{what:<18} {:>12.1} {:>12.0}", each(sum.count_total), each(sum.bytes_total));
    }
}
