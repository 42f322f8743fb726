//! Repeats, late packets, and packets that never came.

use serde_json::json;

use super::*;
use crate::event::EventType;
use crate::session::Untold;

const LATE: Came = Came::Untold(Untold::Late);
const AFTER: Came = Came::Untold(Untold::AfterStop);

#[test]
fn a_session_is_told_from_its_start_to_its_stop() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(INTERIM).at(300).time(300), packet(STOP).at(360).time(360)]);
    assert_eq!(stage.told(), ["start", "update", "stop"]);
    assert!(stage.nobody_is_here());
}

#[test]
fn a_packet_that_is_sent_again_with_a_higher_delay_is_the_same_event() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(START).at(5).delay(5), packet(START).at(20).delay(20)]);
    assert_eq!((stage.told(), stage.came[1]), (vec!["start".to_owned()], Came::Repeat));
}

#[test]
fn a_packet_that_is_sent_again_within_five_minutes_without_a_delay_is_the_same_event() {
    let mut stage = Stage::new();
    stage.take_all([packet(STOP).time(9).at(9), packet(STOP).time(9).at(300)]);
    assert_eq!(stage.told(), ["start", "stop"]);
}

#[test]
fn two_bridges_tell_one_story() {
    let mut stage = Stage::new();
    let row = [packet(START), packet(INTERIM).at(60).time(60).octets(5, 6), packet(STOP).at(90).time(90)];
    for (n, step) in row.into_iter().enumerate() {
        let dated = step.clone().by("spool").dated([0, 60, 90][n]);
        stage.take_all([step, dated]);
    }
    assert_eq!(stage.told(), ["start", "update", "stop"]);
}

#[test]
fn a_second_bridge_that_lags_an_hour_behind_tells_nothing_new() {
    let mut stage = Stage::new();
    let row = [packet(START).dated(0), packet(INTERIM).dated(60).time(60), packet(STOP).dated(90).time(90)];
    stage.take_all(row.clone());
    stage.take_all(row.map(|packet| packet.at(3_000).by("spool")));
    assert_eq!(stage.told(), ["start", "update", "stop"]);
}

#[test]
fn a_stop_without_a_start_opens_the_session_with_an_inferred_start() {
    let mut stage = Stage::new();
    stage.take(packet(STOP).at(600).time(600).octets(10, 20));
    assert_eq!(stage.told(), ["start", "stop"]);
    assert_eq!(stage.facts("session.inferred"), [json!(true), json!(null)]);
    assert_eq!((stage.fact(0, "session.started_at"), stage.time(0)), (at(0), at(0).as_str().unwrap().to_owned()));
    assert_eq!(stage.fact(0, "session.unique_id"), stage.fact(1, "session.unique_id"));
    assert_eq!(
        (stage.fact(0, "session.input_octets"), stage.fact(1, "session.input_octets")),
        (json!(null), json!(10))
    );
    assert!(stage.nobody_is_here());
}

#[test]
fn an_interim_that_comes_first_opens_the_session_with_an_inferred_start() {
    let mut stage = Stage::new();
    stage.take_all([packet(INTERIM).at(600).time(600), packet(STOP).at(700).time(700)]);
    assert_eq!(stage.told(), ["start", "update", "stop"]);
    assert_eq!(stage.facts("session.inferred"), [json!(true), json!(null), json!(null)]);
}

#[test]
fn the_start_that_comes_after_its_first_interim_is_not_told_again() {
    let mut stage = Stage::new();
    stage.take_all([packet(INTERIM).at(600).time(600), packet(START).at(601).dated(0)]);
    assert_eq!((stage.told(), stage.came[1]), (vec!["start".to_owned(), "update".to_owned()], LATE));
}

#[test]
fn an_undated_start_that_was_overtaken_by_its_interim_is_not_another_session() {
    let mut stage = Stage::new();
    stage.take_all([packet(INTERIM).at(10).time(10), packet(START).at(11)]);
    assert_eq!((stage.told().len(), stage.came[1]), (2, LATE));
}

