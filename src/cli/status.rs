//! `radhook status`: is anything stuck, and why, in one command.

use jiff::Timestamp;

use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::status::{EndpointStatus, Status, StoreStatus};
use crate::deliver::certificate::is_soon;
use crate::event::rfc3339;

/// See whether anything is stuck, and why
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the status as JSON: the daemon on one line, then each endpoint on one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    daemon::ask(&args.config.config, |client| {
        let mut status: Status = client.get("/api/v1/status", &())?;
        if args.json {
            let endpoints = std::mem::take(&mut status.endpoints);
            println!("{}", serde_json::to_string(&status)?);
            for endpoint in endpoints {
                println!("{}", serde_json::to_string(&endpoint)?);
            }
        } else {
            print(&status, Timestamp::now());
        }
        Ok(exit::DONE)
    })
}

fn print(status: &Status, now: Timestamp) {
    let up = span(now.duration_since(status.started_at).as_secs());
    println!("radhook {} on {}, up {up}", status.version, status.node);
    match &status.refusal {
        None => println!("ready: what comes in is stored and acknowledged"),
        Some(refusal) => {
            println!("NOT ACKNOWLEDGING since {}: {}", rfc3339(refusal.since), refusal.error);
        }
    }
    for source in &status.sources {
        println!("source    {} ({}) on {}", source.name, source.kind, source.address);
        source.remarks.iter().for_each(|remark| println!("          ! {remark}"));
    }
    println!("store     {}", store(&status.store));
    println!("sessions  {} open, of {} users", status.open_sessions, status.active_users);
    if status.endpoints.is_empty() {
        println!("no endpoints");
        return;
    }
    // The figures of a row add up; most sites never see the last one.
    let coalesces = status.endpoints.iter().any(|endpoint| endpoint.coalesced > 0);
    let more = if coalesces { format!(" {:>9}", "COALESCED") } else { String::new() };
    println!(
        "\n{:<16} {:<10} {:>11} {:>11} {:>9} {:>9} {:>9}{more}  OLDEST PENDING",
        "ENDPOINT", "STATE", "RECEIVED", "DELIVERED", "PENDING", "DEAD", "FILTERED"
    );
    for endpoint in &status.endpoints {
        let EndpointStatus { name, state, received, delivered, pending, dead, filtered, coalesced, .. } = endpoint;
        let oldest = endpoint.oldest_pending.map(|at| span(now.duration_since(at).as_secs()));
        let oldest = oldest.as_deref().unwrap_or("-");
        let more = if coalesces { format!(" {coalesced:>9}") } else { String::new() };
        println!(
            "{name:<16} {state:<10} {received:>11} {delivered:>11} {pending:>9} {dead:>9} {filtered:>9}{more}  {oldest}"
        );
    }
    let stuck: Vec<String> = status.endpoints.iter().filter_map(|endpoint| trouble(endpoint, now)).collect();
    if !stuck.is_empty() {
        println!();
        stuck.iter().for_each(|line| println!("{line}"));
    }
}

/// What is wrong with an endpoint, and what to do.
fn trouble(endpoint: &EndpointStatus, now: Timestamp) -> Option<String> {
    let name = &endpoint.name;
    let mut words = Vec::new();
    if let (true, Some(error)) = (endpoint.seen.failures > 0, &endpoint.seen.last_error) {
        let since = endpoint.seen.last_success.map_or("never took an event since the start".to_owned(), |at| {
            format!("last took an event {} ago", span(now.duration_since(at).as_secs()))
        });
        words.push(format!("{} requests failed in a row, the last: {error} ({since})", endpoint.seen.failures));
        if let Some(due) = endpoint.next_due.max(endpoint.seen.rests_until) {
            let wait = due.duration_since(now).as_secs();
            words.push(if wait > 0 {
                format!("next attempt in {}", span(wait))
            } else {
                "next attempt now".to_owned()
            });
        }
    }
    if let Some(said) = &endpoint.seen.not_verified {
        words.push(format!("has not agreed to be sent events (`verify`): {said}"));
    }
    match endpoint.state.as_str() {
        "disabled" => match (&endpoint.disabled_because, endpoint.disabled_since) {
            (Some(reason), since) => {
                let since =
                    since.map(|at| format!(" {} ago", span(now.duration_since(at).as_secs()))).unwrap_or_default();
                words.push(format!("disabled{since}: {reason}; radhook endpoints enable {name}"));
            }
            (None, _) if endpoint.pending > 0 => words.push("enabled = false: its events wait".to_owned()),
            (None, _) => {}
        },
        "removed" if endpoint.pending + endpoint.dead > 0 => {
            let what = "not in the config any more: its events wait until an endpoint of that name is back";
            words.push(format!("{what}, or radhook endpoints drop {name}"));
        }
        _ => {}
    }
    words.extend(certificate(endpoint, now));
    if endpoint.dead > 0 {
        words.push(format!("{} dead letters: radhook deliveries list --state dead --endpoint {name}", endpoint.dead));
    }
    (!words.is_empty()).then(|| format!("{name}: {}", words.join("; ")))
}

/// What to know of the certificate of an endpoint's receiver, where its end is near.
pub(super) fn certificate(endpoint: &EndpointStatus, now: Timestamp) -> Option<String> {
    let expires = endpoint.seen.certificate_expires.filter(|expires| is_soon(*expires, now))?;
    let left = expires.duration_since(now).as_secs();
    Some(match left {
        1.. => format!("the receiver's certificate expires in {}", span(left)),
        _ => format!("the receiver's certificate has expired {} ago", span(-left)),
    })
}

fn store(status: &StoreStatus) -> String {
    let mut words = format!("{} of {} used", size(status.used), size(status.max_size));
    if let Some(error) = &status.checkpoint_error {
        words.push_str(&format!("; CHECKPOINTS FAIL: {error}"));
    }
    if status.blobs > 0 {
        words.push_str(&format!("; ALARM: sled keeps {} files that it never syncs", status.blobs));
    }
    words
}

/// A size in the unit that fits.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// A span of seconds in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
