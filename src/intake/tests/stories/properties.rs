//! What holds for every row of packets, however they come in.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Steps of a few sessions of one NAS: which session, what, and how much later.
fn steps() -> impl Strategy<Value = Vec<(u8, u8, u16)>> {
    prop::collection::vec((0_u8..3, 0_u8..10, 0_u16..900), 1..40)
}

/// The packets of these steps. Octets grow, wrap, are reset, or lie; times go on.
fn packets(steps: &[(u8, u8, u16)]) -> Vec<Packet> {
    let mut now = 0_i64;
    let mut octets = 0_u64;
    steps
        .iter()
        .map(|(session, what, later)| {
            now += i64::from(*later);
            octets = (octets + u64::from(*later) * 3_000_000) % GIB4;
            let id = format!("s{session}");
            let time = now.cast_unsigned() % 2_000;
            let of = |status| packet(status).session(&id).user(&id).mac(&id).at(now).dated(now);
            let full = |status: u64| of(status).time(time).octets(octets, octets / 2);
            match what {
                0 => of(START),
                1 => full(STOP),
                2 => packet(ON).at(now).dated(now),
                3 => full(INTERIM).octets(octets % 1_000, 0).dated(now - 500),
                4 => full(INTERIM).packets(octets / 1_000, octets / 2_000),
                5 => of(START).without(numbers::USER_NAME),
                6 => full(INTERIM).without(numbers::USER_NAME),
                _ => full(INTERIM),
            }
        })
        .collect()
}

fn tell(row: &[Packet]) -> Stage {
    let mut stage = Stage::new();
    for packet in row {
        let now = packet.seconds();
        stage.take(packet.clone()).wait(now);
    }
    stage
}

fn by_session(stage: &Stage) -> BTreeMap<String, Vec<Json>> {
    let mut sessions: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for event in stage.events() {
        if let Some(id) = event.pointer("/data/session/unique_id") {
            sessions.entry(id.as_str().unwrap().to_owned()).or_default().push(event);
        }
    }
    sessions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_has_one_start_which_comes_first_and_at_most_one_stop(steps in steps()) {
        for (id, events) in by_session(&tell(&packets(&steps))) {
            let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
            prop_assert_eq!(of("session.start"), 1, "{} {:?}", id, events);
            prop_assert_eq!(&events[0]["type"], "session.start");
            prop_assert!(of("session.stop") <= 1);
            let stop = events.iter().position(|event| event["type"] == "session.stop");
            let after = events[stop.map_or(events.len(), |at| at + 1)..].iter();
            for event in after {
                let kind = event["type"].as_str().unwrap();
                prop_assert!(kind == "session.limit_exceeded" || kind == "session.revoked", "{}", kind);
            }
        }
    }

    #[test]
    fn counters_never_go_back_and_nothing_is_ever_negative(steps in steps()) {
        for events in by_session(&tell(&packets(&steps))).into_values() {
            for figure in ["duration", "input_octets", "output_octets", "input_packets", "output_packets"] {
                let told: Vec<u64> = events
                    .iter()
                    .filter_map(|event| event["data"]["session"].get(figure))
                    .map(|figure| figure.as_u64().expect("a number, and not below zero"))
                    .collect();
                prop_assert!(told.is_sorted(), "{} {:?}", figure, told);
            }
            let negative = events.iter().any(|event| event["data"]["session"].to_string().contains(":-"));
            prop_assert!(!negative);
        }
    }

    #[test]
    fn repeats_change_nothing_wherever_they_come_in(steps in steps(), again in prop::collection::vec((0_usize..40, 0_usize..40), 0..20)) {
        let once = packets(&steps);
        let mut row: Vec<Packet> = once.clone();
        let mut behind: Vec<Vec<Packet>> = vec![Vec::new(); once.len()];
        for (of, after) in again {
            let (of, after) = (of % once.len(), after % once.len());
            let arrives = once[after].seconds();
            // Of which nothing was told is known for as long as its session is.
            if of <= after && arrives - once[of].seconds() < 3_000 {
                behind[after].push(once[of].clone().at(arrives).by("elsewhere"));
            }
        }
        row.clear();
        for (packet, repeats) in once.iter().zip(behind) {
            row.push(packet.clone());
            row.extend(repeats);
        }
        let ids = |stage: &Stage| {
            let told = |event: &Json| format!("{} {} {}", event["type"], event["timestamp"], event["id"]);
            stage.events().iter().map(told).collect::<Vec<_>>()
        };
        prop_assert_eq!(ids(&tell(&once)), ids(&tell(&row)));
    }

    #[test]
    fn every_id_is_told_once_and_every_end_is_counted_off(steps in steps()) {
        let mut stage = tell(&packets(&steps));
        let ids: Vec<_> = stage.events().iter().map(|event| event["id"].to_string()).collect();
        prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        let listed = stage.store.range(b"A", b"B", 99).unwrap().len() as u64;
        prop_assert_eq!(stage.open_sessions(), listed);
        stage.wait(40 * 86_400).wait(41 * 86_400);
        prop_assert!(stage.nobody_is_here());
        let left = |letter: &[u8]| stage.store.range(letter, &[letter[0] + 1], 9).unwrap().len();
        prop_assert_eq!((left(b"S"), left(b"X"), left(b"Z")), (0, 0, 0));
    }

    #[test]
    fn the_tally_of_the_receiver_adds_up(steps in steps()) {
        let mut stage = tell(&packets(&steps));
        stage.wait(40 * 86_400);
        let tally = super::super::tally(&stage.store, "crm");
        prop_assert!(tally.adds_up());
        prop_assert_eq!(tally.received as usize, stage.events().len());
    }
}