#[test]
fn an_undated_start_that_was_overtaken_by_its_stop_is_not_another_session() {
    let mut stage = Stage::new();
    stage.take_all([packet(STOP).at(1).time(1), packet(START).at(2)]);
    assert_eq!((stage.told(), stage.came[1]), (vec!["start".to_owned(), "stop".to_owned()], AFTER));
}

#[test]
fn a_late_interim_changes_nothing_that_was_told_and_is_counted() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).dated(0),
        packet(INTERIM).at(600).dated(600).time(600).octets(60, 60),
        packet(INTERIM).at(601).dated(300).time(300).octets(30, 30),
        packet(INTERIM).at(900).dated(900).time(900).octets(90, 90),
    ]);
    assert_eq!((stage.told(), stage.came[2]), (["start", "update", "update"].map(str::to_owned).to_vec(), LATE));
    assert_eq!(stage.fact(2, "session.delta"), json!({"duration": 300, "input_octets": 30, "output_octets": 30}));
}

#[test]
fn an_undated_interim_that_was_overtaken_is_late_too() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(INTERIM).at(600).time(600), packet(INTERIM).at(601).time(300)]);
    assert_eq!(stage.came[2], LATE);
}

#[test]
fn what_only_a_late_interim_said_is_told_from_then_on() {
    let mut stage = Stage::new();
    let address = |packet: Packet| {
        let value = Value::Address("10.1.2.3".parse().unwrap());
        packet.with(Attribute { id: numbers::FRAMED_IP_ADDRESS, name: "ip".into(), value })
    };
    stage.take_all([
        packet(START).dated(0),
        packet(INTERIM).at(600).dated(600).time(600),
        address(packet(INTERIM).at(601).dated(300).time(300)),
        packet(STOP).at(700).dated(700).time(700),
    ]);
    assert_eq!(stage.facts("client.ip"), [json!(null), json!(null), json!("10.1.2.3")]);
}

#[test]
fn an_update_after_the_stop_changes_nothing_and_is_counted() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(INTERIM).at(61).time(55)]);
    assert_eq!((stage.told(), stage.came[2]), (vec!["start".to_owned(), "stop".to_owned()], AFTER));
}

#[test]
fn a_second_stop_with_other_figures_is_not_told() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(STOP).at(60).time(60).octets(1, 1),
        packet(STOP).at(70).time(61).octets(2, 2),
    ]);
    assert_eq!((stage.told(), stage.came[2]), (vec!["start".to_owned(), "stop".to_owned()], AFTER));
}

#[test]
fn a_stop_that_overtook_the_last_interim_ends_the_session_all_the_same() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).dated(0),
        packet(STOP).at(301).dated(301).time(301),
        packet(INTERIM).at(302).dated(300).time(300),
    ]);
    assert_eq!((stage.told(), stage.came[2]), (vec!["start".to_owned(), "stop".to_owned()], AFTER));
}

#[test]
fn a_late_stop_does_not_end_the_next_session_that_has_its_id() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).dated(0),
        packet(STOP).at(60).dated(60).time(60),
        packet(START).at(3_000).dated(3_000),
        packet(STOP).at(3_010).dated(61).time(61),
    ]);
    assert_eq!((stage.told(), stage.came[3]), (["start", "stop", "start"].map(str::to_owned).to_vec(), LATE));
    assert_eq!(stage.open_sessions(), 1);
}

#[test]
fn what_came_after_the_stop_once_is_not_of_the_next_session_when_it_is_sent_again() {
    let mut stage =
        Stage::with(SessionOptions { resume_window: std::time::Duration::ZERO, ..SessionOptions::default() });
    let other = packet(STOP).time(61).octets(5, 5);
    stage.take_all([
        packet(START),
        packet(STOP).at(60).time(60),
        other.clone().at(70),
        packet(START).at(400),
        other.at(405),
    ]);
    assert_eq!(stage.told(), ["start", "stop", "start"]);
    assert_eq!((stage.came[2], stage.came[4], stage.open_sessions()), (AFTER, LATE, 1));
}

