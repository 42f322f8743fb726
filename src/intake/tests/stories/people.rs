//! Who and where: first visits, concurrent sessions, devices, limits of users.

use serde_json::json;

use super::*;

#[test]
fn the_first_session_of_a_user_is_a_first_login_and_the_next_a_reconnect() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).session("b").at(9_000)]);
    assert_eq!(stage.facts("session.login"), [json!("first"), json!(null), json!("reconnect")]);
    assert_eq!(stage.fact(2, "user.first_seen_at"), at(0));
}

#[test]
fn an_inferred_start_is_a_login_too() {
    let mut stage = Stage::new();
    stage.take(packet(INTERIM).at(60).time(60));
    assert_eq!(stage.facts("session.login"), [json!("first"), json!(null)]);
}

#[test]
fn a_known_device_with_a_new_user_was_seen_before() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).session("b").user("bob").at(9_000)]);
    assert_eq!((stage.fact(2, "client.first_seen_at"), stage.fact(2, "user.first_seen_at")), (at(0), at(9_000)));
    assert_eq!(stage.fact(2, "session.login"), "first");
}

#[test]
fn visits_are_counted_by_user_and_place() {
    let mut stage = Stage::new();
    for (n, ap) in ["00-11-22-33-44-55:Guest", "00-11-22-33-44-55:Guest", "00-11-22-33-44-55:Staff"].iter().enumerate()
    {
        let (from, id) = (n as i64 * 9_000, n.to_string());
        stage.take_all([packet(START).session(&id).ap(ap).at(from), packet(STOP).session(&id).at(from + 60).time(60)]);
    }
    assert_eq!(stage.facts("session.visit"), [json!(1), json!(null), json!(2), json!(null), json!(1), json!(null)]);
}

#[test]
fn a_session_that_goes_on_from_another_is_no_visit_of_its_own() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).session("b").at(100)]);
    assert_eq!((stage.fact(2, "session.visit"), stage.fact(3, "session.visit")), (json!(1), json!(1)));
}

#[test]
fn concurrent_sessions_of_a_user_are_counted() {
    let mut stage = Stage::new();
    let second = |status| packet(status).session("b").mac("a8-00-00-00-00-02");
    stage.take_all([packet(START), second(START).at(1), packet(STOP).at(60).time(60), second(STOP).at(61).time(60)]);
    assert_eq!(stage.facts("user.sessions"), [json!(1), json!(2), json!(1), json!(0)]);
    assert!(stage.nobody_is_here());
}

#[test]
fn a_repeated_stop_does_not_count_a_user_off_twice() {
    let mut stage = Stage::new();
    let second = packet(START).session("b").mac("a8-00-00-00-00-02");
    stage.take_all([packet(START), second.at(1), packet(STOP).at(60).time(60), packet(STOP).at(70).time(61)]);
    assert_eq!((stage.fact(2, "user.sessions"), stage.active_users()), (json!(1), 1));
}

#[test]
fn too_many_users_are_told_once_until_they_were_fewer() {
    let mut stage = Stage::with(SessionOptions { max_users: Some(2), ..SessionOptions::default() });
    let of = |status, user: &str| packet(status).session(user).user(user).mac(user);
    stage.take_all(["a", "b", "c", "d"].map(|user| of(START, user)));
    assert_eq!(stage.told(), ["start", "start", "start", "system.userlimit_exceeded", "start"]);
    assert_eq!(stage.events()[3]["data"], json!({ "limit": 2, "active_users": 3 }));
    stage.take_all(["d", "c"].map(|user| of(STOP, user).at(60).time(60)));
    stage.take_all([of(START, "e").at(90), of(START, "f").at(91)]);
    let limits = stage.told().iter().filter(|kind| kind.starts_with("system")).count();
    assert_eq!((limits, stage.active_users()), (2, 4));
}

#[test]
fn a_mac_is_told_in_one_form_whatever_notation_it_comes_in() {
    for mac in ["a8:bb:cc:dd:ee:ff", "A8BB.CCDD.EEFF", "a8bbccddeeff", "a8bbcc-ddeeff"] {
        let mut stage = Stage::new();
        stage.take_all([packet(START).mac(mac), packet(STOP).at(9).time(9)]);
        assert_eq!(stage.told(), ["start", "stop"], "{mac}");
        assert_eq!(
            (stage.fact(0, "client.mac"), stage.fact(0, "client.randomised")),
            (json!("A8-BB-CC-DD-EE-FF"), json!(null))
        );
    }
}

#[test]
fn an_address_that_a_phone_made_up_is_flagged() {
    let mut stage = Stage::new();
    stage.take(packet(START).mac("da-a1-19-00-00-01"));
    assert_eq!(stage.fact(0, "client.randomised"), true);
}

#[test]
fn the_name_that_dhcp_knows_is_told_where_a_vendor_sends_it() {
    let ruckus = AttributeId { vendor: 25_053, number: 138 };
    let mut stage = Stage::new();
    stage.take_all([packet(START).with(text(ruckus, "alices-phone")), packet(STOP).at(9).time(9)]);
    assert_eq!(stage.facts("client.hostname"), [json!("alices-phone"), json!("alices-phone")]);
}

#[test]
fn a_user_without_a_name_has_a_device() {
    let mut stage = Stage::new();
    let nameless = |status| packet(status).without(numbers::USER_NAME);
    stage.take_all([nameless(START), nameless(STOP).at(60).time(60), nameless(START).session("b").at(9_000)]);
    assert_eq!(stage.facts("session.login"), [json!("first"), json!(null), json!("reconnect")]);
    assert_eq!((stage.fact(0, "user"), stage.fact(0, "client.first_seen_at")), (json!(null), at(0)));
}

#[test]
fn a_user_whose_name_comes_with_a_later_packet_is_counted_from_then_on() {
    let mut stage = Stage::new();
    stage.take(packet(START).session("other").mac("m"));
    stage.take_all([packet(START).without(numbers::USER_NAME), packet(INTERIM).at(60).time(60)]);
    assert_eq!((stage.active_users(), stage.open_sessions()), (1, 2));
    stage.take(packet(STOP).at(90).time(90));
    assert_eq!((stage.fact(3, "user.name"), stage.fact(3, "user.sessions")), (json!("alice"), json!(1)));
    assert_eq!((stage.active_users(), stage.open_sessions()), (1, 1));
    let mut stage = Stage::new();
    stage.take_all([packet(START).without(numbers::USER_NAME), packet(STOP).at(90).time(90)]);
    assert!(stage.nobody_is_here());
}

#[test]
fn users_and_devices_are_forgotten_when_they_do_not_come_back() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60)]).wait(399 * 86_400);
    let known = |stage: &Stage, letter: &[u8]| !stage.store.range(letter, &[letter[0] + 1], 1).unwrap().is_empty();
    assert!(known(&stage, b"J") && known(&stage, b"V"));
    stage.wait(401 * 86_400);
    assert!(!known(&stage, b"J") && !known(&stage, b"V") && !known(&stage, b"W") && !known(&stage, b"X"));
}
