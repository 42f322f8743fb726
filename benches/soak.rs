//! Hours of load, in pieces: does memory, disk or latency grow? The real binary at a steady rate, delivering each event to a receiver
//! that takes everything.
//!
//! `cargo bench --bench soak [-- --rate N --minutes N --interims N --piece NAME]`. Every ten seconds a line is printed, and added to
//! `soak.csv` among the build directory's `bench-results`. In the end the last third is held beside the one before; the first does not count, since
//! history and what is remembered of sessions fill up meanwhile (they are kept short here, so that there is a steady state at all).
//! Exit code 1 where something was lost, the backlog stood, or something grew.

#[path = "../tests/support/mod.rs"]
mod support;

mod harness;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use harness::receiver::Receiver;
use harness::results;
use harness::subject::{NAS, SIGNING, data_directory};
use harness::usage::{cpu_seconds, memory_mib, on_disk};
use hdrhistogram::Histogram;
use radhook::lab::load::{self, LoadOptions, LoadReport, Pace};
use radhook::secret::Secret;
use support::daemon::{Config, Daemon};
use support::verbs::{Status, status, wait_until_status};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(10);

/// Grown by no more than this is flat: what a steady state wavers by.
const FLAT: f64 = 1.10;

/// The same of the slowest hundredth: ten seconds of it waver by half on cores that others share.
const FLAT_AT_THE_EDGE: f64 = 1.5;

/// Events kept after they were delivered: all of them long before the first third is over. What is remembered of sessions is kept for an hour
/// at least, so that the disk grows by it for so long: by little where sessions are long.
const HISTORY: &str = "history = { keep = \"1h\", max_records = 10000 }";
const REMEMBER: &str = "remember = \"1h\"";

/// Lines of the daemon's log that are shown in the end hold one of these.
const TOLD: [&str; 3] = ["WARN", "ERROR", "written anew"];

const MIB: f64 = 1024.0 * 1024.0;

/// The figures that must not grow, by their places in a [`Line`], and by how much they waver.
const GROWS: [(&str, usize, f64); 4] =
    [("memory", 5, FLAT), ("disk", 6, FLAT), ("p50", 3, FLAT), ("p99", 4, FLAT_AT_THE_EDGE)];

/// The columns of a line, after the piece's name.
const COLUMNS: [&str; 10] = [
    "seconds",
    "acknowledged",
    "lost",
    "p50_us",
    "p99_us",
    "rss_mib",
    "disk_mib",
    "pending",
    "cpu_us_per_event",
    "delivered",
];

/// One line's figures, in the order of [`COLUMNS`].
type Line = [f64; COLUMNS.len()];

