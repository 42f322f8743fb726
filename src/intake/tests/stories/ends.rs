//! Ends that nobody told: lost sessions, restarted NASes, limits, administrators; and sessions that come back.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::session::Grace;

fn interims(until: i64) -> Vec<Packet> {
    let interim = |n: i64| packet(INTERIM).at(n).time(n.cast_unsigned()).octets(n.cast_unsigned(), 0);
    std::iter::once(packet(START)).chain((300..=until).step_by(300).map(interim)).collect()
}

#[test]
fn a_session_whose_interims_stay_away_for_three_intervals_is_lost() {
    let mut stage = Stage::new();
    stage.take_all(interims(600)).wait(1_499);
    assert_eq!(stage.told(), ["start", "update", "update"]);
    stage.wait(1_500);
    assert_eq!(stage.told(), ["start", "update", "update", "lost"]);
    assert_eq!(stage.fact(3, "session.terminate_cause"), "No-Interim");
    assert_eq!((stage.fact(3, "session.last_seen_at"), stage.fact(3, "session.stopped_at")), (at(600), at(1_500)));
    assert_eq!((stage.fact(3, "session.input_octets"), stage.fact(3, "session.duration")), (json!(600), json!(600)));
    assert_eq!((stage.fact(3, "user.name"), stage.fact(3, "client.mac")), (json!("alice"), json!("A8-BB-CC-DD-EE-FF")));
    assert_eq!((stage.fact(3, "ap.ssid"), stage.fact(3, "attributes")), (json!("Guest"), json!(null)));
    assert_eq!(stage.events()[3]["source"]["client"], "nas");
    assert!(stage.nobody_is_here());
}

#[test]
fn what_is_sent_again_of_a_session_before_is_no_sign_of_life() {
    let mut stage = Stage::new();
    let stop = packet(STOP).at(200).time(200).dated(200);
    stage.take(packet(START)).take(packet(STOP).at(100).time(100)).take(stop.clone());
    let interim = |at: i64| packet(INTERIM).at(at).time((at - 3_000).cast_unsigned()).dated(at);
    stage.take(interim(3_300)).take(interim(3_600)).take(stop.at(3_700).by("elsewhere")).wait(4_499);
    assert_eq!(stage.told().last().unwrap(), "update");
    stage.wait(4_500);
    assert_eq!(stage.told().last().unwrap(), "lost");
}

#[test]
fn an_interim_out_of_turn_does_not_shorten_the_grace() {
    let mut stage = Stage::new();
    stage.take_all(interims(600)).take(packet(INTERIM).at(605).time(605).octets(605, 0)).wait(1_500);
    assert_eq!(stage.told().last().unwrap(), "update");
}

#[test]
fn a_fixed_grace_counts_from_the_last_packet() {
    let grace = Grace::Fixed(Duration::from_secs(400));
    let mut stage = Stage::with(SessionOptions { interim_grace: grace, ..SessionOptions::default() });
    stage.take_all(interims(300)).wait(699);
    assert_eq!(stage.told().len(), 2);
    stage.wait(700);
    assert_eq!(stage.told()[2], "lost");
}

#[test]
fn a_session_that_never_sends_interims_is_lost_after_a_week_of_silence() {
    let mut stage = Stage::new();
    stage.take(packet(START)).wait(7 * 86_400 - 1);
    assert_eq!(stage.told(), ["start"]);
    stage.wait(7 * 86_400);
    assert_eq!(
        (stage.told().last().unwrap().as_str(), stage.fact(1, "session.terminate_cause")),
        ("lost", json!("Silence"))
    );
}

#[test]
fn nobody_is_lost_for_what_happened_while_radhook_was_down() {
    let mut stage = Stage::new();
    stage.take_all(interims(600));
    stage.planner.awake_since = (BEGIN + 10_000) * 1000;
    stage.wait(10_000);
    assert_eq!(stage.told().last().unwrap(), "update", "it could not have been heard");
    stage.wait(10_900);
    assert_eq!(stage.told().last().unwrap(), "lost");
}

#[test]
fn a_lost_session_that_is_heard_of_again_is_resumed() {
    let mut stage = Stage::new();
    stage.take_all(interims(600)).wait(1_500);
    stage.take_all([packet(INTERIM).at(1_800).time(1_800), packet(STOP).at(1_900).time(1_900)]);
    assert_eq!(stage.told()[3..], ["lost", "resumed", "update", "stop"]);
    let ids = stage.facts("session.unique_id");
    assert!(ids.iter().all(|id| *id == ids[0]), "it was one session all along");
    assert!(stage.nobody_is_here());
    assert_eq!(stage.facts("user.sessions")[4..], [json!(1), json!(1), json!(0)]);
}

