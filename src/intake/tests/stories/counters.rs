//! Counters that wrap, are reset, stand the wrong way round, or lie.

use serde_json::json;

use super::*;

#[test]
fn gigawords_are_merged_into_the_octets() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(60).time(60).octets(5, 6).gigawords(1, 2)]);
    assert_eq!(stage.fact(1, "session.input_octets"), GIB4 + 5);
    assert_eq!(stage.fact(1, "session.output_octets"), 2 * GIB4 + 6);
}

#[test]
fn a_counter_that_passes_4_gib_without_gigawords_goes_on() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(4_000_000_000, 10).packets(3_000_000, 1),
        packet(INTERIM).at(600).time(600).octets(1_000, 20).packets(3_300_000, 2),
        packet(STOP).at(900).time(900).octets(2_000, 30).packets(3_400_000, 3),
    ]);
    assert_eq!(stage.fact(2, "session.input_octets"), GIB4 + 1_000);
    assert_eq!(stage.fact(2, "session.delta.input_octets"), GIB4 + 1_000 - 4_000_000_000);
    assert_eq!(stage.facts("session.noticed"), [json!(null), json!(null), json!(["wrapped"]), json!(null)]);
    assert_eq!(
        (stage.fact(3, "session.input_octets"), stage.fact(3, "session.delta.input_octets")),
        (json!(GIB4 + 2_000), json!(1_000))
    );
}

#[test]
fn a_counter_that_wraps_in_the_lower_half_is_known_by_its_packets() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(1_000_000_000, 0).packets(1_000_000, 0),
        packet(INTERIM).at(600).time(600).octets(500_000_000, 0).packets(4_000_000, 0),
    ]);
    assert_eq!(stage.fact(2, "session.input_octets"), GIB4 + 500_000_000);
}

#[test]
fn a_counter_that_was_reset_is_noticed_and_goes_on_from_what_was_told() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(5_000, 7_000).packets(50, 70),
        packet(INTERIM).at(600).time(600).octets(100, 200).packets(1, 2),
        packet(STOP).at(900).time(900).octets(300, 400).packets(3, 4),
    ]);
    assert_eq!(stage.fact(2, "session.noticed"), json!(["reset"]));
    assert_eq!(stage.facts("session.input_octets")[1..], [json!(5_000), json!(5_100), json!(5_300)]);
    assert_eq!(stage.facts("session.output_packets")[1..], [json!(70), json!(72), json!(74)]);
    assert_eq!(stage.fact(2, "session.delta"), json!({"duration": 300, "input_octets": 100, "output_octets": 200}));
}

#[test]
fn gigawords_that_lag_behind_never_make_a_negative_number() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(4_200_000_000, 0).gigawords(0, 0).packets(10, 0),
        packet(INTERIM).at(600).time(600).octets(100_000_000, 0).gigawords(0, 0).packets(20, 0),
        packet(INTERIM).at(900).time(900).octets(200_000_000, 0).gigawords(1, 0).packets(30, 0),
    ]);
    assert_eq!(stage.fact(2, "session.delta.input_octets"), 0);
    assert_eq!(stage.fact(3, "session.input_octets"), GIB4 + 200_000_000);
}

#[test]
fn a_nas_that_swaps_its_octets_is_set_right() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(STOP).at(9).time(9).octets(10, 999).gigawords(0, 1).packets(1, 2).swapped()]);
    assert_eq!(
        (stage.fact(1, "session.input_octets"), stage.fact(1, "session.output_octets")),
        (json!(GIB4 + 999), json!(10))
    );
    assert_eq!((stage.fact(1, "session.input_packets"), stage.fact(1, "session.output_packets")), (json!(2), json!(1)));
}

#[test]
fn a_wrap_of_swapped_octets_is_found_on_the_right_side() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(10, 4_000_000_000).swapped(),
        packet(INTERIM).at(600).time(600).octets(20, 5).swapped(),
    ]);
    assert_eq!(
        (stage.fact(2, "session.input_octets"), stage.fact(2, "session.output_octets")),
        (json!(GIB4 + 5), json!(20))
    );
}

#[test]
fn what_a_packet_adds_and_how_fast_is_told() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(INTERIM).at(100).time(100).octets(1_000, 500_000)]);
    assert_eq!(
        stage.fact(1, "session.delta"),
        json!({"duration": 100, "input_octets": 1_000, "output_octets": 500_000})
    );
    assert_eq!(stage.fact(1, "session.rate"), json!({"input_bps": 80, "output_bps": 40_000}));
}

#[test]
fn a_stop_in_the_same_second_as_the_last_interim_has_no_rate() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START).dated(0),
        packet(INTERIM).at(60).dated(60).time(60).octets(10, 10),
        packet(STOP).at(60).dated(60).time(60).octets(20, 20),
    ]);
    assert_eq!((stage.fact(2, "session.delta.input_octets"), stage.fact(2, "session.rate")), (json!(10), json!(null)));
}

#[test]
fn a_stop_without_counters_has_none() {
    let mut stage = Stage::new();
    stage.take_all([packet(START), packet(INTERIM).at(60).time(60).octets(10, 10), packet(STOP).at(90).time(90)]);
    assert_eq!((stage.fact(2, "session.input_octets"), stage.fact(2, "session.duration")), (json!(null), json!(90)));
}

#[test]
fn a_stop_with_zeros_after_a_crash_of_the_accounting_process_does_not_take_back_what_was_told() {
    let mut stage = Stage::new();
    stage.take_all([
        packet(START),
        packet(INTERIM).at(300).time(300).octets(9_000, 9_000).packets(9, 9),
        packet(STOP).at(400).time(0).octets(0, 0).packets(0, 0).delay(350),
    ]);
    assert_eq!(stage.told(), ["start", "update", "stop"]);
    assert_eq!((stage.fact(2, "session.input_octets"), stage.fact(2, "session.duration")), (json!(9_000), json!(300)));
}
