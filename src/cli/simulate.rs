//! `radhook simulate`: a simulated NAS sends accounting, and every answer is verified and timed.

use std::io::{IsTerminal as _, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::arguments::{duration, secret_from, share};
use super::exit;
use super::interrupt::Interrupt;
use crate::lab::load::{self, LoadOptions, LoadReport, Pace};
use crate::lab::nas::NasOptions;
use crate::secret::Secret;

/// Sessions played unless a number or a duration is given.
const SESSIONS: u64 = 1000;

/// Simulate a NAS: send accounting for many sessions, verify and time every answer
///
/// Exit code 1 when a packet was lost, an answer was wrong, or a forged packet was answered.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where accounting is taken
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1813", value_parser = target)]
    target: SocketAddr,
    /// Secret shared with the target
    #[arg(long, required_unless_present = "secret_file", conflicts_with = "secret_file")]
    secret: Option<String>,
    /// Reads the secret from a file
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Sessions to play, each from start to stop [default: 1000, or as many as --duration allows]
    #[arg(long)]
    sessions: Option<u64>,
    /// Interim updates between the start and the stop of a session
    #[arg(long, default_value_t = 2)]
    interims: u32,
    /// Send so many packets a second, and count latency from when each should have left
    #[arg(long, value_name = "N/s", value_parser = rate, conflicts_with = "window")]
    rate: Option<f64>,
    /// Keep so many packets under way, and send the next when one is answered
    #[arg(long, value_name = "PACKETS", default_value_t = 64)]
    window: usize,
    /// Send nothing new after so long
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// Repeats a run; random unless given, and told in the report
    #[arg(long)]
    seed: Option<u64>,
    /// Different users, each with a device
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    users: u32,
    /// Share of packets that are sent twice though they are answered, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    retransmit_share: f64,
    /// Packets signed with another secret, which nobody should answer
    #[arg(long, value_name = "PACKETS", default_value_t = 0)]
    forge: u64,
    /// Wait so long for an answer before sending again
    #[arg(long, default_value = "3s", value_parser = duration)]
    timeout: Duration,
    /// Send a packet so often before it counts as lost
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
    /// Report as one JSON object
    #[arg(long)]
    json: bool,
}

fn target(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|error| format!("{error}; write it as 127.0.0.1:1813"))?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.strip_suffix("/s").unwrap_or(text).parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err(format!("{text:?} is no rate; write for example 1000/s")),
    }
}

/// Plays the run and reports it on stdout, with a progress bar on stderr where that is a terminal.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let secret = match (&args.secret, &args.secret_file) {
        (_, Some(file)) => secret_from(file)?,
        (secret, None) => Secret::new(secret.as_deref().unwrap_or_default()),
    };
    let seed = args.seed.unwrap_or_else(rand::random);
    let options = LoadOptions {
        target: args.target,
        secret,
        nas: NasOptions { users: args.users, interims: args.interims, seed, ..NasOptions::default() },
        pace: args.rate.map_or(Pace::Window(args.window), Pace::Rate),
        sessions: args.sessions.or(args.duration.is_none().then_some(SESSIONS)),
        duration: args.duration,
        retransmit_share: args.retransmit_share,
        forge: args.forge,
        timeout: args.timeout,
        tries: args.tries,
    };
    let stop = stop_at_interrupt()?;
    let bar = progress_bar(&options);
    let report = load::run(&options, |report| {
        bar.set_position(report.sent - report.repeated);
        bar.set_message(format!("{} acknowledged, {} lost", report.acknowledged, report.lost));
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    let report = report?;
    let text = if args.json { as_json(&options, &report).to_string() } else { as_table(&options, &report) };
    writeln!(std::io::stdout(), "{text}").context("write the report")?;
    let failed = report.lost > 0 || report.bad_answers > 0 || report.forged_answered > 0;
    Ok(if failed { exit::FAILED } else { exit::DONE })
}

/// Ctrl-C ends the run early, with a report.
fn stop_at_interrupt() -> anyhow::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let interrupt = runtime.block_on(async { Interrupt::catch() }).context("catch Ctrl-C")?;
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    std::thread::spawn(move || {
        runtime.block_on(interrupt.wait());
        told.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

fn progress_bar(options: &LoadOptions) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match options.expected() {
        Some(expected) => (ProgressBar::new(expected), "{elapsed:>4} [{bar:40}] {pos}/{len} ({per_sec}) {msg}"),
        None => (ProgressBar::no_length(), "{elapsed:>4} {spinner} {pos} ({per_sec}) {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("both templates are fixed and well-formed"))
}

/// What the report tells about latency, by name.
const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

fn as_json(options: &LoadOptions, report: &LoadReport) -> serde_json::Value {
    let latency: serde_json::Map<_, _> = QUANTILES
        .into_iter()
        .filter(|_| !report.latency.is_empty())
        .map(|(name, quantile)| (name.to_owned(), json!(report.latency.value_at_quantile(quantile) / 1000)))
        .collect();
    json!({
        "target": options.target,
        "seed": options.nas.seed,
        "sessions": report.sessions,
        "sent": report.sent,
        "acknowledged": report.acknowledged,
        "lost": report.lost,
        "outstanding": report.outstanding,
        "retransmitted": report.retransmitted,
        "repeated": report.repeated,
        "answered_again": report.answered_again,
        "bad_answers": report.bad_answers,
        "refused": report.refused,
        "forged": report.forged,
        "forged_answered": report.forged_answered,
        "unsent": report.unsent,
        "elapsed_seconds": report.elapsed.as_secs_f64(),
        "rate": report.rate(),
        "latency_us": latency,
    })
}

/// One line for each figure; those that are usually 0 only when they are not.
fn as_table(options: &LoadOptions, report: &LoadReport) -> String {
    let mut lines = vec![
        format!("target         {}", options.target),
        format!("sessions       {} (--seed {})", report.sessions, options.nas.seed),
        format!("sent           {}", report.sent),
        format!("acknowledged   {}", report.acknowledged),
        format!("lost           {}", report.lost),
        format!("retransmitted  {}", report.retransmitted),
    ];
    let seldom = [
        ("repeated", report.repeated, "told once more, with a raised Acct-Delay-Time"),
        ("outstanding", report.outstanding, "not answered when the run was stopped"),
        ("unsent", report.unsent, "the rate could not be held"),
        ("answered again", report.answered_again, "answers that came twice or too late"),
        ("bad answers", report.bad_answers, "malformed or wrongly signed: is the secret the same on both sides?"),
        ("refused", report.refused, "the target's host says nobody listens there"),
        ("forged", report.forged, "sent beside, with another secret"),
        ("answered them", report.forged_answered, "the target answers packets it should not believe"),
    ];
    let told = seldom.into_iter().filter(|(_, count, _)| *count > 0);
    lines.extend(told.map(|(name, count, meaning)| format!("{name:<14} {count}  ({meaning})")));
    if !report.latency.is_empty() {
        let milliseconds = |quantile| report.latency.value_at_quantile(quantile) as f64 / 1e6;
        let figures = QUANTILES.map(|(name, quantile)| format!("{name} {:.3}", milliseconds(quantile)));
        lines.push(format!("latency        {} ms", figures.join(", ")));
        lines.push(format!("rate           {:.0}/s over {:.1} s", report.rate(), report.elapsed.as_secs_f64()));
    }
    lines.join("\n")
}