#[test]
fn the_stop_of_a_lost_session_is_told_with_its_last_figures() {
    let mut stage = Stage::new();
    stage
        .take_all(interims(600))
        .wait(1_500)
        .take(packet(STOP).at(1_600).time(700).octets(700, 0).cause(2, "Lost-Carrier"));
    assert_eq!(stage.told()[3..], ["lost", "stop"]);
    assert_eq!(stage.fact(4, "user.sessions"), 0);
    assert_eq!(
        (stage.fact(4, "session.duration"), stage.fact(4, "session.terminate_cause")),
        (json!(700), json!("Lost-Carrier"))
    );
    assert!(stage.nobody_is_here());
    stage.take(packet(START).session("b").at(9_000));
    assert_eq!(
        (stage.fact(5, "session.visit"), stage.fact(5, "user.sessions")),
        (json!(2), json!(1)),
        "it was one visit"
    );
}

#[test]
fn a_nas_that_restarts_has_lost_its_sessions() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(START).session("b").user("bob").mac("b"), packet(ON).at(100)]).wait(100);
    assert_eq!(stage.told(), ["start", "start", "nas.on", "lost", "lost"]);
    assert_eq!(stage.fact(3, "session.terminate_cause"), "NAS-Reboot");
    assert_eq!((stage.fact(3, "session.stopped_at"), stage.time(3).as_str().into()), (at(100), at(100)));
    assert!(stage.nobody_is_here());
}

#[test]
fn a_nas_that_goes_off_may_still_send_the_stops_of_its_sessions() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(START).session("b").user("bob").mac("b"),
        packet(OFF).at(100),
        packet(STOP).at(105).time(100).cause(11, "NAS-Reboot"),
    ]);
    stage.wait(129);
    assert_eq!(stage.told(), ["start", "start", "nas.off", "stop"]);
    stage.wait(130);
    assert_eq!((stage.told().last().unwrap().as_str(), stage.fact(4, "user.name")), ("lost", json!("bob")));
}

#[test]
fn an_accounting_on_ends_neither_what_began_after_it_nor_what_is_on_another_nas() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).nas("lobby", "10.0.0.2").session("other address"),
        packet(START).nas("bar", "10.0.0.1").session("other name").mac("c"),
        packet(ON).at(100),
        packet(START).at(101).session("new"),
    ]);
    stage.wait(200);
    assert!(!stage.told().contains(&"lost".to_owned()), "{:?}", stage.told());
}

#[test]
fn an_accounting_on_does_not_end_what_began_in_the_same_second() {
    let mut stage = Stage::new();
    stage.take_all([packet(ON).at(100).dated(100), packet(START).at(100).dated(100)]).wait(500);
    assert_eq!(stage.told(), ["nas.on", "start"]);
}

#[test]
fn an_accounting_on_that_is_read_again_from_a_file_ends_nothing() {
    let mut stage = Stage::new();
    stage.take_all([packet(ON).dated(0), packet(START).at(100).dated(100), packet(ON).at(500).dated(0)]).wait(500);
    assert_eq!((stage.told(), stage.came[2]), (vec!["nas.on".to_owned(), "start".to_owned()], Came::Repeat));
}

#[test]
fn a_storm_of_accounting_on_ends_each_session_once_in_pieces() {
    let mut stage = Stage::new();
    for n in 0..1_200 {
        stage.take(packet(START).session(&format!("s{n}")).user(&format!("u{n}")).mac(&format!("m{n}")));
    }
    stage.take_all((0..20).map(|n| packet(ON).at(100 + n * 400)));
    let now = (BEGIN + 8_000) * 1000;
    let mut plan = stage.planner.plan(&stage.store);
    assert!(stage.planner.tend(&mut plan, &stage.store, now).unwrap(), "a piece leaves more to do");
    plan.commit(&stage.store, Durability::Lazy).unwrap();
    let lost = |stage: &Stage| stage.told().iter().filter(|kind| *kind == "lost").count();
    assert!(lost(&stage) < 1_200);
    stage.wait(8_000);
    assert_eq!((lost(&stage), stage.nobody_is_here()), (1_200, true));
}

#[test]
fn an_interim_from_before_the_restart_does_not_bring_a_session_back() {
    let mut stage = Stage::new();
    stage.take_all([packet(START).dated(0), packet(ON).at(100).dated(100)]).wait(100);
    stage.take(packet(INTERIM).at(110).dated(90).time(90));
    assert_eq!(stage.told(), ["start", "nas.on", "lost"]);
}

#[test]
fn a_session_that_survives_the_restart_of_its_nas_is_resumed() {
    let mut stage = Stage::new();
    stage.take_all([packet(START).dated(0), packet(ON).at(100).dated(100)]).wait(100);
    stage.take(packet(INTERIM).at(300).dated(300).time(300));
    assert_eq!(stage.told(), ["start", "nas.on", "lost", "resumed", "update"]);
}

#[test]
fn a_session_that_an_administrator_ended_is_revoked() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60).cause(6, "Admin-Reset")]);
    assert_eq!(stage.told(), ["start", "stop", "revoked"]);
    assert_eq!(stage.facts("session.revoked")[1..], [json!(true), json!(true)]);
}

