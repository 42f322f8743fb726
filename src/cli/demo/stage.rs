//! What the demo shows: a line for everything that happens, in the order in which it happens.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Packets;
use crate::admin::status::EndpointStatus;
use crate::lab::nas::{Record, Status};
use crate::lab::receiver::{Answered, Novelty, Received, Summary, Verdict};

/// Writes to stdout, in colour where a person reads.
pub struct Stage {
    begun: Instant,
    colour: bool,
}

/// ANSI colours: what came in, what went out, what is good, what is bad, what is said aside.
const IN: &str = "36";
const OUT: &str = "35";
const GOOD: &str = "32";
const BAD: &str = "31";
const ASIDE: &str = "2";

impl Stage {
    /// An empty stage.
    pub fn new() -> Self {
        let colour =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { begun: Instant::now(), colour }
    }

    /// Who takes part.
    pub fn opening(&self, radius: SocketAddr, receiver: SocketAddr, directory: &Path) {
        self.say("");
        self.say("  NAS ──RADIUS──▶ radhook ──signed webhook──▶ receiver \"crm\"");
        self.say(
            &self.paint(
                ASIDE,
                &format!("  radhook takes accounting on {radius}, its store is in {}", directory.display()),
            ),
        );
        self.say(
            &self.paint(ASIDE, &format!("  the receiver on {receiver} verifies every signature (Standard Webhooks)")),
        );
    }

    /// What happens next.
    pub fn chapter(&self, title: &str) {
        self.say(&format!("\n{}", self.paint("1", title)));
    }

    /// The NAS sends.
    pub fn sent(&self, record: &Record, note: &str) {
        let what = match record.status {
            Status::Start => "Start",
            Status::Stop => "Stop",
            Status::InterimUpdate => "Interim-Update",
            Status::AccountingOn => "Accounting-On",
            Status::AccountingOff => "Accounting-Off",
        };
        let who = record.subscriber.as_ref().map(|subscriber| subscriber.user.as_str()).unwrap_or_default();
        let note = if note.is_empty() { String::new() } else { format!("({note})") };
        self.line(IN, "NAS ▶ radhook", &format!("{what:<16} {who:<20} {note}"));
    }

    /// radhook has answered.
    pub fn acknowledged(&self, after: Duration) {
        let words = format!("stored on disk, acknowledged after {:.1} ms", after.as_secs_f64() * 1e3);
        self.line(IN, "NAS ◀ radhook", &self.paint(ASIDE, &words));
    }

    /// radhook has not answered, as it should be.
    pub fn silence(&self, answered: bool) {
        let words = if answered {
            self.paint(BAD, "ANSWERED")
        } else {
            self.paint(GOOD, "silence: the authenticator is wrong")
        };
        self.line(IN, "NAS ◀ radhook", &words);
    }

    /// A request has reached the receiver.
    pub fn received(&self, received: &Received) {
        let facts = &received.facts;
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let verdict = match &received.verdict {
            Verdict::Verified => self.paint(GOOD, "signature verified"),
            Verdict::Unchecked => "not checked".to_owned(),
            Verdict::Refused(why) => self.paint(BAD, why),
        };
        let answered = match received.answered {
            Answered::Status(status) if status.is_success() => {
                self.paint(GOOD, &format!("answers {}", status.as_u16()))
            }
            Answered::Status(status) => self.paint(BAD, &format!("answers {}", status.as_u16())),
            other => self.paint(BAD, &format!("{other:?}")),
        };
        let mut notes = Vec::new();
        match received.novelty {
            Novelty::Retry => notes.push("a retry".to_owned()),
            Novelty::Repeat => notes.push(self.paint(BAD, "HAD IT ALREADY")),
            _ => {}
        }
        notes.extend(received.disorder.as_ref().map(|why| self.paint(BAD, &format!("OUT OF ORDER: {why}"))));
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        let what = format!("{:<16} {:<20} {verdict}, {answered}{notes}", text(&facts.kind), text(&facts.user));
        self.line(OUT, "radhook ▶ crm", &what);
    }

    /// The books. Says whether they balance.
    pub fn closing(&self, packets: &Packets, endpoint: &EndpointStatus, receiver: &Summary) -> bool {
        self.chapter("The books");
        let mut balanced = true;
        let mut entry = |words: String, right: bool| {
            balanced &= right;
            let mark = if right { self.paint(GOOD, "✓") } else { self.paint(BAD, "✗") };
            self.say(&format!("  {mark} {words}"));
        };
        entry(
            format!(
                "{} packets sent, {} of them retransmissions: {} acknowledged",
                packets.sent, packets.repeats, packets.acknowledged
            ),
            packets.acknowledged == packets.sent,
        );
        let (forged, answered) = packets.forged;
        entry(format!("{forged} forged packet: {answered} answered"), answered == 0);
        entry(
            format!("{} facts: {} events, each stored once", packets.facts, endpoint.received),
            endpoint.received == packets.facts,
        );
        let EndpointStatus { received, delivered, pending, dead, filtered, coalesced, .. } = *endpoint;
        entry(
            format!(
                "received {received} = delivered {delivered} + pending {pending} + dead {dead} + filtered {filtered}"
            ),
            received == delivered + pending + dead + filtered + coalesced && delivered == packets.facts,
        );
        let Summary { requests, taken, failed, refused, repeats, out_of_order, .. } = *receiver;
        entry(
            format!(
                "the receiver got {requests} requests, failed {failed} and took {taken}: {refused} badly signed, \
                 {repeats} taken twice, {out_of_order} out of order"
            ),
            taken == packets.facts && failed > 0 && refused + repeats + out_of_order == 0,
        );
        self.say("");
        balanced
    }

    fn line(&self, colour: &str, who: &str, what: &str) {
        let at = format!("{:>7.3}", self.begun.elapsed().as_secs_f64());
        self.say(&format!("{}  {}  {}", self.paint(ASIDE, &at), self.paint(colour, who), what.trim_end()));
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// One write a line, so that lines from several threads do not mix. Whoever closed stdout does not want to see more.
    fn say(&self, line: &str) {
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}
