//! `[[endpoint]]`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use reqwest::Url;

use super::dialect::Defaults;
use super::headers::OURS;
use super::{auth, dialect, dispatch, egress, headers, proxy, scope, signature, template};
use crate::config::Endpoint;
use crate::config::files::read_bounded;
use crate::config::reader::{Claims, Reader, Scope, nearest, shown};
use crate::config::tree::{Node, Place, Value};
use crate::config::units::Complaint;
use crate::config::value::{duration, flag, integer, list, name, number, one_of, parsed, path};
use crate::deliver::egress::Egress;
use crate::deliver::options::{
    AuthOptions, Compression, DEFAULT_DISABLE_AFTER, EndpointOptions, Format, Order, ProxyOptions, Rate, RetryOptions,
    SignatureOptions, Templates,
};
use crate::event::EventType;
use crate::route::{Interest, Subscription};

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

/// At least one, or nothing is ever sent. The time of each request is remembered until the rate's own time is over.
const RATE: RangeInclusive<u32> = 1..=100_000;

/// Whether TLS 1.2 is too old. Below 1.2 nothing is spoken at all (RFC 8996).
const TLS_VERSIONS: &[(&str, bool)] = &[("1.2", false), ("1.3", true)];

/// The most retries: with waits that grow, thirty-two are weeks.
const MAX_RETRIES: usize = 32;

/// A shorter wait is no wait; after 30 days nobody expects the event any more.
const RETRY_WAIT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(30 * 86_400);
pub(super) const DEFAULT_SCHEDULE: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(12 * 3_600),
];

/// Below a second nothing would ever be tried again; beyond a year there is no difference.
const MAX_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

/// Zero is never.
const DISABLE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 86_400);

/// A wait can at most vanish or double.
const JITTER: RangeInclusive<f64> = 0.0..=1.0;
pub(super) const DEFAULT_JITTER: f64 = 0.1;

/// The largest file of certificate authorities; a system's whole bundle has a quarter of it.
const MAX_CA: u64 = 1024 * 1024;

pub(super) const METHODS: &[(&str, Method)] = &[
    ("POST", Method::POST),
    ("PUT", Method::PUT),
    ("PATCH", Method::PATCH),
    ("GET", Method::GET),
    ("DELETE", Method::DELETE),
];

const ORDERS: &[(&str, Order)] = &[("session", Order::Session), ("none", Order::None)];

const COMPRESSIONS: &[(&str, Compression)] = &[("none", Compression::None), ("gzip", Compression::Gzip)];

const FORMATS: &[(&str, Format)] = &{
    let mut formats = [("", Format::Native); Format::ALL.len()];
    let mut at = 0;
    while at < formats.len() {
        formats[at] = (Format::ALL[at].name(), Format::ALL[at]);
        at += 1;
    }
    formats
};

/// What this version makes by itself; a subscription to nothing else waits in vain, unless somebody posts such events.
const MADE: [EventType; 22] = [
    EventType::AuthAccept,
    EventType::AuthReject,
    EventType::AuthChallenge,
    EventType::AuthTimeout,
    EventType::SessionStart,
    EventType::SessionUpdate,
    EventType::SessionStop,
    EventType::SessionResumed,
    EventType::SessionLost,
    EventType::SessionRevoked,
    EventType::SessionLimitExceeded,
    EventType::NasOn,
    EventType::NasOff,
    EventType::CoaAck,
    EventType::CoaNak,
    EventType::DisconnectAck,
    EventType::DisconnectNak,
    EventType::SystemUserlimitExceeded,
    EventType::EndpointDisabled,
    EventType::EndpointEnabled,
    EventType::EndpointRecovered,
    EventType::DeliveryExhausted,
];