#[test]
fn a_backlog_that_is_delivered_in_one_go_is_told_with_its_own_times() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).at(3_600).delay(3_600),
        packet(INTERIM).at(3_600).delay(3_300).time(300).octets(300, 0),
        packet(STOP).at(3_600).delay(3_000).time(600).octets(600, 0),
    ]);
    assert_eq!(stage.told(), ["start", "update", "stop"]);
    assert_eq!((stage.fact(2, "session.started_at"), stage.fact(2, "session.stopped_at")), (at(0), at(600)));
    assert_eq!(stage.fact(2, "session.rate.input_bps"), 8);
}

#[test]
fn a_delay_near_two_to_the_32_is_no_delay() {
    let mut stage = Stage::new();
    stage.take_all([packet(START).at(60).delay(4_294_967_200), packet(STOP).at(120).time(60).delay(4_294_967_295)]);
    assert_eq!(stage.told(), ["start", "stop"]);
    assert_eq!(stage.fact(1, "session.started_at"), at(60));
}

#[test]
fn a_clock_a_week_ahead_is_not_believed() {
    let mut stage = Stage::new();
    stage.take_all([packet(START).dated(604_800), packet(STOP).at(60).dated(604_860).time(60)]);
    assert_eq!(stage.told(), ["start", "stop"]);
    assert_eq!((stage.time(0), stage.fact(1, "session.stopped_at")), (at(0).as_str().unwrap().to_owned(), at(60)));
}

#[test]
fn a_clock_that_is_set_right_in_the_middle_of_a_session_does_not_end_it() {
    let mut stage = Stage::new();
    let ahead = 50_000;
    stage.take_all([
        packet(START).dated(ahead),
        packet(INTERIM).at(300).dated(300 + ahead).time(300),
        packet(INTERIM).at(600).dated(600).time(600),
        packet(INTERIM).at(900).dated(900).time(900),
        packet(STOP).at(1_000).dated(1_000).time(1_000),
    ]);
    assert_eq!(stage.told(), ["start", "update", "update", "update", "stop"]);
}

#[test]
fn a_clock_that_was_lost_counts_from_1970_and_is_not_believed() {
    let mut stage = Stage::new();
    stage.take_all([packet(START).with(number(numbers::EVENT_TIMESTAMP, 100)), packet(STOP).at(60).time(60)]);
    assert_eq!((stage.told().len(), stage.fact(1, "session.started_at")), (2, at(0)));
}

#[test]
fn packets_of_one_session_in_one_batch_keep_their_order_towards_a_receiver() {
    let mut stage = Stage::new();
    stage.take_all([packet(STOP).at(60).time(60), packet(START).session("b").at(61)]);
    let due = crate::store::queue::due(&stage.store, 0, (0, 0), i64::MAX - 1, 10).unwrap();
    let events: Vec<_> = due.iter().map(|(_, event)| *event).collect();
    assert_eq!(stage.told()[..3], ["start", "stop", "start"]);
    assert_eq!(events, [0, 2], "the stop waits for the start that was inferred from it; the other session does not");
}

#[test]
fn the_accept_that_came_before_is_named_by_an_inferred_start_too() {
    let mut stage = Stage::new();
    stage.take_all([accept(&[]), packet(INTERIM).at(60).time(60)]);
    let events = stage.events();
    assert_eq!(stage.told(), ["auth.accept", "start", "update"]);
    assert_eq!(
        (&stage.fact(1, "session.auth_id"), &stage.fact(2, "session.auth_id")),
        (&events[0]["id"], &events[0]["id"])
    );
    assert_eq!(stage.came[0], Came::Event(EventType::AuthAccept));
}