#[test]
fn a_disconnect_that_was_acknowledged_revokes_the_session_before_its_stop() {
    let mut stage = Stage::new();
    let disconnect =
        packet(0).at(50).disconnected().without(numbers::CALLING_STATION_ID).without(numbers::NAS_IDENTIFIER);
    stage.take_all([packet(START), disconnect, packet(STOP).at(60).time(60).cause(6, "Admin-Reset")]);
    assert_eq!(stage.told(), ["start", "disconnect.ack", "revoked", "stop"]);
    assert_eq!((stage.fact(2, "session.id"), stage.fact(3, "session.revoked")), (json!("a"), json!(true)));
    assert_eq!(stage.fact(2, "session.unique_id"), stage.fact(0, "session.unique_id"));
}

#[test]
fn a_disconnect_revokes_only_the_session_that_it_names() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(START).session("b").mac("m"),
        packet(0).at(50).session("b").disconnected().without(numbers::CALLING_STATION_ID),
    ]);
    assert_eq!((stage.told().len(), stage.fact(3, "session.id")), (4, json!("b")));
}

#[test]
fn a_session_that_lasted_as_long_as_its_login_allowed_has_exceeded_its_time() {
    let mut stage = Stage::new();
    stage.take_all([
        accept(&[(numbers::SESSION_TIMEOUT, 3_600)]),
        packet(START).at(1),
        packet(STOP).at(3_601).time(3_600),
    ]);
    assert_eq!(stage.told()[1..], ["start", "stop", "limit_exceeded"]);
    assert_eq!(stage.facts("session.limit")[2..], [json!("time"), json!("time")]);
}

#[test]
fn a_session_that_moved_as_much_as_its_login_allowed_has_exceeded_its_volume() {
    let mikrotik = |number| AttributeId { vendor: 14_988, number };
    let mut stage = Stage::new();
    stage.take_all([
        accept(&[(mikrotik(17), 1_000), (mikrotik(18), 1), (numbers::SESSION_TIMEOUT, 9_999)]),
        packet(START).at(1),
        packet(STOP).at(61).time(60).octets(500, 500).gigawords(0, 1).cause(5, "Session-Timeout"),
    ]);
    assert_eq!(stage.told()[1..], ["start", "stop", "limit_exceeded"]);
    assert_eq!(stage.fact(3, "session.limit"), "volume");
}

#[test]
fn a_stop_by_session_timeout_is_a_limit_also_where_no_login_was_seen() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60).cause(5, "Session-Timeout")]);
    assert_eq!(
        (stage.told().last().unwrap().as_str(), stage.fact(2, "session.limit")),
        ("limit_exceeded", json!("time"))
    );
}

#[test]
fn a_user_who_leaves_before_the_limit_has_exceeded_nothing() {
    let mut stage = Stage::new();
    stage.take_all([
        accept(&[(numbers::SESSION_TIMEOUT, 3_600)]),
        packet(START).at(1),
        packet(STOP).at(3_000).time(2_999).cause(1, "User-Request"),
    ]);
    assert_eq!(stage.told()[1..], ["start", "stop"]);
    assert_eq!(stage.fact(2, "session.limit"), json!(null));
}

#[test]
fn a_cause_that_only_the_vendor_names_is_told() {
    let cisco = AttributeId { vendor: 9, number: 195 };
    let value = Value::Named { number: 11, name: "Lost-Modem-Carrier".into() };
    let vendor = Attribute { id: cisco, name: "Cisco-Disconnect-Cause".into(), value };
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(STOP).at(9).time(9).with(vendor.clone()),
        packet(STOP).session("b").time(1).with(vendor).cause(1, "User-Request"),
    ]);
    assert_eq!(
        (stage.fact(1, "session.terminate_cause"), stage.fact(1, "session.vendor_cause")),
        (json!("Lost-Modem-Carrier"), json!("Lost-Modem-Carrier"))
    );
    assert_eq!(stage.facts("session.terminate_cause").last().unwrap(), "User-Request");
}

#[test]
fn an_operator_closes_a_session_that_hangs() {
    let mut stage = Stage::new();
    stage.take(packet(START));
    let entries = stage.store.range(b"S", b"T", 1).unwrap();
    let key = crate::store::sessions::read_key(&entries[0].0).unwrap();
    let close = |stage: &Stage| {
        let mut plan = stage.planner.plan(&stage.store);
        let closed = stage.planner.close_session(&mut plan, &key, (BEGIN + 60) * 1000).unwrap();
        plan.commit(&stage.store, Durability::Durable).unwrap();
        closed
    };
    assert_eq!((close(&stage), close(&stage)), (true, false));
    assert_eq!(
        (stage.told().last().unwrap().as_str(), stage.fact(1, "session.terminate_cause")),
        ("lost", json!("Closed"))
    );
    assert!(stage.nobody_is_here());
}
