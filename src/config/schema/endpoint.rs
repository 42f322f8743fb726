//! `[[endpoint]]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::signature;
use super::url::{stays_here, url};
use crate::config::Endpoint;
use crate::config::files::read_bounded;
use crate::config::reader::{Claims, Reader, Scope, nearest, shown};
use crate::config::secret::secret;
use crate::config::tree::{Node, Value};
use crate::config::units::Complaint;
use crate::config::value::{duration, flag, integer, list, name, number, one_of, parsed, path};
use crate::deliver::options::{EndpointOptions, Order, RetryOptions, SignatureOptions};
use crate::event::EventType;
use crate::route::Subscription;

/// The most endpoints: each has a queue, connections and metrics of its own.
const MAX_ENDPOINTS: usize = 256;

/// The most patterns in `events`: more than there are types says nothing new.
const MAX_EVENTS: usize = 64;

/// Less than 10 ms fails on any network; beyond 5 minutes a receiver is down, and its slots are better freed.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(300);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// At least one, or nothing is ever sent; 256 connections are more than a receiver expects of one sender.
const CONCURRENCY: RangeInclusive<u64> = 1..=256;
const DEFAULT_CONCURRENCY: u64 = 16;

/// The most retries: with waits that grow, thirty-two are weeks.
const MAX_RETRIES: usize = 32;

/// A shorter wait is no wait; after 30 days nobody expects the event any more.
const RETRY_WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(30 * 86_400);
const DEFAULT_SCHEDULE: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(12 * 3_600),
];

/// A wait can at most vanish or double.
const JITTER: RangeInclusive<f64> = 0.0..=1.0;
const DEFAULT_JITTER: f64 = 0.1;

/// The most headers, and the longest value: servers commonly refuse more than 8 KiB of headers in all.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_VALUE: usize = 4096;

/// The largest file of certificate authorities; a system's whole bundle has a quarter of it.
const MAX_CA: u64 = 1024 * 1024;

const METHODS: &[(&str, Method)] = &[
    ("POST", Method::POST),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("GET", Method::GET),
    ("DELETE", Method::DELETE),
];

const ORDERS: &[(&str, Order)] = &[("session", Order::Session), ("none", Order::None)];

/// Formats of the design that come later.
const LATER_FORMATS: &[&str] = &[
    "cloudevents",
    "cloudevents-binary",
    "template",
    "ironwifi",
    "iacbox",
    "signin",
    "purple",
    "bt",
    "rlm_rest",
    "openwisp",
];

/// Keys of the design that come later.
const LATER: &[&str] =
    &["when", "once_per", "rate", "auth", "batch", "disable", "verify", "log_bodies", "body", "content_type"];

/// Headers that a request's framing, body or signature decides.
const OURS: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// What this version makes by itself; a subscription to nothing else waits in vain, unless scripts post events.
const MADE: [EventType; 5] =
    [EventType::SessionStart, EventType::SessionUpdate, EventType::SessionStop, EventType::NasOn, EventType::NasOff];

/// All endpoints; `None` where there is no such table.
/// `takes_posts`: events of any type may come from scripts.
pub(super) fn endpoints(top: &mut Reader<'_>, takes_posts: bool) -> Option<Vec<Endpoint>> {
    let mut names = Claims::new();
    top.tables("endpoint", MAX_ENDPOINTS, |table| {
        table.later(LATER);
        let name = table.required("name", "\"crm\"", name);
        if let Some(name) = &name {
            let taken = |name: &Arc<str>| format!("another endpoint is called \"{}\"", shown(name));
            names.claim(table.scope(), name.clone(), table.place_of("name"), taken);
        }
        let url = table.required("url", "\"https://crm.example.com/hooks\"", url);
        let insecure_http = table.or("insecure_http", flag, false);
        if let Some(url) = &url {
            judge_plain_http(table, url, insecure_http);
        }
        let method = table.or("method", one_of(METHODS, &[]), Method::POST);
        let subscription = subscription(table, takes_posts);
        table.optional("format", one_of(&[("native", ())], LATER_FORMATS));
        let timeout = table.or("timeout", duration(TIMEOUT), DEFAULT_TIMEOUT);
        let order = table.or("order", one_of(ORDERS, &[]), Order::default());
        let concurrency = table.or("concurrency", integer(CONCURRENCY), DEFAULT_CONCURRENCY) as usize;
        let enabled = table.or("enabled", flag, true);
        let headers = table.optional("headers", headers).unwrap_or_default();
        let signature = table.table("signature", signature::options).flatten();
        refuse_signed_twice(table, &signature, &headers);
        let retry = table.table("retry", retry).unwrap_or_else(default_retry);
        let ca = table.table("tls", |tls| tls.optional("ca", authorities)).flatten();
        Some(Endpoint {
            subscription,
            delivery: EndpointOptions {
                name: name?,
                url: url?,
                method,
                timeout,
                order,
                concurrency,
                enabled,
                headers,
                signature,
                retry,
                ca,
            },
        })
    })
}

fn judge_plain_http(table: &Reader<'_>, url: &Url, insecure_http: bool) {
    if url.scheme() != "http" || stays_here(url) {
        return;
    }
    let (scope, place) = (table.scope(), table.place_of("url"));
    match insecure_http {
        true => scope.warn(place, "events to this `url` travel unencrypted", None),
        false => {
            let help = "use https, or set insecure_http = true".to_owned();
            scope.problem(place, "`url` is http to another host, which sends everything unencrypted", help);
        }
    }
}

