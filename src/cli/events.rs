//! `radhook events`: the history, and sending it to an endpoint once more.

use std::path::Path;

use anyhow::bail;
use clap::Subcommand;

use super::arguments::event_id;
use super::config::ConfigArg;
use super::paging::{Speed, Which, through};
use super::{daemon, exit};
use crate::admin::client::AdminClient;
use crate::admin::events::{Event, Page, Replay, Replayed, Selection};
use crate::admin::selection::Meant;
use crate::event::rfc3339;

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

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    match args.verb {
        Verb::List { which, limit, json, config } => {
            let selection = Selection { meant: which.meant()?, ..Selection::default() };
            list(&config.config, selection, limit, json)
        }
        Verb::Show { id, config } => show(&config.config, &id),
        Verb::Replay { endpoint, which, dry_run, rate, json, config } => {
            let speed = Speed::new(rate.filter(|_| !dry_run));
            let selection = Selection { meant: which.meant()?, limit: speed.limit(), ..Selection::default() };
            replay(&config.config, Replay { endpoint, dry_run, selection }, speed, json)
        }
    }
}

fn list(config: &Path, selection: Selection, limit: usize, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut listed = 0;
        let more = through(pages(client, selection), |event| {
            match json {
                true => println!("{}", event.event),
                false => row(&event, listed == 0),
            }
            listed += 1;
            Ok(listed != limit)
        })?;
        if listed == 0 && !json {
            println!("no events");
        } else if more && !json {
            println!("… and perhaps more: --limit 0 lists all");
        }
        Ok(exit::DONE)
    })
}

/// Asks for a page of the events that are meant.
fn pages(
    client: &AdminClient,
    mut selection: Selection,
) -> impl FnMut(Option<String>) -> anyhow::Result<(Vec<Event>, Option<String>)> {
    move |after| {
        selection.after = after;
        let page: Page = client.get("/api/v1/events", &selection)?;
        Ok((page.events, page.next))
    }
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
    let meant = Meant { id: Some(event_id(id)?), ..Meant::default() };
    daemon::ask(config, |client| {
        let mut found = None;
        through(pages(client, Selection { meant, ..Selection::default() }), |event| {
            found = Some(event);
            Ok(false)
        })?;
        let Some(found) = found else { bail!("there is no event {id}: it may have left the history") };
        let event: serde_json::Value = serde_json::from_str(found.event.get())?;
        println!("{}", serde_json::to_string_pretty(&event)?);
        Ok(exit::DONE)
    })
}

fn replay(config: &Path, mut wanted: Replay, speed: Speed, json: bool) -> anyhow::Result<u8> {
    daemon::ask(config, |client| {
        let mut total = Replayed::default();
        speed.each_page(|after| {
            wanted.selection.after = after;
            let page: Replayed = client.post("/api/v1/events/replay", &wanted)?;
            total.queued += page.queued;
            total.waiting += page.waiting;
            total.not_wanted += page.not_wanted;
            Ok((page.queued, page.next))
        })?;
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
