//! `radhook emit`: tells an event from the command line, a script or a cron job.

use std::io::Read;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::client::AdminClient;
use crate::config;
use crate::event::{EventId, EventType};
use crate::listen::Address;

/// Post an event to the running daemon
///
/// It goes to the first source of type "local" in the config, a Unix socket before a port. Prints the event's id once it is
/// stored; endpoints that ask for its type get it from then on. Doing it again with the same --id changes nothing.
///
/// Example: radhook emit user.created --data '{"user": {"name": "alice@example.org"}}'
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its type, such as user.created or voucher.expired
    #[arg(value_name = "TYPE")]
    kind: EventType,
    /// What happened: a JSON object, @FILE with one, or - to read it from standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
    /// Its id, a UUID: what was told under it before is not told again
    #[arg(long, value_name = "UUID", value_parser = id)]
    id: Option<EventId>,
    /// When it happened, such as 2026-11-22T10:15:30Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    timestamp: Option<String>,
    /// Print the id as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What the daemon answers.
#[derive(Deserialize)]
struct Stored {
    ids: Vec<EventId>,
}

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let path = &args.config.config;
    let addresses = match config::load_local(path) {
        Ok(addresses) => addresses,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let address = nearest(addresses).ok_or_else(|| {
        anyhow!("{} has no [[source]] of type \"local\" to post to; docs/local.md tells how to add one", path.display())
    })?;
    let data = data(&args.data)?;
    // Its own id, so that an answer lost on the way and a second try do not make two events.
    let id = args.id.unwrap_or_else(EventId::random);
    let mut event = json!({ "type": args.kind, "id": id, "data": data });
    if let Some(timestamp) = args.timestamp {
        event["timestamp"] = timestamp.into();
    }
    let client = AdminClient::to(address, None)?;
    let talked = client.post::<_, Stored>("/v1/events", &event).map_err(anyhow::Error::from).map(|stored| {
        for id in stored.ids {
            match args.json {
                true => println!("{}", json!({ "id": id })),
                false => println!("{id}"),
            }
        }
        exit::DONE
    });
    daemon::answered(path, talked)
}

/// Where to post: a socket's permissions are the config's own, and a port of 0 nobody knows.
fn nearest(addresses: Vec<Address>) -> Option<Address> {
    let reachable = |address: &Address| !matches!(address, Address::Tcp(address) if address.port() == 0);
    addresses.into_iter().filter(reachable).min_by_key(|address| matches!(address, Address::Tcp(_)))
}

fn data(given: &str) -> anyhow::Result<Map<String, Value>> {
    let (text, from) = match (given, given.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("read --data from standard input")?;
            (text, "standard input".to_owned())
        }
        (_, Some(file)) => {
            (std::fs::read_to_string(file).with_context(|| format!("read --data from {file}"))?, file.to_owned())
        }
        (text, None) => (text.to_owned(), "--data".to_owned()),
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{from} must be a JSON object, such as '{{\"user\": {{\"name\": \"alice\"}}}}'"))
}

fn id(text: &str) -> Result<EventId, String> {
    EventId::parse(text).ok_or_else(|| "not a UUID, such as 3f0e4c7a-52d1-4b6e-9a53-0c5d8a1be1f2".to_owned())
}

fn timestamp(text: &str) -> Result<String, String> {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(time.to_string()),
        Err(_) => Err("not a time with its zone, such as 2026-11-22T10:15:30Z".to_owned()),
    }
}
