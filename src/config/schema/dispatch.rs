//! How events go out to an `[[endpoint]]`: how often, how many at once, and whether the receiver is asked first.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::template;
use crate::config::reader::{Reader, Scope, shown};
use crate::config::tree::{Node, Value};
use crate::config::units::Complaint;
use crate::config::value::{duration, integer, one_of, one_or_more, parsed, size};
use crate::deliver::options::{BatchOptions, Format, Order, Verify};
use crate::route::{Count, OncePer};
use crate::template::Condition;

/// One is no batch; twenty thousand small events are the tens of megabytes that a receiver made for it takes.
const MAX_EVENTS: RangeInclusive<u64> = 1..=20_000;

/// Beyond a day the events of a batch are history.
const MAX_WAIT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

/// Less than a kilobyte holds no event; each request under way holds its body in memory.
const MAX_BYTES: RangeInclusive<u64> = 1_024..=16 * 1024 * 1024;

/// Below a second nothing is held back; beyond a year nobody knows any more.
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);

/// The most fields of a `once_per` key: more than who, where and what says nothing new.
const MAX_FIELDS: usize = 8;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Asks {
    None,
    Purple,
    CloudEvents,
}

const ASKS: &[(&str, Asks)] = &[("none", Asks::None), ("purple", Asks::Purple), ("cloudevents", Asks::CloudEvents)];

/// `batch`.
pub(super) fn batch(table: &mut Reader<'_>, format: Format, default: BatchOptions) -> BatchOptions {
    let read = |batch: &mut Reader<'_>| {
        let max_events = batch.or("max_events", integer(MAX_EVENTS), default.max_events as u64) as usize;
        let max_wait = batch.or("max_wait", duration(MAX_WAIT), default.max_wait);
        let max_bytes = batch.or("max_bytes", size(MAX_BYTES), default.max_bytes as u64) as usize;
        if max_events == 1 && !max_wait.is_zero() {
            let help = "set `max_events` to more than 1, or remove it".to_owned();
            batch.scope().warn(
                batch.place_of("max_wait"),
                "`max_wait` has no meaning where each event is sent by itself",
                help,
            );
        }
        if max_events > 1 && !format.can_batch() {
            let what = format!("the format {format} has no form for several events in one request");
            batch.scope().problem(
                batch.place_of("max_events"),
                what,
                "choose another `format`, or remove it".to_owned(),
            );
        }
        BatchOptions { max_events, max_wait, max_bytes }
    };
    table.table("batch", read).unwrap_or(default)
}

/// `coalesce_updates`.
pub(super) fn coalesces_updates(table: &mut Reader<'_>, order: Order) -> bool {
    let set = table.or("coalesce_updates", crate::config::value::flag, false);
    if set && order == Order::None {
        let what = "`coalesce_updates` has no meaning without the order of sessions";
        table.scope().warn(table.place_of("coalesce_updates"), what, "remove `order` or this".to_owned());
    }
    set
}

/// `once_per`.
pub(super) fn once_per(table: &mut Reader<'_>) -> Option<OncePer> {
    table.table("once_per", by_key).flatten()
}

/// `count`.
pub(super) fn count(table: &mut Reader<'_>) -> Option<Count> {
    table.table("count", by_key).flatten().map(Count::new)
}

/// `when`; `counted` where there is a `count` to ask for.
pub(super) fn when(table: &mut Reader<'_>, counted: bool) -> Option<Condition> {
    let node = table.node("when");
    let condition = table.optional("when", condition);
    let counts = condition.as_ref().is_some_and(Condition::counts);
    let scope = table.scope();
    match (node, counts, counted) {
        (Some(node), true, false) => {
            let help = "add count = { key = \"user.name\", window = \"10m\" }".to_owned();
            scope.problem(node.place, "`when` asks for count, and nothing is counted", help);
        }
        (_, false, true) => {
            let help = "use it, as in when = \"count >= 5\", or remove it".to_owned();
            scope.warn(table.place_of("count"), "`count` has no meaning where `when` does not ask for it", help);
        }
        _ => {}
    }
    condition
}

fn condition(scope: &Scope<'_>, node: &Node) -> Option<Condition> {
    let Value::Text(text) = &node.value else {
        scope.wrong_type(node, "a condition in quotes");
        return None;
    };
    match Condition::parse(text) {
        Ok(condition) => Some(condition),
        Err(mistake) => {
            template::refuse(scope, node, text, &mistake);
            None
        }
    }
}

/// A key, and for how long what agrees in it belongs together.
fn by_key(once: &mut Reader<'_>) -> Option<OncePer> {
    let field =
        parsed("a field of events in quotes", |text| match OncePer::parse(vec![text.to_owned()], *WINDOW.start()) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) => {
                Err(Complaint::new("which is no field of an event", "write it like \"user.name\" or \"client.mac\""))
            }
        });
    let fields = once.required("key", "\"user.name\"", one_or_more("a field, or an array of them", MAX_FIELDS, field));
    let window = once.required("window", "\"24h\"", duration(WINDOW));
    OncePer::parse(fields?, window?).ok()
}

/// `verify`, with `verify_origin` and `verify_callback`.
pub(super) fn verify(table: &mut Reader<'_>, node: Option<&Arc<str>>, format: Format, default: Asks) -> Verify {
    let asks = table.or("verify", one_of(ASKS), default);
    if asks == Asks::Purple && !format.has_test() {
        let what = format!("verify = \"purple\" sends a test event, for which the format {format} has no word");
        table.scope().problem(table.place_of("verify"), what, "remove it".to_owned());
    }
    let origin = table.optional("verify_origin", parsed("a DNS name in quotes", origin));
    let callback = table.optional("verify_callback", parsed("a URL in quotes", callback));
    for key in ["verify_origin", "verify_callback"] {
        if table.has(key) && asks != Asks::CloudEvents {
            let what = format!("`{key}` has no meaning without verify = \"cloudevents\"");
            table.scope().problem(table.place_of(key), what, "remove it".to_owned());
        }
    }
    match asks {
        Asks::None => Verify::None,
        Asks::Purple => Verify::Purple,
        Asks::CloudEvents => {
            let node = node.map(|node| node.to_string()).unwrap_or_default();
            Verify::CloudEvents { origin: origin.unwrap_or(node), callback }
        }
    }
}

/// The characters of a DNS name, with a port perhaps.
fn origin(text: &str) -> Result<String, Complaint> {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | ':' | '_');
    match !text.is_empty() && text.len() <= MAX_ORIGIN && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(Complaint::new("which is no DNS name", "write it like \"radhook.example.com\"")),
    }
}

/// RFC 1035 §2.3.4, and a port.
const MAX_ORIGIN: usize = 255 + 6;

fn callback(text: &str) -> Result<Url, Complaint> {
    let help = "write it like \"https://radhook.example.com/callbacks\", and let it lead to the admin API's /callbacks";
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none() => {
            Ok(url)
        }
        Ok(_) => Err(Complaint::new("which is not plainly https or http", help)),
        Err(error) => Err(Complaint::new(format!("which is no URL: {}", shown(&error.to_string())), help)),
    }
}
