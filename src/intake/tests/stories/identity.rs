//! Which session a packet belongs to: ids that are used again, users that are renamed, devices that roam.

use serde_json::json;

use super::*;

#[test]
fn a_session_id_that_is_used_again_after_its_stop_is_another_session() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).at(3_000)]);
    assert_eq!(stage.told()[..3], ["start", "stop", "start"]);
    assert_ne!(stage.fact(0, "session.unique_id"), stage.fact(2, "session.unique_id"));
}

#[test]
fn a_session_id_that_is_used_again_without_a_stop_ends_the_session_before() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(INTERIM).at(300).time(300), packet(START).at(9_000)]);
    assert_eq!(stage.told(), ["start", "update", "lost", "start"]);
    assert_eq!(stage.fact(2, "session.terminate_cause"), "Id-Reused");
    assert_eq!(
        (stage.fact(2, "session.unique_id"), stage.fact(3, "user.sessions")),
        (stage.fact(0, "session.unique_id"), json!(1))
    );
}

#[test]
fn a_session_id_that_is_used_again_and_whose_start_was_missed_is_another_session() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(9_000, 0),
        packet(INTERIM).at(9_000).time(100).octets(50, 0),
    ]);
    assert_eq!(stage.told(), ["start", "update", "lost", "start", "update"]);
    assert_eq!((stage.fact(3, "session.inferred"), stage.fact(3, "session.started_at")), (json!(true), at(8_900)));
    assert_eq!(stage.fact(4, "session.input_octets"), 50);
}

#[test]
fn a_nas_that_counts_from_the_beginning_after_a_restart_begins_new_sessions_in_the_same_words() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(ON).at(60), packet(START).at(90), packet(START).at(92).delay(2)]).wait(120);
    assert_eq!(stage.told(), ["start", "nas.on", "lost", "start", "resumed"]);
    assert_eq!((stage.fact(2, "session.terminate_cause"), stage.came[3]), (json!("NAS-Reboot"), Came::Repeat));
    let ids: Vec<_> = stage.events().iter().map(|event| event["id"].clone()).collect();
    assert_ne!(ids[0], ids[3]);
}

#[test]
fn two_nases_count_the_same_session_ids() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(START).nas("bar", "10.0.0.2").at(1)]);
    assert_eq!(stage.told()[..2], ["start", "start"]);
    assert_ne!(stage.fact(0, "session.unique_id"), stage.fact(1, "session.unique_id"));
}

#[test]
fn two_access_points_with_the_name_the_factory_gave_them_are_told_apart_by_their_devices() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(START).nas("lobby", "10.0.0.9").mac("00-00-00-00-00-09").at(1)]);
    assert_ne!(stage.fact(0, "session.unique_id"), stage.fact(1, "session.unique_id"));
}

#[test]
fn two_users_of_one_session_id_without_a_device_are_two_sessions() {
    let mut stage = Stage::new();
    let bare = |user: &str| packet(START).user(user).without(numbers::CALLING_STATION_ID);
    stage.take_all([bare("alice"), bare("bob").at(1)]);
    assert_eq!((stage.told(), stage.active_users()), (vec!["start".to_owned(), "start".to_owned()], 2));
}

#[test]
fn a_user_whose_realm_is_taken_off_on_the_way_has_one_session() {
    let mut stage = Stage::new();
    let bare = |status, user: &str| packet(status).user(user).without(numbers::CALLING_STATION_ID);
    stage.take_all([bare(START, "alice@example.org"), bare(STOP, "alice").at(60).time(60)]);
    assert_eq!(stage.told(), ["start", "stop"]);
    assert!(stage.nobody_is_here(), "it is counted off whom it was counted for");
}

#[test]
fn a_unique_id_stays_the_same_for_the_whole_life_of_a_session() {
    let mut stage = Stage::new();
    let row = (1..5).map(|n| packet(INTERIM).at(n * 301).time(n.cast_unsigned() * 300));
    stage.take_all([packet(START)]).take_all(row).take(packet(STOP).at(1_300).time(1_290));
    let ids = stage.facts("session.unique_id");
    assert_eq!((ids.len(), ids.iter().filter(|id| **id == ids[0]).count()), (6, 6));
}

#[test]
fn a_device_that_starts_again_soon_after_its_stop_is_resumed() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).session("b").at(200)]);
    assert_eq!(stage.told(), ["start", "stop", "start", "resumed"]);
    let previous = json!({ "unique_id": stage.fact(0, "session.unique_id"), "stopped_at": at(60) });
    assert_eq!((stage.fact(2, "session.previous"), stage.fact(3, "session.previous")), (previous.clone(), previous));
    assert_eq!(stage.fact(2, "session.unique_id"), stage.fact(3, "session.unique_id"));
}

#[test]
fn a_device_that_starts_again_after_the_window_is_not_resumed() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60), packet(START).session("b").at(361)]);
    assert_eq!(stage.told(), ["start", "stop", "start"]);
    assert_eq!(stage.fact(2, "session.previous"), json!(null));
}

#[test]
fn a_device_that_roams_under_one_multi_session_is_resumed_on_the_next_access_point() {
    let mut stage = Stage::new();
    let second = |status| packet(status).session("b").multi("m").nas("bar", "10.0.0.2").ap("00-11-22-33-44-66:Guest");
    stage.take_all([
        packet(START).multi("m"),
        second(START).at(600),
        packet(STOP).multi("m").at(601).time(601),
        second(STOP).at(900).time(300),
    ]);
    assert_eq!(stage.told(), ["start", "start", "resumed", "stop", "stop"]);
    assert_eq!(
        stage.fact(2, "session.previous"),
        json!({ "unique_id": stage.fact(0, "session.unique_id"), "nas": "lobby", "ap": "00-11-22-33-44-55" })
    );
    assert_eq!((stage.fact(1, "session.multi_id"), stage.fact(3, "user.sessions")), (json!("m"), json!(1)));
    assert!(stage.nobody_is_here());
}

#[test]
fn the_id_that_freeradius_would_give_is_told_when_it_is_asked_for() {
    let mut stage = Stage::with(SessionOptions { acct_unique_id: true, ..SessionOptions::default() });
    stage.take_all([packet(START), packet(STOP).at(9).time(9)]);
    // As `printf 'alice,a,10.0.0.1,lobby,,' | md5sum` has it.
    let id = "7444dd379ed0003d5c2ee0a0d82ebbec";
    assert_eq!(stage.facts("session.acct_unique_id"), [id, id]);
}

#[test]
fn without_an_acct_session_id_there_is_no_session() {
    let mut stage = Stage::new();
    stage.take(packet(START).without(numbers::ACCT_SESSION_ID));
    assert!(matches!(stage.came[0], Came::Meaningless(_)));
}
