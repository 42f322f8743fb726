//! `radhook run`: the daemon in the foreground, as a service manager wants it.

mod reload;
mod watchdog;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use self::watchdog::Watchdog;
use super::config::ConfigArg;
use super::exit;
use crate::admin::reload::Reload;
use crate::config::{self, Config};
use crate::daemon::{Addresses, Daemon, Front, StartError};
use crate::metrics;

/// Run the daemon in the foreground
///
/// Prints nothing on stdout; logs go to stderr. When everything is up it prints the line `ready` with the bound addresses
/// to stderr and tells systemd READY=1. SIGTERM and SIGINT stop it in order; SIGHUP is `radhook reload`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or per module as in radhook::deliver=debug
    #[arg(long, env = "RADHOOK_LOG", default_value = "info")]
    log: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One readable line each.
    Text,
    /// One JSON object each.
    Json,
}

/// Borders of the latency histograms, in seconds: from a receiver on the same host to the default timeout and beyond.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

/// How long relays stand alone before the rest is tried again: a store is read whole when it is opened.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    start_log(args.log_format, &args.log)?;
    let path: PathBuf = args.config.config;
    let config = match config::load(&path) {
        Ok((config, remarks)) => {
            remarks.iter().for_each(|remark| warn!("{remark}"));
            config
        }
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let recorder = PrometheusBuilder::new().set_buckets(&LATENCY_BUCKETS)?.install_recorder().context("metrics")?;
    metrics::describe();
    let watchdog = Watchdog::start().context("cannot start a thread")?;
    let front = Front::open(&config)?;
    let started = match Daemon::start_behind(&front, &config, Some(recorder.clone())) {
        Err(error) if !front.is_empty() => relay_only(args.log_format, &front, &config, &recorder, error)?,
        started => Some(started?),
    };
    let Some(daemon) = started else { return Ok(exit::FAILED) };
    let mut daemon = daemon.with(front);
    // Before anybody is told that it is up, who might then ask it to stop at once.
    let signals = daemon.runtime().block_on(async { Signals::catch() })?;
    ready(args.log_format, daemon.addresses());
    watchdog.watch(daemon.health());
    let stopped = serve(&mut daemon, signals, &path, config);
    // Whoever watches should not restart what is already stopping.
    watchdog.relax();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let well = daemon.stop();
    Ok(if well && stopped.is_ok() { exit::DONE } else { exit::FAILED })
}

/// Passes packets on while the rest cannot start, and tries that again now and then: whoever stands in front must not take
/// logins down because a store does not open. None when asked to stop meanwhile.
fn relay_only(
    format: LogFormat,
    front: &Front,
    config: &Config,
    recorder: &PrometheusHandle,
    mut error: StartError,
) -> anyhow::Result<Option<Daemon>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = runtime.block_on(async { Signals::catch() })?;
    ready(format, &front.addresses());
    loop {
        error!(%error, "RELAYING ONLY: packets pass and no event is made; the rest is started again every {TRY_AGAIN:?}");
        let status = format!("relaying only: {error}");
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Status(&status)]) {
            warn!(%error, "systemd could not be told");
        }
        let stopped = runtime.block_on(async {
            tokio::select! {
                _ = signals.terminate.recv() => true,
                _ = signals.interrupt.recv() => true,
                _ = signals.hangup.recv() => {
                    reloading();
                    warn!("SIGHUP: while there are only relays, a changed config is read by a restart");
                    up();
                    false
                }
                () = tokio::time::sleep(TRY_AGAIN) => false,
            }
        });
        if stopped {
            info!("stopping");
            return Ok(None);
        }
        match Daemon::start_behind(front, config, Some(recorder.clone())) {
            Ok(daemon) => {
                info!("all of it is up now");
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("")]);
                return Ok(Some(daemon));
            }
            Err(again) => error = again,
        }
    }
}

fn start_log(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("--log {filter:?}"))?;
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Says that it is up, and where.
fn ready(format: LogFormat, addresses: &Addresses) {
    match format {
        LogFormat::Text => {
            let sources = addresses.sources.iter().map(|(_, kind, place)| format!(" {kind}={place}"));
            let admin = addresses.admin.iter().map(|address| format!(" admin={address}"));
            eprintln!("ready{}", sources.chain(admin).collect::<String>());
        }
        LogFormat::Json => {
            let mut ready = serde_json::Map::new();
            for (_, kind, place) in &addresses.sources {
                let places = ready.entry(*kind).or_insert_with(|| serde_json::json!([]));
                places.as_array_mut().into_iter().for_each(|places| places.push(place.as_str().into()));
            }
            ready.insert("admin".to_owned(), addresses.admin.clone().into());
            eprintln!("{}", serde_json::json!({ "ready": ready }));
        }
    }
    up();
}

/// The signals that are listened to, and no longer end the process by themselves.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// What the daemon is asked from outside.
enum Asked {
    Stop,
    /// To read its config again; with somebody who wants to know what came of it, or by a signal.
    Reload(Option<Reload>),
}

/// Reads the config again whenever asked to. Returns when asked to stop, or with an error when the writer has ended by itself.
fn serve(daemon: &mut Daemon, mut signals: Signals, path: &Path, mut running: Config) -> anyhow::Result<()> {
    let (mut reloads, mut writer_ended) = (daemon.reloads(), daemon.writer_ended());
    loop {
        let runtime = daemon.runtime().handle().clone();
        match runtime.block_on(asked(&mut signals, &mut reloads, &mut writer_ended))? {
            Asked::Stop => return Ok(()),
            Asked::Reload(whom) => {
                reloading();
                let reloaded = reload::reload(daemon, path, &mut running);
                up();
                if let Some(whom) = whom {
                    // Who asked may have gone.
                    let _ = whom.send(reloaded);
                }
            }
        }
    }
}

async fn asked(
    signals: &mut Signals,
    reloads: &mut Option<mpsc::Receiver<Reload>>,
    writer_ended: &mut Option<oneshot::Receiver<()>>,
) -> anyhow::Result<Asked> {
    let reload = async {
        match reloads {
            Some(reloads) => reloads.recv().await,
            None => None,
        }
    };
    let writer_ends = async {
        match writer_ended {
            Some(ended) => drop(ended.await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = signals.terminate.recv() => info!("SIGTERM: stopping"),
        _ = signals.interrupt.recv() => info!("SIGINT: stopping"),
        _ = signals.hangup.recv() => {
            info!("SIGHUP: reading the config again");
            return Ok(Asked::Reload(None));
        }
        Some(whom) = reload => {
            info!("asked to read the config again");
            return Ok(Asked::Reload(Some(whom)));
        }
        () = writer_ends => {
            error!("the writer has ended; nothing can be acknowledged any more");
            anyhow::bail!("the writer has ended");
        }
    }
    Ok(Asked::Stop)
}

/// systemd waits from here until it is told that the service is up again (`Type=notify-reload`).
fn reloading() {
    let told = sd_notify::NotifyState::monotonic_usec_now()
        .and_then(|now| sd_notify::notify(&[sd_notify::NotifyState::Reloading, now]));
    if let Err(error) = told {
        warn!(%error, "systemd could not be told");
    }
}

/// Tells systemd that the service is up.
fn up() {
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        warn!(%error, "systemd could not be told");
    }
}
