//! `radhook explain`: which endpoints want an event, why or why not, and the request that each would get.

mod packets;
mod show;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::arguments::event_id;
use super::config::ConfigArg;
use super::{daemon, exit};
use crate::admin::explain::{Explained, Explanation, Wanted};
use crate::config::{self, Config};
use crate::daemon::{dictionary, planner};
use crate::deliver::client::Sender;
use crate::directory::Directory;
use crate::event::{EventId, EventType};
use crate::intake::{Came, Judged, Planner};
use crate::session::{Meaningless, Untold};
use crate::source::client::Client;
use crate::store::memory::MemoryStore;
use show::Printer;

/// Explain which endpoints want an event, why or why not, and the request each would get
///
/// Of an event in the history, of packets (a capture, a hex dump or a detail file, told apart as by `radhook decode`), or of an
/// event written as JSON. Nothing is sent and nothing is stored. Of an event in the history the running radhook is asked, which
/// knows what was sent before; packets and JSON are explained by the config alone, as by a radhook that has seen nothing yet.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    radhook explain 3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2\n  \
    radhook explain --packet stop.pcap --endpoint crm --raw\n  \
    radhook events show 3f0e4c7a-52d1-8b6e-9a53-0c5d8a1be1f2 | radhook explain --event -")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["id", "packet", "event"])))]
pub struct Args {
    /// An event of the history
    #[arg(value_name = "EVENT_ID")]
    id: Option<String>,
    /// Packets: pcap, pcapng, hex or detail; - for stdin
    #[arg(long, value_name = "FILE")]
    packet: Option<PathBuf>,
    /// Events in the format native; - for stdin
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Takes the packets as sent by this [[client]]
    #[arg(long, value_name = "NAME", conflicts_with_all = ["id", "event"])]
    client: Option<String>,
    /// Only for this endpoint
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Show bodies as they are sent, instead of laid out for reading
    #[arg(long)]
    raw: bool,
    /// One JSON object for each event and endpoint
    #[arg(long, conflicts_with = "raw")]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// The largest file of events: more than any one that is meant to be looked at.
const MAX_EVENTS: u64 = 16 * 1024 * 1024;

/// Runs the verb.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let printer = Printer { raw: args.raw, json: args.json };
    let path = &args.config.config;
    if let Some(id) = &args.id {
        return of_the_history(path, event_id(id)?, args.endpoint, &printer);
    }
    let config = match config::load(path) {
        Ok((config, _)) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(exit::CONFIG_INVALID);
        }
    };
    let rehearsal = Rehearsal::new(&config, args.endpoint.as_deref(), path)?;
    match (&args.packet, &args.event) {
        (Some(file), _) => rehearsal.packets(file, args.client.as_deref(), &printer),
        (_, Some(file)) => rehearsal.events(file, &printer),
        (None, None) => Ok(exit::USAGE),
    }
}

fn of_the_history(path: &Path, id: EventId, endpoint: Option<String>, printer: &Printer) -> anyhow::Result<u8> {
    daemon::ask(path, |client| {
        let told: Explanation = client.get("/api/v1/events/explain", &Wanted { id, endpoint })?;
        let event: Value = serde_json::from_str(told.event.get())?;
        printer.event(&event);
        told.endpoints.iter().try_for_each(|explained| printer.endpoint(explained))?;
        Ok(exit::DONE)
    })
}

/// The config's endpoints, over a store of which nothing is kept.
struct Rehearsal<'c> {
    config: &'c Config,
    /// Which of the endpoints are meant, with what signs for them.
    meant: Vec<(&'c config::Endpoint, Sender)>,
    store: MemoryStore,
    planner: Planner,
    /// What is known of users, and where a database is asked for it.
    users: Option<(Arc<Directory>, Runtime)>,
    now: Timestamp,
}

impl<'c> Rehearsal<'c> {
    fn new(config: &'c Config, endpoint: Option<&str>, path: &Path) -> anyhow::Result<Self> {
        let is_meant = |own: &&config::Endpoint| endpoint.is_none_or(|name| *own.delivery.name == *name);
        let mut meant = Vec::new();
        for own in config.endpoints.iter().filter(is_meant) {
            let sender = Sender::new(&own.delivery).with_context(|| format!("endpoint {}", own.delivery.name))?;
            meant.push((own, sender));
        }
        if let (Some(name), true) = (endpoint, meant.is_empty()) {
            bail!("there is no endpoint {name:?} in {}", path.display());
        }
        let store = MemoryStore::default();
        let bells: Vec<_> = config.endpoints.iter().map(|_| Arc::default()).collect();
        let directory = config.users.as_ref().map(|users| Arc::new(Directory::new(users)));
        let planner = planner(config, &bells, &store)?.enriched(config.enrichment.clone(), directory.clone());
        let users = match directory {
            Some(directory) => Some((directory, Builder::new_current_thread().enable_all().build()?)),
            None => None,
        };
        Ok(Self { config, meant, store, planner, users, now: Timestamp::now() })
    }

