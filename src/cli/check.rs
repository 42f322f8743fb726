//! `radhook check`: everything that is wrong with the config, or what the daemon would do with it.

mod enrichment;
mod sources;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::config::ConfigArg;
use super::exit;
use crate::config::{self, Config, Endpoint, Problems, Remark, show_duration, show_size};
use crate::deliver::options::{
    AuthOptions, BatchOptions, Compression, DEFAULT_DISABLE_AFTER, Format, Order, ProxyOptions, SignatureOptions,
    Templates, Verify,
};
use crate::deliver::sign::{KeySource, Signer};
use crate::event::EventType;
use crate::route::Scope;
use crate::source::client::{Client, Requirement};

/// Check the config: all its problems at once, or what the daemon would do
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Ask the database of `[users]` once, for a name that nobody has; exit code 1 where it gives no answer
    #[arg(long)]
    ask_database: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Checks. The answer is printed to stdout, also when it is a list of problems: it is what was asked for.
pub fn run(args: Args) -> anyhow::Result<u8> {
    let (text, code) = match config::load(&args.config.config) {
        Ok((config, warnings)) => {
            let asked = if args.ask_database { Some(enrichment::ask(&config)?) } else { None };
            let code = if asked.as_ref().is_none_or(enrichment::Asked::is_well) { exit::DONE } else { exit::FAILED };
            let text = if args.json {
                let mut objects = sound(&config, &warnings);
                objects.extend(asked.as_ref().map(enrichment::Asked::object));
                lines(objects)
            } else {
                let asked = asked.map(|asked| format!("{:<12}{}\n", "database", asked.line()));
                summary(&config, &warnings) + &asked.unwrap_or_default()
            };
            (text, code)
        }
        Err(problems) if args.json => (lines(broken(&problems)), exit::CONFIG_INVALID),
        Err(problems) => (format!("{}{problems}\n", warned(&problems.warnings)), exit::CONFIG_INVALID),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads may stop early: `radhook check | head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(code),
    }
}

fn warned(warnings: &[Remark]) -> String {
    warnings.iter().fold(String::new(), |text, warning| text + &format!("warning: {warning}\n"))
}

/// For people.
fn summary(config: &Config, warnings: &[Remark]) -> String {
    let mut text = warned(warnings);
    let mut line = |what: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<12}{value}");
    };
    line("node", config.node.to_string());
    for source in &config.sources {
        for (number, value) in sources::shown(source).into_iter().enumerate() {
            line(if number == 0 { source.kind() } else { "" }, value);
        }
    }
    for client in config.clients.iter() {
        line("client", show_client(client));
    }
    for endpoint in &config.endpoints {
        for (number, value) in show_endpoint(endpoint).into_iter().enumerate() {
            line(if number == 0 { "endpoint" } else { "" }, value);
        }
    }
    for (what, value) in enrichment::shown(config) {
        line(what, value);
    }
    let store = &config.store;
    line("store", format!("{}, at most {}", store.path.display(), show_size(store.max_size)));
    line("", format!("{} of journal kept for recovery", show_size(store.journal_keep)));
    let (keep, records) = (show_duration(store.history_keep), store.history_max_records);
    line("", format!("history of {keep}, at most {records} records"));
    if let Some(endpoint) = config.endpoints.first().filter(|endpoint| !endpoint.delivery.egress.deny.is_empty()) {
        let egress = &endpoint.delivery.egress;
        line("egress", format!("not to {}", list(egress.deny.iter().map(ToString::to_string))));
        if !egress.allow.is_empty() {
            line("", format!("but to {}", list(egress.allow.iter().map(ToString::to_string))));
        }
    }
    let shipped = config.dictionary.shipped.then(|| "the shipped ones".to_owned());
    let files = config.dictionary.files.iter().map(|file| file.display().to_string());
    line("dictionary", list(shipped.into_iter().chain(files)));
    let token = if config.admin.token.is_some() { ", token [secret]" } else { "" };
    line("admin", format!("{}{token}", list(config.admin.listen.iter().map(ToString::to_string))));
    text + "the config is good\n"
}

fn show_client(client: &Client) -> String {
    let mut text = format!("{} from {}, secret [secret]", client.name, client.network);
    match client.message_authenticator {
        Requirement::Auto => {}
        Requirement::Yes => text += ", Message-Authenticator required",
        Requirement::No => text += ", Message-Authenticator not required",
    }
    if client.swap_octets {
        text += ", input and output swapped";
    }
    if let Some(vendor) = &client.nas_type {
        text += &format!(", {vendor}");
    }
    text
}

fn show_endpoint(endpoint: &Endpoint) -> Vec<String> {
    let options = &endpoint.delivery;
    let mut first = format!("{}: {} {}", options.name, options.method, address(endpoint));
    if !options.enabled {
        first += " (disabled: events stay pending)";
    }
    let order = match options.order {
        Order::Session => "in order within a session",
        Order::None => "in any order",
    };
    let mut retries = match options.retry.schedule.as_slice() {
        [] => "no retry".to_owned(),
        waits => format!("retries after {}", list(waits.iter().map(|wait| show_duration(*wait)))),
    };
    if options.retry.endless {
        retries += ", the last again and again";
    }
    if !options.retry.schedule.is_empty() && options.retry.jitter > 0.0 {
        retries += &format!(", give or take {:.0} %", options.retry.jitter * 100.0);
    }
    let mut lines = vec![first];
    lines.extend(options.description.clone());
    lines.extend([
        format!("events {}", list(wanted(endpoint).map(str::to_owned))),
        format!("{order}, {} at once{}, {} each", options.concurrency, rate(endpoint), show_duration(options.timeout)),
        retries,
        signature(endpoint),
    ]);
    if let Some(scope) = &endpoint.interest.scope {
        lines.push(format!("only of {}", venues(scope)));
    }
    if let Some(when) = &endpoint.interest.when {
        lines.push(format!("only when {}", when.source().split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    if options.format != Format::default() {
        lines.push(format!("written as {}", options.format));
    }
    let Templates { url, headers, body, .. } = &*options.templates;
    let filled = [("url", url.is_some()), ("headers", !headers.is_empty()), ("body", body.is_some())];
    let filled: Vec<String> = filled.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect();
    if !filled.is_empty() {
        lines.push(format!("{} by templates", list(filled.into_iter())));
    }
    if !options.batch.is_single() {
        let BatchOptions { max_events, max_wait, max_bytes } = options.batch;
        let (wait, bytes) = (show_duration(max_wait), show_size(max_bytes as u64));
        lines.push(format!("in batches of at most {max_events} events, {wait} and {bytes}"));
    }
    if let Some(verify) = asked(&options.verify) {
        lines.push(format!("asked first whether it wants events ({verify})"));
    }
    if options.log_bodies {
        lines.push("requests and answers kept word for word".to_owned());
    }
    if options.auth != AuthOptions::None {
        lines.push(format!("shows who it is by {}", options.auth));
    }
    if let Some(ProxyOptions { url, credentials }) = &options.proxy {
        let user = credentials.as_ref().map(|(user, _)| format!(" as {user}")).unwrap_or_default();
        lines.push(format!("by the proxy {}{user}", url.as_str().trim_end_matches('/')));
    }
    if options.compression == Compression::Gzip {
        lines.push("bodies compressed by gzip".to_owned());
    }
    if !options.headers.is_empty() {
        lines.push(format!("headers {}", list(options.headers.iter().map(|(name, _)| name.to_string()))));
    }
    match options.disable_after {
        Some(DEFAULT_DISABLE_AFTER) => {}
        Some(after) => lines.push(format!("disabled after {} without a success", show_duration(after))),
        None => lines.push("never disabled".to_owned()),
    }
    if options.tls13_only {
        lines.push("TLS 1.3 only".to_owned());
    }
    if let Some(ca) = &options.ca {
        lines.push(format!("certificate authorities {} besides the system's", ca.display()));
    }
    lines
}

/// The URL without its query, where receivers like to put tokens.
fn address(endpoint: &Endpoint) -> String {
    let mut url = endpoint.delivery.url.clone();
    let query = if url.query().is_some() { "?…" } else { "" };
    url.set_query(None);
    format!("{url}{query}")
}

fn asked(verify: &Verify) -> Option<&'static str> {
    match verify {
        Verify::None => None,
        Verify::Purple => Some("purple"),
        Verify::CloudEvents { .. } => Some("cloudevents"),
    }
}

fn venues(scope: &Scope) -> String {
    let venues = match scope.venues.as_slice() {
        [] => "any venue".to_owned(),
        venues => format!("the venues {}", list(venues.iter().cloned())),
    };
    scope.organization.iter().fold(venues, |text, organization| text + &format!(" of {organization}"))
}

fn rate(endpoint: &Endpoint) -> String {
    endpoint.delivery.rate.map(|rate| format!(" and at most {rate}")).unwrap_or_default()
}

fn wanted(endpoint: &Endpoint) -> impl Iterator<Item = &'static str> {
    EventType::ALL.iter().filter(|kind| endpoint.interest.subscription.wants(**kind)).map(|kind| kind.name())
}

fn signature(endpoint: &Endpoint) -> String {
    match &endpoint.delivery.signature {
        None => "not signed".to_owned(),
        Some(SignatureOptions::Standard { secrets }) => {
            format!("signed standard with {}", shown(secrets))
        }
        Some(options @ SignatureOptions::Ed25519 { .. }) => {
            let public = Signer::new(options).map(|signer| signer.public_keys()).unwrap_or_default();
            format!("signed ed25519, receivers verify with {}", list(public.into_iter()))
        }
        Some(SignatureOptions::HmacSha256 { secrets, header, .. }) => {
            format!("signed hmac-sha256 in {header} with {}", shown(secrets))
        }
    }
}

fn shown(secrets: &[KeySource]) -> String {
    list(secrets.iter().flat_map(KeySource::keys).map(|key| key.to_string()))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// For programs, with `kind` first in every object.
fn sound(config: &Config, warnings: &[Remark]) -> Vec<Value> {
    let mut objects: Vec<Value> = warnings.iter().map(|warning| remark("warning", warning)).collect();
    objects.push(json!({ "kind": "node", "name": &*config.node }));
    objects.extend(config.sources.iter().map(sources::object));
    objects.extend(config.clients.iter().map(|client| {
        json!({
            "kind": "client", "name": &*client.name, "address": client.network, "secret": client.secret.to_string(),
            "swap_octets": client.swap_octets,
        })
    }));
    objects.extend(config.endpoints.iter().map(|endpoint| {
        let options = &endpoint.delivery;
        let mut object = json!({
            "kind": "endpoint", "name": &*options.name, "method": options.method.as_str(), "url": address(endpoint),
            "events": wanted(endpoint).collect::<Vec<_>>(), "format": options.format.name(), "enabled": options.enabled,
            "timeout": show_duration(options.timeout), "concurrency": options.concurrency,
            "retry": options.retry.schedule.iter().map(|wait| show_duration(*wait)).collect::<Vec<_>>(),
            "signature": signature(endpoint),
        });
        if !options.batch.is_single() {
            let BatchOptions { max_events, max_wait, max_bytes } = options.batch;
            let wait = show_duration(max_wait);
            object["batch"] = json!({ "max_events": max_events, "max_wait": wait, "max_bytes": max_bytes });
        }
        if let Some(verify) = asked(&options.verify) {
            object["verify"] = verify.into();
        }
        if let Some(description) = &options.description {
            object["description"] = description.as_str().into();
        }
        if options.retry.endless {
            object["endless"] = true.into();
        }
        if let Some(scope) = &endpoint.interest.scope {
            object["scope"] = venues(scope).into();
        }
        if options.auth != AuthOptions::None {
            object["auth"] = options.auth.to_string().into();
        }
        if let Some(proxy) = &options.proxy {
            object["proxy"] = proxy.url.as_str().trim_end_matches('/').into();
        }
        if options.compression == Compression::Gzip {
            object["compression"] = "gzip".into();
        }
        if let Some(rate) = options.rate {
            object["rate"] = rate.to_string().into();
        }
        object
    }));
    objects.extend(enrichment::objects(config));
    let store = &config.store;
    objects.push(json!({
        "kind": "store", "path": store.path, "max_size": store.max_size, "journal_keep": store.journal_keep,
        "history_keep": show_duration(store.history_keep), "history_max_records": store.history_max_records,
    }));
    let dictionary = &config.dictionary;
    objects.push(json!({ "kind": "dictionary", "shipped": dictionary.shipped, "files": dictionary.files }));
    let listen: Vec<String> = config.admin.listen.iter().map(ToString::to_string).collect();
    objects.push(json!({ "kind": "admin", "listen": listen }));
    objects
}

fn broken(problems: &Problems) -> Vec<Value> {
    let warnings = problems.warnings.iter().map(|warning| remark("warning", warning));
    problems.problems.iter().map(|problem| remark("problem", problem)).chain(warnings).collect()
}

fn remark(kind: &str, remark: &Remark) -> Value {
    let mut object = json!({ "kind": kind, "file": remark.file.to_string_lossy(), "what": remark.what });
    if let Some(position) = remark.position {
        object["line"] = position.line.into();
        object["column"] = position.column.into();
    }
    if let Some(help) = &remark.help {
        object["help"] = help.as_str().into();
    }
    object
}

fn lines(objects: Vec<Value>) -> String {
    objects.into_iter().fold(String::new(), |text, object| text + &format!("{object}\n"))
}