#[derive(Debug, Parser)]
struct Options {
    /// Packets a second
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// How long
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Interim updates of a session between its start and its stop: with a thousand users at work for hours each, most packets are these
    #[arg(long, default_value_t = 200)]
    interims: u32,
    /// What this piece of an hour is called in the file
    #[arg(long, default_value = "1")]
    piece: String,
    /// What cargo bench adds by itself
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let directory = data_directory();
    let receiver = Receiver::start();
    let config = Config::new(directory.path(), NAS)
        .store(HISTORY)
        .sessions(REMEMBER)
        .endpoint("crm", &receiver.url(), SIGNING, "concurrency = 64")
        .write();
    let daemon = Daemon::start(&config);
    let latest: Mutex<Option<LoadReport>> = Mutex::new(None);
    let done = AtomicBool::new(false);
    let (lines, report) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&options, &daemon, &config, directory.path(), &latest, &done));
        let report = drive(&options, &daemon, &latest);
        done.store(true, Ordering::Relaxed);
        (watcher.join().expect("it watches to the end"), report)
    });
    let settled = wait_until_status(&config, "all is delivered", |status| status.endpoint("crm").pending == 0);
    let crm = settled.endpoint("crm");
    println!(
        "{} acknowledged, {} lost; {} delivered, {} dead",
        report.acknowledged, report.lost, crm.delivered, crm.dead
    );
    let mut well = report.lost == 0 && report.unsent == 0 && crm.delivered == crm.received && crm.dead == 0;
    for (what, column, wavers) in GROWS {
        let third = lines.len() / 3;
        let of = |part: &[Line]| results::median(part.iter().map(|line| line[column]).collect()).unwrap_or(0.0);
        let (before, last) = (of(&lines[third..2 * third]), of(&lines[2 * third..]));
        let flat = last <= before * wavers;
        println!(
            "{what:<8} {before:>10.1} in the middle third, {last:>10.1} in the last: {}",
            if flat { "flat" } else { "grows" }
        );
        well &= flat;
    }
    let half = lines.last().map_or(0.0, |line| line[7]);
    println!("waiting at the end: {half:.0}");
    // What it had to say: warnings, and how often and how fast sled's file was written anew.
    for line in daemon.stderr().iter().filter(|line| TOLD.iter().any(|word| line.contains(word))) {
        println!("{line}");
    }
    well &= half < options.rate;
    assert!(daemon.stop().success());
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn drive(options: &Options, daemon: &Daemon, latest: &Mutex<Option<LoadReport>>) -> LoadReport {
    let mut load = LoadOptions::new(daemon.accounting(), Secret::new(NAS));
    load.pace = Pace::Rate(options.rate);
    load.sessions = None;
    load.duration = Some(Duration::from_secs_f64(options.minutes * 60.0));
    load.nas.users = 10_000;
    load.nas.interims = options.interims;
    let progress = |report: &LoadReport| {
        // On the thread that sends: no more than a copy.
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        ControlFlow::Continue(())
    };
    load::run(&load, progress).expect("the load runs")
}

/// Notes a line every now and then, on a thread of its own.
fn watch(
    options: &Options,
    daemon: &Daemon,
    config: &Path,
    directory: &Path,
    latest: &Mutex<Option<LoadReport>>,
    done: &AtomicBool,
) -> Vec<Line> {
    let (begun, mut lines) = (Instant::now(), Vec::new());
    let mut before: Option<(LoadReport, f64)> = None;
    println!("{}", COLUMNS.map(|column| format!("{column:>18}")).concat());
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(EVERY);
        let Some(report) = latest.lock().unwrap_or_else(PoisonError::into_inner).clone() else { continue };
        let cpu = cpu_seconds(daemon.pid());
        let Some((last, last_cpu)) = before.replace((report.clone(), cpu)) else { continue };
        let mut latency: Histogram<u64> = report.latency.clone();
        latency.subtract(&last.latency).expect("a later histogram holds the earlier");
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
        let events = (report.acknowledged - last.acknowledged).max(1) as f64;
        let Status { endpoints, .. } = status(config);
        let crm = &endpoints[0];
        let line: Line = [
            begun.elapsed().as_secs_f64(),
            report.acknowledged as f64,
            report.lost as f64,
            at(0.5),
            at(0.99),
            memory_mib(daemon.pid()).0,
            on_disk(&directory.join("data")) as f64 / MIB,
            crm.pending as f64,
            (cpu - last_cpu) * 1e6 / events,
            crm.delivered as f64,
        ];
        println!("{}", line.map(|figure| format!("{figure:>18.1}")).concat());
        append(&options.piece, &line);
        lines.push(line);
    }
    lines
}

fn append(piece: &str, line: &Line) {
    let path: PathBuf = results::directory().join("soak.csv");
    fs::create_dir_all(results::directory()).expect("the build directory is writable");
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("and takes a file");
    if is_new {
        writeln!(file, "piece,{}", COLUMNS.join(",")).expect("and a line");
    }
    writeln!(file, "{piece},{}", line.map(|figure| format!("{figure:.1}")).join(",")).expect("and another");
}
