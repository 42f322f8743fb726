//! `radhook events`: the history, and sending it to an endpoint once more.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;

use super::arguments::{event_id, moment};
use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::events::{Event, PAGE, Page, Replay, Replayed, Selection};
use crate::event::{EventType, rfc3339};

/// See the history, and send it to an endpoint once more
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List events in the order in which they arrived
    List {
        #[command(flatten)]
        which: Which,
        /// At most this many; 0 for all
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// One event a line, whole
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Show one event
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Send events to an endpoint once more, under their old ids: also what it took, what it gave up, and what came before
    /// it was configured
    Replay {
        /// The endpoint; only what it asks for in `events` is sent
        #[arg(long)]
        endpoint: String,
        #[command(flatten)]
        which: Which,
        /// Only this event
        #[arg(long)]
        id: Option<String>,
        /// Only count
        #[arg(long)]
        dry_run: bool,
        /// Queue at most so many a second [default: as fast as it goes; the endpoint's own `rate` and `concurrency` hold]
        #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// Print what was done as a JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// Which events are meant
#[derive(Debug, clap::Args)]
struct Which {
    /// Only of this type, such as session.stop
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<EventType>,
    /// Only what arrived since: a time (2026-11-22T10:00:00Z) or a span (90m, 2h, 3d)
    #[arg(long, value_parser = moment)]
    since: Option<Timestamp>,
    /// Only what arrived before: a time or a span
    #[arg(long, value_parser = moment)]
    until: Option<Timestamp>,
    /// Only of this session: Acct-Session-Id, or the event's unique_id
    #[arg(long)]
    session: Option<String>,
}

impl From<Which> for Selection {
    fn from(which: Which) -> Self {
        let Which { kind, since, until, session } = which;
        Self { kind, since, until, session, ..Self::default() }
    }
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { which, limit, json, config } => list(&config.config, which.into(), limit, json),
        Verb::Show { id, config } => show(&config.config, &id),
        Verb::Replay { endpoint, which, id, dry_run, rate, json, config } => {
            let id = id.as_deref().map(event_id).transpose()?;
            let limit = rate.map(|rate| (rate as usize).min(PAGE));
            let selection = Selection { id, limit, ..which.into() };
            replay(&config.config, Replay { endpoint, dry_run, selection }, rate, json)
        }
    }
}

fn list(config: &Path, mut selection: Selection, limit: usize, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut listed = 0;
        loop {
            let page: Page = client.get("/api/v1/events", &selection)?;
            let all = page.events.len();
            let wanted = if limit == 0 { all } else { all.min(limit - listed) };
            for event in &page.events[..wanted] {
                match json {
                    true => println!("{}", event.event),
                    false => row(event, listed == 0),
                }
                listed += 1;
            }
            let more = wanted < all || page.next.is_some();
            match page.next {
                Some(next) if limit == 0 || listed < limit => selection.after = Some(next),
                _ => {
                    if listed == 0 && !json {
                        println!("no events");
                    } else if more && !json {
                        println!("… and perhaps more: --limit 0 lists all");
                    }
                    return Ok(exit::DONE);
                }
            }
        }
    })
}

fn row(event: &Event, is_first: bool) {
    if is_first {
        println!("{:<24}  {:<20}  {:<36}  USER, SESSION", "RECEIVED", "TYPE", "EVENT");
    }
    let told: serde_json::Value = serde_json::from_str(event.event.get()).unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let data = &told["data"];
    let who = text(&data["user"]["name"]).or_else(|| text(&data["client"]["mac"]));
    let words: Vec<String> = who.into_iter().chain(text(&data["session"]["id"])).collect();
    println!("{:<24}  {:<20}  {:<36}  {}", rfc3339(event.received_at), event.kind, event.id, words.join(", "));
}

fn show(config: &Path, id: &str) -> anyhow::Result<u8> {
    let mut selection = Selection { id: Some(event_id(id)?), ..Selection::default() };
    daemon::ask(config, |client| {
        loop {
            let page: Page = client.get("/api/v1/events", &selection)?;
            if let Some(event) = page.events.first() {
                let event: serde_json::Value = serde_json::from_str(event.event.get())?;
                println!("{}", serde_json::to_string_pretty(&event)?);
                return Ok(exit::DONE);
            }
            match page.next {
                Some(next) => selection.after = Some(next),
                None => bail!("there is no event {id}: it may have left the history"),
            }
        }
    })
}

fn replay(config: &Path, mut wanted: Replay, rate: Option<u32>, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut total = Replayed::default();
        loop {
            let page: Replayed = client.post("/api/v1/events/replay", &wanted)?;
            total.queued += page.queued;
            total.waiting += page.waiting;
            total.not_wanted += page.not_wanted;
            match page.next {
                Some(next) => wanted.selection.after = Some(next),
                None => break,
            }
            if let Some(rate) = rate.filter(|_| !wanted.dry_run) {
                // A page holds no more than a second's worth.
                std::thread::sleep(Duration::from_secs_f64(page.queued as f64 / f64::from(rate)));
            }
        }
        if json {
            println!("{}", serde_json::to_string(&total)?);
        } else {
            let verb = if wanted.dry_run { "would be" } else { "are" };
            print!("{} events {verb} sent to {} once more", total.queued, wanted.endpoint);
            if total.waiting > 0 {
                print!(", {} wait there already", total.waiting);
            }
            if total.not_wanted > 0 {
                print!(", {} are not among its `events`", total.not_wanted);
            }
            println!();
        }
        Ok(exit::DONE)
    })
}
