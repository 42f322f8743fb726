//! `headers`.

use http::{HeaderName, HeaderValue};

use crate::config::reader::{Claims, Scope, shown};
use crate::config::secret::secret;
use crate::config::tree::{Node, Value};

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

/// A table of header names and values; a value may stand elsewhere like any secret.
pub(super) fn headers(scope: &Scope<'_>, node: &Node) -> Option<Headers> {
    headers_but(scope, node, OURS)
}

/// The same, with which Content-Type may be set too.
pub(super) fn headers_with_content_type(scope: &Scope<'_>, node: &Node) -> Option<Headers> {
    let ours: Vec<&str> = OURS.iter().copied().filter(|name| *name != CONTENT_TYPE).collect();
    headers_but(scope, node, &ours)
}

fn headers_but(scope: &Scope<'_>, node: &Node, ours: &[&str]) -> Option<Headers> {
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
