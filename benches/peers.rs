//! radhook beside its peers and beside the bare machine, in turns, in one run: FreeRADIUS doing nothing, writing detail files,
//! posting each record by rlm_rest; a UDP echo, a loop of fdatasync, a loop of POSTs; radhook with a dead receiver, and
//! in balance, with one event a request and with a hundred.
//!
//! `cargo bench --bench peers [-- --rounds N] [--seconds N] [--window N]... [--only NAME]...`
//!
//! Needs what `tests/run --prepare` installs. Everything, load and receiver included, shares the machine's cores, so the
//! figures compare with each other and not with those of another machine. In balance means that a packet leaves only while
//! fewer than [`BACKLOG`] events are between the two ends: the backlog stays flat, and the rate is what can be held for ever.
//! rlm_rest acknowledges what was posted, so it is in balance by itself. `cargo bench --bench report` makes the table.

mod harness;
#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use clap::Parser;
use harness::bare;
use harness::drive::{Drive, drive};
use harness::receiver::Receiver;
use harness::results::{Figures, Results};
use harness::subject::{CONCURRENCY, NAS, Radhook, data_directory, dead_address};
use harness::usage::settle;
use support::freeradius::{Accounting, FreeRadius, NAS_SECRET};
use support::verbs::status;

/// Events between packet and receiver, with one event a request.
const BACKLOG: u64 = 2000;

/// The same with batches, of which each request under way holds [`BATCH`].
const BATCH_BACKLOG: u64 = 10_000;

/// Events a request of the third goal.
const BATCH: u64 = 100;

/// The size of an event.
const BODY: [u8; 800] = [b'a'; 800];

#[derive(Debug, Parser)]
struct Options {
    /// Rounds of each row
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each round is measured, in seconds, after a second to warm up
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Packets under way at once; may be given several times
    #[arg(long = "window", default_values_t = [16, 64, 128, 512])]
    windows: Vec<u64>,
    /// Only rows whose name contains this; may be given several times
    #[arg(long)]
    only: Vec<String>,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

/// One row: its name, its setting, and a round of it.
type Turn = (&'static str, u64, fn(u64, Duration) -> Figures);

fn main() {
    let options = Options::parse();
    let span = Duration::from_secs_f64(options.seconds);
    let turns: Vec<Turn> = turns(&options.windows)
        .into_iter()
        .filter(|(name, ..)| options.only.is_empty() || options.only.iter().any(|only| name.contains(only.as_str())))
        .collect();
    assert!(!turns.is_empty(), "--only names no row");
    let mut results = Results::new("peers");
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        for &(name, setting, measure) in &turns {
            settle();
            results.add(name, setting, measure(setting, span));
        }
    }
    results.write("peers");
}

fn turns(windows: &[u64]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = vec![
        ("bare, UDP echo", 64, |window, span| bare::udp_echo(window, span)),
        ("bare, UDP echo", 512, |window, span| bare::udp_echo(window, span)),
        ("bare, fdatasync", 0, |_, span| bare::fdatasync(data_directory().path(), false, span)),
        ("bare, fdatasync preallocated", 0, |_, span| bare::fdatasync(data_directory().path(), true, span)),
        ("bare, POST", 16, post),
        ("bare, POST", 64, post),
    ];
    for &window in windows {
        turns.push(("FreeRADIUS, nothing", window, |window, span| freeradius(&Accounting::Nothing, window, span)));
        turns.push(("FreeRADIUS, detail", window, |window, span| freeradius(&Accounting::Detail, window, span)));
        turns.push(("FreeRADIUS, rlm_rest", window, rest));
        turns.push(("radhook, receiver dead", window, dead));
    }
    // What is under way to radhook is little beside what is between the ends: wide windows only.
    for window in [128, 512] {
        turns.push(("radhook, single POSTs", window, |window, span| {
            let receiver = Receiver::start();
            balanced(Radhook::single(&receiver.url(), CONCURRENCY), &receiver, window, BACKLOG, span)
        }));
        turns.push(("radhook, batches of 100", window, |window, span| {
            let receiver = Receiver::start();
            balanced(Radhook::batches(&receiver.url(), BATCH), &receiver, window, BATCH_BACKLOG, span)
        }));
    }
    turns
}

fn post(concurrency: u64, span: Duration) -> Figures {
    let receiver = Receiver::start();
    bare::posts(&receiver.url(), &BODY, concurrency, span)
}

fn freeradius(accounting: &Accounting, window: u64, span: Duration) -> Figures {
    let freeradius = FreeRadius::start(accounting);
    drive(&Drive::window(freeradius.accounting(), NAS_SECRET, freeradius.pid(), window, span)).0
}

fn rest(window: u64, span: Duration) -> Figures {
    let receiver = Receiver::start();
    let freeradius = FreeRadius::start(&Accounting::Rest { url: receiver.url() });
    let load = Drive::window(freeradius.accounting(), NAS_SECRET, freeradius.pid(), window, span);
    let (mut figures, report) = drive(&load);
    figures.insert("posts_per_ack".to_owned(), receiver.posts() as f64 / report.acknowledged.max(1) as f64);
    figures
}

/// Everything is acknowledged and nothing can be delivered; all of it must be there afterwards.
fn dead(window: u64, span: Duration) -> Figures {
    let radhook = Radhook::single(&format!("http://{}/", dead_address()), CONCURRENCY);
    let load = Drive::window(radhook.accounting(), NAS, radhook.pid(), window, span);
    let (mut figures, report) = drive(&load);
    let pending = status(&radhook.config).endpoint("crm-1").pending;
    assert!(pending >= report.acknowledged, "{pending} wait of {} acknowledged", report.acknowledged);
    figures.insert("pending".to_owned(), pending as f64);
    radhook.end();
    figures
}

fn balanced(radhook: Radhook, receiver: &Receiver, window: u64, backlog: u64, span: Duration) -> Figures {
    let mut load = Drive::window(radhook.accounting(), NAS, radhook.pid(), window, span);
    load.balance = Some((receiver.counter(), backlog));
    let (mut figures, _) = drive(&load);
    figures.insert("events_per_post".to_owned(), receiver.events() as f64 / receiver.posts().max(1) as f64);
    radhook.end();
    figures
}
