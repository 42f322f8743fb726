//! Keys around sessions: the indexes by which they are found, what is remembered of people, devices and NASes, and when to
//! look at what. The records under them are the session room's.
//!
//! | key | record |
//! |---|---|
//! | `A` NAS, session | nothing: open sessions of a NAS |
//! | `O` user, session | nothing: open sessions of a user |
//! | `J` user | what is remembered of the user |
//! | `V` device | what is remembered of the device |
//! | `W` time, letter, user or device | nothing: when to look whether that can go |
//! | `K` NAS | when it last said Accounting-On or -Off |
//! | `Z` time, NAS | nothing: its sessions are to be ended |

use super::Key;
use super::records::{key, ordered, unordered};

/// How many sessions are open.
pub const OPEN_SESSIONS: &[u8] = b"Mopen-sessions";

/// How many users have an open session.
pub const ACTIVE_USERS: &[u8] = b"Mactive-users";

/// Whether more have than `limits.max_users` allows, and that was told.
pub const OVER_LIMIT: &[u8] = b"Mover-limit";

/// The key right behind this one: where to go on, and where a range ends that holds it.
pub fn behind(mut key: Key) -> Key {
    key.push(0);
    key
}

/// The key of an open session of a NAS.
pub fn of_nas(nas: &[u8; 16], session: &[u8; 16]) -> Key {
    key(b'A', &[nas, session])
}

/// The key of an open session of a user.
pub fn of_user(user: &[u8; 16], session: &[u8; 16]) -> Key {
    key(b'O', &[user, session])
}

/// The session in an [`of_nas`] or [`of_user`] key.
pub fn read_session(key: &[u8]) -> Option<[u8; 16]> {
    key.get(17..)?.try_into().ok()
}

/// The session in a [`super::records::session`] key.
pub fn read_key(key: &[u8]) -> Option<[u8; 16]> {
    key.strip_prefix(b"S")?.try_into().ok()
}

/// The letter of what is remembered of a user.
pub const PERSON: u8 = b'J';

/// The letter of what is remembered of a device.
pub const DEVICE: u8 = b'V';

/// The key of a user.
pub fn person(user: &[u8; 16]) -> Key {
    key(PERSON, &[user])
}

/// The key of a device.
pub fn device(device: &[u8; 16]) -> Key {
    key(DEVICE, &[device])
}

/// The key of a look at a user or a device, at a time in milliseconds since 1970.
pub fn look(at: i64, letter: u8, who: &[u8; 16]) -> Key {
    key(b'W', &[&ordered(at), &[letter], who])
}

/// The parts of a [`look`] key.
pub fn read_look(key: &[u8]) -> Option<(i64, u8, [u8; 16])> {
    let (at, rest) = key.strip_prefix(b"W")?.split_first_chunk::<8>()?;
    let (letter, who) = rest.split_first()?;
    Some((unordered(*at), *letter, who.try_into().ok()?))
}

/// The key of a NAS.
pub fn nas(nas: &[u8; 16]) -> Key {
    key(b'K', &[nas])
}

/// The key of a NAS whose sessions are to be ended, at a time in milliseconds since 1970.
pub fn nas_end(at: i64, nas: &[u8; 16]) -> Key {
    key(b'Z', &[&ordered(at), nas])
}

/// The parts of a [`nas_end`] key.
pub fn read_nas_end(key: &[u8]) -> Option<(i64, [u8; 16])> {
    let (at, nas) = key.strip_prefix(b"Z")?.split_first_chunk::<8>()?;
    Some((unordered(*at), nas.try_into().ok()?))
}