fn subscription(table: &mut Reader<'_>, takes_posts: bool) -> Subscription {
    let pattern = parsed("an event type or pattern in quotes", |text| match Subscription::parse([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Complaint::new("which matches no event type", similar_types(text))),
    });
    let written = table.node("events");
    let patterns = table.optional("events", list("an array of event types", MAX_EVENTS, pattern));
    let (Some(node), Some(patterns)) = (written, patterns) else { return Subscription::default() };
    let place = node.place;
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let help = "name types, or set enabled = false".to_owned();
        table.scope().problem(place, "`events` is empty: this endpoint would receive nothing", help);
    }
    let Ok(subscription) = Subscription::parse(patterns.iter().map(String::as_str)) else {
        return Subscription::default();
    };
    if !takes_posts && !patterns.is_empty() && !MADE.into_iter().any(|kind| subscription.wants(kind)) {
        let help = format!("it makes {}", MADE.map(EventType::name).join(", "));
        table.scope().warn(place, "`events` names nothing that this version of radhook makes", help);
    }
    subscription
}

/// What somebody who wrote `text` may have meant: a type, or a whole family of them.
fn similar_types(text: &str) -> String {
    let names = || EventType::ALL.iter().map(|kind| kind.name());
    let families: Vec<String> =
        names().filter_map(|name| name.split_once('.').map(|(family, _)| format!("{family}.*"))).collect();
    match nearest(text, names().chain(families.iter().map(String::as_str))) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "docs/configuration.md lists them; * stands for any characters".to_owned(),
    }
}

/// A table of header names and values; a value may stand elsewhere like any secret.
fn headers(scope: &Scope<'_>, node: &Node) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let Value::Table(table) = &node.value else {
        scope.wrong_type(node, "a table of headers");
        return None;
    };
    if table.len() > MAX_HEADERS {
        let what = format!("`headers` has {} entries, and at most {MAX_HEADERS} are allowed", table.len());
        scope.problem(node.place, what, None);
        return None;
    }
    let mut names = Claims::new();
    let mut read = |node: &Node| {
        let Ok(name) = node.key.parse::<HeaderName>() else {
            let what = format!("\"{}\" is no header's name", shown(&node.key));
            scope.problem(node.key_place, what, "use letters, digits and -".to_owned());
            return None;
        };
        if OURS.contains(&name.as_str()) {
            let what = format!("the header {} is set by radhook itself", shown(&node.key));
            scope.problem(node.key_place, what, "remove it".to_owned());
            return None;
        }
        names.claim(scope, name.as_str().to_owned(), node.key_place, |name| format!("the header {name} is set twice"));
        Some((name, header_value(scope, node)?))
    };
    let read: Vec<_> = table.values().map(&mut read).collect();
    read.into_iter().collect()
}

/// Never shown in a message, and marked so that no log shows it: it may be a token.
fn header_value(scope: &Scope<'_>, node: &Node) -> Option<HeaderValue> {
    let text = match &node.value {
        Value::Text(text) => text.as_bytes().to_vec(),
        Value::Table(_) => secret(scope, node)?.expose().to_vec(),
        _ => {
            scope.wrong_type(node, "a string, or a table like a secret");
            return None;
        }
    };
    let refuse = |what: &str, help: &str| {
        let what = format!("the value of the header {} {what}", shown(&node.key));
        scope.problem(node.place, what, help.to_owned());
    };
    if text.len() > MAX_HEADER_VALUE {
        refuse(&format!("has {} bytes", text.len()), &format!("at most {MAX_HEADER_VALUE} are allowed"));
        return None;
    }
    if text.windows(2).any(|pair| pair == b"{{" || pair == b"{%") {
        refuse("is a template, which this version of radhook does not know yet", "only fixed values are sent");
        return None;
    }
    let Ok(mut value) = HeaderValue::from_bytes(&text) else {
        refuse("holds a control character", "remove it");
        return None;
    };
    value.set_sensitive(true);
    Some(value)
}

fn refuse_signed_twice(
    table: &Reader<'_>,
    signature: &Option<SignatureOptions>,
    headers: &[(HeaderName, HeaderValue)],
) {
    if let Some(SignatureOptions::HmacSha256 { header, .. }) = signature
        && (OURS.contains(&header.as_str()) || headers.iter().any(|(name, _)| name == header))
    {
        let what = format!("the signature's header {header} is used for something else already");
        table.scope().problem(table.place_of("signature"), what, "choose another `header`".to_owned());
    }
}

fn retry(table: &mut Reader<'_>) -> RetryOptions {
    let schedule = list("an array of durations", MAX_RETRIES, duration(RETRY_WAIT));
    RetryOptions {
        schedule: table.or("schedule", schedule, DEFAULT_SCHEDULE.to_vec()),
        jitter: table.or("jitter", number(JITTER), DEFAULT_JITTER),
    }
}

fn default_retry() -> RetryOptions {
    RetryOptions { schedule: DEFAULT_SCHEDULE.to_vec(), jitter: DEFAULT_JITTER }
}

/// A PEM file with at least one certificate.
fn authorities(scope: &Scope<'_>, node: &Node) -> Option<PathBuf> {
    let file = path(scope, node)?;
    let what = match read_bounded(&file, MAX_CA) {
        Err(error) => format!("cannot be read: {error}"),
        Ok((pem, _)) => match reqwest::Certificate::from_pem_bundle(&pem) {
            Err(_) => "is not PEM".to_owned(),
            Ok(certificates) if certificates.is_empty() => "holds no certificate".to_owned(),
            Ok(_) => return Some(file),
        },
    };
    scope.problem(node.place, format!("`{}`: {} {what}", node.key, file.display()), None);
    None
}