/// All endpoints; `None` where there is no such table. `posted`: a source takes events of any type.
pub(super) fn endpoints(
    top: &mut Reader<'_>,
    node: Option<&Arc<str>>,
    posted: bool,
    egress: &Arc<Egress>,
) -> Option<Vec<Endpoint>> {
    let mut names = Claims::new();
    top.tables("endpoint", MAX_ENDPOINTS, |table| {
        let name = table.required("name", "\"crm\"", name);
        if let Some(name) = &name {
            let taken = |name: &Arc<str>| format!("another endpoint is called \"{}\"", shown(name));
            names.claim(table.scope(), name.clone(), table.place_of("name"), taken);
        }
        let description = scope::description(table);
        let format = table.or("format", one_of(FORMATS), Format::default());
        let defaults = Defaults::of(format);
        let (url, url_template) = template::address(table, format).unzip();
        let insecure_http = table.or("insecure_http", flag, false);
        let proxy = proxy::proxy(table, egress);
        if let (Some(url), Some(node)) = (&url, table.node("url")) {
            judge_plain_http(table, url, proxy.as_ref(), insecure_http);
            egress::judge(table.scope(), egress, url, node);
        }
        let method = table.or("method", one_of(METHODS), Method::POST);
        let subscription = subscription(table, posted, format, url.as_ref());
        let scope = scope::scope(table);
        let timeout = table.or("timeout", duration(TIMEOUT), DEFAULT_TIMEOUT);
        let order = table.or("order", one_of(ORDERS), Order::default());
        let concurrency = table.or("concurrency", integer(CONCURRENCY), DEFAULT_CONCURRENCY) as usize;
        let rate = table.optional("rate", parsed("a rate such as \"200/s\"", rate));
        let enabled = table.or("enabled", flag, true);
        let disable =
            table.table("disable", |disable| disable.or("after", duration(DISABLE_AFTER), DEFAULT_DISABLE_AFTER));
        let disable_after = Some(disable.unwrap_or(DEFAULT_DISABLE_AFTER)).filter(|after| !after.is_zero());
        let typed = defaults.content_type_is_free;
        let headers = |scope: &Scope<'_>, node: &Node| headers::of_endpoint(scope, node, format, typed);
        let (headers, filled) = table.optional("headers", headers).unwrap_or_default();
        let auth = match table.node("auth") {
            Some(_) => table.table("auth", |auth| auth::options(auth, egress)).flatten(),
            None => Some(AuthOptions::None),
        };
        refuse_authorized_twice(table, auth.as_ref(), &headers);
        proxy::judge_token(table.scope(), auth.as_ref(), proxy.as_ref(), table.place_of("auth"));
        let compression = table.or("compression", one_of(COMPRESSIONS), Compression::default());
        refuse_encoded_twice(table, compression, &headers);
        let signature =
            table.table("signature", |signature| signature::options(signature, defaults.signature)).flatten();
        dialect::judge(table, format, url.as_ref(), &subscription, signature.as_ref());
        refuse_signed_twice(table, &signature, &headers);
        refuse_attributes(table, format, &signature, &headers);
        let retry = table.table("retry", |table| retry(table, &defaults.retry)).unwrap_or(defaults.retry);
        let batch = dispatch::batch(table, format, defaults.batch);
        let content_type = template::content_type(table);
        let body = template::body(table, format, content_type.as_ref());
        let templates = Templates { url: url_template.flatten(), headers: filled, body, content_type };
        let kinds: Vec<EventType> = EventType::ALL.iter().copied().filter(|kind| subscription.wants(*kind)).collect();
        template::rehearse(table, &templates, format, &kinds, !batch.is_single());
        let coalesces_updates = dispatch::coalesces_updates(table, order);
        let count = dispatch::count(table);
        // A count that was refused is one all the same.
        let when = dispatch::when(table, table.has("count"));
        let once_per = dispatch::once_per(table);
        let verify = dispatch::verify(table, node, format, defaults.asks);
        let log_bodies = table.or("log_bodies", flag, defaults.log_bodies);
        let tls = table.table("tls", |tls| {
            let ca = tls.optional("ca", authorities);
            (ca, tls.or("min_version", one_of(TLS_VERSIONS), false))
        });
        let (ca, tls13_only) = tls.unwrap_or_default();
        Some(Endpoint {
            interest: Interest { subscription, scope, when, count, once_per },
            coalesces_updates,
            delivery: EndpointOptions {
                name: name?,
                description,
                url: url?,
                method,
                format,
                templates: Arc::new(templates),
                timeout,
                order,
                concurrency,
                rate,
                disable_after,
                enabled,
                headers,
                auth: auth?,
                signature,
                retry,
                batch,
                verify,
                log_bodies,
                ca,
                tls13_only,
                egress: Arc::clone(egress),
                proxy,
                compression,
            },
        })
    })
}

