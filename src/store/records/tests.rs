//! Keys and records.

use super::super::sessions;
use super::*;

#[test]
fn no_two_kinds_of_keys_have_the_same_letter() {
    let of = [0; 16];
    let keys = [
        event(0),
        told(&of),
        told_dated(&of),
        session(&of),
        expiry(0, &of),
        login(&of),
        login_end(0, &of),
        bookmark("", &[]),
        endpoint(""),
        standing(0),
        pending(0, 0),
        due(0, 0, 0),
        dead(0, 0),
        done(0, 0),
        exchange(0, 0),
        once(0, &of),
        once_end(0, 0, &of),
        counted(0, &of),
        counted_end(0, 0, &of),
        NEXT_EVENT.into(),
        sessions::of_nas(&of, &of),
        sessions::of_user(&of, &of),
        sessions::person(&of),
        sessions::device(&of),
        sessions::look(0, 0, &of),
        sessions::nas(&of),
        sessions::nas_end(0, &of),
    ];
    let mut letters: Vec<u8> = keys.iter().map(|key| key[0]).collect();
    letters.sort_unstable();
    letters.dedup();
    assert_eq!(letters.len(), keys.len());
}