    fn packets(&self, file: &Path, client: Option<&str>, printer: &Printer) -> anyhow::Result<u8> {
        let chosen = client.map(|name| self.client(name)).transpose()?;
        let taken = packets::read(file, self.config, chosen, dictionary(&self.config.dictionary)?)?;
        let mut plan = self.planner.rehearse(&self.store);
        for taken in &taken {
            printer.packet(&taken.what);
            taken.notes.iter().for_each(|note| printer.note(note));
            for exchange in &taken.exchanges {
                let came = self.planner.take_in(&mut plan, exchange, self.now.as_millisecond())?;
                if let Some(why) = without_event(came) {
                    printer.note(why);
                }
                for told in self.planner.rehearsed(&mut plan)? {
                    self.explain(told.kind, &serde_json::from_slice(&told.json)?, &told.json, &told.judged, printer)?;
                }
            }
        }
        Ok(exit::DONE)
    }

    fn client(&self, name: &str) -> anyhow::Result<&'c Arc<Client>> {
        let known = || self.config.clients.iter().map(|client| &*client.name).collect::<Vec<_>>().join(", ");
        let found = self.config.clients.iter().find(|client| *client.name == *name);
        found.with_context(|| format!("there is no client {name:?}; there are: {}", known()))
    }

    fn events(&self, file: &Path, printer: &Printer) -> anyhow::Result<u8> {
        let mut text = Vec::new();
        let source = super::decode::open(file).with_context(|| format!("open {}", file.display()))?;
        source.take(MAX_EVENTS).read_to_end(&mut text).with_context(|| format!("read {}", file.display()))?;
        let mut found = 0;
        for value in serde_json::Deserializer::from_slice(&text).into_iter::<Value>() {
            let value = value.with_context(|| format!("{} is no JSON", file.display()))?;
            let events = if let Value::Array(events) = value { events } else { vec![value] };
            for event in events {
                found += 1;
                self.written(event, printer).with_context(|| format!("event {found} of {}", file.display()))?;
            }
        }
        match found {
            0 => bail!("there is no event in {}", file.display()),
            _ => Ok(exit::DONE),
        }
    }

    /// An event as somebody has written it.
    fn written(&self, event: Value, printer: &Printer) -> anyhow::Result<()> {
        let kind = event["type"].as_str().context("it has no `type`: is it in the format native?")?;
        let kind: EventType = kind.parse()?;
        for key in ["id", "timestamp", "source", "data"] {
            if event.get(key).is_none() {
                bail!("it has no `{key}`, which an event in the format native has");
            }
        }
        // As it would be stored, and as it is sent then.
        let json = event.to_string().into_bytes();
        let judged = self.planner.judge(&self.store, kind, event.clone(), self.now.as_millisecond())?;
        self.explain(kind, &event, &json, &judged, printer)
    }

    fn explain(
        &self,
        kind: EventType,
        event: &Value,
        json: &[u8],
        judged: &[Judged],
        printer: &Printer,
    ) -> anyhow::Result<()> {
        let id = event["id"].as_str().context("its `id` is no text")?;
        let id = event_id(id)?;
        printer.event(event);
        let mut sent = json.to_vec();
        if let Some((directory, runtime)) = &self.users {
            runtime.block_on(directory.join(std::iter::once(&mut sent)));
        }
        for (own, sender) in &self.meant {
            let options = &own.delivery;
            let Some(judged) = judged.iter().find(|judged| judged.endpoint == options.name) else { continue };
            let explained = Explained::of(judged, options, sender, (id, kind), &sent, self.now).asks_first(options);
            printer.endpoint(&explained)?;
        }
        Ok(())
    }
}

/// Why an exchange made no event of its own.
fn without_event(came: Came) -> Option<&'static str> {
    Some(match came {
        Came::Event(_) => return None,
        Came::Repeat => "no event: the same was told before",
        Came::Untold(Untold::Late) => "no event: newer news of its session were told",
        Came::Untold(Untold::AfterStop) => "no event: its session has stopped",
        Came::Meaningless(Meaningless::Status) => "no event: no Acct-Status-Type, or one that makes none",
        Came::Meaningless(Meaningless::SessionId) => "no event: no Acct-Session-Id, which RFC 2866 demands",
        Came::Meaningless(Meaningless::Reply) => "no event: nothing in the catalogue stands for such a reply",
    })
}