fn judge_plain_http(table: &Reader<'_>, url: &Url, proxy: Option<&ProxyOptions>, insecure_http: bool) {
    if url.scheme() != "http" || proxy::stays_here_by(url, proxy) {
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

fn subscription(table: &mut Reader<'_>, posted: bool, format: Format, url: Option<&Url>) -> Subscription {
    let valid = parsed("an event type or pattern in quotes", |text| match Subscription::parse([text]) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Complaint::new("which matches no event type", similar_types(text))),
    });
    let pattern =
        |scope: &Scope<'_>, node: &Node| -> Option<(String, Place)> { Some((valid(scope, node)?, node.place)) };
    let written = table.node("events");
    let patterns = table.optional("events", list("an array of event types", MAX_EVENTS, pattern));
    let (Some(node), Some(patterns)) = (written, patterns) else { return dialect::default_events(format, url) };
    let place = node.place;
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        let help = "name types, or set enabled = false".to_owned();
        table.scope().problem(place, "`events` is empty: this endpoint would receive nothing", help);
    }
    let Ok(subscription) = Subscription::parse(patterns.iter().map(|(pattern, _)| pattern.as_str())) else {
        return Subscription::default();
    };
    let subscription = dialect::heed(table, format, subscription, &patterns);
    if !subscription.is_empty() && !posted && !MADE.into_iter().any(|kind| subscription.wants(kind)) {
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

/// Where the event's attributes are headers, no other header may look like one of them.
fn refuse_attributes(
    table: &Reader<'_>,
    format: Format,
    signature: &Option<SignatureOptions>,
    headers: &[(HeaderName, HeaderValue)],
) {
    let is_attribute = |name: &HeaderName| format == Format::CloudEventsBinary && name.as_str().starts_with("ce-");
    let what = |name| format!("the header {name} would be an attribute of the event with format = \"{format}\"");
    for (name, _) in headers.iter().filter(|(name, _)| is_attribute(name)) {
        table.scope().problem(table.place_of("headers"), what(name), "choose a name without ce-".to_owned());
    }
    if let Some(SignatureOptions::HmacSha256 { header, .. }) = signature
        && is_attribute(header)
    {
        table.scope().problem(table.place_of("signature"), what(header), "choose another `header`".to_owned());
    }
}

/// `Authorization` can be said once.
fn refuse_authorized_twice(table: &Reader<'_>, auth: Option<&AuthOptions>, headers: &[(HeaderName, HeaderValue)]) {
    let shows = !matches!(auth, None | Some(AuthOptions::None | AuthOptions::Mtls { .. }));
    if shows && headers.iter().any(|(name, _)| name == http::header::AUTHORIZATION) {
        let what = "`auth` and `headers` both set Authorization";
        table.scope().problem(table.place_of("auth"), what, "keep one of them".to_owned());
    }
}

/// What a body is compressed by can be said once, and truly.
fn refuse_encoded_twice(table: &Reader<'_>, compression: Compression, headers: &[(HeaderName, HeaderValue)]) {
    if compression != Compression::None && headers.iter().any(|(name, _)| name == http::header::CONTENT_ENCODING) {
        let what = "`compression` and `headers` both set Content-Encoding";
        table.scope().problem(table.place_of("compression"), what, "keep one of them".to_owned());
    }
}

/// `200/s`: so many requests within a second, a minute, an hour or a day.
fn rate(text: &str) -> Result<Rate, Complaint> {
    let help = "write it like \"200/s\", \"600/m\" or \"5000/h\"";
    let Some((count, unit)) = text.split_once('/') else { return Err(Complaint::new("which has no /", help)) };
    let within = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(Complaint::new("where the time is none of s, m, h and d", help)),
    };
    match count.trim().parse() {
        Ok(count) if RATE.contains(&count) => Ok(Rate { count, within: Duration::from_secs(within) }),
        Ok(_) => Err(Complaint::new(format!("which must be from {} to {}", RATE.start(), RATE.end()), help)),
        Err(_) => Err(Complaint::new("where the number is no whole number", help)),
    }
}

fn retry(table: &mut Reader<'_>, defaults: &RetryOptions) -> RetryOptions {
    let waits = list("an array of durations", MAX_RETRIES, duration(RETRY_WAIT));
    let schedule = table.or("schedule", waits, defaults.schedule.clone());
    let jitter = table.or("jitter", number(JITTER), defaults.jitter);
    let max_age = table.optional("max_age", duration(MAX_AGE));
    let wants_endless = table.or("endless", flag, defaults.endless);
    if schedule.is_empty() && table.has("endless") && wants_endless {
        let what = "`endless` repeats the last wait of `schedule`, and there is none";
        table.scope().problem(table.place_of("endless"), what, "write schedule = [\"3h\"], say".to_owned());
    }
    RetryOptions { endless: wants_endless && !schedule.is_empty(), schedule, jitter, max_age }
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
