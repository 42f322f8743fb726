//! Which threads come first where there are more of them than cores: those that RADIUS waits for.

use rustix::process::{getpriority_process, setpriority_process};

/// How far behind the others: a share of about a quarter of a core that both want.
const BEHIND: i32 = 5;

/// How much further behind is what may be busy for nothing.
const LAST: i32 = 15;

/// Puts the calling thread behind those that RADIUS waits for. Delivery and looking on call this: on a busy host receivers
/// hear later, and nobody logs in later.
pub fn behind_radius() {
    behind(BEHIND);
}

/// Puts the calling thread behind all others: it serves whoever may keep it busy without need.
pub fn last() {
    behind(LAST);
}

fn behind(by: i32) {
    // Linux means the calling thread by 0. Where the system refuses, everybody is equal, as before.
    if let Ok(own) = getpriority_process(None) {
        let _ = setpriority_process(None, own.saturating_add(by));
    }
}
