use super::*;

/// What happens, in milliseconds from the start.
enum Step {
    /// A request: who was asked before, and who is to be asked now. It is counted as sent there.
    Ask(Option<usize>, usize),
    Answer(usize),
    Refuse(usize),
    /// Who is to be probed.
    Probe(&'static [usize]),
    /// A probe sent so long ago was answered.
    AnswerProbe(usize, u64),
}
use Step::{Answer, AnswerProbe, Ask, Probe, Refuse};

/// Plays a story and tells every change with its time.
fn play(servers: usize, interval: Option<u64>, story: &[(u64, Step)]) -> Vec<(u64, usize, bool)> {
    let start = Instant::now();
    let mut policy = Servers::new(servers, interval.map(Duration::from_millis), start);
    let mut told = Vec::new();
    for (ms, step) in story {
        let now = start + Duration::from_millis(*ms);
        let mut changes = Vec::new();
        match step {
            Ask(before, expected) => {
                let chosen = policy.choose(*before, now, &mut changes);
                assert_eq!(chosen, *expected, "at {ms} ms");
                policy.asked(chosen, now);
            }
            Answer(server) => policy.answered(*server, &mut changes),
            Refuse(server) => policy.refused(*server, now, &mut changes),
            Probe(expected) => assert_eq!(policy.probes_due(now, &mut changes), *expected, "at {ms} ms"),
            AnswerProbe(server, ago) => {
                policy.answered_probe(*server, now - Duration::from_millis(*ago), &mut changes);
            }
        }
        told.extend(changes.iter().map(|change| (*ms, change.server, change.why.is_up())));
    }
    told
}

#[test]
fn the_third_try_of_a_nas_reaches_the_next_server() {
    let told = play(2, None, &[(0, Ask(None, 0)), (3000, Ask(Some(0), 0)), (6000, Ask(Some(0), 1))]);
    assert_eq!(told, [(6000, 0, false)]);
}

#[test]
fn a_server_that_answers_now_and_then_is_never_set_aside() {
    let told = play(
        2,
        None,
        &[
            (0, Ask(None, 0)),
            (1000, Ask(None, 0)),
            (2000, Ask(None, 0)),
            (2500, Answer(0)),
            (6000, Ask(None, 0)),
            (8000, Ask(None, 0)),
            (8900, Ask(None, 0)),
            (8950, Answer(0)),
        ],
    );
    assert_eq!(told, []);
}

#[test]
fn many_requests_within_a_moment_prove_nothing() {
    let mut story: Vec<_> = (0..1000).map(|n| (n, Ask(Some(0), 0))).collect();
    story.push((2999, Ask(Some(0), 0)));
    assert_eq!(play(2, None, &story), []);
}

#[test]
fn a_refusal_takes_a_server_down_at_once_and_it_is_tried_again_later() {
    let told = play(
        2,
        None,
        &[
            (0, Ask(None, 0)),
            (1, Refuse(0)),
            (2, Refuse(0)),
            (3, Ask(Some(0), 1)),
            (4, Answer(1)),
            (30_000, Ask(None, 1)),
            (30_001, Ask(None, 0)),
        ],
    );
    assert_eq!(told, [(1, 0, false), (30_001, 0, true)]);
}

#[test]
fn a_late_answer_brings_a_server_back_before_its_time() {
    let told = play(
        2,
        None,
        &[(0, Ask(None, 0)), (1, Ask(None, 0)), (3000, Ask(None, 1)), (3500, Answer(0)), (3600, Ask(None, 0))],
    );
    assert_eq!(told, [(3000, 0, false), (3500, 0, true)]);
}

#[test]
fn whoever_was_asked_before_is_asked_again_while_it_is_up() {
    let told = play(
        3,
        None,
        &[
            (0, Refuse(0)),
            (1, Ask(None, 1)),
            (2, Answer(1)),
            (3, Answer(0)),
            (4, Ask(Some(1), 1)),
            (5, Ask(None, 0)),
            (6, Refuse(1)),
            (7, Ask(Some(1), 0)),
        ],
    );
    assert_eq!(told, [(0, 0, false), (3, 0, true), (6, 1, false)]);
}

#[test]
fn where_none_is_up_the_one_down_longest_is_asked() {
    let told = play(
        2,
        None,
        &[(0, Refuse(0)), (10, Refuse(1)), (20, Ask(Some(1), 0)), (30, Ask(Some(0), 0)), (40, Answer(0))],
    );
    assert_eq!(told, [(0, 0, false), (10, 1, false), (40, 0, true)]);
}

#[test]
fn the_only_server_is_always_asked() {
    let told = play(1, None, &[(0, Ask(None, 0)), (1, Refuse(0)), (2, Ask(Some(0), 0)), (3, Answer(0))]);
    assert_eq!(told, [(1, 0, false), (3, 0, true)]);
}

#[test]
fn three_probes_without_an_answer_take_a_server_down_and_one_answer_brings_it_back() {
    let told = play(
        2,
        Some(10_000),
        &[
            (0, Probe(&[0, 1])),
            (5, AnswerProbe(0, 5)),
            (6, AnswerProbe(1, 6)),
            (9_999, Probe(&[])),
            (10_000, Probe(&[0, 1])),
            (10_003, AnswerProbe(1, 3)),
            (11_999, Probe(&[])),
            // It is asked again sooner than by the interval, until it is known.
            (12_000, Probe(&[0])),
            (14_000, Probe(&[0])),
            (15_000, Ask(None, 0)),
            (16_000, Probe(&[0])),
            (16_001, Ask(None, 1)),
            (20_000, Probe(&[1])),
            (20_001, AnswerProbe(1, 1)),
            // Down, it is asked by the interval.
            (26_000, Probe(&[0])),
            (26_004, AnswerProbe(0, 4)),
            (26_005, Ask(None, 0)),
        ],
    );
    assert_eq!(told, [(16_000, 0, false), (26_004, 0, true)]);
}

#[test]
fn with_probes_silence_towards_requests_proves_nothing() {
    let told = play(
        2,
        Some(10_000),
        &[(0, Probe(&[0, 1])), (1, AnswerProbe(0, 1)), (2, Ask(None, 0)), (3, Ask(None, 0)), (9_000, Ask(None, 0))],
    );
    assert_eq!(told, []);
}

#[test]
fn an_answer_to_a_request_counts_like_one_to_a_probe() {
    let told = play(
        1,
        Some(10_000),
        &[
            (0, Probe(&[0])),
            (2_000, Probe(&[0])),
            (4_000, Probe(&[0])),
            (5_000, Answer(0)),
            (6_000, Probe(&[0])),
            (8_000, Probe(&[0])),
            (10_000, Probe(&[0])),
        ],
    );
    assert_eq!(told, [(10_000, 0, false)]);
}
