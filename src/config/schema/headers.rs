//! `headers`.

use http::{HeaderName, HeaderValue};

use super::template;
use crate::config::reader::{Claims, Scope, shown};
use crate::config::secret::secret;
use crate::config::tree::{Node, Value};
use crate::deliver::options::Format;
use crate::template::{Place, Template};

/// Headers as they are sent.
pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// The most headers, and the longest value: servers commonly refuse more than 8 KiB of headers in all.
const MAX_HEADERS: usize = 32;
const MAX_HEADER_VALUE: usize = 4096;

const CONTENT_TYPE: &str = "content-type";

/// Headers that a request's framing, body or signature decides.
pub(super) const OURS: &[&str] = &[
    "connection",
    "content-length",
    CONTENT_TYPE,
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
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

/// Headers in which something of each event is to be filled in.
pub(super) type Filled = Vec<(HeaderName, Template)>;

/// A table of header names and values; a value may stand elsewhere like any secret.
pub(super) fn headers(scope: &Scope<'_>, node: &Node) -> Option<Headers> {
    let fixed = |scope: &Scope<'_>, node: &Node| match written(scope, node)? {
        Written::Template(_) => {
            let what =
                format!("the value of the header {} is a template, and there is no event here", shown(&node.key));
            scope.problem(node.place, what, "write it as it is to be sent".to_owned());
            None
        }
        Written::Fixed(value) => fixed(scope, node, &value),
    };
    each(scope, node, OURS, fixed)
}

/// Those of an endpoint: values that stand as they are, and templates. Content-Type among them only where `typed`.
pub(super) fn of_endpoint(scope: &Scope<'_>, node: &Node, format: Format, typed: bool) -> Option<(Headers, Filled)> {
    let ours: Vec<&str> = OURS.iter().copied().filter(|name| !typed || *name != CONTENT_TYPE).collect();
    let mut filled = Filled::new();
    let value = |scope: &Scope<'_>, node: &Node| match written(scope, node)? {
        Written::Fixed(value) => fixed(scope, node, &value).map(Some),
        Written::Template(text) => {
            let template = template::read(scope, node, &text, Place::Header, format)?;
            filled.push((node.key.parse().ok()?, template));
            Some(None)
        }
    };
    let headers = each(scope, node, &ours, value)?;
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Some((headers, filled))
}

fn each<T>(
    scope: &Scope<'_>,
    node: &Node,
    ours: &[&str],
    mut value: impl FnMut(&Scope<'_>, &Node) -> Option<T>,
) -> Option<Vec<(HeaderName, T)>> {
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
        if ours.contains(&name.as_str()) {
            let what = format!("the header {} is set by radhook itself", shown(&node.key));
            scope.problem(node.key_place, what, "remove it".to_owned());
            return None;
        }
        names.claim(scope, name.as_str().to_owned(), node.key_place, |name| format!("the header {name} is set twice"));
        Some((name, value(scope, node)?))
    };
    let read: Vec<_> = table.values().map(&mut read).collect();
    read.into_iter().collect()
}

enum Written {
    Fixed(Vec<u8>),
    Template(String),
}

fn written(scope: &Scope<'_>, node: &Node) -> Option<Written> {
    match &node.value {
        Value::Text(text) if Template::is_one(text) => Some(Written::Template(text.clone())),
        Value::Text(text) => Some(Written::Fixed(text.as_bytes().to_vec())),
        // A secret is sent as it is, whatever it looks like.
        Value::Table(_) => Some(Written::Fixed(secret(scope, node)?.expose().to_vec())),
        _ => {
            scope.wrong_type(node, "a string, or a table like a secret");
            None
        }
    }
}

/// Never shown in a message, and marked so that no log shows it: it may be a token.
fn fixed(scope: &Scope<'_>, node: &Node, text: &[u8]) -> Option<HeaderValue> {
    let refuse = |what: &str, help: &str| {
        let what = format!("the value of the header {} {what}", shown(&node.key));
        scope.problem(node.place, what, help.to_owned());
    };
    if text.len() > MAX_HEADER_VALUE {
        refuse(&format!("has {} bytes", text.len()), &format!("at most {MAX_HEADER_VALUE} are allowed"));
        return None;
    }
    let Ok(mut value) = HeaderValue::from_bytes(text) else {
        refuse("holds a control character", "remove it");
        return None;
    };
    value.set_sensitive(true);
    Some(value)
}
