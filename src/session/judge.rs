//! What a packet is to the session whose id it names: its next step, late news, or word of another session with the same id.

use super::record::{ROUNDED, Record, Why, began};
use super::{Meaning, Status};

/// What a packet does to the record under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A session begins; the one before, if there is a record and it is open, is over.
    Opens,
    /// The session goes on, or ends.
    Goes,
    /// The session was taken to be lost, and is not.
    Returns,
    /// News from before what was told last: it changes nothing that was told.
    Late,
    /// The session has stopped, and nothing is told of it any more.
    AfterStop,
}

/// Datagrams of one session overtake each other by less than this, in milliseconds.
const OVERTAKEN: i64 = 2_000;

/// How much later than the last packet an undated one must place its beginning to be of another session: what was sent again
/// for so long by somebody who does not say so (no Acct-Delay-Time) still belongs to this one. In milliseconds.
const RESENT: i64 = 60_000;

/// The same after a stop, when queues are emptied.
const RESENT_AFTER_STOP: i64 = 10 * 60_000;

/// Decides. `nas_gone_at`: when the NAS last said Accounting-On or -Off, in milliseconds since 1970.
pub fn judge(record: Option<&Record>, meaning: &Meaning<'_>, status: Status, nas_gone_at: Option<i64>) -> Move {
    let Some(record) = record else { return Move::Opens };
    let facts = &meaning.facts;
    let happened_at = meaning.happened_at.as_millisecond();
    let begins = began(facts, meaning.happened_at, status).as_millisecond();
    let untold = if record.stopped { Move::AfterStop } else { Move::Late };
    // What was sent again is what it was.
    if record.was_untold(meaning) || record.began_after(meaning) {
        return untold;
    }
    let is_behind = |slack: i64| begins > record.seen_at.saturating_add(slack);
    let is_sure = meaning.is_dated || facts.delay.is_some_and(|delay| delay > 0);
    // Whatever ran on the NAS before has ended.
    let nas_restarted = nas_gone_at.is_some_and(|gone| record.seen_at < gone && begins >= gone);
    if status == Status::Start {
        // The start of a session that was inferred may still come in.
        let slack = if record.inferred { OVERTAKEN } else { 0 };
        return match is_behind(slack) || (nas_restarted && begins > record.started_at) {
            true => Move::Opens,
            false => untold,
        };
    }
    let went_back = matches!((facts.session_time, record.duration), (Some(now), Some(before)) if now < before);
    if record.stopped {
        let slack = if is_sure { ROUNDED } else { RESENT_AFTER_STOP };
        let is_another = facts.session_time.is_some_and(|time| time > 0) && is_behind(slack);
        return if is_another || nas_restarted { Move::Opens } else { Move::AfterStop };
    }
    if nas_restarted && facts.session_time.is_some() {
        return Move::Opens;
    }
    if went_back {
        let slack = if is_sure { ROUNDED } else { RESENT };
        return match status {
            _ if is_behind(slack) => Move::Opens,
            // However it was overtaken, it is the end.
            Status::Stop => Move::Goes,
            _ if meaning.is_dated && happened_at > record.seen_at => goes(record, happened_at),
            _ => Move::Late,
        };
    }
    let is_newer =
        matches!((facts.session_time, record.duration), (Some(now), before) if before.is_none_or(|b| now > b));
    if status == Status::Interim && !is_newer && happened_at < record.seen_at {
        return Move::Late;
    }
    if status == Status::Stop { Move::Goes } else { goes(record, happened_at) }
}

fn goes(record: &Record, happened_at: i64) -> Move {
    match record.ended {
        None => Move::Goes,
        Some(ended) if ended.why == Why::NasReboot && happened_at <= ended.at => Move::Late,
        Some(_) => Move::Returns,
    }
}

impl Record {
    /// Whether a packet happened before this session began: it is of one before, under the same id.
    pub(super) fn began_after(&self, meaning: &Meaning<'_>) -> bool {
        let happened_at = meaning.happened_at.as_millisecond();
        !self.ahead && happened_at.saturating_add(ROUNDED) < self.started_at
    }

    /// Why it is over when another session begins under its key.
    pub(super) fn gives_way(&self, nas_gone_at: Option<i64>) -> Why {
        if nas_gone_at.is_some_and(|gone| self.seen_at < gone) { Why::NasReboot } else { Why::IdReused }
    }
}
